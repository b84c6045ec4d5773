"""What operators tell all tenants about incidents of vendors: one packed item in the catalog's partition.

Whoever may read the operators' catalog may read it; only operators write it.
"""

import zlib
from typing import Any, Final

import msgspec

from lantern.domain.errors import ConflictError, RevisionConflictError
from lantern.domain.incidents import Notice
from lantern.store.platform_calls import RefusedError, call
from lantern.store.platform_catalog import PARTITION

_KEY: Final = {"pk": {"S": PARTITION}, "sk": {"S": "INCIDENTS"}}
KEPT: Final = 200
"""Notices that are kept; older ones have reached every tenant that is read at all."""


class NoticeStore:
    """Incidents that operators raised.

    Args:
        client: a low-level botocore DynamoDB client.
        table: name of the PlatformTable.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def all(self) -> tuple[Notice, ...]:
        """All notices, oldest first. One request; raises `StorageError` where the table did not answer."""
        return self._read()[0]

    def add(self, notice: Notice) -> None:
        """Add a notice.

        Raises:
            ConflictError: one of this id is there.
            RevisionConflictError: another operator was faster.
        """
        notices, version = self._read(consistent=True)
        if any(one.id == notice.id for one in notices):
            raise ConflictError("This incident was raised already.")
        kept = (*notices, notice)[-KEPT:]
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if version:
            condition = {
                "ConditionExpression": "published = :before",
                "ExpressionAttributeValues": {":before": {"N": str(version)}},
            }
        body = zlib.compress(msgspec.json.encode(kept), 9)
        item = {**_KEY, "published": {"N": str(version + 1)}, "body": {"B": body}}
        try:
            call(self._client, "put_item", TableName=self._table, Item=item, **condition)
        except RefusedError:
            raise RevisionConflictError("Another operator raised one meanwhile; try again.") from None

    def _read(self, *, consistent: bool = False) -> tuple[tuple[Notice, ...], int]:
        answer = call(
            self._client, "get_item", TableName=self._table, Key=_KEY, ConsistentRead=consistent
        ).get("Item")
        if answer is None:
            return (), 0
        body = zlib.decompress(answer["body"]["B"])
        return msgspec.json.decode(body, type=tuple[Notice, ...]), int(answer["published"]["N"])
