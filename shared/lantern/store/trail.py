"""The audit chain and the outbox as read; both are written only by a unit of work."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.audit import AuditEntry, AuditHead, verify
from lantern.domain.work import Work
from lantern.store.documents import Doc, Documents, Page, Put
from lantern.store.keys import ttl
from lantern.store.records import Records, pack

AUDIT_DAYS: Final = 7 * 366
OUTBOX_DAYS: Final = 7
MESSAGE: Final = "out"
"""Prefix of the ids of outbox messages."""


class AuditRepository:
    """The audit log of a tenant."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._entries = Records(documents, "audit", AuditEntry)
        self._heads = Records(documents, "audit_head", AuditHead)

    def head(self) -> AuditHead:
        """The end of the chain; `seq` 0 while nothing was recorded."""
        return self._heads.get(self._keys.audit_head(), consistent=True) or AuditHead()

    def read(self, after_seq: int, limit: int) -> Page[AuditEntry]:
        """Entries after a sequence number, oldest first; the cursor is the number to read after next."""
        bounds = (self._keys.audit_entry(after_seq + 1).sk, "E#~")
        rows = self._entries.all(self._keys.audit(), between=bounds, limit=limit + 1)
        entries = tuple(rows)
        more = len(entries) > limit
        return Page(entries[:limit], str(entries[limit - 1].seq) if more else None)

    def latest(self, limit: int, before_seq: int | None = None) -> Page[AuditEntry]:
        """Entries before a sequence number (the newest where None), newest first."""
        end = "E#~" if before_seq is None else self._keys.audit_entry(before_seq - 1).sk
        rows = self._entries.all(self._keys.audit(), between=("E#", end), reverse=True, limit=limit + 1)
        entries = tuple(rows)
        more = len(entries) > limit
        return Page(entries[:limit], str(entries[limit - 1].seq) if more else None)

    def entries(self, after_seq: int = 0) -> Iterator[AuditEntry]:
        """All entries after a sequence number, oldest first, page by page as consumed."""
        bounds = (self._keys.audit_entry(after_seq + 1).sk, "E#~")
        return self._entries.all(self._keys.audit(), between=bounds, consistent=True)

    def verify(self, after: AuditHead | None = None, anchor: AuditHead | None = None) -> int | None:
        """The first bad sequence number of the stored chain, or None.

        Args:
            after: a trusted head to start from, where older entries have expired.
            anchor: a trusted head kept outside of the table; the chain must pass through it.
        """
        head = self.head()
        start = after or AuditHead()
        if anchor is not None and start.seq < anchor.seq:
            upto = (e for e in self.entries(start.seq) if e.seq <= anchor.seq)
            bad = verify(upto, after=start, head=anchor)
            if bad is not None:
                return bad
            start = anchor
        return verify(self.entries(start.seq), after=start, head=head)

    def ops(self, head: AuditHead, entries: tuple[AuditEntry, ...]) -> list[Put]:
        """The writes that append `entries` after `head`, refused where the chain has gone on meanwhile."""
        last = entries[-1]
        key = self._keys.audit_head()
        # The head's revision is its sequence number: one condition serves both.
        doc = self._heads.doc(key, AuditHead(last.seq, last.hash), rev=last.seq, seq=last.seq)
        return [Put(doc, head.seq), *(Put(self._entry(entry), 0, final=True) for entry in entries)]

    def _entry(self, entry: AuditEntry) -> Doc:
        key = self._keys.audit_entry(entry.seq)
        return self._entries.doc(key, entry, seq=entry.seq, ttl=ttl(entry.at, AUDIT_DAYS))


class OutboxRepository:
    """Messages that were decided on together with what caused them, until they are sent."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._works = Records(documents, "outbox", Work)

    def due(self, older_than: datetime) -> Iterator[tuple[str, Work]]:
        """Messages made before `older_than` and not sent yet, oldest first."""
        bound = ids.time_floor(MESSAGE, older_than)
        for doc in self._documents.query(self._keys.outbox(), before=bound, consistent=True):
            yield doc.key.sk, self._works.decode(doc)

    def get(self, message_id: str) -> Work | None:
        """A message; None once it was sent."""
        return self._works.get(self._keys.message(message_id), consistent=True)

    def delete(self, message_id: str) -> None:
        """Forget a message that was sent."""
        self._documents.delete(self._keys.message(message_id))

    def op(self, message_id: str, work: Work, now: datetime) -> Put:
        """The write of a message, for a transaction."""
        doc = Doc(
            self._keys.message(message_id),
            "outbox",
            pack(work),
            ttl=ttl(now, OUTBOX_DAYS),
            due=int(now.timestamp()),
        )
        return Put(doc, 0)
