"""Carry an approved job out: one act per target, verified by re-reading, recorded as it goes."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from lantern.connectors.protocol import Action, ActionResult, Clock, Connector, Deadline
from lantern.domain import ids, jobs
from lantern.domain.audit import AuditEvent
from lantern.domain.errors import ConnectorError, LeaseLostError, RevisionConflictError
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import ActionRecord, ActionState, Job, JobCounts
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

LEASE_TTL_S: Final = 960
CHAIN_OWNER: Final = "jobs"
"""Where leases of jobs live: they belong to no single connection."""
_OPEN: Final = frozenset({"planned", "applied"})


@dataclass(frozen=True, slots=True)
class Remediation:
    """One message's tools. `connect` gives the connector of a connection, ready to use."""

    store: TenantStore
    connect: Callable[[Connection], Connector]
    clock: Clock
    deadline: Deadline
    send: Callable[[Work, float], None]
    message_id: str


class Outcome(NamedTuple):
    """What became of one target, in the words of its action."""

    state: ActionState
    detail: str
    remaining_access_s: int | None = None


def run_job(task: Remediation, work: Work) -> Job | None:
    """Carry out what is left of a job; hands itself on before the deadline.

    Every step may be repeated: an act the provider already did is found done, and an action that has its
    outcome is not touched again.

    Returns:
        The job as it stands; None where it does not exist or another worker has it.
    """
    store = task.store
    job = store.jobs.get(work.body["job_id"])
    if job is None or job.state not in ("approved", "running"):
        return job
    try:
        lease = store.leases.acquire(CHAIN_OWNER, job.id, task.message_id, LEASE_TTL_S, task.clock.now())
    except LeaseLostError:
        return None
    try:
        job, done = _work_off(task, job)
    finally:
        # Also after a failure, and before the job hands itself on: the next message must not be shut out.
        store.leases.release(CHAIN_OWNER, job.id, lease)
    if not done:
        task.send(replace(work, hop=work.hop + 1), 0)
    return job


def _work_off(task: Remediation, job: Job) -> tuple[Job, bool]:
    """The job after what the deadline left time for, and whether that was everything."""
    store = task.store
    if job.state == "approved":
        job = store.jobs.put(jobs.start(job, task.clock.now()))
    for action in _waiting(store, job):
        if task.deadline.passed():
            return job, False
        if _cancelled(store, job):
            break
        _carry_out(task, action)
    return _close(task, job), True


def _waiting(store: TenantStore, job: Job) -> Iterator[ActionRecord]:
    yield from [action for action in store.jobs.actions(job.id) if action.state in _OPEN]


def _cancelled(store: TenantStore, job: Job) -> bool:
    current = store.jobs.get(job.id)
    return current is not None and current.state == "cancelled"


def _carry_out(task: Remediation, action: ActionRecord) -> None:
    """One target: act, read the account again, note the outcome with its audit entry."""
    store, now = task.store, task.clock.now()
    found, app_id = _target(store, action)
    app = store.apps.get_facts(app_id)
    if found is None or app is None:
        _settle(task, action, Outcome("skipped", "The account or the app is no longer known here."))
        return
    connection, bundle = found
    connector = _connect(task, connection, action)
    if connector is None:
        return
    asked_before = action.state == "applied"
    if not asked_before:
        # Noted before the provider is asked: should we not live to note the outcome, what is found gone
        # when the message comes again is our doing.
        action = store.jobs.put_action(jobs.settle(action, "applied", now, detail="The provider is asked."))
    try:
        result = connector.act(Action("revoke_grant", bundle.principal.native_id, app.client_id))
    except ConnectorError as error:
        if error.kind in ("transient", "rate_limited"):
            raise
        _settle(task, action, Outcome("failed", error.user_message))
        return
    writer = BundleWriter(
        store, connector, connection, cause="act", indexed=True, baseline=False, clock=task.clock.now
    )
    writer.refresh([bundle.principal], task.deadline, now)
    _settle(task, action, _outcome(result, asked_before=asked_before))


def _outcome(result: ActionResult, *, asked_before: bool) -> Outcome:
    """What the provider's answer means for the target."""
    if result.state == "not_possible":
        return Outcome("failed", result.detail)
    if result.observed_present:
        return Outcome("failed", "The provider still lists the grant after the revocation.")
    if result.state == "already_done" and not asked_before:
        return Outcome("already_gone", "The grant was gone already.")
    if result.observed_present is None:
        return Outcome("applied", "Revoked; the provider could not be asked again yet.")
    return Outcome("verified", result.detail, result.remaining_access_s)


def _target(store: TenantStore, action: ActionRecord) -> tuple[tuple[Connection, Bundle] | None, str]:
    pair = ids.split_grant_id(action.grant_id)
    if pair is None:
        raise ValueError(f"not a grant id: {action.grant_id}")
    return _locate(store, pair[0]), pair[1]


def _connect(task: Remediation, connection: Connection, action: ActionRecord) -> Connector | None:
    """The connector; None where our access is gone, which is noted: asking again would not bring it back."""
    try:
        return task.connect(connection)
    except ConnectorError as error:
        if error.kind != "config":
            raise
        _settle(task, action, Outcome("failed", error.user_message))
        return None


def _locate(store: TenantStore, principal_id: str) -> tuple[Connection, Bundle] | None:
    for connection in store.connections.list():
        bundle = store.bundles.get(connection.id, principal_id)
        if bundle is not None:
            return connection, bundle
    return None


def _settle(task: Remediation, action: ActionRecord, outcome: Outcome) -> None:
    store, now = task.store, task.clock.now()
    state, detail, remaining = outcome.state, outcome.detail, outcome.remaining_access_s
    if state == action.state:
        settled = replace(action, at=now, detail=detail, remaining_access_s=remaining)
    else:
        settled = jobs.settle(action, state, now, detail=detail, remaining_access_s=remaining)
    event = AuditEvent(
        "system", f"grant.{state}", action.grant_id, {"job": action.job_id, "detail": detail[:200]}
    )
    try:
        store.transact(now).put(store.jobs.action_op(settled)).audit(event).commit()
    except RevisionConflictError:
        log.info("the outcome was noted by another worker", extra={"grant": action.grant_id})


def _close(task: Remediation, job: Job) -> Job:
    """Count the outcomes; close the job unless it was cancelled meanwhile or targets are left to verify."""
    store, now = task.store, task.clock.now()
    tally = dict.fromkeys(("planned", "applied", "verified", "failed", "already_gone", "skipped"), 0)
    for action in store.jobs.actions(job.id):
        tally[action.state] += 1
    counts = JobCounts(**tally)
    current = store.jobs.get(job.id) or job
    if current.state != "running":
        return store.jobs.put(replace(current, counts=counts))
    finished = jobs.finish(current, counts, now)
    event = AuditEvent(
        "system",
        "job.finished",
        job.id,
        {
            "state": finished.state,
            "verified": str(counts.verified),
            "already_gone": str(counts.already_gone),
            "failed": str(counts.failed),
            "skipped": str(counts.skipped),
        },
    )
    store.transact(now).put(store.jobs.op(finished)).audit(event).commit()
    return replace(finished, rev=current.rev + 1)
