"""Jobs: what is being done at providers; ask for one, approve it, cancel it."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lantern.domain.jobs import ActionRecord, ActionState, Job, JobKind, JobState, PlanSummary, Selector
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict, choice_error
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries

_ID = r"^[A-Za-z0-9_.-]{1,80}$"
_Id = Annotated[str, Field(pattern=_ID)]
_Scope = Annotated[str, Field(min_length=1, max_length=300)]


class SelectorAnswer(Answer):
    """What the job is about."""

    app_id: str | None
    principal_id: str | None
    finding_id: str | None
    grant_ids: list[str]
    asset_ids: list[str]
    scopes: list[str]


class JobRequest(Strict):
    """What to do, and to what: exactly one of app, account, finding, grants and assets."""

    kind: JobKind = Field(description="Grants are revoked, apps disabled or restricted, sessions ended, …")
    app_id: str | None = Field(
        None, pattern=f"^{ID_SHAPES['app_id']}$", description="An app: its grants, or the app as a whole."
    )
    principal_id: str | None = Field(
        None, pattern=f"^{ID_SHAPES['principal_id']}$", description="An account."
    )
    finding_id: str | None = Field(None, pattern=_ID, description="A finding: its open grants.")
    grant_ids: list[_Id] | None = Field(None, min_length=1, max_length=1_000, description="These grants.")
    asset_ids: list[_Id] | None = Field(None, min_length=1, max_length=1_000, description="These assets.")
    scopes: list[_Scope] | None = Field(
        None, min_length=1, max_length=200, description="Permissions to take away, for `revoke_scopes`."
    )
    connection_id: str | None = Field(None, pattern=_ID, description="Only at this connection.")
    reason: str = Field("", max_length=2_000, description="Why; it goes into the audit log.")
    dry_run: bool = Field(default=False, description="Plan only: nothing is done.")

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        names = ("app_id", "principal_id", "finding_id", "grant_ids", "asset_ids")
        if sum(getattr(self, name) is not None for name in names) != 1:
            said = "Send exactly one of app_id, principal_id, finding_id, grant_ids and asset_ids."
            raise choice_error(names, said)
        if (self.kind == "revoke_scopes") != (self.scopes is not None):
            raise choice_error(("scopes",), "Send scopes with the kind revoke_scopes, and with no other.")
        return self


class PlanAnswer(Answer):
    """What would go, as planned."""

    targets: int
    principals: int
    apps: int
    percent: float | None
    refused_by: str | None = Field(description="The brake that forbids it.")
    sample: list[str] = Field(description="The first target ids.")
    everyone: bool = Field(description="The whole organisation feels it: somebody else must approve.")


class JobCountsAnswer(Answer):
    """How far it has come, in targets."""

    planned: int
    applied: int
    verified: int
    failed: int
    already_gone: int
    skipped: int
    manual: int = Field(description="Left to an administrator: the steps are in the actions.")


class JobAnswer(Answer):
    """Work that acts on a provider."""

    id: str
    kind: JobKind
    state: JobState
    requested_by: str
    created_at: datetime
    connection_id: str | None
    reason: str
    selector: SelectorAnswer
    plan: PlanAnswer | None
    counts: JobCountsAnswer
    approved_by: str | None
    approved_at: datetime | None
    cancelled_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class JobList(ListOf[JobAnswer]):
    """Jobs."""


class JobQuery(PageQuery):
    """Which jobs."""

    open: bool = Field(default=False, description="Only jobs to which something may still happen.")


class ActionAnswer(Answer):
    """What became of one target."""

    target_id: str = Field(
        description="A grant, an account, an asset, or `<app id>@<connection id>`, by the kind of the job."
    )
    state: ActionState
    at: datetime
    detail: str
    remaining_access_s: int | None = Field(
        description="How long access tokens may still work, in seconds; null where unknown."
    )
    instructions: list[str] = Field(description="An administrator's steps, where no API does it.")


class ActionList(ListOf[ActionAnswer]):
    """Targets of a job."""


def plan_answer(plan: PlanSummary | None) -> PlanAnswer | None:
    """A plan as the API shows it."""
    if plan is None:
        return None
    return PlanAnswer(
        targets=plan.targets,
        principals=plan.principals,
        apps=plan.apps,
        percent=plan.percent,
        refused_by=plan.refused_by,
        sample=list(plan.sample),
        everyone=plan.everyone,
    )


def job_answer(job: Job) -> JobAnswer:
    """A job as the API shows it."""
    plan, counts, selector = job.plan, job.counts, job.selector
    return JobAnswer(
        id=job.id,
        kind=job.kind,
        state=job.state,
        requested_by=job.requested_by,
        created_at=job.created_at,
        connection_id=job.connection_id,
        reason=job.reason,
        selector=SelectorAnswer(
            app_id=selector.app_id,
            principal_id=selector.principal_id,
            finding_id=selector.finding_id,
            grant_ids=list(selector.grant_ids),
            asset_ids=list(selector.asset_ids),
            scopes=list(selector.scopes),
        ),
        plan=plan_answer(plan),
        counts=JobCountsAnswer(
            planned=counts.planned,
            applied=counts.applied,
            verified=counts.verified,
            failed=counts.failed,
            already_gone=counts.already_gone,
            skipped=counts.skipped,
            manual=counts.manual,
        ),
        approved_by=job.approved_by,
        approved_at=job.approved_at,
        cancelled_by=job.cancelled_by,
        started_at=job.started_at,
        finished_at=job.finished_at,
        error=job.error,
    )


def _action(action: ActionRecord) -> ActionAnswer:
    return ActionAnswer(
        target_id=action.target_id,
        state=action.state,
        at=action.at,
        detail=action.detail,
        remaining_access_s=action.remaining_access_s,
        instructions=list(action.instructions),
    )


def request_job(call: Call[Any, JobRequest]) -> Reply:
    """Ask for a job."""
    body = call.body
    if body.connection_id is not None:
        queries.connection(call.store, body.connection_id)
    job = call.tools.remediation.request_job(
        call.store,
        kind=body.kind,
        requested_by=call.caller.actor,
        selector=Selector(
            app_id=body.app_id,
            principal_id=body.principal_id,
            finding_id=body.finding_id,
            grant_ids=tuple(body.grant_ids or ()),
            asset_ids=tuple(body.asset_ids or ()),
            scopes=tuple(body.scopes or ()),
        ),
        connection_id=body.connection_id,
        reason=body.reason,
        dry_run=body.dry_run,
        now=call.tools.now(),
        random=call.tools.random,
    )
    return Reply(job_answer(job)) if body.dry_run else _moved(job)


def list_jobs(call: Call[JobQuery, None]) -> Reply:
    """Jobs, newest first."""
    asked = call.query
    page = queries.jobs(
        call.store, only_open=asked.open, limit=asked.limit, after=call.position(asked.cursor)
    )
    return Reply(JobList(data=[job_answer(job) for job in page.items], next_cursor=call.cursor(page.cursor)))


def get_job(call: Call[Any, None]) -> Reply:
    """One job."""
    job = queries.job(call.store, call.path["job_id"])
    return Reply(job_answer(job), etag=revision_etag(job.rev))


def list_actions(call: Call[PageQuery, None]) -> Reply:
    """What became of each target."""
    asked = call.query
    page = queries.job_actions(
        call.store, call.path["job_id"], limit=asked.limit, after=call.position(asked.cursor)
    )
    return Reply(ActionList(data=[_action(a) for a in page.items], next_cursor=call.cursor(page.cursor)))


def approve_job(call: Call[Any, None]) -> Reply:
    """Let a job run."""
    job = queries.job(call.store, call.path["job_id"])
    call.check_revision(revision_etag(job.rev))
    return _moved(call.tools.remediation.approve(call.store, job.id, call.caller.actor, call.tools.now()))


def cancel_job(call: Call[Any, None]) -> Reply:
    """Stop a job."""
    job = queries.job(call.store, call.path["job_id"])
    call.check_revision(revision_etag(job.rev))
    return _moved(call.tools.remediation.cancel(call.store, job.id, call.caller.actor, call.tools.now()))


def _moved(job: Job) -> Reply:
    return Reply(job_answer(job), status=202, etag=revision_etag(job.rev), location=f"/v1/jobs/{job.id}")


ROUTES = (
    Route(
        method="POST",
        path="/v1/jobs",
        operation="requestJob",
        tag="Jobs",
        summary="Act on a provider",
        description=(
            "Plans a job; brakes and approval apply, and what the whole organisation feels always waits for "
            "somebody else's approval. What a provider lets be done is at /v1/connectors; where no API does "
            "it, the job's actions hold the steps for an administrator. With `dry_run` nothing is done."
        ),
        handler=request_job,
        scope="remediate",
        body=JobRequest,
        answer=JobAnswer,
        status=202,
        dry_run=True,
        etag=True,
        problems=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/jobs",
        operation="listJobs",
        tag="Jobs",
        summary="Jobs",
        description="Work that acts on providers, newest first.",
        handler=list_jobs,
        scope="read",
        query=JobQuery,
        answer=JobList,
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job_id}",
        operation="getJob",
        tag="Jobs",
        summary="One job",
        description="Its plan, its approval and how far it has come.",
        handler=get_job,
        scope="read",
        answer=JobAnswer,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job_id}/actions",
        operation="listJobActions",
        tag="Jobs",
        summary="Targets of a job",
        description="What was done to each target, and what the provider showed afterwards.",
        handler=list_actions,
        scope="read",
        query=PageQuery,
        answer=ActionList,
    ),
    Route(
        method="POST",
        path="/v1/jobs/{job_id}/approve",
        operation="approveJob",
        tag="Jobs",
        summary="Approve a job",
        description="Whoever requested a job cannot approve it. `If-Match` names the plan that was read.",
        handler=approve_job,
        scope="remediate",
        answer=JobAnswer,
        status=202,
        if_match=True,
        etag=True,
        problems=("conflict", "forbidden"),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{job_id}/cancel",
        operation="cancelJob",
        tag="Jobs",
        summary="Cancel a job",
        description="Targets that were not acted on yet are left alone.",
        handler=cancel_job,
        scope="remediate",
        answer=JobAnswer,
        status=202,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
)
