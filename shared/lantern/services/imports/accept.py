"""Take a file in: recognise it, keep it, and put the work on the way, in one transaction."""

import hashlib
from datetime import datetime

from lantern.connectors.imports.formats import Options, read
from lantern.connectors.imports.text import UnreadableError
from lantern.domain import ids
from lantern.domain.audit import AuditEvent
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.imports import ImportRecord
from lantern.domain.inventory import Provider
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore


def accept(
    store: TenantStore,
    content: bytes,
    *,
    provider: Provider | None,
    by: str,
    now: datetime,
    random: RandomBytes,
) -> ImportRecord:
    """Accept a file; it is read by the worker.

    Args:
        store: the tenant's store.
        content: the file.
        provider: whose permissions a list holds that does not tell.
        by: who hands it in, an actor id.
        now: current time.
        random: source of randomness.

    Raises:
        InvalidInputError: nothing here reads such a file; says what was expected.
    """
    try:
        form = read([content], Options(provider)).format
    except UnreadableError as error:
        raise InvalidInputError("body", str(error)) from error
    record = ImportRecord(
        id=ids.time_id("imp", now, random),
        state="waiting",
        format=form.id,
        title=form.title,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest()[:32],
        created_at=now,
        created_by=by,
        provider=provider,
    )
    # The content first: a record without it could not be read.
    store.imports.put_content(record.id, content, now)
    work = Work(store.tenant_id, "import.read", body={"import_id": record.id}, cause=by)
    event = AuditEvent(by, "import.requested", record.id, {"format": form.id, "bytes": str(record.size)})
    store.transact(now).put(store.imports.op(record)).audit(event).outbox(work).commit()
    return record


def find(store: TenantStore, import_id: str) -> ImportRecord:
    """An import.

    Raises:
        NotFoundError: the tenant has no such import.
    """
    record = store.imports.get(import_id)
    if record is None:
        raise NotFoundError("import", import_id)
    return record
