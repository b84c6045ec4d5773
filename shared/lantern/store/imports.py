"""Imports, and the content of files until they have been read."""

import zlib
from datetime import datetime
from typing import Final

from lantern.domain.imports import ImportRecord
from lantern.store.documents import Doc, Documents, Page, Put
from lantern.store.keys import ttl
from lantern.store.records import Versioned

IMPORT_DAYS: Final = 90
CONTENT_DAYS: Final = 7
PART_BYTES: Final = 350_000
"""Of the compressed content in one item; DynamoDB takes 400 kB."""


class ImportRepository:
    """Imports of a tenant; ids are time ids."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._records = Versioned(documents, "import", ImportRecord)
        self._keys = documents.keys

    def get(self, import_id: str) -> ImportRecord | None:
        """An import."""
        return self._records.get(self._keys.import_(import_id), consistent=True)

    def put(self, record: ImportRecord) -> ImportRecord:
        """Write on `record.rev`; raises `RevisionConflictError`."""
        return self._records.put(
            self._keys.import_(record.id), record, ttl=ttl(record.created_at, IMPORT_DAYS)
        )

    def op(self, record: ImportRecord) -> Put:
        """The same write for a transaction."""
        return self._records.op(
            self._keys.import_(record.id), record, ttl=ttl(record.created_at, IMPORT_DAYS)
        )

    def page(self, limit: int, cursor: str | None = None) -> Page[ImportRecord]:
        """Imports, newest first."""
        return self._records.page(self._keys.imports(), limit=limit, cursor=cursor, reverse=True)

    def put_content(self, import_id: str, content: bytes, now: datetime) -> None:
        """Keep a file until it has been read, a week at most; the same again changes nothing."""
        packed = zlib.compress(content, 6)
        expires = ttl(now, CONTENT_DAYS)
        self._documents.write_all(
            Doc(
                self._keys.import_part(import_id, number),
                "import_part",
                packed[start : start + PART_BYTES],
                ttl=expires,
            )
            for number, start in enumerate(range(0, len(packed), PART_BYTES))
        )

    def content(self, import_id: str) -> bytes | None:
        """The file; None where it is not there, or not whole."""
        parts = list(self._documents.query(self._keys.import_parts(import_id), consistent=True))
        try:
            return zlib.decompress(b"".join(part.body for part in parts)) if parts else None
        except zlib.error:
            return None

    def forget_content(self, import_id: str) -> None:
        """Remove the file; one that is gone is removed already."""
        parts = self._documents.query(self._keys.import_parts(import_id), consistent=True)
        self._documents.write_all(deletes=[part.key for part in parts])
