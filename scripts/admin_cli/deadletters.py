"""Dead letters: read them without consuming them, explain them, put them back without losing any."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from botocore.exceptions import ClientError

from lantern.domain.errors import InvalidInputError
from lantern.domain.work import Work
from lantern.services.queue import parse_work
from scripts.admin_cli.target import Backend

Name = Literal["hints", "runs", "stream"]

NAMES: Final[tuple[Name, ...]] = ("hints", "runs", "stream")
SOURCES: Final[Mapping[Name, str]] = {"hints": "HintsQueue", "runs": "RunsQueue"}
LETTERS: Final[Mapping[Name, str]] = {
    "hints": "HintsDeadLetters",
    "runs": "RunsDeadLetters",
    "stream": "StreamDeadLetters",
}
WAIT_S = 1
"""Seconds a read waits: with any wait SQS asks every server of a queue, with none only a sample."""
_NOT_HELD: Final = frozenset(
    {"InvalidParameterValue", "ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight"}
)
HOLD_S: Final = 120
"""How long a letter that is being looked at is hidden from others, should this program die."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was given up. `work` is None where it is no work message; `fault` says why not."""

    id: str
    body: str
    sent_at: datetime
    received: int
    receipt: str
    work: Work | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue has: waiting, being worked on, and put off."""

    waiting: int
    in_flight: int
    delayed: int


def depth(sqs: Any, url: str) -> Depth:
    """The approximate counts of a queue."""
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return Depth(*(int(found.get(name, 0)) for name in names))


def attempts(sqs: Any, url: str) -> int | None:
    """How often a queue tries before it gives a message up."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    return int(json.loads(policy)["maxReceiveCount"]) if policy else None


@contextmanager
def held(backend: Backend, name: Name, limit: int) -> Iterator[list[Letter]]:
    """Up to `limit` letters, oldest first, hidden from everybody else meanwhile.

    Those that are still in the list at the end are shown again: take out what was deleted. Looking
    takes nothing away: a dead-letter queue gives up on nothing, however often it is read.
    """
    url = backend.outputs[LETTERS[name]]
    letters: list[Letter] = []
    try:
        while len(letters) < limit:
            batch = _receive(backend.sqs, url, min(10, limit - len(letters)))
            letters.extend(batch)
            if not batch:
                break
        letters.sort(key=lambda letter: letter.sent_at)
        yield letters
    finally:
        for letter in letters:
            _release(backend.sqs, url, letter)


def _receive(sqs: Any, url: str, number: int) -> list[Letter]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=number,
        VisibilityTimeout=HOLD_S,
        WaitTimeSeconds=WAIT_S,
        MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
    )
    return [_letter(message) for message in answer.get("Messages", [])]


def _letter(message: Mapping[str, Any]) -> Letter:
    attributes = message.get("Attributes", {})
    work: Work | None = None
    fault: str | None = None
    try:
        work = parse_work(message["Body"])
    except InvalidInputError as error:
        fault = str(error)
    return Letter(
        id=message["MessageId"],
        body=message["Body"],
        sent_at=datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC),
        received=int(attributes.get("ApproximateReceiveCount", 0)),
        receipt=message["ReceiptHandle"],
        work=work,
        fault=fault,
    )


def _release(sqs: Any, url: str, letter: Letter) -> None:
    try:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)
    except ClientError as error:
        # The hold ran out while a person read: it is visible already.
        if error.response["Error"]["Code"] not in _NOT_HELD:
            raise


def replay(backend: Backend, name: Name, letter: Letter) -> None:
    """Put a letter back on its queue, then remove it here: between the two it is twice, never nowhere.

    Doing a work message twice does it once, so a crash in between harms nothing.

    Raises:
        ValueError: it is no work message.
    """
    if letter.work is None or name not in SOURCES:
        raise ValueError("only work messages are replayed")
    backend.queue.send(letter.work)
    backend.sqs.delete_message(QueueUrl=backend.outputs[LETTERS[name]], ReceiptHandle=letter.receipt)


def kept_because(backend: Backend, letter: Letter) -> str | None:
    """Why replaying a letter would do no good now; None where it may go."""
    if letter.work is None:
        return f"it is no work message ({letter.fault}) and would only come back"
    tenant = backend.platform.get_tenant(letter.work.tenant_id)
    if tenant is None:
        return "its tenant does not exist: the dispatcher would drop it"
    if tenant.status != "active":
        return f"its tenant is {tenant.status}: the dispatcher would drop it. Resume the tenant first"
    return None


def why(backend: Backend, letter: Letter) -> str | None:
    """Why it was given up, as far as the records say; None where they do not."""
    work = letter.work
    if work is None:
        return letter.fault
    tenant = backend.platform.get_tenant(work.tenant_id)
    if tenant is None or tenant.status != "active":
        return "the tenant does not exist" if tenant is None else f"the tenant is {tenant.status}"
    store = backend.tenant(work.tenant_id)
    if work.kind == "job.run":
        job = store.jobs.get(work.body.get("job_id", ""))
        return "the job does not exist" if job is None else job.error or f"the job is {job.state}"
    connection = store.connections.get(work.connection_id) if work.connection_id else None
    if connection is None:
        return "the connection does not exist" if work.connection_id else None
    if connection.attention:
        return f"{connection.attention} {connection.remedy or ''}".strip()
    failed = [run for run in store.runs.list(connection.id, 5).items if run.error]
    return f"run {failed[0].id}: {failed[0].error}" if failed else None
