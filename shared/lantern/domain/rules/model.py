"""A rule at run time: read from compiled JSON, bound to an app's facts, evaluated over many grants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lantern.domain.errors import LanternError
from lantern.domain.rules.conditions import (
    Check,
    Decided,
    Facts,
    Node,
    Truth,
    check_of,
    comparisons,
    deciding_fields,
    from_data,
    settle,
    with_params,
)
from lantern.domain.rules.titles import clean, render
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Stage, Subject, is_number

FORMAT = 1
"""Version of the compiled form; another one is refused rather than guessed at."""


class RuleError(LanternError):
    """A compiled rule set or a tenant's override that cannot be used; the message says what is valid."""


@dataclass(frozen=True, slots=True)
class Param:
    """A figure or word a tenant may tune: `minimum`/`maximum` for numbers, `choices` for words."""

    name: str
    about: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """Why a tenant may not set `value`, in words; None when it may."""
        if self.choices:
            return None if value in self.choices else f"must be one of {', '.join(self.choices)}"
        if not is_number(value):
            return "must be a number"
        if self.minimum is None or self.maximum is None or self.minimum <= value <= self.maximum:
            return None
        return f"must be between {self.minimum:g} and {self.maximum:g}"


@dataclass(frozen=True, slots=True)
class SeverityRow:
    """`when` holds, `then` that severity; the last row of a table has no `when`."""

    when: Node | None
    then: Severity


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one rule says about one subject, and the facts that decided it.

    `grade` is None unless the rule holds.
    """

    rule_id: str
    subject_id: str | None
    outcome: Truth
    grade: Grade | None
    title: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A rule with the facts of some entities already weighed: what is left is a function of the others.

    With `decided` the `outcome` holds whatever the other facts are and `check` need not be called.
    """

    rule: Rule
    decided: bool
    outcome: Truth
    check: Check
    grades: tuple[tuple[Check, Severity], ...]

    def grade(self, facts: Facts) -> Grade:
        """Severity by the first row known to hold; uncertain when an unknown row stands before it."""
        certain = True
        for check, severity in self.grades:
            outcome = check(facts)
            if outcome:
                return Grade(severity, certain)
            if outcome is None:
                certain = False
        return Grade(self.rule.base_severity, certain)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to run. `version` is a digest of everything but its tests.

    `values` are the parameters in force. `where` and the severity table still name parameters; `ground`
    and `_check` have them filled in.
    """

    id: str
    version: str
    title: str
    why: str
    runbook: str
    severity: tuple[SeverityRow, ...]
    stage: Stage
    triggers: frozenset[str]
    subject: Subject
    group_by: GroupBy
    params: Mapping[str, Param]
    values: Mapping[str, Any]
    where: Node
    respond: str | None
    frameworks: Mapping[str, tuple[str, ...]]
    ground: Node = field(init=False, repr=False, compare=False)
    ground_severity: tuple[SeverityRow, ...] = field(init=False, repr=False, compare=False)
    check: Check = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ground = with_params(self.where, self.values)
        rows = tuple(
            SeverityRow(None if row.when is None else with_params(row.when, self.values), row.then)
            for row in self.severity
        )
        object.__setattr__(self, "ground", ground)
        object.__setattr__(self, "ground_severity", rows)
        object.__setattr__(self, "check", check_of(ground))

    @property
    def base_severity(self) -> Severity:
        """The severity when no row of the table is known to hold."""
        return self.severity[-1].then

    @property
    def fields(self) -> frozenset[str]:
        """Every field its condition and severity table read."""
        rows = (row.when for row in self.severity if row.when is not None)
        return frozenset(leaf.field for node in (self.where, *rows) for leaf in comparisons(node))

    def bind(self, facts: Facts, known: Iterable[str] = ("app",)) -> BoundRule:
        """Weigh the facts of the `known` entities once, for use on many subjects.

        Args:
            facts: flat dotted facts; one of a known entity that is missing is unknown.
            known: entities whose facts are all in `facts`.
        """
        entities = frozenset(known)
        node = settle(self.ground, facts, entities)
        if isinstance(node, Decided) and node.outcome is not True:
            return BoundRule(self, True, node.outcome, check_of(node), ())  # noqa: FBT003 (a record's field)
        grades = tuple(
            (check_of(settle(row.when, facts, entities)), row.then)
            for row in self.ground_severity
            if row.when is not None
        )
        decided = isinstance(node, Decided)
        return BoundRule(self, decided, True if decided else None, check_of(node), grades)

    def tailored(self, override: Override) -> Rule:
        """The rule as a tenant set it.

        Raises:
            RuleError: it has no such parameter, or the value is outside its bounds.
        """
        for name, value in override.params.items():
            param = self.params.get(name)
            if param is None:
                valid = ", ".join(self.params) or "none"
                raise RuleError(f"{self.id} has no parameter {name}; its parameters are {valid}")
            if problem := param.problem(value):
                raise RuleError(f"{self.id}: {name} {problem}")
        severity = self.severity if override.severity is None else (SeverityRow(None, override.severity),)
        return replace(
            self,
            stage=override.stage or self.stage,
            severity=severity,
            values={**self.values, **override.params},
        )

    def group_id(self, facts: Facts) -> str | None:
        """Id of the app, person, connection or asset a finding of this rule is about; None when unknown."""
        found = facts.get(f"{self.group_by}.id")
        return None if found is None else str(found)

    def headline(self, facts: Facts) -> str:
        """The title of the finding, with hostile characters gone and its length capped."""
        return render(self.title, facts, self.values)

    def judge(self, facts: Facts) -> Evaluation:
        """Evaluate over one subject's facts, with the evidence that decided."""
        outcome = self.check(facts)
        grade = self.bind(facts, ()).grade(facts) if outcome else None
        subject_id = facts.get(f"{self.subject}.id")
        evidence = {name: _inert(value) for name, value in deciding_fields(self.ground, facts).items()}
        return Evaluation(
            rule_id=self.id,
            subject_id=None if subject_id is None else str(subject_id),
            outcome=outcome,
            grade=grade,
            title=self.headline(facts),
            evidence=evidence,
        )


@dataclass(frozen=True, slots=True)
class Override:
    """What a tenant set for one rule; None leaves the rule's own value."""

    stage: Stage | None = None
    severity: Severity | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Compiled rules in the order of their ids; `revision` is a digest of their content."""

    revision: str
    rules: tuple[Rule, ...]

    def get(self, rule_id: str) -> Rule | None:
        """The rule of that id, or None."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def of(self, subject: Subject) -> tuple[Rule, ...]:
        """Rules that look at one subject."""
        return tuple(rule for rule in self.rules if rule.subject is subject)

    @property
    def fields(self) -> frozenset[str]:
        """Every field that any of the rules reads."""
        return frozenset(name for rule in self.rules for name in rule.fields)

    @property
    def grant_rules(self) -> tuple[Rule, ...]:
        """Rules evaluated once per grant."""
        return self.of(Subject.GRANT)

    @property
    def app_rules(self) -> tuple[Rule, ...]:
        """Rules evaluated once per app."""
        return self.of(Subject.APP)

    @property
    def person_rules(self) -> tuple[Rule, ...]:
        """Rules evaluated once per person."""
        return self.of(Subject.PERSON)

    @property
    def asset_rules(self) -> tuple[Rule, ...]:
        """Rules evaluated once per asset."""
        return self.of(Subject.ASSET)

    @property
    def connection_rules(self) -> tuple[Rule, ...]:
        """Rules evaluated once per connection."""
        return self.of(Subject.CONNECTION)

    def triggered_by(self, trigger: str) -> tuple[Rule, ...]:
        """Rules that want to be evaluated when `trigger` happens."""
        return tuple(rule for rule in self.rules if trigger in rule.triggers)

    def bind_grants(self, facts: Facts, known: Iterable[str] = ("app",)) -> tuple[BoundRule, ...]:
        """The grant rules that can still hold or be unknown, once the `known` facts are weighed."""
        bound = (rule.bind(facts, known) for rule in self.grant_rules)
        return tuple(rule for rule in bound if not (rule.decided and rule.outcome is False))

    def tailored(self, overrides: Mapping[str, Override]) -> RuleSet:
        """The rules as a tenant set them; a rule staged `off` is left out.

        Raises:
            RuleError: an unknown rule or parameter, or a value outside its bounds.
        """
        known = {rule.id for rule in self.rules}
        if missing := sorted(set(overrides) - known):
            raise RuleError(f"no rule {', '.join(missing)}; rules are {', '.join(sorted(known))}")
        rules = tuple(rule.tailored(overrides.get(rule.id, Override())) for rule in self.rules)
        return RuleSet(self.revision, tuple(rule for rule in rules if rule.stage is not Stage.OFF))


def evaluate(rule: Rule, facts: Facts, params: Mapping[str, Any] | None = None) -> Truth:
    """Whether `rule` holds on `facts`, with its own parameters or with `params` in their place.

    Raises:
        RuleError: a parameter the rule does not have, or a value outside its bounds.
    """
    return (rule.tailored(Override(params=params)) if params else rule).check(facts)


def load_rules(source: Path | bytes | str) -> RuleSet:
    """Read compiled rules from a file, or from its text or bytes.

    Raises:
        RuleError: not a rule set of this format.
    """
    raw = source.read_bytes() if isinstance(source, Path) else source
    data = json.loads(raw)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RuleError(f"not compiled rules of format {FORMAT}")
    return RuleSet(data["revision"], tuple(rule_from_data(rule) for rule in data["rules"]))


def rule_from_data(data: Mapping[str, Any]) -> Rule:
    """Build a rule from one entry of the compiled file."""
    params = {name: _param(name, spec) for name, spec in data["params"].items()}
    return Rule(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        why=data["why"],
        runbook=data["runbook"],
        severity=tuple(
            SeverityRow(None if row["when"] is None else from_data(row["when"]), Severity(row["then"]))
            for row in data["severity"]
        ),
        stage=Stage(data["stage"]),
        triggers=frozenset(data["triggers"]),
        subject=Subject(data["subject"]),
        group_by=GroupBy(data["group_by"]),
        params=params,
        values={name: param.default for name, param in params.items()},
        where=from_data(data["where"]),
        respond=data["respond"],
        frameworks={name: tuple(items) for name, items in data["frameworks"].items()},
    )


def _param(name: str, spec: Mapping[str, Any]) -> Param:
    return Param(name, spec["about"], spec["default"], spec["min"], spec["max"], tuple(spec["choices"]))


def _inert(value: Any) -> Any:
    """Evidence is shown to people: texts lose what could deceive, lists become sorted tuples."""
    if isinstance(value, str):
        return clean(value, 200)
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(sorted(clean(str(item), 200) for item in value))
    return value
