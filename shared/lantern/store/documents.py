"""Reading and writing items: the only code that talks to PynamoDB.

Writes are conditional on the revision they were computed from. When a condition fails, the stored item
is compared with the one that was to be written: a write whose reply was lost and that was tried again
meets itself, which is success and no conflict.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from lantern.domain.errors import InvalidInputError, RevisionConflictError
from lantern.store.answers import CancelledError, ConditionFailedError, answers
from lantern.store.keys import Key
from lantern.store.model import Document
from lantern.store.session import TenantSession

T = TypeVar("T")

TRANSACTION_ITEMS: Final = 100
_BATCH_GET: Final = 100
_BATCH_WRITE: Final = 25
_FIELDS: Final = ("cause", "due", "seq", "digest", "apps")


@dataclass(frozen=True, slots=True)
class Doc:
    """An item: keys, kind, revision, body, and the few attributes that conditions and streams look at.

    `ttl` is epoch seconds, `index` the worklist key of an item that is on a worklist, `apps` the ids (with
    commas) of the apps that a bundle written for a hint or an act changed.
    """

    key: Key
    kind: str
    body: bytes
    rev: int = 1
    ttl: int | None = None
    index: Key | None = None
    cause: str | None = None
    due: int | None = None
    seq: int | None = None
    digest: bytes | None = None
    apps: str | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """A write inside a transaction: `expect_rev` 0 must not exist, None is unconditional.

    `final` marks an item that is never changed or removed afterwards: where it stands as it was to be
    written, its transaction was carried out.
    """

    doc: Doc
    expect_rev: int | None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """A removal inside a transaction."""

    key: Key
    expect_rev: int | None = None


Op = Put | Delete


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a listing; `cursor` continues after them, None at the end.

    The cursor names sort keys only: the partition is always the one that is asked for.
    """

    items: tuple[T, ...]
    cursor: str | None


class TransactionRefusedError(RevisionConflictError):
    """A transaction was cancelled; `refused` holds the positions of the operations that caused it."""

    def __init__(self, refused: frozenset[int], *, contended: bool) -> None:
        super().__init__(
            "a transaction met another one" if contended else "a record changed since it was read"
        )
        self.refused = refused
        self.contended = contended


class Documents:
    """Items of one tenant.

    Every method raises `StorageError` where the table did not answer.
    """

    def __init__(self, session: TenantSession) -> None:
        self.session = session
        self._model = session.model
        self._connection = session.model._get_connection()  # noqa: SLF001 - PynamoDB has no public name for it
        self._prefix = session.keys.prefix
        self.keys = session.keys

    # --- reads ----------------------------------------------------------------------------------
    def get(self, key: Key, *, consistent: bool = False) -> Doc | None:
        """The item of a key."""
        with answers():
            try:
                return _doc(self._model.get(key.pk, key.sk, consistent_read=consistent))
            except self._model.DoesNotExist:
                return None

    def batch_get(self, keys: Iterable[Key], *, consistent: bool = False) -> dict[Key, Doc]:
        """The items of many keys, as far as they exist; at most 100 a call."""
        found: dict[Key, Doc] = {}
        with answers():
            for batch in _batches(dict.fromkeys(keys), _BATCH_GET):
                for item in self._model.batch_get(list(batch), consistent_read=consistent):
                    doc = _doc(item)
                    found[doc.key] = doc
        return found

    def query(
        self,
        pk: str,
        *,
        starts: str | None = None,
        between: tuple[str, str] | None = None,
        before: str | None = None,
        reverse: bool = False,
        consistent: bool = False,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> Iterator[Doc]:
        """The items of a partition in the order of their sort keys, read page by page as consumed.

        Args:
            pk: the partition.
            starts: only sort keys that start so.
            between: only sort keys from the first to the second, both included.
            before: only smaller sort keys.
            reverse: largest sort key first.
            consistent: strongly consistent, at twice the price.
            limit: stop after so many.
            page_size: items a call.
        """
        with answers():
            rows = self._model.query(
                pk,
                _range(Document.sk, starts, between, before),
                scan_index_forward=not reverse,
                consistent_read=consistent,
                limit=limit,
                page_size=page_size,
            )
            for item in rows:
                yield _doc(item)

    def page(
        self,
        pk: str,
        *,
        limit: int,
        cursor: str | None = None,
        index: bool = False,
        reverse: bool = False,
        starts: str | None = None,
    ) -> Page[Doc]:
        """Up to `limit` items of a partition, or of a worklist (`index`).

        Raises:
            InvalidInputError: the cursor is none that a page of this kind returned.
        """
        start = self._start(pk, cursor, index=index)
        with answers():
            attribute = Document.gsi1sk if index else Document.sk
            rows = self._model.query(
                pk,
                _range(attribute, starts, None, None),
                scan_index_forward=not reverse,
                limit=limit,
                page_size=limit + 1,
                last_evaluated_key=start,
                index_name="gsi1" if index else None,
            )
            items = tuple(_doc(item) for item in rows)
            last = rows.last_evaluated_key
        return Page(items, _cursor(last) if last and len(items) == limit else None)

    # --- writes ---------------------------------------------------------------------------------
    def put(self, doc: Doc, expect_rev: int | None) -> Doc | None:
        """Write an item on the revision it was computed from; returns what was there before.

        Args:
            doc: the item with its new revision.
            expect_rev: the revision that must be there: 0 for none, None for whatever is there.

        Raises:
            RevisionConflictError: another revision is there, and it is not this very write.
        """
        item = self._item(doc)
        try:
            with answers():
                attributes = item.serialize()
                answer = self._connection.put_item(
                    doc.key.pk,
                    doc.key.sk,
                    attributes={k: v for k, v in attributes.items() if k not in ("pk", "sk")},
                    condition=_expect(expect_rev),
                    return_values="ALL_OLD",
                )
        except ConditionFailedError:
            if self.get(doc.key, consistent=True) != doc:
                raise RevisionConflictError(f"{doc.kind} changed since revision {expect_rev}") from None
            return None
        old = answer.get("Attributes")
        return _doc(self._model.from_raw_data(old)) if old else None

    def delete(self, key: Key, expect_rev: int | None = None) -> Doc | None:
        """Remove an item; returns what was there, None where there was nothing.

        Raises:
            RevisionConflictError: the item is there with another revision.
        """
        try:
            with answers():
                answer = self._connection.delete_item(
                    key.pk, key.sk, condition=_expect(expect_rev), return_values="ALL_OLD"
                )
        except ConditionFailedError:
            if self.get(key, consistent=True) is not None:
                raise RevisionConflictError(f"{key.sk} changed since revision {expect_rev}") from None
            return None
        old = answer.get("Attributes")
        return _doc(self._model.from_raw_data(old)) if old else None

    def write_all(self, puts: Iterable[Doc] = (), deletes: Iterable[Key] = ()) -> None:
        """Unconditional writes and removals, 25 a call; each may be repeated without harm."""
        with answers():
            pending: list[Doc | Key] = [*puts, *deletes]
            for batch in _batches(pending, _BATCH_WRITE):
                with self._model.batch_write(auto_commit=False) as writer:
                    for one in batch:
                        if isinstance(one, Doc):
                            writer.save(self._item(one))
                        else:
                            writer.delete(self._model(one.pk, one.sk))

    def transact(self, ops: Sequence[Op], token: str) -> None:
        """All operations or none, at twice the price.

        Args:
            ops: at most 100, each of another item.
            token: names this very set of operations, so that a repetition within 10 minutes is recognised.

        Raises:
            TransactionRefusedError: nothing was written: a condition failed, or another
                transaction was in the way.
            ValueError: more than 100 operations.
        """
        if len(ops) > TRANSACTION_ITEMS:
            raise ValueError(f"a transaction holds at most {TRANSACTION_ITEMS} operations")
        deletes = [at for at, op in enumerate(ops) if isinstance(op, Delete)]
        puts = [at for at, op in enumerate(ops) if isinstance(op, Put)]
        try:
            with (
                answers(),
                TransactWrite(
                    connection=self._connection.connection, client_request_token=token
                ) as transaction,
            ):
                for op in ops:
                    if isinstance(op, Put):
                        transaction.save(self._item(op.doc), condition=_expect(op.expect_rev))
                    else:
                        transaction.delete(
                            self._model(op.key.pk, op.key.sk), condition=_expect(op.expect_rev)
                        )
        except CancelledError as cancelled:
            # PynamoDB sends removals first, then writes; reasons come back in that order.
            sent = deletes + puts
            refused = frozenset(sent[at] for at, code in enumerate(cancelled.codes) if code is not None)
            contended = all(code != "ConditionalCheckFailed" for code in cancelled.codes)
            if self._written(ops):
                return
            raise TransactionRefusedError(refused, contended=contended) from None

    def _written(self, ops: Sequence[Op]) -> bool:
        """Whether these operations have been carried out already, by an attempt whose reply was lost."""
        proof = [op for op in ops if isinstance(op, Put) and op.final] or ops
        there = self.batch_get([_key(op) for op in proof], consistent=True)
        return all(
            there.get(op.doc.key) == op.doc if isinstance(op, Put) else op.key not in there for op in proof
        )

    # --- parts ----------------------------------------------------------------------------------
    def _item(self, doc: Doc) -> Document:
        item = self._model(doc.key.pk, doc.key.sk, kind=doc.kind, rev=doc.rev, body=doc.body)
        if doc.ttl is not None:
            item.ttl = doc.ttl
        if doc.index is not None:
            item.gsi1pk, item.gsi1sk = doc.index
        for name in _FIELDS:
            value = getattr(doc, name)
            if value is not None:
                setattr(item, name, value)
        return item

    def _start(self, pk: str, cursor: str | None, *, index: bool) -> dict[str, dict[str, str]] | None:
        if cursor is None:
            return None
        try:
            parts = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
            if index:
                own, sk, worklist = parts
                start = {"pk": self._prefix + own, "sk": sk, "gsi1pk": pk, "gsi1sk": worklist}
            else:
                (sk,) = parts
                start = {"pk": pk, "sk": sk}
        except (ValueError, TypeError):
            raise InvalidInputError("cursor", "Send the cursor of the previous page as it was.") from None
        if not all(isinstance(value, str) for value in start.values()):
            raise InvalidInputError("cursor", "Send the cursor of the previous page as it was.")
        return {name: {"S": value} for name, value in start.items()}


def _expect(rev: int | None) -> Condition | None:
    if rev is None:
        return None
    return Document.pk.does_not_exist() if rev == 0 else Document.rev == rev


def _key(op: Op) -> Key:
    return op.doc.key if isinstance(op, Put) else op.key


def _doc(item: Document) -> Doc:
    index = Key(item.gsi1pk, item.gsi1sk) if item.gsi1pk is not None and item.gsi1sk is not None else None
    return Doc(
        key=Key(item.pk, item.sk),
        kind=item.kind,
        body=item.body,
        rev=int(item.rev),
        ttl=_whole(item.ttl),
        index=index,
        cause=item.cause,
        apps=item.apps,
        due=_whole(item.due),
        seq=_whole(item.seq),
        digest=item.digest,
    )


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _range(
    attribute: Any, starts: str | None, between: tuple[str, str] | None, before: str | None
) -> Condition | None:
    if starts is not None:
        return attribute.startswith(starts)  # type: ignore[no-any-return] # PynamoDB attributes are untyped here
    if between is not None:
        return attribute.between(*between)  # type: ignore[no-any-return] # as above
    if before is not None:
        return attribute < before  # type: ignore[no-any-return] # as above
    return None


def _cursor(last: dict[str, dict[str, str]]) -> str:
    values = {name: value["S"] for name, value in last.items()}
    if "gsi1sk" in values:
        # The tenant prefix stays at home: a cursor names nothing that could lead elsewhere.
        own = values["pk"].split("#", 2)[2]
        parts = [own, values["sk"], values["gsi1sk"]]
    else:
        parts = [values["sk"]]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode("ascii")


def _batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(rows)
    while batch := list(islice(source, size)):
        yield batch
