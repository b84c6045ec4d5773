"""The posture of an organisation as one document: counts, apps, reach, findings, and what is not known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

from lantern.domain.exports.census import Census
from lantern.domain.exports.findings import Findings, PostureFinding, RuleOutcome
from lantern.domain.exports.judge import AI_VERDICTS, JudgedApp, Knowledge, judge_apps
from lantern.domain.exports.limits import limits_of
from lantern.domain.exports.reach import ReachCell, UnknownScope, reach_of, unknown_scopes
from lantern.domain.identification import Verdict
from lantern.domain.inventory import Provider
from lantern.domain.risk import Factor, RiskLevel
from lantern.domain.rules.model import RuleSet
from lantern.domain.scopes import ScopeClass, Severity, severity_rank, worst
from lantern.domain.tally import STALE_DAYS

FORMAT: Final = 1
_REASONS: Final = 3
_WEIGHTY: Final = 1.0
"""A factor of fewer points is no reason worth reading."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: what it was taken for, how many rows were used, how many not."""

    name: str
    format: str | None
    title: str
    rows: int
    bad: int
    problem: str | None = None
    cannot_say: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """One thing an app can do, in a sentence."""

    scope: str
    sentence: str
    data_class: str | None
    access: str | None
    severity: Severity
    known: bool


@dataclass(frozen=True, slots=True)
class AppPosture:
    """One app. Counts are people, None where the exports cannot tell them."""

    id: str
    provider: Provider
    client_id: str
    name: str
    verdict: Verdict
    confidence: float
    product: str | None
    vendor: str | None
    category: str | None
    why: tuple[str, ...]
    risk: int
    level: RiskLevel
    reasons: tuple[str, ...]
    factors: tuple[Factor, ...]
    people: int
    groups: int
    whole_organisation: bool
    departed: int | None
    admins: int | None
    stale: int | None
    first_granted: date | None
    last_used: date | None
    imitates: str | None
    status: str | None
    severity: Severity | None
    reach: tuple[Reach, ...] | None


@dataclass(frozen=True, slots=True)
class AutomationPosture:
    """An app that runs things on its own. `calls` empty: which AI it calls is not visible."""

    app_id: str
    name: str
    provider: Provider
    platform: str
    evidence: str
    calls: tuple[str, ...]
    people: int
    whole_organisation: bool
    risk: int
    level: RiskLevel
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody who left and still has grants."""

    name: str
    status: str
    grants: int
    ai_grants: int


@dataclass(frozen=True, slots=True)
class StaleApp:
    """Grants of an app that were not used for long."""

    app_id: str
    name: str
    grants: int
    people: int
    last_used: date | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures on top. None where the exports cannot tell."""

    people: int
    people_with_ai: int
    apps: int
    ai_apps: int
    embedded_ai_apps: int
    unidentified_apps: int
    grants: int
    ai_grants: int
    organisation_wide_grants: int
    critical_apps: int
    high_apps: int
    leavers: int | None
    stale_grants: int | None
    unknown_scopes: int
    rows: int
    bad_rows: int


@dataclass(frozen=True, slots=True)
class Posture:
    """Everything an export says about an organisation's AI, and what it does not."""

    as_of: date
    sources: tuple[Source, ...]
    counts: Counts
    apps: tuple[AppPosture, ...]
    reach: tuple[ReachCell, ...]
    findings: tuple[PostureFinding, ...]
    rules: tuple[RuleOutcome, ...]
    automations: tuple[AutomationPosture, ...]
    leavers: tuple[Leaver, ...]
    stale: tuple[StaleApp, ...]
    unknown_scopes: tuple[UnknownScope, ...]
    limits: tuple[str, ...]

    @property
    def ai_apps(self) -> tuple[AppPosture, ...]:
        """Apps that are AI or have AI inside, the riskiest first."""
        return tuple(app for app in self.apps if app.verdict in AI_VERDICTS)

    @property
    def risky_others(self) -> tuple[AppPosture, ...]:
        """Apps of high risk that are not known to be AI."""
        return tuple(
            app for app in self.apps if app.verdict not in AI_VERDICTS and app.level in ("high", "critical")
        )

    def document(self) -> dict[str, Any]:
        """The posture by its parts; what is inside them stays records, for whoever writes it to convert."""
        return {"format": FORMAT, **{part.name: getattr(self, part.name) for part in fields(self)}}


def posture_of(
    census: Census, sources: Sequence[Source], knowledge: Knowledge, rules: RuleSet, as_of: date
) -> Posture:
    """Judge a closed census as of a day."""
    size = organisation_size(census)
    apps = judge_apps(census, knowledge, as_of, size)
    place = {id(app.app): app for app in apps}
    judged = {number: place[id(app)] for number, app in enumerate(census.apps) if id(app) in place}
    reach = reach_of(census, judged, knowledge)
    findings, outcomes = Findings(census, judged, knowledge, rules, as_of).evaluate()
    unknown = unknown_scopes(apps)
    tally = _Tally(census, judged, as_of)
    return Posture(
        as_of=as_of,
        sources=tuple(sources),
        counts=_counts(census, apps, tally, unknown, sources),
        apps=tuple(_app(one) for one in sorted(apps, key=_riskiest)),
        reach=reach,
        findings=findings,
        rules=outcomes,
        automations=tuple(_automation(one) for one in sorted(apps, key=_riskiest) if one.automation),
        leavers=tally.leavers(),
        stale=tally.stale(),
        unknown_scopes=unknown,
        limits=limits_of(census, apps, (line for source in sources for line in source.cannot_say)),
    )


def organisation_size(census: Census) -> int | None:
    """How many people work there; None unless an export lists people rather than only holders."""
    listed = [person for person in census.people if person.listed and person.kind == "user"]
    return sum(person.status in (None, "active") for person in listed) or None


def _riskiest(app: JudgedApp) -> tuple[int, int, str]:
    return -app.risk.score, -app.holders.people, app.id


class _Tally:
    """One pass over the grants: who has AI, who left, what lies idle."""

    def __init__(self, census: Census, judged: dict[int, JudgedApp], as_of: date) -> None:
        self.with_ai: set[int] = set()
        self.ai_grants = 0
        self.wide = 0
        self.idle_known = False
        self.idle = 0
        self._left: dict[int, list[int]] = {}
        self._stale: dict[int, list[int]] = {}
        self._census = census
        self._judged = judged
        for held in census.grants():
            person = census.people[held.person]
            app = judged.get(held.app)
            is_ai = app is not None and app.is_ai
            self.ai_grants += is_ai
            self.wide += person.kind == "organisation"
            if is_ai and person.kind == "user":
                self.with_ai.add(held.person)
            if person.departed and person.kind == "user":
                counted = self._left.setdefault(held.person, [0, 0])
                counted[0] += 1
                counted[1] += is_ai
            if held.last_used is not None:
                self.idle_known = True
                if (as_of - held.last_used).days >= STALE_DAYS and not person.departed:
                    self.idle += 1
                    self._stale.setdefault(held.app, []).append(held.last_used.toordinal())

    def leavers(self) -> tuple[Leaver, ...]:
        """People who left and still hold something, those with most AI first."""
        rows = [
            Leaver(person.label, person.status or "unknown", grants, ai)
            for number, (grants, ai) in self._left.items()
            for person in (self._census.people[number],)
        ]
        return tuple(sorted(rows, key=lambda one: (-one.ai_grants, -one.grants, one.name)))

    def stale(self) -> tuple[StaleApp, ...]:
        """Apps with idle grants, those with most first."""
        rows = [
            StaleApp(app.id, app.app.name, len(days), len(days), date.fromordinal(max(days)))
            for number, days in self._stale.items()
            if (app := self._judged.get(number)) is not None
        ]
        return tuple(sorted(rows, key=lambda one: (-one.grants, one.name)))


def _counts(
    census: Census,
    apps: list[JudgedApp],
    tally: _Tally,
    unknown: tuple[UnknownScope, ...],
    sources: Sequence[Source],
) -> Counts:
    people = [person for person in census.people if person.kind == "user"]
    verdicts = [app.identified.verdict for app in apps]
    levels = [app.risk.level for app in apps if app.is_ai]
    status_known = any(person.status is not None for person in people)
    return Counts(
        people=len(people),
        people_with_ai=len(tally.with_ai),
        apps=len(apps),
        ai_apps=verdicts.count("ai"),
        embedded_ai_apps=verdicts.count("embedded_ai"),
        unidentified_apps=verdicts.count("unknown"),
        grants=census.grant_count,
        ai_grants=tally.ai_grants,
        organisation_wide_grants=tally.wide,
        critical_apps=levels.count("critical"),
        high_apps=levels.count("high"),
        leavers=len(tally.leavers()) if status_known else None,
        stale_grants=tally.idle if tally.idle_known else None,
        unknown_scopes=len(unknown),
        rows=sum(source.rows for source in sources),
        bad_rows=sum(source.bad for source in sources),
    )


def _app(one: JudgedApp) -> AppPosture:
    identified, holders, app = one.identified, one.holders, one.app
    return AppPosture(
        id=one.id,
        provider=app.provider,
        client_id=app.client_id,
        name=app.name,
        verdict=identified.verdict,
        confidence=identified.confidence,
        product=identified.product,
        vendor=identified.vendor,
        category=identified.category,
        why=tuple(item.sentence for item in identified.evidence),
        risk=one.risk.score,
        level=one.risk.level,
        reasons=_reasons(one.risk.factors),
        factors=one.risk.factors,
        people=holders.people,
        groups=holders.groups,
        whole_organisation=holders.whole_organisation,
        departed=holders.known_departed(),
        admins=holders.known_admins(),
        stale=holders.known_stale(),
        first_granted=holders.first_granted,
        last_used=holders.last_used,
        imitates=one.look_alike.sentence if one.look_alike else None,
        status=app.status,
        severity=None if one.classes is None else worst(one.classes),
        reach=None if one.classes is None else _reach(one.classes),
    )


def _reasons(factors: Iterable[Factor]) -> tuple[str, ...]:
    """What gives most of the score, in the words of the factors."""
    return tuple(factor.evidence for factor in factors if factor.points >= _WEIGHTY)[:_REASONS]


def _reach(classes: tuple[ScopeClass, ...]) -> tuple[Reach, ...]:
    rows = (Reach(c.scope, c.sentence, c.data_class, c.access, c.severity, c.known) for c in classes)
    return tuple(sorted(rows, key=lambda one: (-severity_rank(one.severity), one.sentence, one.scope)))


def _automation(one: JudgedApp) -> AutomationPosture:
    if one.automation is None:
        raise ValueError(f"{one.id} is no automation")
    return AutomationPosture(
        app_id=one.id,
        name=one.app.name,
        provider=one.app.provider,
        platform=one.automation.platform,
        evidence=one.automation.evidence,
        calls=one.automation.calls,
        people=one.holders.people,
        whole_organisation=one.holders.whole_organisation,
        risk=one.risk.score,
        level=one.risk.level,
        severity=None if one.classes is None else worst(one.classes),
    )
