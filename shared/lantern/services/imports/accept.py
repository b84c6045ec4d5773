"""Take a file in: recognise it, keep it, and put the work on the way, in one transaction.

A file that is too large for a request gets an address instead; what comes there is recognised by the worker.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.connectors.imports.formats import Options, Subject, read
from lantern.connectors.imports.text import UnreadableError
from lantern.domain import ids
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.imports import SOURCE, ImportKind, ImportRecord
from lantern.domain.inventory import Provider
from lantern.domain.work import Work
from lantern.services.imports.drops import DropBox, Upload
from lantern.store.tenant import TenantStore

MAX_DROP: Final[dict[ImportKind, int]] = {
    "export": 64 * 1024 * 1024,
    "inventory": 64 * 1024 * 1024,
    "logs": 512 * 1024 * 1024,
}
"""How large a file may be that is sent to the bucket, as it is sent (packed or not)."""
MEDIA_TYPES: Final = (
    "text/csv", "text/plain", "text/tab-separated-values", "application/json", "application/x-ndjson",
    "application/gzip",
)  # fmt: skip
MAX_LOOK: Final = 32 * 1024 * 1024
"""How much of a packed file is unpacked to see what it is; an honest one shows it in its first lines."""
SUBJECTS: Final[dict[ImportKind, Subject | None]] = {"export": None, "inventory": "access", "logs": "visits"}
"""What a file must be about that was handed in as this."""
_NOT_YET: Final = "not yet told"


@dataclass(frozen=True, slots=True)
class Intake:
    """What is said about a file beside its content: `by` is an actor id, `source` a feed's name or empty."""

    kind: ImportKind
    by: str
    now: datetime
    random: RandomBytes
    provider: Provider | None = None
    source: str = ""
    media_type: str = ""


def accept(
    store: TenantStore,
    content: bytes,
    *,
    provider: Provider | None,
    by: str,
    now: datetime,
    random: RandomBytes,
) -> ImportRecord:
    """Accept an export; it is read by the worker.

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
    return take(store, content, Intake("export", by, now, random, provider))


def take(store: TenantStore, content: bytes, intake: Intake) -> ImportRecord:
    """Accept a file whose content is here.

    Raises:
        InvalidInputError: nothing reads such a file, or the source's name is none; says what was expected.
    """
    _check_source(intake.source)
    try:
        found = read([content], Options(intake.provider), MAX_LOOK, SUBJECTS[intake.kind])
    except UnreadableError as error:
        raise InvalidInputError("body", str(error)) from error
    form = found.format
    digest = hashlib.sha256(content).hexdigest()
    record = replace(_record(intake, len(content), digest), state="waiting", format=form.id, title=form.title)
    # The content first: a record without it could not be read.
    store.imports.put_content(record.id, content, intake.now)
    work = Work(store.tenant_id, "import.read", body={"import_id": record.id}, cause=intake.by)
    event = AuditEvent(
        intake.by,
        "import.requested",
        record.id,
        {"format": form.id, "bytes": str(record.size), **change(NOTHING, record.state)},
    )
    store.transact(intake.now).put(store.imports.op(record)).audit(event).outbox(work).commit()
    return record


def open_upload(
    store: TenantStore, drops: DropBox, intake: Intake, *, size: int, sha256: str
) -> tuple[ImportRecord, Upload]:
    """Make an address for a file that will be sent to the bucket.

    Args:
        store: the tenant's store.
        drops: the tenant's part of the bucket.
        intake: what is said about the file.
        size: its length in bytes.
        sha256: its SHA-256 in hex.

    Raises:
        InvalidInputError: it is too large, or of a type that nothing reads; names the field.
    """
    _check_source(intake.source)
    most = MAX_DROP[intake.kind]
    if not 0 < size <= most:
        raise InvalidInputError("size", f"A file of this kind has 1 to {most} bytes; split a larger one.")
    if intake.media_type not in MEDIA_TYPES:
        raise InvalidInputError("content_type", f"Send one of {', '.join(MEDIA_TYPES)}.")
    record = _record(intake, size, sha256)
    upload = drops.address(record.id, size=size, sha256=sha256, media_type=intake.media_type, now=intake.now)
    event = AuditEvent(
        intake.by,
        "import.opened",
        record.id,
        {"kind": intake.kind, "bytes": str(record.size), **change(NOTHING, record.state)},
    )
    store.transact(intake.now).put(store.imports.op(record)).audit(event).commit()
    return record, upload


def complete(store: TenantStore, import_id: str, *, by: str, now: datetime) -> ImportRecord:
    """Have a file read that was sent to the bucket, where the bucket's own message has not come.

    Raises:
        NotFoundError: the tenant has no such upload.
    """
    record = find(store, import_id)
    if not record.dropped:
        raise NotFoundError("upload", import_id)
    if record.open:
        work = Work(store.tenant_id, "import.read", body={"import_id": record.id}, cause=by)
        event = AuditEvent(by, "import.completed", record.id, change(record.state, "sent"))
        store.transact(now).audit(event).outbox(work).commit()
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


def _record(intake: Intake, size: int, sha256: str) -> ImportRecord:
    return ImportRecord(
        id=ids.time_id("imp", intake.now, intake.random),
        state="uploading",
        format="",
        title=_NOT_YET,
        size=size,
        digest=sha256[:32],
        created_at=intake.now,
        created_by=intake.by,
        provider=intake.provider,
        kind=intake.kind,
        source=intake.source,
        dropped=bool(intake.media_type),
        media_type=intake.media_type,
    )


def _check_source(source: str) -> None:
    if source and not SOURCE.fullmatch(source):
        remedy = "A source is named by 1 to 64 of a-z, 0-9, dot, dash and underscore, no sign at either end."
        raise InvalidInputError("source", remedy)
