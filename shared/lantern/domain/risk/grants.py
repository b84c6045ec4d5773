"""How risky one grant is: what it alone reaches, who holds it, how it is used, and what the app is.

The points are those of the app's factors (`Weights`), so that both scores are read alike; counts of people
become yes or no.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lantern.domain.risk import exposure, trust, use
from lantern.domain.risk.exposure import UNKNOWN, damage
from lantern.domain.risk.model import (
    DEFAULT,
    Assessment,
    Factor,
    FactorGroup,
    Judgement,
    RiskInput,
    Weights,
)
from lantern.domain.risk.scoring import Row, assessed, factor, fingerprint, points, share_of, total
from lantern.domain.scopes import ScopeClass


@dataclass(frozen=True, slots=True)
class GrantInput:
    """What is known about one grant; None is "not known".

    `app` tells what the app is and what was decided; its scopes and counts do not count here. `scopes` is
    what this grant holds. `admin`, `departed` and `personal` are about its holder; `stale`: unused for long;
    `grew`: it got more permissions within the last month.
    """

    app: RiskInput
    scopes: tuple[ScopeClass, ...] | None
    admin: bool | None = None
    departed: bool | None = None
    stale: bool | None = None
    personal: bool | None = None
    grew: bool | None = False


_APP: tuple[Row, ...] = (
    ("reach", "exposure", "What it can reach", exposure.judge_reach),
    ("unused", "exposure", "Permissions it does not use", exposure.judge_unused),
    ("identity", "trust", "What the app is", trust.judge_identity),
    ("publisher", "trust", "Who publishes it", trust.judge_publisher),
    ("training", "trust", "What the vendor does with data", trust.judge_training),
    ("assurance", "trust", "What assurance the vendor gives", trust.judge_assurance),
    ("incidents", "trust", "What happened at the vendor", trust.judge_incidents),
    ("ownership", "trust", "Seat and age of the vendor", trust.judge_ownership),
    ("look_alike", "trust", "Imitation of a known brand", trust.judge_look_alike),
    ("abuse", "trust", "Known abuse", trust.judge_abuse),
    ("anomaly", "use", "Change of use", use.judge_anomaly),
    ("status", "status", "Your decision about the app", use.judge_status),
)
_Told = tuple[str, str, str]
Flags = tuple[bool | None, bool | None, bool | None, bool | None, bool | None]
# Attribute, factor, group, title; what is said where it holds, does not, is not known; the remedy.
_HOLDER: tuple[tuple[str, str, FactorGroup, str, _Told, str], ...] = (
    ("admin", "privileged", "exposure", "Whether an administrator holds it",
     ("An administrator holds it", "The holder is no administrator",
      "It is not known whether the holder is an administrator"),
     "Revoke it, or use a separate account"),
    ("personal", "personal", "exposure", "Whether a personal account holds it",
     ("A personal or outside account holds it", "An account of the organisation holds it",
      "It is not known whose account holds it"),
     "Move the work to an account of the organisation"),
    ("departed", "departed", "use", "Whether the holder left",
     ("The holder left", "The holder works here", "It is not known whether the holder left"),
     "Revoke it"),
    ("stale", "stale", "use", "Whether it is used",
     ("It was not used for 90 days or more", "It is used", "It is not known whether it is used"),
     "Revoke it"),
    ("grew", "newness", "use", "Whether it grew",
     ("It got more permissions within 30 days", "It did not grow within 30 days",
      "It is not known whether it grew"),
     "Ask the holder whether the new permissions were meant"),
)  # fmt: skip


def assess_grant(grant: GrantInput, weights: Weights = DEFAULT) -> Assessment:
    """Return the risk of one grant with every factor that makes it, most points first."""
    held = _held(grant)
    factors = _of_app(held, weights)
    harm = damage(grant.scopes)
    for attribute, name, group, title, told, remedy in _HOLDER:
        judgement = _judge(getattr(grant, attribute), harm, told, remedy)
        factors.append(factor(name, group, title, judgement, weights))
    mark = fingerprint(held, weights) + repr(_flags(grant))
    return assessed(factors, mark)


def grant_scores(
    app: RiskInput, scopes: tuple[ScopeClass, ...] | None, kinds: Iterable[Flags], weights: Weights = DEFAULT
) -> list[int]:
    """Return the scores of grants of the same permissions: the same as `assess_grant` would say, and cheaper.

    Args:
        app: what the app is and what was decided.
        scopes: what these grants hold.
        kinds: admin, departed, stale, personal and grew of each.
        weights: how factors are weighed.
    """
    shared = [one.points for one in _of_app(_held(GrantInput(app, scopes)), weights)]
    harm = damage(scopes)
    names = [name for _, name, *_ in _HOLDER]
    attributes = [attribute for attribute, *_ in _HOLDER]
    found = []
    for kind in kinds:
        told = dict(zip(_FLAGS, kind, strict=True))
        own = [
            points(getattr(weights, name), share_of(_share(told[attribute]) * harm))
            for attribute, name in zip(attributes, names, strict=True)
        ]
        found.append(total([*shared, *own]))
    return found


_FLAGS = ("admin", "departed", "stale", "personal", "grew")


def _flags(grant: GrantInput) -> Flags:
    return grant.admin, grant.departed, grant.stale, grant.personal, grant.grew


def _held(grant: GrantInput) -> RiskInput:
    return replace(grant.app, scopes=grant.scopes, unused=_unused(grant))


def _of_app(held: RiskInput, weights: Weights) -> list[Factor]:
    case = exposure.Case.of(held)
    return [factor(name, group, title, judge(case), weights) for name, group, title, judge in _APP]


def _share(holds: bool | None) -> float:  # noqa: FBT001 - one fact
    return UNKNOWN if holds is None else float(holds)


def _judge(holds: bool | None, harm: float, told: _Told, remedy: str) -> Judgement:  # noqa: FBT001 - one fact
    share = _share(holds)
    said = told[2] if holds is None else told[0] if holds else told[1]
    return share * harm, said, remedy if share else None


def _unused(grant: GrantInput) -> tuple[ScopeClass, ...] | None:
    """Of what the app never uses, what this grant holds."""
    if grant.app.unused is None or grant.scopes is None:
        return None
    held = set(grant.scopes)
    return tuple(one for one in grant.app.unused if one in held)
