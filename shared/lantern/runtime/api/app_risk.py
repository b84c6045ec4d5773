"""Why an app is as risky as it is: the stored judgement as the API shows it, and a risk that people set."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from lantern.domain.apps import AppView, RiskOverride, Verdict
from lantern.domain.compliance import FrameworkRelevance, Relevance, RuleKind
from lantern.domain.risk import Assessment, level_of
from lantern.domain.tally import unflagged
from lantern.runtime.api.activity import AnomaliesAnswer, anomalies
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Instant, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries_apps, risk
from lantern.services.reference import Reference


class Stored(Answer):
    """Base of what is shown of a stored document: whatever else it holds stays inside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FactorAnswer(Stored):
    """One part of the score."""

    id: str
    title: str
    group: str = Field("", description="What kind of reason: exposure, trust, use or status.")
    points: float = Field(description="What it adds to the score.")
    max_points: float = Field(description="The most it can add.")
    weight: float
    share: float = Field(0.0, description="The part of its weight that it gives, 0 to 1.")
    evidence: str = Field(description="What was seen.")
    remedy: str | None = Field(description="What would lower it; null where nothing is to gain.")


class EvidenceAnswer(Stored):
    """One reason for a verdict."""

    kind: str
    sentence: str
    confidence: float = Field(description="How much it alone is worth, 0 to 1.")


class IdentificationAnswer(Stored):
    """Who the app is."""

    verdict: Verdict
    confidence: float
    vendor: str | None
    product: str | None
    category: str | None
    evidence: list[EvidenceAnswer]


class LookAlikeAnswer(Stored):
    """The known product that the app looks like without being known to be the vendor's."""

    product: str
    vendor: str
    brand: str = Field(description="The name it imitates.")
    confidence: float
    sentence: str


class AbuseAnswer(Stored):
    """A public report of abuse that the app fits."""

    report: str
    by: str = Field(description="Whether the id or only the name fits.")
    confidence: float
    sentence: str
    source: str


class SeenAnswer(Stored):
    """What was seen going to the app in the last twelve weeks that are known: how much, never what."""

    bytes_out: int = Field(description="Bytes that people or the provider sent there.")
    bytes_in: int | None = Field(description="Bytes that came from there.")


class GrantGroupAnswer(Answer):
    """Grants of the app that are alike, and their risk. Null is not known."""

    scope_set: str = Field(description="What they hold: see /v1/scope-sets.")
    holders: int
    score: int
    level: str
    admin: bool | None = Field(description="Held by administrators.")
    departed: bool | None = Field(description="Held by people who left.")
    stale: bool | None = Field(description="Not used for 90 days or more.")
    personal: bool | None = Field(description="Held by accounts that are not the organisation's.")
    grew: bool | None = Field(description="Got more permissions within 30 days.")


class ReasonAnswer(Answer):
    """Why a framework matters, or what is missing for it."""

    says: str
    refs: list[str] = Field(description="Articles, controls or criteria.")
    kind: RuleKind
    certain: bool = Field(description="False where it depends on what is not known.")


class FrameworkAnswer(Answer):
    """Whether a law or standard matters for the app."""

    framework: str
    title: str
    relevance: Relevance
    reasons: list[ReasonAnswer]


class OverrideAnswer(Answer):
    """The risk that people set in place of the computed one."""

    app_id: str
    score: int | None = Field(description="Null while the computed risk holds.")
    note: str
    by: str | None
    at: datetime | None
    until: datetime | None
    in_effect: bool


class RiskAnswer(Answer):
    """Why an app is as risky as it is. Everything is null while the app was not assessed."""

    app_id: str
    score: int | None = Field(description="0 to 100: what holds now, set by people or computed.")
    level: str | None
    computed: int | None = Field(description="What the factors add up to.")
    override: OverrideAnswer
    factors: list[FactorAnswer] | None = Field(description="What the score is made of, most points first.")
    identification: IdentificationAnswer | None
    look_alike: LookAlikeAnswer | None = Field(description="Null where it imitates nobody.")
    abuse: AbuseAnswer | None = Field(description="Null where no report fits it.")
    vendor_id: str | None = Field(description="Its vendor's profile: see /v1/vendors.")
    data: list[str] | None = Field(description="Kinds of data that its permissions reach.")
    unused: list[str] | None = Field(
        description="Permissions held and never seen in use; null where use is not known."
    )
    anomalies: AnomaliesAnswer | None = Field(
        description="What stands out in its use; null while less than seven whole weeks of it are known."
    )
    seen: SeenAnswer | None = Field(
        description="What was seen going there, beside what it can reach; null where nobody counts it."
    )
    grants: list[GrantGroupAnswer] | None = Field(description="Risk of its grants, the worst kinds first.")
    compliance: list[FrameworkAnswer] | None


class OverrideBody(Strict):
    """A risk to hold in place of the computed one."""

    score: int = Field(ge=0, le=100)
    note: str = Field(min_length=1, max_length=2_000, description="Why.")
    until: Instant = Field(description="When the computed risk holds again: within a year.")


def factors(assessment: Assessment) -> list[FactorAnswer]:
    """The factors of an assessment as the API shows them."""
    return [FactorAnswer.model_validate(factor, from_attributes=True) for factor in assessment.factors]


def _override(app_id: str, given: RiskOverride | None, now: datetime) -> OverrideAnswer:
    if given is None or given.score is None:
        return OverrideAnswer(
            app_id=app_id, score=None, note="", by=None, at=None, until=None, in_effect=False
        )
    return OverrideAnswer(
        app_id=app_id,
        score=given.score,
        note=given.note,
        by=given.by,
        at=given.at,
        until=given.until,
        in_effect=given.in_effect(now) is not None,
    )


def _group(group: dict[str, Any]) -> GrantGroupAnswer:
    admin, departed, stale, personal, grew = unflagged(group["flags"])
    return GrantGroupAnswer(
        scope_set=group["scope_set"],
        holders=group["holders"],
        score=group["score"],
        level=group["level"],
        admin=admin,
        departed=departed,
        stale=stale,
        personal=personal,
        grew=grew,
    )


def _framework(found: FrameworkRelevance) -> FrameworkAnswer:
    reasons = [
        ReasonAnswer(says=one.says, refs=list(one.refs), kind=one.kind, certain=one.certain)
        for one in found.reasons
    ]
    return FrameworkAnswer(
        framework=found.framework, title=found.title, relevance=found.relevance, reasons=reasons
    )


def _answer(view: AppView, reference: Reference, now: datetime) -> RiskAnswer:
    body = view.risk.body if view.risk else {}
    assessment, identification = body.get("assessment"), body.get("identification")
    imitated, abuse, groups = body.get("look_alike"), body.get("abuse"), body.get("grants")
    score = queries_apps.effective(view, now)
    profile = reference.vendor((identification or {}).get("vendor"))
    compliance = risk.frameworks(reference, body) if assessment else None
    return RiskAnswer(
        app_id=view.app_id,
        score=score,
        level=None if score is None else level_of(score),
        computed=queries_apps.score(view.risk),
        override=_override(view.app_id, view.override, now),
        factors=[FactorAnswer.model_validate(f) for f in assessment["factors"]] if assessment else None,
        identification=IdentificationAnswer.model_validate(identification) if identification else None,
        look_alike=LookAlikeAnswer.model_validate(imitated) if imitated else None,
        abuse=AbuseAnswer.model_validate(abuse) if abuse else None,
        vendor_id=profile.id if profile else None,
        data=body.get("data"),
        unused=body.get("unused"),
        anomalies=anomalies(body.get("anomalies")),
        seen=SeenAnswer.model_validate(body["seen"]) if body.get("seen") else None,
        grants=None if groups is None else [_group(group) for group in groups],
        compliance=None if compliance is None else [_framework(one) for one in compliance],
    )


def _etag(view: AppView) -> str:
    return revision_etag(view.override.rev if view.override else 0)


def get_risk(call: Call[Any, None]) -> Reply:
    """The explanation of an app's risk."""
    view = queries_apps.app(call.store, call.path["app_id"])
    return Reply(_answer(view, call.tools.vendors(), call.tools.now()), etag=_etag(view))


def put_override(call: Call[Any, OverrideBody]) -> Reply:
    """Set the risk of an app until a time."""
    view = queries_apps.app(call.store, call.path["app_id"])
    call.check_revision(_etag(view))
    body, now = call.body, call.tools.now()
    given = risk.override(
        call.store,
        view,
        score=body.score,
        note=body.note,
        until=body.until,
        by=call.caller.actor,
        now=now,
    )
    return Reply(_override(view.app_id, given, now), etag=revision_etag(given.rev))


def delete_override(call: Call[Any, None]) -> Reply:
    """Let the computed risk hold again."""
    view = queries_apps.app(call.store, call.path["app_id"])
    call.check_revision(_etag(view))
    now = call.tools.now()
    gone = risk.take_back(call.store, view, by=call.caller.actor, now=now)
    return Reply(_override(view.app_id, gone, now), etag=revision_etag(gone.rev))


ROUTES = (
    Route(
        method="GET",
        path="/v1/apps/{app_id}/risk",
        operation="getAppRisk",
        tag="Apps",
        summary="Why an app is risky",
        description=(
            "Who the app is and why; the score factor by factor, and what would lower it; the risk of its "
            "grants; for which laws and standards it matters. The ETag is the override's."
        ),
        handler=get_risk,
        scope="read",
        answer=RiskAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/apps/{app_id}/risk-override",
        operation="setRiskOverride",
        tag="Apps",
        summary="Set the risk of an app",
        description="Holds in place of the computed risk until a time; findings follow. It is audited.",
        handler=put_override,
        scope="write",
        body=OverrideBody,
        answer=OverrideAnswer,
        if_match=True,
        etag=True,
    ),
    Route(
        method="DELETE",
        path="/v1/apps/{app_id}/risk-override",
        operation="removeRiskOverride",
        tag="Apps",
        summary="Take back a risk that was set",
        description="The computed risk holds again; findings follow. It is audited.",
        handler=delete_override,
        scope="write",
        answer=OverrideAnswer,
        if_match=True,
        etag=True,
    ),
)
