"""Follow the provider's audit feed: changes every few minutes, history in the background."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from lantern.connectors.protocol import ActivityPage
from lantern.domain import ids
from lantern.domain.access import DelegationChange, DelegationRecord
from lantern.domain.errors import LeaseLostError
from lantern.domain.use import UseRow, UseWindow
from lantern.domain.work import Work
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.hints import answer

log = logging.getLogger(__name__)

CHANGES: Final = "changes"
BACKFILL: Final = "backfill"
HISTORY: Final = timedelta(days=180)
STEP: Final = timedelta(days=7)
ROLL_AFTER: Final = timedelta(hours=20)
_LEASE_TTL_S: Final = 960


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far back the background reading has reached: everything from `reached` on is read."""

    reached: datetime
    floor: datetime


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
        absorb(task, page, cursor)
        store.cursors.put(connection.id, CHANGES, page.cursor, task.clock.now())
        cursor = page.cursor
        events += page.events
        if page.last:
            finished = True
            _extend_window(task, page)
    if finished:
        current = store.connections.get(connection.id)
        if current:
            store.connections.put(replace(current, last_changes_at=started))
    return events


def absorb(task: Discovery, page: ActivityPage, after: str | None) -> None:
    """Make one page's effects durable: bundles read again, use spooled, delegations noted.

    `after` is the cursor the page was read from. It names the spooled use, so that a page read again,
    because its cursor was not stored, takes the place of what it left and is counted once.
    """
    if page.hints:
        answer(task, page.hints)
    rows = use_rows(task, page)
    now = task.clock.now()
    if rows:
        name = ids.derived_id("use", task.connection.id, after or "")
        task.store.use.spool(task.connection.id, rows, now, name)
    note_delegations(task, page)


def note_delegations(task: Discovery, page: ActivityPage) -> None:
    """Keep the ledger of domain-wide delegations; the same event again changes nothing."""
    ledger, connection = task.store.delegations, task.connection
    for seen in sorted(page.delegations, key=lambda d: d.at):
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


def use_rows(task: Discovery, page: ActivityPage) -> list[UseRow]:
    """The page's use in our own ids."""
    connection = task.connection
    return [
        UseRow(
            principal_id=ids.principal_id(connection.provider, connection.organisation_id, use.native_id),
            app_id=ids.app_id(connection.provider, use.client_id),
            events=use.events,
            last_day=use.last_at.date(),
        )
        for use in page.uses
    ]


def roll_use(task: Discovery, *, force: bool = False) -> int:
    """Once a day, fold spooled use into weeks and last-use; returns the number of items written."""
    store, connection, now = task.store, task.connection, task.clock.now()
    stamp = store.cursors.get(connection.id, "roll")
    if stamp and not force and now - datetime.fromisoformat(stamp) < ROLL_AFTER:
        return 0
    written = store.use.roll(connection.id, connection.shards, now)
    store.cursors.put(connection.id, "roll", now.isoformat(), now)
    return written


def backfill(task: Discovery) -> bool:
    """Read past use week by week, newest first, until 180 days are covered.

    Each week is folded in before its reach is recorded: coverage never claims what was not read.

    Returns:
        Whether history is complete.
    """
    store, connection = task.store, task.connection
    state = _backfill_state(task)
    while state.reached > state.floor:
        if task.deadline.passed():
            task.send(Work(store.tenant_id, "connection.backfill", connection.id, hop=task.hop + 1), 0)
            return False
        since = max(state.floor, state.reached - STEP)
        rows: list[UseRow] = []
        complete = False
        for page in task.connector.history(since, state.reached, task.deadline):
            rows.extend(use_rows(task, page))
            note_delegations(task, page)
            complete = page.last
        if not complete:
            task.send(Work(store.tenant_id, "connection.backfill", connection.id, hop=task.hop + 1), 0)
            return False
        # Named, so that a week folded by a worker that then crashed is not counted twice.
        store.use.fold(connection.id, connection.shards, rows, batch=f"backfill {since.isoformat()}")
        state = replace(state, reached=since)
        # The reach last: a worker that stops before it reads the week again and ends up here.
        _extend_window_back(task, since)
        store.cursors.put(connection.id, BACKFILL, msgspec.json.encode(state).decode(), task.clock.now())
    return True


def _backfill_state(task: Discovery) -> Backfill:
    raw = task.store.cursors.get(task.connection.id, BACKFILL)
    if raw:
        return msgspec.json.decode(raw, type=Backfill)
    window = task.store.use.window(task.connection.id)
    reached = window.complete_from if window else task.clock.now()
    return Backfill(reached, floor=task.clock.now() - HISTORY)


def _extend_window(task: Discovery, page: ActivityPage) -> None:
    """The feed is read without a hole up to `complete_until`."""
    if page.complete_until is None:
        return
    store, connection = task.store, task.connection
    window = store.use.window(connection.id)
    start = window.complete_from if window else (page.complete_from or page.complete_until)
    store.use.set_window(connection.id, UseWindow(start, page.complete_until))


def _extend_window_back(task: Discovery, since: datetime) -> None:
    store, connection = task.store, task.connection
    window = store.use.window(connection.id)
    until = window.complete_until if window else task.clock.now()
    store.use.set_window(connection.id, UseWindow(since, until))
