"""The life of a tenant: created, suspended, resumed.

A tenant is known twice: in the platform's registry, which authorizer and dispatcher ask, and in its own
record. They cannot change in one transaction. The registry goes first, because it is what lets requests
and messages through; a crash in between is finished by doing it again.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError
from lantern.domain.jobs import Job
from lantern.domain.tenancy import Tenant, TenantStatus
from lantern.domain.work import Work
from lantern.store.platform import PlatformStore, TenantEntry
from lantern.store.tenant import TenantStore

NAME_LIMIT: Final = 200
_BATCH: Final = 90
_RECENT: Final = 100


def create(store: TenantStore, platform: PlatformStore, *, name: str, by: str, now: datetime) -> Tenant:
    """A tenant without connections and keys; its id is the store's.

    Raises:
        InvalidInputError: the name is empty or too long.
        RevisionConflictError: the tenant exists.
    """
    name = " ".join(name.split())
    if not name or len(name) > NAME_LIMIT:
        raise InvalidInputError("name", f"A name has 1 to {NAME_LIMIT} characters.")
    tenant = Tenant(store.tenant_id, name, "active", now)
    platform.put_tenant(TenantEntry(tenant.id, name, "active", now))
    event = AuditEvent(by, "tenant.created", tenant.id, change(NOTHING, tenant.status))
    store.transact(now).put(store.tenants.op(tenant)).audit(event).commit()
    return replace(tenant, rev=1)


def suspend(store: TenantStore, platform: PlatformStore, *, by: str, now: datetime) -> Tenant:
    """Stop everything for a tenant: the API answers 403, messages and schedules come to nothing.

    Doing it twice does it once.

    Raises:
        NotFoundError: no such tenant.
        ConflictError: it is being deleted.
    """
    return _turn(store, platform, "suspended", by, now)


def resume(store: TenantStore, platform: PlatformStore, *, by: str, now: datetime) -> Tenant:
    """Let a tenant go on, and read each of its connections anew: what happened meanwhile was missed.

    Doing it twice does it once; raises as `suspend`.
    """
    return _turn(store, platform, "active", by, now)


def _turn(
    store: TenantStore, platform: PlatformStore, status: TenantStatus, by: str, now: datetime
) -> Tenant:
    entry, tenant = platform.get_tenant(store.tenant_id), store.tenants.get()
    if entry is None or tenant is None:
        raise NotFoundError("tenant", store.tenant_id)
    if "deleting" in (entry.status, tenant.status):
        raise ConflictError("The tenant is being deleted.")
    if entry.status != status:
        platform.put_tenant(replace(entry, status=status))
    if tenant.status == status:
        return tenant
    if status == "active":
        _catch_up(store, now)
    turned = replace(tenant, status=status)
    action = "tenant.resumed" if status == "active" else "tenant.suspended"
    event = AuditEvent(by, action, tenant.id, change(tenant.status, status))
    store.transact(now).put(store.tenants.op(turned)).audit(event).commit()
    return replace(turned, rev=tenant.rev + 1)


def _catch_up(store: TenantStore, now: datetime) -> None:
    """Message anew what was dropped meanwhile: a full reading of each connection, jobs under way.

    Before the record says "active", so that a crash here is made good by resuming again; every message
    may come twice.
    """
    works = [
        Work(store.tenant_id, "connection.full", connection.id, cause="resume")
        for connection in store.connections.list()
        if connection.status in ("active", "needs_attention") and connection.kind == "consent"
    ]
    works += [
        Work(store.tenant_id, "import.read", body={"import_id": record.id}, cause="resume")
        for record in store.imports.page(_RECENT).items
        if record.open
    ]
    works += [
        Work(store.tenant_id, "connection.disconnect", connection.id, cause="resume")
        for connection in store.connections.list()
        if connection.status == "disconnecting"
    ]
    works += (
        Work(store.tenant_id, "job.run", body={"job_id": job.id}, cause=job.id)
        for job in _open_jobs(store)
        if job.state in ("approved", "running")
    )
    for start in range(0, len(works), _BATCH):
        store.transact(now).outbox(*works[start : start + _BATCH]).commit()


def _open_jobs(store: TenantStore) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page = store.jobs.page(100, cursor, only_open=True)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
