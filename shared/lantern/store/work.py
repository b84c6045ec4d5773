"""The unit of work: a decision, its audit entries and the messages it causes, all or none."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.audit import AuditEvent, chain
from lantern.domain.errors import ConflictError, RevisionConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.work import Work
from lantern.store.documents import Delete, Documents, Op, Put, TransactionRefusedError
from lantern.store.trail import MESSAGE, AuditRepository, OutboxRepository

_ATTEMPTS: Final = 6
_FIRST_PAUSE_S: Final = 0.02


class UnitOfWork:
    """Collects writes, then commits them in one transaction.

    The audit chain has one end per tenant. A commit that finds it moved on reads it again, chains its
    entries anew and tries again a few times with jitter; the other writes stay what they were.
    """

    def __init__(
        self,
        documents: Documents,
        audit: AuditRepository,
        outbox: OutboxRepository,
        now: datetime,
        *,
        random: RandomBytes,
        sleep: Callable[[float], None],
    ) -> None:
        self._documents = documents
        self._audit = audit
        self._outbox = outbox
        self._now = now
        self._random = random
        self._sleep = sleep
        self._ops: list[Op] = []
        self._events: list[AuditEvent] = []
        self._unanswered: list[Op] | None = None
        self.message_ids: list[str] = []

    def put(self, *ops: Put | Delete) -> "UnitOfWork":
        """Add writes that repositories made by their `op(record)`."""
        self._ops.extend(ops)
        return self

    def audit(self, *events: AuditEvent) -> "UnitOfWork":
        """Add entries to the audit chain."""
        self._events.extend(events)
        return self

    def outbox(self, *works: Work) -> "UnitOfWork":
        """Add messages to send; their ids are appended to `message_ids`."""
        for work in works:
            message_id = ids.time_id(MESSAGE, self._now, self._random)
            self.message_ids.append(message_id)
            self._ops.append(self._outbox.op(message_id, work, self._now))
        return self

    def commit(self) -> None:
        """Write everything, or nothing.

        May be called again after a `StorageError`: what was written already is recognised.

        Raises:
            RevisionConflictError: a record changed since it was read.
            ConflictError: the audit chain or another transaction was in the way six times in a row.
            StorageError: no answer; whether anything was written is not known.
        """
        if not self._ops and not self._events:
            return
        for attempt in range(_ATTEMPTS):
            try:
                self._attempt()
            except TransactionRefusedError as refused:
                if not refused.contended and min(refused.refused, default=0) < len(self._ops):
                    raise RevisionConflictError("a record changed since it was read") from None
            else:
                return
            if attempt < _ATTEMPTS - 1:
                spread = int.from_bytes(self._random(2), "big") / 65_536
                self._sleep(_FIRST_PAUSE_S * 2**attempt * (0.5 + spread))
        raise ConflictError("too many decisions at once; try again")

    def _attempt(self) -> None:
        # What got no answer goes out again as it was, in its old place in the chain.
        ops = self._unanswered or self._composed()
        self._unanswered = ops
        try:
            self._documents.transact(ops, _token(self._documents.session.table, ops))
        except TransactionRefusedError:
            self._unanswered = None
            raise
        self._unanswered = None

    def _composed(self) -> list[Op]:
        ops = list(self._ops)
        if self._events:
            head = self._audit.head()
            ops += self._audit.ops(head, chain(head, self._events, self._now))
        return ops


def _token(table: str, ops: Iterable[Op]) -> str:
    """The same for the same writes: a repetition that reaches DynamoDB within 10 minutes does nothing.

    Tokens are the account's, not the table's: two deployments in one account must not share one.
    """
    digest = hashlib.sha256(table.encode())
    for op in ops:
        digest.update(repr(op).encode())
    return digest.hexdigest()[:36]
