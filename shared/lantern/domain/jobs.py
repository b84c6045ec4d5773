"""Remediation jobs: what is to be done, who allowed it, and what became of every target."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from lantern.domain.actors import alike
from lantern.domain.errors import ConflictError, ForbiddenError

GrantKind = Literal["revoke_grants", "revoke_scopes"]
AppActKind = Literal["disable_app", "enable_app", "approve_app", "restrict_app", "uninstall_app"]
AssetKind = Literal["delete_asset", "disable_asset"]
JobKind = GrantKind | AppActKind | AssetKind | Literal["end_sessions"]
"""What is acted on: grants, apps as a whole, assets, or an account's sessions."""
JobState = Literal[
    "planned", "awaiting_approval", "approved", "running", "waiting", "done", "failed", "cancelled"
]
"""`waiting`: everything was asked for; what is left shows only when it is read again, such as what an
administrator does by hand."""
ActionState = Literal["planned", "applied", "verified", "failed", "already_gone", "skipped", "manual"]
"""`manual`: no API does it; the administrator's steps are in the action's instructions."""

_NEXT: Final[Mapping[JobState, frozenset[JobState]]] = {
    "planned": frozenset({"awaiting_approval", "approved", "cancelled", "failed"}),
    "awaiting_approval": frozenset({"approved", "cancelled"}),
    "approved": frozenset({"running", "cancelled", "failed"}),
    "running": frozenset({"waiting", "done", "failed", "cancelled"}),
    "waiting": frozenset({"done", "failed", "cancelled"}),
    "done": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
_NEXT_ACTION: Final[Mapping[ActionState, frozenset[ActionState]]] = {
    "planned": frozenset({"applied", "verified", "failed", "already_gone", "skipped", "manual"}),
    "applied": frozenset({"verified", "failed", "already_gone", "manual", "skipped"}),
    "failed": frozenset({"applied", "verified", "failed", "already_gone", "skipped", "manual"}),
    "manual": frozenset({"applied", "verified", "failed", "already_gone", "skipped"}),
    "verified": frozenset(),
    "already_gone": frozenset(),
    "skipped": frozenset(),
}
ASKED: Final = "The provider is asked."
"""The detail of an action while its provider is being asked."""
CLOSED: Final[frozenset[JobState]] = frozenset(state for state, after in _NEXT.items() if not after)
"""States that a job never leaves."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What a job is about: explicit grants or assets, or those of an app, a principal or a finding.

    `scopes` are the permissions to take away where a job takes a part of a grant.
    """

    app_id: str | None = None
    principal_id: str | None = None
    finding_id: str | None = None
    grant_ids: tuple[str, ...] = ()
    asset_ids: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guards:
    """Brakes on the blast radius, checked before anything is done; None is no brake.

    `max_percent` is of the principals of the connection; more targets than `approve_above` need approval.
    """

    max_targets: int | None = None
    max_percent: float | None = None
    approve_above: int | None = None


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a dry run found: how many targets of how many principals and apps there are.

    `refused_by` names the brake that forbids it, `sample` holds the first target ids. `everyone`: the whole
    organisation feels it, so that somebody else must approve, however few targets there are.
    """

    targets: int
    principals: int
    apps: int
    percent: float | None = None
    refused_by: str | None = None
    sample: tuple[str, ...] = ()
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How far a job has come, in targets."""

    planned: int = 0
    applied: int = 0
    verified: int = 0
    failed: int = 0
    already_gone: int = 0
    skipped: int = 0
    manual: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One request to act on a provider."""

    id: str
    kind: JobKind
    state: JobState
    requested_by: str
    created_at: datetime
    selector: Selector
    guards: Guards = field(default_factory=Guards)
    connection_id: str | None = None
    reason: str = ""
    plan: PlanSummary | None = None
    counts: JobCounts = field(default_factory=JobCounts)
    approved_by: str | None = None
    approved_at: datetime | None = None
    cancelled_by: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reminded_at: datetime | None = None
    error: str | None = None
    rev: int = 0

    @property
    def open(self) -> bool:
        """Whether something may still happen to it."""
        return self.state not in CLOSED


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """What became of one target of a job; the form of `target_id` follows the kind of the job.

    A grant id, an account's id, an asset's id, or `<app id>@<connection id>` for an act on a whole app.
    `instructions` are the steps for an administrator where no API does it. `remaining_access_s`: for how long
    at most the app's access tokens may still work; None where unknown. `look`: reading again will show it.
    `principal_id`: the account that had or owned it.
    """

    job_id: str
    target_id: str
    state: ActionState
    at: datetime
    detail: str = ""
    remaining_access_s: int | None = None
    instructions: tuple[str, ...] = ()
    look: bool = False
    principal_id: str = ""
    rev: int = 0

    @property
    def asking(self) -> bool:
        """Whether the provider is being asked, as far as is known."""
        return self.state == "applied" and self.detail == ASKED

    @property
    def left(self) -> bool:
        """Whether what it comes to shows only when it is read again."""
        return self.state == "manual" or self.look


def _move(job: Job, state: JobState) -> Job:
    if state not in _NEXT[job.state]:
        raise ConflictError(f"a job that is {job.state} cannot become {state}")
    return replace(job, state=state)


def request_approval(job: Job, plan: PlanSummary) -> Job:
    """The job once planned, waiting for somebody else to approve it."""
    return replace(_move(job, "awaiting_approval"), plan=plan)


def release(job: Job, plan: PlanSummary, at: datetime) -> Job:
    """The job once planned, where its brakes ask for no approval."""
    return replace(_move(job, "approved"), plan=plan, approved_at=at)


def approve(
    job: Job, by: str, at: datetime, asked: Collection[str] = (), decides: Collection[str] = ()
) -> Job:
    """The job approved by `by`; `asked` and `decides` are who is known to be behind the two.

    Raises:
        ForbiddenError: `by`, or the person behind it, requested it: nobody approves their own request.
        ConflictError: it does not wait for approval.
    """
    if job.state != "awaiting_approval":
        raise ConflictError(f"a job that is {job.state} does not wait for approval")
    if alike({job.requested_by, *asked}, {by, *decides}):
        raise ForbiddenError("a job is approved by somebody other than who requested it")
    return replace(_move(job, "approved"), approved_by=by, approved_at=at)


def cancel(job: Job, by: str, at: datetime) -> Job:
    """The job cancelled: targets not acted on yet are left alone.

    Raises:
        ConflictError: it is done, failed or cancelled already.
    """
    return replace(_move(job, "cancelled"), cancelled_by=by, finished_at=at)


def start(job: Job, at: datetime) -> Job:
    """The job running."""
    return replace(_move(job, "running"), started_at=at)


def finish(job: Job, counts: JobCounts, at: datetime, *, left: int = 0) -> Job:
    """The job once everything was asked for: done, failed where a target failed, waiting for what is left."""
    if left:
        return replace(job if job.state == "waiting" else _move(job, "waiting"), counts=counts)
    state: JobState = "failed" if counts.failed else "done"
    return replace(_move(job, state), counts=counts, finished_at=at)


def fail(job: Job, error: str, at: datetime) -> Job:
    """The job given up as a whole; `error` says why, for the customer."""
    return replace(_move(job, "failed"), error=error, finished_at=at)


def settle(
    action: ActionRecord,
    state: ActionState,
    at: datetime,
    *,
    detail: str = "",
    remaining_access_s: int | None = None,
    instructions: tuple[str, ...] = (),
    look: bool = False,
) -> ActionRecord:
    """The action with its outcome.

    Raises:
        ConflictError: it has an outcome already that this one does not follow.
    """
    if state not in _NEXT_ACTION[action.state]:
        raise ConflictError(f"an action that is {action.state} cannot become {state}")
    return replace(
        action,
        state=state,
        at=at,
        detail=detail,
        remaining_access_s=remaining_access_s,
        instructions=instructions,
        look=look,
    )


def tally(actions: Iterable[ActionRecord]) -> tuple[JobCounts, int]:
    """The targets of a job by what became of them, and how many are left to be read again."""
    counts, left = Counter[str](), 0
    for one in actions:
        counts[one.state] += 1
        left += one.left
    return JobCounts(**counts), left
