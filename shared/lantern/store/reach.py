"""What each vendor reaches, as computed by the last pass over all connections: 16 packed parts."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from lantern.domain.blast import ReachState, VendorReach
from lantern.store.documents import Doc, Documents
from lantern.store.keys import Key
from lantern.store.records import Records, pack, unpacked

PARTS: Final = 16
_STATE: Final = "STATE"


class ReachRepository:
    """What vendors reach. Derived: parts are written where they differ."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._states = Records(documents, "reach_state", ReachState)
        self._rows = msgspec.json.Decoder(tuple[VendorReach, ...])

    def get(self, vendor_id: str) -> tuple[VendorReach | None, ReachState | None]:
        """What a vendor reaches (None: nothing), and from what that is known (None: never computed)."""
        part, state = self.part_key(vendor_id), self._keys.vendor_reach(_STATE)
        found = self._documents.batch_get([part, state])
        return (
            self.row_of(found[part], vendor_id) if part in found else None,
            self._states.decode(found[state]) if state in found else None,
        )

    def all(self) -> tuple[VendorReach, ...]:
        """What every vendor reaches, in no order. One query."""
        docs = self._documents.query(self._keys.vendor_reach(_STATE).pk)
        parts = (doc for doc in docs if doc.key.sk != _STATE)
        return tuple(row for doc in parts for row in self._rows.decode(unpacked(doc.body)))

    def part_key(self, vendor_id: str) -> Key:
        """The part that a vendor is in."""
        return self._keys.vendor_reach(_part(vendor_id))

    def row_of(self, doc: Doc, vendor_id: str) -> VendorReach | None:
        """What a vendor reaches, out of its part; None where nothing."""
        rows = self._rows.decode(unpacked(doc.body))
        return next((row for row in rows if row.id == vendor_id), None)

    def put_all(self, rows: Iterable[VendorReach], state: ReachState) -> int:
        """Make the parts say exactly this; returns how many were written.

        Raises:
            RevisionConflictError: another pass wrote meanwhile.
        """
        parts: dict[str, list[VendorReach]] = defaultdict(list)
        for row in rows:
            parts[_part(row.id)].append(row)
        keys = {name: self._keys.vendor_reach(name) for name in (f"{number:x}" for number in range(PARTS))}
        stored = self._documents.batch_get(keys.values(), consistent=True)
        written = 0
        for name, key in keys.items():
            old = stored.get(key)
            body = pack(sorted(parts[name], key=lambda row: row.id))
            digest = hashlib.sha256(body).digest()[:8]
            if (old is None and not parts[name]) or (old is not None and old.digest == digest):
                continue
            rev = old.rev if old else 0
            self._documents.put(Doc(key, "vendor_reach", body, rev=rev + 1, digest=digest), rev)
            written += 1
        # Last, so that it never speaks of more than what is there.
        self._documents.put(self._states.doc(self._keys.vendor_reach(_STATE), state), None)
        return written


def _part(vendor_id: str) -> str:
    return f"{hashlib.sha256(vendor_id.encode()).digest()[0] % PARTS:x}"
