"""From records and audit entries to one bundle of evidence. Nothing in it is computed from anything else."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from lantern.domain.actors import RUN_ACTOR
from lantern.domain.audit import AuditEntry, AuditHead, verify
from lantern.domain.errors import NotFoundError
from lantern.domain.jobs import ActionRecord, Job
from lantern.domain.playbooks.machine import Mark, PlaybookRun, RunTarget
from lantern.domain.playbooks.model import WISH
from lantern.services import incidents
from lantern.services.evidence.naming import names_of, subject, who
from lantern.store.tenant import TenantStore

Kind = Literal["job", "playbook-run", "offboarding", "incident"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
OFFBOARDING: Final = "departed-employee"
_ANSWERED: Final = {"revoke": "to be removed", "silence": "no answer in time", "nobody": "nobody to ask"}
"""Answers in words where their own are not clear to a reader."""
_PAGE: Final = 1_000
MAX_SCANNED: Final = 50_000
"""Audit entries that are read at most; a bundle that needs more says that it is cut off."""


@dataclass(frozen=True, slots=True)
class Line:
    """What was done to one target, with the names that people know, as stored at the time of the bundle."""

    target_id: str
    kind: str
    account: str | None
    app: str | None
    connection: str | None
    outcome: str
    detail: str
    at: datetime
    job_id: str | None
    remaining_access_s: int | None
    instructions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """The entries about it, in their places in the audit chain, and what checking the chain said.

    The chain was checked from the entry after `after` to `head`; `first_bad` is None where it is sound.
    """

    entries: tuple[AuditEntry, ...]
    after: AuditHead
    head: AuditHead
    first_bad: int | None
    cut_off: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """A bundle. `facts` are label and value in the order in which they are told.

    `organisation` is whose it is, by the name it has here.
    """

    kind: Kind
    id: str
    title: str
    organisation: str
    made_at: datetime
    facts: tuple[tuple[str, str], ...]
    story: tuple[tuple[datetime, str], ...]
    outcomes: tuple[tuple[str, int], ...]
    lines: tuple[Line, ...]
    proof: Proof


@dataclass(frozen=True, slots=True)
class _Names:
    """What people call the things that targets name."""

    accounts: dict[str, str]
    apps: dict[str, str]
    connections: dict[str, str]


def collect(store: TenantStore, kind: str, subject_id: str, now: datetime) -> Evidence:
    """The evidence of a job, a run, an offboarding or an incident.

    Raises:
        NotFoundError: there is no such thing, or no such kind.
    """
    if kind == "job":
        return _of_job(store, subject_id, now)
    if kind in ("playbook-run", "offboarding"):
        run = store.playbooks.get(subject_id)
        if run is None or (kind == "offboarding" and run.book.id != OFFBOARDING):
            raise NotFoundError(kind, subject_id)
        word: Kind = "offboarding" if kind == "offboarding" else "playbook-run"
        return _of_run(store, word, run, now)
    if kind == "incident":
        return _of_incident(store, subject_id, now)
    raise NotFoundError("evidence", kind)


def _of_job(store: TenantStore, job_id: str, now: datetime) -> Evidence:
    job = store.jobs.get(job_id)
    if job is None:
        raise NotFoundError("job", job_id)
    actions = list(store.jobs.actions(job_id))
    lines = _lines(
        store, [(one.target_id, None) for one in actions], {one.target_id: (one, job) for one in actions}
    )
    return Evidence(
        kind="job",
        id=job.id,
        title=f"{_words(job.kind)}: {job.reason}" if job.reason else _words(job.kind),
        organisation=_organisation(store),
        made_at=now,
        facts=_facts(
            ("State", job.state),
            ("Requested by", who(store, job.requested_by)),
            ("Approved by", who(store, job.approved_by)),
            ("Cancelled by", who(store, job.cancelled_by)),
            ("Reason", job.reason),
            ("Targets", str(len(lines))),
        ),
        story=_story(
            (job.created_at, f"Requested by {who(store, job.requested_by)}"),
            (job.approved_at, f"Approved by {who(store, job.approved_by) or 'its brakes'}"),
            (job.started_at, "Started"),
            (job.finished_at, f"Ended: {job.state}"),
        ),
        outcomes=_outcomes(lines),
        lines=lines,
        proof=_proof(store, {job.id, *(one.target_id for one in actions)}, {job.id}, job.created_at),
    )


def _of_run(
    store: TenantStore,
    kind: Kind,
    run: PlaybookRun,
    now: datetime,
    *,
    more: tuple[tuple[str, str], ...] = (),
    subject_id: str | None = None,
    title: str | None = None,
    since: datetime | None = None,
) -> Evidence:
    targets = list(store.playbooks.targets(run.id))
    done = _done(store, run)
    lines = _lines(store, [(one.target_id, one) for one in targets], done)
    jobs = {job.id for _, job in done.values()}
    plan = run.plan
    subjects = {subject_id or run.id, run.id, *jobs, *(one.target_id for one in targets)}
    return Evidence(
        kind=kind,
        id=subject_id or run.id,
        title=title or run.book.title,
        organisation=_organisation(store),
        made_at=now,
        facts=_facts(
            *more,
            ("Playbook", f"{run.book.title} ({run.book.id}, version {run.book.version})"),
            ("About", subject(store, run)),
            ("State", run.state),
            ("Asked for by", who(store, run.requested_by)),
            ("Approval", _approval(run, targets)),
            ("Decided by", who(store, run.approved_by)),
            ("Cancelled by", who(store, run.cancelled_by)),
            ("Reason", run.reason),
            ("Targets", str(plan.targets) if plan else None),
            ("Accounts", str(plan.principals) if plan else None),
            ("Brakes", _brakes(run)),
            *_questions(run, targets),
        ),
        story=_story(
            (run.created_at, f"Asked for by {who(store, run.requested_by)}"),
            (run.approved_at, f"{run.approval.capitalize()} by {who(store, run.approved_by)}"),
            *((mark.at, f"{run.book.step(mark.step).about}: {mark.answer}") for mark in _firsts(targets)),
            (run.finished_at, f"Ended: {run.state}"),
        ),
        outcomes=_outcomes(lines),
        lines=lines,
        proof=_proof(store, subjects, {run.id, *jobs}, since or run.created_at),
    )


def _of_incident(store: TenantStore, incident_id: str, now: datetime) -> Evidence:
    found = incidents.incident(store, incident_id)
    ended = incidents.ended(store, found)
    begins, ends = found.window(ended)
    facts = _facts(
        ("Vendor", found.vendor),
        ("Occurred", f"{found.occurred_at:%Y-%m-%d %H:%M} UTC"),
        ("Raised by", who(store, found.raised_by)),
        ("Summary", found.summary),
        ("People exposed", str(found.people)),
        ("Grants", str(found.grants)),
        ("Kinds of data", ", ".join(found.data)),
        ("Exposed from", f"{begins:%Y-%m-%d %H:%M} UTC" if begins else "never"),
        ("Exposed until", f"{ends:%Y-%m-%d %H:%M} UTC" if ends else "still open" if begins else "never"),
        ("Not read completely", ", ".join(found.unread)),
        *(("Chain", one) for one in found.chains),
    )
    title = f"Incident at {found.vendor}"
    run = store.playbooks.get(found.run_id) if found.run_id else None
    if run is not None:
        return _of_run(
            *(store, "incident", run, now),
            more=facts,
            subject_id=found.id,
            title=title,
            since=found.raised_at,
        )
    return Evidence(
        kind="incident",
        id=found.id,
        title=title,
        organisation=_organisation(store),
        made_at=now,
        facts=facts,
        story=_story(
            (found.occurred_at, "It happened"), (found.raised_at, f"Raised by {who(store, found.raised_by)}")
        ),
        outcomes=(),
        lines=(),
        proof=_proof(store, {found.id}, {found.id}, found.raised_at),
    )


# --- parts ------------------------------------------------------------------------------------------


def _done(store: TenantStore, run: PlaybookRun) -> dict[str, tuple[ActionRecord, Job]]:
    """What the jobs of a run did, by target: the jobs are those that it asked for."""
    found: dict[str, tuple[ActionRecord, Job]] = {}
    actor = f"playbook:{run.id}"
    entries = _scan(store, run.created_at)[0]
    ids = sorted({one.subject for one in entries if one.action == "job.requested" and one.actor == actor})
    for job_id in ids:
        job = store.jobs.get(job_id)
        if job is not None:
            found |= {action.target_id: (action, job) for action in store.jobs.actions(job_id)}
    return found


def _lines(
    store: TenantStore,
    targets: Iterable[tuple[str, RunTarget | None]],
    done: dict[str, tuple[ActionRecord, Job]],
) -> tuple[Line, ...]:
    listed = list(targets)
    names = _names(store, [one for one, _ in listed])
    return tuple(_line(target_id, target, done.get(target_id), names) for target_id, target in listed)


def _line(
    target_id: str, target: RunTarget | None, done: tuple[ActionRecord, Job] | None, names: _Names
) -> Line:
    action, job = done or (None, None)
    last = target.trail[-1] if target is not None and target.trail else None
    outcome = action.state if action else target.outcome if target else "nothing"
    at = action.at if action else last.at if last else target.since if target else None
    assert at is not None  # noqa: S101 - a line is of a target or of an action
    return Line(
        target_id=target_id,
        kind=target.kind if target else _words(job.kind) if job else "",
        account=names.accounts.get(target_id),
        app=names.apps.get(target_id),
        connection=names.connections.get(target_id),
        outcome=outcome,
        detail=(action.detail if action else last.detail if last else "")[:300],
        at=at,
        job_id=job.id if job else None,
        remaining_access_s=action.remaining_access_s if action else None,
        instructions=action.instructions if action else (),
    )


def _names(store: TenantStore, target_ids: Iterable[str]) -> _Names:
    return _Names(*names_of(store, target_ids))


def _firsts(targets: Iterable[RunTarget]) -> Iterable[Mark]:
    """The first time each step came to each answer: the story, not every line of it."""
    found: dict[tuple[str, str], Mark] = {}
    for mark in sorted((mark for one in targets for mark in one.trail), key=lambda mark: mark.at):
        found.setdefault((mark.step, mark.answer), mark)
    return found.values()


def _outcomes(lines: Iterable[Line]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(one.outcome for one in lines).most_common())


def _questions(run: PlaybookRun, targets: Sequence[RunTarget]) -> Iterator[tuple[str, str]]:
    """How many were asked by each step that asks people, and what came back so far."""
    for step in (one for one in run.book.steps if one.kind == "nudge"):
        came = Counter(mark.answer for one in targets for mark in one.trail if mark.step == step.id)
        waits = sum(1 for one in targets if (one.step, one.phase) == (step.id, "waiting"))
        counts = [*came.most_common(), *([("no answer yet", waits)] if waits else [])]
        if counts:
            yield step.about, ", ".join(f"{_ANSWERED.get(word, word)}: {count}" for word, count in counts)


def _approval(run: PlaybookRun, targets: Sequence[RunTarget]) -> str:
    asks = {one.id for one in run.book.steps if one.kind == "nudge"}
    gave_up = any(m.step in asks and m.answer == WISH for one in targets for m in one.trail)
    if run.approval == "waiting" and gave_up:
        return "waiting" if run.open else "none; what its holder gave up needs none"
    return run.approval.replace("_", " ")


def _organisation(store: TenantStore) -> str:
    tenant = store.tenants.get()
    return tenant.name if tenant is not None else store.tenant_id


def _brakes(run: PlaybookRun) -> str:
    guards = run.book.guards
    parts = (
        (guards.max_targets, "at most {} targets"),
        (guards.max_percent, "at most {:g} % of the accounts"),
        (guards.approve_above, "approval above {} targets"),
    )
    return ", ".join(text.format(value) for value, text in parts if value is not None)


def _facts(*pairs: tuple[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((label, value) for label, value in pairs if value)


def _story(*lines: tuple[datetime | None, str]) -> tuple[tuple[datetime, str], ...]:
    told = [(at, said) for at, said in lines if at is not None]
    return tuple(sorted(told, key=lambda line: line[0]))


def _words(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


# --- the chain --------------------------------------------------------------------------------------


def _scan(store: TenantStore, since: datetime) -> tuple[list[AuditEntry], bool]:
    """Entries from `since` on, oldest first, and whether there are more than can be read."""
    found: list[AuditEntry] = []
    before: int | None = None
    while len(found) < MAX_SCANNED:
        page = store.audit.latest(_PAGE, before)
        recent = [one for one in page.items if one.at >= since]
        found += recent
        if len(recent) < len(page.items) or page.cursor is None:
            return found[::-1], False
        before = page.items[-1].seq
    return found[::-1], True


def _proof(store: TenantStore, subjects: set[str], about: set[str], since: datetime) -> Proof:
    """The entries about these, and the check of the chain from the first entry of that time to its end.

    An entry about a target counts where its detail names one of `about`, or it is one of them itself.
    """
    # Head first: entries that are appended meanwhile come after it.
    head = store.audit.head()
    scanned, cut_off = _scan(store, since)
    entries = [one for one in scanned if one.seq <= head.seq]
    # What a run asked people, and what they answered, belongs to it.
    runs = {f"{RUN_ACTOR}{one}" for one in about}
    about = about | {one.subject for one in entries if one.action == "nudge.created" and one.actor in runs}
    if not entries:
        return Proof((), head, head, None, cut_off)
    after = AuditHead(entries[0].seq - 1, entries[0].prev_hash)
    chosen = tuple(
        one
        for one in entries
        if one.subject in about
        or (one.subject in subjects and (one.detail.get("job") in about or not one.detail.get("job")))
    )
    return Proof(chosen, after, head, verify(entries, after=after, head=head), cut_off)
