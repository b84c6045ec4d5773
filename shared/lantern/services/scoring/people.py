"""Who is who: join the accounts of all connections, and follow when somebody leaves."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from lantern.domain.errors import RevisionConflictError
from lantern.domain.inventory import Bundle
from lantern.domain.people import Account, Ground, Joined, PersonRecord, account, ground, join, record
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.aftermath import Assigner
from lantern.services.reference import Reference
from lantern.store.bundles import PackedBundles
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

CAUSE: Final = "people"
_MARK: Final = "people"
"""Name of the cursor of a connection that is to be judged again."""
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass over all accounts found: the outcome, how many bundles it wrote, who is judged again.

    `bundles` are those of each connection as they were read for it, still packed.
    """

    joined: Joined
    written: int
    again: tuple[str, ...]
    bundles: Mapping[str, PackedBundles] = field(default_factory=dict, compare=False)


def join_people(store: TenantStore, reference: Reference, now: datetime) -> Pass:
    """Join the accounts of all connections; writes the bundles, records and index parts that change.

    Connections at which somebody turned out to be another person, or to have left, are judged again by a
    message. They are marked before anything is written: after a crash the difference may be gone, the mark is
    not.

    Raises:
        RevisionConflictError: another pass wrote meanwhile; the message is delivered again.
    """
    connections = store.connections.list()
    bundles = {one.id: store.bundles.packed(one.id) for one in connections}
    accounts = [account(one) for c in connections for one in bundles[c.id].accounts()]
    on = ground(connections, accounts, reference.risk.consumer_domains)
    index, records = store.people.all_bearers(), store.people.all_records()

    def remembered(address: str) -> str | None:
        bearer = index.bearers.get(store.people.fingerprint(address))
        return bearer.person_id if bearer else None

    joined = join(accounts, on, remembered)
    marked = {one.id for one in connections if store.cursors.get(one.id, _MARK)}
    again = tuple(sorted(marked | _changed(connections, accounts, records, joined)))
    for cid in again:
        if cid not in marked:
            store.cursors.put(cid, _MARK, CAUSE, now)
    written = _assign(store, connections, accounts, joined, now)
    store.people.put_records(joined.records, [one.id for one in connections])
    store.people.put_bearers(joined.addresses, index)
    works = [Work(store.tenant_id, "score.run", cid, cause=CAUSE) for cid in again]
    store.transact(now).outbox(*works).commit()
    for cid in again:
        store.cursors.delete(cid, _MARK)
    if written or again:
        log.info("people joined", extra={"bundles": written, "connections": len(again)})
    return Pass(joined, written, again, bundles)


def _assign(
    store: TenantStore,
    connections: Iterable[Connection],
    accounts: Iterable[Account],
    joined: Joined,
    now: datetime,
) -> int:
    """Write the bundles whose person is another one."""
    assigners = {one.id: Assigner(store, one) for one in connections}
    written = 0
    for one in accounts:
        person = joined.persons[one.id]
        if person != one.person_id:
            written += assigners[one.connection_id].assign(one.id, person, now)
    return written


def _changed(
    connections: Iterable[Connection],
    accounts: Iterable[Account],
    records: Mapping[str, PersonRecord],
    joined: Joined,
) -> set[str]:
    """Connections with accounts of which rules are told otherwise now; one not read yet is judged anyway."""
    before = {pid: one for one in records.values() for _, pid in one.accounts}
    found: set[str] = set()
    for one in accounts:
        old, person = before.get(one.id), joined.persons[one.id]
        new = joined.records.get(person)
        was = (old.person_id, old.departed) if old else (one.person_id, one.departed)
        if was != (person, new.departed if new else one.departed) or one.person_id != person:
            found.add(one.connection_id)
    read = {one.id for one in connections if one.last_full_at is not None or one.kind == "import"}
    return found & read


@dataclass(frozen=True, slots=True)
class Followed:
    """The person behind an account now, and the other accounts that are to be judged again."""

    person: PersonRecord | None
    others: tuple[tuple[Connection, Bundle], ...] = ()


def follow(store: TenantStore, bundle: Bundle) -> Followed:
    """See whether a change of an account changed the person: whoever left at one place left at all.

    Raises:
        RevisionConflictError: the person's record is being written by others; try again.
    """
    for _ in range(_ATTEMPTS):
        known, _part = store.people.record(bundle.principal.person_id)
        if known is None:
            return Followed(None)
        connections = {one.id: one for one in store.connections.list()}
        # A newcomer is this person's before the record says so.
        held = [bundle, *(one for one in _bundles(store, known) if one.principal.id != bundle.principal.id)]
        current = [account(one.principal) for one in held]
        on = Ground(trust=ground(connections.values(), (), ()).trust)
        fresh = record(known.person_id, current, on)
        if fresh == known:
            return Followed(known)
        if {pid for _, pid in fresh.accounts} != {pid for _, pid in known.accounts}:
            # Some account is gone or somebody else's: only joining may conclude from that.
            fresh = replace(fresh, accounts=known.accounts)
        try:
            store.people.put_record(fresh)
        except RevisionConflictError:
            continue
        others = tuple(
            (connections[one.principal.connection_id], one)
            for one in held
            if one.principal.id != bundle.principal.id and one.principal.connection_id in connections
        )
        return Followed(fresh, others if fresh.departed != known.departed else ())
    raise RevisionConflictError("the record of a person keeps changing")


def _bundles(store: TenantStore, known: PersonRecord) -> list[Bundle]:
    """The bundles of a person's accounts that are still this person's."""
    wanted: dict[str, list[str]] = {}
    for cid, pid in known.accounts:
        wanted.setdefault(cid, []).append(pid)
    found = [one for cid, pids in wanted.items() for one in store.bundles.batch_get(cid, pids).values()]
    return [one for one in found if one.principal.person_id == known.person_id]
