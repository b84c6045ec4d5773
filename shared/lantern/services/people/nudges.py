"""Ask a person about a tool, take the answer, end what nobody answers.

Every step is one transaction with its audit entry. What is done at a provider is never done here: an answer
leaves a message in the outbox, and what follows (`services.people.follow`) happens once, however often the
message comes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import ids, nudges
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import NotFoundError, RevisionConflictError
from lantern.domain.exceptions import AccessException
from lantern.domain.ids import RandomBytes
from lantern.domain.inventory import Bundle
from lantern.domain.nudges import Ledger, Nudge, NudgeAnswer, NudgeKind, NudgeState, Silence, Unasked
from lantern.domain.work import Work
from lantern.services.people.exceptions import allowing
from lantern.services.people.follow import look_again
from lantern.services.people.reaching import DELIVERIES
from lantern.services.remediation.targets import locate
from lantern.store.tenant import TenantStore

ATTEMPTS: Final = 5
PATIENCE: Final = timedelta(days=30)
"""A question that found no room in its person's weeks for so long is not asked any more."""
SWEEP: Final = 200
"""Questions that one sweep looks at; the next one goes on."""
_ALONE: Final[frozenset[NudgeKind]] = frozenset({"acknowledge"})
"""Kinds that are about no tool."""
_PATIENT: Final[frozenset[NudgeKind]] = frozenset({"acknowledge", "rotate"})
"""Kinds that are asked though the person may keep the tool."""
_AFTERWARDS: Final[frozenset[NudgeKind]] = frozenset({"rotate", "delete_account"})
"""Kinds that are asked though the access is gone: what the vendor has seen or stored it still has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: the nudge, or why nobody is asked (`nudges.UNASKED` says who decides instead).

    `created` is False where the same was asked already: the nudge is that one.
    """

    nudge: Nudge | None
    refused: Unasked | None = None
    created: bool = False


def create_nudge(
    store: TenantStore,
    *,
    kind: NudgeKind,
    principal_id: str,
    app_id: str,
    origin: str,
    by: str,
    now: datetime,
    random: RandomBytes,
    silence: Silence | None = None,
    days: int | None = None,
    alternative: str | None = None,
    note: str = "",
) -> Asked:
    """Ask the person behind an account about an app: at once, or when their week has room.

    One question of a kind about an app is open to a person at a time: asking again answers with that one. So
    does asking again with the same `origin`, whatever became of the question, where the origin names a step
    (`playbook:<run id>.<step>`): a message that comes twice asks once.

    Args:
        store: the tenant's store.
        kind: what is asked.
        principal_id: the account that has the access.
        app_id: the app; empty for `acknowledge`.
        origin: who asks, see `Nudge.origin`.
        by: the actor of the audit entry.
        now: current time.
        random: source of randomness for the id.
        silence: what silence does; by default what the kind says.
        days: how long it may be answered; by default what the tenant set.
        alternative: id of the app to use instead.
        note: a sentence of whoever asks, shown as theirs.

    Raises:
        NotFoundError: no such account or app in this tenant.
        RevisionConflictError: too many ask the same person at once.
    """
    found = locate(store.connections.list(), store, principal_id)
    if found is None:
        raise NotFoundError("principal", principal_id)
    connection, bundle = found
    refused = refusal(store, bundle, kind, app_id, now)
    if refused is not None:
        return Asked(None, refused)
    policy = store.guidance.get()
    principal = bundle.principal
    stepped = origin.partition(":")[0] in nudges.OWNERS
    draft = Nudge(
        id=ids.derived_id("ndg", origin, principal.person_id, app_id, kind)
        if stepped
        else ids.time_id("ndg", now, random),
        person_id=principal.person_id,
        principal_id=principal.id,
        connection_id=connection.id,
        app_id=app_id,
        kind=kind,
        state="queued",
        silence=silence or nudges.SILENCE[kind],
        origin=origin,
        created_at=now,
        next_at=now,
        days=days or policy.answer_days,
        grant_id=ids.grant_id(principal.id, app_id) if app_id else None,
        scope_set=grant.scope_set if (grant := bundle.grant(app_id)) else None,
        alternative=alternative,
        note=note[: nudges.LONGEST_REASON],
    )
    for attempt in range(ATTEMPTS):
        try:
            return _ask(store, draft, policy.weekly_nudges, by, now, repeated=stepped)
        except RevisionConflictError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def refusal(
    store: TenantStore, bundle: Bundle, kind: NudgeKind, app_id: str, now: datetime
) -> Unasked | None:
    """Why nobody would be asked this about an app; None where somebody would.

    Raises:
        NotFoundError: no such app in this tenant.
    """
    principal = bundle.principal
    record, _ = store.people.record(principal.person_id)
    refused = nudges.unasked(principal, departed=record.departed if record else principal.departed)
    if refused is not None or kind in _ALONE:
        return refused
    if store.apps.get_facts(app_id) is None:
        raise NotFoundError("app", app_id)
    if bundle.grant(app_id) is None and kind not in _AFTERWARDS:
        return "no_access"
    allowed = store.exceptions.get(principal.person_id, app_id)
    return "excepted" if allowed and allowed.holds(now) and kind not in _PATIENT else None


def _ask(store: TenantStore, draft: Nudge, cap: int, by: str, now: datetime, *, repeated: bool) -> Asked:
    if repeated and (before := store.nudges.get(draft.id)) is not None:
        return Asked(before)
    ledger = store.nudges.ledger(draft.person_id)
    there = ledger.holder(draft.app_id, draft.kind)
    standing = store.nudges.get(there) if there else None
    if standing is not None and standing.open:
        return Asked(standing)
    ledger = nudges.opened(ledger, draft)
    event = AuditEvent(
        by,
        "nudge.created",
        draft.id,
        {
            "person": draft.person_id,
            "app": draft.app_id or "none",
            "kind": draft.kind,
            "silence": draft.silence,
            "origin": draft.origin,
            **change(NOTHING, "asked"),
        },
    )
    at = nudges.room(ledger, now, cap)
    if at > now:
        queued = nudges.postpone(draft, at)
        store.transact(now).put(store.nudges.op(queued), store.nudges.ledger_op(ledger, now)).audit(
            event
        ).commit()
        return Asked(replace(queued, rev=1), created=True)
    return Asked(_hand_over(store, draft, ledger, now, event), created=True)


def _hand_over(store: TenantStore, nudge: Nudge, ledger: Ledger, now: datetime, *events: AuditEvent) -> Nudge:
    """Count a question against its person's week and give it to the channels, in one transaction."""
    sent = nudges.send(nudge, now)
    work = Work(store.tenant_id, "nudge.send", body={"nudge_id": nudge.id}, cause=nudge.id)
    event = AuditEvent(
        "system", "nudge.sent", nudge.id, {"person": nudge.person_id, **change(nudge.state, sent.state)}
    )
    store.transact(now).put(
        store.nudges.op(sent), store.nudges.ledger_op(nudges.counted(ledger, now), now)
    ).audit(*events, event).outbox(work).commit()
    return replace(sent, rev=nudge.rev + 1)


def answer_nudge(
    store: TenantStore,
    nudge_id: str,
    given: NudgeAnswer,
    *,
    reason: str = "",
    via: str,
    by: str,
    now: datetime,
) -> Nudge:
    """Take the answer to a question. The same answer again changes nothing and is no error.

    Keeping is an exception until the tenant's review date, written with the answer. Taking access away and
    reading the account again follow by the outbox.

    Args:
        store: the tenant's store.
        nudge_id: the question.
        given: the answer.
        reason: why, where the answer needs a reason; kept with the nudge, never in the audit log.
        via: where it was given: `page`, `slack` or `api`.
        by: the person who answered, or the key that answered for them.
        now: current time.

    Raises:
        NotFoundError: no such question.
        ConflictError: it was answered otherwise, has expired or was withdrawn, or changed just now.
        InvalidInputError: the question has no such answer, or a reason is missing.
    """
    nudge = _get(store, nudge_id)
    if nudge.state == "answered" and nudge.answer == given:
        return nudge
    answered = nudges.answer(nudge, given, reason=reason, via=via, now=now)
    unit = store.transact(now)
    if given == "keep":
        exception = _exception(store, answered, by, now)
        answered = replace(answered, exception_id=exception.id)
        unit.put(store.exceptions.op(exception))
    ledger = nudges.closed(store.nudges.ledger(nudge.person_id), nudge)
    detail = {"person": nudge.person_id, "answer": given, "via": via}
    detail |= change(nudge.state, answered.state)
    unit.put(store.nudges.op(answered), store.nudges.ledger_op(ledger, now))
    unit.audit(AuditEvent(by, "nudge.answered", nudge.id, detail))
    unit.outbox(_follow(store, nudge))
    unit.commit()
    return replace(answered, rev=nudge.rev + 1)


def _exception(store: TenantStore, nudge: Nudge, by: str, now: datetime) -> AccessException:
    return allowing(
        store,
        nudge.person_id,
        nudge.app_id,
        source="nudge",
        source_id=nudge.id,
        reason=nudge.reason,
        by=by,
        now=now,
    )


def withdraw_nudge(store: TenantStore, nudge_id: str, *, by: str, now: datetime) -> Nudge:
    """Take a question back; nothing follows.

    Raises:
        NotFoundError: no such question.
        ConflictError: it is closed, or changed just now.
    """
    return close(store, nudges.withdraw(_get(store, nudge_id), now), by, "nudge.withdrawn", now)


def expire_due(store: TenantStore, now: datetime, limit: int = SWEEP) -> tuple[Nudge, ...]:
    """Send what waited for room, and end what nobody answered; returns what changed, as it is now.

    Safe to repeat and to run twice at once: whoever comes second finds nothing to do.
    """
    changed = []
    for nudge in sorted(
        _due(store, now, limit), key=lambda one: (one.kind not in nudges.URGENT, one.created_at)
    ):
        try:
            moved = _STEPS[nudge.state](store, nudge, now)
        except RevisionConflictError:
            continue  # somebody else moved it just now, or the person answered
        changed.append(moved)
    return tuple(changed)


def _due(store: TenantStore, now: datetime, limit: int) -> Iterator[Nudge]:
    """Open questions that are due as they stand now: the worklist may be behind."""
    for number, listed in enumerate(store.nudges.due(now)):
        if number >= limit:
            return
        nudge = store.nudges.get(listed.id)
        if nudge is not None and nudge.waiting and nudge.next_at <= now:
            yield nudge


def _send_queued(store: TenantStore, nudge: Nudge, now: datetime) -> Nudge:
    found = locate(store.connections.list(), store, nudge.principal_id)
    if (
        found is None
        or now - nudge.created_at > PATIENCE
        or refusal(store, found[1], nudge.kind, nudge.app_id, now) is not None
    ):
        return taken_back(store, nudge, "nudge.withdrawn", now)
    ledger = store.nudges.ledger(nudge.person_id)
    at = nudges.room(ledger, now, store.guidance.get().weekly_nudges)
    if at > now:
        waiting = nudges.postpone(nudge, at)
        store.transact(now).put(store.nudges.op(waiting)).commit()
        return replace(waiting, rev=nudge.rev + 1)
    return _hand_over(store, nudge, ledger, now)


def _silence(store: TenantStore, nudge: Nudge, now: datetime) -> Nudge:
    """Nobody answered: what was said of silence follows, if somebody was asked at all.

    A message that never went out makes no silence: the question is taken back, and the log says why.
    """
    allowed = store.exceptions.get(nudge.person_id, nudge.app_id)
    if allowed and allowed.holds(now) and nudge.kind not in _PATIENT:
        return taken_back(store, nudge, "nudge.withdrawn", now)  # somebody allowed it meanwhile
    told = store.deliveries.get(DELIVERIES, nudge.delivery_id) if nudge.delivery_id else None
    if told is None or told.state != "sent":
        return taken_back(store, nudge, "nudge.undelivered", now)
    return close(store, nudges.expire(nudge, now), "system", "nudge.expired", now, _follow(store, nudge))


def taken_back(store: TenantStore, nudge: Nudge, action: str, now: datetime) -> Nudge:
    """End a question that did not reach anybody; who asked by a step is told.

    Raises:
        RevisionConflictError: it changed since it was read.
    """
    works = (_follow(store, nudge),) if nudge.owned else ()
    return close(store, nudges.withdraw(nudge, now), "system", action, now, *works)


def close(store: TenantStore, ended: Nudge, by: str, action: str, now: datetime, *works: Work) -> Nudge:
    """End a question, with its audit entry and what follows.

    Raises:
        RevisionConflictError: it changed since it was read.
    """
    ledger = nudges.closed(store.nudges.ledger(ended.person_id), ended)
    detail = {"person": ended.person_id, "silence": ended.silence, **change("asked", ended.state)}
    event = AuditEvent(by, action, ended.id, detail)
    store.transact(now).put(store.nudges.op(ended), store.nudges.ledger_op(ledger, now)).audit(event).outbox(
        *works
    ).commit()
    return replace(ended, rev=ended.rev + 1)


_STEPS: Final[Mapping[NudgeState, Callable[[TenantStore, Nudge, datetime], Nudge]]] = {
    "queued": _send_queued,
    "sent": _silence,
    "answered": look_again,
}


def _follow(store: TenantStore, nudge: Nudge) -> Work:
    if nudge.owned:
        # Who asked does what follows.
        run_id = nudge.origin.partition(":")[2].partition(".")[0]
        return Work(store.tenant_id, "playbook.run", body={"run_id": run_id}, cause=nudge.id)
    return Work(store.tenant_id, "nudge.follow", body={"nudge_id": nudge.id}, cause=nudge.id)


def _get(store: TenantStore, nudge_id: str) -> Nudge:
    nudge = store.nudges.get(nudge_id)
    if nudge is None:
        raise NotFoundError("nudge", nudge_id)
    return nudge
