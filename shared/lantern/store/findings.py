"""Findings, with a worklist per status. Their record type is given; this module knows a few fields."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Generic, Protocol, TypeVar

from lantern.store.documents import Doc, Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.records import Codec, HasRev, Versioned

FINDING_DAYS: Final = 400
RANKS: Final[Mapping[str, int]] = {"critical": 4, "high": 3, "medium": 2, "low": 1, "info": 0}
"""Severities as digits, so that a worklist sorts by them."""


class FindingLike(HasRev, Protocol):
    """What storing a finding takes to know of it."""

    @property
    def id(self) -> str:
        """Derived from rule and subject."""
        ...

    @property
    def rule_id(self) -> str:
        """The rule that fired."""
        ...

    @property
    def status(self) -> str:
        """Where it stands; each status has its worklist."""
        ...

    @property
    def severity(self) -> str:
        """A key of `RANKS`."""
        ...

    @property
    def last_seen(self) -> datetime:
        """When the rule last fired."""
        ...


F = TypeVar("F", bound=FindingLike)


class PackedFindings(Generic[F]):
    """Findings of which the lists stay packed until one asks for them."""

    def __init__(self, heads: Mapping[str, F], docs: Mapping[str, Doc], unpack: Callable[[Doc], F]) -> None:
        self.heads: Final = heads
        """By id, without what they list."""
        self._docs = docs
        self._unpack = unpack

    def pick(self, wanted: Callable[[F], bool] = lambda _: True) -> Iterator[F]:
        """Those whose head is wanted, whole, in the order of ids."""
        return (self._unpack(self._docs[name]) for name, head in self.heads.items() if wanted(head))


class FindingRepository(Generic[F]):
    """Findings of a tenant."""

    def __init__(
        self,
        documents: Documents,
        record_type: type[F],
        codec: Codec[F] | None = None,
        head: Callable[[bytes], F] | None = None,
    ) -> None:
        """Findings of a type.

        Args:
            documents: where they are.
            record_type: their type.
            codec: how they are written where not as JSON.
            head: reads one without the long list inside; the whole where absent.
        """
        self._documents = documents
        self._records = Versioned(documents, "finding", record_type, codec)
        self._head = head
        self._keys = documents.keys

    def decode(self, doc: Doc) -> F:
        """The finding of an item."""
        return self._records.decode(doc)

    def get(self, finding_id: str) -> F | None:
        """A finding."""
        return self._records.get(self._keys.finding(finding_id), consistent=True)

    def batch_get(self, finding_ids: Iterable[str]) -> dict[str, F]:
        """Findings by id, as far as they exist; strongly consistent, 100 a call."""
        keys = (self._keys.finding(finding_id) for finding_id in finding_ids)
        found = self._documents.batch_get(keys, consistent=True)
        return {doc.key.sk: self._records.decode(doc) for doc in found.values()}

    def put(self, finding: F) -> F:
        """Write on `finding.rev`; raises `RevisionConflictError`."""
        key = self._keys.finding(finding.id)
        return self._records.put(key, finding, index=self._index(finding), ttl=self._ttl(finding))

    def op(self, finding: F) -> Put:
        """The same write for a transaction."""
        key = self._keys.finding(finding.id)
        return self._records.op(key, finding, index=self._index(finding), ttl=self._ttl(finding))

    def page(self, status: str | None, limit: int, cursor: str | None = None) -> Page[F]:
        """Findings of a status, worst and latest first; of every status by id where it is None."""
        if status is None:
            return self._records.page(self._keys.findings(), limit=limit, cursor=cursor)
        worklist = self._keys.findings_in(status)
        return self._records.page(worklist, limit=limit, cursor=cursor, index=True, reverse=True)

    def with_status(self, status: str) -> Iterator[F]:
        """All findings of a status, worst and latest first, page by page as consumed."""
        cursor: str | None = None
        while True:
            page = self.page(status, 200, cursor)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def heads(self, status: str) -> Iterator[F]:
        """All findings of a status without what they list; never to be written."""
        cursor: str | None = None
        while True:
            worklist = self._keys.findings_in(status)
            page = self._documents.page(worklist, limit=200, cursor=cursor, index=True, reverse=True)
            yield from map(self._bare, page.items)
            cursor = page.cursor
            if cursor is None:
                return

    def all(self) -> Iterator[F]:
        """Every finding that is kept, in the order of ids, page by page as consumed."""
        return self._records.all(self._keys.findings())

    def packed(self) -> PackedFindings[F]:
        """Every finding that is kept, read now."""
        docs = {doc.key.sk: doc for doc in self._documents.query(self._keys.findings())}
        heads = {name: self._bare(doc) for name, doc in docs.items()}
        return PackedFindings(heads, docs, self.decode)

    def _bare(self, doc: Doc) -> F:
        one = self._head(doc.body) if self._head else self.decode(doc)
        return replace(one, rev=doc.rev)  # type: ignore[type-var] # a frozen dataclass

    def open_by_rule(self, rule_id: str) -> Iterator[F]:
        """The open findings of a rule."""
        return (finding for finding in self.with_status("open") if finding.rule_id == rule_id)

    def _index(self, finding: F) -> Key:
        at = finding.last_seen.astimezone(UTC)
        return Key(
            self._keys.findings_in(finding.status),
            f"{RANKS[finding.severity]}{at:%Y%m%dT%H%M%S}{finding.id}",
        )

    @staticmethod
    def _ttl(finding: F) -> int:
        return ttl(finding.last_seen, FINDING_DAYS)
