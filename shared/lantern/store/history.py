"""Change history: packed items per connection, month, day and shard, kept 400 days.

A day of a shard is a list of numbered parts; only the last is ever rewritten, and it is closed when it
has grown to a few kilobytes, so that recording a change costs little on a busy day too.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

from lantern.domain.errors import RevisionConflictError
from lantern.domain.history import ChangeEntry
from lantern.domain.packed import decode_changes, encode_changes
from lantern.store.documents import Doc, Documents
from lantern.store.keys import change_prefix, ttl

HISTORY_DAYS: Final = 400
_OPEN_BYTES: Final = 4_000
_PART_ENTRIES: Final = 20_000
_PAGE: Final = 100
"""Items a request when reading backwards: what is not needed is not read ahead."""
_ATTEMPTS: Final = 8


class HistoryRepository:
    """How the inventory of each connection changed."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys

    def append(self, cid: str, shard: int, day: date, entries: Sequence[ChangeEntry]) -> int:
        """Record changes of a shard and day; ones that its open part holds already are left out.

        Returns:
            How many items were written.

        Raises:
            RevisionConflictError: other writers were faster eight times in a row.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return self._append(cid, shard, day, entries)
            except RevisionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def _append(self, cid: str, shard: int, day: date, entries: Sequence[ChangeEntry]) -> int:
        last = next(
            self._documents.query(
                self._keys.changes(cid, day),
                starts=change_prefix(day, shard),
                reverse=True,
                limit=1,
                consistent=True,
            ),
            None,
        )
        stored = decode_changes(last.body) if last else ()
        number = int(last.key.sk.rsplit("#", 1)[1]) if last else 0
        known = {entry.identity for entry in stored}
        fresh = [entry for entry in entries if entry.identity not in known]
        if not fresh:
            return 0
        rev = last.rev if last else 0
        if last is not None and len(last.body) < _OPEN_BYTES:
            fresh = [*stored, *fresh]
        elif last is not None:
            number, rev = number + 1, 0
        written = 0
        for at in range(0, len(fresh), _PART_ENTRIES):
            body = encode_changes(fresh[at : at + _PART_ENTRIES])
            key = self._keys.change(cid, day, shard, number)
            midnight = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
            doc = Doc(key, "changes", body, rev=rev + 1, ttl=ttl(midnight, HISTORY_DAYS))
            self._documents.put(doc, rev)
            number, rev, written = number + 1, 0, written + 1
        return written

    def read(self, cid: str, since: datetime, until: datetime) -> Iterator[ChangeEntry]:
        """Changes with `since` <= at < `until`, each once, in the order of time; a day in memory at once."""
        first, last = since.date(), until.date()
        month = first.replace(day=1)
        while month <= last:
            bounds = (f"{max(first, month):%Y-%m-%d}#", f"{last:%Y-%m-%d}#~")
            docs = self._documents.query(self._keys.changes(cid, month), between=bounds)
            for _, parts in groupby(docs, key=lambda doc: doc.key.sk[:10]):
                yield from self._day(parts, since, until)
            month = (month + timedelta(days=32)).replace(day=1)

    def latest(self, cid: str, since: datetime, until: datetime, most: int) -> list[ChangeEntry]:
        """The latest changes with `since` <= at < `until`, in the order of time.

        Days are read backwards until there are more than `most`, whole days: what lies before is not read.
        """
        days: list[list[ChangeEntry]] = []
        count, month = 0, until.date().replace(day=1)
        while month >= since.date().replace(day=1) and count <= most:
            first = max(since.date(), month)
            bounds = (f"{first:%Y-%m-%d}#", f"{until.date():%Y-%m-%d}#~")
            docs = self._documents.query(
                self._keys.changes(cid, month), between=bounds, reverse=True, page_size=_PAGE
            )
            for _, parts in groupby(docs, key=lambda doc: doc.key.sk[:10]):
                days.append(self._day(reversed(list(parts)), since, until))
                count += len(days[-1])
                if count > most:
                    break
            month = (month - timedelta(days=1)).replace(day=1)
        return [entry for day in reversed(days) for entry in day]

    @staticmethod
    def _day(parts: Iterator[Doc], since: datetime, until: datetime) -> list[ChangeEntry]:
        entries: dict[tuple[str, int, str], ChangeEntry] = {}
        for doc in parts:
            for entry in decode_changes(doc.body):
                entries.setdefault(entry.identity, entry)
        return sorted(
            (entry for entry in entries.values() if since <= entry.at < until),
            key=lambda entry: (entry.at, entry.identity),
        )
