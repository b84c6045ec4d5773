"""The client wall: a botocore client that refuses every key of another tenant before it is signed.

It is one of several walls (IAM asks for the same prefix) and the one that a test can see: a bug that
loses the tenant somewhere raises here instead of reading somebody else's item. What the guard cannot
read with certainty it refuses.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from lantern.domain.errors import LanternError
from lantern.store.keys import prefix

Params = Mapping[str, Any]

_INDEX_KEY: Final = "gsi1pk"
_KEYS: Final = ("pk", _INDEX_KEY)
_LEGACY: Final = frozenset(
    {"KeyConditions", "QueryFilter", "ScanFilter", "AttributeUpdates", "Expected", "ConditionalOperator"}
)
_EQUALITY: Final = re.compile(r"([#\w.]+)\s*=\s*(:\w+)")
_CLAUSE: Final = re.compile(r"\b(SET|REMOVE|ADD|DELETE)\b", re.IGNORECASE)
_ASSIGNMENT: Final = re.compile(r"([#\w.\[\]]+)\s*=\s*(.+)", re.DOTALL)


class ForeignKeyError(LanternError):
    """A request that could reach another tenant's items; it was not sent."""


class TenantGuard:
    """Checks requests of one tenant's client on one table.

    Attributes:
        tenant_id: whose client it is.
        table: name of the only table this client may use.
    """

    def __init__(self, tenant_id: str, table: str) -> None:
        self.tenant_id = tenant_id
        self.table = table
        self._prefix = prefix(tenant_id)
        self._checks: dict[str, Callable[[Params], None]] = {
            "GetItem": self._keyed,
            "DeleteItem": self._keyed,
            "UpdateItem": self._update,
            "PutItem": self._put,
            "Query": self._query,
            "BatchGetItem": self._batch_get,
            "BatchWriteItem": self._batch_write,
            "TransactWriteItems": self._transaction,
            "TransactGetItems": self._transaction,
        }

    def __call__(self, params: Params, model: Any, **_: Any) -> None:
        """Handler of `before-parameter-build.dynamodb`.

        Raises:
            ForeignKeyError: the request is not provably inside the tenant.
        """
        self.check(model.name, params)

    def check(self, operation: str, params: Params) -> None:
        """Let a request pass or raise.

        Raises:
            ForeignKeyError: the request is not provably inside the tenant.
        """
        check = self._checks.get(operation)
        if check is None:
            raise ForeignKeyError(f"{operation} is not for tenants")
        check(params)

    # --- operations -----------------------------------------------------------------------------
    def _keyed(self, params: Params) -> None:
        self._plain(params)
        self._table(params.get("TableName"))
        self._key(params.get("Key"))

    def _put(self, params: Params) -> None:
        self._plain(params)
        self._table(params.get("TableName"))
        self._item(params.get("Item"))

    def _update(self, params: Params) -> None:
        self._keyed(params)
        expression = params.get("UpdateExpression")
        if expression is not None:
            self._update_expression(expression, params)

    def _query(self, params: Params) -> None:
        self._plain(params)
        self._table(params.get("TableName"))
        key = _INDEX_KEY if params.get("IndexName") is not None else "pk"
        expression = params.get("KeyConditionExpression")
        if not isinstance(expression, str):
            raise ForeignKeyError("a query needs a key condition in text")
        values = params.get("ExpressionAttributeValues") or {}
        found = [
            values.get(value)
            for name, value in _EQUALITY.findall(expression)
            if self._resolve(name, params) == key
        ]
        if len(found) != 1:
            raise ForeignKeyError(f"a query names {key} once")
        self._own(found[0])
        start = params.get("ExclusiveStartKey")
        if start is not None:
            self._key(start)

    def _batch_get(self, params: Params) -> None:
        for table, request in self._tables(params):
            self._table(table)
            self._plain(request)
            for key in request.get("Keys", ()):
                self._key(key)

    def _batch_write(self, params: Params) -> None:
        for table, requests in self._tables(params):
            self._table(table)
            for request in requests:
                for kind, body in request.items():
                    if kind == "PutRequest":
                        self._item(body.get("Item"))
                    elif kind == "DeleteRequest":
                        self._key(body.get("Key"))
                    else:
                        raise ForeignKeyError(f"{kind} is not for tenants")

    def _transaction(self, params: Params) -> None:
        items = params.get("TransactItems")
        if not isinstance(items, list | tuple):
            raise ForeignKeyError("a transaction lists its items")
        checks = {
            "Get": self._keyed,
            "ConditionCheck": self._keyed,
            "Delete": self._keyed,
            "Put": self._put,
            "Update": self._update,
        }
        for item in items:
            for kind, body in item.items():
                if kind not in checks:
                    raise ForeignKeyError(f"{kind} is not for tenants")
                checks[kind](body)

    # --- parts ----------------------------------------------------------------------------------
    @staticmethod
    def _tables(params: Params) -> Iterable[tuple[str, Any]]:
        requests = params.get("RequestItems")
        if not isinstance(requests, Mapping):
            raise ForeignKeyError("a batch lists its tables")
        return requests.items()

    @staticmethod
    def _plain(params: Params) -> None:
        legacy = _LEGACY.intersection(params)
        if legacy:
            raise ForeignKeyError(f"{sorted(legacy)[0]} is not for tenants")

    def _table(self, name: object) -> None:
        if name != self.table:
            raise ForeignKeyError("a tenant's client uses the tenant table, by name, and nothing else")

    def _own(self, value: object) -> None:
        if isinstance(value, Mapping):
            value = value.get("S") if len(value) == 1 else None
        if not isinstance(value, str) or not value.startswith(self._prefix):
            raise ForeignKeyError("a key of another tenant")

    def _key(self, key: object) -> None:
        if not isinstance(key, Mapping) or "pk" not in key:
            raise ForeignKeyError("a request without a partition key")
        for name in _KEYS:
            if name in key:
                self._own(key[name])

    # An item has the same key attributes as a key, and its index key is checked as well.
    _item = _key

    @staticmethod
    def _resolve(name: str, params: Params) -> str:
        names = params.get("ExpressionAttributeNames") or {}
        resolved = names.get(name, name)
        return resolved if isinstance(resolved, str) else ""

    def _update_expression(self, expression: object, params: Params) -> None:
        if not isinstance(expression, str):
            raise ForeignKeyError("an update needs an expression in text")
        pieces = _CLAUSE.split(expression)
        if pieces[0].strip():
            raise ForeignKeyError("an update expression that starts with no clause")
        values = params.get("ExpressionAttributeValues") or {}
        for clause, body in zip(pieces[1::2], pieces[2::2], strict=True):
            for action in _split(body):
                self._update_action(clause.upper(), action, params, values)

    def _update_action(self, clause: str, action: str, params: Params, values: Params) -> None:
        assignment = _ASSIGNMENT.fullmatch(action.strip())
        path = assignment[1] if assignment else action.split(maxsplit=1)[0] if action.split() else ""
        root = self._resolve(re.split(r"[.\[]", path)[0], params)
        if root not in _KEYS or clause == "REMOVE":
            return
        value = assignment[2].strip() if assignment else ""
        if clause != "SET" or path != path.strip(".[") or value not in values:
            raise ForeignKeyError("an update of a key that cannot be checked")
        self._own(values[value])


def _split(body: str) -> list[str]:
    """The actions of a clause: split at commas outside parentheses."""
    actions, depth, start = [], 0, 0
    for at, char in enumerate(body):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            actions.append(body[start:at])
            start = at + 1
    actions.append(body[start:])
    return actions


_guarded: WeakKeyDictionary[Any, TenantGuard] = WeakKeyDictionary()


def install(client: Any, tenant_id: str, table: str) -> None:
    """Put the guard on a client, once and for all; the same tenant may ask again.

    Raises:
        ForeignKeyError: the client belongs to another tenant or table already.
    """
    guard = _guarded.get(client)
    if guard is not None:
        if (guard.tenant_id, guard.table) != (tenant_id, table):
            raise ForeignKeyError("a client of another tenant")
        return
    guard = TenantGuard(tenant_id, table)
    # Last, so that it sees what every other handler made of the parameters.
    client.meta.events.register_last("before-parameter-build.dynamodb", guard)
    _guarded[client] = guard
