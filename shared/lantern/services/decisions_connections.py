"""What people decide about connections: start, read now, disconnect."""

from dataclasses import replace
from datetime import datetime

from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import ConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.inventory import Provider
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services import queries
from lantern.services.ports import OnboardingPort, QueuePort
from lantern.store.tenant import TenantStore


def start(
    store: TenantStore,
    onboarding: OnboardingPort,
    *,
    provider: Provider,
    connection_id: str | None,
    by: str,
    now: datetime,
    random: RandomBytes,
) -> str:
    """A single-use consent link, to add a connection or to repair one.

    Raises:
        NotFoundError: no such connection.
        ConflictError: the connection is at another provider.
    """
    if connection_id is not None:
        connection = queries.connection(store, connection_id)
        if connection.kind == "import":
            raise ConflictError("This holds what files said: start without connection_id to connect.")
        if connection.provider != provider:
            raise ConflictError("The connection is at another provider.")
    return onboarding.create_link(store, provider, by=by, connection_id=connection_id, now=now, random=random)


def sync(store: TenantStore, queue: QueuePort, connection_id: str, *, by: str, now: datetime) -> None:
    """Put a full reading on the queue; the lease of the chain sees to it that only one runs.

    Raises:
        NotFoundError: no such connection.
        ConflictError: the connection is not connected.
    """
    connection = queries.connection(store, connection_id)
    if connection.status in ("disconnecting", "disconnected"):
        raise ConflictError(f"The connection is {connection.status}.")
    if connection.kind == "import":
        raise ConflictError("This holds what files said: hand in a newer one with POST /v1/imports.")
    last = connection.last_full_run or NOTHING
    event = AuditEvent(by, "connection.sync_requested", connection.id, change(last, "asked for"))
    store.transact(now).audit(event).commit()
    queue.send(Work(store.tenant_id, "connection.full", connection.id, cause=by))


def disconnect(store: TenantStore, connection: Connection, *, by: str, now: datetime) -> Connection:
    """Mark a connection as disconnecting and put the work for it in the outbox, in one transaction.

    Raises:
        ConflictError: it is disconnected or disconnecting already.
        RevisionConflictError: it changed since it was read.
    """
    if connection.status in ("disconnecting", "disconnected"):
        raise ConflictError(f"The connection is {connection.status} already.")
    leaving = replace(connection, status="disconnecting")
    work = Work(store.tenant_id, "connection.disconnect", connection.id, cause=by)
    event = AuditEvent(
        by,
        "connection.disconnect_requested",
        connection.id,
        {"provider": connection.provider, **change(connection.status, leaving.status)},
    )
    store.transact(now).put(store.connections.op(leaving)).audit(event).outbox(work).commit()
    return replace(leaving, rev=connection.rev + 1)
