"""Seen use of apps: who used what how often, and over which window that is known."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Literal

from lantern.domain import ids

_DAYS = 1 << 24

PlaceKind = Literal["network", "country"]
KEPT: Final[Mapping[PlaceKind, int]] = {"network": 8, "country": 16}
"""So many places of a kind are kept of one app, those seen first. An app that has them all is used from
anywhere, and a further place says nothing."""


@dataclass(frozen=True, slots=True)
class UseRow:
    """Use of one app by one principal over some time: number of events and the latest day (UTC)."""

    principal_id: str
    app_id: str
    events: int
    last_day: date


@dataclass(frozen=True, slots=True)
class WeekUse:
    """Use of one app by one principal in one ISO week."""

    events: int
    last_day: date


@dataclass(frozen=True, slots=True)
class AppUse:
    """Use of one app by everybody: events by ISO week, and the provider's APIs that it called.

    `first` is the ISO week in which the first call of an API was seen; of an API that is not named it is not
    known. `sent` and `received` are bytes by ISO week, where something is known of them: a week that is not
    there is one of which nobody counted them. `networks` and `countries` are where it was used from, each
    with the ISO week in which that was first seen, at most `KEPT`.
    """

    weeks: Mapping[str, int] = field(default_factory=dict)
    apis: tuple[str, ...] = ()
    first: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UseWindow:
    """The window in which every event has been read: no event inside it means no use, not unknown."""

    complete_from: datetime
    complete_until: datetime

    def widened(self, complete_from: datetime, complete_until: datetime) -> "UseWindow | None":
        """This window joined with another that touches it; None where there is a hole between them."""
        if complete_from > self.complete_until or complete_until < self.complete_from:
            return None
        return UseWindow(min(self.complete_from, complete_from), max(self.complete_until, complete_until))


class Places:
    """Where apps are used from: of each the first day, and no more places than are kept (`KEPT`).

    Which ones are left out of too many is left to chance: having too many is what is told of them.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, PlaceKind], dict[str, date]] = {}

    def add(self, app: str, kind: PlaceKind, name: str, day: date) -> None:
        """An app was used from there on that day."""
        known = self._first.setdefault((app, kind), {})
        if name in known:
            known[name] = min(known[name], day)
        elif len(known) < KEPT[kind]:
            known[name] = day

    def all(self) -> Iterator[tuple[str, PlaceKind, str, date]]:
        """Every app, kind and name, with the first day."""
        for (app, kind), days in self._first.items():
            for name, day in days.items():
                yield app, kind, name, day

    def weeks(self, app: str, kind: PlaceKind) -> dict[str, str]:
        """Name → first ISO week of one app's places."""
        return {name: iso_week(day) for name, day in self._first.get((app, kind), {}).items()}


def first_places(old: Mapping[str, str], new: Mapping[str, str], kind: PlaceKind) -> dict[str, str]:
    """Places with their first weeks from two times together; of too many those seen first."""
    both = {name: min(old.get(name, week), week) for name, week in new.items()}
    ordered = sorted({**old, **both}.items(), key=lambda item: (item[1], item[0]))
    return dict(ordered[: KEPT[kind]])


class UseTally:
    """Use added up by principal, app and ISO week; compact, since a busy day has half a million pairs."""

    def __init__(self) -> None:
        self._weeks: dict[str, dict[tuple[str, int], int]] = defaultdict(dict)

    def add(self, principal_id: str, app_id: str, events: int, day: date) -> None:
        """Count `events` of which the latest was on `day`."""
        apps, ordinal = self._weeks[principal_id], day.toordinal()
        cell = (app_id, (ordinal - 1) // 7)  # day 1 of the proleptic calendar is a Monday, as ISO weeks begin
        counted, last = divmod(apps.get(cell, 0), _DAYS)
        apps[cell] = (counted + events) * _DAYS + max(last, ordinal)

    def by_shard(self, shards: int) -> Iterator[list[UseRow]]:
        """The rows of each shard that has any; a principal and app have a row for each week."""
        members: dict[int, list[str]] = defaultdict(list)
        for principal in self._weeks:
            members[ids.shard_of(principal, shards)].append(principal)
        for shard in sorted(members):
            yield [
                UseRow(principal, app, cell // _DAYS, date.fromordinal(cell % _DAYS))
                for principal in members[shard]
                for (app, _), cell in self._weeks[principal].items()
            ]

    def by_app(self) -> dict[str, dict[str, int]]:
        """App id → ISO week → events of everybody."""
        totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        names: dict[int, str] = {}
        for apps in self._weeks.values():
            for (app, week), cell in apps.items():
                name = names.setdefault(week, iso_week(date.fromordinal(week * 7 + 1)))
                totals[app][name] += cell // _DAYS
        return {app: dict(weeks) for app, weeks in totals.items()}


def whole_weeks(since: datetime, until: datetime, most: int) -> list[str]:
    """The last ISO weeks that lie whole within a window, oldest first, at most `most`."""
    monday = until.date() - timedelta(days=until.date().weekday() + 7)
    first = since.date() + timedelta(days=since.time() > since.time().min)
    found: list[str] = []
    while monday >= first and len(found) < most:
        found.append(iso_week(monday))
        monday -= timedelta(days=7)
    return found[::-1]


def iso_week(day: date) -> str:
    """The ISO week of a day, e.g. `2026-W01`; weeks sort as text."""
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def idle_days(last: date | None, window: UseWindow | None, now: datetime) -> int | None:
    """For how many whole days at least an app has not been used; None where that is not known.

    Args:
        last: last day of seen use, None where none was seen.
        window: what has been read without a hole.
        now: the current time, UTC.
    """
    if last is not None:
        return max((now.date() - last).days, 0)
    if window is None:
        return None
    return max((now - window.complete_from).days, 0)
