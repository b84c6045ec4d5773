"""A whole inventory through all rules: apps are weighed once, grants stream by, findings fall out.

Usage: `see_app` for every app, then `see_grant` for every grant, `see_person`, `see_connection` and
`see_asset` for those; then `results` says what changes. Memory holds one small record per app and the grants
that fire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from lantern.domain.findings import Desired, Finding, FindingEvent, Group, finding_id, reconcile
from lantern.domain.rules.conditions import Facts
from lantern.domain.rules.model import BoundRule, Rule, RuleSet
from lantern.domain.rules.vocabulary import LISTED, Grade, GroupBy, Subject


@dataclass(frozen=True, slots=True)
class Change:
    """A finding to write, and what to tell about it."""

    finding: Finding
    events: tuple[FindingEvent, ...]


@dataclass(slots=True)
class _Hits:
    """The grants of one group for which a rule holds."""

    title: str
    grants: dict[str, Grade] = field(default_factory=dict)


@dataclass(slots=True)
class _AppRule:
    """A grant rule bound to one app; `hits` is there once a grant fired and the rule groups by app."""

    bound: BoundRule
    facts: Facts
    hits: _Hits | None = None


class Sweep:
    """Evaluates an inventory against a rule set, in step with the findings there are."""

    def __init__(
        self,
        rules: RuleSet,
        existing: Iterable[Finding] = (),
        covers: Callable[[str], bool] | None = None,
    ) -> None:
        """Start a sweep.

        Args:
            rules: the rules to evaluate. A finding of a rule that is not among them is left alone.
            existing: every stored finding of these rules, resolved ones included.
            covers: whether this sweep would show a grant id if the grant existed; None means every grant.
                A sweep of one connection must say so: the grants of others are then unknown, not gone.
        """
        self._rules = rules
        by_id = {rule.id: rule for rule in rules.rules}
        self._existing = {finding.id: finding for finding in existing if finding.rule_id in by_id}
        self._unknown: dict[str, set[str]] = {rule.id: set() for rule in rules.rules}
        self._tracked: dict[str, set[str]] = {rule.id: set() for rule in rules.rules}
        for finding in self._existing.values():
            self._tracked[finding.rule_id] |= finding.open_items
        if covers is not None:
            for rule_id, grants in self._tracked.items():
                self._unknown[rule_id] |= {grant_id for grant_id in grants if not covers(grant_id)}
        self._apps: dict[str, tuple[_AppRule, ...]] = {}
        self._hits: dict[tuple[str, str], _Hits] = {}
        self._whole: dict[str, Desired | None] = {}
        self._unfiled = 0
        self.unsure: Counter[str] = Counter()
        """Rule id → how many of what it looks at it could not tell about."""

    @property
    def unfiled(self) -> int:
        """How many times a rule held for a grant whose person or connection is unknown."""
        return self._unfiled

    def see_app(self, facts: Facts, *, known: Iterable[str] = ("app", "vendor")) -> bool:
        """Weigh one app: its own rules are evaluated, the grant rules bound to it.

        Returns:
            Whether its grants matter to any rule; where not, they need not be shown.

        Args:
            facts: all that is known of it, and of whatever else all its grants here share.
            known: the entities whose facts are all in `facts`.
        """
        bound = self._rules.bind_grants(facts, known)
        self._apps[facts["app.id"]] = tuple(_AppRule(rule, facts) for rule in bound)
        self._see_whole(Subject.APP, facts)
        return bool(bound)

    def see_person(self, facts: Facts) -> None:
        """Evaluate the rules about persons."""
        self._see_whole(Subject.PERSON, facts)

    def see_connection(self, facts: Facts) -> None:
        """Evaluate the rules about connections."""
        self._see_whole(Subject.CONNECTION, facts)

    def see_asset(self, facts: Facts) -> None:
        """Evaluate the rules about assets; one that a finding lists and that is not seen again is gone."""
        asset_id = facts["asset.id"]
        for rule in self._rules.of(Subject.ASSET):
            outcome = rule.check(facts)
            group_id = rule.group_id(facts) if outcome else None
            if group_id is not None:
                grade = rule.bind(facts, ()).grade(facts)
                self._hits_of(rule, group_id, facts).grants[asset_id] = grade
            elif outcome is not False:
                self.unsure[rule.id] += 1
                if asset_id in self._tracked[rule.id]:
                    self._unknown[rule.id].add(asset_id)

    def see_grant(self, app_id: str, grant_id: str, facts: Facts) -> None:
        """Evaluate one grant of an app seen before; `facts` are all but the app's.

        Raises:
            KeyError: the app was not seen.
        """
        for app_rule in self._apps[app_id]:
            bound = app_rule.bound
            outcome = bound.check(facts)
            if outcome:
                self._fire(app_rule, grant_id, facts)
            elif outcome is None:
                rule_id = bound.rule.id
                self.unsure[rule_id] += 1
                if grant_id in self._tracked[rule_id]:
                    self._unknown[rule_id].add(grant_id)

    def results(self, now: datetime) -> Iterator[Change]:
        """Every finding this sweep opens or changes; unchanged ones are not mentioned."""
        wanted = self._wanted()
        for key in sorted(wanted.keys() | self._existing.keys()):
            existing = self._existing.get(key)
            desired = wanted.get(key)
            rule_id = existing.rule_id if existing else wanted[key].rule_id
            by_grant = existing is not None and existing.subject in LISTED
            finding, events = reconcile(
                existing,
                desired,
                now,
                unknown=self._unknown[rule_id],
                subject_unknown=not by_grant and key not in self._whole,
            )
            if finding is not None and finding is not existing:
                yield Change(finding, events)

    def _fire(self, app_rule: _AppRule, grant_id: str, facts: Facts) -> None:
        rule = app_rule.bound.rule
        if rule.group_by is GroupBy.APP:
            if app_rule.hits is None:
                app_rule.hits = self._hits_of(rule, app_rule.facts["app.id"], app_rule.facts)
            app_rule.hits.grants[grant_id] = app_rule.bound.grade(facts)
            return
        group_id = rule.group_id(facts)
        if group_id is None:
            self._unfiled += 1
            self._unknown[rule.id].add(grant_id)
            return
        self._hits_of(rule, group_id, facts).grants[grant_id] = app_rule.bound.grade(facts)

    def _hits_of(self, rule: Rule, group_id: str, facts: Facts) -> _Hits:
        key = (rule.id, group_id)
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = _Hits(rule.headline(facts))
        return hits

    def _see_whole(self, subject: Subject, facts: Facts) -> None:
        for rule in self._rules.of(subject):
            outcome = rule.check(facts)
            group = Group(rule.group_by, facts[f"{subject}.id"])
            if outcome is not None:
                self._whole[finding_id(rule.id, group)] = (
                    _desired_whole(rule, group, facts) if outcome else None
                )
            else:
                self.unsure[rule.id] += 1

    def _wanted(self) -> dict[str, Desired]:
        wanted = {key: desired for key, desired in self._whole.items() if desired is not None}
        rules = {rule.id: rule for rule in self._rules.rules if rule.subject in LISTED}
        for (rule_id, group_id), hits in self._hits.items():
            rule = rules[rule_id]
            desired = _desired(rule, Group(rule.group_by, group_id), hits.title, hits.grants)
            wanted[desired.finding_id] = desired
        return wanted


def desired_grants(rule: Rule, facts: Facts, grants: dict[str, Grade]) -> Desired | None:
    """What a grant rule wants for the group of `facts`, given its grants; None when the group is unknown."""
    group_id = rule.group_id(facts)
    if group_id is None:
        return None
    return _desired(rule, Group(rule.group_by, group_id), rule.headline(facts), grants)


def _desired_whole(rule: Rule, group: Group, facts: Facts) -> Desired:
    return Desired(
        rule_id=rule.id,
        rule_version=rule.version,
        subject=rule.subject,
        group=group,
        title=rule.headline(facts),
        grants={},
        grade=rule.bind(facts, ()).grade(facts),
    )


def _desired(rule: Rule, group: Group, title: str, grants: dict[str, Grade]) -> Desired:
    return Desired(
        rule_id=rule.id,
        rule_version=rule.version,
        subject=rule.subject,
        group=group,
        title=title,
        grants=grants,
    )
