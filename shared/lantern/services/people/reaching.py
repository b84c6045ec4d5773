"""How people are reached: by which way, and messages to them as writes of a transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Principal
from lantern.domain.messages import Address, Delivery, Message, delivery
from lantern.domain.rules.titles import clean
from lantern.domain.work import Work
from lantern.services import queries_people
from lantern.store.documents import Put
from lantern.store.tenant import TenantStore

DELIVERIES: Final = "people"
"""The list that deliveries to employees are in."""
NAME: Final = 80
SOMEBODY: Final = "Somebody"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to somebody, and another one for when it does not work."""

    address: Address
    instead: Address | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A message to somebody as writes of a transaction: its delivery, and the work that sends it."""

    delivery: Delivery
    put: Put
    work: Work


def way_to(store: TenantStore, person_id: str) -> Way | None:
    """How somebody is reached: in Slack where that is connected, else by mail; None where neither is known.

    Only accounts of people who still work here count.
    """
    usable = living(store, person_id)
    if not usable:
        return None
    connections = {one.id: one for one in store.connections.list()}
    email = next((one.email for one in usable if one.email), None)
    mail = Address("email", email) if email else None
    for principal in usable:
        at = connections.get(principal.connection_id)
        if at is not None and at.provider == "slack" and at.status == "active" and at.kind == "consent":
            return Way(Address("slack", principal.native_id, at.id), mail)
    return Way(mail) if mail else None


def address_of(store: TenantStore, person_id: str) -> Address | None:
    """The address that a message to somebody goes to first."""
    way = way_to(store, person_id)
    return way.address if way else None


def living(store: TenantStore, person_id: str) -> tuple[Principal, ...]:
    """The accounts of somebody who still works here, those that are believed most first; else none."""
    try:
        accounts = queries_people.accounts(store, person_id)
    except NotFoundError:
        return ()
    return tuple(
        one.principal for one in accounts if one.principal.kind == "user" and not one.principal.departed
    )


def called(accounts: Iterable[Principal]) -> str:
    """What somebody is called to colleagues: the name, else the address; names are one clean line."""
    known = tuple(accounts)
    names = [clean(one.name, NAME) for one in known if one.name]
    return next((one for one in names if one), None) or next(
        (clean(one.email, NAME) for one in known if one.email), SOMEBODY
    )


def name_of(store: TenantStore, person_id: str) -> str:
    """What somebody is called, a leaver too."""
    try:
        return called(one.principal for one in queries_people.accounts(store, person_id))
    except NotFoundError:
        return SOMEBODY


def tell(
    store: TenantStore, way: Way, message: Message, now: datetime, subject_id: str, number: int = 0
) -> Told:
    """A message to an employee, to be written with what caused it."""
    made = delivery(
        way.address,
        message,
        now,
        target_id=DELIVERIES,
        subject_id=subject_id,
        number=number,
        instead=way.instead,
    )
    body = {"target_id": made.target_id, "delivery_id": made.id}
    work = Work(store.tenant_id, "outreach.deliver", body=body, cause=subject_id)
    return Told(made, store.deliveries.op(made), work)
