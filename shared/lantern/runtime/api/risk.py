"""How risk is weighed: the tenant's weights, what others would change, posture, and the risk of one grant."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from lantern.domain.posture import Driver, Posture
from lantern.domain.risk import DEFAULT, WEIGHT_NAMES, StoredWeights, Weights
from lantern.runtime.api.app_risk import FactorAnswer, factors
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Question, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services import risk

Points = Annotated[float, Field(ge=0, le=100)]


class WeightsValues(Strict):
    """Points that each factor can give; what is left out has its default. 0 switches a factor off."""

    reach: Points = DEFAULT.reach
    people: Points = DEFAULT.people
    privileged: Points = DEFAULT.privileged
    breadth: Points = DEFAULT.breadth
    identity: Points = DEFAULT.identity
    publisher: Points = DEFAULT.publisher
    look_alike: Points = DEFAULT.look_alike
    status: Points = DEFAULT.status
    departed: Points = DEFAULT.departed
    stale: Points = DEFAULT.stale
    newness: Points = DEFAULT.newness
    training: Points = DEFAULT.training
    assurance: Points = DEFAULT.assurance
    incidents: Points = DEFAULT.incidents
    ownership: Points = DEFAULT.ownership
    abuse: Points = DEFAULT.abuse
    personal: Points = DEFAULT.personal
    unused: Points = DEFAULT.unused
    anomaly: Points = DEFAULT.anomaly

    def changed(self) -> dict[str, float]:
        """The weights that are not the defaults."""
        return {
            name: float(value)
            for name in WEIGHT_NAMES
            if (value := getattr(self, name)) != getattr(DEFAULT, name)
        }


class WeightsBody(Strict):
    """Weights to use, or to try."""

    weights: WeightsValues


class WeightsAnswer(Answer):
    """The weights in use and the defaults."""

    weights: dict[str, float]
    defaults: dict[str, float]
    by: str | None = Field(description="Who set them; null while the defaults hold.")
    at: datetime | None


class DriverAnswer(Answer):
    """What takes points off."""

    id: str
    title: str
    points: float = Field(description="What it takes off.")
    max_points: float
    count: int = Field(description="How many apps.")
    evidence: str
    remedy: str | None
    apps: list[str] = Field(description="Ids of the apps that weigh most, at most five.")


class PostureNow(Answer):
    """How the organisation stands: 100 is best."""

    score: int
    apps: int = Field(description="Apps that somebody holds.")
    drivers: list[DriverAnswer] = Field(description="What takes points off, the most first.")


class PostureDayAnswer(Answer):
    """A day's posture."""

    day: date
    score: int
    apps: int
    points: dict[str, float] = Field(description="What each driver took off.")


class PostureAnswer(Answer):
    """How the organisation stands now, and how it stood."""

    current: PostureNow
    history: list[PostureDayAnswer] = Field(description="One entry a day, oldest first; days may be missing.")


class PostureQuery(Question):
    """How far back."""

    days: int = Field(90, ge=1, le=400, description="Days of history.")


class ChangeAnswer(Answer):
    """An app whose risk would change."""

    app_id: str
    name: str = Field(description="As the app calls itself: anybody may have chosen it.")
    score: int | None
    level: str | None
    new_score: int
    new_level: str


class PreviewAnswer(Answer):
    """What other weights would do; nothing is stored."""

    changed: int
    level_changed: int
    unchanged: int
    changes: list[ChangeAnswer] = Field(
        description=f"Those that change most, at most {risk.MAX_CHANGES}; all are counted."
    )
    posture: PostureNow
    new_posture: PostureNow


class GrantRiskAnswer(Answer):
    """Why a grant is as risky as it is; null while its app was not assessed."""

    grant_id: str
    app_id: str
    score: int | None
    level: str | None
    factors: list[FactorAnswer] | None


class GrantRiskQuery(Question):
    """Where the grant is."""

    connection_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$", description="Its connection.")


def _values(weights: Weights) -> dict[str, float]:
    return {name: getattr(weights, name) for name in WEIGHT_NAMES}


def _weights(stored: StoredWeights | None) -> Reply:
    body = WeightsAnswer(
        weights=_values(stored.weights() if stored else DEFAULT),
        defaults=_values(DEFAULT),
        by=stored.by if stored else None,
        at=stored.at if stored else None,
    )
    return Reply(body, etag=revision_etag(stored.rev if stored else 0))


def get_weights(call: Call[Any, None]) -> Reply:
    """The weights in use."""
    return _weights(call.store.risk.stored_weights())


def put_weights(call: Call[Any, WeightsBody]) -> Reply:
    """Set the weights; every app is scored again."""
    before = call.store.risk.stored_weights(consistent=True)
    call.check_revision(revision_etag(before.rev if before else 0))
    values = call.body.weights.changed()
    return _weights(risk.set_weights(call.store, before, values, by=call.caller.actor, now=call.tools.now()))


def preview(call: Call[Any, WeightsBody]) -> Reply:
    """Say what weights would change."""
    found = risk.preview(call.store, Weights(**call.body.weights.changed()), call.tools.now())
    changes = [
        ChangeAnswer(
            app_id=one.row.app_id,
            name=one.row.name,
            score=one.row.risk,
            level=one.row.risk_level,
            new_score=one.score,
            new_level=one.level,
        )
        for one in found.changes
    ]
    return Reply(
        PreviewAnswer(
            changed=found.changed,
            level_changed=found.level_changed,
            unchanged=found.unchanged,
            changes=changes,
            posture=_posture(found.before),
            new_posture=_posture(found.after),
        )
    )


def _posture(found: Posture) -> PostureNow:
    return PostureNow(score=found.score, apps=found.apps, drivers=[_driver(one) for one in found.drivers])


def _driver(one: Driver) -> DriverAnswer:
    return DriverAnswer(
        id=one.id,
        title=one.title,
        points=one.points,
        max_points=one.max_points,
        count=one.count,
        evidence=one.evidence,
        remedy=one.remedy,
        apps=list(one.apps),
    )


def get_posture(call: Call[PostureQuery, None]) -> Reply:
    """How the organisation stands."""
    current, history = risk.posture_now(call.store, call.query.days, call.tools.now())
    days = [
        PostureDayAnswer(day=one.day, score=one.score, apps=one.apps, points=dict(one.points))
        for one in history
    ]
    return Reply(PostureAnswer(current=_posture(current), history=days))


def get_grant_risk(call: Call[GrantRiskQuery, None]) -> Reply:
    """The explanation of a grant's risk."""
    tools, grant_id = call.tools, call.path["grant_id"]
    found = risk.grant_risk(call.store, tools.vendors(), grant_id, call.query.connection_id, tools.now())
    assessed = found.assessment
    return Reply(
        GrantRiskAnswer(
            grant_id=found.grant_id,
            app_id=found.app_id,
            score=assessed.score if assessed else None,
            level=assessed.level if assessed else None,
            factors=factors(assessed) if assessed else None,
        )
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/risk/weights",
        operation="getRiskWeights",
        tag="Risk",
        summary="How factors are weighed",
        description="The weights in use, and the defaults.",
        handler=get_weights,
        scope="read",
        answer=WeightsAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/risk/weights",
        operation="setRiskWeights",
        tag="Risk",
        summary="Set the weights",
        description="Replaces all weights; every app is scored again within minutes. It is audited.",
        handler=put_weights,
        scope="write",
        body=WeightsBody,
        answer=WeightsAnswer,
        if_match=True,
        etag=True,
    ),
    Route(
        method="POST",
        path="/v1/risk/preview",
        operation="previewRiskWeights",
        tag="Risk",
        summary="What other weights would change",
        description="Which apps' scores and levels would change, and the posture; nothing is stored.",
        handler=preview,
        scope="read",
        body=WeightsBody,
        answer=PreviewAnswer,
    ),
    Route(
        method="GET",
        path="/v1/posture",
        operation="getPosture",
        tag="Risk",
        summary="How the organisation stands",
        description="A score of 0 to 100, what takes points off, and its history by day.",
        handler=get_posture,
        scope="read",
        query=PostureQuery,
        answer=PostureAnswer,
    ),
    Route(
        method="GET",
        path="/v1/grants/{grant_id}/risk",
        operation="getGrantRisk",
        tag="Grants",
        summary="Why a grant is risky",
        description="The risk of one grant, factor by factor, from what is known now.",
        handler=get_grant_risk,
        scope="read",
        query=GrantRiskQuery,
        answer=GrantRiskAnswer,
    ),
)
