"""What imports of every kind do with the store: their connection, their indexes, their end."""

import logging
from dataclasses import replace
from datetime import datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import RevisionConflictError
from lantern.domain.imports import ImportRecord
from lantern.domain.inventory import Provider
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services.discovery.run import PRINCIPALS_PER_SHARD
from lantern.services.imports.bundles import connection_id
from lantern.services.imports.task import Imports
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

SYSTEM: Final = "system"
ORGANISATION: Final = "import"
LEAVING: Final = "Earlier imports are being disconnected; hand it in again later."
_REBUILDS: Final = 3


def finish(
    task: Imports, record: ImportRecord, connections: list[Connection], touched: list[str], now: datetime
) -> ImportRecord:
    """Everything that follows, in one transaction; the content goes last."""
    store = task.store
    works = [
        Work(store.tenant_id, "score.run", cid, {"import_id": record.id}, cause=record.id) for cid in touched
    ]
    event = AuditEvent(
        SYSTEM,
        "import.finished",
        record.id,
        {"rows": str(record.counts.rows), "bad": str(record.counts.bad_rows),
         "added": str(record.counts.added), "removed": str(record.counts.removed),
         **change("reading", record.state)},
    )  # fmt: skip
    unit = store.transact(now).put(store.imports.op(record)).audit(event)
    for one in connections:
        if one.id in touched:
            unit = unit.put(store.connections.op(replace(one, last_changes_at=now)))
    unit.outbox(*works).commit()
    forget(task, record)
    return replace(record, rev=record.rev + 1)


def fail(task: Imports, record: ImportRecord, error: str) -> ImportRecord:
    """End an import that cannot be read; `error` is a sentence for people."""
    store, now = task.store, task.clock.now()
    failed = replace(record, state="failed", error=error, finished_at=now)
    event = AuditEvent(SYSTEM, "import.failed", record.id, change(record.state, failed.state))
    store.transact(now).put(store.imports.op(failed)).audit(event).commit()
    forget(task, record)
    return replace(failed, rev=record.rev + 1)


def forget(task: Imports, record: ImportRecord) -> None:
    """Remove a file that is not needed any more."""
    if record.dropped and task.drops is not None:
        task.drops().forget(record.id)
    else:
        task.store.imports.forget_content(record.id)


def hand_on(task: Imports, record: ImportRecord) -> ImportRecord:
    """The deadline came first: go on with a message of its own; what was written is met as unchanged."""
    body = {"import_id": record.id}
    task.send(Work(task.store.tenant_id, "import.read", None, body, task.hop + 1, record.created_by), 0)
    return record


def connection_for(store: TenantStore, provider: Provider, record: ImportRecord, now: datetime) -> Connection:
    """The connection of a provider's imports; there is one, made by the first import."""
    cid = connection_id(store.tenant_id, provider, record.source)
    known = store.connections.get(cid)
    if known is not None and known.status == "disconnected":
        return store.connections.put(replace(known, status="active"))
    if known is not None:
        return known
    fresh = Connection(
        id=cid,
        provider=provider,
        organisation_id=f"{ORGANISATION}:{record.source}" if record.source else ORGANISATION,
        name=f"Imports ({', '.join(filter(None, (provider, record.source)))})",
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


def index(store: TenantStore, connection: Connection, now: datetime) -> Connection:
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
