"""Read how apps are used: each day once it is complete, and as far back as is remembered, newest first.

One window of time says what has been read without a hole; it grows by slices, forward before backward. A
slice is read whole, then folded into the stored weeks under its own name, then the window takes it in: a
worker that dies in between begins the same slice again and folds nothing twice. What is to be read stands
in a plan that is written before; a slice that proves too long for one worker is halved.
"""

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Final, Literal

import msgspec

from lantern.connectors.protocol import HistoryPage
from lantern.domain import ids
from lantern.domain.errors import LeaseLostError
from lantern.domain.tenancy import Connection
from lantern.domain.use import AppUse, Places, UseRow, UseTally, UseWindow, iso_week
from lantern.domain.work import Work
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.feeds import note_delegations

log = logging.getLogger(__name__)

CHAIN: Final = "use"
HISTORY: Final = timedelta(days=180)
SETTLED: Final = timedelta(hours=2)
"""Events arrive late; what is older than this is taken as complete."""
DUE: Final = timedelta(hours=20)
LONGEST: Final = timedelta(days=7)
SHORTEST: Final = timedelta(minutes=15)
_LEASE_TTL_S: Final = 960

Reading = Literal["unfinished", "nothing", "days", "history"]
"""What a message read: more is to come, nothing was missing, days gone by, or the past to its end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The slice to be read next, and how long slices may be.

    `back` says that it lies before what is known. `shards` is set when folding begins: from then on the
    slice must stay as it is, whatever happens. `told`: it was the last, and its message has been sent.
    """

    since: datetime
    until: datetime
    longest_s: float = LONGEST.total_seconds()
    back: bool = False
    shards: int | None = None
    told: bool = False


def use_is_due(task: Discovery) -> bool:
    """Whether a day or more of use waits to be read."""
    window = task.store.use.window(task.connection.id)
    return window is not None and task.clock.now() - SETTLED - window.complete_until >= DUE


def read_use(task: Discovery) -> Reading:
    """Read what is missing, slice by slice, until the deadline; then the chain hands itself on."""
    store, connection = task.store, task.connection
    try:
        lease = store.leases.acquire(connection.id, CHAIN, task.message_id, _LEASE_TTL_S, task.clock.now())
    except LeaseLostError:
        return "unfinished"
    read = 0
    try:
        while (plan := _plan(task)) is not None:
            if task.deadline.passed() or not _read(task, plan, alone=read == 0):
                hand_on = Work(store.tenant_id, "connection.use", connection.id, hop=task.hop + 1)
                store.leases.release(connection.id, CHAIN, lease)
                task.send(hand_on, 0)
                return "unfinished"
            read += 1
    finally:
        # Also after a failure: this message may come again late, the next one must not find the door shut.
        store.leases.release(connection.id, CHAIN, lease)
    stored = _stored(task)
    if stored is None or stored.told:
        return "nothing"
    return "history" if stored.back else "days"


def tell(task: Discovery, work: Work) -> None:
    """Pass on that something was read, once: the message and the note that it was sent are one write."""
    stored, cid, now = _stored(task), task.connection.id, task.clock.now()
    if stored is not None:
        raw = msgspec.json.encode(replace(stored, told=True)).decode()
        task.store.transact(now).put(task.store.cursors.op(cid, CHAIN, raw, now)).outbox(work).commit()


def _stored(task: Discovery) -> Plan | None:
    raw = task.store.cursors.get(task.connection.id, CHAIN)
    return msgspec.json.decode(raw, type=Plan) if raw else None


def _plan(task: Discovery) -> Plan | None:
    """What to read next; None when nothing is missing."""
    store, cid = task.store, task.connection.id
    stored = _stored(task)
    window = store.use.window(cid)
    if stored and _stands(stored, window):
        return stored
    longest = timedelta(seconds=stored.longest_s) if stored else LONGEST
    now = task.clock.now()
    # What the provider has forgotten by now is not read: its silence would pass for knowledge.
    memory = min(HISTORY, timedelta(days=task.connector.manifest.history_days))
    floor = max(task.connection.connected_at, now - timedelta(days=1)) - memory
    found = _missing(window, floor, now, longest, memory)
    if found is None:
        return None
    plan = Plan(*found, longest.total_seconds(), back=window is None or found[1] <= window.complete_from)
    _keep(task, plan)
    return plan


def _stands(plan: Plan, window: UseWindow | None) -> bool:
    """Whether a plan is still to be carried out: it was begun, or it is what comes next."""
    if window is None:
        return True
    if window.complete_from <= plan.since and plan.until <= window.complete_until:
        return False
    return (
        plan.shards is not None or plan.since == window.complete_until or plan.until == window.complete_from
    )


def _missing(
    window: UseWindow | None, floor: datetime, now: datetime, longest: timedelta, memory: timedelta
) -> tuple[datetime, datetime] | None:
    settled = now - SETTLED
    if window is None or window.complete_until < now - memory:
        # Never read, or not for so long that the provider has forgotten what lies between.
        return settled - longest, settled
    if settled - window.complete_until >= DUE:
        return window.complete_until, min(settled, window.complete_until + longest)
    if window.complete_from > floor:
        return max(floor, window.complete_from - longest), window.complete_from
    return None


def _read(task: Discovery, plan: Plan, *, alone: bool) -> bool:
    """Read and fold one slice; False when time ran out. One that had all the time will be shorter."""
    read, complete = _Read(task.connection), False
    for page in task.connector.history(plan.since, plan.until, task.deadline):
        read.add(page)
        note_delegations(task, page.delegations)
        complete = page.last
    if not complete:
        if alone and plan.shards is None:
            _shorten(task, plan)
        return False
    _fold(task, plan, read)
    return True


class _Read:
    """What a slice said: use, consents, and of each app the APIs it called, bytes by week, and places."""

    def __init__(self, connection: Connection) -> None:
        provider, organisation = connection.provider, connection.organisation_id
        self._principal = cache(lambda native: ids.principal_id(provider, organisation, native))
        self._app = cache(lambda client: ids.app_id(provider, client))
        self.tally = UseTally()
        self.consents: list[UseRow] = []
        self._apis: dict[str, set[str]] = defaultdict(set)
        self._sent: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._places = Places()

    def add(self, page: HistoryPage) -> None:
        """Take in what one page says."""
        principal, app = self._principal, self._app
        for use in page.uses:
            self.tally.add(principal(use.native_id), app(use.client_id), use.events, use.last_at.date())
        self.consents += (
            UseRow(principal(one.native_id), app(one.client_id), 0, one.at.date()) for one in page.consents
        )
        for client, names in page.apis.items():
            self._apis[app(client)] |= names
        for sent in page.sent:
            self._sent[app(sent.client_id)][iso_week(sent.day)] += sent.size
        for place in page.places:
            self._places.add(app(place.client_id), place.kind, place.name, place.day)

    def by_app(self, week: str) -> dict[str, AppUse]:
        """Use of each app by everybody; APIs count as first called in that week."""
        return {
            app: AppUse(
                weeks,
                called := tuple(sorted(self._apis.get(app, ()))),
                dict.fromkeys(called, week),
                dict(self._sent.get(app, {})),
                networks=self._places.weeks(app, "network"),
                countries=self._places.weeks(app, "country"),
            )
            for app, weeks in self.tally.by_app().items()
        }


def _fold(task: Discovery, plan: Plan, read: _Read) -> None:
    store, cid = task.store, task.connection.id
    if plan.shards is None:
        plan = replace(plan, shards=task.connection.shards)
        _keep(task, plan)
    shards = plan.shards or 1
    batch = f"{plan.since.isoformat()} {plan.until.isoformat()}"
    for rows in read.tally.by_shard(shards):
        store.use.fold(cid, shards, rows, batch=batch)
    store.use.note_consents(cid, shards, read.consents, task.clock.now())
    week = iso_week(plan.since.date())  # never later than the call: what is called new is new
    store.app_use.fold(cid, read.by_app(week), UseWindow(plan.since, plan.until), batch)
    window = store.use.window(cid)
    joined = window.widened(plan.since, plan.until) if window else None
    store.use.set_window(cid, joined or UseWindow(plan.since, plan.until))


def _shorten(task: Discovery, plan: Plan) -> None:
    """Plan the half that touches what is known; nothing of the slice has been folded yet."""
    half = (plan.until - plan.since) / 2
    if half < SHORTEST:
        return
    since, until = (plan.until - half, plan.until) if plan.back else (plan.since, plan.since + half)
    log.info("use of a shorter time is read", extra={"hours": half.total_seconds() / 3600})
    _keep(task, replace(plan, since=since, until=until, longest_s=half.total_seconds()))


def _keep(task: Discovery, plan: Plan) -> None:
    raw = msgspec.json.encode(plan).decode()
    task.store.cursors.put(task.connection.id, CHAIN, raw, task.clock.now())
