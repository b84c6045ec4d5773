"""Records with maps by id that outgrow an item: the record is one item, its maps are parts of their own.

DynamoDB takes 400 kB an item and 4 MB a transaction. A row of a finding costs about 20 bytes, nearly all of
it the id, which nothing compresses: 100,000 rows are 16 parts of 125 kB. A part is written only where it
changed, always in one transaction with the record, whose revision is the only condition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zlib import crc32

from lantern.store.documents import Documents, Put
from lantern.store.keys import Key
from lantern.store.records import Records, V, Versioned

PARTS: Final = 16
"""Never to be changed: an id's part follows from it."""

_Rows = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Part:
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Spread(Versioned[V]):
    """Items of one kind of record whose named fields are maps from an id to a number.

    The first field says which ids there are; in the others an id that is missing has 0.
    """

    def __init__(self, documents: Documents, kind: str, record_type: type[V], *fields: str) -> None:
        """Records of a type, a frozen dataclass with these maps."""
        super().__init__(documents, kind, record_type)
        self._fields = fields
        self._parts = Records(documents, f"{kind}_part", _Part)

    def whole(self, key: Key) -> V | None:
        """The record with its maps; strongly consistent.

        Parts are read after the record: those of a later write come with a revision that no longer holds.
        """
        head: V | None = None
        rows: _Rows = {}
        for doc in self.documents.query(key.pk, starts=key.sk, consistent=True):
            if doc.key == key:
                head = self.decode(doc)
            elif doc.key.sk.startswith(f"{key.sk}#"):
                rows.update(self._parts.decode(doc).rows)
        if head is None:
            return None
        maps = {name: {key: row[at] for key, row in rows.items()} for at, name in enumerate(self._fields)}
        return replace(head, **maps)  # type: ignore[type-var] # a frozen dataclass

    def ops(self, key: Key, before: V, after: V) -> Iterator[Put]:
        """The writes of a record on the revision of `before`, which is what was read: 1 to `PARTS` + 1."""
        bare: dict[str, Any] = {name: {} for name in self._fields}
        yield self.op(key, replace(after, rev=before.rev, **bare))  # type: ignore[type-var] # as above
        old, new = self._split(before), self._split(after)
        for number in range(PARTS):
            if old[number] != new[number]:
                place = Key(key.pk, f"{key.sk}#{number:02d}")
                yield Put(self._parts.doc(place, _Part(new[number]), rev=before.rev + 1), None)

    def _split(self, record: V) -> list[_Rows]:
        first, *others = (getattr(record, name) for name in self._fields)
        parts: list[_Rows] = [{} for _ in range(PARTS)]
        for key, value in first.items():
            parts[crc32(key.encode()) % PARTS][key] = (value, *(one.get(key, 0) for one in others))
        return parts
