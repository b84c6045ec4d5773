"""Reading of mail headers: the choice of a connection, and how far each mailbox has been read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from lantern.domain.mail_reading import MailReading
from lantern.store.connections import CursorRepository
from lantern.store.documents import Documents, Put
from lantern.store.records import Versioned

SLOTS: Final = 32
"""Parts in which positions are kept, each of a contiguous range of account ids; a power of two. At 100,000
accounts one holds 3,000 positions of 45 bytes."""
_STREAM: Final = "mail"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a mailbox has been read, and in which reading of everybody (its start, epoch seconds)."""

    cursor: str
    reading: int


class MailRepository:
    """One choice per connection."""

    def __init__(self, documents: Documents, cursors: CursorRepository) -> None:
        self._records = Versioned(documents, "mail", MailReading)
        self._keys = documents.keys
        self._cursors = cursors

    def get(self, cid: str) -> MailReading | None:
        """The choice of a connection; None where nobody ever asked."""
        return self._records.get(self._keys.mail(cid), consistent=True)

    def put(self, reading: MailReading) -> MailReading:
        """Write on `reading.rev`; raises `RevisionConflictError`."""
        return self._records.put(self._keys.mail(reading.connection_id), reading)

    def op(self, reading: MailReading) -> Put:
        """The same write for a transaction."""
        return self._records.op(self._keys.mail(reading.connection_id), reading)

    def positions(self, cid: str, slot: int) -> dict[str, Position]:
        """How far the mailboxes of a slot have been read, by principal id."""
        raw = self._cursors.get(cid, f"{_STREAM}/{slot}")
        return msgspec.json.decode(raw, type=dict[str, Position]) if raw else {}

    def put_positions(self, cid: str, slot: int, positions: dict[str, Position], now: datetime) -> None:
        """Remember them, in place of those before."""
        self._cursors.put(cid, f"{_STREAM}/{slot}", msgspec.json.encode(positions).decode(), now)

    def progress(self, cid: str) -> str | None:
        """Where a reading of everybody stands; None where none is under way."""
        return self._cursors.get(cid, _STREAM)

    def put_progress(self, cid: str, value: str, now: datetime) -> None:
        """Remember where it stands."""
        self._cursors.put(cid, _STREAM, value, now)

    def end_progress(self, cid: str) -> None:
        """It is over."""
        self._cursors.delete(cid, _STREAM)

    def forget(self, cid: str) -> None:
        """Forget how far every mailbox has been read."""
        self.end_progress(cid)
        for slot in range(SLOTS):
            self._cursors.delete(cid, f"{_STREAM}/{slot}")
