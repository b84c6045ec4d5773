"""From what a step has to tell to the messages that carry it, for channels and webhook endpoints."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any, Final

from lantern.domain.alerts import AlertChannel, Ledger
from lantern.domain.messages import Delivery, Message, Section, delivery, delivery_id
from lantern.domain.noise import of_day, spent
from lantern.domain.playbooks.machine import RunTarget
from lantern.domain.webhooks import PLAYBOOK_EVENTS
from lantern.domain.work import Work
from lantern.services.outreach.announcing import event_delivery
from lantern.services.playbooks.steps import Context
from lantern.store.work import UnitOfWork

MOST: Final = 36
"""Deliveries of one step at once: each is a record and a message of one transaction, which holds 100.

The run, its audit entry with the chain's end, and the day of each channel (`MAX_CHANNELS`) are in it too.
"""
_NAMED: Final = 10


def carry(context: Context, unit: UnitOfWork, targets: Sequence[RunTarget], *, machine: bool) -> None:
    """Add the messages of a step to its transaction; without a tracker people are told instead.

    What goes to a channel of people counts against the channel's day, as alerts do; one whose day is full is
    left out.
    """
    told = [*_events(context, targets, machine=machine)]
    if not machine or not told:
        open_ = _with_room(context)
        told += _messages(context, targets, [channel for channel, _ in open_])
        for _, ledger in open_:
            unit.put(*context.store.alerts.ledger_ops(ledger, spent(ledger)))
    for one in told[:MOST]:
        body = {"target_id": one.target_id, "delivery_id": one.id}
        unit.put(context.store.deliveries.op(one))
        unit.outbox(Work(context.store.tenant_id, "outreach.deliver", body=body, cause=context.run.id))


def full_until(context: Context, *, machine: bool) -> datetime | None:
    """Until when people cannot be told: where every channel has had its messages of the day; else None."""
    if machine and any(one.wants(PLAYBOOK_EVENTS[True]) for one in context.store.alerts.endpoints()):
        return None
    some = any(one.enabled for one in context.store.alerts.channels())
    if not some or _with_room(context):
        return None
    local = context.now.astimezone(context.store.alerts.settings().zone)
    return datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo).astimezone(UTC)


def _with_room(context: Context) -> list[tuple[AlertChannel, Ledger]]:
    """Channels whose day has room, each with its ledger as of today."""
    alerts = context.store.alerts
    today = context.now.astimezone(alerts.settings().zone).date()
    found = [(one, of_day(alerts.ledger(one.id), today)) for one in alerts.channels() if one.enabled]
    return [(one, ledger) for one, ledger in found if ledger.count < one.daily_cap]


def _events(context: Context, targets: Sequence[RunTarget], *, machine: bool) -> Iterator[Delivery]:
    kind = PLAYBOOK_EVENTS[machine]
    for endpoint in context.store.alerts.endpoints():
        if endpoint.wants(kind):
            name = delivery_id(context.now, endpoint.id, context.run.id, context.step.id)
            yield event_delivery(
                endpoint, name, kind, _body(context, targets, kind), context.now, context.run.id
            )


def _messages(
    context: Context, targets: Sequence[RunTarget], channels: Iterable[AlertChannel]
) -> Iterator[Delivery]:
    message = _message(context, targets)
    pairs = ((channel, address) for channel in channels for address in channel.addresses())
    for number, (channel, address) in enumerate(islice(pairs, MOST)):
        yield delivery(
            address,
            message,
            context.now,
            target_id=channel.id,
            subject_id=f"{context.run.id}.{context.step.id}",
            number=number,
        )


def _message(context: Context, targets: Sequence[RunTarget]) -> Message:
    run = context.run
    return Message(
        purpose="playbook",
        title=f"{run.book.title}: {len(targets)} {'target' if len(targets) == 1 else 'targets'}",
        text=context.step.says,
        sections=(
            Section(facts=(("Run", run.id), ("Asked for by", run.requested_by), ("Reason", run.reason))),
            Section(
                title="Targets",
                items=tuple(_line(one) for one in targets[:_NAMED]),
                more=max(0, len(targets) - _NAMED),
            ),
        ),
        footer="A playbook of your organisation tells this.",
    )


def _line(one: RunTarget) -> str:
    last = one.trail[-1] if one.trail else None
    return f"{one.target_id}: {last.answer} ({last.step})" if last else one.target_id


def _body(context: Context, targets: Sequence[RunTarget], kind: str) -> dict[str, Any]:
    run = context.run
    return {
        "type": kind,
        "timestamp": context.now.isoformat(),
        "data": {
            "tenant_id": context.store.tenant_id,
            "run_id": run.id,
            "playbook_id": run.book.id,
            "title": run.book.title,
            "text": context.step.says,
            "reason": run.reason,
            "incident_id": run.incident_id,
            "targets": [
                {"id": one.target_id, "kind": one.kind, "app_id": one.app_id, "outcome": _line(one)}
                for one in targets[:_NAMED]
            ],
            "more": max(0, len(targets) - _NAMED),
        },
    }
