"""A changed item of the tenants' table → the message it stands for; and the batch that carries such changes.

The router sees the changes of every tenant, so it may do two things only: send messages, and delete
outbox items (its role's `dynamodb:LeadingKeys` end in `#OUTBOX`). Deleting what was sent is what lets a
repair find what was not; a tenant role would cost an AssumeRole per tenant and could read everything.

No PynamoDB and no pydantic: this runs for every decision and every hint.
"""

import base64
import logging
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import unquote_plus

from lantern.domain.errors import InvalidInputError
from lantern.domain.ids import is_tenant_id
from lantern.domain.work import Work
from lantern.services.queue import parse_work

log = logging.getLogger(__name__)

_OUTBOX: Final = re.compile(r"T#([a-z0-9]{20})#OUTBOX")
_BUNDLES: Final = re.compile(r"T#([a-z0-9]{20})#C#([^#]+)#P")
_DROP: Final = re.compile(r"([a-z0-9]{20})/(imp_[0-9a-v]{1,60})")
_BUNDLE_KINDS: Final = frozenset({"bundle", "bundle_cut"})
_HINTED: Final = frozenset({"hint", "act"})
_ZLIB: Final = b"\x78"
"""First byte of a compressed body (`lantern.store.records.pack`); no JSON starts with it."""


class ItemKey(NamedTuple):
    """The key of an item of the tenants' table."""

    pk: str
    sk: str


class Table(Protocol):
    """`dynamodb:DeleteItem`, as botocore names it."""

    def delete_item(self, **kwargs: Any) -> Any:
        """Remove one item."""
        ...


def key(record: Mapping[str, Any]) -> ItemKey:
    """The key of the item a stream record is about."""
    keys = record["dynamodb"]["Keys"]
    return ItemKey(keys["pk"]["S"], keys["sk"]["S"])


def route(record: Mapping[str, Any]) -> Work | None:
    """The message a stream record stands for; None where it stands for none.

    A new outbox item is the message it holds. A bundle written because of a hint or an act is scored at
    once; one written by a run is not: a run is scored once, when it is complete.

    Raises:
        InvalidInputError: an outbox item holds no message, or one of another tenant.
    """
    image = record["dynamodb"].get("NewImage")
    if image is None:
        return None
    kind = image.get("kind", {}).get("S")
    if kind == "outbox" and record["eventName"] == "INSERT":
        return _message(key(record), image)
    if kind in _BUNDLE_KINDS and image.get("cause", {}).get("S") in _HINTED:
        return _changed_bundle(key(record), image["cause"]["S"], image.get("apps", {}).get("S"))
    return None


def _message(at: ItemKey, image: Mapping[str, Any]) -> Work:
    raw = image["body"]["B"]
    body = raw if isinstance(raw, bytes) else base64.b64decode(raw)
    work = parse_work((zlib.decompress(body) if body[:1] == _ZLIB else body).decode())
    match = _OUTBOX.fullmatch(at.pk)
    if match is None or match[1] != work.tenant_id:
        raise InvalidInputError("tenant_id", "The message is in the outbox of another tenant.")
    return work


def _changed_bundle(at: ItemKey, cause: str, apps: str | None) -> Work | None:
    match = _BUNDLES.fullmatch(at.pk)
    # A `~` marks an overflow part; the main item, written last, speaks for it.
    if match is None or "~" in at.sk or not is_tenant_id(match[1]):
        return None
    # Named here, because an app that was taken away is in no bundle any more when scoring looks.
    body = {"principal": at.sk} | ({"apps": apps} if apps else {})
    return Work(match[1], "score.bundle", match[2], body, cause=cause)


def handle(
    event: Mapping[str, Any], send: Callable[[Work], None], table: Table, table_name: str
) -> dict[str, list[dict[str, str]]]:
    """Send what a batch of stream records stands for, in order; Lambda's partial batch response.

    Lambda repeats from the first record that failed, so work stops there. A message may be sent twice,
    never lost: an outbox item is deleted after it was sent, and where deleting fails it is repeated.
    """
    for record in event["Records"]:
        try:
            work = route(record)
            if work is not None:
                send(work)
                if _is_outbox(record):
                    pk, sk = key(record)
                    table.delete_item(TableName=table_name, Key={"pk": {"S": pk}, "sk": {"S": sk}})
        except Exception as error:
            # Any failure must become the record's, or Lambda would repeat the whole batch.
            number = str(record["dynamodb"]["SequenceNumber"])
            log.error("stream record %s not routed: %s", number, type(error).__name__)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def is_drop(event: Mapping[str, Any]) -> bool:
    """Whether an event is the bucket's: a file has come."""
    return any(record.get("eventSource") == "aws:s3" for record in event.get("Records", ()))


def announce(event: Mapping[str, Any], send: Callable[[Work], None]) -> int:
    """Have each file read that has come; Lambda repeats the whole event where this fails.

    Whose it is stands in the key, which only the tenant's own credentials can write.

    Returns:
        How many files there were.
    """
    sent = 0
    for record in event["Records"]:
        match = _DROP.fullmatch(unquote_plus(record["s3"]["object"]["key"]))
        if match is None:
            log.warning("an object that is no upload was put into the bucket")
            continue
        send(Work(match[1], "import.read", body={"import_id": match[2]}, cause="upload"))
        sent += 1
    return sent


def _is_outbox(record: Mapping[str, Any]) -> bool:
    """Whether the record is about an outbox item."""
    return key(record).pk.endswith("#OUTBOX")
