"""What DynamoDB bills, computed from what is sent and what comes back.

Item sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
Units: a write unit is 1 kB (rounded up per item), a read unit 4 kB (per item; per sum for queries), half
for eventually consistent reads, both doubled in transactions.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Wire = Mapping[str, Any]
"""An item or value in DynamoDB's wire form: name → {type: value}."""

WRITE_UNIT_BYTES: Final = 1024
READ_UNIT_BYTES: Final = 4096
TRANSACTION_FACTOR: Final = 2
_CONTAINER_BYTES: Final = 3
_ELEMENT_BYTES: Final = 1


def item_size(item: Wire) -> int:
    """Bytes of an item: names in UTF-8 and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Wire) -> int:
    """Bytes of one attribute value, e.g. `{"S": "text"}`.

    Raises:
        ValueError: a type that DynamoDB does not have.
    """
    ((kind, content),) = value.items()
    size = _SIZES.get(kind)
    if size is None:
        raise ValueError(f"unknown attribute type {kind}")
    return size(content)


def number_size(text: str) -> int:
    """Bytes of a number: one per two significant digits, one more, and one for a sign."""
    mantissa = text.lower().split("e")[0]
    digits = mantissa.replace("-", "").replace("+", "").replace(".", "").strip("0")
    return math.ceil(len(digits) / 2) + 1 + mantissa.startswith("-")


_SIZES: Final[Mapping[str, Callable[[Any], int]]] = {
    "S": lambda text: len(text.encode()),
    "N": number_size,
    "B": len,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda texts: sum(len(text.encode()) for text in texts),
    "NS": lambda numbers: sum(map(number_size, numbers)),
    "BS": lambda blobs: sum(map(len, blobs)),
    "L": lambda items: _CONTAINER_BYTES + sum(value_size(one) + _ELEMENT_BYTES for one in items),
    "M": lambda items: _CONTAINER_BYTES + item_size(items) + _ELEMENT_BYTES * len(items),
}


def write_units(size: int) -> int:
    """Write units of one item of `size` bytes."""
    return max(1, math.ceil(size / WRITE_UNIT_BYTES))


def read_units(size: int, *, consistent: bool = False) -> float:
    """Read units of one item, or of the sum of a query's items, of `size` bytes."""
    return max(1, math.ceil(size / READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)


def index_entry(item: Wire | None, key: str = "gsi1pk") -> Wire | None:
    """The entry an item has in a sparse index that projects everything; None where it has none."""
    return item if item is not None and key in item else None


def index_units(old: Wire | None, new: Wire | None, keys: Iterable[str] = ("gsi1pk", "gsi1sk")) -> int:
    """Write units of the index when an item changes from `old` to `new` (None: not there).

    A changed index key is a removal and a write; an unchanged entry costs nothing.
    """
    before, after = index_entry(old), index_entry(new)
    if before == after:
        return 0
    moved = (
        before is not None and after is not None and any(before.get(key) != after.get(key) for key in keys)
    )
    if before is not None and after is not None and not moved:
        return write_units(max(item_size(before), item_size(after)))
    return sum(write_units(item_size(entry)) for entry in (before, after) if entry is not None)
