"""Apps: who they are, how risky, who holds them, what was decided."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from lantern.domain.apps import AppStatus, AppSummary, ProductEvidence, Verdict
from lantern.domain.inventory import AppKind, PrincipalStatus, Provider
from lantern.runtime.api.app_detail import (
    AppAnswer,
    DecisionAnswer,
    app_answer,
    decision_answer,
    decision_etag,
    product_etag,
)
from lantern.runtime.api.paging import ListOf, PageQuery, dump_position, load_position
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Instant, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services import decisions, queries_apps
from lantern.services.queries_apps import AppFilter, Holder, Sort

Status = Literal["approved", "restricted", "under_review", "not_allowed", "unreviewed"]


class AppQuery(PageQuery):
    """Which apps, in which order."""

    verdict: Verdict | None = Field(None, description="Whether it is an AI tool.")
    status: Status | None = Field(None, description="What was decided; `unreviewed` where nothing was.")
    min_risk: int | None = Field(None, ge=0, le=100, description="Risk of at least; excludes unknown risk.")
    max_risk: int | None = Field(None, ge=0, le=100, description="Risk of at most; excludes unknown risk.")
    category: str | None = Field(None, max_length=80, description="Category of the product.")
    provider: Provider | None = Field(None, description="Where it was seen.")
    connection_id: str | None = Field(None, max_length=80, description="Held at this connection.")
    first_seen_from: Instant | None = Field(None, description="First seen at or after.")
    first_seen_until: Instant | None = Field(None, description="First seen before.")
    sort: Sort = Field("-risk", description="Order; `-` is descending, unknown comes last.")


class AppRow(Answer):
    """An app in the list."""

    id: str
    provider: Provider
    name: str = Field(description="As the app calls itself: anybody may have chosen it.")
    kind: AppKind
    verdict: Verdict = Field(description="Whether it is an AI tool, or an ordinary one with AI features.")
    confidence: float = Field(description="How sure the verdict is, 0 to 1.")
    risk: int | None = Field(description="0 to 100; null while not assessed.")
    risk_level: str | None
    risk_computed: int | None = Field(description="What the risk would be; null unless people set it.")
    category: str | None
    product: str | None
    product_id: str | None
    product_evidence: ProductEvidence | None = Field(
        description="What joins it to the product; null where only names say so."
    )
    vendor: str | None
    publisher: str | None
    lookalike_of: str | None = Field(description="Product whose name it imitates.")
    abused: bool = Field(description="Whether a public report of abuse fits it; see its risk.")
    scope_severity: str | None = Field(description="Most sensitive scope any holder granted.")
    status: AppStatus | None
    holders: int = Field(description="Accounts that hold it.")
    first_seen: datetime | None
    last_used: date | None
    connections: list[str]


class AppList(ListOf[AppRow]):
    """Apps."""


class HolderAnswer(Answer):
    """An account that holds an app."""

    principal_id: str
    connection_id: str
    person_id: str
    grant_id: str
    email: str | None
    name: str | None
    status: PrincipalStatus
    admin: bool | None
    scope_set: str | None = Field(description="What it granted: see /v1/scope-sets.")
    granted_on: date | None
    first_seen: date | None


class HolderList(ListOf[HolderAnswer]):
    """Holders of an app."""


class HolderQuery(PageQuery):
    """Holders at which connection."""

    connection_id: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,80}$",
        description="The connection; an app lists its own in `connections`.",
    )


class DecisionBody(Strict):
    """A decision about an app."""

    status: AppStatus
    note: str = Field("", max_length=2_000, description="Why.")


def _row(app: AppSummary) -> AppRow:
    return AppRow(
        id=app.app_id,
        provider=app.provider,
        name=app.name,
        kind=app.kind,
        verdict=app.verdict,
        confidence=app.confidence,
        risk=app.risk,
        risk_level=app.risk_level,
        risk_computed=app.risk_computed,
        category=app.category,
        product=app.product,
        product_id=app.product_id,
        product_evidence=app.product_evidence,
        vendor=app.vendor,
        publisher=app.publisher,
        lookalike_of=app.lookalike_of,
        abused=app.abused,
        scope_severity=app.scope_severity,
        status=app.status,
        holders=app.holders,
        first_seen=app.first_seen,
        last_used=app.last_used,
        connections=list(app.connections),
    )


def list_apps(call: Call[AppQuery, None]) -> Reply:
    """Apps, filtered and sorted."""
    asked = call.query
    wanted = AppFilter(
        verdict=asked.verdict,
        status=asked.status,
        min_risk=asked.min_risk,
        max_risk=asked.max_risk,
        category=asked.category,
        provider=asked.provider,
        connection_id=asked.connection_id,
        first_seen_from=asked.first_seen_from,
        first_seen_until=asked.first_seen_until,
    )
    after = load_position(call.position(asked.cursor))
    page = queries_apps.list_apps(call.store, wanted, asked.sort, after, asked.limit, call.tools.now())
    cursor = call.cursor(dump_position(page.position))
    return Reply(AppList(data=[_row(app) for app in page.rows], next_cursor=cursor))


def get_app(call: Call[Any, None]) -> Reply:
    """One app."""
    tools = call.tools
    detail = queries_apps.detail(call.store, tools.reference, call.path["app_id"])
    return Reply(app_answer(detail, tools.reference, tools.now()), etag=decision_etag(detail))


def put_status(call: Call[Any, DecisionBody]) -> Reply:
    """Decide about an app, or about its product where it is known."""
    detail = queries_apps.detail(call.store, call.tools.reference, call.path["app_id"])
    call.check_revision(decision_etag(detail))
    view, body, by, now = detail.view, call.body, call.caller.actor, call.tools.now()
    if detail.product_id is None:
        own = decisions.decide_app(call.store, view, status=body.status, note=body.note, by=by, now=now)
        return Reply(decision_answer(view.app_id, None, own), etag=revision_etag(own.rev))
    whole = decisions.decide_product(
        call.store,
        detail.product_id,
        detail.product_decision,
        view.app_id,
        status=body.status,
        note=body.note,
        by=by,
        now=now,
    )
    answer = decision_answer(view.app_id, detail.product_id, whole)
    return Reply(answer, etag=product_etag(whole))


def list_holders(call: Call[HolderQuery, None]) -> Reply:
    """Accounts that hold an app at a connection."""
    asked = call.query
    after = call.position(asked.cursor)
    page = queries_apps.holders(call.store, asked.connection_id, call.path["app_id"], after, asked.limit)
    return Reply(
        HolderList(data=[_holder(holder) for holder in page.items], next_cursor=call.cursor(page.cursor))
    )


def _holder(holder: Holder) -> HolderAnswer:
    principal, grant = holder.principal, holder.grant
    return HolderAnswer(
        principal_id=principal.id,
        connection_id=principal.connection_id,
        person_id=principal.person_id,
        grant_id=holder.grant_id,
        email=principal.email,
        name=principal.name,
        status=principal.status,
        admin=principal.admin,
        scope_set=grant.scope_set,
        granted_on=grant.granted_on,
        first_seen=grant.first_seen,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/apps",
        operation="listApps",
        tag="Apps",
        summary="Apps that hold access",
        description="Every app in the inventory, filtered and sorted; by default the riskiest first.",
        handler=list_apps,
        scope="read",
        query=AppQuery,
        answer=AppList,
    ),
    Route(
        method="GET",
        path="/v1/apps/{app_id}",
        operation="getApp",
        tag="Apps",
        summary="One app",
        description=(
            "Facts, risk, where it is held and what it reaches there, the same product elsewhere, chains, "
            "and the decision. The ETag is the decision's."
        ),
        handler=get_app,
        scope="read",
        answer=AppAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/apps/{app_id}/status",
        operation="setAppStatus",
        tag="Apps",
        summary="Decide about an app",
        description=(
            "Approves, restricts, forbids or takes under review. Where evidence joins the app to a product, "
            "the decision is about the product and holds for all its apps. Findings follow; it is audited."
        ),
        handler=put_status,
        scope="write",
        body=DecisionBody,
        answer=DecisionAnswer,
        if_match=True,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/apps/{app_id}/holders",
        operation="listAppHolders",
        tag="Apps",
        summary="Who holds an app",
        description="Accounts of one connection that have granted access to the app.",
        handler=list_holders,
        scope="read",
        query=HolderQuery,
        answer=HolderList,
    ),
)
