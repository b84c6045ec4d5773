"""How risky an app is, 0-100, and why: a pure function of what is known about it.

Points add up over factors; each factor tells its points, weight, evidence and what would lower it. Unknown
facts count like a middling answer, never like a good one. More scopes or holders never lower the score,
approval never raises it, and order never matters. docs/risk.md explains it.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from lantern.domain.identification import Identification
from lantern.domain.lookalike import LookAlike
from lantern.domain.scopes import ScopeClass, Severity, severity_rank

AppStatus = Literal["approved", "restricted", "under_review", "not_allowed", "unreviewed"]
RiskLevel = Literal["low", "medium", "high", "critical"]

LEVELS: tuple[tuple[int, RiskLevel], ...] = ((70, "critical"), (45, "high"), (25, "medium"), (0, "low"))

# The part of the reach that the worst permission alone gives, and what each further kind of data adds.
_REACH: dict[Severity, float] = {"none": 0.0, "low": 0.08, "medium": 0.35, "high": 0.7, "critical": 1.0}
_FURTHER_DATA = 0.15
_UNKNOWN_REACH = 0.7
_STATUS: dict[AppStatus, float] = {
    "approved": 0.0,
    "restricted": 0.4,
    "under_review": 0.6,
    "unreviewed": 0.7,
    "not_allowed": 1.0,
}
_UNKNOWN = 0.5
_MANY_PEOPLE = 1000
_MANY_CONNECTIONS = 4
_NEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class RiskInput:
    """What is known about one app in one organisation. Counts are people; None is "not known".

    `scopes` is the union over all holders and connections, None where the provider does not tell scopes.
    `privileged_holders` are administrators among the holders; `stale_holders` hold a grant unused for long;
    `departed_holders` have left; `connections` is at how many connections the app is seen; `age_days` counts
    from when it was first seen.
    """

    identification: Identification
    scopes: tuple[ScopeClass, ...] | None
    holders: int
    org_size: int | None = None
    privileged_holders: int | None = None
    stale_holders: int | None = None
    departed_holders: int | None = None
    connections: int = 1
    verified_publisher: bool | None = None
    look_alike: LookAlike | None = None
    status: AppStatus = "unreviewed"
    age_days: int | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """How many points each factor can give. A tenant may change them; 0 switches a factor off.

    Raises:
        ValueError: If a weight is negative or not a number.
    """

    reach: float = 40
    people: float = 12
    privileged: float = 8
    breadth: float = 4
    identity: float = 8
    publisher: float = 8
    look_alike: float = 38
    status: float = 8
    departed: float = 8
    stale: float = 6
    newness: float = 3

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"weight {name} must be a number of 0 or more, not {value}")


DEFAULT = Weights()


@dataclass(frozen=True, slots=True)
class Factor:
    """One part of the score: `points` of at most `max_points`, which is the weight in points, and why.

    `evidence` is what was seen; `remedy` is what would lower it, None where nothing is to gain.
    """

    id: str
    title: str
    points: float
    max_points: float
    weight: float
    evidence: str
    remedy: str | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """The risk of an app. `fingerprint` changes when the facts, the catalog entry or the weights do."""

    score: int
    level: RiskLevel
    factors: tuple[Factor, ...]
    fingerprint: str


# A share of 0-1, the evidence, and the remedy.
_Judgement = tuple[float, str, str | None]


def assess(app: RiskInput, weights: Weights = DEFAULT) -> Assessment:
    """Return the risk of `app` with every factor that makes it, most points first.

    Raises:
        ValueError: If a count is negative.
    """
    _refuse_negative(app)
    factors = tuple(_factor(name, title, judge(app), weights) for name, title, judge in _FACTORS)
    score = min(100, math.floor(math.fsum(factor.points for factor in factors) + 0.5))
    ordered = tuple(sorted(factors, key=lambda factor: (-factor.points, factor.id)))
    return Assessment(score, level_of(score), ordered, fingerprint(app, weights))


def level_of(score: int) -> RiskLevel:
    """Return the level of a score: critical from 70, high from 45, medium from 25, else low."""
    return next(level for least, level in LEVELS if score >= least)


def fingerprint(app: RiskInput, weights: Weights = DEFAULT) -> str:
    """Return a short hash of everything the assessment depends on; the order of scopes does not matter."""
    facts = asdict(app)
    # An app that is no longer new does not change by growing a day older.
    facts["age_days"] = None if app.age_days is None else min(app.age_days, _NEW_DAYS)
    if app.scopes is not None:
        facts["scopes"] = sorted(json.dumps(asdict(scope), sort_keys=True) for scope in set(app.scopes))
    canonical = json.dumps([facts, asdict(weights)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def reach(scopes: tuple[ScopeClass, ...] | None) -> float:
    """Return 0-1: how far the permissions reach. The worst leads, each further kind of data adds a little."""
    if scopes is None:
        return _UNKNOWN_REACH
    by_class: dict[str, Severity] = {}
    for scope in scopes:
        kind = scope.data_class or "unknown"
        by_class[kind] = max(by_class.get(kind, "none"), scope.severity, key=severity_rank)
    parts = sorted((_REACH[severity] for severity in by_class.values()), reverse=True)
    if not parts:
        return 0.0
    return 1 - (1 - parts[0]) * math.prod(1 - _FURTHER_DATA * part for part in parts[1:])


def _factor(name: str, title: str, judgement: _Judgement, weights: Weights) -> Factor:
    share, evidence, remedy = judgement
    weight = float(getattr(weights, name))
    points = min(weight, round(weight * min(1.0, max(0.0, share)), 2))
    return Factor(name, title, points, weight, weight, evidence, remedy if points else None)


def _refuse_negative(app: RiskInput) -> None:
    for name in (
        "holders",
        "org_size",
        "privileged_holders",
        "stale_holders",
        "departed_holders",
        "connections",
    ):
        value = getattr(app, name)
        if value is not None and value < 0:
            raise ValueError(f"{name} must not be negative")


def _judge_reach(app: RiskInput) -> _Judgement:
    remedy = "Ask for fewer permissions, or use an app that needs fewer"
    if app.scopes is None:
        return _UNKNOWN_REACH, "The provider does not tell what it may reach", remedy
    if not app.scopes:
        return 0.0, "It has no permissions", None
    shown = sorted(set(app.scopes), key=lambda one: (-severity_rank(one.severity), one.sentence, one.scope))
    said = "; ".join(dict.fromkeys(f"{one.sentence} ({one.severity})" for one in shown[:3]))
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return reach(app.scopes), said + more, remedy


def _damage(app: RiskInput) -> float:
    """Who holds an app matters as far as it reaches something: a fifth always, the rest with the reach."""
    return 0.2 + 0.8 * reach(app.scopes)


def _judge_people(app: RiskInput) -> _Judgement:
    if app.holders == 0:
        return 0.0, "Nobody holds it", None
    size = math.log1p(app.holders) / math.log1p(_MANY_PEOPLE)
    part = min(1.0, app.holders / app.org_size) if app.org_size else 1.0
    share = 0.7 * min(1.0, size) + 0.3 * part
    of_all = f" of {app.org_size}" if app.org_size else ""
    people = "person holds" if app.holders == 1 else "people hold"
    return (
        share * _damage(app),
        f"{app.holders}{of_all} {people} it",
        "Revoke it from people who do not need it",
    )


def _counted(count: int | None, many: int) -> float:
    """Return 0-1 for a count of people, on a logarithmic scale where `many` is everything."""
    return (
        _UNKNOWN
        if count is None
        else min(1.0, 0.3 * (count > 0) + 0.7 * math.log1p(count) / math.log1p(many))
    )


def _judge_privileged(app: RiskInput) -> _Judgement:
    count = app.privileged_holders
    unknown = "It is not known whether administrators hold it"
    said = unknown if count is None else f"Administrators who hold it: {count}"
    return (
        _counted(count, 10) * _damage(app),
        said,
        "Revoke it from administrators, or use a separate account",
    )


def _judge_breadth(app: RiskInput) -> _Judgement:
    share = max(0, app.connections - 1) / (_MANY_CONNECTIONS - 1)
    said = f"Systems it is connected to: {app.connections}"
    return min(1.0, share) * _damage(app), said, "Disconnect it where it is not used"


def _judge_identity(app: RiskInput) -> _Judgement:
    found = app.identification
    name = found.product or found.vendor or "an AI tool"
    said = {
        "ai": f"It is {name}: what it reads may be sent to a model",
        "embedded_ai": f"It is {name}, an ordinary product with AI features",
        "not_ai": f"It is {name}, which is not AI",
        "unknown": "It is not known what this app is",
    }[found.verdict]
    known_good = {"ai": 1.0, "embedded_ai": 0.6, "not_ai": 0.0, "unknown": 0.7}[found.verdict]
    doubt = 0.7 * (1 - found.confidence) if found.verdict == "not_ai" else 0.0
    return (
        max(known_good, doubt),
        f"{said} (confidence {found.confidence:.2f})",
        "Review the app and set its status",
    )


def _judge_publisher(app: RiskInput) -> _Judgement:
    if app.verified_publisher is None:
        return _UNKNOWN, "It is not known whether the publisher is verified", "Verify the publisher"
    if app.verified_publisher:
        return 0.0, "The provider has verified the publisher", None
    return 1.0, "The provider has not verified the publisher", "Prefer a verified publisher"


def _judge_look_alike(app: RiskInput) -> _Judgement:
    if app.look_alike is None:
        return 0.0, "It does not imitate a known brand", None
    return (
        app.look_alike.confidence,
        app.look_alike.sentence,
        "Revoke it and block it unless the vendor confirms it",
    )


def _judge_status(app: RiskInput) -> _Judgement:
    said = {
        "approved": "It is approved",
        "restricted": "It is approved with restrictions",
        "under_review": "It is under review",
        "unreviewed": "Nobody has reviewed it",
        "not_allowed": "It is not allowed, and still in use",
    }[app.status]
    remedy = "Revoke it" if app.status == "not_allowed" else "Review it and set its status"
    return _STATUS[app.status], said, remedy


def _judge_departed(app: RiskInput) -> _Judgement:
    count = app.departed_holders
    unknown = "It is not known whether leavers still hold it"
    said = unknown if count is None else f"People who left and still hold it: {count}"
    return _counted(count, 20) * _damage(app), said, "Revoke the grants of people who left"


def _judge_stale(app: RiskInput) -> _Judgement:
    count = app.stale_holders
    said = "It is not known who still uses it" if count is None else f"Holders who do not use it: {count}"
    return _counted(count, 100) * _damage(app), said, "Revoke grants that are not used"


def _judge_newness(app: RiskInput) -> _Judgement:
    if app.age_days is None:
        return _UNKNOWN, "It is not known since when it is here", "Nothing to do: this passes with time"
    if app.age_days >= _NEW_DAYS:
        return 0.0, f"It was first seen {_NEW_DAYS} days ago or earlier", None
    share = max(0.0, 1 - app.age_days / _NEW_DAYS)
    return share, f"It was first seen {app.age_days} days ago", "Nothing to do: this passes with time"


_FACTORS: tuple[tuple[str, str, Callable[[RiskInput], _Judgement]], ...] = (
    ("reach", "What it can reach", _judge_reach),
    ("people", "How many people hold it", _judge_people),
    ("privileged", "Administrators among them", _judge_privileged),
    ("breadth", "Systems it is connected to", _judge_breadth),
    ("identity", "What it is", _judge_identity),
    ("publisher", "Who publishes it", _judge_publisher),
    ("look_alike", "Imitation of a known brand", _judge_look_alike),
    ("status", "Your decision about it", _judge_status),
    ("departed", "People who left", _judge_departed),
    ("stale", "Grants nobody uses", _judge_stale),
    ("newness", "How new it is", _judge_newness),
)
