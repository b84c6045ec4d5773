"""Columns of numbers and ids as bytes: what every packed record is made of.

Numbers are written column by column and byte plane by byte plane, so that the high bytes of small
numbers are one long run of zeros, which zlib reduces to nothing. Ids are digests, which nothing can
compress: they stand beside the compressed part, as they are.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from struct import Struct, error, pack, unpack
from typing import Final

from lantern.domain import ids

_EPOCH: Final = date(2000, 1, 1)
_COUNT: Final = Struct("<I")
_HEADER: Final = 1 + _COUNT.size
_NO_DATE: Final = 0
_MAX_DAY: Final = 0xFFFF

unpack_app: Final = lru_cache(maxsize=1 << 16)(ids.unpack_app)
unpack_scope_set: Final = lru_cache(maxsize=1 << 16)(ids.unpack_scope_set)
unpack_principal: Final = lru_cache(maxsize=1 << 14)(ids.unpack_principal)
pack_app: Final = lru_cache(maxsize=1 << 16)(ids.pack_app)
pack_scope_set: Final = lru_cache(maxsize=1 << 16)(ids.pack_scope_set)
pack_principal: Final = lru_cache(maxsize=1 << 14)(ids.pack_principal)


class CodecError(ValueError):
    """Bytes that no version of this code has written."""


@lru_cache(maxsize=1 << 14)
def day_number(day: date | None) -> int:
    """A day as a 16-bit number; 0 for None.

    Raises:
        ValueError: the day is outside 2000-01-01 to 2179-06-04.
    """
    if day is None:
        return _NO_DATE
    number = (day - _EPOCH).days + 1
    if not 1 <= number <= _MAX_DAY:
        raise ValueError(f"{day} is outside the range of packed dates")
    return number


@lru_cache(maxsize=1 << 14)
def day_of(number: int) -> date | None:
    """The day of a number that `day_number` made."""
    return None if number == _NO_DATE else _EPOCH + timedelta(days=number - 1)


class Table:
    """Distinct values in order of first appearance; `None` is 0, the first value 1."""

    def __init__(self) -> None:
        self._positions: dict[str | None, int] = {None: 0}

    def position(self, value: str | None) -> int:
        """The position of `value`, given to it now if it is new."""
        return self._positions.setdefault(value, len(self._positions))

    def values(self) -> list[str]:
        """All values but None, in order."""
        return [value for value in self._positions if value is not None]


class Writer:
    """Builds a packed record: columns first in, first out."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._ids: list[bytes] = []

    def count(self, number: int) -> None:
        """One number below 2**32."""
        self._parts.append(_COUNT.pack(number))

    def blob(self, value: bytes) -> None:
        """Bytes with their length before them."""
        self.count(len(value))
        self._parts.append(value)

    def numbers(self, code: str, values: Sequence[int]) -> None:
        """A column of integers of struct format `code`: `B`, `H`, `I` or `q`; no length is written."""
        raw = pack(f"<{len(values)}{code}", *values)
        width = len(raw) // len(values) if values else 1
        self._parts.extend(raw[plane::width] for plane in range(width))

    def ids(self, pack_one: Callable[[str], bytes], values: Iterable[str]) -> None:
        """A column of ids in their binary form; no length is written."""
        self._ids.extend(map(pack_one, values))

    def payload(self) -> bytes:
        """Everything written so far, uncompressed: what a digest covers."""
        return b"".join((*self._parts, *self._ids))

    def finish(self, version: int) -> bytes:
        """The packed record: version (1 byte), length of the ids (4 bytes), ids, compressed columns."""
        ids_ = b"".join(self._ids)
        return bytes((version,)) + _COUNT.pack(len(ids_)) + ids_ + zlib.compress(b"".join(self._parts), 9)


class Reader:
    """Reads what `Writer` wrote, in the same order.

    Raises:
        CodecError: the version is not one of `versions`, or the bytes are damaged.
    """

    def __init__(self, packed: bytes, versions: frozenset[int]) -> None:
        if not packed or packed[0] not in versions:
            raise CodecError("a packed record of an unknown version")
        self.version = packed[0]
        try:
            (size,) = _COUNT.unpack_from(packed, 1)
            self._ids = packed[_HEADER : _HEADER + size]
            self._data = zlib.decompress(packed[_HEADER + size :])
        except (zlib.error, error) as cause:
            raise CodecError("a damaged packed record") from cause
        self._at = 0
        self._ids_at = 0

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise CodecError("a packed record that ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def count(self) -> int:
        """One number."""
        (number,) = _COUNT.unpack(self._take(_COUNT.size))
        return int(number)

    def blob(self) -> bytes:
        """Bytes with a length."""
        return self._take(self.count())

    def numbers(self, code: str, length: int) -> tuple[int, ...]:
        """A column of `length` integers."""
        if not length:
            return ()
        width = Struct(f"<{code}").size
        raw = bytearray(length * width)
        for plane in range(width):
            raw[plane::width] = self._take(length)
        try:
            return unpack(f"<{length}{code}", raw)
        except error as cause:  # pragma: no cover - lengths are computed from the format
            raise CodecError("a damaged column") from cause

    def ids(self, unpack_one: Callable[[bytes], str], width: int, length: int) -> list[str]:
        """A column of `length` ids of `width` bytes each."""
        start, end = self._ids_at, self._ids_at + width * length
        if end > len(self._ids):
            raise CodecError("a packed record with too few ids")
        self._ids_at = end
        return [unpack_one(self._ids[at : at + width]) for at in range(start, end, width)]

    def end(self) -> None:
        """Everything was read.

        Raises:
            CodecError: something is left.
        """
        if self._at != len(self._data) or self._ids_at != len(self._ids):
            raise CodecError("a packed record with more than its version knows")


def gaps(positions: Sequence[int]) -> list[int]:
    """Ascending positions as differences to the one before; the first as is."""
    return (
        [after - before for before, after in zip([0, *positions[:-1]], positions, strict=True)]
        if positions
        else []
    )


def sums(differences: Iterable[int]) -> list[int]:
    """The positions that `gaps` were made of."""
    total, positions = 0, []
    for difference in differences:
        total += difference
        positions.append(total)
    return positions
