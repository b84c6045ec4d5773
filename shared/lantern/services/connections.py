"""What happens to a connection after consent: it needs attention, or it is taken down.

Taking down is decided in one transaction with its message (`decisions_connections.disconnect`) and
carried out by the discovery worker, which alone can read the token. Every step may be repeated; the
status changes last, so a crash anywhere is finished by the next delivery of the message.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from lantern.connectors.protocol import Channel, ChannelPurpose
from lantern.domain.access import StoredChannel
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import ConnectorError, NotFoundError, RevisionConflictError
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services import schedules
from lantern.services.schedules import Scheduler
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

ATTEMPTS: Final = 5
SYSTEM: Final = "system"


def needs_attention(
    store: TenantStore, connection: Connection, reason: str, remedy: str, now: datetime
) -> Connection:
    """Say that a connection does not work until the customer does something; returns it as stored.

    A connection that is being taken down, or says so already, stays as it is.
    """
    for _ in range(ATTEMPTS):
        if connection.status not in ("active", "needs_attention"):
            return connection
        if (connection.status, connection.attention, connection.remedy) == (
            "needs_attention",
            reason,
            remedy,
        ):
            return connection
        changed = replace(connection, status="needs_attention", attention=reason, remedy=remedy)
        told = {"reason": reason, **change(connection.status, changed.status)}
        event = AuditEvent(SYSTEM, "connection.needs_attention", connection.id, told)
        try:
            unit = store.transact(now).put(store.connections.op(changed)).audit(event)
            unit.outbox(Work(store.tenant_id, "score.whole", cause="connection")).commit()
        except RevisionConflictError:
            connection = _need(store, connection.id)
            continue
        return replace(changed, rev=changed.rev + 1)
    raise RevisionConflictError(f"connection {connection.id} kept changing")


class Access(Protocol):
    """The part of a connector that gives access back."""

    def close_channel(self, channel: Channel) -> None:
        """Close a push channel; one that is gone already is closed."""
        ...

    def disconnect(self) -> None:
        """Revoke the token we hold; already revoked is done."""
        ...


@dataclass(frozen=True, slots=True)
class Teardown:
    """What taking down needs. `access` opens the connector with the connection's own token."""

    store: TenantStore
    platform: PlatformStore
    scheduler: Scheduler
    schedule_group: str
    access: Callable[[Connection], Access]


def disconnect(tools: Teardown, connection_id: str, now: datetime) -> None:
    """Take a connection down: schedules, channels, our token, the secret, the organisation's route.

    Raises:
        ConnectorError: the provider did not answer; nothing after that step was done, repeat it.
    """
    connection = tools.store.connections.get(connection_id)
    if connection is None or connection.status != "disconnecting":
        return
    # First what would start new work, then what the provider holds while we still have the token.
    schedules.delete(tools.scheduler, tools.schedule_group, connection_id)
    channels = tools.store.channels.list(connection_id)
    for channel in channels:
        tools.platform.delete_channel(channel.id)
    if tools.store.secrets.get(connection_id) is not None:
        _leave(tools, connection, channels)
    for channel in channels:
        tools.store.channels.delete(connection_id, channel.id)
    tools.store.secrets.delete(connection_id)
    tools.platform.release_org(connection.provider, connection.organisation_id, tools.store.tenant_id)
    if connection.mail:
        tools.store.mail.forget(connection_id)
    changed = replace(connection, status="disconnected", granted_scopes=frozenset(), mail=False)
    told = change(connection.status, changed.status)
    event = AuditEvent(SYSTEM, "connection.disconnected", connection_id, told)
    unit = tools.store.transact(now).put(tools.store.connections.op(changed)).audit(event)
    reading = tools.store.mail.get(connection_id) if connection.mail else None
    if reading is not None:
        unit = unit.put(tools.store.mail.op(replace(reading, state="off", note=None, due_at=None)))
    unit.commit()


def _leave(tools: Teardown, connection: Connection, channels: tuple[StoredChannel, ...]) -> None:
    """Close our channels and give our token back; a token that is dead already has nothing to give."""
    access = tools.access(connection)
    try:
        for channel in channels:
            access.close_channel(_open_channel(channel))
        access.disconnect()
    except ConnectorError as error:
        if error.kind != "config":
            raise
        log.info("connection %s was gone at the provider already", connection.id)


def _open_channel(channel: StoredChannel) -> Channel:
    purpose: ChannelPurpose = "grants"
    return Channel(channel.id, channel.resource_id, purpose, channel.expires_at, channel.event)


def _need(store: TenantStore, connection_id: str) -> Connection:
    connection = store.connections.get(connection_id)
    if connection is None:
        raise NotFoundError("connection", connection_id)
    return connection
