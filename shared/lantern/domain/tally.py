"""What the holders of an app add up to, at one connection or over several."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from lantern.domain.anomalies import Anomaly
from lantern.domain.granting import Way, way_of, widest
from lantern.domain.inventory import Bundle, Grant, PrincipalKind
from lantern.domain.use import UseWindow, iso_week

STALE_DAYS: Final = 90
GREW_DAYS: Final = 30
SHARED: Final[frozenset[PrincipalKind]] = frozenset({"service", "shared", "group"})
"""Kinds of accounts behind which there is no single person to ask."""
MAX_ACCOUNTS: Final = 20
"""Accounts whose use stands out, kept of one app and connection; all of them are counted."""
MAX_GROUPS: Final = 40
"""Kinds of grants kept of one app and connection; those of fewer holders are only counted."""

Group = tuple[str, str]
"""Grants that are alike: scope set and `flags`."""
_Facts = tuple[str, bool | None, bool | None, bool | None, bool | None, bool]


def flags(*facts: bool | None) -> str:
    """Whether the holder is an administrator, has left, is idle, has a personal account; whether it grew.

    One character each: `1`, `0`, or `?` where it is not known.
    """
    return "".join("?" if fact is None else "1" if fact else "0" for fact in facts)


def unflagged(text: str) -> tuple[bool | None, ...]:
    """The facts that `flags` wrote, in its order."""
    return tuple({"1": True, "0": False}.get(character) for character in text)


@dataclass(slots=True)
class AppTally:
    """Counts over the holders of one app. `stale`, `admins`, `personal` are None where they cannot be told.

    `groups` counts grants that are alike; `untouched` are kinds of data whose API the app never called;
    `weeks` are events in the last whole weeks, oldest first. Both are None where not known. `departed` counts
    holders who left by whichever account; `shared` those that are no single person's. `given` counts grants
    by the ISO week in which they were given, as far as that is known. `anomalies` stand out in the use of
    all, `accounts` in that of single accounts; the latter are None where they were not looked at now. `sent`
    and `received` are bytes that were seen going to the app and coming from it; None where nobody counts
    them. `wide` are the scope sets that are held for everyone or by the app itself, each in its widest way.
    """

    holders: int = 0
    admins: int | None = 0
    departed: int = 0
    stale: int | None = 0
    scope_sets: set[str] = field(default_factory=set)
    last_used: date | None = None
    personal: int | None = 0
    groups: Counter[_Facts] = field(default_factory=Counter)
    untouched: frozenset[str] | None = None
    weeks: tuple[int, ...] | None = None
    shared: int = 0
    given: Counter[str] = field(default_factory=Counter)
    anomalies: tuple[Anomaly, ...] = ()
    accounts: tuple[Anomaly, ...] | None = None
    sent: int | None = None
    received: int | None = None
    wide: dict[str, Way] = field(default_factory=dict)

    def count(
        self,
        bundle: Bundle,
        grant: Grant,
        last: date | None,
        idle_days: int | None,
        *,
        personal: bool | None = None,
        today: date | None = None,
        departed: bool | None = None,
    ) -> None:
        """Add one holder's grant.

        Args:
            bundle: the holder.
            grant: what it holds.
            last: last day of seen use.
            idle_days: days without use, None where not known.
            personal: whether the account is known not to be the organisation's own.
            today: for telling whether the grant grew lately.
            departed: whether the person behind it left; None where the account alone says.
        """
        principal = bundle.principal
        gone = principal.departed or bool(departed)
        if grant.granted_on:
            self.given[iso_week(grant.granted_on)] += 1
        stale = None if idle_days is None else idle_days >= STALE_DAYS
        grew = bool(grant.expanded_on and today and (today - grant.expanded_on).days <= GREW_DAYS)
        self.groups[grant.scope_set, principal.admin, gone, stale, personal, grew] += 1
        self.holders += 1
        self.scope_sets.add(grant.scope_set)
        way = way_of(principal.kind, grant.source)
        if way != "person":
            self.wide[grant.scope_set] = widest((way, self.wide.get(grant.scope_set, way)))
        self.departed += gone
        self.shared += principal.kind in SHARED
        if principal.admin is None or self.admins is None:
            self.admins = None
        else:
            self.admins += principal.admin
        self.personal = None if personal is None or self.personal is None else self.personal + personal
        self.stale = None if stale is None or self.stale is None else self.stale + stale
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
    personal: int | None = None
    groups: tuple[tuple[str, str, int], ...] = ()
    untouched: tuple[str, ...] | None = None
    weeks: tuple[int, ...] | None = None
    shared: int = 0
    anomalies: tuple[Anomaly, ...] = ()
    accounts: tuple[Anomaly, ...] = ()
    odd_accounts: int = 0
    sent: int | None = None
    received: int | None = None
    wide: Mapping[str, Way] = field(default_factory=dict)


def stored(tally: AppTally, before: StoredTally | None = None) -> StoredTally:
    """The tally in the form that is kept.

    Args:
        tally: what was counted now.
        before: what is kept already; single accounts that were not looked at now stay as they are there.
    """
    if tally.accounts is not None:
        accounts, odd = tally.accounts[:MAX_ACCOUNTS], len(tally.accounts)
    else:
        accounts, odd = (before.accounts, before.odd_accounts) if before else ((), 0)
    return StoredTally(
        tally.holders,
        tally.admins,
        tally.departed,
        tally.stale,
        tuple(sorted(tally.scope_sets)),
        tally.last_used,
        tally.personal,
        _ordered({(key[0], flags(*key[1:])): count for key, count in tally.groups.items()})[:MAX_GROUPS],
        None if tally.untouched is None else tuple(sorted(tally.untouched)),
        tally.weeks,
        tally.shared,
        tally.anomalies,
        accounts,
        odd,
        tally.sent,
        tally.received,
        dict(sorted(tally.wide.items())),
    )


def _ordered(counts: Mapping[Group, int]) -> tuple[tuple[str, str, int], ...]:
    """Kinds of grants with how many there are, the most common first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple((*group, count) for group, count in ordered)


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
        personal=_sum(t.personal for t in parts),
        groups=_together(parts),
        untouched=_untouched([t.untouched for t in parts if t.holders]),
        weeks=_weeks([t.weeks for t in parts if t.holders]),
        shared=sum(t.shared for t in parts),
        anomalies=tuple(one for t in parts for one in t.anomalies),
        accounts=tuple(one for t in parts for one in t.accounts),
        odd_accounts=sum(t.odd_accounts for t in parts),
        sent=_known(t.sent for t in parts),
        received=_known(t.received for t in parts),
        wide=_widest(parts),
    )


def _widest(parts: Iterable[StoredTally]) -> dict[str, Way]:
    found: dict[str, Way] = {}
    for part in parts:
        for key, way in part.wide.items():
            found[key] = widest((way, found.get(key, way)))
    return found


def _known(values: Iterable[int | None]) -> int | None:
    """What is known, added up: bytes that were seen were seen, whatever nobody counted elsewhere."""
    found = [value for value in values if value is not None]
    return sum(found) if found else None


def _untouched(parts: Sequence[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """What was touched at no connection; unknown where it is at one."""
    known = [set(part) for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return tuple(sorted(set.intersection(*known)))


def _weeks(parts: Sequence[tuple[int, ...] | None]) -> tuple[int, ...] | None:
    """Events at all connections in the last weeks that are known at each of them."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    length = min(map(len, known))
    return tuple(sum(week) for week in zip(*(part[len(part) - length :] for part in known), strict=True))


def _together(parts: Iterable[StoredTally]) -> tuple[tuple[str, str, int], ...]:
    counts: Counter[Group] = Counter()
    for part in parts:
        for scope_set, told, count in part.groups:
            counts[scope_set, told] += count
    return _ordered(counts)


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if any(v is None for v in found) else sum(v for v in found if v is not None)


@dataclass(frozen=True, slots=True)
class UseView:
    """Seen use of a connection: last day per principal and app, and the window that was read whole."""

    last: Mapping[str, Mapping[str, date]]
    window: UseWindow | None
