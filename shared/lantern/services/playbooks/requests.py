"""Start a run, approve it, decline it, cancel it: decisions, each in one transaction with its audit entry."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.audit import NOTHING, AuditEvent
from lantern.domain.errors import LeaseLostError, NotFoundError, RevisionConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.jobs import PlanSummary
from lantern.domain.playbooks import machine
from lantern.domain.playbooks.machine import About, PlaybookRun, RunTarget
from lantern.domain.playbooks.model import Playbook
from lantern.domain.work import Work
from lantern.services.actors import behind
from lantern.services.playbooks.approvers import to_approvers
from lantern.services.playbooks.gather import Gathered, gather
from lantern.services.remediation.plan import summarise
from lantern.services.remediation.select import Target
from lantern.store.tenant import TenantStore

CHAIN_OWNER: Final = "playbooks"
"""Where leases of runs live: they belong to no single connection."""
PLAN_TTL_S: Final = 30
"""For how long one who decides may plan: longer than a call of the API takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as it is, or as it would be, with its targets at their first step."""

    run: PlaybookRun
    targets: tuple[RunTarget, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """What starts a run by itself: a name for it, and when it came about."""

    name: tuple[str, ...]
    at: datetime

    @property
    def run_id(self) -> str:
        """The id of the one run that it starts; it sorts by time like every other."""
        digest = hashlib.sha256("\0".join(self.name).encode()).digest()
        return ids.time_id("plr", self.at, lambda size: digest[:size])


def start(
    store: TenantStore,
    book: Playbook,
    *,
    about: About,
    requested_by: str,
    reason: str = "",
    dry_run: bool = False,
    propose: bool = False,
    cause: Cause | None = None,
    incident_id: str | None = None,
    others: tuple[str, ...] = (),
    now: datetime,
    random: RandomBytes,
) -> Asked:
    """Plan a run and begin it; what needs an approval waits for one.

    A dry run stores nothing. A proposal is stored without targets: they are gathered when it is approved.
    With a `cause` the run's id is made of it: the same cause starts one run, however often it is told.
    `others` count as having asked, beside `requested_by`.

    Raises:
        ConflictError: a brake forbids it, or there is nothing to do.
        NotFoundError, InvalidInputError: as `gather`.
    """
    run = PlaybookRun(
        id=cause.run_id if cause else ids.time_id("plr", now, random),
        book=book,
        state="proposed",
        approval="waiting",
        requested_by=requested_by,
        created_at=now,
        about=about,
        reason=reason,
        incident_id=incident_id,
        behind=others,
    )
    if cause and (there := store.playbooks.get(run.id)) is not None:
        return Asked(there, tuple(store.playbooks.targets(run.id)))
    if propose and not dry_run:
        event = _event(run, requested_by, "playbook.proposed")
        store.transact(now).put(store.playbooks.op(run)).audit(event).commit()
        return Asked(replace(run, rev=1), ())
    planned = replace(run, approval="not_needed")
    targets = _targets(planned, gather(store, book, about), now)
    plan = summarise(store, [_as_target(one) for one in targets], book.guards)
    if dry_run:
        approval = "waiting" if machine.needs_approval(book, plan) else "not_needed"
        return Asked(replace(planned, plan=plan, approval=approval), targets)  # type: ignore[arg-type] # two of its words
    return _begin(store, planned, targets, requested_by, now)


def _begin(
    store: TenantStore, run: PlaybookRun, targets: tuple[RunTarget, ...], by: str, now: datetime
) -> Asked:
    """The run begun with these targets, by one who decides at a time: the plan of another is never touched.

    Raises:
        RevisionConflictError: somebody else decides about it at this moment, or has.
    """
    plan = summarise(store, [_as_target(one) for one in targets], run.book.guards)
    begun = replace(machine.begin(run, plan, now), counts={"ready": len(targets)})
    try:
        lease = store.leases.acquire(CHAIN_OWNER, run.id, f"{by}/{secrets.token_hex(8)}", PLAN_TTL_S, now)
    except LeaseLostError:
        raise RevisionConflictError("somebody else decides about this run just now") from None
    try:
        there = store.playbooks.get(run.id)
        if (there.rev if there else 0) != run.rev:
            raise RevisionConflictError("somebody else decided about this run")
        return _planned(store, begun, targets, plan, by, now)
    finally:
        store.leases.release(CHAIN_OWNER, run.id, lease)


def _planned(
    store: TenantStore,
    begun: PlaybookRun,
    targets: tuple[RunTarget, ...],
    plan: PlanSummary,
    by: str,
    now: datetime,
) -> Asked:
    store.playbooks.plan_targets(begun.id, targets)
    detail = {"targets": str(plan.targets), "principals": str(plan.principals), "approval": begun.approval}
    if begun.rev:
        detail["before"] = "proposed"
    event = _event(begun, by, "playbook.started", **detail)
    told = to_approvers(store, begun, targets, now) if begun.approval == "waiting" else ()
    unit = store.transact(now).put(store.playbooks.op(begun), *(one.put for one in told)).audit(event)
    unit.outbox(_work(store, begun), *(one.work for one in told)).commit()
    return Asked(replace(begun, rev=begun.rev + 1), targets)


def approve(
    store: TenantStore, run_id: str, by: str, now: datetime, *, rev: int | None = None
) -> PlaybookRun:
    """Approve what waits; a run that was only proposed is planned now and begins with the approval.

    `rev` is the revision that whoever approves has read.

    Raises:
        NotFoundError: no such run.
        ForbiddenError: `by`, or the person behind it, asked for it.
        ConflictError: it does not wait, a brake forbids it, or it changed since it was read.
    """
    run = _get(store, run_id, rev)
    asked, decides = behind(store, [run.requested_by, *run.behind]), behind(store, [by])
    approved = machine.approve(run, by, now, asked, decides)
    if run.state == "proposed":
        targets = _targets(approved, gather(store, run.book, run.about), now)
        return _begin(store, approved, targets, by, now).run
    event = _event(approved, by, "playbook.approved", before=run.approval, approval=approved.approval)
    unit = store.transact(now).put(store.playbooks.op(approved)).audit(event)
    unit.outbox(_work(store, approved)).commit()
    return replace(approved, rev=run.rev + 1)


def decline(
    store: TenantStore, run_id: str, by: str, now: datetime, *, rev: int | None = None
) -> PlaybookRun:
    """Refuse what waits for approval; a proposal is over with it.

    Raises:
        NotFoundError, ConflictError: as `approve`.
    """
    run = _get(store, run_id, rev)
    declined = machine.decline(run, by, now)
    if run.state == "proposed":
        declined = machine.cancel(declined, by, now)
    event = _event(declined, by, "playbook.declined", before=run.approval, approval=declined.approval)
    unit = store.transact(now).put(store.playbooks.op(declined)).audit(event)
    if declined.open:
        unit.outbox(_work(store, declined))
    unit.commit()
    return replace(declined, rev=run.rev + 1)


def cancel(store: TenantStore, run_id: str, by: str, now: datetime, *, rev: int | None = None) -> PlaybookRun:
    """Cancel a run at whatever step it is; jobs of it that wait or run are cancelled by its next message.

    Raises:
        NotFoundError: no such run.
        ConflictError: it is over, or changed since it was read.
    """
    run = _get(store, run_id, rev)
    cancelled = machine.cancel(run, by, now)
    event = _event(cancelled, by, "playbook.cancelled", before=run.state)
    unit = store.transact(now).put(store.playbooks.op(cancelled)).audit(event)
    unit.outbox(_work(store, cancelled)).commit()
    return replace(cancelled, rev=run.rev + 1)


def _targets(run: PlaybookRun, gathered: Sequence[Gathered], now: datetime) -> tuple[RunTarget, ...]:
    return tuple(
        RunTarget(
            run_id=run.id,
            target_id=one.target.target_id,
            kind=one.kind,
            connection_id=one.target.connection_id,
            step=run.book.steps[0].id,
            phase="ready",
            since=now,
            principal_id=one.target.principal_id,
            app_id=one.target.app_id,
            everyone=one.target.everyone,
        )
        for one in gathered
    )


def _as_target(one: RunTarget) -> Target:
    return Target(one.target_id, one.connection_id, one.principal_id, one.app_id, one.everyone)


def _get(store: TenantStore, run_id: str, rev: int | None) -> PlaybookRun:
    run = store.playbooks.get(run_id)
    if run is None:
        raise NotFoundError("playbook run", run_id)
    # Written on the revision that was decided about: who comes second is told.
    return run if rev is None else replace(run, rev=rev)


def _work(store: TenantStore, run: PlaybookRun) -> Work:
    return Work(store.tenant_id, "playbook.run", body={"run_id": run.id}, cause=run.id)


def _event(run: PlaybookRun, by: str, action: str, **detail: str) -> AuditEvent:
    told = {"playbook": run.book.id, "version": run.book.version, "about": run.about.words(), **detail}
    return AuditEvent(by, action, run.id, {"before": NOTHING, **told, "after": run.state})
