"""Follow what changes: consents, revocations and acts of administrators, every few minutes."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from lantern.connectors.protocol import ChangePage, Delegation
from lantern.domain.access import DelegationChange, DelegationRecord
from lantern.domain.errors import LeaseLostError
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.hints import answer

log = logging.getLogger(__name__)

CHANGES: Final = "changes"
_LEASE_TTL_S: Final = 960


def poll_changes(task: Discovery) -> int:
    """Read the feed since the last poll; the cursor moves only past pages whose effects are stored.

    Returns:
        The number of events read.
    """
    store, connection = task.store, task.connection
    try:
        lease = store.leases.acquire(connection.id, CHANGES, task.message_id, _LEASE_TTL_S, task.clock.now())
    except LeaseLostError:
        return 0
    try:
        return _poll(task)
    finally:
        # Also after a failure: this message may come again late, the next one must not find the door shut.
        store.leases.release(connection.id, CHANGES, lease)


def _poll(task: Discovery) -> int:
    store, connection = task.store, task.connection
    started, events, finished = task.clock.now(), 0, False
    cursor = store.cursors.get(connection.id, CHANGES)
    for page in task.connector.changes(cursor, task.deadline):
        absorb(task, page)
        store.cursors.put(connection.id, CHANGES, page.cursor, task.clock.now())
        cursor = page.cursor
        events += page.events
        if page.last:
            finished = True
    if finished:
        current = store.connections.get(connection.id)
        if current:
            store.connections.put(replace(current, last_changes_at=started))
    return events


def absorb(task: Discovery, page: ChangePage) -> None:
    """Make one page's effects durable: bundles read again, delegations noted. Twice does it once."""
    if page.hints:
        answer(task, page.hints)
    note_delegations(task, page.delegations)


def note_delegations(task: Discovery, delegations: Iterable[Delegation]) -> None:
    """Keep the ledger of domain-wide delegations; the same event again changes nothing."""
    ledger, connection = task.store.delegations, task.connection
    for seen in sorted(delegations, key=lambda d: d.at):
        change = DelegationChange(seen.at, seen.scopes, seen.removed, seen.by)
        known = ledger.get(connection.id, seen.client_id)
        if known is None:
            known = DelegationRecord(seen.client_id, frozenset(), removed=True, changed_at=seen.at)
        if change in known.history:
            continue
        history = tuple(sorted((*known.history, change), key=lambda c: c.at))
        last = history[-1]
        ledger.put(
            connection.id,
            replace(known, scopes=last.scopes, removed=last.removed, changed_at=last.at, history=history),
        )
