"""What the holders of an app add up to, at one connection or over several."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from lantern.domain.inventory import Bundle, Grant
from lantern.domain.use import UseWindow

STALE_DAYS: Final = 90


@dataclass(slots=True)
class AppTally:
    """Counts over the holders of one app. `stale` and `admins` are None where they cannot be told."""

    holders: int = 0
    admins: int | None = 0
    departed: int = 0
    stale: int | None = 0
    scope_sets: set[str] = field(default_factory=set)
    last_used: date | None = None

    def count(self, bundle: Bundle, grant: Grant, last: date | None, idle_days: int | None) -> None:
        """Add one holder's grant."""
        principal = bundle.principal
        self.holders += 1
        self.scope_sets.add(grant.scope_set)
        self.departed += principal.departed
        if principal.admin is None or self.admins is None:
            self.admins = None
        else:
            self.admins += principal.admin
        if idle_days is None or self.stale is None:
            self.stale = None
        else:
            self.stale += idle_days >= STALE_DAYS
        if last and (self.last_used is None or last > self.last_used):
            self.last_used = last


@dataclass(frozen=True, slots=True)
class StoredTally:
    """A tally as kept beside the app's risk, per connection, so that one connection can be counted alone."""

    holders: int
    admins: int | None
    departed: int
    stale: int | None
    scope_sets: tuple[str, ...]
    last_used: date | None = None


def stored(tally: AppTally) -> StoredTally:
    """The tally in the form that is kept."""
    return StoredTally(
        tally.holders,
        tally.admins,
        tally.departed,
        tally.stale,
        tuple(sorted(tally.scope_sets)),
        tally.last_used,
    )


def total(tallies: Iterable[StoredTally]) -> StoredTally:
    """All connections together; a count that one connection cannot tell is not known."""
    parts = list(tallies)
    days = [t.last_used for t in parts if t.last_used]
    return StoredTally(
        holders=sum(t.holders for t in parts),
        admins=_sum(t.admins for t in parts),
        departed=sum(t.departed for t in parts),
        stale=_sum(t.stale for t in parts),
        scope_sets=tuple(sorted({s for t in parts for s in t.scope_sets})),
        last_used=max(days, default=None),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if any(v is None for v in found) else sum(v for v in found if v is not None)


@dataclass(frozen=True, slots=True)
class UseView:
    """Seen use of a connection: last day per principal and app, and the window that was read whole."""

    last: Mapping[str, Mapping[str, date]]
    window: UseWindow | None
