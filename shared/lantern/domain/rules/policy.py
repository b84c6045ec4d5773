"""A tenant's policy: what it set for shipped rules, and the rules it wrote itself.

Shipped rules change with releases. What a tenant set for a rule or a parameter that is there no more, and an
own rule that no longer fits the vocabulary, are left out and named: one leftover must not stop all others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from lantern.domain.errors import InvalidInputError
from lantern.domain.rules.conditions import to_data
from lantern.domain.rules.model import Override, Rule, RuleError, RuleSet, rule_from_data
from lantern.domain.rules.vocabulary import FIELDS, Severity, Stage

OWN_PREFIX: Final = "own-"
"""What the id of a tenant's own rule starts with, so that no release ever ships a rule of that id."""
MAX_OWN: Final = 50


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What a tenant set for one rule; None leaves the rule's own. `rev` is the policy's when it was set."""

    stage: Stage | None = None
    severity: Severity | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    at: datetime | None = None
    rev: int = 0

    def override(self) -> Override:
        """The same as the rules take it."""
        return Override(self.stage, self.severity, self.params)


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule that a tenant wrote: its page, and the page compiled."""

    id: str
    page: Mapping[str, Any]
    compiled: Mapping[str, Any]
    by: str
    at: datetime
    rev: int = 0


@dataclass(frozen=True, slots=True)
class TenantPolicy:
    """Everything a tenant set about rules: one record, so that evaluating reads it with one request."""

    settings: Mapping[str, RuleSettings] = field(default_factory=dict)
    own: Mapping[str, OwnRule] = field(default_factory=dict)
    rev: int = 0

    def etag_rev(self, rule_id: str) -> int:
        """The revision at which anything about a rule was last set; 0 for never."""
        own, chosen = self.own.get(rule_id), self.settings.get(rule_id)
        return max(own.rev if own else 0, chosen.rev if chosen else 0)

    def with_settings(self, rule_id: str, settings: RuleSettings) -> TenantPolicy:
        """The policy with other settings of one rule; its revision stays."""
        return replace(self, settings={**self.settings, rule_id: settings})

    def with_own(self, rule: OwnRule) -> TenantPolicy:
        """The policy with one own rule added or replaced; its revision stays."""
        return replace(self, own={**self.own, rule.id: rule})

    def without(self, rule_id: str) -> TenantPolicy:
        """The policy without an own rule and its settings; its revision stays."""
        return replace(
            self,
            own={key: one for key, one in self.own.items() if key != rule_id},
            settings={key: one for key, one in self.settings.items() if key != rule_id},
        )


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """By which rules the tenant's findings were last brought up to date: rule id → `digest`."""

    digests: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Effective:
    """The rules as a tenant has them: `all` holds those that are off too, `left_out` what did not fit."""

    rules: RuleSet
    all: RuleSet
    left_out: tuple[str, ...] = ()


def effective(shipped: RuleSet, policy: TenantPolicy) -> Effective:
    """The rules that hold for a tenant: shipped and own, as it set them."""
    problems: list[str] = []
    rules = {rule.id: rule for rule in shipped.rules}
    for own in policy.own.values():
        try:
            rules[own.id] = _own(own)
        except (KeyError, ValueError, RuleError) as error:
            problems.append(f"{own.id}: {error}")
    tailored = [_tailored(rule, policy.settings.get(rule.id), problems) for rule in rules.values()]
    ordered = tuple(sorted(tailored, key=lambda rule: rule.id))
    problems += [f"{rule_id}: no such rule any more" for rule_id in policy.settings if rule_id not in rules]
    revision = hashlib.sha256("".join(rule.id + digest(rule) for rule in ordered).encode()).hexdigest()[:16]
    on = tuple(rule for rule in ordered if rule.stage is not Stage.OFF)
    return Effective(RuleSet(revision, on), RuleSet(revision, ordered), tuple(problems))


def _own(own: OwnRule) -> Rule:
    rule = rule_from_data(own.compiled)
    if unknown := sorted(rule.fields - FIELDS.keys()):
        raise RuleError(f"names {', '.join(unknown)}, which is no fact any more")
    return rule


def _tailored(rule: Rule, settings: RuleSettings | None, problems: list[str]) -> Rule:
    if settings is None:
        return rule
    params = {}
    for name, value in settings.params.items():
        param = rule.params.get(name)
        problem = "no such parameter any more" if param is None else param.problem(value)
        if problem:
            problems.append(f"{rule.id}: {name}: {problem}")
        else:
            params[name] = value
    return rule.tailored(Override(settings.stage, settings.severity, params))


def check_settings(rule: Rule, settings: RuleSettings) -> Rule:
    """The rule as it would be with these settings.

    Raises:
        InvalidInputError: it has no such parameter, or the value is out of bounds.
    """
    for name, value in settings.params.items():
        param = rule.params.get(name)
        if param is None:
            valid = ", ".join(rule.params) or "none"
            raise InvalidInputError(f"/params/{_pointer(name)}", f"no such parameter; there are {valid}")
        if problem := param.problem(value):
            raise InvalidInputError(f"/params/{_pointer(name)}", problem)
    return rule.tailored(settings.override())


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def digest(rule: Rule) -> str:
    """What evaluating the rule depends on: everything but its stage, which says what follows from it."""
    rows = [[None if row.when is None else to_data(row.when), row.then] for row in rule.severity]
    told = json.dumps([rule.version, rows, sorted(rule.values.items())], default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def digests(rules: RuleSet) -> dict[str, str]:
    """The digest of every rule, by id."""
    return {rule.id: digest(rule) for rule in rules.rules}


def subset(rules: RuleSet, wanted: frozenset[str]) -> RuleSet:
    """Some of the rules."""
    return RuleSet(rules.revision, tuple(rule for rule in rules.rules if rule.id in wanted))
