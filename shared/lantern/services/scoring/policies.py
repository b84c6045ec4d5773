"""Follow a change of the tenant's policy: evaluate the rules that differ from those last applied."""

import logging

from lantern.domain.rules.model import RuleSet
from lantern.domain.rules.policy import AppliedPolicy, digests, subset
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.scoring import following, reading
from lantern.services.scoring.task import Scoring
from lantern.services.scoring.whole import counts_people, follow_whole, with_rules

log = logging.getLogger(__name__)


def follow_policy(task: Scoring) -> int:
    """Bring findings in line with the rules in effect; returns how many changed.

    Which rules were applied is noted at the end: a message that is delivered again, or comes late, evaluates
    what is then still another. Findings of rules that are off or gone are resolved.

    Raises:
        RevisionConflictError: findings keep changing; the message is delivered again.
    """
    store, rules = task.store, task.knowledge.rules
    applied = store.policy.applied()
    before, wanted = dict(applied.digests) if applied else {}, digests(rules)
    differ = frozenset(rule_id for rule_id, one in wanted.items() if before.get(rule_id) != one)
    chosen = subset(rules, differ)
    log.info("the policy changed", extra={"rules": len(differ)})
    changed = follow_whole(task, chosen)
    if chosen.grant_rules:
        under = with_rules(task, RuleSet(rules.revision, chosen.grant_rules))
        for connection in store.connections.list():
            if not connection.leaving:
                changed += _follow_grants(under, connection)
    if counts_people(chosen):
        # People are counted by the walk that joins them.
        follow = Work(store.tenant_id, "people.join", cause="policy")
        store.transact(task.clock.now()).outbox(follow).commit()
    store.policy.put_applied(AppliedPolicy(wanted, task.clock.now()))
    return changed


def _follow_grants(task: Scoring, connection: Connection) -> int:
    """Evaluate the rules about grants over one connection, with apps as they were judged last."""
    store, now = task.store, task.clock.now()
    rows = {row.app_id: row.at(now) for row in store.apps.summary() if connection.id in row.connections}
    part, existing = following.slice_of(store, connection), reading.all_findings(store)
    return following.follow_all(task, part, rows, existing)
