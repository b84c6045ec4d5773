"""Counts calls, read units and write units of a DynamoDB client, by operation, as our sizing has them.

An overwritten item is billed by the larger of old and new. The meter remembers the items that passed
through it, so that within one process it knows the old ones; one that it never saw counts as absent.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from lantern.store.sizing import (
    TRANSACTION_FACTOR,
    Wire,
    index_units,
    item_size,
    read_units,
    write_units,
)

_CONTEXT: Final = "lantern_meter"
_Name = tuple[str, str, str]


@dataclass
class Usage:
    """What was used: calls, read units and write units, in all and by operation."""

    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reads: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    writes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def read_units(self) -> float:
        """All read units."""
        return sum(self.reads.values())

    @property
    def write_units(self) -> int:
        """All write units, index writes included."""
        return sum(self.writes.values())

    @property
    def total_calls(self) -> int:
        """All calls."""
        return sum(self.calls.values())

    def add(self, other: "Usage", sign: int = 1) -> None:
        """Add what `other` used, or take it away."""
        for name, calls in other.calls.items():
            self.calls[name] += sign * calls
        for name, reads in other.reads.items():
            self.reads[name] += sign * reads
        for name, writes in other.writes.items():
            self.writes[name] += sign * writes

    def drop_unused(self) -> None:
        """Forget operations that were not called."""
        for name in [name for name, calls in self.calls.items() if not calls]:
            self.calls.pop(name)
            self.reads.pop(name, None)
            self.writes.pop(name, None)


class _Nothing(dict[_Name, Wire]):
    """A memory that keeps nothing."""

    def __setitem__(self, _name: _Name, _item: Wire) -> None:
        """Forget it."""


class Meter:
    """Counts what one or more DynamoDB clients use; `attach` each.

    A process that lives long passes `remembers=False`: an overwritten item then counts by its new size.
    """

    def __init__(self, *, remembers: bool = True) -> None:
        self.usage = Usage()
        self._items: dict[_Name, Wire] = {} if remembers else _Nothing()

    def attach(self, client: Any) -> "Meter":
        """Count the calls of a client from now on."""
        client.meta.events.register_last("before-parameter-build.dynamodb", self._sent)
        client.meta.events.register_last("after-call.dynamodb", self._answered)
        return self

    @contextmanager
    def measured(self) -> Iterator[Usage]:
        """What is used within the block; complete when it ends."""
        inside = Usage()
        inside.add(self.usage, -1)
        try:
            yield inside
        finally:
            inside.add(self.usage)
            inside.drop_unused()

    # --- events ---------------------------------------------------------------------------------
    def _sent(self, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_CONTEXT] = params

    def _answered(
        self, http_response: Any, parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any
    ) -> None:
        params = context.get(_CONTEXT)
        if params is None:
            return
        name = model.name
        self.usage.calls[name] += 1
        done = http_response.status_code < 300
        if name in ("GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"):
            if done:
                self.usage.reads[name] += self._read(name, params, parsed)
        elif name in ("PutItem", "DeleteItem", "UpdateItem"):
            self.usage.writes[name] += self._single(name, params, parsed, done=done)
        elif name == "BatchWriteItem" and done:
            self.usage.writes[name] += self._batch(params, parsed)
        elif name == "TransactWriteItems":
            self.usage.writes[name] += self._transaction(params, done=done)

    # --- reads ----------------------------------------------------------------------------------
    def _read(self, name: str, params: Mapping[str, Any], parsed: Mapping[str, Any]) -> float:
        consistent = bool(params.get("ConsistentRead"))
        if name == "GetItem":
            return read_units(
                item_size(self._seen(params["TableName"], parsed.get("Item"))), consistent=consistent
            )
        if name in ("Query", "Scan"):
            items = parsed.get("Items", ())
            if params.get("IndexName") is None:
                for item in items:
                    self._seen(params["TableName"], item)
            return read_units(sum(item_size(item) for item in items), consistent=consistent)
        if name == "TransactGetItems":
            found = [answer.get("Item") or {} for answer in parsed.get("Responses", ())]
            return sum(TRANSACTION_FACTOR * read_units(item_size(item), consistent=True) for item in found)
        return self._batch_read(params, parsed)

    def _batch_read(self, params: Mapping[str, Any], parsed: Mapping[str, Any]) -> float:
        units = 0.0
        for table, request in params["RequestItems"].items():
            consistent = bool(request.get("ConsistentRead"))
            found = parsed.get("Responses", {}).get(table, ())
            unread = parsed.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
            absent = len(request["Keys"]) - len(found) - len(unread)
            sizes = [item_size(self._seen(table, item)) for item in found] + [0] * absent
            units += sum(read_units(size, consistent=consistent) for size in sizes)
        return units

    def _seen(self, table: str, item: Wire | None) -> Wire:
        if item is None:
            return {}
        self._items[_name(table, item)] = item
        return item

    # --- writes ---------------------------------------------------------------------------------
    def _single(self, name: str, params: Mapping[str, Any], parsed: Mapping[str, Any], *, done: bool) -> int:
        table = params["TableName"]
        if not done:
            # A refused condition is billed like the write it refused.
            code = parsed.get("Error", {}).get("Code")
            if code != "ConditionalCheckFailedException":
                return 0
            return self._units(table, params.get("Item"), params.get("Key"), keep=True)
        if name == "PutItem":
            return self._units(table, params["Item"], None)
        if name == "DeleteItem":
            return self._units(table, None, params["Key"])
        new = parsed.get("Attributes") if params.get("ReturnValues") == "ALL_NEW" else None
        old = self._items.get(_name(table, params["Key"]), params["Key"])
        return self._units(table, new or old, None)

    def _batch(self, params: Mapping[str, Any], parsed: Mapping[str, Any]) -> int:
        units = 0
        for table, requests in params["RequestItems"].items():
            left = parsed.get("UnprocessedItems", {}).get(table, [])
            for request in requests:
                if request in left:
                    continue
                put, delete = request.get("PutRequest"), request.get("DeleteRequest")
                units += self._units(table, put["Item"] if put else None, delete["Key"] if delete else None)
        return units

    def _transaction(self, params: Mapping[str, Any], *, done: bool) -> int:
        return sum(
            TRANSACTION_FACTOR
            * self._units(
                op["TableName"], op.get("Item"), op.get("Key"), keep=not done or kind == "ConditionCheck"
            )
            for item in params["TransactItems"]
            for kind, op in item.items()
        )

    def _units(self, table: str, item: Wire | None, key: Wire | None, *, keep: bool = False) -> int:
        name = _name(table, item or key or {})
        old = self._items.get(name)
        units = write_units(max(item_size(item or {}), item_size(old or {})))
        if keep:
            return units
        if item is None:
            self._items.pop(name, None)
        else:
            self._items[name] = item
        return units + index_units(old, item)


def _name(table: str, item: Wire) -> _Name:
    return table, item["pk"]["S"], item["sk"]["S"]
