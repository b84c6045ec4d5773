"""The operators' catalog entries in the PlatformTable: one packed item as they are, one line a publication.

Whoever judges apps may read the partition `CATALOG` and nothing else here; only operators may write it.
"""

import zlib
from typing import Any, Final, TypeVar

import msgspec

from lantern.domain.errors import ConflictError, RevisionConflictError
from lantern.domain.overlay import Publication, Published
from lantern.store.platform_calls import RefusedError, call

PARTITION: Final = "CATALOG"
MAX_BYTES: Final = 300_000
_CURRENT: Final = {"pk": {"S": PARTITION}, "sk": {"S": "CURRENT"}}
T = TypeVar("T")


class OperatorCatalogStore:
    """The operators' layer of the catalog.

    Args:
        client: a low-level botocore DynamoDB client.
        table: name of the PlatformTable.

    Every method raises `StorageError` where the table did not answer.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def version(self) -> int:
        """The number of the last publication; 0 where there was none. Entries do not travel."""
        item = self._get(ProjectionExpression="published")
        return int(item["published"]["N"]) if item else 0

    def current(self) -> Published:
        """All entries as they are now."""
        item = self._get(ConsistentRead=True)
        return _unpack(item, Published) if item else Published()

    def publish(self, published: Published, line: Publication) -> None:
        """Replace what version `published.version - 1` said, and add the line of this publication.

        Raises:
            RevisionConflictError: somebody published meanwhile.
            ConflictError: the entries take more room than an item has.
        """
        body = _pack(published)
        if len(body) > MAX_BYTES:
            raise ConflictError("The entries take more room than there is; retract what is shipped by now.")
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        first = {"TableName": self._table, **condition}
        if published.version > 1:
            condition = {
                "ConditionExpression": "published = :before",
                "ExpressionAttributeValues": {":before": {"N": str(published.version - 1)}},
            }
        number = {"N": str(published.version)}
        item = {**_CURRENT, "published": number, "body": {"B": body}}
        row = {"pk": _CURRENT["pk"], "sk": {"S": f"V#{published.version:08d}"}, "body": {"B": _pack(line)}}
        try:
            call(
                self._client,
                "transact_write_items",
                TransactItems=[
                    {"Put": {"TableName": self._table, "Item": item, **condition}},
                    {"Put": {"Item": row, **first}},
                ],
            )
        except RefusedError:
            raise RevisionConflictError("Somebody published meanwhile; look again, then decide.") from None

    def history(self, limit: int = 20) -> tuple[Publication, ...]:
        """The last publications, newest first."""
        answer = call(
            self._client,
            "query",
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": PARTITION}, ":sk": {"S": "V#"}},
            ScanIndexForward=False,
            Limit=limit,
        )
        return tuple(_unpack(item, Publication) for item in answer["Items"])

    def _get(self, **more: Any) -> Any:
        return call(self._client, "get_item", TableName=self._table, Key=_CURRENT, **more).get("Item")


def _pack(record: object) -> bytes:
    return zlib.compress(msgspec.json.encode(record), 9)


def _unpack(item: Any, record_type: type[T]) -> T:
    return msgspec.json.decode(zlib.decompress(item["body"]["B"]), type=record_type)
