"""Where following changes stands: a small JSON text that survives crashes and upgrades."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

OVERLAP: Final = timedelta(hours=1)
"""Events arrive late: so much is read again each time."""
LONGEST: Final = timedelta(days=7)
"""What is older is left to the nightly read."""
SEEN_LIMIT: Final = 1000
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Standing of the audit log and of the list of deliveries.

    Everything before `settled` is done for good; what lies after is read again, and `seen` keeps the keys of
    hints already given there (key → epoch seconds). `page` continues a reading begun at `began`. `delivered`:
    missed deliveries up to then were found.
    """

    settled: datetime
    delivered: datetime
    seen: Mapping[str, int] = field(default_factory=dict)
    page: str | None = None
    began: datetime | None = None


def start(now: datetime) -> Cursor:
    """The cursor of a feed that was never read."""
    return Cursor(settled=now - OVERLAP, delivered=now - OVERLAP)


def remember(cursor: Cursor, keys: Iterable[tuple[str, datetime]]) -> Cursor:
    """The cursor with these keys added, the oldest forgotten beyond the limit."""
    seen = {**cursor.seen, **{digest(key): int(at.timestamp()) for key, at in keys}}
    if len(seen) > SEEN_LIMIT:
        seen = dict(sorted(seen.items(), key=lambda item: item[1])[-SEEN_LIMIT:])
    return replace(cursor, seen=seen)


def settle(cursor: Cursor, until: datetime) -> Cursor:
    """The cursor after the log was read to its end, which was `until`."""
    settled = max(cursor.settled, until - OVERLAP)
    floor = int(min(settled, cursor.delivered - OVERLAP).timestamp())
    seen = {key: at for key, at in cursor.seen.items() if at >= floor}
    return replace(cursor, settled=settled, seen=seen, page=None, began=None)


def digest(key: str) -> str:
    """A short stand-in for an event key; 64 bits are plenty among a thousand."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def dump(cursor: Cursor) -> str:
    """The cursor as text."""
    value = {
        "v": _VERSION,
        "settled": _ms(cursor.settled),
        "delivered": _ms(cursor.delivered),
        "seen": dict(sorted(cursor.seen.items())),
        "page": cursor.page,
        "began": _ms(cursor.began) if cursor.began else None,
    }
    return json.dumps(value, separators=(",", ":"))


def load(text: str) -> Cursor:
    """The cursor in a text of `dump`.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("v") != _VERSION:
        raise ValueError("not a cursor of GitHub's feeds")
    began = value["began"]
    return Cursor(
        settled=_at(value["settled"]),
        delivered=_at(value["delivered"]),
        seen=value["seen"],
        page=value["page"],
        began=None if began is None else _at(began),
    )


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
