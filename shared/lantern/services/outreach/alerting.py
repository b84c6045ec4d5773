"""The pass over a tenant's findings: what ended is opened, what is news is told to people and to systems.

A pass looks at what is stored, not at what a message says, so that a lost, doubled or late message changes
nothing. A channel's ledger and messages are one transaction on the ledger's revision: of two passes at once
one writes, and the other leaves it. A flood takes several, each with what it told.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import findings as lifecycle
from lantern.domain.alerts import AlertChannel, AlertSettings
from lantern.domain.audit import AuditEvent, change, differences
from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import QUIET, Finding, FindingStatus
from lantern.domain.messages import Delivery, Message, delivery
from lantern.domain.noise import Concern, decide, told
from lantern.services.outreach import announcing
from lantern.services.outreach.composing import Composer
from lantern.services.outreach.task import Outreach
from lantern.services.unsubscribing import SOURCE, link_id

log = logging.getLogger(__name__)

AT_MOST: Final = timedelta(hours=24)
"""A pass comes at least so often, whatever was lost."""
_TRANSACTION: Final = 90
"""Messages written in one transaction with the ledger; DynamoDB takes 100 items."""
_LIVE: Final = (FindingStatus.OPEN, FindingStatus.ACKNOWLEDGED)


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
    quiet = _end_what_is_over(task, now)
    written = list(announcing.announce(task, now, finding_ids))
    wakes = [found.quiet_until for found in quiet if found.quiet_until is not None]
    if channels:
        live = _live(task, finding_ids)
        composer = Composer(store, settings)
        for channel in channels:
            told, wake = _tell(task, channel, settings, live, composer)
            written += told
            wakes += [wake] if wake is not None else []
    return Passed(tuple(written), min([now + AT_MOST, *(at for at in wakes if at > now)]))


def _end_what_is_over(task: Outreach, now: datetime) -> list[Finding]:
    """Open again what was quiet until now; returns what still is."""
    still: list[Finding] = []
    for status in sorted(QUIET):
        for found in list(task.store.findings.with_status(status.value)):
            changed, events = lifecycle.expire(found, now)
            if not events:
                still.append(found)
                continue
            turned = change(found.status, changed.status)
            said = [
                AuditEvent("system", f"finding.{one.kind}", found.id, {"rule": found.rule_id, **turned})
                for one in events
            ]
            write = task.store.findings.op(replace(changed, rev=found.rev))
            try:
                task.store.transact(now).put(write).audit(*said).commit()
            except RevisionConflictError:
                log.info("a finding changed meanwhile", extra={"finding": found.id})
    return still


def _live(task: Outreach, finding_ids: Iterable[str]) -> dict[str, Finding]:
    """Findings that are open or acknowledged, as the worklists have them and those that were named."""
    found = {one.id: one for status in _LIVE for one in task.store.findings.with_status(status.value)}
    found |= task.store.findings.batch_get(finding_ids)
    return found


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
    written: list[Delivery] = []
    at_once = max(1, _TRANSACTION // max(1, len(channel.addresses())))
    for start in range(0, max(1, len(decision.notices)), at_once):
        notices = decision.notices[start : start + at_once]
        last = start + at_once >= len(decision.notices)
        ledger = decision.ledger if last else told(ledger, [c for notice in notices for c in notice.concerns])
        made = [
            one
            for number, notice in enumerate(notices, start)
            for one in _deliveries(task, channel, composer.compose(channel, notice), number)
        ]
        unit = store.transact(now).put(store.alerts.ledger_op(ledger))
        unit.put(*(store.deliveries.op(one) for one in made))
        try:
            unit.commit()
        except RevisionConflictError:
            log.info("another pass tells this channel", extra={"channel": channel.id})
            break
        decision = replace(decision, ledger=replace(decision.ledger, rev=decision.ledger.rev + 1))
        ledger = replace(ledger, rev=ledger.rev + 1)
        written += [replace(one, rev=1) for one in made]
    log.info("told", extra={"channel": channel.id, "messages": len(written)})
    return written, decision.wake


def _deliveries(task: Outreach, channel: AlertChannel, message: Message, number: int) -> list[Delivery]:
    now = task.clock.now()
    return [
        replace(
            delivery(address, message, now, target_id=channel.id, subject_id=channel.id, number=number),
            unsubscribe=_unsubscribe(task.site, channel.links.get(address.to)),
        )
        for address in channel.addresses()
    ]


def _unsubscribe(site: str, token: str | None) -> str:
    return f"{site}/webhooks/{SOURCE}/{token}" if site and token else ""


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
