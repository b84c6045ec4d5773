"""Read an accepted file and store it: one message, which may be delivered again at any point.

Bundles are merged and written exactly as a run writes them, so a file that says nothing new writes nothing.
Whoever a file does not name is left alone: nothing is concluded from absence.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.connectors.imports.formats import Options, read
from lantern.connectors.imports.text import UnreadableError
from lantern.connectors.protocol import Clock, Deadline
from lantern.domain import ids
from lantern.domain.audit import AuditEvent
from lantern.domain.errors import RevisionConflictError
from lantern.domain.exports.census import Census
from lantern.domain.exports.rows import BadRow
from lantern.domain.imports import MAX_BAD, BadLine, ImportCounts, ImportRecord
from lantern.domain.inventory import Provider
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter, Tally
from lantern.services.discovery.context import Send
from lantern.services.discovery.run import PRINCIPALS_PER_SHARD
from lantern.services.imports.bundles import ImportedBundles, connection_id
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

SYSTEM: Final = "system"
MAX_UNPACKED: Final = 64 * 1024 * 1024
ORGANISATION: Final = "import"
_REBUILDS: Final = 3


@dataclass(frozen=True, slots=True)
class Imports:
    """One message's tools."""

    store: TenantStore
    clock: Clock
    deadline: Deadline
    send: Send
    hop: int = 0


@dataclass(frozen=True, slots=True)
class _Content:
    census: Census
    rows: int
    bad: tuple[BadLine, ...]
    bad_rows: int


def read_import(task: Imports, work: Work) -> ImportRecord | None:
    """Do one import; returns it as it stands, None where there is none such."""
    store, now = task.store, task.clock.now()
    record = store.imports.get(work.body["import_id"])
    if record is None or not record.open:
        return record
    again = record.state == "reading"
    content = store.imports.content(record.id)
    if content is None:
        return _fail(store, record, "The file is not kept any more; hand it in again.", now)
    try:
        found = _read(content, Options(record.provider))
    except UnreadableError as error:
        return _fail(store, record, str(error), now)
    if not again:
        # From here on a repetition has to see to it that what follows the bundles is done.
        record = store.imports.put(replace(record, state="reading"))
    return _store(task, record, found, again=again)


def _read(content: bytes, options: Options) -> _Content:
    census, rows, bad_rows = Census(), 0, 0
    bad: list[BadLine] = []
    for row in read([content], options, limit=MAX_UNPACKED).rows:
        if isinstance(row, BadRow):
            bad_rows += 1
            if len(bad) < MAX_BAD:
                bad.append(BadLine(row.line, row.reason))
        else:
            rows += 1
            census.add(row)
    census.close()
    return _Content(census, rows, tuple(bad), bad_rows)


def _store(task: Imports, record: ImportRecord, found: _Content, *, again: bool) -> ImportRecord:
    store, now = task.store, task.clock.now()
    census, total = found.census, Tally()
    connections: list[Connection] = []
    touched: list[str] = []
    people = 0
    for provider in _providers(census):
        connection = _connection(store, provider, record, now)
        if connection.status != "active":
            return _fail(
                store, record, "Earlier imports are being disconnected; hand it in again later.", now
            )
        bundles = ImportedBundles(store, connection, census)
        principals = bundles.principals()
        writer = BundleWriter(
            store,
            bundles,
            connection,
            cause="run",
            indexed=False,
            baseline=connection.last_changes_at is None,
            clock=task.clock.now,
        )
        tally = writer.refresh(principals, task.deadline, now)
        if len(tally.reached) < len(principals):
            return _hand_on(task, record)
        used = store.use.fold(connection.id, connection.shards, bundles.uses(), batch=record.digest)
        if tally.written or used or again:
            connection = _index(store, connection, now)
            touched.append(connection.id)
        connections.append(connection)
        people += len(principals)
        _add(total, tally)
    counts = ImportCounts(
        rows=found.rows,
        bad_rows=found.bad_rows,
        people=people,
        apps=len(census.apps),
        grants=census.grant_count,
        bundles_written=total.written,
        added=total.added,
        removed=total.removed,
        changed=total.changed,
    )
    done = replace(
        record, state="done", counts=counts, bad=found.bad, finished_at=now,
        connections=tuple(one.id for one in connections),
    )  # fmt: skip
    return _finish(store, done, connections, touched, now)


def _finish(
    store: TenantStore, record: ImportRecord, connections: list[Connection], touched: list[str], now: datetime
) -> ImportRecord:
    """Everything that follows, in one transaction; the content goes last."""
    works = [
        Work(store.tenant_id, "score.run", cid, {"import_id": record.id}, cause=record.id) for cid in touched
    ]
    event = AuditEvent(
        SYSTEM,
        "import.finished",
        record.id,
        {"rows": str(record.counts.rows), "bad": str(record.counts.bad_rows),
         "added": str(record.counts.added), "removed": str(record.counts.removed)},
    )  # fmt: skip
    unit = store.transact(now).put(store.imports.op(record)).audit(event)
    for one in connections:
        if one.id in touched:
            unit = unit.put(store.connections.op(replace(one, last_changes_at=now)))
    unit.outbox(*works).commit()
    store.imports.forget_content(record.id)
    return replace(record, rev=record.rev + 1)


def _fail(store: TenantStore, record: ImportRecord, error: str, now: datetime) -> ImportRecord:
    failed = replace(record, state="failed", error=error, finished_at=now)
    event = AuditEvent(SYSTEM, "import.failed", record.id)
    store.transact(now).put(store.imports.op(failed)).audit(event).commit()
    store.imports.forget_content(record.id)
    return replace(failed, rev=record.rev + 1)


def _hand_on(task: Imports, record: ImportRecord) -> ImportRecord:
    """The deadline came first: go on with a message of its own; what was written is met as unchanged."""
    body = {"import_id": record.id}
    task.send(Work(task.store.tenant_id, "import.read", None, body, task.hop + 1, record.created_by), 0)
    return record


def _providers(census: Census) -> list[Provider]:
    """Providers at which the file names somebody."""
    held = {census.apps[one.app].provider for one in census.grants()}
    return sorted(held | {person.listed for person in census.people if person.listed})


def _connection(store: TenantStore, provider: Provider, record: ImportRecord, now: datetime) -> Connection:
    """The connection of a provider's imports; there is one, made by the first import."""
    cid = connection_id(store.tenant_id, provider)
    known = store.connections.get(cid)
    if known is not None and known.status == "disconnected":
        return store.connections.put(replace(known, status="active"))
    if known is not None:
        return known
    fresh = Connection(
        id=cid,
        provider=provider,
        organisation_id=ORGANISATION,
        name=f"Imports ({provider})",
        status="active",
        granted_scopes=frozenset(),
        missing_scopes=frozenset(),
        connected_at=now,
        connected_by=record.created_by,
        kind="import",
    )
    try:
        return store.connections.put(fresh)
    except RevisionConflictError:
        # Another import was faster.
        return store.connections.get(cid) or fresh


def _index(store: TenantStore, connection: Connection, now: datetime) -> Connection:
    """Make the footprints say what the bundles say; returns the connection with its number of shards."""
    bundles = list(store.bundles.all(connection.id))
    shards = connection.shards
    while len(bundles) > shards * PRINCIPALS_PER_SHARD:
        shards *= 2
    pairs: list[dict[str, set[str]]] = [{} for _ in range(shards)]
    for bundle in bundles:
        of_shard = pairs[ids.shard_of(bundle.principal.id, shards)]
        for grant in bundle.grants or ():
            of_shard.setdefault(grant.app_id, set()).add(bundle.principal.id)
    for shard, held in enumerate(pairs):
        wanted = {app: frozenset(people) for app, people in held.items()}
        for attempt in range(_REBUILDS):
            try:
                store.footprints.rebuild(connection.id, shard, shards, wanted, now)
                break
            except RevisionConflictError:
                log.info("footprints changed while being rebuilt", extra={"shard": shard, "attempt": attempt})
    if shards != connection.shards:
        connection = store.connections.put(replace(connection, shards=shards))
        store.footprints.retire(connection.id, shards)
    return connection


def _add(total: Tally, tally: Tally) -> None:
    total.written += tally.written
    total.added += tally.added
    total.removed += tally.removed
    total.changed += tally.changed
