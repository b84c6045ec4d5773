"""Ask for a tool, decide on it, and let time do its part. Each step is one transaction with its audit."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.domain import ids, requests
from lantern.domain.apps import AppDecision, AppStatus, AppSummary
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import InvalidInputError, NotFoundError, RevisionConflictError
from lantern.domain.products import ProductDecision
from lantern.domain.requests import AccessRequest, Ruling
from lantern.domain.rules.titles import clean
from lantern.domain.work import Work
from lantern.services.people.exceptions import allowing
from lantern.services.people.reaching import Told
from lantern.services.people.request_messages import escalate, to_person, to_reviewers
from lantern.store.documents import Put
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

NAME: Final = 80
SWEEP: Final = 100
ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a tool that somebody wants: its row, whether it is approved, and what is instead."""

    row: AppSummary | None
    approved: bool
    alternatives: tuple[AppSummary, ...]


def look(
    store: TenantStore, name: str, now: datetime, app_id: str | None = None, product_id: str | None = None
) -> Looked:
    """What somebody sees at once. One query.

    Raises:
        NotFoundError: no such app or product here.
    """
    rows = tuple(row.at(now) for row in store.apps.summary())
    row = requests.recognise(rows, name, app_id, product_id)
    if row is None and (app_id or product_id):
        raise NotFoundError("app", app_id or product_id or "")
    return Looked(row, row is not None and row.status == "approved", requests.alternatives(rows, row))


def ask(
    store: TenantStore,
    *,
    person_id: str,
    name: str,
    reason: str,
    by: str,
    now: datetime,
    app_id: str | None = None,
    product_id: str | None = None,
) -> tuple[AccessRequest | None, Looked]:
    """Ask for a tool; None where it is approved already, so that there is nothing to decide.

    The same person asking for the same on the same day asks once. A person who asks alone, on a page or in
    Slack, can ask for some tools a day; what others ask for them is not counted.

    Raises:
        NotFoundError: no such app or product.
        TooOftenError: the person asked for too many tools today.
        InvalidInputError: name or reason is empty.
    """
    looked = look(store, requests.words(name), now, app_id, product_id)
    wanted = clean(name, NAME) or (clean(looked.row.name, NAME) if looked.row else "")
    why = requests.words(reason)
    if not wanted:
        raise InvalidInputError("name", "Say which tool you would like to use.")
    if not why:
        raise InvalidInputError("reason", "Say in a few words what you would use it for.")
    if looked.approved:
        return None, looked
    policy = store.guidance.get()
    subject = looked.row.product_id or looked.row.app_id if looked.row else wanted.casefold()
    owner = requests.owner_of(policy.owners, looked.row)
    due = now + policy.sla
    request = AccessRequest(
        id=ids.derived_id("req", person_id, subject, f"{now:%Y-%m-%d}"),
        person_id=person_id,
        name=wanted,
        reason=why,
        state="open",
        asked_by=by,
        created_at=now,
        due=due,
        next_at=due,
        app_id=looked.row.app_id if looked.row else None,
        product_id=looked.row.product_id if looked.row else None,
        category=looked.row.category if looked.row else None,
        alternatives=tuple(one.app_id for one in looked.alternatives),
        reviewers=(owner,) if owner else policy.reviewers,
    )
    return _made(store, request, by, now), looked


def _made(store: TenantStore, request: AccessRequest, by: str, now: datetime) -> AccessRequest:
    """The request as stored, now or before."""
    detail = {"person": request.person_id, "app": request.app_id or "unknown"}
    detail |= change(NOTHING, request.state)
    event = AuditEvent(by, "request.made", request.id, detail)
    for attempt in range(ATTEMPTS):
        before = store.requests.get(request.id)
        if before is not None:
            return before
        puts: tuple[Put, ...] = ()
        if by == request.person_id:
            ledger = store.nudges.ledger(by)
            counted = replace(ledger, asked=requests.asked(ledger.asked, now))
            puts = (store.nudges.ledger_op(counted, now),)
        try:
            _commit(store, request, event, to_reviewers(store, request, now), now, puts)
        except RevisionConflictError:
            # Asked twice at the same moment, or asked something meanwhile.
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return replace(request, rev=1)
    raise AssertionError("unreachable")


def decide(
    store: TenantStore, request: AccessRequest, ruling: Ruling, *, by: str, now: datetime
) -> AccessRequest:
    """Decide, and let the person know what to do next.

    An approval for the person is an exception until its end; one for everyone is a decision about the
    product, else the app, which goes back to review at its end.

    Raises:
        ConflictError: it is decided or over, or changed just now.
        ForbiddenError: `by` asked for it.
        InvalidInputError: the ruling makes no sense.
    """
    decided = requests.decide(request, ruling, by, now)
    detail = {
        "person": request.person_id,
        **change(request.state, decided.state),
        "scope": decided.scope or "none",
        "until": decided.until.isoformat() if decided.until else "none",
    }
    event = AuditEvent(by, "request.decided", request.id, detail)
    told = to_person(store, decided, now)
    puts, works = _granted(store, decided, by, now)
    _commit(store, decided, event, told, now, puts, works)
    return replace(decided, rev=request.rev + 1)


def withdraw(store: TenantStore, request: AccessRequest, *, by: str, now: datetime) -> AccessRequest:
    """Take a request back.

    Raises:
        ConflictError: it is decided or over, or changed just now.
    """
    after = requests.withdraw(request, by, now)
    detail = {"person": request.person_id, **change(request.state, after.state)}
    _commit(store, after, AuditEvent(by, "request.withdrawn", request.id, detail), (), now)
    return replace(after, rev=request.rev + 1)


def sweep(store: TenantStore, now: datetime, limit: int = SWEEP) -> tuple[AccessRequest, ...]:
    """Escalate what waits too long, end what was approved until now; safe to repeat."""
    changed = []
    for number, listed in enumerate(store.requests.due(now)):
        if number >= limit:
            break
        request = store.requests.get(listed.id)
        after = requests.pass_time(request, now) if request else None
        if request is None or after is None:
            continue
        try:
            changed.append(_passed(store, request, after, now))
        except RevisionConflictError:
            log.info("request changed meanwhile", extra={"request": request.id})
    return tuple(changed)


def _passed(store: TenantStore, request: AccessRequest, after: AccessRequest, now: datetime) -> AccessRequest:
    told: tuple[Told, ...] = ()
    puts: tuple[Put, ...] = ()
    works: tuple[Work, ...] = ()
    action, detail = f"request.{after.state}", {"person": request.person_id}
    if after.open:
        action = "request.escalated"
        found, told = escalate(store, store.guidance.get(), after, now)
        detail |= {"told": found.role, "to": ",".join(one for one, _ in found.people)}
    elif after.state == "ended":
        puts, works = _taken_back(store, after, now)
        told = to_person(store, after, now)
    else:
        told = to_person(store, after, now)
    # Escalated, it is as open as before: what changed is who was told.
    detail |= change("waiting" if after.open else request.state, "escalated" if after.open else after.state)
    event = AuditEvent("system", action, request.id, detail)
    _commit(store, after, event, told, now, puts, works)
    return replace(after, rev=request.rev + 1)


def _commit(
    store: TenantStore,
    request: AccessRequest,
    event: AuditEvent,
    told: tuple[Told, ...],
    now: datetime,
    puts: tuple[Put, ...] = (),
    works: tuple[Work, ...] = (),
) -> None:
    unit = store.transact(now).put(store.requests.op(request), *puts, *(one.put for one in told))
    unit.audit(event).outbox(*works, *(one.work for one in told)).commit()


def _granted(
    store: TenantStore, decided: AccessRequest, by: str, now: datetime
) -> tuple[tuple[Put, ...], tuple[Work, ...]]:
    """What an approval writes."""
    if decided.state != "approved" or decided.app_id is None:
        return (), ()
    if decided.scope == "everyone":
        return _decision(store, decided, "approved", by, now)
    allowed = allowing(
        store,
        decided.person_id,
        decided.app_id,
        source="request",
        source_id=decided.id,
        reason=decided.reason,
        by=by,
        now=now,
        until=decided.until,
        conditions=decided.conditions,
    )
    return (store.exceptions.op(allowed),), ()


def _decision(
    store: TenantStore, request: AccessRequest, status: AppStatus, by: str, now: datetime
) -> tuple[tuple[Put, ...], tuple[Work, ...]]:
    """A decision about the product, else the app; its note names the request."""
    note = f"request {request.id}"
    if request.product_id is not None:
        known = store.apps.product_decision(request.product_id)
        rev = known.rev if known else 0
        put = store.apps.product_decision_op(
            ProductDecision(request.product_id, status, by, now, note, rev=rev)
        )
        body = {"product_id": request.product_id}
    else:
        app_id = request.app_id or ""
        before = store.apps.decision(app_id)
        rev = before.rev if before else 0
        put = store.apps.decision_op(AppDecision(app_id, status, by, now, note, rev=rev))
        body = {"app_id": app_id}
    return (put,), (Work(store.tenant_id, "score.app", body=body, cause=by),)


def _taken_back(
    store: TenantStore, ended: AccessRequest, now: datetime
) -> tuple[tuple[Put, ...], tuple[Work, ...]]:
    """The end of an approval for everyone; an exception ends by itself. A later decision is left alone."""
    if ended.scope != "everyone" or ended.app_id is None:
        return (), ()
    known = (
        store.apps.product_decision(ended.product_id)
        if ended.product_id is not None
        else store.apps.decision(ended.app_id)
    )
    if known is None or known.note != f"request {ended.id}" or known.status != "approved":
        return (), ()
    return _decision(store, ended, "under_review", "system", now)
