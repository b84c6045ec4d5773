"""The pass over a tenant's findings: what ended is opened, what is news is told to people and to systems.

A pass looks at what is stored, not at what a message says, so that a lost, doubled or late message changes
nothing. A channel's ledger and messages are one transaction on the ledger's revision: of two passes at once
one writes, and the other leaves it. A flood takes several, each with what it told.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import findings as lifecycle
from lantern.domain.alerts import AlertChannel, AlertSettings, Ledger
from lantern.domain.audit import AuditEvent, change, differences
from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import QUIET, Finding, FindingStatus
from lantern.domain.messages import Delivery, Message, delivery
from lantern.domain.noise import Concern, Decision, Notice, decide, told
from lantern.domain.work import Work
from lantern.services.outreach import announcing
from lantern.services.outreach.composing import Composer
from lantern.services.outreach.task import Outreach
from lantern.services.outreach.unsubscribe_links import address_of
from lantern.services.unsubscribing import link_id
from lantern.store.alerts import LEDGER_ITEMS

log = logging.getLogger(__name__)

AT_MOST: Final = timedelta(hours=24)
"""A pass comes at least so often, whatever was lost."""
_TRANSACTION: Final = 100 - LEDGER_ITEMS
"""Messages written in one transaction with the ledger; DynamoDB takes 100 items."""
_LIVE: Final = (FindingStatus.OPEN, FindingStatus.ACKNOWLEDGED)
_NOT_OVER: Final = tuple(status for status in FindingStatus if status is not FindingStatus.RESOLVED)


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass wrote, to be sent, and when the next one must be."""

    deliveries: tuple[Delivery, ...]
    wake: datetime


def look(task: Outreach, finding_ids: Iterable[str] = ()) -> Passed:
    """One pass.

    Args:
        task: the message's tools.
        finding_ids: findings that just changed, which worklists may not show yet.
    """
    store, now = task.store, task.clock.now()
    settings = store.alerts.settings()
    channels = tuple(channel for channel in store.alerts.channels() if channel.enabled)
    # Where nobody is to be told anything, only what was quiet until now matters.
    endpoints = tuple(one for one in store.alerts.endpoints() if one.status == "enabled")
    standing = _standing(task, finding_ids, now, _NOT_OVER if channels or endpoints else QUIET)
    written: list[Delivery] = []
    quiet = [one.quiet_until for one in standing.values() if one.status in QUIET]
    wakes = [until for until in quiet if until is not None]
    if channels:
        live = {one.id: one for one in standing.values() if one.status in _LIVE}
        composer = Composer(store, settings)
        for channel in channels:
            told, wake = _tell(task, channel, settings, live, composer)
            written += told
            wakes += [wake] if wake is not None else []
    # Last, because it may take all the time there is.
    written += announcing.announce(task, now, endpoints, standing)
    return Passed(tuple(written), min([now + AT_MOST, *(at for at in wakes if at > now)]))


def _standing(
    task: Outreach, finding_ids: Iterable[str], now: datetime, statuses: Iterable[FindingStatus]
) -> dict[str, Finding]:
    """Findings of these statuses, as the worklists have them, and those that were named; read once.

    Most come without what they list: unpacking that costs more than all the rest. What was quiet until now
    is opened again.
    """
    store = task.store
    found = {one.id: one for status in statuses for one in store.findings.heads(status.value)}
    found |= store.findings.batch_get(finding_ids)
    over = [one.id for one in found.values() if one.status in QUIET and lifecycle.expire(one, now)[1]]
    for one in store.findings.batch_get(over).values():
        found[one.id] = _opened(task, one, now)
    return found


def _opened(task: Outreach, before: Finding, now: datetime) -> Finding:
    changed, events = lifecycle.expire(before, now)
    if not events:
        return before
    turned = change(before.status, changed.status)
    said = [
        AuditEvent("system", f"finding.{one.kind}", before.id, {"rule": before.rule_id, **turned})
        for one in events
    ]
    write = task.store.findings.op(replace(changed, rev=before.rev))
    try:
        task.store.transact(now).put(write).audit(*said).commit()
    except RevisionConflictError:
        log.info("a finding changed meanwhile", extra={"finding": before.id})
        return task.store.findings.get(before.id) or before
    return replace(changed, rev=before.rev + 1)


def _tell(
    task: Outreach,
    channel: AlertChannel,
    settings: AlertSettings,
    live: dict[str, Finding],
    composer: Composer,
) -> tuple[Sequence[Delivery], datetime | None]:
    """Tell one channel what is news to it."""
    store, now = task.store, task.clock.now()
    ledger = store.alerts.ledger(channel.id)
    # The worklist may be behind: what was told and is not on it is asked for by its key.
    missing = [key for key in ledger.told if key not in live]
    seen = {**live, **store.findings.batch_get(missing)}
    concerns = [_concern(one) for one in seen.values() if one.status in _LIVE]
    decision = decide(concerns, ledger, channel, settings.quiet_hours, now.astimezone(settings.zone))
    if decision.ledger == ledger:
        return (), decision.wake
    critical = [one.finding_id for notice in _critical(decision.notices) for one in notice.concerns]
    health = store.alerts.health(channel.id)
    if not channel.addresses() or not health.open_to(critical, now):
        # Everything stays news until somebody can be reached.
        return (), health.probe_at
    written = _write(task, channel, ledger, decision, composer)
    log.info("told", extra={"channel": channel.id, "messages": len(written)})
    return written, decision.wake


def _critical(notices: Iterable[Notice]) -> list[Notice]:
    return [notice for notice in notices if notice.kind == "critical"]


def _write(
    task: Outreach, channel: AlertChannel, ledger: Ledger, decision: Decision, composer: Composer
) -> list[Delivery]:
    """Write the ledger and the messages, in as many transactions as those take."""
    store, now = task.store, task.clock.now()
    written: list[Delivery] = []
    left = list(enumerate(decision.notices))
    at_once = max(1, _TRANSACTION // max(1, len(channel.addresses())))
    while True:
        now_told, left = left[:at_once], left[at_once:]
        # The last transaction brings the ledger to what was decided, forgotten and counted findings included.
        after = _partly(ledger, now_told) if left else decision.ledger
        covers = _covered(ledger, after, now_told)
        waves = {number: wave for wave, number in enumerate(covers, ledger.last + 1)}
        by = {key: waves[number] for number, keys in covers.items() for key in keys}
        after = replace(after, by={**ledger.by, **by}, last=ledger.last + len(waves))
        made = [
            replace(one, covers=len(covers[number]), wave=waves[number])
            for number, notice in now_told
            for one in _deliveries(task, channel, composer.compose(channel, notice), number)
        ]
        unit = store.transact(now).put(*store.alerts.ledger_ops(ledger, after))
        unit.put(*(store.deliveries.op(one) for one in made))
        try:
            unit.commit()
        except RevisionConflictError:
            log.info("another pass tells this channel", extra={"channel": channel.id})
            return written
        ledger = replace(after, rev=ledger.rev + 1)
        written += [replace(one, rev=1) for one in made]
        if not left:
            return written
        if task.deadline.passed():
            # The others are news still.
            task.send(Work(store.tenant_id, "outreach.due", cause="rest"), 0)
            return written


def _partly(ledger: Ledger, notices: Iterable[tuple[int, Notice]]) -> Ledger:
    return told(ledger, [concern for _, notice in notices for concern in notice.concerns])


def _covered(
    before: Ledger, after: Ledger, notices: Sequence[tuple[int, Notice]]
) -> Mapping[int, Collection[str]]:
    """By the number of each message what it tells of: what it lists, and what an ordinary one only counts."""
    changed = {key for key, level in after.told.items() if before.told.get(key) != level}
    listed = {one.finding_id for _, notice in notices for one in notice.concerns if notice.kind == "critical"}
    return {
        number: {one.finding_id for one in notice.concerns} if notice.kind == "critical" else changed - listed
        for number, notice in notices
    }


def _deliveries(task: Outreach, channel: AlertChannel, message: Message, number: int) -> list[Delivery]:
    now = task.clock.now()
    return [
        replace(
            delivery(address, message, now, target_id=channel.id, subject_id=channel.id, number=number),
            unsubscribe=address_of(task.site, channel.links.get(address.to)),
        )
        for address in channel.addresses()
    ]


def unsubscribe(task: Outreach, channel_id: str, link: str) -> None:
    """A reader of an e-mail wants no more of a channel. Doing it twice does it once.

    Raises:
        RevisionConflictError: the channel is being changed; the message is delivered again.
    """
    channel = task.store.alerts.channel(channel_id)
    if channel is None:
        return
    address = next((to for to, token in channel.links.items() if link_id(token) == link), None)
    if address is None or address in channel.unsubscribed:
        return
    changed = replace(channel, unsubscribed=(*channel.unsubscribed, address))
    event = AuditEvent(
        "link", "channel.unsubscribed", channel_id, differences(channel, changed, "unsubscribed")
    )
    task.store.transact(task.clock.now()).put(task.store.alerts.channel_op(changed)).audit(event).commit()


def _concern(found: Finding) -> Concern:
    return Concern(
        finding_id=found.id,
        title=found.title,
        severity=found.severity,
        group_id=found.group.id,
        reopened=found.reopened_count,
        taken_on=found.status is FindingStatus.ACKNOWLEDGED,
    )
