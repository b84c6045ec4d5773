"""Where following changes stands: a small JSON text that survives crashes and upgrades."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from lantern.connectors.google.normalize import Event

OVERLAP: Final = timedelta(hours=2)
SLICE: Final = timedelta(hours=6)
FEEDS: Final[tuple[tuple[str, str | None], ...]] = (
    ("token", "authorize"),
    ("token", "revoke"),
    ("admin", None),
)
"""What is followed: applications of the Reports API, and the event name where one is asked for."""
SEEN_LIMIT: Final = 1000
_VERSION: Final = 2
_READABLE: Final = frozenset({1, _VERSION})


@dataclass(frozen=True, slots=True)
class Walk:
    """A window under way: `[start, end)`, of which what lies before `settle` is done for good afterwards.

    `feed` and `page` say where to go on.
    """

    start: datetime
    end: datetime
    settle: datetime
    feed: int = 0
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Standing of the feed.

    Everything before `settled` is done for good. Between `settled` and the present events may still arrive
    late, so that stretch is read again; `seen` keeps the keys of hints already given there (key → epoch
    seconds).
    """

    settled: datetime
    seen: Mapping[str, int] = field(default_factory=dict)
    walk: Walk | None = None


def start(now: datetime) -> Cursor:
    """The cursor of a feed that was never read."""
    return Cursor(settled=now - OVERLAP)


def next_walk(cursor: Cursor, now: datetime) -> Walk:
    """The next window: from what is settled to the present, in slices after a long absence."""
    end = min(now, cursor.settled + SLICE)
    return Walk(cursor.settled, end, settle=max(cursor.settled, min(end, now - OVERLAP)))


def remember(cursor: Cursor, events: Iterable[Event]) -> Cursor:
    """The cursor with these events' keys added, the oldest forgotten beyond the limit."""
    seen = {**cursor.seen, **{digest(e.key): int(e.at.timestamp()) for e in events}}
    if len(seen) > SEEN_LIMIT:
        seen = dict(sorted(seen.items(), key=lambda item: item[1])[-SEEN_LIMIT:])
    return replace(cursor, seen=seen)


def settle(cursor: Cursor, walk: Walk) -> Cursor:
    """The cursor after a window was read to its end."""
    floor = int(walk.settle.timestamp())
    seen = {key: at for key, at in cursor.seen.items() if at >= floor}
    return Cursor(settled=walk.settle, seen=seen)


def digest(key: str) -> str:
    """A short stand-in for an event key; 64 bits are plenty among a thousand."""
    return sha256(key.encode()).hexdigest()[:16]


def dump(cursor: Cursor) -> str:
    """The cursor as text."""
    value: dict[str, Any] = {
        "v": _VERSION,
        "settled": _ms(cursor.settled),
        "seen": dict(sorted(cursor.seen.items())),
    }
    if cursor.walk:
        walk = cursor.walk
        value["walk"] = [_ms(walk.start), _ms(walk.end), _ms(walk.settle), walk.feed, walk.page]
    return json.dumps(value, separators=(",", ":"))


def load(text: str) -> Cursor:
    """The cursor in a text of `dump`.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    version = value.get("v") if isinstance(value, dict) else None
    if version not in _READABLE:
        raise ValueError("not a cursor of the Google audit feed")
    walk = None
    # Version 1 walked other feeds: its window is read again from the start.
    if "walk" in value and version == _VERSION:
        began, end, settled, feed, page = value["walk"]
        walk = Walk(_at(began), _at(end), _at(settled), feed, page)
    return Cursor(_at(value["settled"]), value["seen"], walk)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
