"""Telling systems: every change of a finding becomes one event, and one delivery per endpoint that wants it.

The id of a delivery is derived from endpoint, finding, revision and kind: what was written before a crash is
met again after it, and is written once.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lantern.domain import ocsf
from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import Finding, FindingStatus, HistoryEntry
from lantern.domain.messages import Address, Delivery, delivery_id
from lantern.domain.webhooks import TEST_EVENT, Endpoint, event_of
from lantern.services.outreach.task import Outreach
from lantern.store.alerts import Announced

log = logging.getLogger(__name__)

_AGAIN: Final = timedelta(days=1)
"""How far back a finding's history is looked at that is not among those announced."""


@dataclass(frozen=True, slots=True)
class _Change:
    finding: Finding
    line: HistoryEntry


def announce(task: Outreach, now: datetime, standing: Mapping[str, Finding]) -> Iterator[Delivery]:
    """Write the deliveries of what changed since the last pass; yields those that are new.

    Args:
        task: the message's tools.
        now: current time.
        standing: findings by id, all that are not resolved, and others that may have changed.
    """
    store = task.store
    endpoints = [one for one in store.alerts.endpoints() if one.status == "enabled"]
    if not endpoints:
        return
    before = store.alerts.announced()
    gone = [key for key in before.revs if key not in standing]
    known = {**standing, **store.findings.batch_get(gone)}
    for change in _changes(known.values(), before, min(one.created_at for one in endpoints)):
        for endpoint in endpoints:
            made = _delivery(task, endpoint, change, now)
            if made is not None:
                yield made
    revs = {one.id: one.rev for one in known.values() if one.status is not FindingStatus.RESOLVED}
    if revs != before.revs:
        try:
            store.transact(now).put(
                *store.alerts.announced_ops(before, replace(before, revs=revs, at=now))
            ).commit()
        except RevisionConflictError:
            log.info("another pass announces the same")


def _changes(known: Iterable[Finding], before: Announced, since: datetime) -> Iterator[_Change]:
    floor = max(since, before.at - _AGAIN) if before.at else since
    found = [
        _Change(finding, line)
        for finding in known
        for line in finding.history
        if line.rev > before.revs.get(finding.id, 0) and line.at >= floor
    ]
    return iter(sorted(found, key=lambda change: (change.line.at, change.finding.id, change.line.rev)))


def _delivery(task: Outreach, endpoint: Endpoint, change: _Change, now: datetime) -> Delivery | None:
    finding, line = change.finding, change.line
    kind = f"finding.{line.kind.value}"
    if not endpoint.wants(kind) or line.at < endpoint.created_at:
        return None
    name = delivery_id(line.at, endpoint.id, finding.id, str(line.rev), line.kind.value)
    tenant_id = task.store.tenant_id
    body = (
        ocsf.event(finding, line, tenant_id, name)
        if endpoint.payload == "ocsf"
        else event_of(finding, line, tenant_id)
    )
    return _write(task, event_delivery(endpoint, name, kind, body, now, finding.id))


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
