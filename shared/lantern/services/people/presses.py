"""A button pressed in Slack: who pressed is held against who was asked; then it is an answer as any."""

import logging
from collections.abc import Callable
from typing import Final, get_args

from lantern.connectors.protocol import Clock
from lantern.domain import ids
from lantern.domain.audit import AuditEvent
from lantern.domain.errors import ConflictError, InvalidInputError
from lantern.domain.nudges import Nudge, NudgeAnswer
from lantern.domain.work import Work
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.nudges import answer_nudge
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

Back = Callable[[str, str, bool], bool]
"""Tells who pressed (address, text, in place of the buttons); False where Slack did not take it."""
OTHER: Final = "This question is for somebody else, so nothing was changed."
ENDED: Final = "This question has ended. You need not do anything."
ANSWERED: Final = "It was answered already; that answer stands."


def press(store: TenantStore, clock: Clock, back: Back, work: Work) -> str:
    """Take a press; says what the person is told.

    The value of a button is no proof: the question is looked up, and who pressed must be an account of the
    very person who was asked, at the connection that the signed message came from.

    Raises:
        RevisionConflictError: it changed just now; the message comes again.
    """
    text = _press(store, clock, work)
    address = work.body.get("back")
    # The buttons stay where the question stays open.
    if address and not back(address, text, text not in (OTHER, wording.ON_PAGE)):
        log.warning("slack did not take the update", extra={"nudge": work.body["nudge_id"]})
    return text


def _press(store: TenantStore, clock: Clock, work: Work) -> str:
    nudge = store.nudges.get(work.body["nudge_id"])
    given = work.body["answer"]
    if nudge is None or given not in get_args(NudgeAnswer):
        return ENDED
    person = who_typed(store, work)
    if person != nudge.person_id:
        event = AuditEvent(person or "unknown", "nudge.press_refused", nudge.id, {"person": nudge.person_id})
        store.transact(clock.now()).audit(event).commit()
        return OTHER
    try:
        answered = answer_nudge(
            store,
            nudge.id,
            given,  # type: ignore[arg-type] # it is one of them, see above
            via="slack",
            by=nudge.person_id,
            now=clock.now(),
        )
    except InvalidInputError:
        return wording.ON_PAGE
    except ConflictError as error:
        return _too_late(store, nudge, error)
    return _thanks(store, answered)


def who_typed(store: TenantStore, work: Work) -> str | None:
    """Whose account pressed or typed; None where it is not known, or of somebody who left.

    The account is looked up at the connection whose workspace signed the message.
    """
    connection = store.connections.get(work.connection_id or "")
    if connection is None or connection.provider != "slack":
        return None
    principal_id = ids.principal_id("slack", connection.organisation_id, work.body["user"])
    bundle = store.bundles.get(connection.id, principal_id)
    return None if bundle is None or bundle.principal.departed else bundle.principal.person_id


def _too_late(store: TenantStore, nudge: Nudge, error: ConflictError) -> str:
    now_is = store.nudges.get(nudge.id)
    if now_is is not None and now_is.state == "answered":
        return f"{ANSWERED} {_thanks(store, now_is)}"
    if now_is is not None and now_is.state == "sent" and now_is.rev != nudge.rev:
        raise error  # the writes met; it is still open
    return ENDED


def _thanks(store: TenantStore, nudge: Nudge) -> str:
    answer = nudge.answer or "keep"
    kept = store.exceptions.get(nudge.person_id, nudge.app_id) if answer == "keep" else None
    said = wording.NEXT[answer].format(until=day(kept.until) if kept else "later")
    return f"Your answer: {wording.LABELS[answer]}. {said}"
