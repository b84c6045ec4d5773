"""Gap: `dynamodb:LeadingKeys` has no value, so a tenant's role can read and write every tenant's items.

The key holds the partition key values that a request names, of the table or of the index it queries
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb

from scripts.local_cloud.patches.seam import private, wrap

_EQUALS = re.compile(r"(#?[\w.\-]+)\s*=\s*(:\w+)")


def apply() -> None:
    """Add the leading keys to the DynamoDB condition context."""
    wrap(iam_actions, "dynamodb_service_context", _with_leading_keys)


def _with_leading_keys(original: Any) -> Any:
    def service_context(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = original(body)
        try:
            request = json.loads(body or b"{}")
        except (json.JSONDecodeError, UnicodeDecodeError):
            return context
        keys = list(leading_keys(request)) if isinstance(request, dict) else []
        if keys:
            context["dynamodb:LeadingKeys"] = keys
        return context

    return service_context


def leading_keys(request: dict[str, Any]) -> Iterator[str]:
    """Yield every partition key value that a DynamoDB request names."""
    yield from _of_single(request)
    for table, operations in (request.get("RequestItems") or {}).items():
        yield from _of_batch(partition_key(table), operations)
    for item in request.get("TransactItems") or []:
        for operation in item.values():
            yield from _of_single(operation)


def partition_key(table: str, index: str | None = None) -> str | None:
    """Name the partition key of a table or of one of its indexes; None for an unknown table."""
    description = private(dynamodb, "_tables").get(table.rsplit("/", 1)[-1])
    if not description:
        return None
    schema = description.get("KeySchema") or []
    if index:
        indexes = [
            *(description.get("GlobalSecondaryIndexes") or []),
            *(description.get("LocalSecondaryIndexes") or []),
        ]
        schema = next((entry["KeySchema"] for entry in indexes if entry["IndexName"] == index), schema)
    return next((entry["AttributeName"] for entry in schema if entry["KeyType"] == "HASH"), None)


def _of_single(request: dict[str, Any]) -> Iterator[str]:
    table = request.get("TableName")
    name = partition_key(table, request.get("IndexName")) if isinstance(table, str) else None
    if name is None:
        return
    for attributes in (request.get("Key"), request.get("Item")):
        yield from _values(attributes, name)
    yield from _of_expression(request, name)
    for value in ((request.get("KeyConditions") or {}).get(name) or {}).get("AttributeValueList") or []:
        yield from value.values()


def _of_expression(request: dict[str, Any], key: str) -> Iterator[str]:
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    for name, placeholder in _EQUALS.findall(request.get("KeyConditionExpression") or ""):
        if names.get(name, name) == key:
            yield from (values.get(placeholder) or {}).values()


def _of_batch(name: str | None, operations: Any) -> Iterator[str]:
    if name is None:
        return
    if isinstance(operations, dict):
        for key in operations.get("Keys") or []:
            yield from _values(key, name)
        return
    for operation in operations or []:
        for detail in operation.values():
            yield from _values(detail.get("Item") or detail.get("Key"), name)


def _values(attributes: Any, name: str) -> Iterator[str]:
    if isinstance(attributes, dict):
        yield from (attributes.get(name) or {}).values()
