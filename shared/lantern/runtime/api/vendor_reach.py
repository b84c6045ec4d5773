"""Vendors in one tenant: the blast radius over all connections, and the people in it."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from lantern.domain.apps import AppStatus, AppSummary, ProductEvidence, Verdict
from lantern.domain.blast import AppReach, Completeness, ConnectionReach
from lantern.domain.inventory import GrantSource, PrincipalKind, PrincipalStatus, Provider
from lantern.domain.tenancy import Connection, ConnectionStatus
from lantern.runtime.api.chains import ChainAnswer, chain_answers
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import queries_vendors
from lantern.services.queries_vendors import BlastRadius, VendorHolder


class ReachedAppAnswer(Answer):
    """What an app of the vendor reaches at one connection."""

    app_id: str
    name: str | None = Field(description="As the app calls itself: anybody may have chosen it.")
    product: str | None
    product_id: str | None
    evidence: ProductEvidence | None = Field(
        description="What joins it to the product; null: its name alone."
    )
    verdict: Verdict | None
    status: AppStatus | None
    risk: int | None
    accounts: int
    shared: int = Field(description="Shared, service and group accounts among them.")
    everyone: bool = Field(description="It was given for the whole organisation.")
    sources: list[GrantSource] = Field(description="What the grants rest on.")
    data: list[str]
    access: list[str]
    severity: str | None
    last_used: date | None = Field(description="Last day of seen use, at any connection.")


class ReachedConnectionAnswer(Answer):
    """What the vendor reaches at one connection."""

    connection_id: str
    name: str | None
    provider: Provider
    people: int
    departed: int
    privileged: int | None = Field(description="Administrators; null where that is not known of somebody.")
    data: list[str]
    apps: list[ReachedAppAnswer]


class CompletenessAnswer(Answer):
    """How completely a connection was read."""

    connection_id: str
    provider: Provider
    status: ConnectionStatus
    complete: bool
    unread: int | None = Field(description="Accounts that could not be read; null before the first run.")
    last_full_at: datetime | None


class BlastRadiusAnswer(Answer):
    """Everything that one vendor can reach here. People are counted once, whatever accounts they have."""

    vendor_id: str
    vendor: str
    as_of: datetime | None = Field(description="When it was computed; null: not yet, and nothing is known.")
    exposure: str = Field(description="The record in plain words.")
    complete: bool = Field(description="Whether every connection was read completely.")
    people: int
    departed: int = Field(description="People who left and still hold something.")
    privileged: int | None = Field(description="Administrators; null where that is not known of somebody.")
    shared: int = Field(description="Grants of shared, service and group accounts.")
    everyone: bool = Field(description="Something was given for a whole organisation.")
    data: list[str] = Field(description="Kinds of data it reaches.")
    last_used: date | None
    departed_persons: list[str] = Field(description="Their ids, at most 500.")
    privileged_persons: list[str] = Field(description="Their ids, at most 500.")
    connections: list[ReachedConnectionAnswer]
    chains: list[ChainAnswer]
    completeness: list[CompletenessAnswer]


class VendorPersonAnswer(Answer):
    """An account that holds apps of the vendor."""

    person_id: str
    principal_id: str
    connection_id: str
    email: str | None
    name: str | None
    kind: PrincipalKind
    status: PrincipalStatus = Field(description="Of this account.")
    departed: bool = Field(description="Whether the person left, by whichever account.")
    admin: bool | None
    apps: list[str] = Field(description="Ids of the vendor's apps that it holds.")


class VendorPersonList(ListOf[VendorPersonAnswer]):
    """Accounts that hold apps of a vendor."""


class VendorPeopleQuery(PageQuery):
    """People at which connection."""

    connection_id: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,80}$", description="The connection; the blast radius lists them."
    )


def _app(app: AppReach, row: AppSummary | None) -> ReachedAppAnswer:
    return ReachedAppAnswer(
        app_id=app.app_id,
        name=row.name if row else None,
        product=row.product if row else None,
        product_id=row.product_id if row else None,
        evidence=row.product_evidence if row else None,
        verdict=row.verdict if row else None,
        status=row.status if row else None,
        risk=row.risk if row else None,
        accounts=app.accounts,
        shared=app.shared,
        everyone=app.everyone,
        sources=list(app.sources),
        data=list(app.data),
        access=list(app.access),
        severity=app.severity,
        last_used=row.last_used if row else None,
    )


def _connection(part: ConnectionReach, at: Connection | None, found: BlastRadius) -> ReachedConnectionAnswer:
    return ReachedConnectionAnswer(
        connection_id=part.connection_id,
        name=at.name if at else None,
        provider=part.provider,
        people=part.people,
        departed=part.departed,
        privileged=part.privileged,
        data=list(part.data),
        apps=[_app(app, found.rows.get(app.app_id)) for app in part.apps],
    )


def _completeness(one: Completeness) -> CompletenessAnswer:
    return CompletenessAnswer(
        connection_id=one.connection_id,
        provider=one.provider,
        status=one.status,
        complete=one.complete,
        unread=one.unread,
        last_full_at=one.last_full_at,
    )


def _answer(found: BlastRadius) -> BlastRadiusAnswer:
    reach = found.reach
    apps = [app for part in reach.connections for app in part.apps]
    used = [row.last_used for app in apps if (row := found.rows.get(app.app_id)) and row.last_used]
    return BlastRadiusAnswer(
        vendor_id=reach.id,
        vendor=reach.vendor,
        as_of=found.at,
        exposure=found.exposure,
        complete=found.at is not None and all(one.complete for one in found.read),
        people=reach.people,
        departed=reach.departed,
        privileged=reach.privileged,
        shared=sum(app.shared for app in apps),
        everyone=any(app.everyone for app in apps),
        data=sorted({kind for app in apps for kind in app.data}),
        last_used=max(used, default=None),
        departed_persons=list(reach.who_left),
        privileged_persons=list(reach.administrators),
        connections=[
            _connection(part, found.connections.get(part.connection_id), found) for part in reach.connections
        ],
        chains=chain_answers(found.chains),
        completeness=[_completeness(one) for one in found.read],
    )


def get_blast_radius(call: Call[Any, None]) -> Reply:
    """Everything a vendor reaches."""
    tools = call.tools
    found = queries_vendors.blast_radius(call.store, tools.reference, call.path["vendor_id"], tools.now())
    return Reply(_answer(found))


def list_vendor_people(call: Call[VendorPeopleQuery, None]) -> Reply:
    """Accounts that hold apps of a vendor."""
    asked = call.query
    page = queries_vendors.people(
        call.store,
        call.tools.reference,
        call.path["vendor_id"],
        asked.connection_id,
        call.position(asked.cursor),
        asked.limit,
    )
    rows = [_person(one) for one in page.items]
    return Reply(VendorPersonList(data=rows, next_cursor=call.cursor(page.cursor)))


def _person(one: VendorHolder) -> VendorPersonAnswer:
    principal = one.bundle.principal
    return VendorPersonAnswer(
        person_id=principal.person_id,
        principal_id=principal.id,
        connection_id=principal.connection_id,
        email=principal.email,
        name=principal.name,
        kind=principal.kind,
        status=principal.status,
        departed=one.departed,
        admin=principal.admin,
        apps=list(one.apps),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/vendors/{vendor_id}/blast-radius",
        operation="getBlastRadius",
        tag="Vendors",
        summary="Everything a vendor reaches here",
        description=(
            "One record over all connections: people, apps, data, chains, who left or administers, what was "
            "given for everyone, and which connections could not be read. Computed after every full run."
        ),
        handler=get_blast_radius,
        scope="read",
        answer=BlastRadiusAnswer,
    ),
    Route(
        method="GET",
        path="/v1/vendors/{vendor_id}/people",
        operation="listVendorPeople",
        tag="Vendors",
        summary="Who holds apps of a vendor",
        description="Accounts of one connection that gave an app of the vendor access.",
        handler=list_vendor_people,
        scope="read",
        query=VendorPeopleQuery,
        answer=VendorPersonList,
    ),
)
