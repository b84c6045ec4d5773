"""A log of the web, folded: who went to which product on which day, how often, and how much went out and in.

Of everything else only how much there was is kept: which other sites people visit is nobody's business here.
A cell is three integers, so that memory follows the number of people, products and days, not that of lines.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Final, NamedTuple

from lantern.domain.exports.rows import AccountRow, GrantRow, Permission, Row, VisitRow
from lantern.domain.scopes import VISIT
from lantern.domain.visit_targets import PROVIDER, Resolve, Target

MAX_CANDIDATES: Final = 500
"""Different domains that are kept as candidates; what comes after them is only counted."""
SHOWN_CANDIDATES: Final = 100
_MAX_PEOPLE: Final = 1_000
"""People told apart at a candidate; more of them are this many at least."""
UNNAMED: Final = "users-the-log-does-not-name"
"""Stands for everybody a log names by nothing but an address of a machine."""
_PERMISSIONS: Final = frozenset({Permission(VISIT)})
_DAY_BITS: Final = 20
_TARGET_BITS: Final = 24
_DAY: Final = (1 << _DAY_BITS) - 1
_TARGET: Final = (1 << _TARGET_BITS) - 1


@dataclass(slots=True)
class VisitCounts:
    """What became of the lines of a log; each is counted once, but `unnamed` counts lines of `kept` again.

    `kept` led to a product that is AI or has AI inside; `candidate` to what looks like AI and is in no
    catalog;     `ordinary` to other products of the catalog; `shared` to content delivery and hosts that
    strangers share;     `address` to IP addresses; `elsewhere` to everything else; `blocked` was refused by
    the gateway.
    """

    kept: int = 0
    candidate: int = 0
    ordinary: int = 0
    shared: int = 0
    address: int = 0
    elsewhere: int = 0
    blocked: int = 0
    unnamed: int = 0

    def plus(self, other: "VisitCounts") -> "VisitCounts":
        """Both together."""
        return VisitCounts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A domain in no catalog that looks like AI; `people` is at least so many."""

    domain: str
    confidence: float
    reasons: tuple[str, ...]
    events: int
    people: int
    bytes_out: int = 0
    bytes_in: int = 0


class Visit(NamedTuple):
    """One cell: an account (`UNNAMED` for nobody known), a target's key, a day, and what adds up to it."""

    account: str
    target: str
    day: date
    events: int
    bytes_out: int
    bytes_in: int


@dataclass(frozen=True, slots=True)
class Going:
    """What was seen going to one product: by how many people, how often, how many bytes as far as told."""

    name: str
    people: int
    events: int
    bytes_out: int
    bytes_in: int


@dataclass(slots=True)
class _Seen:
    target: Target
    events: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    people: set[int] = field(default_factory=set)


class Visits:
    """Takes the lines of a log in any order.

    Args:
        resolve: where a host leads.
        today: the day it is read on; a line from later than tomorrow is not believed.
    """

    def __init__(self, resolve: Resolve, today: date) -> None:
        self.counts = VisitCounts()
        self.first: date | None = None
        self.last: date | None = None
        self.sized = False
        """Whether any line told how much went out."""
        self._resolve = resolve
        self._latest = today + timedelta(days=1)
        self._candidates: dict[str, _Seen] = {}
        self._people: dict[str, int] = {}
        self._targets: dict[str, int] = {}
        self._target_list: list[Target] = []
        self._cell_of: dict[int, int] = {}
        self._events, self._out, self._in = array("q"), array("q"), array("q")

    def add(self, row: VisitRow) -> str | None:
        """Take one line; returns why it cannot be believed, None where it was counted."""
        if row.day > self._latest:
            return f"the day {row.day} has not come yet"
        if self.first is None or row.day < self.first:
            self.first = row.day
        if self.last is None or row.day > self.last:
            self.last = row.day
        counts = self.counts
        if row.blocked:
            counts.blocked += 1
            return None
        target = self._resolve(row.host)
        if target.kind == "product":
            counts.kept += 1
            counts.unnamed += row.user is None
            self._count(row, target)
        elif target.kind == "candidate":
            self._note(row, target)
        else:
            setattr(counts, target.kind, getattr(counts, target.kind) + 1)
        return None

    def _count(self, row: VisitRow, target: Target) -> None:
        person = self._person(row.user)
        number = self._targets.get(target.key)
        if number is None:
            number = self._targets[target.key] = len(self._target_list)
            self._target_list.append(target)
        key = (person << _TARGET_BITS | number) << _DAY_BITS | row.day.toordinal()
        cell = self._cell_of.get(key)
        if cell is None:
            cell = self._cell_of[key] = len(self._events)
            self._events.append(0)
            self._out.append(0)
            self._in.append(0)
        self.sized = self.sized or row.bytes_out is not None
        self._events[cell] += 1
        self._out[cell] += row.bytes_out or 0
        self._in[cell] += row.bytes_in or 0

    def _note(self, row: VisitRow, target: Target) -> None:
        seen = self._candidates.get(target.key)
        if seen is None:
            if len(self._candidates) >= MAX_CANDIDATES:
                self.counts.elsewhere += 1
                return
            seen = self._candidates[target.key] = _Seen(target)
        self.counts.candidate += 1
        seen.events += 1
        seen.bytes_out += row.bytes_out or 0
        seen.bytes_in += row.bytes_in or 0
        if row.user is not None and len(seen.people) < _MAX_PEOPLE:
            seen.people.add(self._person(row.user))

    def _person(self, user: str | None) -> int:
        name = (user or UNNAMED).casefold()
        return self._people.setdefault(name, len(self._people))

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self._events)

    def visits(self) -> Iterator[Visit]:
        """Every cell once."""
        names = list(self._people)
        for key, cell in self._cell_of.items():
            pair = key >> _DAY_BITS
            yield Visit(
                names[pair >> _TARGET_BITS],
                self._target_list[pair & _TARGET].key,
                date.fromordinal(key & _DAY),
                self._events[cell],
                self._out[cell],
                self._in[cell],
            )

    def rows(self) -> Iterator[Row]:
        """What the cells say as rows of an export: who was seen at which product, last on which day."""
        names = list(self._people)
        if self.counts.unnamed:
            yield AccountRow(PROVIDER, UNNAMED, name="Users the log does not name", kind="shared")
        last: dict[int, int] = {}
        for key in self._cell_of:
            pair, day = key >> _DAY_BITS, key & _DAY
            last[pair] = max(last.get(pair, 0), day)
        for pair, day in last.items():
            target = self._target_list[pair & _TARGET]
            yield GrantRow(
                provider=PROVIDER,
                account=names[pair >> _TARGET_BITS],
                app=target.key,
                permissions=_PERMISSIONS,
                client_id=target.key,
                app_name=target.name,
                domains=target.domains,
                kind="web",
                last_used=date.fromordinal(day),
            )

    def going(self) -> tuple[Going, ...]:
        """What was seen going to each product, where most went out first."""
        people: dict[int, set[int]] = defaultdict(set)
        sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for key, cell in self._cell_of.items():
            pair = key >> _DAY_BITS
            people[pair & _TARGET].add(pair >> _TARGET_BITS)
            total = sums[pair & _TARGET]
            for place, column in enumerate((self._events, self._out, self._in)):
                total[place] += column[cell]
        found = (
            Going(self._target_list[number].name, len(people[number]), *total)
            for number, total in sums.items()
        )
        return tuple(sorted(found, key=lambda one: (-one.bytes_out, -one.events, one.name)))

    def candidates(self) -> tuple[Candidate, ...]:
        """Domains in no catalog that look like AI, the most visited first."""
        found = (
            Candidate(
                key, seen.target.confidence, seen.target.reasons, seen.events, len(seen.people),
                seen.bytes_out, seen.bytes_in,
            )
            for key, seen in self._candidates.items()
        )  # fmt: skip
        return tuple(sorted(found, key=_most_visited))


def _most_visited(one: Candidate) -> tuple[int, int, str]:
    return -one.events, -one.people, one.domain


def joined(known: Iterable[Candidate], more: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Candidates of two parts of a log, the most visited of them; people of either part may be the same."""
    together = {one.domain: one for one in known}
    for one in more:
        old = together.get(one.domain)
        together[one.domain] = (
            one
            if old is None
            else replace(
                one,
                events=old.events + one.events,
                people=max(old.people, one.people),
                bytes_out=old.bytes_out + one.bytes_out,
                bytes_in=old.bytes_in + one.bytes_in,
            )
        )
    return tuple(sorted(together.values(), key=_most_visited)[:SHOWN_CANDIDATES])
