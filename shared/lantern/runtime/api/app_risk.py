"""Why an app is as risky as it is: the stored judgement as the API shows it."""

from typing import Any

from pydantic import ConfigDict, Field

from lantern.domain.apps import AppView, Verdict
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import queries_apps


class Stored(Answer):
    """Base of what is shown of a stored document: whatever else it holds stays inside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class FactorAnswer(Stored):
    """One part of the score."""

    id: str
    title: str
    points: float = Field(description="What it adds to the score.")
    max_points: float = Field(description="The most it can add.")
    weight: float
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


class RiskAnswer(Answer):
    """Why an app is as risky as it is. Everything is null while the app was not assessed."""

    app_id: str
    score: int | None = Field(description="0 to 100.")
    level: str | None
    factors: list[FactorAnswer] | None = Field(description="What the score is made of, most points first.")
    identification: IdentificationAnswer | None
    look_alike: LookAlikeAnswer | None = Field(description="Null where it imitates nobody.")


def _answer(view: AppView) -> RiskAnswer:
    body = view.risk.body if view.risk else {}
    assessment = body.get("assessment")
    identification, imitated = body.get("identification"), body.get("look_alike")
    return RiskAnswer(
        app_id=view.app_id,
        score=queries_apps.score(view.risk),
        level=assessment["level"] if assessment else None,
        factors=[FactorAnswer.model_validate(f) for f in assessment["factors"]] if assessment else None,
        identification=IdentificationAnswer.model_validate(identification) if identification else None,
        look_alike=LookAlikeAnswer.model_validate(imitated) if imitated else None,
    )


def get_risk(call: Call[Any, None]) -> Reply:
    """The explanation of an app's risk."""
    return Reply(_answer(queries_apps.app(call.store, call.path["app_id"])))


ROUTES = (
    Route(
        method="GET",
        path="/v1/apps/{app_id}/risk",
        operation="getAppRisk",
        tag="Apps",
        summary="Why an app is risky",
        description="Who the app is and why; the score factor by factor, and what would lower it.",
        handler=get_risk,
        scope="read",
        answer=RiskAnswer,
    ),
)
