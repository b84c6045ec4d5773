"""Sending what is due: one attempt of one delivery by one worker at a time."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lantern.channels.protocol import Sent
from lantern.domain import deliveries
from lantern.domain.errors import ConnectorError, NotFoundError, RevisionConflictError
from lantern.domain.messages import Attempt, Delivery, Outgoing
from lantern.domain.work import Work
from lantern.services.outreach import rendering
from lantern.services.outreach.task import Outreach

log = logging.getLogger(__name__)

BATCH: Final = 50
PROMPT_S: Final = 900
"""What the queue can hold back; what is due later is found by the tenant's next sweep."""


def deliver(task: Outreach, target_id: str, delivery_id: str) -> Delivery | None:
    """Make the attempt that is due, if one is; None where there is no such delivery or another has it."""
    found = task.store.deliveries.get(target_id, delivery_id)
    if found is None or not deliveries.is_due(found, task.clock.now()):
        return found
    return attempt(task, found)


def deliver_due(task: Outreach) -> int:
    """Make every attempt that is due, until the deadline; returns how many were made."""
    made = 0
    while True:
        batch = list(task.store.deliveries.due(task.clock.now(), BATCH))
        for stale in batch:
            if task.deadline.passed():
                task.send(Work(task.store.tenant_id, "outreach.due", cause="rest"), 0)
                return made
            # The worklist may be a moment behind: the item itself says whether it is still due.
            before = task.store.deliveries.get(stale.target_id, stale.id)
            if before is not None and deliveries.is_due(before, task.clock.now()):
                made += attempt(task, before) is not None
        if len(batch) < BATCH:
            return made


def attempt(task: Outreach, found: Delivery) -> Delivery | None:
    """Claim, send, write down what became of it; None where another worker was first."""
    store = task.store
    try:
        held = store.deliveries.put(deliveries.claimed(found, task.clock.now()))
    except RevisionConflictError:
        log.info("another worker has the delivery", extra={"delivery": found.id})
        return None
    sent = carry(task, held)
    now = task.clock.now()
    told = Attempt(now, sent.outcome, sent.status, sent.detail)
    after = deliveries.attempted(
        held, told, task.luck, retry_after_s=sent.retry_after_s, reference=sent.reference
    )
    log.info(
        "delivery %s", after.state, extra={"delivery": after.id, "status": sent.status, "detail": sent.detail}
    )
    stored = store.deliveries.put(after)
    if stored.next_at is not None and (wait := (stored.next_at - now).total_seconds()) <= PROMPT_S:
        body = {"target_id": stored.target_id, "delivery_id": stored.id}
        task.send(Work(store.tenant_id, "outreach.deliver", body=body, cause="retry"), wait)
    return stored


def carry(task: Outreach, held: Delivery) -> Sent:
    """Put the message into its channel's form and have it carried."""
    try:
        outgoing = _FORMS[held.address.kind](task, _linked(task, held))
    except NotFoundError:
        return Sent("refused", detail="nothing_to_ask")
    except ConnectorError as error:
        # The key service: nothing is known of the receiver, so this is no failure of theirs.
        return Sent("retry", detail=error.detail)
    if outgoing is None:
        return Sent("refused", detail="no_address")
    return task.channel(held.address.kind).send(outgoing)


def _linked(task: Outreach, held: Delivery) -> Delivery:
    """The message with addresses where markers stood: what opens a page is in no stored message."""
    if held.message is None or not any(one.url for one in held.message.buttons):
        return held
    buttons = tuple(replace(one, url=task.link(one.url)) if one.url else one for one in held.message.buttons)
    return replace(held, message=replace(held.message, buttons=buttons))


def _slack(task: Outreach, held: Delivery) -> Outgoing | None:
    secret = task.unseal(held.address.secret_id)
    if secret is None or held.message is None:
        return None
    return Outgoing(
        held.id,
        held.address.to,
        task.clock.now(),
        secret=secret,
        text=rendering.subject(held.message),
        payload=rendering.slack(held.message),
    )


def _teams(task: Outreach, held: Delivery) -> Outgoing | None:
    url = task.unseal(held.address.secret_id)
    if url is None or held.message is None:
        return None
    return Outgoing(held.id, url, task.clock.now(), payload=rendering.teams(held.message))


def _email(task: Outreach, held: Delivery) -> Outgoing | None:
    if held.message is None or not held.address.to:
        return None
    return Outgoing(
        held.id,
        held.address.to,
        task.clock.now(),
        subject=rendering.subject(held.message),
        text=rendering.email_text(held.message),
        html=rendering.email_html(held.message),
    )


def _webhook(task: Outreach, held: Delivery) -> Outgoing | None:
    secret = task.unseal(held.address.secret_id)
    if secret is None or not held.address.to:
        return None
    return Outgoing(held.id, held.address.to, task.clock.now(), secret=secret, payload=held.event)


_FORMS: Final[dict[str, Callable[[Outreach, Delivery], Outgoing | None]]] = {
    "slack": _slack,
    "teams": _teams,
    "email": _email,
    "webhook": _webhook,
}
