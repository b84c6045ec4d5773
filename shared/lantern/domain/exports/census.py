"""Rows of one or many exports, joined: who there is, which apps, and who gave which app what.

Made for hundreds of thousands of rows: a grant is three small integers and two days, sets of permissions are
kept once. A person is one account by e-mail address across providers; where only an id is known, one account
of that provider.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from lantern.domain.apps import AppStatus
from lantern.domain.exports.rows import AccountRow, AppRow, GrantRow, Permission, Row
from lantern.domain.inventory import AppKind, PrincipalKind, PrincipalStatus, Provider

NOT_TOLD: Final = -1
"""Instead of a set of permissions: the export does not tell them."""
_EVERYONE: Final = "\0everyone"
_APP_BITS: Final = 32
_APP: Final = (1 << _APP_BITS) - 1
_MAX_DOMAINS: Final = 20


@dataclass(slots=True)
class Person:
    """An account. Facts are None while no export said them; `listed` is the provider whose list names it."""

    label: str
    kind: PrincipalKind = "user"
    status: PrincipalStatus | None = None
    admin: bool | None = None
    name: str | None = None
    listed: Provider | None = None

    @property
    def departed(self) -> bool | None:
        """Whether the account belongs to nobody who works here any more."""
        return None if self.status is None else self.status != "active"


@dataclass(slots=True)
class Software:
    """An app as the exports describe it. `described` is False where only grants name it."""

    provider: Provider
    key: str
    client_id: str
    name: str
    kind: AppKind = "oauth"
    publisher: str | None = None
    verified_publisher: bool | None = None
    domains: tuple[str, ...] = ()
    status: AppStatus | None = None
    declared: frozenset[Permission] | None = None
    platform: bool = False
    described: bool = False
    roles: dict[str, str] = field(default_factory=dict)


class Held(NamedTuple):
    """One grant: indexes of person, app and set of permissions (`NOT_TOLD`), and two days."""

    person: int
    app: int
    permissions: int
    granted_on: date | None
    last_used: date | None


class Census:
    """Takes rows in any order; after `close` it answers what they add up to."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.apps: list[Software] = []
        self.sets: list[frozenset[Permission]] = []
        self.rows = 0
        self._person_of: dict[tuple[str, str], int] = {}
        self._joined: dict[int, int] = {}
        self._app_of: dict[tuple[str, str], int] = {}
        self._merged: dict[int, int] = {}
        self._set_of: dict[frozenset[Permission], int] = {}
        self._grant_of: dict[int, int] = {}
        self._permissions = array("i")
        self._granted = array("i")
        self._used = array("i")

    def add(self, row: Row) -> None:
        """Take one row."""
        self.rows += 1
        if isinstance(row, GrantRow):
            self._add_grant(row)
        elif isinstance(row, AppRow):
            self._add_app(row)
        else:
            self._add_account(row)

    def close(self) -> None:
        """Join what later rows have shown to be one, and name permissions that were given by id."""
        if self._joined or self._merged:
            self._rebuild()
        self.sets = [self._named(one) for one in self.sets]

    def grants(self) -> Iterator[Held]:
        """Every grant once."""
        return (self._held(key, row) for key, row in self._grant_of.items())

    def grants_by_app(self) -> Iterator[Held]:
        """Every grant once, those of one app one after the other."""
        for key in sorted(self._grant_of, key=lambda key: key & _APP):
            yield self._held(key, self._grant_of[key])

    def _held(self, key: int, row: int) -> Held:
        return Held(
            key >> _APP_BITS,
            key & _APP,
            self._permissions[row],
            _day(self._granted[row]),
            _day(self._used[row]),
        )

    @property
    def grant_count(self) -> int:
        """How many grants there are."""
        return len(self._grant_of)

    def unnamed_roles(self) -> int:
        """How many permissions stayed ids, because the app that defines them is in no export."""
        return len({one for held in self.sets for one in held if one.role_of is not None})

    # --- people ------------------------------------------------------------------------------------

    def _add_account(self, row: AccountRow) -> None:
        person = self.people[self._person(row.provider, row.key, row.email)]
        person.kind = row.kind
        person.listed = row.provider
        person.status = row.status or person.status
        person.admin = person.admin if row.admin is None else row.admin
        person.name = row.name or person.name
        if row.email and "@" not in person.label:
            person.label = row.email

    def _person(self, provider: str, name: str, alias: str | None) -> int:
        found = self._person_of.get((_space(provider, name), name.casefold()))
        if found is None:
            found = self._new_person(provider, name)
        found = _root(self._joined, found)
        if alias:
            key = (_space(provider, alias), alias.casefold())
            other = self._person_of.setdefault(key, found)
            other = _root(self._joined, other)
            if other != found:
                found = self._join(found, other)
            elif "@" in alias and "@" not in self.people[found].label:
                self.people[found].label = alias
        return found

    def _new_person(self, provider: str, name: str) -> int:
        kind: PrincipalKind = "user"
        label = name
        if name == _EVERYONE:
            kind, label = "organisation", "the whole organisation"
        elif name.startswith("group:"):
            kind = "group"
        self.people.append(Person(label, kind))
        self._person_of[_space(provider, name), name.casefold()] = len(self.people) - 1
        return len(self.people) - 1

    def _join(self, one: int, other: int) -> int:
        """Two accounts turned out to be one; the earlier stays."""
        keep, gone = min(one, other), max(one, other)
        kept, lost = self.people[keep], self.people[gone]
        kept.status = kept.status or lost.status
        kept.admin = lost.admin if kept.admin is None else kept.admin
        kept.name = kept.name or lost.name
        kept.listed = kept.listed or lost.listed
        if "@" in lost.label and "@" not in kept.label:
            kept.label = lost.label
        self._joined[gone] = keep
        return keep

    # --- apps --------------------------------------------------------------------------------------

    def _add_app(self, row: AppRow) -> None:
        app = self.apps[self._app(row.provider, row.key, row.client_id, row.name)]
        app.described = True
        app.client_id = row.client_id or app.client_id
        app.name = row.name or app.name
        app.publisher = row.publisher or app.publisher
        app.domains = _with(app.domains, row.domains)
        app.kind = row.kind
        app.status = row.status or app.status
        app.platform = row.platform
        app.roles.update(row.roles)
        if row.verified_publisher is not None:
            app.verified_publisher = row.verified_publisher
        if row.declared is not None:
            app.declared = row.declared | (app.declared or frozenset())

    def _app(self, provider: Provider, key: str, client_id: str | None, name: str | None) -> int:
        found = self._app_of.get((provider, key.casefold()))
        if found is None:
            self.apps.append(Software(provider, key, client_id or key, name or client_id or key))
            found = self._app_of[provider, key.casefold()] = len(self.apps) - 1
        found = _root(self._merged, found)
        if client_id and client_id != key:
            other = self._app_of.setdefault((provider, client_id.casefold()), found)
            other = _root(self._merged, other)
            if other != found:
                found = self._merge(found, other)
        return found

    def _merge(self, one: int, other: int) -> int:
        """Two apps turned out to be one; the earlier stays."""
        keep, gone = min(one, other), max(one, other)
        kept, lost = self.apps[keep], self.apps[gone]
        if lost.described and not kept.described:
            self.apps[keep], self.apps[gone] = lost, kept
        self._merged[gone] = keep
        return keep

    # --- grants ------------------------------------------------------------------------------------

    def _add_grant(self, row: GrantRow) -> None:
        person = self._person(row.provider, row.account or _EVERYONE, row.account_alias)
        number = self._app(row.provider, row.app, row.client_id, row.app_name)
        app = self.apps[number]
        if not app.described:
            if row.app_name and app.name in (app.client_id, app.key):
                app.name = row.app_name
            app.publisher = app.publisher or row.publisher
            app.kind = row.kind
            if row.domains and row.domains != app.domains:
                app.domains = _with(app.domains, row.domains)
        granted = row.granted_on.toordinal() if row.granted_on else 0
        used = row.last_used.toordinal() if row.last_used else 0
        self._put(person << _APP_BITS | number, row.permissions, granted, used)

    def _put(self, key: int, held: frozenset[Permission] | None, granted: int, used: int) -> None:
        row = self._grant_of.get(key)
        if row is None:
            self._grant_of[key] = len(self._permissions)
            self._permissions.append(NOT_TOLD if held is None else self._set(held))
            self._granted.append(granted)
            self._used.append(used)
            return
        known = self._permissions[row]
        if held is not None:
            self._permissions[row] = self._set(held if known == NOT_TOLD else self.sets[known] | held)
        self._granted[row] = min(self._granted[row] or granted, granted or self._granted[row])
        self._used[row] = max(self._used[row], used)

    def _set(self, held: frozenset[Permission]) -> int:
        number = self._set_of.get(held)
        if number is None:
            self.sets.append(held)
            number = self._set_of[held] = len(self.sets) - 1
        return number

    # --- joining -----------------------------------------------------------------------------------

    def _rebuild(self) -> None:
        """Give grants of joined people and merged apps to the ones that stay, and drop the others."""
        people = _renumbered(len(self.people), self._joined)
        apps = _renumbered(len(self.apps), self._merged)
        self.people = [one for number, one in enumerate(self.people) if number not in self._joined]
        self.apps = [one for number, one in enumerate(self.apps) if number not in self._merged]
        old, columns = self._grant_of, (self._permissions, self._granted, self._used)
        self._grant_of = {}
        self._permissions, self._granted, self._used = array("i"), array("i"), array("i")
        for key, row in old.items():
            moved = people[key >> _APP_BITS] << _APP_BITS | apps[key & _APP]
            number, granted, used = (column[row] for column in columns)
            self._put(moved, None if number == NOT_TOLD else self.sets[number], granted, used)
        self._joined, self._merged = {}, {}
        self._app_of = {key: apps[number] for key, number in self._app_of.items()}
        self._person_of = {key: people[number] for key, number in self._person_of.items()}

    def _named(self, held: frozenset[Permission]) -> frozenset[Permission]:
        return frozenset(map(self._name, held)) if any(one.role_of for one in held) else held

    def _name(self, one: Permission) -> Permission:
        if one.role_of is None:
            return one
        defined_by = self._app_of.get(("entra", one.role_of.casefold()))
        name = self.apps[defined_by].roles.get(one.scope) if defined_by is not None else None
        return one if name is None else Permission(name, one.kind, one.tenant_wide)


def _space(provider: str, name: str) -> str:
    """An e-mail address is the same person everywhere, an id only at its provider."""
    return "" if "@" in name or name == _EVERYONE else provider


def _root(parents: dict[int, int], number: int) -> int:
    while number in parents:
        number = parents[number]
    return number


def _renumbered(count: int, parents: dict[int, int]) -> list[int]:
    """Old number → new number, after those with a parent are dropped."""
    kept = {number: new for new, number in enumerate(one for one in range(count) if one not in parents)}
    return [kept[_root(parents, number)] for number in range(count)]


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *more)))[:_MAX_DOMAINS]


def _day(ordinal: int) -> date | None:
    return date.fromordinal(ordinal) if ordinal else None
