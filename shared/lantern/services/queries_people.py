"""Read models of persons: the accounts and apps of one human being, over all connections."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.apps import AppSummary
from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Bundle, Grant
from lantern.domain.people import TRUST
from lantern.domain.tenancy import Connection
from lantern.store.people import PersonPart
from lantern.store.tenant import TenantStore

MAX_GRANTS: Final = 1_000
"""Grants of a person that are shown; how many an account has is always told."""


@dataclass(frozen=True, slots=True)
class Held:
    """A grant of one of a person's accounts, with the app's row where the app was judged."""

    bundle: Bundle
    grant: Grant
    row: AppSummary | None


@dataclass(frozen=True, slots=True)
class Person:
    """One human being: accounts in the order in which directories are believed, what they hold, and marks.

    `admin`: an administrator at any account; None where one of them may be.
    """

    id: str
    departed: bool
    admin: bool | None
    accounts: tuple[Bundle, ...]
    connections: Mapping[str, Connection]
    held: tuple[Held, ...]

    @property
    def email(self) -> str | None:
        """The address of the account that is believed most."""
        return next((one.principal.email for one in self.accounts if one.principal.email), None)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address of every account."""
        every = {a for one in self.accounts for a in (one.principal.email, *one.principal.aliases) if a}
        return tuple(sorted(every))


def person(store: TenantStore, person_id: str, now: datetime) -> Person:
    """One person, with the risks in effect at `now`. Two requests; three before people were ever joined.

    Raises:
        NotFoundError: nobody has this id.
    """
    around = store.joined.person(person_id)
    known = around.record.accounts if around.record else _alone(store, person_id, around.part)
    bundles, connections = _accounts(store, person_id, known)
    rows = {row.app_id: row.at(now) for row in around.rows}
    held = [Held(one, grant, rows.get(grant.app_id)) for one in bundles for grant in one.grants or ()]
    told = [one.principal.admin for one in bundles]
    alone = all(one.principal.departed for one in bundles)
    return Person(
        id=person_id,
        departed=around.record.departed if around.record else alone,
        admin=True if True in told else None if None in told else False,
        accounts=tuple(bundles),
        connections=connections,
        held=tuple(held[:MAX_GRANTS]),
    )


def accounts(store: TenantStore, person_id: str) -> tuple[Bundle, ...]:
    """The accounts of one person. Two requests; three before people were ever joined.

    Raises:
        NotFoundError: nobody has this id.
    """
    record, part = store.people.record(person_id)
    known = record.accounts if record else _alone(store, person_id, part)
    return tuple(_accounts(store, person_id, known)[0])


def _alone(store: TenantStore, person_id: str, part: PersonPart | None) -> Iterable[tuple[str, str]]:
    """Where the one account of a person without a record may be: the person's id is made of the account's."""
    connections = part.connections if part else [one.id for one in store.connections.list()]
    return [(cid, f"pri_{person_id.removeprefix('per_')}") for cid in connections]


def _accounts(
    store: TenantStore, person_id: str, known: Iterable[tuple[str, str]]
) -> tuple[Sequence[Bundle], Mapping[str, Connection]]:
    bundles, connections = store.joined.accounts(known)

    def place(bundle: Bundle) -> tuple[int, str, str]:
        at = connections.get(bundle.principal.connection_id)
        rank = TRUST.index(at.provider) if at and at.provider in TRUST else len(TRUST)
        return rank, bundle.principal.connection_id, bundle.principal.id

    # An account that turned out to be somebody else's since is theirs.
    found = sorted((one for one in bundles if one.principal.person_id == person_id), key=place)
    if not found:
        raise NotFoundError("person", person_id)
    return found, connections
