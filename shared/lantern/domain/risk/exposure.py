"""Exposure: what an app can reach, at how many people, in how many systems."""

import math
from dataclasses import dataclass

from lantern.domain.risk.model import Judgement, RiskInput
from lantern.domain.scopes import ScopeClass, Severity, severity_rank

# The part of the reach that the worst permission alone gives, and what each further kind of data adds.
_REACH: dict[Severity, float] = {"none": 0.0, "low": 0.08, "medium": 0.35, "high": 0.7, "critical": 1.0}
_FURTHER_DATA = 0.15
UNKNOWN_REACH = 0.7
UNKNOWN = 0.5
_MANY_PEOPLE = 1000
_MANY_CONNECTIONS = 4
_SHOWN = 3


def reach(scopes: tuple[ScopeClass, ...] | None) -> float:
    """Return 0-1: how far the permissions reach. The worst leads, each further kind of data adds a little."""
    if scopes is None:
        return UNKNOWN_REACH
    by_class: dict[str, Severity] = {}
    for scope in scopes:
        kind = scope.data_class or "unknown"
        by_class[kind] = max(by_class.get(kind, "none"), scope.severity, key=severity_rank)
    parts = sorted((_REACH[severity] for severity in by_class.values()), reverse=True)
    if not parts:
        return 0.0
    return 1 - (1 - parts[0]) * math.prod(1 - _FURTHER_DATA * part for part in parts[1:])


def damage(scopes: tuple[ScopeClass, ...] | None) -> float:
    """Return 0.2-1: who holds an app matters as far as it reaches something."""
    return 0.2 + 0.8 * reach(scopes)


@dataclass(frozen=True, slots=True)
class Case:
    """An app to be judged, with what several judgements need: how far it reaches, and the harm in that."""

    app: RiskInput
    reach: float
    harm: float

    @classmethod
    def of(cls, app: RiskInput) -> "Case":
        """The case of an app."""
        return cls(app, reach(app.scopes), damage(app.scopes))


def counted(count: int | None, many: int) -> float:
    """Return 0-1 for a count of people, on a logarithmic scale where `many` is everything."""
    if count is None:
        return UNKNOWN
    return min(1.0, 0.3 * (count > 0) + 0.7 * math.log1p(count) / math.log1p(many))


def told(scopes: tuple[ScopeClass, ...]) -> str:
    """Say what permissions do, the worst three first."""
    shown = sorted(set(scopes), key=lambda one: (-severity_rank(one.severity), one.sentence, one.scope))
    said = "; ".join(dict.fromkeys(f"{one.sentence} ({one.severity})" for one in shown[:_SHOWN]))
    return said + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")


def judge_reach(case: Case) -> Judgement:
    """What it can reach."""
    app = case.app
    remedy = "Ask for fewer permissions, or use an app that needs fewer"
    if app.scopes is None:
        return UNKNOWN_REACH, "The provider does not tell what it may reach", remedy
    if not app.scopes:
        return 0.0, "It has no permissions", None
    return case.reach, told(app.scopes), remedy


def judge_people(case: Case) -> Judgement:
    """How many people hold it, absolutely and of all."""
    app = case.app
    if app.holders == 0:
        return 0.0, "Nobody holds it", None
    size = math.log1p(app.holders) / math.log1p(_MANY_PEOPLE)
    part = min(1.0, app.holders / app.org_size) if app.org_size else 1.0
    share = 0.7 * min(1.0, size) + 0.3 * part
    of_all = f" of {app.org_size}" if app.org_size else ""
    people = "person holds" if app.holders == 1 else "people hold"
    return (
        share * case.harm,
        f"{app.holders}{of_all} {people} it",
        "Revoke it from people who do not need it",
    )


def judge_privileged(case: Case) -> Judgement:
    """Administrators among the holders."""
    app = case.app
    count = app.privileged_holders
    unknown = "It is not known whether administrators hold it"
    return (
        counted(count, 10) * case.harm,
        unknown if count is None else f"Administrators who hold it: {count}",
        "Revoke it from administrators, or use a separate account",
    )


def judge_breadth(case: Case) -> Judgement:
    """Systems it is connected to."""
    app = case.app
    share = max(0, app.connections - 1) / (_MANY_CONNECTIONS - 1)
    said = f"Systems it is connected to: {app.connections}"
    return min(1.0, share) * case.harm, said, "Disconnect it where it is not used"


def judge_personal(case: Case) -> Judgement:
    """Accounts that are not the organisation's, or that no single person answers for."""
    app = case.app
    count, shared = app.personal_holders, app.shared_holders
    said = "It is not known whether personal accounts hold it"
    share = counted(shared, 20)
    if count is None:
        share = max(share, counted(None, 20))
    else:
        share, said = counted(count + shared, 20), f"Personal or outside accounts that hold it: {count}"
    return (
        share * case.harm,
        said + (f"; shared and service accounts: {shared}" if shared else ""),
        "Move the work to accounts of the organisation, and revoke the others",
    )


def judge_unused(case: Case) -> Judgement:
    """Permissions that are held and never used; use that is not known is not held against it."""
    app = case.app
    remedy = "Ask for the permissions that are used, and no more"
    if app.unused is None:
        return 0.0, "It is not known which of its permissions it uses", None
    if not app.unused:
        return 0.0, "It uses all kinds of data it may reach, as far as use is reported", None
    return reach(app.unused), f"Held and never seen in use: {told(app.unused)}", remedy
