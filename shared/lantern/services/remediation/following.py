"""What is left of a job once everything was asked for: looked at again, reminded of, closed."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import jobs
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import RevisionConflictError
from lantern.domain.ids import split_grant_id
from lantern.domain.jobs import ActionRecord, Job, JobCounts
from lantern.domain.messages import Delivery, Message, Section, delivery
from lantern.domain.work import Work
from lantern.services.remediation.targets import ASSET_KINDS, GRANT_KINDS, locate
from lantern.services.remediation.watching import (
    LOOK_EVERY,
    RUN_ACTOR,
    asset_gone,
    grant_gone,
    quietly,
    watching,
)
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

FOLLOW_DAYS: Final = 60
"""For how long what an administrator was asked to do is looked for."""
REMIND_EVERY: Final = timedelta(days=7)
_NAMED: Final = 5
_MOST: Final = 40
"""Deliveries of one reminder: each is a record and a message of one transaction, which holds 100."""


def acted(job: Job, before: ActionRecord, after: ActionRecord) -> AuditEvent:
    """The audit entry of what became of a target: for whom, who allowed it, what it was before."""
    word = "grant" if job.kind in GRANT_KINDS else job.kind
    detail = {
        "job": job.id,
        "for": job.requested_by,
        **change("asked" if before.asking else before.state, after.state),
        "detail": after.detail[:200],
    }
    if job.approved_by:
        detail["approved_by"] = job.approved_by
    return AuditEvent("system", f"{word}.{after.state}", after.target_id, detail)


def close(store: TenantStore, job: Job, counts: JobCounts, left: int, now: datetime) -> Job:
    """The job with its counts, closed unless something is left; whoever waits for it is told.

    Raises:
        RevisionConflictError: it changed since it was read.
    """
    after = jobs.finish(job, counts, now, left=left)
    if after == job:
        return job
    unit = store.transact(now).put(store.jobs.op(after))
    if after.state != job.state:
        told = {
            "state": after.state,
            **change(job.state, after.state),
            "verified": str(counts.verified),
            "already_gone": str(counts.already_gone),
            "failed": str(counts.failed),
            "skipped": str(counts.skipped),
            "manual": str(counts.manual),
        }
        action = "job.waiting" if after.open else "job.finished"
        unit.audit(AuditEvent("system", action, job.id, told))
    if job.requested_by.startswith(RUN_ACTOR):
        run_id = job.requested_by.removeprefix(RUN_ACTOR)
        unit.outbox(Work(store.tenant_id, "playbook.run", body={"run_id": run_id}, cause=job.id))
    unit.commit()
    return replace(after, rev=job.rev + 1)


def follow(store: TenantStore, now: datetime) -> int:
    """Look again at what is left of jobs; returns how many targets are done now.

    Grants, assets and closed accounts show in what was read since. Of other acts the provider itself is asked
    by the job, which is sent off again. What stays is reminded of once a week.
    """
    done, touched = 0, dict[str, Job]()
    for listed in store.jobs.left_to_people(now - LOOK_EVERY):
        action, job = store.jobs.action(listed.job_id, listed.target_id), store.jobs.get(listed.job_id)
        if action is None or job is None or not action.left:
            continue
        after = _looked(store, job, action, now)
        if after is not None:
            done += settle(store, job, action, after, now) and after.state == "verified"
        else:
            quietly(store, store.jobs.action_op(replace(action, at=now)), now)
        touched[job.id] = job
    for job_id in touched:
        _close_or_remind(store, job_id, now)
    return done


def _looked(store: TenantStore, job: Job, action: ActionRecord, now: datetime) -> ActionRecord | None:
    """The action as reading again shows it; None while that shows nothing new."""
    if job.state == "cancelled":
        return jobs.settle(action, "skipped", now, detail="The job was cancelled.")
    if seen_gone(store, job, action):
        who = "an administrator did it" if action.state == "manual" else "it is done"
        return jobs.settle(action, "verified", now, detail=f"Read again: {who}.")
    if now - job.created_at > timedelta(days=FOLLOW_DAYS):
        late = f"Nobody did it within {FOLLOW_DAYS} days; it is looked for no more."
        return jobs.settle(action, "failed", now, detail=late)
    return None


def seen_gone(store: TenantStore, job: Job, action: ActionRecord) -> bool:
    """Whether what is stored no longer shows a target; False where that cannot be told."""
    target_id = action.target_id
    if job.kind == "revoke_scopes":
        return grant_gone(store, target_id) or _narrower(store, target_id, job.selector.scopes)
    if job.kind in GRANT_KINDS:
        return grant_gone(store, target_id)
    if job.kind in ASSET_KINDS:
        return asset_gone(store, target_id, action.principal_id)
    if job.kind == "end_sessions":
        found = locate(store.connections.list(), store, target_id)
        return found is not None and found[1].principal.status != "active"
    return False


def _narrower(store: TenantStore, grant_id: str, scopes: Iterable[str]) -> bool:
    pair = split_grant_id(grant_id)
    found = locate(store.connections.list(), store, pair[0]) if pair else None
    grant = found[1].grant(pair[1]) if pair and found else None
    if grant is None:
        return False
    held = store.apps.scope_sets({grant.scope_set}).get(grant.scope_set)
    return held is not None and held.isdisjoint(scopes)


def settle(store: TenantStore, job: Job, before: ActionRecord, after: ActionRecord, now: datetime) -> bool:
    """Note what came of a target, with its audit entry; False where another worker was first.

    A grant that is seen gone is watched from now on.
    """
    unit = store.transact(now).put(store.jobs.action_op(after)).audit(acted(job, before, after))
    if after.state == "verified" and job.kind == "revoke_grants":
        unit.put(watching(store, job, after.target_id, now))
    try:
        unit.commit()
    except RevisionConflictError:
        log.info("settled by another worker", extra={"target": after.target_id})
        return False
    return True


def _close_or_remind(store: TenantStore, job_id: str, now: datetime) -> None:
    job = store.jobs.get(job_id)
    if job is None or job.state != "waiting":
        return
    actions = list(store.jobs.actions(job_id))
    counts, left = jobs.tally(actions)
    try:
        current = close(store, job, counts, left, now)
        if not current.open:
            return
        if job.kind not in GRANT_KINDS | ASSET_KINDS:
            again = Work(store.tenant_id, "job.run", body={"job_id": job_id}, cause=job_id)
            store.transact(now).outbox(again).commit()
        by_hand = [one for one in actions if one.state == "manual"]
        last = current.reminded_at or current.started_at or current.created_at
        if by_hand and now - last >= REMIND_EVERY:
            _remind(store, current, by_hand, now)
    except RevisionConflictError:
        log.info("the job changed meanwhile", extra={"job": job_id})


def _remind(store: TenantStore, job: Job, left: list[ActionRecord], now: datetime) -> None:
    """Tell the channels what waits for an administrator, with the steps."""
    detail = {"left": str(len(left)), **change(job.reminded_at or "never", now)}
    reminded = replace(job, reminded_at=now)
    unit = store.transact(now).put(store.jobs.op(reminded))
    unit.audit(AuditEvent("system", "job.reminded", job.id, detail))
    for one in _deliveries(store, job, left, now):
        body = {"target_id": one.target_id, "delivery_id": one.id}
        unit.put(store.deliveries.op(one))
        unit.outbox(Work(store.tenant_id, "outreach.deliver", body=body, cause=job.id))
    unit.commit()


def _deliveries(store: TenantStore, job: Job, left: list[ActionRecord], now: datetime) -> list[Delivery]:
    steps = Section(
        title="Steps",
        items=tuple(f"{one.target_id}: {' '.join(one.instructions)}"[:900] for one in left[:_NAMED]),
        more=max(0, len(left) - _NAMED),
    )
    facts = Section(facts=(("Job", job.id), ("Asked for by", job.requested_by), ("Reason", job.reason)))
    message = Message(
        purpose="playbook",
        title=f"{len(left)} {'step waits' if len(left) == 1 else 'steps wait'} for an administrator",
        text="No API does this. Reading again notices when it is done, and closes the job.",
        sections=(facts, steps),
        footer="You are reminded once a week until it is done or the job is cancelled.",
    )
    channels = (one for one in store.alerts.channels() if one.enabled)
    pairs = [(channel.id, address) for channel in channels for address in channel.addresses()]
    return [
        delivery(address, message, now, target_id=target, subject_id=f"{job.id}.reminder", number=number)
        for number, (target, address) in enumerate(pairs[:_MOST])
    ]
