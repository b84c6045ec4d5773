"""Whom people report to, as their directories say: the manager's account, joined to a person.

What a directory did not say is unknown, and so is a manager whose account is not known here: nobody is made
anybody's manager by a guess. A manager who left is named as such, so that whoever asks can turn to others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lantern.domain import ids
from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Principal
from lantern.domain.people import TRUST, normal
from lantern.domain.tenancy import Connection
from lantern.services import queries_people
from lantern.store.tenant import TenantStore

ManagerState = Literal["known", "none", "left", "unknown"]


@dataclass(frozen=True, slots=True)
class Manager:
    """`known` and `left` name a person; `none`: the directory names nobody; `unknown`: it cannot be said."""

    state: ManagerState
    person_id: str | None = None

    @property
    def works_here(self) -> str | None:
        """The manager who can be asked."""
        return self.person_id if self.state == "known" else None


UNKNOWN: Final = Manager("unknown")
NONE: Final = Manager("none")


@dataclass(frozen=True, slots=True)
class _Said:
    """What one account's directory says: the connection, and whom it names."""

    connection: Connection
    named: str


def _said(accounts: Iterable[Principal], connections: Mapping[str, Connection]) -> list[_Said]:
    """What directories say, those first that are believed first; of people's own accounts only."""
    found = [
        _Said(at, one.manager)
        for one in accounts
        if one.manager is not None
        and one.kind == "user"
        and (at := connections.get(one.connection_id)) is not None
        and at.provider in TRUST
        and at.kind == "consent"
    ]
    # One that names somebody says more than one that names nobody.
    return sorted(found, key=lambda one: (not one.named, TRUST.index(one.connection.provider)))


def manager_of(store: TenantStore, person_id: str) -> Manager:
    """Whom a person reports to. Seven small requests at most.

    Raises:
        NotFoundError: nobody has this id.
    """
    accounts = [one.principal for one in queries_people.accounts(store, person_id)]
    return manager_among(store, person_id, accounts, {one.id: one for one in store.connections.list()})


def manager_among(
    store: TenantStore,
    person_id: str,
    accounts: Iterable[Principal],
    connections: Mapping[str, Connection],
) -> Manager:
    """As `manager_of`, of somebody whose accounts were read already. Four small requests at most."""
    told = _said(accounts, connections)
    if not told:
        return UNKNOWN
    for one in told:
        if not one.named:
            return NONE
        found = _one(store, one)
        if found is not None and found != person_id:
            return Manager("left" if _left(store, found) else "known", found)
    return UNKNOWN


def _one(store: TenantStore, said: _Said) -> str | None:
    """The person whom a directory names; None where no account here is it."""
    address = normal(said.named)
    if address is not None:
        bearer = store.people.bearers([address]).get(address)
        return bearer.person_id if bearer else None
    at = said.connection
    bundle = store.bundles.get(at.id, ids.principal_id(at.provider, at.organisation_id, said.named))
    return bundle.principal.person_id if bundle else None


def _left(store: TenantStore, person_id: str) -> bool:
    record, _ = store.people.record(person_id)
    if record is not None:
        return record.departed
    try:
        return all(one.principal.departed for one in queries_people.accounts(store, person_id))
    except NotFoundError:
        return True


class Managers:
    """Everybody's manager, for whoever asks about many: one pass over the accounts of the directories."""

    def __init__(self, store: TenantStore) -> None:
        self._connections = {one.id: one for one in store.connections.list()}
        self._accounts: dict[str, list[Principal]] = {}
        self._persons: dict[str, str] = {}
        self._addresses: dict[str, set[str]] = {}
        self._left: dict[str, bool] = {}
        for at in self._connections.values():
            if at.provider in TRUST and at.kind == "consent":
                for one in store.bundles.packed(at.id).accounts():
                    self._take(one)
        self._left |= {name: one.departed for name, one in store.people.all_records().items()}

    def _take(self, one: Principal) -> None:
        self._persons[one.id] = one.person_id
        self._left[one.person_id] = self._left.get(one.person_id, True) and one.departed
        if one.kind != "user":
            return
        if one.manager is not None:
            self._accounts.setdefault(one.person_id, []).append(one)
        for address in filter(None, map(normal, (one.email, *one.aliases))):
            self._addresses.setdefault(address, set()).add(one.person_id)

    def of(self, person_id: str) -> Manager:
        """Whom a person reports to; a person of whom no directory says anything reports to nobody known."""
        told = _said(self._accounts.get(person_id, ()), self._connections)
        for one in told:
            if not one.named:
                return NONE
            found = self._named(one)
            if found is not None and found != person_id:
                return Manager("left" if self._left.get(found, True) else "known", found)
        return UNKNOWN

    def _named(self, said: _Said) -> str | None:
        address = normal(said.named)
        if address is not None:
            bearers = self._addresses.get(address, set())
            living = {one for one in bearers if not self._left.get(one, True)} or bearers
            return next(iter(living)) if len(living) == 1 else None
        at = said.connection
        return self._persons.get(ids.principal_id(at.provider, at.organisation_id, said.named))
