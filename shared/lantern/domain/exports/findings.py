"""Findings of an export, by the same rules as a connected organisation's.

A rule that needs a fact the export does not state is neither true nor false: it is counted as unknown, and
said so. Grants are evaluated once per distinct set of facts, so that many rows cost little.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from lantern.domain.apps import AppNotes, AppSummary
from lantern.domain.exports.census import NOT_TOLD, Census, Held, Person
from lantern.domain.exports.judge import JudgedApp, Knowledge, classify, idle_days
from lantern.domain.exports.rows import Permission
from lantern.domain.facts import app_facts, vendor_facts
from lantern.domain.rules.model import BoundRule, Rule, RuleSet
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity
from lantern.domain.scopes import ScopeClass, severity_rank, worst
from lantern.domain.tally import SHARED

Facts = Mapping[str, Any]
_Signature = tuple[int, bool | None, bool | None, str | None, str, int | None, int | None]
_Answer = tuple[tuple[int, bool | None, Grade], ...]
"""What the rules bound to an app say of a grant: which of them, holds or unknown, how grave."""


@dataclass(frozen=True, slots=True)
class PostureFinding:
    """One cause about one app or person. Not `certain`: an unknown fact could change the severity."""

    rule: str
    title: str
    severity: Severity
    certain: bool
    subject: GroupBy
    name: str
    app_id: str | None
    grants: int
    why: str
    runbook: str
    respond: str | None


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """How one rule fared: for how many grants or apps it holds, and for how many nobody can tell."""

    rule: str
    findings: int
    holds: int
    unknown: int


@dataclass(slots=True)
class _Group:
    rule: Rule
    title: str
    name: str
    app_id: str | None
    severity: Severity
    certain: bool
    grants: int = 0

    def join(self, grade: Grade) -> None:
        """Count one more grant; the worst decides."""
        self.grants += 1
        if grade.level.rank > self.severity.rank:
            self.severity, self.certain = grade.level, grade.certain
        elif grade.level is self.severity:
            self.certain = self.certain or grade.certain


@dataclass(slots=True)
class _Tally:
    holds: int = 0
    unknown: int = 0
    groups: dict[str, _Group] = field(default_factory=dict)


_INFO: Final = Grade(Severity.INFO, True)  # noqa: FBT003 (a record's field)


class Findings:
    """Evaluates a rule set over a census."""

    def __init__(
        self, census: Census, judged: dict[int, JudgedApp], knowledge: Knowledge, rules: RuleSet, as_of: date
    ) -> None:
        self._census = census
        self._judged = judged
        self._knowledge = knowledge
        self._rules = rules
        self._as_of = as_of
        self._now = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
        self._tallies = {rule.id: _Tally() for rule in rules.rules}
        self._sets: dict[tuple[str, int], Facts] = {}
        self._memo: dict[tuple[str, Permission], ScopeClass] = {}
        self._answers: dict[_Answer, _Answer] = {}

    def evaluate(self) -> tuple[tuple[PostureFinding, ...], tuple[RuleOutcome, ...]]:
        """Every finding, worst first, and how each rule fared."""
        for judged in self._judged.values():
            self._see_app(judged)
        outcomes: dict[_Signature, _Answer] = {}
        rules: tuple[BoundRule, ...] = ()
        app: int | None = None
        for held in self._census.grants_by_app():
            if held.app != app:
                # Bound rules take room, and apps are many: those of one app are there at a time.
                app = held.app
                known = self._judged.get(app)
                rules = self._rules.bind_grants(self._app_facts(known), ("app", "vendor")) if known else ()
                outcomes.clear()
            if rules:
                self._see_grant(held, rules, outcomes)
        self._see_people()
        for rule in (*self._rules.connection_rules, *self._rules.asset_rules):
            # There is no connection: how complete a listing was, and what else is there, is in no export.
            self._tallies[rule.id].unknown += 1
        found = [one for tally in self._tallies.values() for one in _findings(tally)]
        ordered = sorted(found, key=lambda one: (-one.severity.rank, one.rule, -one.grants, one.name))
        fared = [
            RuleOutcome(rule.id, len(tally.groups), tally.holds, tally.unknown)
            for rule in self._rules.rules
            for tally in (self._tallies[rule.id],)
        ]
        return tuple(ordered), tuple(fared)

    # --- apps --------------------------------------------------------------------------------------

    def _see_app(self, app: JudgedApp) -> None:
        facts = self._app_facts(app)
        for rule in self._rules.app_rules:
            outcome = rule.check(facts)
            tally = self._tallies[rule.id]
            if outcome:
                tally.holds += 1
                grade = rule.bind(facts, ()).grade(facts)
                tally.groups[app.id] = _Group(
                    rule, rule.headline(facts), app.app.name, app.id, *grade, grants=app.holders.people
                )
            elif outcome is None:
                tally.unknown += 1

    def _app_facts(self, app: JudgedApp) -> Facts:
        row = summary_of(app)
        vendor = vendor_facts(row.vendor, self._knowledge.vendor(row.vendor), self._now)
        return app_facts(row, None, self._now) | vendor

    # --- grants ------------------------------------------------------------------------------------

    def _see_grant(
        self,
        held: Held,
        rules: tuple[BoundRule, ...],
        outcomes: dict[_Signature, _Answer],
    ) -> None:
        person = self._census.people[held.person]
        granted = (self._as_of - held.granted_on).days if held.granted_on else None
        idle = idle_days(held.last_used, self._as_of)
        about = (person.departed, person.admin, person.status, person.kind)
        signature = (held.permissions, *about, granted, idle)
        known = outcomes.get(signature)
        if known is None:
            facts = self._grant_facts(held, person, granted, idle)
            said = tuple(_outcomes(rules, facts))
            # Many signatures are answered alike: each answer is kept once.
            known = outcomes[signature] = self._answers.setdefault(said, said)
        for number, outcome, grade in known:
            bound = rules[number]
            tally = self._tallies[bound.rule.id]
            if outcome is None:
                tally.unknown += 1
            else:
                tally.holds += 1
                self._group(tally, bound.rule, held, person).join(grade)

    def _group(self, tally: _Tally, rule: Rule, held: Held, person: Person) -> _Group:
        app = self._judged[held.app]
        by_app = rule.group_by is GroupBy.APP
        key = app.id if by_app else f"person:{held.person}"
        group = tally.groups.get(key)
        if group is None:
            facts = self._app_facts(app)
            group = tally.groups[key] = _Group(
                rule,
                rule.headline(facts),
                app.app.name if by_app else person.label,
                app.id if by_app else None,
                Severity.INFO,
                certain=False,
            )
        return group

    def _grant_facts(self, held: Held, person: Person, granted: int | None, idle: int | None) -> Facts:
        return {
            **self._scope_facts(held),
            "grant.id": "",
            # An export is one moment: whether a grant grew is in none.
            "grant.added_scopes": None,
            "grant.added_scope_severity": None,
            "grant.granted_days": granted,
            "grant.first_seen_days": None,
            "activity.idle_days": idle,
            "principal.id": "",
            "principal.status": person.status,
            "principal.admin": person.admin,
            "principal.kind": person.kind,
            "principal.departed": person.departed,
            "principal.shared": person.kind in SHARED,
            "person.id": "",
            "person.departed": person.departed,
            "person.admin": person.admin,
        }

    def _scope_facts(self, held: Held) -> Facts:
        provider = self._judged[held.app].app.provider
        key = (provider, held.permissions)
        if key not in self._sets:
            self._sets[key] = self._facts_of_set(provider, held.permissions)
        return self._sets[key]

    def _facts_of_set(self, provider: str, number: int) -> Facts:
        if number == NOT_TOLD:
            return dict.fromkeys(
                ("grant.scopes", "grant.scope_severity", "grant.data_classes", "grant.access",
                 "grant.restricted_scopes")
            )  # fmt: skip
        held = self._census.sets[number]
        classes = [classify(provider, one, self._knowledge, self._memo) for one in held]
        return {
            "grant.scopes": frozenset(one.scope for one in held),
            "grant.scope_severity": worst(classes),
            "grant.data_classes": tuple(sorted({one.data_class for one in classes if one.data_class})),
            "grant.access": tuple(sorted({one.access for one in classes if one.access})),
            "grant.restricted_scopes": tuple(one.scope for one in classes if one.label == "restricted"),
        }

    # --- people ------------------------------------------------------------------------------------

    def _see_people(self) -> None:
        for rule in self._rules.person_rules:
            tally = self._tallies[rule.id]
            for number, person in enumerate(self._census.people):
                if person.kind != "user":
                    continue
                facts = {"person.id": "", "person.departed": person.departed, "person.admin": person.admin}
                outcome = rule.check(facts)
                if outcome:
                    tally.holds += 1
                    grade = rule.bind(facts, ()).grade(facts)
                    tally.groups[f"person:{number}"] = _Group(
                        rule, rule.headline(facts), person.label, None, *grade
                    )
                elif outcome is None:
                    tally.unknown += 1


def _outcomes(rules: tuple[BoundRule, ...], facts: Facts) -> Iterator[tuple[int, bool | None, Grade]]:
    for number, bound in enumerate(rules):
        outcome = bound.outcome if bound.decided else bound.check(facts)
        if outcome is not False:
            yield number, outcome, bound.grade(facts) if outcome else _INFO


def _findings(tally: _Tally) -> Iterator[PostureFinding]:
    for group in tally.groups.values():
        rule = group.rule
        yield PostureFinding(
            rule.id, group.title, group.severity, group.certain, rule.group_by, group.name, group.app_id,
            group.grants, rule.why, rule.runbook, rule.respond,
        )  # fmt: skip


def summary_of(app: JudgedApp) -> AppSummary:
    """A judged app as rules see it."""
    severity = worst(app.classes) if app.classes is not None else None
    return AppSummary(
        app_id=app.id,
        provider=app.app.provider,
        name=app.app.name,
        kind=app.app.kind,
        verdict=app.identified.verdict,
        confidence=app.identified.confidence,
        holders=app.holders.people or int(app.holders.whole_organisation),
        risk=app.risk.score,
        risk_level=app.risk.level,
        category=app.identified.category,
        product=app.identified.product,
        product_id=app.identified.product_id,
        vendor=app.identified.vendor,
        publisher=app.app.publisher,
        lookalike_of=app.look_alike.product if app.look_alike else None,
        scope_severity=severity
        if severity is not None and (severity_rank(severity) or app.classes)
        else None,
        status=app.app.status,
        last_used=app.holders.last_used,
        noted=AppNotes(
            verified=app.app.verified_publisher,
            data=tuple(sorted({one.data_class for one in app.classes or () if one.data_class})),
            access=tuple(sorted({one.access for one in app.classes or () if one.access})),
        ),
    )
