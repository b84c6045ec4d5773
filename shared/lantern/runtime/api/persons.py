"""Persons: the accounts, apps and roles of one human being over all connections."""

from datetime import date
from typing import Any

from pydantic import Field

from lantern.domain.apps import AppStatus, Verdict
from lantern.domain.inventory import Bundle, GrantSource, PrincipalKind, PrincipalStatus, Provider
from lantern.domain.tenancy import Connection
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import queries_people
from lantern.services.people.managers import Manager, ManagerState, manager_among
from lantern.services.queries_people import Held, Person


class AccountAnswer(Answer):
    """One account of the person."""

    principal_id: str
    connection_id: str
    provider: Provider | None
    email: str | None
    aliases: list[str]
    name: str | None
    kind: PrincipalKind
    status: PrincipalStatus
    admin: bool | None = Field(description="Whether it has administrator rights there; null is not known.")
    org_unit: str | None
    last_login: date | None
    grants: int | None = Field(description="How many grants; null while they have never been read.")


class HeldAppAnswer(Answer):
    """An app that one of the accounts gave access, or was given."""

    app_id: str
    name: str | None = Field(description="As the app calls itself: anybody may have chosen it.")
    product: str | None
    vendor: str | None
    verdict: Verdict | None
    status: AppStatus | None
    risk: int | None
    principal_id: str
    connection_id: str
    scope_set: str = Field(description="The permissions: see /v1/scope-sets.")
    source: GrantSource = Field(description="What the grant rests on.")
    granted_on: date | None
    first_seen: date


class ManagerAnswer(Answer):
    """Whom the person reports to, as the directory says."""

    state: ManagerState = Field(
        description="`known`; `left`: who is named left; `none`: nobody is; `unknown`: it cannot be said."
    )
    person_id: str | None


class PersonAnswer(Answer):
    """One human being, joined by addresses that the organisation owns."""

    id: str
    email: str | None = Field(description="The address of the account that is believed most.")
    addresses: list[str] = Field(description="Every address of every account, aliases too.")
    departed: bool = Field(description="Whether the person left, by the directory that is believed most.")
    privileged: bool | None = Field(description="An administrator at any account; null is not known.")
    manager: ManagerAnswer
    accounts: list[AccountAnswer] = Field(description="Those that are believed most first.")
    apps: list[HeldAppAnswer] = Field(description="At most 1,000; each account says how many it holds.")


def _account(bundle: Bundle, at: Connection | None) -> AccountAnswer:
    principal = bundle.principal
    return AccountAnswer(
        principal_id=principal.id,
        connection_id=principal.connection_id,
        provider=at.provider if at else None,
        email=principal.email,
        aliases=list(principal.aliases),
        name=principal.name,
        kind=principal.kind,
        status=principal.status,
        admin=principal.admin,
        org_unit=principal.org_unit,
        last_login=principal.last_login,
        grants=None if bundle.grants is None else len(bundle.grants),
    )


def _held(one: Held) -> HeldAppAnswer:
    row, grant = one.row, one.grant
    return HeldAppAnswer(
        app_id=grant.app_id,
        name=row.name if row else None,
        product=row.product if row else None,
        vendor=row.vendor if row else None,
        verdict=row.verdict if row else None,
        status=row.status if row else None,
        risk=row.risk if row else None,
        principal_id=one.bundle.principal.id,
        connection_id=one.bundle.principal.connection_id,
        scope_set=grant.scope_set,
        source=grant.source,
        granted_on=grant.granted_on,
        first_seen=grant.first_seen,
    )


def _answer(found: Person, manager: Manager) -> PersonAnswer:
    return PersonAnswer(
        id=found.id,
        email=found.email,
        addresses=list(found.addresses),
        departed=found.departed,
        privileged=found.admin,
        manager=ManagerAnswer(state=manager.state, person_id=manager.person_id),
        accounts=[
            _account(one, found.connections.get(one.principal.connection_id)) for one in found.accounts
        ],
        apps=[_held(one) for one in found.held],
    )


def get_person(call: Call[Any, None]) -> Reply:
    """One person."""
    person_id = call.path["person_id"]
    found = queries_people.person(call.store, person_id, call.tools.now())
    accounts = [one.principal for one in found.accounts]
    return Reply(_answer(found, manager_among(call.store, person_id, accounts, found.connections)))


ROUTES = (
    Route(
        method="GET",
        path="/v1/persons/{person_id}",
        operation="getPerson",
        tag="Principals",
        summary="One person",
        description=(
            "Every account of one human being, what they hold, and whether the person left or administers. "
            "Accounts name their person in `person_id`."
        ),
        handler=get_person,
        scope="read",
        answer=PersonAnswer,
    ),
)
