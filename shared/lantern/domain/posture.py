"""How an organisation stands, 0-100 (100 is best), and what drives it: a pure function of its apps list.

Each driver takes points off, on a curve that saturates: `n / (n + half)` of its weight, where `half` is the
number that costs half of it. One more bad thing never raises the score, taking one away never lowers it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from lantern.domain.apps import AppSummary

DORMANT_DAYS: Final = 90
_NAMED: Final = 5
_AI: Final = frozenset({"ai", "embedded_ai"})


@dataclass(frozen=True, slots=True)
class Driver:
    """What takes points off: how many of at most `max_points`, what was seen, what would help, and where.

    `apps` are the ids of those that weigh most, `count` is how many there are.
    """

    id: str
    title: str
    points: float
    max_points: float
    count: int
    evidence: str
    remedy: str | None
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Posture:
    """The score, its drivers with the heaviest first, and over how many apps in use."""

    score: int
    drivers: tuple[Driver, ...]
    apps: int


@dataclass(frozen=True, slots=True)
class PostureDay:
    """A day's posture as kept: the score and the points that each driver took off."""

    day: date
    score: int
    apps: int
    points: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Spec:
    """A driver: what it weighs, the number that costs half of it, and how much an app counts (0 not)."""

    id: str
    title: str
    weight: float
    half: float
    counts: Callable[[AppSummary, date], float]
    evidence: str
    remedy: str


def _risky(app: AppSummary, _: date) -> float:
    return {"critical": 1.0, "high": 0.4}.get(app.risk_level or "", 0.0)


def _unreviewed(app: AppSummary, _: date) -> float:
    return float(app.verdict in _AI and app.status in (None, "under_review"))


def _forbidden(app: AppSummary, _: date) -> float:
    return float(app.status == "not_allowed")


def _impostor(app: AppSummary, _: date) -> float:
    return float(app.lookalike_of is not None or app.abused)


def _sensitive(app: AppSummary, _: date) -> float:
    return float(app.scope_severity == "critical" and app.status not in ("approved", "restricted"))


def _dormant(app: AppSummary, today: date) -> float:
    return float(app.last_used is not None and (today - app.last_used).days >= DORMANT_DAYS)


def _unknown(app: AppSummary, _: date) -> float:
    return float(app.verdict == "unknown" or app.scope_severity is None or app.risk is None)


DRIVERS: Final = (
    _Spec("risky_apps", "Apps of high or critical risk", 30, 8, _risky,
          "{count} apps in use are of high or critical risk", "Lower the risk of the riskiest apps first"),
    _Spec("unreviewed", "AI apps that nobody has decided about", 20, 15, _unreviewed,
          "{count} AI apps in use have no decision", "Decide about the AI apps that most people hold"),
    _Spec("sensitive_reach", "Critical permissions that nobody approved", 15, 8, _sensitive,
          "{count} apps hold critical permissions without approval", "Approve them or revoke them"),
    _Spec("not_allowed", "Apps that are not allowed and still held", 12, 3, _forbidden,
          "{count} apps are not allowed and still held", "Revoke them"),
    _Spec("impostors", "Look-alikes and apps known to be abused", 12, 1, _impostor,
          "{count} apps imitate a brand or are known to be abused", "Find out who consented, then revoke"),
    _Spec("dormant", "Apps that nobody uses any more", 6, 20, _dormant,
          "{count} apps were last used 90 days ago or earlier", "Revoke what is not used"),
    _Spec("unknown", "Apps that could not be judged whole", 5, 40, _unknown,
          "{count} apps are not identified, or what they reach is not known", "Review them"),
)  # fmt: skip


def posture(rows: Iterable[AppSummary], today: date) -> Posture:
    """Return how an organisation stands.

    Args:
        rows: its apps list with the risks in effect, in any order; apps that nobody holds do not count.
        today: for telling what is dormant.
    """
    held = [row for row in rows if row.holders > 0]
    drivers = [_driver(spec, held, today) for spec in DRIVERS]
    drivers.sort(key=lambda one: (-one.points, one.id))
    score = math.floor(100 - math.fsum(one.points for one in drivers) + 0.5)
    return Posture(max(0, score), tuple(drivers), len(held))


def _driver(spec: _Spec, held: list[AppSummary], today: date) -> Driver:
    counted = [(spec.counts(row, today), row) for row in held]
    bad = sorted(
        ((part, row) for part, row in counted if part > 0),
        key=lambda one: (-one[0], -(one[1].risk or 0), -one[1].holders, one[1].app_id),
    )
    total = math.fsum(part for part, _ in bad)
    return Driver(
        id=spec.id,
        title=spec.title,
        points=round(spec.weight * total / (total + spec.half), 2),
        max_points=spec.weight,
        count=len(bad),
        evidence=spec.evidence.format(count=len(bad)),
        remedy=spec.remedy if bad else None,
        apps=tuple(row.app_id for _, row in bad[:_NAMED]),
    )


def kept(found: Posture, now: datetime) -> PostureDay:
    """Return a day's posture in the form that is kept."""
    points = {one.id: one.points for one in found.drivers}
    return PostureDay(now.date(), found.score, found.apps, points)
