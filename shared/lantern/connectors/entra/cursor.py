"""Where following changes stands: a JSON text that survives crashes and upgrades."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

OVERLAP: Final = timedelta(hours=2)
SLICE: Final = timedelta(hours=24)
SEEN_LIMIT: Final = 1000
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Standing of the feeds.

    `links` are Graph's own links of each delta feed: where its next page is, or its next round. Of the audit
    log everything before `settled` is done for good; what is younger may still arrive late and is read again,
    `seen` keeps what was told of it (key → epoch seconds). `tended` is when the subscriptions were looked
    after.
    """

    settled: datetime
    links: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    tended: datetime | None = None


def start(now: datetime) -> Cursor:
    """The cursor of feeds that were never read."""
    return Cursor(settled=now - OVERLAP)


def follow(cursor: Cursor, feed: str, link: str) -> Cursor:
    """The cursor with a feed's next link."""
    return replace(cursor, links={**cursor.links, feed: link})


def window(cursor: Cursor, now: datetime) -> tuple[datetime, datetime]:
    """The next stretch of the audit log: to the present, in slices after a long absence."""
    return cursor.settled, min(now, cursor.settled + SLICE)


def settle(cursor: Cursor, end: datetime, now: datetime, told: Iterable[tuple[str, datetime]]) -> Cursor:
    """The cursor after the audit log was read to `end`; `told` are the events that had an effect."""
    settled = max(cursor.settled, min(end, now - OVERLAP))
    seen = {**cursor.seen, **{digest(key): int(at.timestamp()) for key, at in told}}
    floor = int(settled.timestamp())
    kept = sorted(((key, at) for key, at in seen.items() if at >= floor), key=lambda pair: pair[1])
    return replace(cursor, settled=settled, seen=dict(kept[-SEEN_LIMIT:]))


def digest(key: str) -> str:
    """A short stand-in for an event's key; 64 bits are plenty among a thousand."""
    return sha256(key.encode()).hexdigest()[:16]


def dump(cursor: Cursor) -> str:
    """The cursor as text."""
    value = {
        "v": _VERSION,
        "settled": _ms(cursor.settled),
        "links": dict(sorted(cursor.links.items())),
        "seen": dict(sorted(cursor.seen.items())),
        "tended": _ms(cursor.tended) if cursor.tended else None,
    }
    return json.dumps(value, separators=(",", ":"))


def load(text: str) -> Cursor:
    """The cursor in a text of `dump`.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("v") != _VERSION:
        raise ValueError("not a cursor of the Entra feeds")
    tended = value["tended"]
    return Cursor(
        _at(value["settled"]), value["links"], value["seen"], _at(tended) if tended is not None else None
    )


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
