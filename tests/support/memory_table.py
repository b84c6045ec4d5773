"""DynamoDB in this process's memory, behind a real botocore client object: a thousand times a second.

For proofs that need hundreds of thousands of calls. It is held to the same store contract tests as moto and
DynamoDB Local (`tests/contract/store`, engine `memory`). What it does not know it refuses with
`NotImplementedError`; it never guesses.

The client's events are emitted as botocore emits them, so that the tenant guard and the meter see every call.
"""

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from lantern.store.sizing import item_size
from tests.support import expressions

Item = dict[str, dict[str, Any]]
Params = Mapping[str, Any]

PAGE_BYTES = 1024 * 1024
ITEM_BYTES = 400 * 1024
TOKEN_S = 600.0
_INDEX = "gsi1"


@dataclass
class Partition:
    """Items of one partition key in the order of their sort keys."""

    order: list[str] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)

    def put(self, sk: str, item: Item) -> None:
        """Add or replace."""
        if sk not in self.items:
            insort(self.order, sk)
        self.items[sk] = item

    def drop(self, sk: str) -> None:
        """Remove, if there."""
        if self.items.pop(sk, None) is not None:
            del self.order[bisect_left(self.order, sk)]


class RefusedError(Exception):
    """An answer with an error code."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


class MemoryDynamo:
    """All tables of one pretended account; give `client()` to the store.

    Attributes:
        calls: number of calls so far.
        tap: called as `tap(operation, params, run)` in place of every operation; it must call `run` to
            let it happen. Fault injection lives there.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.tables: dict[str, dict[str, Partition]] = {}
        self._tokens: dict[str, tuple[float, str]] = {}
        self.calls = 0
        self.tap: Callable[[str, Params, Callable[[], Any]], Any] | None = None

    # --- whole tables -------------------------------------------------------------------------------
    def items(self, table: str) -> Iterator[Item]:
        """Every item of a table."""
        for partition in self.tables.get(table, {}).values():
            yield from partition.items.values()

    def copy_from(self, other: "MemoryDynamo") -> None:
        """Hold what another holds; items are never changed in place, so they are shared."""
        self.tables = {
            name: {pk: Partition(list(p.order), dict(p.items)) for pk, p in table.items()}
            for name, table in other.tables.items()
        }
        self._tokens = dict(other._tokens)

    def client(self) -> Any:
        """A botocore client whose calls end here."""
        client = new_client()
        self.serve(client)
        return client

    def serve(self, client: Any) -> None:
        """Answer the calls of a client from now on."""
        client._make_api_call = partial(self.answer, client)

    def answer(self, client: Any, name: str, params: Params) -> Any:
        """What botocore does for one call, with the table in place of the network."""
        emit, model = client.meta.events.emit, client.meta.service_model.operation_model(name)
        context: dict[str, Any] = {}
        emit(f"provide-client-params.dynamodb.{name}", params=params, model=model, context=context)
        emit(f"before-parameter-build.dynamodb.{name}", params=params, model=model, context=context)
        request = {"headers": {}, "body": b"", "url_path": "/"}
        emit(f"before-call.dynamodb.{name}", model=model, params=request, context=context)
        answer, failure = self._tapped(name, params)
        http = SimpleNamespace(status_code=400 if failure else 200)
        emit(f"after-call.dynamodb.{name}", http_response=http, parsed=answer, model=model, context=context)
        if http.status_code >= 300:
            raise ClientError(answer, name)
        return answer

    def _tapped(self, name: str, params: Params) -> tuple[dict[str, Any], bool]:
        def run() -> tuple[dict[str, Any], bool]:
            try:
                return self.execute(name, params), False
            except RefusedError as refused:
                error = {"Error": {"Code": refused.code, "Message": refused.code}, **refused.more}
                return {**error, "ResponseMetadata": {"HTTPStatusCode": 400}}, True

        self.calls += 1
        return self.tap(name, params, run) if self.tap else run()

    # --- operations ---------------------------------------------------------------------------------
    def execute(self, name: str, params: Params) -> dict[str, Any]:
        """Carry an operation out."""
        verb = {
            "GetItem": self._get_item,
            "PutItem": self._put_item,
            "DeleteItem": self._delete_item,
            "UpdateItem": self._update_item,
            "Query": self._query,
            "BatchGetItem": self._batch_get,
            "BatchWriteItem": self._batch_write,
            "TransactWriteItems": self._transact,
            "CreateTable": self._create_table,
            "DeleteTable": self._delete_table,
        }.get(name)
        if verb is None:
            raise NotImplementedError(name)
        return verb(params)

    def _create_table(self, params: Params) -> dict[str, Any]:
        self.tables[params["TableName"]] = {}
        return {}

    def _delete_table(self, params: Params) -> dict[str, Any]:
        del self.tables[params["TableName"]]
        return {}

    def _get_item(self, params: Params) -> dict[str, Any]:
        found = self._find(params["TableName"], params["Key"])
        return {"Item": _copy(found)} if found else {}

    def _put_item(self, params: Params) -> dict[str, Any]:
        old = self._check(params, params["Item"])
        self._store(params["TableName"], params["Item"])
        return _old(params, old)

    def _delete_item(self, params: Params) -> dict[str, Any]:
        old = self._check(params, params["Key"])
        self._drop(params["TableName"], params["Key"])
        return _old(params, old)

    def _update_item(self, params: Params) -> dict[str, Any]:
        old = self._check(params, params["Key"])
        new, touched = expressions.update(old or _copy(params["Key"]), params)
        self._store(params["TableName"], new)
        match params.get("ReturnValues", "NONE"):
            case "UPDATED_NEW":
                return {"Attributes": {name: new[name] for name in touched if name in new}}
            case "ALL_NEW":
                return {"Attributes": _copy(new)}
            case "NONE":
                return {}
        raise NotImplementedError(params["ReturnValues"])

    def _query(self, params: Params) -> dict[str, Any]:
        if params.get("FilterExpression") or params.get("Select") == "COUNT":
            raise NotImplementedError("Query with a filter")
        pk, low, high = expressions.key_range(params)
        keys, items = self._rows(params, pk)
        names = [key[0] for key in keys]
        first = 0 if low is None else bisect_left(names, low)
        last = len(names) if high is None else bisect_right(names, high)
        chosen = keys[first:last]
        if not params.get("ScanIndexForward", True):
            chosen.reverse()
        start = params.get("ExclusiveStartKey")
        if start:
            chosen = _after(
                chosen, self._sort_key(params, start), forward=params.get("ScanIndexForward", True)
            )
        return _page(params, [items[key] for key in chosen])

    def _rows(self, params: Params, pk: str) -> tuple[list[tuple[str, ...]], dict[tuple[str, ...], Item]]:
        table = self._table(params["TableName"])
        if params.get("IndexName") is None:
            partition = table.get(pk, Partition())
            return [(sk,) for sk in partition.order], {(sk,): i for sk, i in partition.items.items()}
        if params["IndexName"] != _INDEX:
            raise NotImplementedError(params["IndexName"])
        rows = {
            self._sort_key(params, item): item
            for item in self.items(params["TableName"])
            if item.get("gsi1pk", {}).get("S") == pk and "gsi1sk" in item
        }
        return sorted(rows), rows

    @staticmethod
    def _sort_key(params: Params, item: Mapping[str, Any]) -> tuple[str, ...]:
        if params.get("IndexName") is None:
            return (item["sk"]["S"],)
        return item["gsi1sk"]["S"], item["pk"]["S"], item["sk"]["S"]

    def _batch_get(self, params: Params) -> dict[str, Any]:
        keys = [(table, key) for table, request in params["RequestItems"].items() for key in request["Keys"]]
        named = [(table, key["pk"]["S"], key["sk"]["S"]) for table, key in keys]
        if len(keys) > 100 or len(set(named)) != len(named):
            raise RefusedError("ValidationException")
        found: dict[str, list[Item]] = {table: [] for table in params["RequestItems"]}
        for table, key in keys:
            item = self._find(table, key)
            if item is not None:
                found[table].append(_copy(item))
        return {"Responses": found, "UnprocessedKeys": {}}

    def _batch_write(self, params: Params) -> dict[str, Any]:
        requests = [(table, one) for table, many in params["RequestItems"].items() for one in many]
        if len(requests) > 25:
            raise RefusedError("ValidationException")
        for table, request in requests:
            if "PutRequest" in request:
                self._store(table, request["PutRequest"]["Item"])
            else:
                self._drop(table, request["DeleteRequest"]["Key"])
        return {"UnprocessedItems": {}}

    def _transact(self, params: Params) -> dict[str, Any]:
        ops = [(kind, op) for item in params["TransactItems"] for kind, op in item.items()]
        keys = [(op["TableName"], *_name(op.get("Item") or op["Key"])) for _, op in ops]
        if len(ops) > 100 or len(set(keys)) != len(keys):
            raise RefusedError("ValidationException")
        token, now = params.get("ClientRequestToken"), self._monotonic()
        print_ = repr(params["TransactItems"])
        if token and token in self._tokens and now - self._tokens[token][0] < TOKEN_S:
            if self._tokens[token][1] != print_:
                raise RefusedError("IdempotentParameterMismatchException")
            return {}
        reasons = [self._reason(kind, op) for kind, op in ops]
        if any(reasons):
            listed = [{"Code": code or "None"} for code in reasons]
            raise RefusedError("TransactionCanceledException", CancellationReasons=listed)
        for kind, op in ops:
            if kind == "Put":
                self._store(op["TableName"], op["Item"])
            elif kind == "Delete":
                self._drop(op["TableName"], op["Key"])
        if token:
            self._tokens[token] = now, print_
        return {}

    def _reason(self, kind: str, op: Params) -> str | None:
        if kind not in ("Put", "Delete", "ConditionCheck"):
            raise NotImplementedError(kind)
        try:
            self._check(op, op.get("Item") or op["Key"])
        except RefusedError:
            return "ConditionalCheckFailed"
        return None

    # --- parts --------------------------------------------------------------------------------------
    def _table(self, name: str) -> dict[str, Partition]:
        if name not in self.tables:
            raise RefusedError("ResourceNotFoundException")
        return self.tables[name]

    def _find(self, table: str, key: Mapping[str, Any]) -> Item | None:
        pk, sk = _name(key)
        partition = self._table(table).get(pk)
        return partition.items.get(sk) if partition else None

    def _check(self, params: Params, key: Mapping[str, Any]) -> Item | None:
        old = self._find(params["TableName"], key)
        condition = params.get("ConditionExpression")
        if condition is not None and not expressions.holds(condition, old or {}, params):
            raise RefusedError("ConditionalCheckFailedException")
        return old

    def _store(self, table: str, item: Mapping[str, Any]) -> None:
        if item_size(item) > ITEM_BYTES:
            raise RefusedError("ValidationException")
        pk, sk = _name(item)
        self._table(table).setdefault(pk, Partition()).put(sk, _copy(item))

    def _drop(self, table: str, key: Mapping[str, Any]) -> None:
        pk, sk = _name(key)
        partition = self._table(table).get(pk)
        if partition:
            partition.drop(sk)


def _name(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _copy(item: Mapping[str, Any]) -> Item:
    return {name: dict(value) for name, value in item.items()}


def _old(params: Params, old: Item | None) -> dict[str, Any]:
    wanted = params.get("ReturnValues", "NONE")
    if wanted not in ("NONE", "ALL_OLD"):
        raise NotImplementedError(wanted)
    return {"Attributes": _copy(old)} if old and wanted == "ALL_OLD" else {}


def _after(keys: list[tuple[str, ...]], start: tuple[str, ...], *, forward: bool) -> list[tuple[str, ...]]:
    return [key for key in keys if (key > start if forward else key < start)]


def _page(params: Params, rows: Sequence[Item]) -> dict[str, Any]:
    limit = params.get("Limit")
    page: list[Item] = []
    size = 0
    for row in rows:
        if limit is not None and len(page) >= limit:
            break
        size += item_size(row)
        page.append(_copy(row))
        if size >= PAGE_BYTES:
            break
    answer: dict[str, Any] = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
    if page and (len(page) < len(rows) or len(page) == limit):
        names = ("pk", "sk") if params.get("IndexName") is None else ("pk", "sk", "gsi1pk", "gsi1sk")
        answer["LastEvaluatedKey"] = {name: page[-1][name] for name in names}
    return answer


@lru_cache(maxsize=1)
def _session() -> Session:
    session = Session()
    session.set_credentials("AKIDEXAMPLE", "secret")
    return session


def new_client() -> Any:
    """A botocore client with credentials that mean nothing."""
    config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return _session().create_client("dynamodb", region_name="eu-central-1", config=config)
