"""Where a run and its targets stand, and how they move: pure, so that every way through can be tried.

A target moves forward only. Entering a step is an effect on the world; its identity is (run, target, step),
and everything an effect makes is named by it, so that doing it again after a crash meets what was made.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from lantern.domain.actors import alike
from lantern.domain.errors import ConflictError, ForbiddenError
from lantern.domain.jobs import PlanSummary
from lantern.domain.playbooks.model import END, WISH, Playbook, Step, TargetKind

RunState = Literal["proposed", "running", "done", "failed", "cancelled"]
Approval = Literal["not_needed", "waiting", "approved", "declined"]
Phase = Literal["ready", "waiting", "over"]
CLOSED: Final[frozenset[RunState]] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class About:
    """What a run is about: exactly one of these.

    `shared` ids let a run be about what a person or a vendor has everywhere.
    """

    app_id: str | None = None
    principal_id: str | None = None
    person_id: str | None = None
    vendor_id: str | None = None
    finding_id: str | None = None
    grant_ids: tuple[str, ...] = ()
    asset_ids: tuple[str, ...] = ()

    def words(self) -> str:
        """The id that it names, or how many, for the audit log."""
        one = self.app_id or self.principal_id or self.person_id or self.vendor_id or self.finding_id
        return (
            one or f"{len(self.grant_ids) or len(self.asset_ids)} {'grants' if self.grant_ids else 'assets'}"
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """One step a target has left, by which answer, and when."""

    step: str
    answer: str
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunTarget:
    """One target of a run: `step` is where it is, `phase` whether that step has begun for it.

    `due_at` is when waiting ends without an answer; `ref` names the job or the question that it waits for.
    """

    run_id: str
    target_id: str
    kind: TargetKind
    connection_id: str
    step: str
    phase: Phase
    since: datetime
    principal_id: str = ""
    app_id: str = ""
    everyone: bool = False
    due_at: datetime | None = None
    ref: str | None = None
    trail: tuple[Mark, ...] = ()
    rev: int = 0

    @property
    def outcome(self) -> str:
        """What it came to last, or what it waits for."""
        if self.phase != "over":
            return f"{self.step}: {self.phase}"
        return self.trail[-1].answer if self.trail else "nothing"


@dataclass(frozen=True, slots=True)
class Ahead:
    """A step that a target would pass, in words, and what it is expected to come to."""

    step: str
    about: str
    comes_to: str


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """One run of a playbook, with the playbook as it was when it began.

    `requested_by` is an actor: a key, a rule with its version, a playbook; `behind` are further ones that
    count as having asked, such as the author of the rule. `due_at` is when there is
    something to do next; None while only an answer moves it. `told` is when a step last told something.
    """

    id: str
    book: Playbook
    state: RunState
    approval: Approval
    requested_by: str
    created_at: datetime
    about: About
    reason: str = ""
    plan: PlanSummary | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    approved_by: str | None = None
    approved_at: datetime | None = None
    cancelled_by: str | None = None
    finished_at: datetime | None = None
    due_at: datetime | None = None
    error: str | None = None
    incident_id: str | None = None
    told: Mapping[str, datetime] = field(default_factory=dict)
    behind: tuple[str, ...] = ()
    rev: int = 0

    @property
    def open(self) -> bool:
        """Whether something may still happen to it."""
        return self.state not in CLOSED


# --- the run ----------------------------------------------------------------------------------------


def needs_approval(book: Playbook, plan: PlanSummary) -> bool:
    """Whether somebody else must allow a run of this size before anything is done to anybody."""
    free = book.guards.approve_above if book.guards.approve_above is not None else 0
    return plan.everyone or book.asks_approval or plan.targets > free


def begin(run: PlaybookRun, plan: PlanSummary, now: datetime) -> PlaybookRun:
    """The run once planned.

    Raises:
        ConflictError: a brake forbids a plan of this size, nothing is to be done, or it has begun.
    """
    if run.state != "proposed":
        raise ConflictError(f"a run that is {run.state} does not begin")
    if plan.refused_by:
        raise ConflictError(
            f"{plan.targets} targets of {plan.principals} people exceed the brake {plan.refused_by} of "
            f"the playbook {run.book.id}; narrow what it is about"
        )
    if not plan.targets:
        raise ConflictError("nothing to do: there is no such access now")
    approval: Approval = "not_needed"
    if needs_approval(run.book, plan):
        approval = "approved" if run.approval == "approved" else "waiting"
    return replace(run, state="running", approval=approval, plan=plan, due_at=now)


def approve(
    run: PlaybookRun, by: str, at: datetime, asked: Collection[str] = (), decides: Collection[str] = ()
) -> PlaybookRun:
    """The run approved by somebody else than who asked for it.

    `asked` and `decides` are who is known to be behind those who asked and behind `by`.

    Raises:
        ForbiddenError: `by`, or the person behind it, asked for it.
        ConflictError: it does not wait for an approval.
    """
    if run.state not in ("proposed", "running") or run.approval != "waiting":
        raise ConflictError("this run does not wait for an approval")
    if alike({run.requested_by, *run.behind, *asked}, {by, *decides}):
        raise ForbiddenError("a run is approved by somebody other than who asked for it")
    return replace(run, approval="approved", approved_by=by, approved_at=at, due_at=at)


def decline(run: PlaybookRun, by: str, at: datetime) -> PlaybookRun:
    """The run refused: what needs the approval is never done.

    Raises:
        ConflictError: it does not wait for an approval.
    """
    if not run.open or run.approval != "waiting":
        raise ConflictError("this run does not wait for an approval")
    return replace(run, approval="declined", approved_by=by, approved_at=at, due_at=at)


def cancel(run: PlaybookRun, by: str, at: datetime) -> PlaybookRun:
    """The run cancelled: no further step begins. It is due until what it left open is ended.

    Raises:
        ConflictError: it is over.
    """
    if not run.open:
        raise ConflictError(f"a run that is {run.state} cannot be cancelled")
    return replace(run, state="cancelled", cancelled_by=by, finished_at=at, due_at=at)


def fail(run: PlaybookRun, error: str, at: datetime) -> PlaybookRun:
    """The run given up as a whole; `error` says why, for the customer."""
    return replace(run, state="failed", error=error, finished_at=at, due_at=None)


def settle(run: PlaybookRun, targets: Iterable[RunTarget], now: datetime) -> PlaybookRun:
    """The run as its targets stand: counted, over when all of them are, else due when one of them is."""
    every = tuple(targets)
    counts = counted(every)
    if all(one.phase == "over" for one in every):
        return replace(run, state="done", counts=counts, finished_at=now, due_at=None)
    times = [when for one in every if (when := wakes(run, one, now)) is not None]
    return replace(run, counts=counts, due_at=min(times, default=None))


def counted(targets: Iterable[RunTarget]) -> dict[str, int]:
    """Targets by what they came to, or by whether they wait."""
    counts: dict[str, int] = {}
    for one in targets:
        key = one.outcome if one.phase == "over" else one.phase
        counts[key] = counts.get(key, 0) + 1
    return counts


def wakes(run: PlaybookRun, target: RunTarget, now: datetime) -> datetime | None:
    """When there is next something to do about a target; None where only a decision moves it."""
    if target.phase == "over":
        return None
    if target.phase == "waiting":
        return target.due_at
    return gate(run, run.book.step(target.step), now, target=target).until


def wished(book: Playbook, target: RunTarget) -> bool:
    """Whether whoever was asked said that it be taken away, and nothing came between that and now."""
    last = target.trail[-1] if target.trail else None
    return last is not None and last.answer == WISH and book.step(last.step).kind == "nudge"


# --- brakes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate:
    """Why a step may not begin (empty: it may), and when to look again; None if time does not help.

    `never`: no decision that can still be made helps either.
    """

    why: str = ""
    until: datetime | None = None
    never: bool = False

    @property
    def open(self) -> bool:
        """Whether the step may begin."""
        return not self.why


def gate(
    run: PlaybookRun, step: Step, now: datetime, acted: int = 0, *, target: RunTarget | None = None
) -> Gate:
    """Whether a step may begin for one more target. Brakes are held here, whatever was checked before.

    What its holder asked to be taken away needs nobody else's approval and waits for no window: they were
    told that it happens now, as with every question. How many are acted on is limited all the same.

    Args:
        run: the run.
        step: the step that would begin.
        now: current time.
        acted: how many other targets of the run an act has begun for already.
        target: for whom; None where nobody asked for anything.
    """
    if run.state != "running":
        return Gate(f"the run is {run.state}")
    if step.kind != "act":
        return Gate(until=now)
    wish = target is not None and not target.everyone and wished(run.book, target)
    return _act_gate(run, now, acted, wish=wish)


def _act_gate(run: PlaybookRun, now: datetime, acted: int, *, wish: bool) -> Gate:
    if run.approval == "declined" and not wish:
        return Gate("it was declined", never=True)
    if run.approval not in ("approved", "not_needed") and not wish:
        return Gate("it waits for an approval")
    if run.plan is None or (not wish and needs_approval(run.book, run.plan) != (run.approval == "approved")):
        return Gate("it was never approved")
    limit = run.book.guards.max_targets
    if acted >= run.plan.targets or (limit is not None and acted >= limit):
        return Gate("max_targets", never=True)
    if wish:
        return Gate(until=now)
    opens = run.book.window.opens(now) if run.book.window else None
    return Gate(until=now) if opens is None else Gate("outside of the change window", opens)


# --- one target -------------------------------------------------------------------------------------


def entered(target: RunTarget, due: datetime | None, ref: str | None = None) -> RunTarget:
    """The target whose step has begun and now waits, at most until `due`, for what `ref` names."""
    return replace(target, phase="waiting", due_at=due, ref=ref or target.ref)


def moved(book: Playbook, target: RunTarget, answer: str, now: datetime, detail: str = "") -> RunTarget:
    """The target after an answer: ready for the step it leads to, or over.

    Raises:
        ConflictError: it is over already.
    """
    if target.phase == "over":
        raise ConflictError("this target is through already")
    current = book.step(target.step)
    following = current.after(answer)
    trail = (*target.trail, Mark(target.step, answer, now, detail[:300]))
    phase: Phase = "over" if following == END else "ready"
    return replace(target, step=following, phase=phase, since=now, due_at=None, ref=None, trail=trail)


def passed_by(book: Playbook, target: RunTarget, now: datetime) -> RunTarget:
    """The target past a step that has nothing to do with it; no mark is left."""
    following = book.step(target.step).next
    return replace(target, step=following, phase="over" if following == END else "ready", since=now)


def ended(target: RunTarget, answer: str, now: datetime, detail: str = "") -> RunTarget:
    """The target at its end, wherever it was: its run is over."""
    trail = (*target.trail, Mark(target.step, answer, now, detail[:300]))
    return replace(target, step=END, phase="over", since=now, due_at=None, ref=None, trail=trail)


def silent(target: RunTarget, now: datetime) -> bool:
    """Whether waiting is over without an answer."""
    return target.phase == "waiting" and target.due_at is not None and now >= target.due_at


def deadline(step: Step, now: datetime) -> datetime:
    """Until when a step that begins now waits."""
    return now + timedelta(days=step.days)


def may_answer(target: RunTarget, step_id: str, now: datetime) -> None:
    """Refuse an answer that comes to another step than the one that waits, or too late.

    Raises:
        ConflictError: it changes nothing any more.
    """
    if target.step != step_id or target.phase != "waiting":
        raise ConflictError("this question is settled already")
    if silent(target, now):
        raise ConflictError("the time to answer is over")


def walk(book: Playbook, kind: TargetKind, answers: Mapping[str, str]) -> tuple[str, ...]:
    """The steps that a target passes where steps come to these answers; for the tests inside a page."""
    path: list[str] = []
    at = book.steps[0].id if book.steps else END
    while at != END:
        step = book.step(at)
        if not step.concerns(kind):
            at = step.next
            continue
        path.append(at)
        at = step.after(answers.get(at, ""))
    return tuple(path)
