"""What AI can reach: data class by access, with how many apps and people stand behind each."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, get_args

from lantern.domain.exports.census import NOT_TOLD, Census
from lantern.domain.exports.judge import JudgedApp, Knowledge, classify
from lantern.domain.exports.rows import Permission
from lantern.domain.scopes import Access, DataClass, ScopeClass, Severity, severity_rank

ACCESSES: Final[tuple[Access, ...]] = get_args(Access)
DATA_CLASSES: Final[tuple[DataClass, ...]] = get_args(DataClass)


@dataclass(frozen=True, slots=True)
class ReachCell:
    """One kind of data and one kind of access.

    `people` counts those whose data it is; `whole_organisation` says that an app reaches everybody's.
    """

    data_class: DataClass
    access: Access
    severity: Severity
    apps: int
    people: int
    whole_organisation: bool
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownScope:
    """A permission that neither table nor grammar knows; it is taken as risky until somebody looked."""

    provider: str
    scope: str
    assumed: Severity
    apps: int
    people: int
    examples: tuple[str, ...]


_Place = tuple[DataClass, Access]


@dataclass(slots=True)
class _Cell:
    severity: Severity = "none"
    apps: set[int] = field(default_factory=set)
    people: bytearray = field(default_factory=bytearray)
    everybody: bool = False

    def see(self, app: int, severity: Severity) -> None:
        self.severity = max(self.severity, severity, key=severity_rank)
        self.apps.add(app)

    def see_person(self, number: int) -> None:
        at = number >> 3
        if at >= len(self.people):
            self.people.extend(bytes(at + 1 - len(self.people)))
        self.people[at] |= 1 << (number & 7)


def reach_of(census: Census, judged: dict[int, JudgedApp], knowledge: Knowledge) -> tuple[ReachCell, ...]:
    """What AI reaches, worst first. `judged` maps places in the census to judged apps."""
    ai = {number: app for number, app in judged.items() if app.is_ai}
    cells: defaultdict[_Place, _Cell] = defaultdict(_Cell)
    places = _Places(census, knowledge)
    for held in census.grants():
        app = ai.get(held.app)
        if app is None or held.permissions == NOT_TOLD:
            continue
        everybody = census.people[held.person].kind == "organisation"
        for place, severity in places.of(app.app.provider, held.permissions):
            cell = cells[place]
            cell.see(held.app, severity)
            if everybody:
                cell.everybody = True
            else:
                cell.see_person(held.person)
    for number, app in ai.items():
        for one in (app.classes or ()) if app.app.declared else ():
            if declared := _place(one):
                cells[declared].see(number, one.severity)
    return tuple(sorted((_cell(place, cell, ai) for place, cell in cells.items()), key=_worst_first))


class _Places:
    """Where in the matrix a set of permissions lies, worked out once a set."""

    def __init__(self, census: Census, knowledge: Knowledge) -> None:
        self._sets = census.sets
        self._knowledge = knowledge
        self._memo: dict[tuple[str, Permission], ScopeClass] = {}
        self._known: dict[tuple[str, int], tuple[tuple[_Place, Severity], ...]] = {}

    def of(self, provider: str, number: int) -> tuple[tuple[_Place, Severity], ...]:
        key = (provider, number)
        if key not in self._known:
            classes = (classify(provider, one, self._knowledge, self._memo) for one in self._sets[number])
            self._known[key] = tuple((place, one.severity) for one in classes if (place := _place(one)))
        return self._known[key]


def _place(one: ScopeClass) -> _Place | None:
    return (one.data_class, one.access) if one.known and one.data_class and one.access else None


def _cell(place: _Place, cell: _Cell, ai: dict[int, JudgedApp]) -> ReachCell:
    apps = sorted((ai[number] for number in cell.apps), key=lambda one: (-one.risk.score, one.id))
    return ReachCell(
        place[0],
        place[1],
        cell.severity,
        len(apps),
        int.from_bytes(cell.people, "little").bit_count(),
        cell.everybody,
        tuple(one.app.name for one in apps[:3]),
    )


def _worst_first(cell: ReachCell) -> tuple[int, int, int, int]:
    return (
        -severity_rank(cell.severity),
        -cell.people,
        DATA_CLASSES.index(cell.data_class),
        ACCESSES.index(cell.access),
    )


def unknown_scopes(judged: list[JudgedApp]) -> tuple[UnknownScope, ...]:
    """Every permission nobody classed, those of most people first."""
    found: dict[tuple[str, str], list[JudgedApp]] = {}
    assumed: dict[tuple[str, str], Severity] = {}
    for app in judged:
        for one in app.classes or ():
            if not one.known:
                key = (one.provider, one.scope)
                found.setdefault(key, []).append(app)
                assumed[key] = max(assumed.get(key, "none"), one.severity, key=severity_rank)
    rows = [
        UnknownScope(
            provider, scope, assumed[provider, scope], len({one.id for one in apps}),
            sum(one.holders.people for one in {one.id: one for one in apps}.values()),
            tuple(dict.fromkeys(one.app.name for one in apps))[:3],
        )
        for (provider, scope), apps in found.items()
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda one: (-one.people, -one.apps, one.provider, one.scope)))
