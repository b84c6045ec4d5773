"""What scoring reads from the store, each in one place."""

from collections.abc import Iterable, Iterator
from typing import Final

from lantern.domain.findings import Finding
from lantern.domain.inventory import Bundle
from lantern.domain.people import PersonRecord
from lantern.domain.tally import UseView
from lantern.domain.tenancy import Connection
from lantern.store.findings import PackedFindings
from lantern.store.tenant import TenantStore

_BATCH: Final = 100


def all_findings(store: TenantStore) -> PackedFindings[Finding]:
    """Every finding of the tenant; what each lists is unpacked when it is picked."""
    return store.findings.packed()


def holders(store: TenantStore, connection_id: str, app_id: str) -> Iterator[Bundle]:
    """The bundles that hold an app at a connection, in the order of their principals."""
    named = sorted(store.footprints.holders(connection_id, app_id))
    for start in range(0, len(named), _BATCH):
        found = store.bundles.batch_get(connection_id, named[start : start + _BATCH])
        yield from (found[pid] for pid in sorted(found) if found[pid].grant(app_id))


def use(store: TenantStore, connection: Connection, shards: Iterable[int]) -> UseView:
    """The last use in some shards, and the window in which all use is known."""
    last = store.use.last_use_of(connection.id, shards, connection.shards)
    return UseView(last, store.use.window(connection.id))


def size(store: TenantStore, connection: Connection) -> int | None:
    """How many principals the last full run listed."""
    if not connection.last_full_run:
        return None
    run = store.runs.get(connection.id, connection.last_full_run)
    return run.coverage.listed if run else None


def persons(store: TenantStore, bundles: Iterable[Bundle]) -> dict[str, PersonRecord]:
    """Those of the people behind bundles who have several accounts, by person id. One request."""
    return store.people.records({bundle.principal.person_id for bundle in bundles})


def required(connection_id: str | None) -> str:
    """The connection a message must name.

    Raises:
        ValueError: it names none.
    """
    if connection_id is None:
        raise ValueError("the message names no connection")
    return connection_id
