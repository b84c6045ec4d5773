"""What a proposed change of the policy would do: over the inventory as it is, and over the last 90 days.

Everything is computed as it would be, nothing is stored but the answer.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Literal

from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import Finding, FindingStatus, reconcile
from lantern.domain.previews import MAX_SAMPLES, FindingSample, NowResult, Preview, Proposal
from lantern.domain.rules.model import Rule, RuleSet
from lantern.domain.rules.policy import OwnRule, TenantPolicy, effective
from lantern.domain.rules.sweep import Change
from lantern.domain.rules.vocabulary import LISTED, Severity, Stage, Subject
from lantern.services.scoring import following, reading, whole
from lantern.services.scoring.replay import replay
from lantern.services.scoring.task import Scoring

log = logging.getLogger(__name__)

_Kind = Literal["opens", "reopens", "changes", "resolves"]
_ORDER: Final[Mapping[_Kind, int]] = {"opens": 0, "reopens": 1, "changes": 2, "resolves": 3}


def compute(task: Scoring, preview_id: str) -> None:
    """Answer a question about a proposed change; one that was answered, or forgotten, is left alone."""
    store = task.store
    asked = store.policy.preview(preview_id)
    if asked is None or asked.state != "pending":
        return
    policy = store.policy.get(consistent=True)
    rule = effective(task.knowledge.rules, proposed(policy, asked)).all.get(asked.proposal.rule_id)
    if rule is None:
        error = "The rule is not there any more, or does not fit the vocabulary any more."
        answer = replace(asked, state="failed", error=error)
    else:
        under = whole.with_rules(task, RuleSet("preview", (rule,)))
        answer = replace(asked, state="done", now=over_inventory(under, rule), history=replay(under, rule))
    try:
        store.policy.put_preview(replace(answer, finished_at=task.clock.now()))
    except RevisionConflictError:
        log.info("the same preview was answered meanwhile", extra={"preview": preview_id})


def proposed(policy: TenantPolicy, asked: Preview) -> TenantPolicy:
    """The policy as it would be."""
    what: Proposal = asked.proposal
    if what.settings is not None:
        return policy.with_settings(what.rule_id, what.settings)
    own = OwnRule(what.rule_id, what.page or {}, what.compiled or {}, asked.created_by, asked.created_at)
    return policy.with_own(own)


def over_inventory(task: Scoring, rule: Rule) -> NowResult:
    """What would become of the rule's findings."""
    mine = reading.all_findings(task.store).pick(lambda one: one.rule_id == rule.id)
    before = {one.id: one for one in mine}
    if rule.stage is Stage.OFF:
        now = task.clock.now()
        ended = ((one, reconcile(one, None, now)[0]) for one in before.values())
        after = {one.id: end or one for one, end in ended}
        return _result(rule, before, after, 0)
    if rule.subject is Subject.GRANT:
        after, unknown = _over_grants(task, before)
    else:
        after, unknown = _over_wholes(task, before)
    return _result(rule, before, after, unknown)


def _over_grants(task: Scoring, before: Mapping[str, Finding]) -> tuple[dict[str, Finding], int]:
    """The findings after every connection was evaluated in turn, and how many grants stay unknown."""
    store, now = task.store, task.clock.now()
    summary = [row.at(now) for row in store.apps.summary()]
    after, unknown = dict(before), 0
    for connection in store.connections.list():
        if connection.leaving:
            continue
        rows = {row.app_id: row for row in summary if connection.id in row.connections}
        part = following.slice_of(store, connection)
        found = following.evaluate(task, part, rows, after.values())
        _take(after, found.results(now))
        unknown += sum(found.unsure.values())
    return after, unknown


def _over_wholes(task: Scoring, before: Mapping[str, Finding]) -> tuple[dict[str, Finding], int]:
    store, rules = task.store, task.knowledge.rules
    connections = store.connections.list()
    people = None
    if whole.counts_people(rules):
        people = whole.everybody(store, connections, task.clock.now())
    seen = whole.gather(task, rules, connections, people, remember=False)
    found = seen.sweep(rules, before.values())
    after = dict(before)
    _take(after, found.results(task.clock.now()))
    return after, sum(found.unsure.values())


def _take(findings: dict[str, Finding], changes: Iterable[Change]) -> None:
    for change in changes:
        findings[change.finding.id] = change.finding


def _result(
    rule: Rule, before: Mapping[str, Finding], after: Mapping[str, Finding], unknown: int
) -> NowResult:
    kinds: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    items, samples = 0, []
    for finding in after.values():
        kind = _kind(before.get(finding.id), finding)
        kinds[kind or "unchanged"] += bool(kind or finding.holds)
        count = len(finding.open_items) if rule.subject in LISTED else int(finding.holds)
        if finding.holds and finding.status is not FindingStatus.RESOLVED:
            items += count
            severities[finding.severity] += 1
        if kind:
            samples.append(
                FindingSample(
                    finding.id,
                    finding.group.kind,
                    finding.group.id,
                    finding.title,
                    finding.severity,
                    count,
                    kind,
                )
            )
    samples.sort(key=lambda one: (_ORDER[one.change], -Severity(one.severity).rank, -one.items, one.group_id))
    acts = {rule.respond: items} if rule.respond and rule.stage is Stage.ENFORCE and items else {}
    return NowResult(
        opens=kinds["opens"],
        reopens=kinds["reopens"],
        changes=kinds["changes"],
        resolves=kinds["resolves"],
        unchanged=kinds["unchanged"],
        items=items,
        unknown=unknown,
        severities=dict(severities),
        acts=acts,
        samples=tuple(samples[:MAX_SAMPLES]),
    )


def _kind(before: Finding | None, after: Finding) -> _Kind | None:
    """What happens to a finding; None where nothing does."""
    if before is None:
        return "opens"
    if before is after or before == after:
        return None
    was, is_ = before.status is FindingStatus.RESOLVED, after.status is FindingStatus.RESOLVED
    if was != is_:
        return "reopens" if was else "resolves"
    return "changes"
