"""Ask for a revocation, approve it, cancel it: decisions, each in one transaction with its audit entry."""

from dataclasses import dataclass, replace
from datetime import datetime

from lantern.domain import ids, jobs
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import ConflictError, NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.jobs import ActionRecord, Guards, Job, JobKind, PlanSummary, Selector
from lantern.domain.work import Work
from lantern.services.actors import behind
from lantern.services.remediation.plan import DEFAULT_GUARDS, make_plan
from lantern.store.documents import Put
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Leave:
    """What a run of a playbook brings to a job of its own: its id, and who allowed the run.

    `approved_by` is None where the run's brakes ask for no approval.
    """

    job_id: str
    approved_by: str | None


@dataclass(frozen=True, slots=True)
class Along:
    """What is written in the transaction that makes a job, so that there is the one only with the other."""

    puts: tuple[Put, ...] = ()
    events: tuple[AuditEvent, ...] = ()


def request_job(
    store: TenantStore,
    *,
    requested_by: str,
    selector: Selector,
    dry_run: bool,
    kind: JobKind = "revoke_grants",
    connection_id: str | None = None,
    reason: str = "",
    guards: Guards = DEFAULT_GUARDS,
    now: datetime,
    random: RandomBytes,
    leave: Leave | None = None,
    along: Along | None = None,
) -> Job:
    """Plan a job and, unless it is a dry run, put it up for approval or let it go ahead.

    What the whole organisation feels always waits for somebody else's approval. A dry run stores nothing: it
    returns the job as it would be, with its plan. With `leave` the job is what a run of a playbook was
    allowed to do: its brakes are held here once more, and asking again finds the job that is there.
    `along` is written with the job, or neither is.

    Raises:
        ConflictError: a brake forbids it, or there is nothing to act on.
        NotFoundError, InvalidInputError: as `make_plan`.
    """
    if leave is not None and (there := store.jobs.get(leave.job_id)) is not None:
        return there
    plan = make_plan(store, selector, guards, connection_id, kind)
    job = Job(
        id=leave.job_id if leave else ids.time_id("job", now, random),
        kind=kind,
        state="planned",
        requested_by=requested_by,
        created_at=now,
        selector=selector,
        guards=guards,
        connection_id=connection_id,
        reason=reason,
        plan=plan.summary,
        counts=jobs.JobCounts(planned=len(plan.targets)),
    )
    if dry_run:
        return job
    if plan.summary.refused_by:
        raise ConflictError(
            f"{plan.summary.targets} targets of {plan.summary.principals} people exceed the brake "
            f"{plan.summary.refused_by}; ask for less at once: one app, one connection or some people"
        )
    if not plan.targets:
        raise ConflictError("nothing to do: no such access is there now")
    store.jobs.plan_actions(
        ActionRecord(job.id, t.target_id, "planned", now, principal_id=t.principal_id) for t in plan.targets
    )
    settled = _settled(job, plan.summary, guards, leave, now)
    unit = store.transact(now).put(store.jobs.op(settled)).audit(_requested(settled, plan.summary))
    if along is not None:
        unit = unit.put(*along.puts).audit(*along.events)
    if settled.state == "approved":
        unit = unit.outbox(_work(store, settled))
    unit.commit()
    return replace(settled, rev=1)


def _requested(job: Job, plan: PlanSummary) -> AuditEvent:
    return AuditEvent(
        actor=job.requested_by,
        action="job.requested",
        subject=job.id,
        detail={
            "kind": job.kind,
            "targets": str(plan.targets),
            "principals": str(plan.principals),
            "state": job.state,
            **change(NOTHING, job.state),
            "selector": _words(job.selector),
            **({"approved_by": job.approved_by} if job.approved_by else {}),
        },
    )


def _settled(job: Job, plan: PlanSummary, guards: Guards, leave: Leave | None, now: datetime) -> Job:
    """The job waiting for approval, or free to go: by its brakes, or by the approval of its run."""
    if leave is not None and leave.approved_by is not None:
        return jobs.approve(jobs.request_approval(job, plan), leave.approved_by, now)
    free = guards.approve_above if guards.approve_above is not None else 0
    if plan.everyone or plan.targets > free:
        return jobs.request_approval(job, plan)
    return jobs.release(job, plan, now)


def approve(store: TenantStore, job_id: str, by: str, now: datetime) -> Job:
    """Approve a waiting job; never by who requested it, nor by another key of the same person.

    Raises:
        NotFoundError, ForbiddenError, ConflictError.
    """
    before = _get(store, job_id)
    asked, decides = behind(store, [before.requested_by]), behind(store, [by])
    job = jobs.approve(before, by, now, asked, decides)
    detail = {"requested_by": job.requested_by, **change(before.state, job.state)}
    event = AuditEvent(by, "job.approved", job.id, detail)
    store.transact(now).put(store.jobs.op(job)).audit(event).outbox(_work(store, job)).commit()
    return replace(job, rev=job.rev + 1)


def cancel(store: TenantStore, job_id: str, by: str, now: datetime) -> Job:
    """Cancel a job; what was not acted on yet is left alone.

    Raises:
        NotFoundError, ConflictError.
    """
    before = _get(store, job_id)
    job = jobs.cancel(before, by, now)
    event = AuditEvent(by, "job.cancelled", job.id, change(before.state, job.state))
    store.transact(now).put(store.jobs.op(job)).audit(event).commit()
    return replace(job, rev=job.rev + 1)


def _get(store: TenantStore, job_id: str) -> Job:
    job = store.jobs.get(job_id)
    if job is None:
        raise NotFoundError("job", job_id)
    return job


def _work(store: TenantStore, job: Job) -> Work:
    return Work(store.tenant_id, "job.run", body={"job_id": job.id}, cause=job.id)


def _words(selector: Selector) -> str:
    named = selector.app_id or selector.principal_id or selector.finding_id
    return named or f"{len(selector.grant_ids)} grants"
