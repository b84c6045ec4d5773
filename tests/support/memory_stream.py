"""The table in memory with the stream of one of its tables, as its consumers get it: keys and new images."""

from collections.abc import Mapping
from typing import Any

from tests.support.memory_table import MemoryDynamo, Params


class StreamedDynamo(MemoryDynamo):
    """Tables in memory; what changes in `streamed` is in `records`, oldest first, until it is taken."""

    def __init__(self, streamed: str) -> None:
        super().__init__()
        self._streamed = streamed
        self._written = 0
        self.records: list[dict[str, Any]] = []

    def take(self, limit: int) -> list[dict[str, Any]]:
        """The oldest records, which are gone then."""
        taken, self.records = self.records[:limit], self.records[limit:]
        return taken

    def _store(self, table: str, item: Params) -> None:
        old = self._find(table, item)
        super()._store(table, item)
        # A write that changes nothing leaves no record, as at DynamoDB.
        if table == self._streamed and old != item:
            self._note("MODIFY" if old else "INSERT", item, {"NewImage": self._find(table, item)})

    def _drop(self, table: str, key: Params) -> None:
        old = self._find(table, key)
        super()._drop(table, key)
        if table == self._streamed and old:
            self._note("REMOVE", key, {})

    def _note(self, event: str, item: Params, image: Mapping[str, Any]) -> None:
        self._written += 1
        keys = {name: item[name] for name in ("pk", "sk")}
        told = {"Keys": keys, **image, "SequenceNumber": f"{self._written:021}"}
        self.records.append({"eventName": event, "eventSource": "aws:dynamodb", "dynamodb": told})
