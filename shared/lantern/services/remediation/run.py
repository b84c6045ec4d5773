"""Carry an approved job out: one act per target, verified by re-reading, recorded as it goes."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from lantern.connectors.protocol import ActionResult, Clock, Connector, Deadline
from lantern.domain import ids, jobs
from lantern.domain.errors import ConnectorError, LeaseLostError
from lantern.domain.inventory import Principal
from lantern.domain.jobs import ActionRecord, ActionState, Job, JobKind
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter
from lantern.services.remediation import abilities, requests
from lantern.services.remediation.following import close, settle
from lantern.services.remediation.targets import (
    APP_KINDS,
    ASSET_KINDS,
    GRANT_KINDS,
    LETTING,
    Subject,
    resolve,
)
from lantern.services.remediation.watching import RUN_ACTOR
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

LEASE_TTL_S: Final = 960
CHAIN_OWNER: Final = "jobs"
"""Where leases of jobs live: they belong to no single connection."""
_AT_ONCE: Final = 100
"""Holders of an app that are read again after an act on it; those of a bigger one the next run reads."""
_OPEN: Final[frozenset[ActionState]] = frozenset({"planned", "applied"})


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
    instructions: tuple[str, ...] = ()


def run_job(task: Remediation, work: Work) -> Job | None:
    """Carry out what is left of a job; hands itself on before the deadline.

    Every step may be repeated: an act the provider already did is found done, and an action that has its
    outcome is not touched again.

    Returns:
        The job as it stands; None where it does not exist or another worker has it.
    """
    store = task.store
    job = store.jobs.get(work.body["job_id"])
    if job is None or job.state not in ("approved", "running", "waiting"):
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
    if job.state == "approved" and _cancelled(task, job):
        return job, True
    if job.state == "approved":
        job = store.jobs.put(jobs.start(job, task.clock.now()))
    for action in _waiting(store, job):
        if task.deadline.passed():
            return job, False
        if _cancelled(task, job):
            break
        _carry_out(task, job, action)
    return _close(task, job), True


def _waiting(store: TenantStore, job: Job) -> Iterator[ActionRecord]:
    """What is to be asked for; again, where only the provider can tell whether somebody did it."""
    wanted: frozenset[ActionState] = _OPEN
    if job.state == "waiting":
        wanted = frozenset() if job.kind in GRANT_KINDS | ASSET_KINDS else frozenset({"manual"})
    yield from [action for action in store.jobs.actions(job.id) if action.state in wanted]


def _cancelled(task: Remediation, job: Job) -> bool:
    """Whether the job, or the run that it belongs to, was cancelled: nothing more is done from then on."""
    store = task.store
    current = store.jobs.get(job.id)
    if current is None or current.state == "cancelled":
        return current is not None
    run_id = job.requested_by.removeprefix(RUN_ACTOR)
    run = store.playbooks.get(run_id) if run_id != job.requested_by else None
    if run is None or run.state != "cancelled":
        return False
    requests.cancel(store, job.id, run.cancelled_by or "system", task.clock.now())
    return True


def _carry_out(task: Remediation, job: Job, action: ActionRecord) -> None:
    """One target: act, read the account again, note the outcome with its audit entry."""
    store, now = task.store, task.clock.now()
    subject = resolve(store, job, action.target_id)
    if subject is None:
        _settle(task, job, action, Outcome("skipped", "It is no longer known here."))
        return
    account = subject.bundle.principal.email if subject.bundle is not None else None
    steps = abilities.unable(job.kind, subject.asset, subject.connection, account)
    if steps:
        _settle(task, job, action, Outcome("manual", "No API of the provider does it.", instructions=steps))
        return
    connector = _connect(task, job, subject.connection, action)
    if connector is None:
        return
    asked_before = action.state in ("applied", "manual")
    if not asked_before:
        # Noted before the provider is asked: should we not live to note the outcome, what is found gone
        # when the message comes again is our doing.
        action = store.jobs.put_action(jobs.settle(action, "applied", now, detail=jobs.ASKED))
    try:
        result = connector.act(subject.action)
    except ConnectorError as error:
        if error.kind in ("transient", "rate_limited"):
            raise
        _settle(task, job, action, Outcome("failed", error.user_message))
        return
    if result.state == "not_possible" and not result.instructions and subject.asset is not None:
        result = replace(result, instructions=abilities.steps_for(subject.asset, subject.connection))
    _read_again(task, job, subject, connector)
    _settle(task, job, action, outcome(job.kind, result, asked_before=asked_before))


def _read_again(task: Remediation, job: Job, subject: Subject, connector: Connector) -> None:
    """Read the accounts that the act touched, so that what is stored says so at once."""
    store, connection = task.store, subject.connection
    touched: list[Principal] = []
    if job.kind in GRANT_KINDS and subject.bundle is not None:
        touched = [subject.bundle.principal]
    elif job.kind in APP_KINDS:
        app_id = ids.app_id(connection.provider, subject.action.client_id)
        holders = sorted(store.footprints.holders(connection.id, app_id))[:_AT_ONCE]
        touched = [bundle.principal for bundle in store.bundles.batch_get(connection.id, holders).values()]
    if touched:
        writer = BundleWriter(
            *(store, connector, connection),
            cause="act",
            indexed=True,
            baseline=False,
            clock=task.clock.now,
        )
        writer.refresh(touched, task.deadline, task.clock.now())
    if job.kind in ASSET_KINDS:
        task.send(Work(store.tenant_id, "connection.assets", connection.id, cause=job.id), 0)


def outcome(kind: JobKind, result: ActionResult, *, asked_before: bool) -> Outcome:
    """What the provider's answer means for a target.

    `asked_before`: an earlier attempt at it did not live to note what came of it.
    """
    if result.state == "not_possible" and result.observed_present is (kind in LETTING):
        done: ActionState = "verified" if asked_before else "already_gone"
        return Outcome(done, "Read again: it is so." if asked_before else "It was so already.")
    if result.state == "not_possible":
        state: ActionState = "manual" if result.instructions else "failed"
        return Outcome(state, result.detail, instructions=result.instructions)
    if result.state == "pending" or result.observed_present is None:
        return Outcome("applied", result.detail or "Done; the provider could not be asked again yet.")
    if result.observed_present != (kind in LETTING):
        return Outcome("failed", result.detail or "The provider does not show it done.")
    if result.state == "already_done" and not asked_before:
        return Outcome("already_gone", result.detail or "It was so already.")
    return Outcome("verified", result.detail, result.remaining_access_s)


def _connect(task: Remediation, job: Job, connection: Connection, action: ActionRecord) -> Connector | None:
    """The connector; None where our access is gone, which is noted: asking again would not bring it back."""
    try:
        return task.connect(connection)
    except ConnectorError as error:
        if error.kind != "config":
            raise
        _settle(task, job, action, Outcome("failed", error.user_message))
        return None


def _settle(task: Remediation, job: Job, action: ActionRecord, came: Outcome) -> None:
    now = task.clock.now()
    noted = {
        "detail": came.detail,
        "remaining_access_s": came.remaining_access_s,
        "instructions": came.instructions,
        "look": came.state == "applied" and job.kind in GRANT_KINDS | ASSET_KINDS,
    }
    if came.state == action.state == "manual":
        return  # nothing new; the sweep that had it asked again has noted when
    if came.state == action.state:
        settled = replace(action, at=now, **noted)  # type: ignore[arg-type] # the names above are its own
    else:
        settled = jobs.settle(action, came.state, now, **noted)  # type: ignore[arg-type] # as above
    settle(task.store, job, action, settled, now)


def _close(task: Remediation, job: Job) -> Job:
    """Count the outcomes; close the job unless it was cancelled meanwhile or targets are left to verify."""
    store, now = task.store, task.clock.now()
    counts, left = jobs.tally(store.jobs.actions(job.id))
    current = store.jobs.get(job.id) or job
    if current.state not in ("running", "waiting"):
        return store.jobs.put(replace(current, counts=counts))
    return close(store, current, counts, left, now)
