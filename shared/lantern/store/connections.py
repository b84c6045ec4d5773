"""A tenant, its connections, their secrets, cursors, channels, delegations and runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.access import DelegationRecord, StoredChannel
from lantern.domain.tenancy import Connection, Run, Tenant
from lantern.store.documents import Delete, Doc, Documents, Page, Put
from lantern.store.keys import ttl
from lantern.store.records import Records, Versioned

RUN_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class _Cursor:
    value: str
    updated_at: datetime


class TenantRepository:
    """The tenant record."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "tenant", Tenant)
        self._keys = documents.keys

    def get(self) -> Tenant | None:
        """The tenant."""
        return self._records.get(self._keys.tenant())

    def put(self, tenant: Tenant) -> Tenant:
        """Write on `tenant.rev`; raises `RevisionConflictError`."""
        return self._records.put(self._keys.tenant(), tenant)

    def op(self, tenant: Tenant) -> Put:
        """The same write for a transaction."""
        return self._records.op(self._keys.tenant(), tenant)


class ConnectionRepository:
    """Connections."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "connection", Connection)
        self._keys = documents.keys

    def decode(self, doc: Doc) -> Connection:
        """The connection of an item."""
        return self._records.decode(doc)

    def get(self, cid: str) -> Connection | None:
        """A connection."""
        return self._records.get(self._keys.connection(cid))

    def list(self) -> tuple[Connection, ...]:
        """All connections of the tenant."""
        return tuple(self._records.all(self._keys.connections()))

    def put(self, connection: Connection) -> Connection:
        """Write on `connection.rev`; raises `RevisionConflictError`."""
        return self._records.put(self._keys.connection(connection.id), connection)

    def op(self, connection: Connection) -> Put:
        """The same write for a transaction."""
        return self._records.op(self._keys.connection(connection.id), connection)


class SecretRepository:
    """Encrypted credentials, one per connection; in no listing. The body is the ciphertext, as it is."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def put(self, cid: str, ciphertext: bytes, now: datetime) -> None:
        """Store a ciphertext in place of the one before."""
        self._documents.put(self._doc(cid, ciphertext, now), None)

    def op(self, cid: str, ciphertext: bytes, now: datetime) -> Put:
        """The same write for a transaction."""
        return Put(self._doc(cid, ciphertext, now), None)

    def _doc(self, cid: str, ciphertext: bytes, now: datetime) -> Doc:
        # `seq` tells when it was stored, so that key rotation can find old ciphertexts.
        return Doc(self._documents.keys.secret(cid), "secret", ciphertext, seq=int(now.timestamp()))

    def get(self, cid: str) -> bytes | None:
        """The ciphertext."""
        doc = self._documents.get(self._documents.keys.secret(cid), consistent=True)
        return None if doc is None else doc.body

    def delete(self, cid: str) -> None:
        """Forget it; nothing there is done already."""
        self._documents.delete(self._documents.keys.secret(cid))

    def gone_op(self, cid: str) -> Delete:
        """The same, for a transaction."""
        return Delete(self._documents.keys.secret(cid))


class CursorRepository:
    """How far each feed of a connection has been read. Its writer holds the chain's lease."""

    def __init__(self, documents: Documents) -> None:
        self._records = Records(documents, "cursor", _Cursor)
        self._keys = documents.keys

    def get(self, cid: str, stream: str) -> str | None:
        """The cursor of a feed; None where it was never read."""
        found = self._records.get(self._keys.cursor(cid, stream), consistent=True)
        return None if found is None else found.value

    def put(self, cid: str, stream: str, value: str, now: datetime) -> None:
        """Remember how far a feed was read."""
        self._records.documents.put(self.op(cid, stream, value, now).doc, None)

    def op(self, cid: str, stream: str, value: str, now: datetime) -> Put:
        """The same write, for a transaction."""
        return Put(self._records.doc(self._keys.cursor(cid, stream), _Cursor(value, now)), None)

    def delete(self, cid: str, stream: str) -> None:
        """Start anew next time."""
        self._records.documents.delete(self._keys.cursor(cid, stream))


class ChannelRepository:
    """Push channels open at the provider."""

    def __init__(self, documents: Documents) -> None:
        self._records = Records(documents, "channel", StoredChannel)
        self._keys = documents.keys

    def list(self, cid: str) -> tuple[StoredChannel, ...]:
        """The channels of a connection."""
        return tuple(self._records.all(self._keys.of_connection(cid), starts="CHAN#"))

    def put(self, cid: str, channel: StoredChannel) -> None:
        """Store a channel; it is forgotten a day after it expires."""
        key = self._keys.channel(cid, channel.id)
        self._records.documents.put(self._records.doc(key, channel, ttl=ttl(channel.expires_at, 1)), None)

    def delete(self, cid: str, channel_id: str) -> None:
        """Forget a channel; nothing there is done already."""
        self._records.documents.delete(self._keys.channel(cid, channel_id))


class DelegationRepository:
    """The ledger of domain-wide delegations."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "delegation", DelegationRecord)
        self._keys = documents.keys

    def get(self, cid: str, client_id: str) -> DelegationRecord | None:
        """The ledger of a client."""
        return self._records.get(self._keys.delegation(cid, client_id))

    def list(self, cid: str) -> tuple[DelegationRecord, ...]:
        """The ledgers of all clients that were ever delegated to, as far as seen."""
        return tuple(self._records.all(self._keys.delegations(cid)))

    def put(self, cid: str, record: DelegationRecord) -> DelegationRecord:
        """Write on `record.rev`; raises `RevisionConflictError`."""
        return self._records.put(self._keys.delegation(cid, record.client_id), record)


class RunRepository:
    """Runs, kept 90 days; run ids are time ids."""

    def __init__(self, documents: Documents) -> None:
        self._records = Versioned(documents, "run", Run)
        self._keys = documents.keys

    def get(self, cid: str, run_id: str) -> Run | None:
        """A run."""
        return self._records.get(self._keys.run(cid, run_id))

    def list(self, cid: str, limit: int, cursor: str | None = None) -> Page[Run]:
        """Runs of a connection, newest first."""
        return self._records.page(self._keys.runs(cid), limit=limit, cursor=cursor, reverse=True)

    def put(self, run: Run) -> Run:
        """Write on `run.rev`; raises `RevisionConflictError`."""
        return self._records.put(
            self._keys.run(run.connection_id, run.id), run, ttl=ttl(run.started_at, RUN_DAYS)
        )

    def op(self, run: Run) -> Put:
        """The same write for a transaction."""
        key = self._keys.run(run.connection_id, run.id)
        return self._records.op(key, run, ttl=ttl(run.started_at, RUN_DAYS))
