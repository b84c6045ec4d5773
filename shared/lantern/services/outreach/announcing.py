"""Telling systems: every change of a finding becomes one event, and one delivery per endpoint that wants it.

The id of a delivery is derived from endpoint, finding, revision and kind: what was written before a crash is
met again after it, and is written once. How far it came is kept every so often, and many changes take several
messages, between which what was written is sent.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lantern.domain import ocsf
from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import Finding, FindingStatus, HistoryEntry
from lantern.domain.messages import Address, Delivery, delivery_id
from lantern.domain.webhooks import TEST_EVENT, Endpoint, event_of
from lantern.domain.work import Work
from lantern.services.outreach.task import Outreach
from lantern.store.alerts import Announced

log = logging.getLogger(__name__)

_AGAIN: Final = timedelta(days=1)
"""How far back a finding's history is looked at that is not among those announced."""
STRIDE: Final = 1_000
"""Deliveries tried until it is kept how far it came."""
AT_ONCE: Final = 5_000
"""Deliveries tried in one message: half a minute."""


@dataclass(frozen=True, slots=True)
class _Change:
    head: Finding
    line: HistoryEntry


def announce(
    task: Outreach, now: datetime, endpoints: Sequence[Endpoint], standing: Mapping[str, Finding]
) -> Iterator[Delivery]:
    """Write the deliveries of what changed since the last pass; yields those that are new.

    What is left at the deadline, or after `AT_ONCE` deliveries, is for the message that it sends.

    Args:
        task: the message's tools.
        now: current time.
        endpoints: those that are enabled.
        standing: findings by id, all that are not resolved, and others that may have changed; what they list
            is not looked at.
    """
    store = task.store
    if not endpoints:
        return
    before = store.alerts.announced()
    gone = [key for key in before.revs if key not in standing]
    known = {**standing, **store.findings.batch_get(gone)}
    kept, revs, tried, stored_at = before, dict(before.revs), 0, 0
    for change, wanted in _wanted(known.values(), before, endpoints):
        if tried and (tried >= AT_ONCE or task.deadline.passed()):
            _kept(task, kept, replace(kept, revs=revs))
            task.send(Work(store.tenant_id, "outreach.due", cause="rest"), 0)
            return
        if tried >= stored_at + STRIDE:
            # `at` stays: what is not announced yet must not become too old to be.
            after = _kept(task, kept, replace(kept, revs=dict(revs)))
            if after is None:
                return
            kept, stored_at = after, tried
        yield from _announced(task, change, wanted, now)
        tried += len(wanted)
        revs[change.head.id] = change.line.rev
    revs = {one.id: one.rev for one in known.values() if one.status is not FindingStatus.RESOLVED}
    if revs != kept.revs:
        _kept(task, kept, replace(kept, revs=revs, at=now))


def _kept(task: Outreach, before: Announced, after: Announced) -> Announced | None:
    """Keep how far it came; None where another pass is at it."""
    unit = task.store.transact(task.clock.now()).put(*task.store.alerts.announced_ops(before, after))
    try:
        unit.commit()
    except RevisionConflictError:
        log.info("another pass announces the same")
        return None
    return replace(after, rev=before.rev + 1)


def _wanted(
    known: Iterable[Finding], before: Announced, endpoints: Sequence[Endpoint]
) -> Iterator[tuple[_Change, list[Endpoint]]]:
    """Changes that are not announced, in the order in which they came, each with who wants it."""
    for change in _changes(known, before, min(one.created_at for one in endpoints)):
        wanted = [
            one
            for one in endpoints
            if one.wants(f"finding.{change.line.kind.value}") and change.line.at >= one.created_at
        ]
        if wanted:
            yield change, wanted


def _announced(
    task: Outreach, change: _Change, endpoints: Iterable[Endpoint], now: datetime
) -> Iterator[Delivery]:
    # An event counts what the finding lists.
    finding = task.store.findings.get(change.head.id) or change.head
    for endpoint in endpoints:
        made = _write(task, _delivery(task.store.tenant_id, endpoint, finding, change.line, now))
        if made is not None:
            yield made


def _changes(known: Iterable[Finding], before: Announced, since: datetime) -> Iterator[_Change]:
    floor = max(since, before.at - _AGAIN) if before.at else since
    found = [
        _Change(finding, line)
        for finding in known
        for line in finding.history
        if line.rev > before.revs.get(finding.id, 0) and line.at >= floor
    ]
    return iter(sorted(found, key=lambda change: (change.line.at, change.head.id, change.line.rev)))


def _delivery(
    tenant_id: str, endpoint: Endpoint, finding: Finding, line: HistoryEntry, now: datetime
) -> Delivery:
    name = delivery_id(line.at, endpoint.id, finding.id, str(line.rev), line.kind.value)
    body = (
        ocsf.event(finding, line, tenant_id, name)
        if endpoint.payload == "ocsf"
        else event_of(finding, line, tenant_id)
    )
    return event_delivery(endpoint, name, f"finding.{line.kind.value}", body, now, finding.id)


def event_delivery(
    endpoint: Endpoint, name: str, kind: str, body: dict[str, Any], now: datetime, subject_id: str
) -> Delivery:
    """A delivery of an event, due at once."""
    return Delivery(
        id=name,
        target_id=endpoint.id,
        address=Address("webhook", "", endpoint.id),
        purpose="event",
        created_at=now,
        next_at=now,
        event=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        event_type=kind,
        subject_id=subject_id,
    )


def trial_event(endpoint: Endpoint, name: str, tenant_id: str, now: datetime) -> Delivery:
    """A delivery that only shows whether events arrive."""
    body = {"type": TEST_EVENT, "timestamp": now.isoformat(), "data": {"tenant_id": tenant_id}}
    return event_delivery(endpoint, name, TEST_EVENT, body, now, endpoint.id)


def _write(task: Outreach, made: Delivery) -> Delivery | None:
    try:
        return task.store.deliveries.put(made)
    except RevisionConflictError:
        return None  # written by a pass before this one
