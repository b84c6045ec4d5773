"""Runs of playbooks: what would happen, start it, allow it, stop it, follow it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from lantern.domain.errors import NotFoundError
from lantern.domain.playbooks.machine import About, Ahead, Approval, Phase, PlaybookRun, RunState, RunTarget
from lantern.domain.playbooks.model import TargetKind
from lantern.runtime.api.jobs import PlanAnswer, plan_answer
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import ID_SHAPES, Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict, choice_error
from lantern.runtime.preconditions import revision_etag

_ID = r"^[A-Za-z0-9_.-]{1,80}$"
_Id = Annotated[str, Field(pattern=_ID)]


class AboutBody(Strict):
    """What a run is about: exactly one of these."""

    app_id: str | None = Field(None, pattern=f"^{ID_SHAPES['app_id']}$")
    principal_id: str | None = Field(None, pattern=f"^{ID_SHAPES['principal_id']}$")
    person_id: str | None = Field(None, pattern=f"^{ID_SHAPES['person_id']}$")
    finding_id: str | None = Field(None, pattern=_ID)
    grant_ids: list[_Id] | None = Field(None, min_length=1, max_length=1_000)
    asset_ids: list[_Id] | None = Field(None, min_length=1, max_length=1_000)
    reason: str = Field("", max_length=1_000, description="Why; it goes into what people are told.")
    dry_run: bool = Field(default=False, description="Say what would happen to whom, and do nothing.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        names = ("app_id", "principal_id", "person_id", "finding_id", "grant_ids", "asset_ids")
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise choice_error(names, f"Send exactly one of {', '.join(names)}.")
        return self


class AboutAnswer(Answer):
    """What a run is about."""

    app_id: str | None
    principal_id: str | None
    person_id: str | None
    vendor_id: str | None
    finding_id: str | None
    grant_ids: list[str]
    asset_ids: list[str]


class MarkAnswer(Answer):
    """A step that a target has left."""

    step: str
    answer: str
    at: datetime
    detail: str


class AheadAnswer(Answer):
    """A step that a target would pass."""

    step: str
    about: str = Field(description="In words.")
    comes_to: str = Field(
        description="What it is expected to come to where nobody answers, the run is approved, and nobody "
        "does by hand what no API does."
    )


class RunTargetAnswer(Answer):
    """One target of a run."""

    target_id: str
    kind: TargetKind
    connection_id: str
    principal_id: str | None
    app_id: str | None
    step: str = Field(description="Where it is; `end` when it is through.")
    phase: Phase
    outcome: str
    due_at: datetime | None = Field(description="When waiting ends without an answer, or is looked at again.")
    waits_for: str | None = Field(description="The job or the question that it waits for.")
    trail: list[MarkAnswer]
    would: list[AheadAnswer] | None = Field(description="In a dry run: the steps that it would pass.")


class PlaybookRunAnswer(Answer):
    """A run of a playbook."""

    id: str
    playbook_id: str
    playbook_version: str
    title: str
    state: RunState
    approval: Approval
    requested_by: str
    created_at: datetime
    about: AboutAnswer
    reason: str
    plan: PlanAnswer | None = Field(description="Null while it is only proposed.")
    counts: dict[str, int] = Field(description="Targets by what they came to.")
    approved_by: str | None
    approved_at: datetime | None
    cancelled_by: str | None
    finished_at: datetime | None
    due_at: datetime | None
    error: str | None
    incident_id: str | None


class PlaybookRunDetail(PlaybookRunAnswer):
    """A run with all its targets."""

    targets: list[RunTargetAnswer]


class PlaybookRunList(ListOf[PlaybookRunAnswer]):
    """Runs."""


def _fields(run: PlaybookRun) -> dict[str, Any]:
    about = run.about
    return {
        "id": run.id,
        "playbook_id": run.book.id,
        "playbook_version": run.book.version,
        "title": run.book.title,
        "state": run.state,
        "approval": run.approval,
        "requested_by": run.requested_by,
        "created_at": run.created_at,
        "about": AboutAnswer(
            app_id=about.app_id,
            principal_id=about.principal_id,
            person_id=about.person_id,
            vendor_id=about.vendor_id,
            finding_id=about.finding_id,
            grant_ids=list(about.grant_ids),
            asset_ids=list(about.asset_ids),
        ),
        "reason": run.reason,
        "plan": plan_answer(run.plan),
        "counts": dict(run.counts),
        "approved_by": run.approved_by,
        "approved_at": run.approved_at,
        "cancelled_by": run.cancelled_by,
        "finished_at": run.finished_at,
        "due_at": run.due_at,
        "error": run.error,
        "incident_id": run.incident_id,
    }


def _target(one: RunTarget, would: tuple[Ahead, ...] | None = None) -> RunTargetAnswer:
    return RunTargetAnswer(
        target_id=one.target_id,
        kind=one.kind,
        connection_id=one.connection_id,
        principal_id=one.principal_id or None,
        app_id=one.app_id or None,
        step=one.step,
        phase=one.phase,
        outcome=one.outcome,
        due_at=one.due_at,
        waits_for=one.ref,
        trail=[MarkAnswer(step=m.step, answer=m.answer, at=m.at, detail=m.detail) for m in one.trail],
        would=None
        if would is None
        else [AheadAnswer(step=a.step, about=a.about, comes_to=a.comes_to) for a in would],
    )


def run_detail(
    run: PlaybookRun, targets: tuple[RunTarget, ...], would: Mapping[str, tuple[Ahead, ...]] | None = None
) -> PlaybookRunDetail:
    """A run with its targets; `would` says what each would meet, in a dry run."""
    rows = [_target(one, None if would is None else would[one.target_id]) for one in targets]
    return PlaybookRunDetail(**_fields(run), targets=rows)


def start_run(call: Call[Any, AboutBody]) -> Reply:
    """Start a run, or say what it would do."""
    body = call.body
    about = About(
        app_id=body.app_id,
        principal_id=body.principal_id,
        person_id=body.person_id,
        finding_id=body.finding_id,
        grant_ids=tuple(body.grant_ids or ()),
        asset_ids=tuple(body.asset_ids or ()),
    )
    return begin(call, call.path["playbook_id"], about, body.reason, dry_run=body.dry_run)


def begin(call: Call[Any, Any], playbook_id: str, about: About, reason: str, *, dry_run: bool) -> Reply:
    """Start a run about something for whoever calls."""
    from lantern.services import playbooks

    asked = playbooks.start(
        call.store,
        call.tools.reference.books.get(playbook_id),
        about=about,
        requested_by=call.caller.actor,
        reason=reason,
        dry_run=dry_run,
        now=call.tools.now(),
        random=call.tools.random,
    )
    if not dry_run:
        return _moved(asked.run, asked.targets)
    would = {
        one.target.target_id: one.steps for one in playbooks.would_happen(call.store, asked, call.tools.now())
    }
    return Reply(run_detail(asked.run, asked.targets, would))


def list_runs(call: Call[PageQuery, None]) -> Reply:
    """Runs, newest first."""
    page = call.store.playbooks.page(call.query.limit, call.position(call.query.cursor))
    rows = [PlaybookRunAnswer(**_fields(one)) for one in page.items]
    return Reply(PlaybookRunList(data=rows, next_cursor=call.cursor(page.cursor)))


def _get(call: Call[Any, Any]) -> PlaybookRun:
    run_id = call.path["playbook_run_id"]
    run = call.store.playbooks.get(run_id)
    if run is None:
        raise NotFoundError("playbook_run", run_id)
    return run


def get_run(call: Call[Any, None]) -> Reply:
    """One run with all its targets."""
    run = _get(call)
    targets = tuple(call.store.playbooks.targets(run.id))
    return Reply(run_detail(run, targets), etag=revision_etag(run.rev))


def _decide(call: Call[Any, None], word: str) -> Reply:
    from lantern.services import playbooks

    run = _get(call)
    call.check_revision(revision_etag(run.rev))
    decide = {"approve": playbooks.approve, "decline": playbooks.decline, "cancel": playbooks.cancel}[word]
    decided = decide(call.store, run.id, call.caller.actor, call.tools.now(), rev=run.rev)
    return _moved(decided, tuple(call.store.playbooks.targets(run.id)))


def approve_run(call: Call[Any, None]) -> Reply:
    """Let a run act."""
    return _decide(call, "approve")


def decline_run(call: Call[Any, None]) -> Reply:
    """Refuse a run."""
    return _decide(call, "decline")


def cancel_run(call: Call[Any, None]) -> Reply:
    """Stop a run."""
    return _decide(call, "cancel")


def _moved(run: PlaybookRun, targets: tuple[RunTarget, ...]) -> Reply:
    body = run_detail(run, targets)
    return Reply(body, status=202, etag=revision_etag(run.rev), location=f"/v1/playbook-runs/{run.id}")


def _decision(word: str, summary: str, description: str, handler: Any, *, refused: bool = False) -> Route:
    return Route(
        method="POST",
        path=f"/v1/playbook-runs/{{playbook_run_id}}/{word}",
        operation=f"{word}PlaybookRun",
        tag="Playbooks",
        summary=summary,
        description=description,
        handler=handler,
        scope="remediate",
        answer=PlaybookRunDetail,
        status=202,
        if_match=True,
        etag=True,
        problems=("conflict", "forbidden") if refused else ("conflict",),
    )


ROUTES = (
    Route(
        method="POST",
        path="/v1/playbooks/{playbook_id}/runs",
        operation="startPlaybookRun",
        tag="Playbooks",
        summary="Start a playbook run",
        description=(
            "Gathers the targets and begins with the first step; nothing is done at a provider before the "
            "approval that the playbook or its brakes ask for. With `dry_run` nothing is stored or sent: the "
            "answer names every target with every step that would come."
        ),
        handler=start_run,
        scope="remediate",
        body=AboutBody,
        answer=PlaybookRunDetail,
        status=202,
        dry_run=True,
        etag=True,
        problems=("not_found", "conflict"),
    ),
    Route(
        method="GET",
        path="/v1/playbook-runs",
        operation="listPlaybookRuns",
        tag="Playbooks",
        summary="Playbook runs",
        description="Runs of playbooks, newest first; those that were only proposed too.",
        handler=list_runs,
        scope="read",
        query=PageQuery,
        answer=PlaybookRunList,
    ),
    Route(
        method="GET",
        path="/v1/playbook-runs/{playbook_run_id}",
        operation="getPlaybookRun",
        tag="Playbooks",
        summary="One playbook run",
        description="The run with the state of every target, and the way each one took.",
        handler=get_run,
        scope="read",
        answer=PlaybookRunDetail,
        etag=True,
    ),
    _decision(
        "approve",
        "Approve a playbook run",
        "Whoever asked for a run cannot approve it. A proposed run is planned now and begins. `If-Match` "
        "names the run that was read.",
        approve_run,
        refused=True,
    ),
    _decision(
        "decline",
        "Decline a playbook run",
        "What needs the approval is never done; the steps that need none go on.",
        decline_run,
    ),
    _decision(
        "cancel",
        "Cancel a playbook run",
        "No further step begins; its open jobs are cancelled and its open questions taken back.",
        cancel_run,
    ),
)
