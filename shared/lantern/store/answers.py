"""What DynamoDB answers when it does not do as asked, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from lantern.domain.errors import StorageError

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class ConditionFailedError(Exception):
    """The condition of a single write did not hold."""


class CancelledError(Exception):
    """A transaction was cancelled; one code per operation as sent, None where it was not the cause."""

    def __init__(self, codes: list[str | None]) -> None:
        super().__init__()
        self.codes = codes


@contextmanager
def answers() -> Iterator[None]:
    """Errors of PynamoDB and botocore in our words; says nothing of what the items hold."""
    try:
        yield
    except TransactWriteError as cause:
        code = _code(cause)
        if code == "TransactionCanceledException":
            codes = [reason.code if reason else None for reason in cause.cancellation_reasons]
            raise CancelledError(codes) from cause
        if code == "TransactionConflictException":
            raise CancelledError(["TransactionConflict"]) from cause
        raise StorageError(f"transaction: {code}") from cause
    except PynamoDBException as cause:
        if _code(cause) == _CONDITION_FAILED:
            raise ConditionFailedError from cause
        raise StorageError(f"{type(cause).__name__}: {_code(cause)}") from cause
    except ClientError as cause:
        raise StorageError(f"{cause.operation_name}: {cause.response['Error']['Code']}") from cause
    except BotoCoreError as cause:
        raise StorageError(type(cause).__name__) from cause


def _code(error: PynamoDBException) -> str:
    # PynamoDB's own `cause_response_code` fails on a timeout, whose `response` is None.
    response = getattr(error.cause, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error.cause).__name__)
