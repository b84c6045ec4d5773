"""One queue message: hand it to its tenant's own worker and wait, or say when to try again."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from lantern.domain.errors import InvalidInputError
from lantern.domain.work import Queue, Work, Worker
from lantern.services.queue import encode_work, parse_work
from lantern.store.platform import TenantEntry

log = logging.getLogger(__name__)

BASE_BACKOFF_S: Final = 4.0
MAX_BACKOFF_S: Final[Mapping[Queue, float]] = {"hints": 120.0, "runs": 900.0}
MALFORMED_RETRY_S: Final = 1
MAX_VISIBILITY_S: Final = 43_200
"""SQS: a message stays invisible for at most 12 hours after it was received."""


class Invoker(Protocol):
    """`lambda:InvokeFunction`, as botocore names it; its client makes one attempt only."""

    def invoke(self, **kwargs: Any) -> Any:
        """Invoke and wait."""
        ...


class Visibility(Protocol):
    """`sqs:ChangeMessageVisibility`, as botocore names it."""

    def change_message_visibility(self, **kwargs: Any) -> Any:
        """Let a message be seen again sooner or later."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: `done`, or failed and to be tried again after `retry_after_s`.

    `retry_after_s` is None where nobody named a time; `reason` is a short stable word for logs.
    """

    done: bool
    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """What the dispatcher needs: the tenant registry, the workers' names, clients, luck.

    `functions` has the workers whose work the dispatcher's queue carries. `queue_urls` finds a queue's URL by
    its name, the last part of its ARN. `jitter` returns a number in [0, 1).
    """

    tenant: Callable[[str], TenantEntry | None]
    functions: Mapping[Worker, str]
    invoker: Invoker
    sqs: Visibility
    queue_urls: Mapping[str, str]
    jitter: Callable[[], float]

    def handle(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """An SQS event; returns SQS's partial batch response."""
        failed = [
            {"itemIdentifier": str(record["messageId"])}
            for record in event["Records"]
            if not self._record(record)
        ]
        return {"batchItemFailures": failed}

    def _record(self, record: Mapping[str, Any]) -> bool:
        message = str(record["messageId"])
        try:
            work = replace(parse_work(str(record["body"])), delivery=message)
        except InvalidInputError as error:
            log.error("message %s is malformed, it goes to the dead-letter queue: %s", message, error)
            self._postpone(record, MALFORMED_RETRY_S)
            return False
        outcome = self.dispatch(work)
        extra = {"tenant_id": work.tenant_id, "kind": work.kind, "connection_id": work.connection_id}
        if outcome.done:
            log.info("message %s: %s", message, outcome.reason, extra=extra)
            return True
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        delay = backoff(work.queue, attempt, outcome.retry_after_s, self.jitter())
        log.warning(
            "message %s: %s, attempt %d, again in %d s", message, outcome.reason, attempt, delay, extra=extra
        )
        self._postpone(record, delay)
        return False

    def dispatch(self, work: Work) -> Outcome:
        """Have a piece of work done by its tenant's worker."""
        tenant = self.tenant(work.tenant_id)
        if tenant is None or tenant.status != "active":
            return Outcome(done=True, reason="dropped: tenant is not active")
        function = self.functions.get(work.worker)
        if function is None:
            # Each queue's dispatcher may call the workers of that queue's work, and no other.
            return Outcome(done=False, reason="it came on another queue than its own")
        try:
            response = self.invoker.invoke(
                FunctionName=function,
                InvocationType="RequestResponse",
                TenantId=work.tenant_id,
                Payload=encode_work(work).encode(),
            )
            return _outcome(response)
        except (ClientError, BotoCoreError) as error:
            return Outcome(done=False, reason=f"invoke failed: {_name(error)}")

    def _postpone(self, record: Mapping[str, Any], seconds: int) -> None:
        url = self.queue_urls[str(record["eventSourceARN"]).rpartition(":")[2]]
        try:
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
            )
        except (ClientError, BotoCoreError) as error:
            # The message comes back all the same, when the queue's own visibility has passed.
            log.warning("visibility of message %s not changed: %s", record["messageId"], _name(error))


def backoff(queue: Queue, attempt: int, retry_after_s: float | None, jitter: float) -> int:
    """Seconds until the next attempt: what the provider asked for, else exponential, half of it luck.

    `attempt` counts from 1. A time the provider named gets up to a tenth on top, never less.
    """
    if retry_after_s is not None:
        wanted = retry_after_s * (1 + jitter / 10)
    else:
        ceiling = min(MAX_BACKOFF_S[queue], BASE_BACKOFF_S * 2 ** min(attempt - 1, 16))
        wanted = ceiling * (0.5 + jitter / 2)
    return max(1, min(MAX_VISIBILITY_S, math.ceil(wanted)))


def _outcome(response: Mapping[str, Any]) -> Outcome:
    payload = response["Payload"].read()
    if response.get("FunctionError"):
        return Outcome(done=False, reason=f"worker failed: {_error_type(payload)}")
    try:
        answer = json.loads(payload or b"null")
        wait = answer.get("retry_after_s") if isinstance(answer, dict) else None
        seconds = None if wait is None else float(wait)
    except (TypeError, ValueError):
        return Outcome(done=False, reason="worker answered out of contract")
    if seconds is None:
        return Outcome(done=True, reason="done")
    if not math.isfinite(seconds):
        return Outcome(done=False, reason="worker answered out of contract")
    return Outcome(done=False, reason="worker asks for a later attempt", retry_after_s=seconds)


def _error_type(payload: bytes) -> str:
    # The type only: a message may quote what a provider or a person wrote.
    try:
        answer = json.loads(payload)
    except ValueError:
        return "unreadable"
    kind = answer.get("errorType") if isinstance(answer, dict) else None
    return str(kind)[:80] if kind else "unknown"


def _name(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__
