"""Decide for somebody who did not answer: once, by whoever was turned to, with its audit entry."""

from dataclasses import replace
from datetime import datetime

from lantern.domain import nudges
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import ConflictError, ForbiddenError, InvalidInputError
from lantern.domain.nudges import Nudge
from lantern.services.people.exceptions import allowing
from lantern.services.people.follow import revoke
from lantern.store.tenant import TenantStore


def waits(nudge: Nudge) -> bool:
    """Whether a question ended without an answer and nobody has decided for the person."""
    escalated = nudge.state == "expired" and nudge.silence == "escalate" and bool(nudge.app_id)
    return escalated and nudge.exception_id is None and nudge.job_id is None


def decide_for(store: TenantStore, nudge: Nudge, *, keep: bool, reason: str, by: str, now: datetime) -> Nudge:
    """Let the person keep the tool until the tenant's review date, or ask for a job that takes it away.

    Raises:
        ConflictError: the question does not wait for this, or changed just now.
        ForbiddenError: it is about `by`.
        InvalidInputError: keeping needs a reason.
    """
    if not waits(nudge):
        raise ConflictError("the question does not wait for a decision")
    account = store.bundles.get(nudge.connection_id, nudge.principal_id)
    # The account may have been joined to another person since it was asked about.
    if by == nudge.person_id or (account is not None and by == account.principal.person_id):
        raise ForbiddenError("nobody decides on their own access")
    if not keep:
        return revoke(store, nudge, by, now)
    words = " ".join(reason.split())[: nudges.LONGEST_REASON]
    if not words:
        raise InvalidInputError("reason", "Say in a few words what it is used for.")
    allowed = allowing(
        store,
        nudge.person_id,
        nudge.app_id,
        source="nudge",
        source_id=nudge.id,
        reason=words,
        by=by,
        now=now,
    )
    decided = replace(nudge, exception_id=allowed.id, followed_at=nudge.followed_at or now)
    detail = {"person": nudge.person_id, **change(nudge.answer or nudge.state, "keep")}
    event = AuditEvent(by, "nudge.decided", nudge.id, detail)
    store.transact(now).put(store.nudges.op(decided), store.exceptions.op(allowed)).audit(event).commit()
    return replace(decided, rev=nudge.rev + 1)
