"""Chores of the platform, tenant by tenant: anchor audit logs, keep the day's posture, measure freshness.

Consent states, seen messages and rate windows expire by themselves. An anchor is the end of a tenant's
audit chain as it was at a time, in a bucket that keeps every version: whoever rewrites the chain later
cannot rewrite that too.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lantern.domain.audit import AuditHead
from lantern.domain.tenancy import Connection
from lantern.services.risk import keep_posture
from lantern.store.platform import PlatformStore, TenantEntry
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)


class Bucket(Protocol):
    """`s3:PutObject`, as botocore names it."""

    def put_object(self, **kwargs: Any) -> Any:
        """Write one object."""
        ...


@dataclass(frozen=True, slots=True)
class Chores:
    """What housekeeping needs."""

    platform: PlatformStore
    tenant: Callable[[str], TenantStore]
    bucket: Bucket
    bucket_name: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was done: anchors written, tenants that failed, hours since the most stale full run.

    `postures` counts the tenants whose posture of the day was kept now.
    """

    anchored: int
    failed: tuple[str, ...]
    oldest_sync_hours: float
    postures: int = 0


def run(chores: Chores, now: datetime) -> Report:
    """One round over all tenants; a tenant that fails does not stop the others."""
    anchored, failed, oldest, postures = 0, [], 0.0, 0
    for entry in tenants(chores.platform):
        try:
            store = chores.tenant(entry.id)
            anchored += _anchor(chores, store, now)
            if entry.status == "active":
                postures += keep_posture(store, now)
                oldest = max(oldest, *(age_hours(each, now) for each in store.connections.list()), 0.0)
        except Exception as error:
            # Whatever it is concerns this tenant; the caller raises once all the others are done.
            log.error("housekeeping failed: %s", type(error).__name__, extra={"tenant_id": entry.id})
            failed.append(entry.id)
    return Report(anchored, tuple(failed), oldest, postures)


def tenants(platform: PlatformStore) -> Iterator[TenantEntry]:
    """The whole registry, page by page."""
    cursor: str | None = None
    while True:
        page = platform.list_tenants(cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def age_hours(connection: Connection, now: datetime) -> float:
    """Hours since a connection that should be read was last read completely; 0 for any other."""
    if connection.status != "active" or connection.kind == "import":
        return 0.0
    since = connection.last_full_at or connection.connected_at
    return max(0.0, (now - since).total_seconds() / 3600)


def anchor_key(tenant_id: str, now: datetime) -> str:
    """Where a tenant's anchor of a day is kept; versions of it tell the hours apart."""
    return f"anchors/{now:%Y-%m-%d}/{tenant_id}.json"


def _anchor(chores: Chores, store: TenantStore, now: datetime) -> int:
    head: AuditHead = store.audit.head()
    if head.seq == 0:
        return 0
    body = {"tenant": store.tenant_id, "seq": head.seq, "hash": head.hash, "at": now.isoformat()}
    chores.bucket.put_object(
        Bucket=chores.bucket_name,
        Key=anchor_key(store.tenant_id, now),
        Body=json.dumps(body, sort_keys=True).encode(),
        ContentType="application/json",
    )
    return 1
