"""Bundles: one item per principal, written on its revision; its stream record is the event.

A packed bundle too large for one item is cut: the parts are written first under names that hold the
new revision, then the main item that names them is switched in one write, then the old parts go. A
reader sees the old bundle or the new one, never a mixture.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, cast

from lantern.domain import codec, ids
from lantern.domain.columns import CodecError
from lantern.domain.inventory import Bundle, Cause, Principal
from lantern.store.documents import Doc, Documents, Page
from lantern.store.keys import Key

_WHOLE: Final = "bundle"
_CUT: Final = "bundle_cut"
_PART: Final = "bundle_part"
_PART_BYTES: Final = 300_000
_NAMED_APPS: Final = 50


class PackedBundles:
    """Bundles that stay packed (a twentieth of their size) and are unpacked each time one walks over them."""

    def __init__(self, docs: Sequence[Doc], cid: str, unpack: Callable[[Doc], Bundle]) -> None:
        self._docs = docs
        self._cid = cid
        self._unpack = unpack

    def __len__(self) -> int:
        return len(self._docs)

    def __iter__(self) -> Iterator[Bundle]:
        return map(self._unpack, self._docs)

    def accounts(self) -> Iterator[Principal]:
        """The accounts in the order of their ids, without their grants."""
        for doc in self._docs:
            if doc.kind == _CUT:
                yield self._unpack(doc).principal
            else:
                yield codec.decode_account(doc.body, principal_id=doc.key.sk, connection_id=self._cid)


class BundleRepository:
    """Bundles of a tenant's connections."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys

    def get(self, cid: str, pid: str) -> Bundle | None:
        """The bundle of a principal, strongly consistent: what a write is computed from."""
        doc = self._documents.get(self._keys.bundle(cid, pid), consistent=True)
        return None if doc is None else self._bundle(cid, doc)

    def batch_get(self, cid: str, pids: Iterable[str]) -> dict[str, Bundle]:
        """The bundles of principals, by principal id, as far as they exist; strongly consistent."""
        found = self._documents.batch_get((self._keys.bundle(cid, pid) for pid in pids), consistent=True)
        return {doc.key.sk: self._bundle(cid, doc) for doc in found.values()}

    def find(self, cids: Iterable[str], pid: str) -> Bundle | None:
        """The bundle of a principal, at whichever of the connections it is; one request, consistent."""
        keys = {self._keys.bundle(cid, pid): cid for cid in cids}
        found = self._documents.batch_get(keys, consistent=True)
        return next((self._bundle(keys[key], doc) for key, doc in found.items()), None)

    def shard(self, cid: str, shard: int, shards: int) -> Iterator[Bundle]:
        """The bundles of a shard in the order of principal ids, page by page as consumed."""
        docs = self._documents.query(self._keys.bundles(cid), between=ids.shard_range(shard, shards))
        return (self._bundle(cid, doc) for doc in docs if doc.kind != _PART)

    def all(self, cid: str) -> Iterator[Bundle]:
        """All bundles of a connection in the order of principal ids, page by page as consumed."""
        return self.shard(cid, 0, 1)

    def packed(self, cid: str) -> PackedBundles:
        """All bundles of a connection in the order of principal ids, read now."""
        docs = self._documents.query(self._keys.bundles(cid))
        return PackedBundles([doc for doc in docs if doc.kind != _PART], cid, partial(self._bundle, cid))

    def page(self, cid: str, limit: int, cursor: str | None = None) -> Page[Bundle]:
        """Some bundles of a connection in the order of principal ids.

        A page may hold fewer than `limit` although there are more: only the cursor tells the end.
        """
        page = self._documents.page(self._keys.bundles(cid), limit=limit, cursor=cursor)
        return Page(tuple(self._bundle(cid, doc) for doc in page.items if doc.kind != _PART), page.cursor)

    def put(self, bundle: Bundle) -> Bundle:
        """Write on `bundle.rev`; returns it with the new revision.

        A repetition of a write whose reply was lost succeeds.

        Raises:
            RevisionConflictError: another revision is stored; ask the provider again.
        """
        cid, pid = bundle.principal.connection_id, bundle.principal.id
        rev = bundle.rev + 1
        packed = codec.encode(bundle)
        key = self._keys.bundle(cid, pid)
        doc = Doc(
            key,
            _WHOLE,
            packed,
            rev=rev,
            cause=bundle.cause,
            digest=codec.digest(bundle),
            apps=_changed_apps(bundle),
        )
        if len(packed) > _PART_BYTES:
            pieces = [packed[at : at + _PART_BYTES] for at in range(0, len(packed), _PART_BYTES)]
            self._documents.write_all(
                Doc(self._keys.bundle_part(cid, pid, rev, number), _PART, piece)
                for number, piece in enumerate(pieces)
            )
            doc = replace(doc, kind=_CUT, body=len(pieces).to_bytes(2, "big"))
        old = self._documents.put(doc, bundle.rev)
        if old is not None and old.kind == _CUT:
            self._documents.write_all(deletes=self._parts(cid, old))
        return replace(bundle, rev=rev)

    def delete(self, cid: str, pid: str) -> None:
        """Remove a principal's bundle; nothing there is done already."""
        old = self._documents.delete(self._keys.bundle(cid, pid))
        if old is not None and old.kind == _CUT:
            self._documents.write_all(deletes=self._parts(cid, old))

    def decode(self, cid: str, doc: Doc) -> Bundle:
        """The bundle of an item."""
        return self._bundle(cid, doc)

    def _parts(self, cid: str, doc: Doc) -> list[Key]:
        count = int.from_bytes(doc.body, "big")
        return [self._keys.bundle_part(cid, doc.key.sk, doc.rev, number) for number in range(count)]

    def _bundle(self, cid: str, doc: Doc) -> Bundle:
        packed = doc.body
        if doc.kind == _CUT:
            keys = self._parts(cid, doc)
            parts = self._documents.batch_get(keys, consistent=True)
            missing = [key for key in keys if key not in parts]
            if missing:
                # The main item was switched between our reads: what it names now is whole again.
                again = self._documents.get(doc.key, consistent=True)
                if again is None or again.rev == doc.rev:
                    raise CodecError("a bundle whose parts are missing")
                return self._bundle(cid, again)
            packed = b"".join(parts[key].body for key in keys)
        return codec.decode(
            packed,
            principal_id=doc.key.sk,
            connection_id=cid,
            rev=doc.rev,
            cause=cast("Cause", doc.cause or "run"),
        )


def _changed_apps(bundle: Bundle) -> str | None:
    """The apps a write outside a run changed, for the stream; None where none or too many to name."""
    if bundle.cause == "run" or not 0 < len(bundle.delta) <= _NAMED_APPS:
        return None
    return ",".join(delta.app_id for delta in bundle.delta)
