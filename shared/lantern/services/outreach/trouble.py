"""What an attempt means for the channel to people that it was made on, written with it in one transaction.

A message that reaches nobody takes nothing with it: what it told of is news again. The channel is then tried
by one message now and then, and the other channels say that it is broken.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lantern.domain import channel_health
from lantern.domain.alerts import AlertChannel
from lantern.domain.audit import AuditEvent, change
from lantern.domain.channel_health import ChannelHealth
from lantern.domain.errors import RevisionConflictError
from lantern.domain.messages import Button, Delivery, Message, delivery
from lantern.domain.noise import untold
from lantern.domain.rules.vocabulary import Severity
from lantern.domain.work import Work
from lantern.services.outreach.task import Outreach
from lantern.services.outreach.unsubscribe_links import address_of
from lantern.services.outreach.wording import remedy, texts

_ATTEMPTS: Final = 5
_FRESH: Final = timedelta(hours=1)
"""That a channel works is written down at most so often."""
_MOST: Final = 60
"""Messages about a broken channel that are written with it; DynamoDB takes 100 items at once."""


def written(task: Outreach, after: Delivery, detail: str) -> Delivery:
    """Write a channel's delivery after an attempt, or after it was withdrawn.

    Args:
        task: the message's tools.
        after: the delivery as it is now.
        detail: what was said, a short word.

    Raises:
        RevisionConflictError: somebody else changed it, or the channel's records time and again.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _once(task, after, detail)
        except RevisionConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _once(task: Outreach, after: Delivery, detail: str) -> Delivery:
    store, now = task.store, task.clock.now()
    channel = store.alerts.channel(after.target_id)
    if channel is None:
        return store.deliveries.put(after)
    before = store.alerts.health(channel.id)
    unit = store.transact(now).put(store.deliveries.op(after))
    health, warnings = before, list[Delivery]()
    if after.state == "sent":
        health = channel_health.arrived(before, now)
    elif after.state == "pending":
        health = channel_health.failed(before, detail, now)
    elif after.purpose == "test" or not after.wave or not _reached_nobody(task, after, channel):
        # Written even so: of two addresses given up at once one sees the other.
        health = before if after.state == "withdrawn" else channel_health.failed(before, detail, now)
        unit.put(*([store.alerts.health_op(health)] if health == before and before.rev else []))
    else:
        ledger = store.alerts.ledger(channel.id)
        covered = ledger.covered(after.wave)
        unit.put(*store.alerts.ledger_ops(ledger, untold(ledger, covered, after.purpose)))
        if after.state == "failed":
            critical = [key for key, level in covered.items() if level % 10 == Severity.CRITICAL.rank]
            health, warnings = _broken(task, channel, before, critical, detail)
            audit = {"detail": detail, **change(before.state, "broken")} if before.state != "broken" else {}
            unit.audit(*([AuditEvent("system", "channel.broken", channel.id, audit)] if audit else []))
    if health != before and not _merely_fresh(before, health):
        unit.put(store.alerts.health_op(health))
    unit.put(*(store.deliveries.op(one) for one in warnings))
    unit.commit()
    _follow(task, before, health, warnings)
    return replace(after, rev=after.rev + 1)


def _merely_fresh(before: ChannelHealth, health: ChannelHealth) -> bool:
    """Whether it only says once more, a moment later, that the channel works."""
    if before.state != "working" or health.state != "working":
        return False
    was, now = before.sent_at, health.sent_at
    return was is not None and now is not None and now < was + _FRESH


def _follow(task: Outreach, before: ChannelHealth, health: ChannelHealth, warnings: list[Delivery]) -> None:
    tenant_id = task.store.tenant_id
    if before.state == "broken" and health.state == "working":
        task.send(Work(tenant_id, "outreach.due", cause="recovered"), 0)
    if health.probe_at is not None and health != before:
        task.store.alerts.wake(health.probe_at)
    for one in warnings:
        body = {"target_id": one.target_id, "delivery_id": one.id}
        task.send(Work(tenant_id, "outreach.deliver", body=body, cause="broken"), 0)


def _reached_nobody(task: Outreach, after: Delivery, channel: AlertChannel) -> bool:
    """Whether no other address of the channel has the same message, or may still get it."""
    return not any(one.state in {"sent", "pending"} for one in _siblings(task, after, channel))


def _siblings(task: Outreach, after: Delivery, channel: AlertChannel) -> Iterator[Delivery]:
    if after.message is None:
        return
    # All addresses: who unsubscribed meanwhile may have had it before.
    for address in replace(channel, unsubscribed=()).addresses():
        same = delivery(
            address,
            after.message,
            after.created_at,
            target_id=after.target_id,
            subject_id=after.subject_id,
            number=after.number,
        )
        found = task.store.deliveries.get(after.target_id, same.id) if same.id != after.id else None
        if found is not None:
            yield found


def _broken(
    task: Outreach, channel: AlertChannel, before: ChannelHealth, critical: Sequence[str], detail: str
) -> tuple[ChannelHealth, list[Delivery]]:
    now = task.clock.now()
    health = channel_health.given_up(before, detail, critical, now)
    if not channel_health.worth_telling(health, now):
        return health, []
    return replace(health, told_at=now), list(_warnings(task, channel, detail))[:_MOST]


def _warnings(task: Outreach, broken: AlertChannel, detail: str) -> Iterator[Delivery]:
    """What the channels that work are told of one that does not."""
    store, now = task.store, task.clock.now()
    settings = store.alerts.settings()
    said = texts(settings.language)
    mine = said["alerts"]["broken"]
    url = settings.console_url
    for channel in store.alerts.channels():
        if not channel.enabled or channel.id == broken.id:
            continue
        if store.alerts.health(channel.id).state == "broken":
            continue
        message = Message(
            "alert",
            mine["title"].format(channel=broken.name),
            f"{mine['text']}\n\n{remedy(detail, settings.language)}",
            buttons=(Button(said["open"], url=url),) if url else (),
            footer=said["alerts"]["footer"].format(channel=channel.name),
            severity="high",
            language=settings.language,
        )
        for address in channel.addresses():
            made = delivery(address, message, now, target_id=channel.id, subject_id=broken.id)
            yield replace(made, unsubscribe=address_of(task.site, channel.links.get(address.to)))
