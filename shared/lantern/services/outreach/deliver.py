"""Sending what is due: one attempt of one delivery by one worker at a time."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lantern.channels.protocol import Sent
from lantern.domain import deliveries
from lantern.domain.alerts import CHANNEL
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import ConnectorError, NotFoundError, RevisionConflictError
from lantern.domain.messages import Attempt, Delivery, Outgoing
from lantern.domain.webhooks import Endpoint, after_attempt
from lantern.domain.work import Work
from lantern.services.outreach import rendering, trouble
from lantern.services.outreach.task import Outreach

log = logging.getLogger(__name__)

BATCH: Final = 50
_ATTEMPTS: Final = 4
PROMPT_S: Final = 900
"""What the queue can hold back; what is due later is found by the tenant's next sweep."""


def deliver(task: Outreach, target_id: str, delivery_id: str) -> Delivery | None:
    """Make the attempt that is due, if one is; None where there is no such delivery or another has it."""
    found = task.store.deliveries.get(target_id, delivery_id)
    if found is None:
        return None
    if not deliveries.is_due(found, task.clock.now()):
        if found.next_at is not None:
            # In the hands of a worker, which may have died: somebody looks when the lease is over.
            task.store.alerts.wake(found.next_at)
        return found
    return attempt(task, found)


def deliver_due(task: Outreach) -> int:
    """Make every attempt that is due, until the deadline; returns how many were made."""
    made = 0
    while True:
        before_batch = made
        batch = list(task.store.deliveries.due(task.clock.now(), BATCH))
        for stale in sorted(batch, key=people_first):
            if task.deadline.passed():
                task.send(Work(task.store.tenant_id, "outreach.due", cause="rest"), 0)
                return made
            # The worklist may be a moment behind: the item itself says whether it is still due.
            before = task.store.deliveries.get(stale.target_id, stale.id)
            if before is not None and deliveries.is_due(before, task.clock.now()):
                made += attempt(task, before) is not None
        if len(batch) < BATCH or made == before_batch:
            return made


def people_first(found: Delivery) -> bool:
    """Sorts what people get before what systems get, whose servers may keep us waiting."""
    return found.address.kind == "webhook"


def attempt(task: Outreach, found: Delivery) -> Delivery | None:
    """Claim, send, write down what became of it; None where another worker was first."""
    store, kind = task.store, found.address.kind
    endpoint = store.alerts.endpoint(found.target_id) if kind == "webhook" else None
    why = _unwanted(task, found, endpoint)
    if why:
        return _withdrawn(task, deliveries.withdrawn(found, task.clock.now(), why), why)
    try:
        held = store.deliveries.put(deliveries.claimed(found, task.clock.now()))
    except RevisionConflictError:
        log.info("another worker has the delivery", extra={"delivery": found.id})
        return None
    # One that did not answer a moment ago is not waited for again: people's messages come after it.
    silent = endpoint is not None and endpoint.is_silent(task.clock.now())
    sent = Sent("retry", detail="endpoint_silent") if silent else carry(task, held, endpoint)
    now = task.clock.now()
    told = Attempt(now, sent.outcome, sent.status, sent.detail)
    after = deliveries.attempted(
        held, told, task.luck, retry_after_s=sent.retry_after_s, reference=sent.reference
    )
    log.info(
        "delivery %s", after.state, extra={"delivery": after.id, "status": sent.status, "detail": sent.detail}
    )
    if after.state == "failed" and after.instead is not None:
        return _turned(task, deliveries.turned(after, now), sent.detail)
    stored = _written(task, after, sent.detail)
    if endpoint is not None and not silent:
        _remember(task, endpoint.id, sent)
    if stored.next_at is not None:
        _again(task, stored, (stored.next_at - now).total_seconds())
    return stored


def _turned(task: Outreach, again: Delivery, why: str) -> Delivery:
    """Have a message go its other way, in one transaction with its audit entry and the work."""
    store, now = task.store, task.clock.now()
    body = {"target_id": again.target_id, "delivery_id": again.id}
    unit = store.transact(now).put(store.deliveries.op(again))
    nudge = store.nudges.get(again.subject_id) if again.purpose == "nudge" else None
    if nudge is not None and nudge.delivery_id == again.id:
        unit.put(store.nudges.op(replace(nudge, sent_via=again.address.kind)))
    detail = {"delivery": again.id, "by": again.address.kind, "because": why[:60]}
    unit.audit(AuditEvent("system", "message.other_way", again.subject_id, detail))
    unit.outbox(Work(store.tenant_id, "outreach.deliver", body=body, cause="other way")).commit()
    return replace(again, rev=again.rev + 1)


def _unwanted(task: Outreach, found: Delivery, endpoint: Endpoint | None) -> str:
    """Why a delivery is not to be sent any more; empty where it is."""
    if found.address.kind == "webhook":
        if endpoint is None:
            return "endpoint_deleted"
        return "endpoint_disabled" if endpoint.status == "disabled" else ""
    if not _of_channel(found) or found.purpose == "test":
        return ""
    channel = task.store.alerts.channel(found.target_id)
    if channel is None:
        return "channel_deleted"
    if found.address.to in channel.unsubscribed:
        return "unsubscribed"
    return "" if channel.enabled else "channel_disabled"


def _of_channel(found: Delivery) -> bool:
    return found.target_id.startswith(f"{CHANNEL}_")


def _written(task: Outreach, changed: Delivery, detail: str) -> Delivery:
    if _of_channel(changed):
        return trouble.written(task, changed, detail)
    return task.store.deliveries.put(changed)


def _withdrawn(task: Outreach, changed: Delivery, why: str) -> Delivery | None:
    try:
        return _written(task, changed, why)
    except RevisionConflictError:
        return None


def _again(task: Outreach, stored: Delivery, wait: float) -> None:
    if wait <= PROMPT_S:
        body = {"target_id": stored.target_id, "delivery_id": stored.id}
        task.send(Work(task.store.tenant_id, "outreach.deliver", body=body, cause="retry"), wait)
    elif stored.next_at is not None:
        task.store.alerts.wake(stored.next_at)


def _remember(task: Outreach, endpoint_id: str, sent: Sent) -> None:
    """Keep whether the endpoint takes what it is sent; one that takes nothing for days is disabled."""
    for _ in range(_ATTEMPTS):
        endpoint = task.store.alerts.endpoint(endpoint_id)
        if endpoint is None:
            return
        now = task.clock.now()
        changed = after_attempt(endpoint, sent.outcome, sent.detail, now)
        if changed == endpoint:
            return
        unit = task.store.transact(now).put(task.store.alerts.endpoint_op(changed))
        if changed.status == "disabled":
            told = {"why": changed.why, **change(endpoint.status, changed.status)}
            unit.audit(AuditEvent("system", "webhook.disabled", endpoint_id, told))
        try:
            unit.commit()
        except RevisionConflictError:
            continue
        return


def carry(task: Outreach, held: Delivery, endpoint: Endpoint | None = None) -> Sent:
    """Put the message into its channel's form and have it carried."""
    try:
        ready = _linked(task, held)
        outgoing = (
            _webhook(task, ready, endpoint)
            if endpoint is not None
            else _FORMS[ready.address.kind](task, ready)
        )
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
        text=rendering.email_text(held.message, held.unsubscribe),
        html=rendering.email_html(held.message, held.unsubscribe),
        unsubscribe=held.unsubscribe,
    )


def _webhook(task: Outreach, held: Delivery, endpoint: Endpoint) -> Outgoing | None:
    now = task.clock.now()
    url = task.unseal(endpoint.address_id)
    secrets = [task.unseal(secret_id) for secret_id in endpoint.secret_ids(now)]
    if url is None or secrets[0] is None:
        return None
    signing = " ".join(secret for secret in secrets if secret)
    return Outgoing(held.id, url, now, secret=signing, payload=held.event)


_FORMS: Final[dict[str, Callable[[Outreach, Delivery], Outgoing | None]]] = {
    "slack": _slack,
    "teams": _teams,
    "email": _email,
}
