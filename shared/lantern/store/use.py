"""Use, folded per shard into ISO weeks and last use.

Folding adds numbers up, so it must happen once for each batch, whatever crashes in between: every item
remembers the batches folded into it last and refuses one it knows.

When the number of shards doubles, a new shard's first item starts from its parent's.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

from lantern.domain import ids
from lantern.domain.errors import RevisionConflictError
from lantern.domain.packed import decode_use, encode_use, grouped
from lantern.domain.use import UseRow, UseWindow, WeekUse, iso_week
from lantern.store.documents import Doc, Documents
from lantern.store.keys import Key, ttl
from lantern.store.records import Records

WEEK_DAYS: Final = 400
CONSENT_DAYS: Final = 3
_BATCH_BYTES: Final = 8
_BATCHES_KEPT: Final = 8
_ATTEMPTS: Final = 8
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class _Slice:
    """Use in one shard: of one ISO week, or the last use (`week` None)."""

    cid: str
    week: str | None
    shard: int
    shards: int


class LastUse(Mapping[str, Mapping[str, date]]):
    """Principal id → app id → last day of seen use, of many shards, of which one at a time is unpacked.

    Ask for principals in the order of their ids, which is that of shards.
    """

    def __init__(self, shards: int, packed: Mapping[int, Callable[[], Iterable[UseRow]]]) -> None:
        self._shards = shards
        self._packed = packed
        self._at: tuple[int, Mapping[str, Mapping[str, date]]] = (-1, {})

    def __getitem__(self, principal_id: str) -> Mapping[str, date]:
        return self._shard(ids.shard_of(principal_id, self._shards))[principal_id]

    def __iter__(self) -> Iterator[str]:
        return (principal for shard in self._packed for principal in self._shard(shard))

    def __len__(self) -> int:
        return sum(len(self._shard(shard)) for shard in self._packed)

    def _shard(self, shard: int) -> Mapping[str, Mapping[str, date]]:
        if self._at[0] != shard:
            unpack = self._packed.get(shard)
            self._at = (shard, _last_days(unpack()) if unpack else {})
        return self._at[1]


class UseRepository:
    """Use of apps, per connection."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._windows = Records(documents, "use_window", UseWindow)

    # --- fold -----------------------------------------------------------------------------------
    def fold(self, cid: str, shards: int, uses: Iterable[UseRow], *, batch: str = "") -> int:
        """Add use to weeks and last use.

        Args:
            cid: the connection.
            shards: how many shards it has.
            uses: rows in any order.
            batch: names these rows: the same batch soon again changes nothing. Without a name every
                call counts.

        Returns:
            How many items were written.
        """
        weeks: dict[tuple[str, int], list[UseRow]] = defaultdict(list)
        last: dict[int, list[UseRow]] = defaultdict(list)
        for row in uses:
            shard = ids.shard_of(row.principal_id, shards)
            weeks[iso_week(row.last_day), shard].append(row)
            last[shard].append(row)
        written = 0
        for (week, shard), rows in weeks.items():
            written += self._merge(_Slice(cid, week, shard, shards), rows, batch)
        for shard, rows in last.items():
            written += self._merge(_Slice(cid, None, shard, shards), rows, batch)
        return written

    def _merge(self, where: _Slice, rows: list[UseRow], batch: str) -> int:
        for attempt in range(_ATTEMPTS):
            try:
                return self._merge_once(where, rows, batch)
            except RevisionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def _merge_once(self, where: _Slice, rows: list[UseRow], batch: str) -> int:
        key = self._key(where)
        doc = self._documents.get(key, consistent=True)
        stored, batches = _open(doc) if doc else (self._inherited(where), [])
        name = _batch(batch)
        if batch and name in batches:
            return 0
        merged = grouped([*stored, *rows])
        if where.week is None:
            # Last use is a day; how often is what the weeks say.
            merged = {pair: UseRow(r.principal_id, r.app_id, 0, r.last_day) for pair, r in merged.items()}
        ordered = sorted(merged.values(), key=lambda row: (row.principal_id, row.app_id))
        batches = [*batches, name][-_BATCHES_KEPT:] if batch else batches
        body = bytes((len(batches),)) + b"".join(batches) + encode_use(ordered)
        rev = doc.rev if doc else 0
        expires = None if where.week is None else ttl(_monday(where.week), WEEK_DAYS)
        kind = "last_use" if where.week is None else "use_week"
        self._documents.put(Doc(key, kind, body, rev=rev + 1, ttl=expires), rev)
        return 1

    def note_consents(self, cid: str, shards: int, rows: Iterable[UseRow], now: datetime) -> None:
        """Keep the latest day of each consent until full runs have taken it over; twice does it once."""
        parts: dict[int, list[UseRow]] = defaultdict(list)
        for row in rows:
            parts[ids.shard_of(row.principal_id, shards)].append(row)
        for shard, fresh in parts.items():
            key = self._keys.consents(cid, shard, shards)
            doc = self._documents.get(key, consistent=True)
            merged = grouped([*(decode_use(doc.body) if doc else ()), *fresh])
            ordered = sorted(merged.values(), key=lambda row: (row.principal_id, row.app_id))
            # Its only writer holds the lease of the chain that reads use.
            body = encode_use([replace(row, events=0) for row in ordered])
            self._documents.put(Doc(key, "consents", body, ttl=ttl(now, CONSENT_DAYS)), None)

    def consents(self, cid: str) -> Mapping[str, Mapping[str, date]]:
        """Principal id → app id → day of the latest consent, of those noted in the last days."""
        partition = self._keys.consents(cid, 0, 1).pk
        docs = self._documents.query(partition)
        return _last_days(row for doc in docs for row in decode_use(doc.body))

    # --- reads ----------------------------------------------------------------------------------
    def last_use(self, cid: str, shard: int, shards: int = 1) -> Mapping[str, Mapping[str, date]]:
        """Principal id → app id → last day of seen use, for the principals of a shard."""
        return _last_days(self._rows(_Slice(cid, None, shard, shards)))

    def last_use_of(self, cid: str, wanted: Iterable[int], shards: int) -> LastUse:
        """Last use in the shards `wanted`, read now and unpacked when asked for."""
        slices = {shard: _Slice(cid, None, shard, shards) for shard in wanted}
        keys = {shard: self._key(where) for shard, where in slices.items()}
        if len(keys) == shards:
            # All of it: the partition at once, with what shards were split from.
            docs = {doc.key: doc for key in list(keys.values())[:1] for doc in self._documents.query(key.pk)}
            return LastUse(
                shards, {shard: partial(_nearest, docs, one, self._key) for shard, one in slices.items()}
            )
        docs = self._documents.batch_get(keys.values())
        packed: dict[int, Callable[[], Iterable[UseRow]]] = {}
        for shard, where in slices.items():
            doc = docs.get(keys[shard])
            packed[shard] = partial(_rows_of, doc) if doc else partial(tuple, self._inherited(where))
        return LastUse(shards, packed)

    def week(
        self, cid: str, iso_week: str, shard: int, shards: int = 1
    ) -> Mapping[str, Mapping[str, WeekUse]]:
        """Principal id → app id → use in an ISO week, for the principals of a shard."""
        result: dict[str, dict[str, WeekUse]] = defaultdict(dict)
        for row in self._rows(_Slice(cid, iso_week, shard, shards)):
            result[row.principal_id][row.app_id] = WeekUse(row.events, row.last_day)
        return result

    def series(
        self, cid: str, weeks: Sequence[str], shard: int, shards: int
    ) -> dict[tuple[str, str], list[int]]:
        """(Principal id, app id) → events in each of these weeks, for a shard's principals; one request."""
        found = self._weeks(cid, weeks, (shard,), shards)
        result: dict[tuple[str, str], list[int]] = {}
        for at, week in enumerate(weeks):
            for row in _nearest(found, _Slice(cid, week, shard, shards), self._key):
                events = result.setdefault((row.principal_id, row.app_id), [0] * len(weeks))
                events[at] += row.events
        return result

    def of_app(
        self, cid: str, weeks: Sequence[str], app_id: str, shards: int
    ) -> dict[str, dict[str, WeekUse]]:
        """Principal id → week → use of one app in these weeks; one request for each hundred items."""
        found = self._weeks(cid, weeks, range(shards), shards)
        result: dict[str, dict[str, WeekUse]] = defaultdict(dict)
        for week in weeks:
            for shard in range(shards):
                for row in _nearest(found, _Slice(cid, week, shard, shards), self._key):
                    if row.app_id == app_id:
                        result[row.principal_id][week] = WeekUse(row.events, row.last_day)
        return dict(result)

    def _weeks(self, cid: str, weeks: Sequence[str], wanted: Iterable[int], shards: int) -> Mapping[Key, Doc]:
        """Items of weeks in some shards, and those they may have come from."""
        slices = {
            one for shard in wanted for week in weeks for one in _lineage(_Slice(cid, week, shard, shards))
        }
        keys = {self._key(one) for one in slices}
        if len(keys) <= _BATCH or len(weeks) > 1:
            return self._documents.batch_get(keys)
        # One week of many shards: its partition at once.
        return {doc.key: doc for doc in self._documents.query(next(iter(keys)).pk)}

    def decode_last(self, doc: Doc) -> Mapping[str, Mapping[str, date]]:
        """Last use in an item of a shard: principal id → app id → day."""
        return _last_days(_rows_of(doc))

    def decode_window(self, doc: Doc) -> UseWindow:
        """The window of an item."""
        return self._windows.decode(doc)

    def window(self, cid: str) -> UseWindow | None:
        """What has been read without a hole; None while nothing has."""
        return self._windows.get(self._keys.activity(cid))

    def set_window(self, cid: str, window: UseWindow) -> None:
        """Remember what has been read without a hole. Its writer holds the chain's lease."""
        self._documents.put(self._windows.doc(self._keys.activity(cid), window), None)

    # --- parts ----------------------------------------------------------------------------------
    def _key(self, where: _Slice) -> Key:
        if where.week is None:
            return self._keys.last_use(where.cid, where.shard, where.shards)
        return self._keys.use_week(where.cid, where.week, where.shard, where.shards)

    def _rows(self, where: _Slice) -> list[UseRow]:
        doc = self._documents.get(self._key(where))
        return _rows_of(doc) if doc else self._inherited(where)

    def _inherited(self, where: _Slice) -> list[UseRow]:
        """What the parent shard knows of this one, from the time when there were fewer shards."""
        first, last = ids.shard_range(where.shard, where.shards)
        parent = where
        while parent.shards > 1:
            parent = replace(parent, shard=parent.shard >> 1, shards=parent.shards >> 1)
            doc = self._documents.get(self._key(parent), consistent=True)
            if doc is not None:
                return [row for row in _rows_of(doc) if first <= row.principal_id <= last]
        return []


def _last_days(rows: Iterable[UseRow]) -> Mapping[str, Mapping[str, date]]:
    result: dict[str, dict[str, date]] = defaultdict(dict)
    for row in rows:
        result[row.principal_id][row.app_id] = row.last_day
    return result


def _lineage(where: _Slice) -> Iterator[_Slice]:
    """A slice, and those of the shards it was split from, nearest first."""
    yield where
    while where.shards > 1:
        where = replace(where, shard=where.shard >> 1, shards=where.shards >> 1)
        yield where


def _nearest(found: Mapping[Key, Doc], where: _Slice, key: Callable[[_Slice], Key]) -> list[UseRow]:
    """The rows of a slice: its own, else its part of the nearest one it was split from."""
    doc = next((found[key(one)] for one in _lineage(where) if key(one) in found), None)
    if doc is None:
        return []
    first, last = ids.shard_range(where.shard, where.shards)
    return [row for row in _rows_of(doc) if first <= row.principal_id <= last]


def _rows_of(doc: Doc) -> list[UseRow]:
    return _open(doc)[0]


def _open(doc: Doc) -> tuple[list[UseRow], list[bytes]]:
    """The rows of a week or last-use item, and the batches folded into it last."""
    count = doc.body[0]
    end = 1 + count * _BATCH_BYTES
    batches = [doc.body[at : at + _BATCH_BYTES] for at in range(1, end, _BATCH_BYTES)]
    return list(decode_use(doc.body[end:])), batches


def _batch(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:_BATCH_BYTES]


def _monday(week: str) -> datetime:
    year, number = week.split("-W")
    return datetime.combine(date.fromisocalendar(int(year), int(number), 1), datetime.min.time(), tzinfo=UTC)
