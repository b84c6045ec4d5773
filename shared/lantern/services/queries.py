"""Read models: connections, runs, principals, jobs, audit. At most two requests to the table each."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lantern.domain import audit as chain
from lantern.domain.audit import AuditEntry, AuditHead
from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import ActionRecord, Job
from lantern.domain.pagination import Slice
from lantern.domain.tenancy import Connection, Run
from lantern.store.documents import Page
from lantern.store.tenant import TenantStore

VERIFY_ENTRIES: Final = 500
"""Audit entries verified a call: one page of the table."""


def connection(store: TenantStore, connection_id: str) -> Connection:
    """One connection.

    Raises:
        NotFoundError: the tenant has no such connection.
    """
    found = store.connections.get(connection_id)
    if found is None:
        raise NotFoundError("connection", connection_id)
    return found


def runs(store: TenantStore, connection_id: str, *, limit: int, after: str | None) -> Page[Run]:
    """Runs of a connection, newest first.

    Raises:
        NotFoundError: no such connection.
    """
    page = store.runs.list(connection_id, limit, after)
    if not page.items and after is None:
        connection(store, connection_id)
    return page


def run(store: TenantStore, connection_id: str, run_id: str) -> Run:
    """One run.

    Raises:
        NotFoundError: no such run at this connection.
    """
    found = store.runs.get(connection_id, run_id)
    if found is None:
        raise NotFoundError("run", run_id)
    return found


def principals(store: TenantStore, connection_id: str, *, limit: int, after: str | None) -> Page[Bundle]:
    """Accounts of a connection with their grants, in the order of their ids.

    Raises:
        NotFoundError: no such connection.
    """
    page = store.bundles.page(connection_id, limit, after)
    if not page.items and after is None:
        connection(store, connection_id)
    return page


def principal(store: TenantStore, principal_id: str) -> Bundle:
    """One account, at whichever connection it is.

    Raises:
        NotFoundError: no connection has it.
    """
    connection_ids = [found.id for found in store.connections.list()]
    bundle = store.bundles.find(connection_ids, principal_id)
    if bundle is None:
        raise NotFoundError("principal", principal_id)
    return bundle


def job(store: TenantStore, job_id: str) -> Job:
    """One job.

    Raises:
        NotFoundError: no such job.
    """
    found = store.jobs.get(job_id)
    if found is None:
        raise NotFoundError("job", job_id)
    return found


def jobs(store: TenantStore, *, only_open: bool, limit: int, after: str | None) -> Page[Job]:
    """Jobs, newest first; or only those to which something may still happen."""
    return store.jobs.page(limit, after, only_open=only_open)


def job_actions(store: TenantStore, job_id: str, *, limit: int, after: str | None) -> Page[ActionRecord]:
    """What became of a job's targets, in the order of their grant ids.

    Raises:
        NotFoundError: no such job.
    """
    page = store.jobs.actions_page(job_id, limit, after)
    if not page.items and after is None:
        job(store, job_id)
    return page


def audit(store: TenantStore, *, after_seq: int, limit: int) -> Slice[AuditEntry]:
    """Audit entries after a sequence number, oldest first."""
    page = store.audit.read(after_seq, limit)
    more = page.cursor is not None
    return Slice(page.items, (page.items[-1].seq,) if page.items and more else None)


@dataclass(frozen=True, slots=True)
class Verified:
    """Up to where a chain has been verified: the last sound entry, and the end that was seen then."""

    last: AuditHead = field(default_factory=AuditHead)
    head_seq: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a part of the chain found; `more` says that the chain goes on."""

    upto: Verified
    first_bad_seq: int | None
    more: bool


def verify_audit(store: TenantStore, after: Verified) -> Verification:
    """Verify the next part of the chain.

    Entries are read before the head, so whatever is appended meanwhile lies after what was read: a head
    further on is a reason to ask again, a head further back is a forgery.
    """
    rows = tuple(islice(store.audit.entries(after.last.seq), VERIFY_ENTRIES + 1))
    entries, exhausted = rows[:VERIFY_ENTRIES], len(rows) <= VERIFY_ENTRIES
    head = store.audit.head()
    bad = chain.verify(entries, after=after.last)
    sound = [entry for entry in entries if bad is None or entry.seq < bad]
    last = AuditHead(sound[-1].seq, sound[-1].hash) if sound else after.last
    if bad is None and last.seq > head.seq:
        bad = head.seq + 1
    elif bad is None and last.seq == head.seq and last.hash != head.hash:
        bad = last.seq
    elif bad is None and exhausted and last.seq < after.head_seq:
        bad = last.seq + 1
    return Verification(Verified(last, head.seq), bad, more=bad is None and last.seq < head.seq)
