"""From judgements to a score, its fingerprint, and the same score under other weights."""

import hashlib
import math
from collections.abc import Callable, Iterable
from functools import lru_cache

from lantern.domain.risk import exposure, trust, use
from lantern.domain.risk.model import (
    DEFAULT,
    NEW_DAYS,
    WEEK,
    WEIGHT_NAMES,
    Assessment,
    Factor,
    FactorGroup,
    Judgement,
    RiskInput,
    Weights,
    level_of,
)
from lantern.domain.scopes import ScopeClass

Row = tuple[str, FactorGroup, str, Callable[[exposure.Case], Judgement]]

FACTORS: tuple[Row, ...] = (
    ("reach", "exposure", "What it can reach", exposure.judge_reach),
    ("people", "exposure", "How many people hold it", exposure.judge_people),
    ("privileged", "exposure", "Administrators among them", exposure.judge_privileged),
    ("breadth", "exposure", "Systems it is connected to", exposure.judge_breadth),
    ("personal", "exposure", "Personal and shared accounts", exposure.judge_personal),
    ("unused", "exposure", "Permissions it does not use", exposure.judge_unused),
    ("identity", "trust", "What it is", trust.judge_identity),
    ("publisher", "trust", "Who publishes it", trust.judge_publisher),
    ("training", "trust", "What the vendor does with data", trust.judge_training),
    ("assurance", "trust", "What assurance the vendor gives", trust.judge_assurance),
    ("incidents", "trust", "What happened at the vendor", trust.judge_incidents),
    ("ownership", "trust", "Seat and age of the vendor", trust.judge_ownership),
    ("look_alike", "trust", "Imitation of a known brand", trust.judge_look_alike),
    ("abuse", "trust", "Known abuse", trust.judge_abuse),
    ("newness", "trust", "How new it is", trust.judge_newness),
    ("departed", "use", "People who left", use.judge_departed),
    ("stale", "use", "Grants nobody uses", use.judge_stale),
    ("anomaly", "use", "Change of use", use.judge_anomaly),
    ("status", "status", "Your decision about it", use.judge_status),
)
_COUNTS = (
    "holders",
    "org_size",
    "privileged_holders",
    "stale_holders",
    "departed_holders",
    "personal_holders",
    "shared_holders",
    "connections",
)


def assess(app: RiskInput, weights: Weights = DEFAULT) -> Assessment:
    """Return the risk of `app` with every factor that makes it, most points first.

    Raises:
        ValueError: If a count is negative.
    """
    for name in _COUNTS:
        value = getattr(app, name)
        if value is not None and value < 0:
            raise ValueError(f"{name} must not be negative")
    case = exposure.Case.of(app)
    factors = [factor(name, group, title, judge(case), weights) for name, group, title, judge in FACTORS]
    return assessed(factors, fingerprint(app, weights))


def assessed(factors: Iterable[Factor], mark: str) -> Assessment:
    """Return what factors add up to."""
    ordered = tuple(sorted(factors, key=lambda one: (-one.points, one.id)))
    score = total(one.points for one in ordered)
    return Assessment(score, level_of(score), ordered, mark)


def factor(name: str, group: FactorGroup, title: str, judgement: Judgement, weights: Weights) -> Factor:
    """Return a judgement with its points."""
    share, evidence, remedy = judgement
    weight = float(getattr(weights, name))
    part = share_of(share)
    given = points(weight, part)
    return Factor(name, title, given, weight, weight, evidence, remedy if given else None, part, group)


def share_of(share: float) -> float:
    """Return a share within 0-1, in thousandths: that is how it is kept."""
    return round(min(1.0, max(0.0, share)), 3)


def points(weight: float, share: float) -> float:
    """Return what a share of a weight gives, in hundredths of a point."""
    return min(weight, round(weight * share, 2))


def total(given: Iterable[float]) -> int:
    """Return the score that points add up to."""
    return min(100, math.floor(math.fsum(given) + 0.5))


# --- other weights ------------------------------------------------------------------------------------------

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def pack_shares(assessment: Assessment) -> str:
    """Return the shares of all factors in two characters each: what a score is under any weights."""
    shares = {one.id: round(one.share * 1000) for one in assessment.factors}
    return "".join(
        _DIGITS[shares.get(name, 0) // 36] + _DIGITS[shares.get(name, 0) % 36] for name in WEIGHT_NAMES
    )


def reweighed(shares: str, weights: Weights) -> int:
    """Return the score that packed shares give under `weights`: exactly what `assess` would say."""
    pairs = zip(WEIGHT_NAMES, range(0, len(shares), 2), strict=False)
    return total(
        points(float(getattr(weights, name)), int(shares[at : at + 2], 36) / 1000) for name, at in pairs
    )


# --- fingerprint --------------------------------------------------------------------------------------------


def fingerprint(app: RiskInput, weights: Weights = DEFAULT) -> str:
    """Return a short hash of everything the assessment depends on; the order of scopes does not matter."""
    found = app.identification
    parts = (
        found.verdict, found.confidence, found.vendor, found.product, found.category, found.entry_revision,
        [(one.kind, one.sentence, one.confidence) for one in found.evidence],
        _marks(app.scopes), _marks(app.unused),
        app.holders, app.org_size, app.privileged_holders, app.stale_holders, app.departed_holders,
        app.personal_holders, app.shared_holders, app.connections, app.verified_publisher, app.status,
        # An app that is no longer new does not change by growing a day older.
        None if app.age_days is None else NEW_DAYS if app.age_days >= NEW_DAYS else app.age_days // WEEK,
        app.look_alike and (app.look_alike.confidence, app.look_alike.sentence),
        app.abuse and (app.abuse.confidence, app.abuse.sentence),
        app.vendor and (app.vendor.revision, app.vendor.years, app.vendor.incidents),
        app.use_change and (app.use_change.kind, app.use_change.last_week, app.use_change.usual_week),
    )  # fmt: skip
    return hashlib.sha256(f"{parts!r}{_weights_mark(weights)}".encode()).hexdigest()[:16]


def _marks(scopes: tuple[ScopeClass, ...] | None) -> list[str] | None:
    return None if scopes is None else sorted({_mark(scope) for scope in scopes})


@lru_cache(maxsize=8192)
def _mark(scope: ScopeClass) -> str:
    return (
        f"{scope.provider} {scope.scope} {scope.data_class} {scope.access} {scope.severity} {scope.sentence}"
    )


@lru_cache(maxsize=64)
def _weights_mark(weights: Weights) -> str:
    return repr([float(getattr(weights, name)) for name in WEIGHT_NAMES])
