"""Work messages on SQS: one JSON object each, the tenant as message group."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lantern.domain import ids
from lantern.domain.errors import InvalidInputError
from lantern.domain.work import MAX_HOPS, ROUTES, Queue, Work, WorkKind

MAX_DELAY_S: Final = 900
_BODY_VALUE: Final = 2_000
_CONNECTION_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_REMEDY: Final = "Replay the message as Lantern wrote it, or delete it."


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The message as it travels."""

    tenant_id: str
    kind: WorkKind
    connection_id: str | None = None
    body: dict[str, str] = {}
    hop: int = 0
    cause: str = "system"
    delivery: str = ""


def encode_work(work: Work) -> str:
    """A work message as JSON text; the schedules that EventBridge fires are built by it too."""
    wire = _Wire(
        tenant_id=work.tenant_id,
        kind=work.kind,
        connection_id=work.connection_id,
        body=dict(work.body),
        hop=work.hop,
        cause=work.cause,
        delivery=work.delivery,
    )
    return msgspec.json.encode(wire).decode()


def parse_work(body: str) -> Work:
    """A work message from JSON text, checked: whatever is on a queue may have been put there by hand.

    Raises:
        InvalidInputError: it is no work message; names the field.
    """
    try:
        wire = msgspec.json.decode(body, type=_Wire)
    except msgspec.ValidationError as error:
        raise InvalidInputError("message", f"{error}. {_REMEDY}") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidInputError("message", f"It is not JSON. {_REMEDY}") from error
    if not ids.is_tenant_id(wire.tenant_id):
        raise InvalidInputError("tenant_id", f"It is no tenant id. {_REMEDY}")
    if wire.connection_id is not None and not _CONNECTION_ID.fullmatch(wire.connection_id):
        raise InvalidInputError("connection_id", f"It is no connection id. {_REMEDY}")
    if not 0 <= wire.hop <= MAX_HOPS:
        raise InvalidInputError("hop", f"A chain has at most {MAX_HOPS} hops. {_REMEDY}")
    if any(len(name) > 80 or len(value) > _BODY_VALUE for name, value in wire.body.items()):
        raise InvalidInputError("body", f"It holds small identifiers only. {_REMEDY}")
    return Work(wire.tenant_id, wire.kind, wire.connection_id, wire.body, wire.hop, wire.cause, wire.delivery)


class WorkQueue:
    """Sends work messages.

    Args:
        client: botocore SQS client.
        urls: address of each queue.
    """

    def __init__(self, client: Any, urls: Mapping[Queue, str]) -> None:
        self._client = client
        self._urls = urls

    def send(self, work: Work, delay_s: int = 0) -> None:
        """Put one message on the queue of its kind, not visible for `delay_s` seconds (0 to 900).

        The message group makes the queue fair: SQS sees which tenant has how much in flight.
        """
        self._client.send_message(
            QueueUrl=self._urls[ROUTES[work.kind][0]],
            MessageBody=encode_work(work),
            MessageGroupId=work.tenant_id,
            DelaySeconds=max(0, min(delay_s, MAX_DELAY_S)),
        )
