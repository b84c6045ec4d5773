"""Calls of a low-level DynamoDB client with errors in our words."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lantern.domain.errors import StorageError


class RefusedError(Exception):
    """A condition did not hold."""


def call(client: Any, operation: str, **request: Any) -> Any:
    """Call an operation.

    Raises:
        RefusedError: its condition did not hold; nothing was written.
        StorageError: the table did not answer.
    """
    try:
        return getattr(client, operation)(**request)
    except ClientError as cause:
        code = cause.response["Error"]["Code"]
        reasons = cause.response.get("CancellationReasons", ())
        if code == "ConditionalCheckFailedException" or any(
            reason.get("Code") == "ConditionalCheckFailed" for reason in reasons
        ):
            raise RefusedError from cause
        raise StorageError(f"{operation}: {code}") from cause
    except BotoCoreError as cause:
        raise StorageError(f"{operation}: {type(cause).__name__}") from cause
