"""What people decide about reading headers of mail: to have it, and to have it no more."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from lantern.connectors import manifests
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import ConflictError
from lantern.domain.mail_reading import MailReading
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work
from lantern.services import queries
from lantern.store.tenant import TenantStore

NOT_HERE: Final = "Headers of mail cannot be read at this provider."


def standing(store: TenantStore, connection_id: str) -> MailReading | None:
    """How the choice of a connection stands; None where nobody ever asked.

    Raises:
        NotFoundError: no such connection.
    """
    return store.mail.get(queries.connection(store, connection_id).id)


def ask(store: TenantStore, connection_id: str, *, by: str, now: datetime) -> MailReading:
    """Have headers of mail read. It is on once a call has shown that the permission holds, not before.

    Asking again looks again at once; what is on stays as it is.

    Raises:
        NotFoundError: no such connection.
        ConflictError: the provider offers none, or the connection or what was found is being given up.
    """
    connection = _readable(store, connection_id)
    before = store.mail.get(connection.id)
    if before is not None and before.state == "on":
        return before
    if before is not None and before.state == "ending":
        raise ConflictError("What was found is being taken back: ask again when it is off.")
    fresh = MailReading(connection.id, "asked", now, by, due_at=now, rev=before.rev if before else 0)
    if before is not None:
        fresh = replace(fresh, client_id=before.client_id, permission=before.permission)
    return _decided(store, connection, fresh, "mail.asked", by, now)


def end(store: TenantStore, connection_id: str, *, by: str, now: datetime) -> MailReading:
    """Have no more mail read, and what it hinted at taken back.

    Raises:
        NotFoundError: no such connection.
        ConflictError: nobody asked for it.
    """
    connection = queries.connection(store, connection_id)
    before = store.mail.get(connection.id)
    if before is None:
        raise ConflictError("Nobody has asked for headers of mail to be read.")
    if before.state in ("ending", "off"):
        return before
    ending = replace(before, state="ending", note=None, due_at=now)
    return _decided(store, connection, ending, "mail.ended", by, now)


def _readable(store: TenantStore, connection_id: str) -> Connection:
    connection = queries.connection(store, connection_id)
    if connection.leaving or connection.kind == "import":
        raise ConflictError("The connection is not connected.")
    if "mail" not in manifests.manifest(connection.provider).features:
        raise ConflictError(NOT_HERE)
    return connection


def _decided(
    store: TenantStore, connection: Connection, reading: MailReading, action: str, by: str, now: datetime
) -> MailReading:
    """Store a decision with its audit entry and its message, in one transaction."""
    unit = store.transact(now).put(store.mail.op(reading))
    if not connection.mail:
        unit = unit.put(store.connections.op(replace(connection, mail=True)))
    before = store.mail.get(connection.id)
    detail = {"provider": connection.provider, **change(before.state if before else NOTHING, reading.state)}
    event = AuditEvent(by, action, connection.id, detail)
    unit.audit(event).outbox(Work(store.tenant_id, "connection.mail", connection.id, cause=by)).commit()
    return replace(reading, rev=reading.rev + 1)
