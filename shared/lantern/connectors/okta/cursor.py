"""Where following the System Log stands: a small JSON text that survives crashes and upgrades."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from lantern.connectors.okta.events import Event

OVERLAP: Final = timedelta(hours=2)
SEEN_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Standing of the feed.

    `place` is the link that Okta gave to go on with: it takes events in the order they were stored, so that
    late ones are not missed. None where there is no link yet, or it is no longer accepted: then the feed is
    read from `since` minus the overlap, and `seen` says which events had their effect already (key → epoch
    seconds).
    """

    since: datetime
    place: str | None = None
    seen: Mapping[str, int] = field(default_factory=dict)


def start(now: datetime) -> Cursor:
    """The cursor of a feed that was never read."""
    return Cursor(since=now)


def advance(cursor: Cursor, place: str | None, events: Iterable[Event]) -> Cursor:
    """The cursor after a page; the oldest keys are forgotten beyond the limit."""
    found = list(events)
    seen = {**cursor.seen, **{digest(e.uuid): int(e.at.timestamp()) for e in found}}
    if len(seen) > SEEN_LIMIT:
        seen = dict(sorted(seen.items(), key=lambda item: item[1])[-SEEN_LIMIT:])
    since = max([cursor.since, *(e.at for e in found)])
    return replace(cursor, since=since, place=place or cursor.place, seen=seen)


def digest(key: str) -> str:
    """A short stand-in for an event's id; 64 bits are plenty among a thousand."""
    return sha256(key.encode()).hexdigest()[:16]


def dump(cursor: Cursor) -> str:
    """The cursor as text."""
    value = {"v": 1, "since": int(cursor.since.timestamp() * 1000), "place": cursor.place}
    return json.dumps({**value, "seen": dict(sorted(cursor.seen.items()))}, separators=(",", ":"))


def load(text: str) -> Cursor:
    """The cursor in a text of `dump`.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("v") != 1:
        raise ValueError("not a cursor of the Okta System Log")
    return Cursor(datetime.fromtimestamp(value["since"] / 1000, UTC), value["place"], value["seen"])
