"""Bytes as they come out of exports → text: gzip, UTF-8 with and without BOM, UTF-16, Windows code pages."""

import codecs
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

PIECE: Final = 64 * 1024
"""Roughly how much is in hand at once."""
_SAMPLE: Final = 8 * 1024
_GZIP: Final = b"\x1f\x8b"
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


class UnreadableError(Exception):
    """A file that cannot be read at all, or not to its end; the message is a sentence for people."""


def text_of(chunks: Iterable[bytes], limit: int | None = None) -> Iterator[str]:
    """Yield the text of a file in pieces, whatever its encoding, and unpacked where it is gzipped.

    A character that does not decode becomes U+FFFD; nothing is lost silently but that character.

    Args:
        chunks: the file.
        limit: how many bytes it may hold when unpacked.

    Raises:
        UnreadableError: the gzip data is damaged, or the file is longer than `limit`.
    """
    plain = _limited(_unpacked(_pieces(chunks)), limit)
    sample = b""
    for piece in plain:
        sample += piece
        if len(sample) >= _SAMPLE:
            break
    decoder = codecs.getincrementaldecoder(encoding_of(sample))(errors="replace")
    try:
        for piece in chain((sample,), plain):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        # UTF-32 and UTF-16 give up on a beginning that contradicts itself.
        raise UnreadableError("The text encoding of the file is damaged.") from error


def encoding_of(sample: bytes) -> str:
    """The encoding a file seems to have, from its beginning."""
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return name
    # Latin text in UTF-16 has a NUL beside every letter.
    if sample[1:200:2].count(0) > len(sample[1:200:2]) * 0.6:
        return "utf-16-le"
    if sample[0:200:2].count(0) > len(sample[0:200:2]) * 0.6:
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


def _limited(pieces: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if limit is not None and total > limit:
            raise UnreadableError(f"The file is longer than {limit:,} bytes when unpacked.")
        yield piece


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    while len(first) < len(_GZIP):
        more = next(pieces, None)
        if more is None:
            break
        first += more
    rest = chain((first,), pieces)
    return _gunzip(rest) if first.startswith(_GZIP) else rest


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack member by member, never more than a piece at once: a small file may hold a very large one."""
    unpacker = zlib.decompressobj(31)
    try:
        for piece in pieces:
            waiting = piece
            while waiting:
                if unpacker.eof:
                    waiting = waiting.lstrip(b"\0")
                    if not waiting:
                        break
                    unpacker = zlib.decompressobj(31)
                yield unpacker.decompress(waiting, PIECE)
                waiting = unpacker.unconsumed_tail or unpacker.unused_data
        while not unpacker.eof and (tail := unpacker.decompress(unpacker.unconsumed_tail, PIECE)):
            yield tail
    except zlib.error as error:
        raise UnreadableError("The gzip data is damaged.") from error
    if not unpacker.eof:
        raise UnreadableError("The gzip data ends before its end: the file was cut off.")
