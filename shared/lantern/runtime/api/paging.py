"""Lists, the same everywhere: `limit` and `cursor` in, `{data, next_cursor}` out."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from pydantic import Field

from lantern.domain.pagination import Position, slice_after
from lantern.runtime.api.routing import Call
from lantern.runtime.api.validation import Answer, Question

T = TypeVar("T", bound=Answer)
R = TypeVar("R")


class PageQuery(Question):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=100, description="Rows a page, at most.")
    cursor: str | None = Field(None, max_length=4_096, description="`next_cursor` of the previous page.")


class ListOf(Answer, Generic[T]):
    """A page of rows."""

    data: list[T]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null at the end.")


def dump_position(position: Position | None) -> str | None:
    """A sort key as text for a cursor."""
    return None if position is None else json.dumps(position, separators=(",", ":"))


def load_position(text: str | None) -> Position | None:
    """The sort key in an opened cursor; it was sealed by us, so its shape is right."""
    return None if text is None else tuple(json.loads(text))


def page_of(
    call: Call[Any, None], rows: Iterable[R], key: Callable[[R], Position]
) -> tuple[tuple[R, ...], str | None]:
    """The page that a call asks for of rows that are all at hand, and the cursor to answer with.

    `key` sorts them; it must be unique.
    """
    after = load_position(call.position(call.query.cursor))
    found = slice_after(rows, key=key, after=after, limit=call.query.limit)
    return found.rows, call.cursor(dump_position(found.position))
