"""One app in full: where it is held, what it reaches there, the same product elsewhere, chains."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import Field

from lantern.domain.apps import AppStatus, AppSummary, ProductEvidence
from lantern.domain.inventory import AppKind, Provider
from lantern.domain.products import Decision, ProductDecision
from lantern.runtime.api.chains import ChainAnswer, chain_answers
from lantern.runtime.api.validation import Answer
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries_apps
from lantern.services.queries_apps import AppDetail
from lantern.services.reference import Reference


class DecisionAnswer(Answer):
    """What the tenant decided about an app."""

    app_id: str
    product_id: str | None = Field(
        description="The product it is decided about, with all its apps; null where about this app alone."
    )
    status: AppStatus | None = Field(description="Null while nothing is decided.")
    note: str
    by: str | None
    at: datetime | None


class HeldAtAnswer(Answer):
    """The app at one connection. Null is not known."""

    connection_id: str
    holders: int = Field(description="Accounts that hold it.")
    departed: int = Field(description="Of people who left.")
    privileged: int | None = Field(description="Of administrators.")
    shared: int = Field(description="Shared, service and group accounts.")
    scope_sets: list[str] = Field(description="What it holds there: see /v1/scope-sets.")
    data: list[str] = Field(description="Kinds of data that it reaches there.")
    access: list[str]
    severity: str | None
    last_used: date | None


class SiblingAnswer(Answer):
    """Another app of the same product."""

    app_id: str
    provider: Provider
    name: str
    evidence: ProductEvidence
    connections: list[str]
    holders: int
    risk: int | None
    last_used: date | None


class AppAnswer(Answer):
    """All that is known of one app."""

    id: str
    provider: Provider | None
    client_id: str | None
    name: str | None = Field(description="As the app calls itself: anybody may have chosen it.")
    kind: AppKind | None
    publisher: str | None
    domains: list[str]
    verified_publisher: bool | None
    first_seen: datetime | None
    risk: int | None = Field(description="0 to 100; null while not assessed.")
    product: str | None
    product_id: str | None
    product_evidence: ProductEvidence | None = Field(
        description="What joins it to the product: a registered id, a domain of the vendor, or a verified "
        "publisher. Null where only names say so: then it is joined to nothing."
    )
    vendor: str | None
    vendor_id: str | None = Field(description="See /v1/vendors.")
    decision: DecisionAnswer
    connections: list[HeldAtAnswer]
    same_product: list[SiblingAnswer] = Field(description="The product's other apps.")
    chains: list[ChainAnswer] = Field(description="Where the same product or vendor reaches data elsewhere.")


def decision_answer(app_id: str, product_id: str | None, decision: Decision | None) -> DecisionAnswer:
    """A decision as the API shows it."""
    if decision is None:
        return DecisionAnswer(app_id=app_id, product_id=None, status=None, note="", by=None, at=None)
    about = product_id if isinstance(decision, ProductDecision) else None
    return DecisionAnswer(
        app_id=app_id,
        product_id=about,
        status=decision.status,
        note=decision.note,
        by=decision.by,
        at=decision.at,
    )


def decision_etag(detail: AppDetail) -> str:
    """The tag of the decision that a change would replace: the product's, where the app is joined to one."""
    if detail.product_id is None:
        own = detail.view.decision
        return revision_etag(own.rev if own else 0)
    return product_etag(detail.product_decision)


def product_etag(decision: ProductDecision | None) -> str:
    """The tag of a decision about a product; never that of one about an app."""
    return f'"p{decision.rev if decision else 0}"'


def app_answer(detail: AppDetail, reference: Reference, now: datetime) -> AppAnswer:
    """An app as the API shows it."""
    view, facts = detail.view, detail.view.facts
    body = view.risk.body if view.risk else {}
    identified: Mapping[str, Any] = body.get("identification") or {}
    vendor = identified.get("vendor")
    return AppAnswer(
        id=view.app_id,
        provider=facts.provider if facts else None,
        client_id=facts.client_id if facts else None,
        name=facts.name if facts else None,
        kind=facts.kind if facts else None,
        publisher=facts.publisher if facts else None,
        domains=list(facts.domains) if facts else [],
        verified_publisher=facts.verified_publisher if facts else None,
        first_seen=facts.first_seen if facts else None,
        risk=queries_apps.effective(view, now),
        product=identified.get("product"),
        product_id=identified.get("product_id"),
        product_evidence=body.get("joined"),
        vendor=vendor,
        vendor_id=reference.vendor_id(vendor) if vendor else None,
        decision=decision_answer(view.app_id, detail.product_id, detail.decision),
        connections=[_held_at(cid, one, body) for cid, one in sorted(detail.tallies.items()) if one.holders],
        same_product=[_sibling(row.at(now)) for row in detail.siblings],
        chains=chain_answers(detail.chains),
    )


def _held_at(cid: str, tally: Any, body: Mapping[str, Any]) -> HeldAtAnswer:
    reach = body.get("reach", {}).get(cid, {})
    return HeldAtAnswer(
        connection_id=cid,
        holders=tally.holders,
        departed=tally.departed,
        privileged=tally.admins,
        shared=tally.shared,
        scope_sets=list(tally.scope_sets),
        data=list(reach.get("data", ())),
        access=list(reach.get("access", ())),
        severity=reach.get("severity"),
        last_used=tally.last_used,
    )


def _sibling(row: AppSummary) -> SiblingAnswer:
    if row.product_evidence is None:
        raise ValueError("an app that is joined to nothing is no sibling")
    return SiblingAnswer(
        app_id=row.app_id,
        provider=row.provider,
        name=row.name,
        evidence=row.product_evidence,
        connections=list(row.connections),
        holders=row.holders,
        risk=row.risk,
        last_used=row.last_used,
    )
