"""Acting: a run makes jobs, which act, verify and note everything; the run waits for them."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lantern.domain import ids
from lantern.domain.actors import RUN_ACTOR
from lantern.domain.errors import ConflictError, NotFoundError
from lantern.domain.jobs import CLOSED, Job, JobKind, Selector
from lantern.domain.playbooks.machine import RunTarget, wished
from lantern.domain.work import Work
from lantern.services.playbooks.steps import Comes, Context, Handler, Said, Waits
from lantern.services.remediation.abilities import asset_act
from lantern.services.remediation.requests import Leave, request_job
from lantern.services.remediation.targets import locate
from lantern.services.remediation.watching import asset_gone, grant_gone
from lantern.store.jobs import JobRepository
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

ASK_AGAIN: Final = timedelta(minutes=15)
STUCK: Final = timedelta(hours=2)
"""A job that takes longer than this has its message sent again."""
_GONE: Final = "It was gone before."
_SETTLED: Final = frozenset({"verified", "already_gone", "manual", "failed", "skipped"})
_ASKED: Final = frozenset({"waiting", "done", "failed"})


class _Act:
    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        """Give every target its job by name; the job is made once that is stored.

        The name is made of run, step and the first target: a target that got one keeps it, so that no second
        job is ever made for it.
        """
        said: dict[str, Said] = {}
        for group in _groups(context, targets).values():
            job_id = _job_id(context, group[0])
            said |= {one.target_id: Waits(context.now, job_id) for one in group}
        return said

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        said: dict[str, Said] = {}
        by_job: dict[str, list[RunTarget]] = defaultdict(list)
        for one in targets:
            by_job[one.ref or ""].append(one)
        for job_id, group in by_job.items():
            job = context.store.jobs.get(job_id)
            said |= self._made(context, job_id, group) if job is None else self._of(context, job, group)
        return said

    def _made(self, context: Context, job_id: str, group: Sequence[RunTarget]) -> dict[str, Said]:
        said: dict[str, Said] = {}
        for one in group:
            if not _known(context, one):
                said[one.target_id] = Comes("skipped", "It is no longer known here.")
            elif _gone(context, one):
                said[one.target_id] = Comes("already_gone", _GONE)
        there = [one for one in group if one.target_id not in said]
        if not there:
            return said
        run, act = context.run, context.step.act
        # After a crash the window may have closed: nothing has begun yet.
        opens = run.book.window.opens(context.now) if run.book.window else None
        if opens is not None and not all(wished(run.book, one) for one in there):
            return said | {one.target_id: Waits(opens) for one in there}
        assert act is not None  # noqa: S101 - every act has its kind, as compiled
        plan = run.plan
        allowed = replace(run.book.guards, approve_above=plan.targets if plan else 0)
        try:
            request_job(
                context.store,
                requested_by=f"{RUN_ACTOR}{run.id}",
                selector=_selector(there),
                dry_run=False,
                kind=kind_of(context.store, act, there[0]),
                connection_id=there[0].connection_id if there[0].kind == "app" else None,
                reason=f"{run.book.title}: {run.reason}" if run.reason else run.book.title,
                guards=allowed,
                now=context.now,
                random=context.random,
                leave=Leave(job_id, run.approved_by if run.approval == "approved" else None),
            )
        except NotFoundError:
            # Looked at again soon: then it is not known any more, and left out.
            log.info("a target went away meanwhile", extra={"run": run.id})
        except ConflictError as refused:
            return said | {one.target_id: Comes("failed", str(refused)) for one in there}
        return said | {one.target_id: Waits(context.now + ASK_AGAIN) for one in there}

    def _of(self, context: Context, job: Job, group: Sequence[RunTarget]) -> dict[str, Said]:
        outcomes = _outcomes(context.store.jobs, job, group)
        said: dict[str, Said] = {}
        for one in group:
            state, detail = outcomes.get(one.target_id, ("already_gone", _GONE))
            if state in _SETTLED or (state == "applied" and job.state in _ASKED):
                said[one.target_id] = Comes(state, detail)
            elif job.state in CLOSED:
                word = "skipped" if job.state == "cancelled" else "failed"
                said[one.target_id] = Comes(word, job.error or detail or f"The job is {job.state}.")
            else:
                said[one.target_id] = Waits(context.now + ASK_AGAIN)
        begun = job.started_at or job.approved_at or job.created_at
        if job.state in ("approved", "running") and context.now - begun >= STUCK:
            # Its message was given up on, say in a long outage of the provider: a further one does no harm.
            work = Work(context.store.tenant_id, "job.run", body={"job_id": job.id}, cause=context.run.id)
            context.store.transact(context.now).outbox(work).commit()
        return said


def _outcomes(jobs: JobRepository, job: Job, group: Sequence[RunTarget]) -> dict[str, tuple[str, str]]:
    wanted = {one.target_id for one in group}
    found: dict[str, tuple[str, str]] = {}
    for action in jobs.actions(job.id):
        if action.target_id in wanted:
            left = (
                f" Access tokens may work for {action.remaining_access_s} s."
                if action.remaining_access_s
                else ""
            )
            told = " ".join(action.instructions) if action.state == "manual" else action.detail
            found[action.target_id] = (action.state, f"{told}{left}")
    return found


def kind_of(store: TenantStore, act: JobKind, one: RunTarget) -> JobKind:
    """The kind of job that does an act to a target: a key that can only be deleted is deleted."""
    stored = store.assets.get(one.target_id) if one.kind == "asset" else None
    connection = store.connections.get(one.connection_id) if stored else None
    return asset_act(act, stored.asset, connection.provider) if stored and connection else act


def _groups(context: Context, targets: Sequence[RunTarget]) -> Mapping[tuple[str, str], list[RunTarget]]:
    """Targets by the job that takes them: grants share one, so do assets, an account or app has its own."""
    groups: dict[tuple[str, str], list[RunTarget]] = defaultdict(list)
    for one in sorted(targets, key=lambda one: one.target_id):
        own = one.target_id if one.kind in ("account", "app") else ""
        if one.kind == "asset" and context.step.act is not None:
            own = kind_of(context.store, context.step.act, one)
        groups[one.kind, own].append(one)
    return groups


def _job_id(context: Context, first: RunTarget) -> str:
    name = "\0".join((context.run.id, context.step.id, first.target_id))
    digest = hashlib.sha256(name.encode()).digest()
    return ids.time_id("job", first.since, lambda size: digest[:size])


def _known(context: Context, one: RunTarget) -> bool:
    """Whether a job could find the target."""
    store = context.store
    if one.kind == "grant":
        return locate(store.connections.list(), store, one.principal_id) is not None
    if one.kind == "account":
        return locate(store.connections.list(), store, one.target_id) is not None
    if one.kind == "asset":
        return store.assets.get(one.target_id) is not None
    connection = store.connections.get(one.connection_id)
    return connection is not None and not connection.leaving


def _gone(context: Context, one: RunTarget) -> bool:
    if one.kind == "grant":
        return grant_gone(context.store, one.target_id)
    return one.kind == "asset" and asset_gone(context.store, one.target_id, one.principal_id)


def _selector(group: Sequence[RunTarget]) -> Selector:
    first = group[0]
    if first.kind == "grant":
        return Selector(grant_ids=tuple(one.target_id for one in group))
    if first.kind == "asset":
        return Selector(asset_ids=tuple(one.target_id for one in group))
    if first.kind == "account":
        return Selector(principal_id=first.target_id)
    return Selector(app_id=first.app_id)


HANDLER: Final[Handler] = _Act()
