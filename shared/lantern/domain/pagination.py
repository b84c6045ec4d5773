"""Pages of lists that are sorted in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Position = tuple[str | int, ...]
"""Where a page ended: the sort key of its last row, which must be unique."""


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Some rows of a sorted list; `position` continues after them, None at the end."""

    rows: tuple[T, ...]
    position: Position | None


def slice_after(
    rows: Iterable[T],
    *,
    key: Callable[[T], Position],
    after: Position | None,
    limit: int,
    descending: bool = False,
) -> Slice[T]:
    """Up to `limit` rows that sort after `after`.

    Positions are sort keys, not offsets, so rows that come or go between two pages neither repeat nor
    hide others.

    Args:
        rows: in any order.
        key: the sort key; unique per row, and of the same shape for every row.
        after: the position the previous page ended with.
        limit: at least 1.
        descending: largest key first.
    """
    ordered = sorted(((key(row), row) for row in rows), key=lambda pair: pair[0], reverse=descending)
    if after is not None:
        ordered = [pair for pair in ordered if (pair[0] < after if descending else pair[0] > after)]
    chosen = ordered[:limit]
    more = len(ordered) > limit
    return Slice(tuple(row for _, row in chosen), chosen[-1][0] if more else None)
