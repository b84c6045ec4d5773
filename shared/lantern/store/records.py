"""Records in items: msgspec JSON of frozen dataclasses, compressed where that pays."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from lantern.store.documents import Doc, Documents, Page, Put
from lantern.store.keys import Key

_COMPRESS_ABOVE: Final = 1024
_ZLIB: Final = b"\x78"  # how every zlib stream starts, and no JSON does


class HasRev(Protocol):
    """A record that counts its writes."""

    @property
    def rev(self) -> int:
        """The revision it was read at; 0 if it was never stored."""
        ...


R = TypeVar("R")
V = TypeVar("V", bound=HasRev)


def pack(value: object) -> bytes:
    """JSON of a record, compressed when it is longer than 1 kB."""
    raw = msgspec.json.encode(value)
    return zlib.compress(raw, 9) if len(raw) > _COMPRESS_ABOVE else raw


def unpacked(body: bytes) -> bytes:
    """The JSON that `pack` made."""
    return zlib.decompress(body) if body[:1] == _ZLIB else body


@dataclass(frozen=True, slots=True)
class Codec(Generic[R]):
    """How records become bytes, and what they are again."""

    pack: Callable[[R], bytes]
    unpack: Callable[[bytes], R]


class Records(Generic[R]):
    """Items of one kind of record, without revisions: the last write wins."""

    def __init__(
        self, documents: Documents, kind: str, record_type: type[R], codec: "Codec[R] | None" = None
    ) -> None:
        """Records of a type.

        Args:
            documents: where they are.
            kind: what their items are called.
            record_type: their type, a frozen dataclass.
            codec: how they are written where not as JSON.
        """
        self.documents = documents
        self.kind = kind
        decoder = msgspec.json.Decoder(record_type)
        self._codec: Codec[R] = codec or Codec(pack, lambda body: decoder.decode(unpacked(body)))

    def decode(self, doc: Doc) -> R:
        """The record of an item."""
        return self._codec.unpack(doc.body)

    def doc(self, key: Key, record: R, **attributes: Any) -> Doc:
        """The item of a record."""
        return Doc(key=key, kind=self.kind, body=self._codec.pack(record), **attributes)

    def get(self, key: Key, *, consistent: bool = False) -> R | None:
        """The record of a key."""
        doc = self.documents.get(key, consistent=consistent)
        return None if doc is None else self.decode(doc)

    def all(self, pk: str, **query: Any) -> Iterator[R]:
        """The records of a partition, in key order; arguments as of `Documents.query`."""
        return (self.decode(doc) for doc in self.documents.query(pk, **query))

    def page(self, pk: str, **query: Any) -> Page[R]:
        """Some records of a partition; arguments as of `Documents.page`."""
        page = self.documents.page(pk, **query)
        return Page(tuple(self.decode(doc) for doc in page.items), page.cursor)


class Versioned(Records[V]):
    """Items of one kind of record that carries its revision: a write is made on the revision read."""

    def decode(self, doc: Doc) -> V:
        """The record of an item, with its stored revision."""
        # Every record type here is a frozen dataclass; the protocol cannot say so.
        return replace(super().decode(doc), rev=doc.rev)  # type: ignore[type-var]

    def op(self, key: Key, record: V, **attributes: Any) -> Put:
        """The write of a record on its revision, for a transaction."""
        rev = record.rev + 1
        stored = replace(record, rev=rev)  # type: ignore[type-var] # as above
        return Put(self.doc(key, stored, rev=rev, **attributes), record.rev)

    def put(self, key: Key, record: V, **attributes: Any) -> V:
        """Write a record on its revision; returns it with the new one.

        Raises:
            RevisionConflictError: another revision is stored.
        """
        op = self.op(key, record, **attributes)
        self.documents.put(op.doc, op.expect_rev)
        return replace(record, rev=op.doc.rev)  # type: ignore[type-var] # as above
