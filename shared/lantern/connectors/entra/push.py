"""Verification of Graph's change notifications. Needs the standard library only: the web hook imports it.

Graph signs nothing that we subscribe to: an item is known by the channel's address and by its `clientState`,
the secret we gave that channel's subscription ("Receive change notifications through webhooks"). So it is a
hint at most: it makes us read again. We subscribe to nothing with resource data, so a message that brings the
tokens that go with it (`validationTokens`) is none of ours, whatever those say.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from lantern.connectors.protocol import Hint
from lantern.connectors.pushing import (
    BODY_LIMIT,
    CHANNEL_LOST,
    Known,
    KnownChannel,
    PushRefusedError,
    PushRequest,
    Receipt,
    Told,
)

GRACE: Final = timedelta(minutes=5)
_NOBODY: Final = hashlib.sha256(b"").hexdigest()
_MOST_ITEMS: Final = 1000
_TOKEN_LIMIT: Final = 2000
_ACCEPTED: Final = 202
_BUCKET_S: Final = 300


def receive(request: PushRequest, known: Known, now: datetime) -> Receipt:
    """Echo a validation, or check a message item by item and read what it hints at.

    Items that are not this channel's are left out; a message without any that is, is refused.

    Raises:
        PushRefusedError: it is not to be believed.
    """
    if len(request.body) > BODY_LIMIT:
        raise PushRefusedError("too_large")
    channel = known.channel(known.channel_id) if known.channel_id else None
    if "validationToken" in request.query:
        return _echo(request, channel, now)
    items = _items(request.body)
    # Compared even where the channel is unknown, so that both take the same time.
    mine = [item for item in items if _believed(item, channel)]
    if channel is None:
        raise PushRefusedError("unknown_channel")
    if not mine:
        raise PushRefusedError("bad_token")
    if now > channel.expires_at + GRACE:
        raise PushRefusedError("expired")
    hints = tuple(hint for item in mine if (hint := _hint(item, now)))
    return Receipt((Told(hints),) if hints else (), status=_ACCEPTED)


def _echo(request: PushRequest, channel: KnownChannel | None, now: datetime) -> Receipt:
    """The answer to "is this address yours?": the token as plain text, for a channel that we opened."""
    token = request.query["validationToken"]
    if channel is None:
        raise PushRefusedError("unknown_channel")
    if now > channel.expires_at + GRACE:
        raise PushRefusedError("expired")
    if request.method != "POST" or not 0 < len(token) <= _TOKEN_LIMIT or not token.isprintable():
        raise PushRefusedError("malformed")
    return Receipt(body=token)


def _items(raw: bytes) -> list[Mapping[str, Any]]:
    try:
        body: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise PushRefusedError("malformed") from None
    rows = body.get("value") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows or len(rows) > _MOST_ITEMS or body.get("validationTokens"):
        raise PushRefusedError("malformed")
    if not all(isinstance(row, dict) for row in rows):
        raise PushRefusedError("malformed")
    return rows


def _believed(item: Mapping[str, Any], channel: KnownChannel | None) -> bool:
    """Whether an item carries the channel's secret and, where that is known, its subscription."""
    said = item.get("clientState")
    given = hashlib.sha256((said if isinstance(said, str) else "").encode("utf-8", "surrogatepass"))
    told = hmac.compare_digest(given.hexdigest(), channel.secret_sha256 if channel else _NOBODY)
    if channel is None or not told:
        return False
    return channel.resource_id is None or item.get("subscriptionId") == channel.resource_id


def _hint(item: Mapping[str, Any], now: datetime) -> Hint | None:
    """What a believed item hints at.

    Of a lifecycle event, `subscriptionRemoved` has the channel opened again; any other has changes read, and
    whoever reads them reauthorises the subscription. One that names no account has changes read as well.
    """
    event = item.get("lifecycleEvent")
    key = _key(item, now)
    if event is not None:
        lost = event == "subscriptionRemoved"
        return Hint(event=CHANNEL_LOST if lost else "lifecycle", event_id=key)
    data = item.get("resourceData")
    native_id = data.get("id") if isinstance(data, dict) else None
    named = native_id if isinstance(native_id, str) and 0 < len(native_id) <= 64 else None
    return Hint(native_id=named, event=str(item.get("changeType"))[:40], event_id=key)


def _key(item: Mapping[str, Any], now: datetime) -> str:
    """What repetitions of an item are known by.

    Its content; where that has nothing of the moment, five minutes make a new event.
    """
    plain = {name: value for name, value in item.items() if name != "clientState"}
    data = item.get("resourceData")
    moment = {"eventTime", "sequenceNumber", "@odata.etag"} & set(data if isinstance(data, dict) else ())
    if not moment and not item.get("id"):
        plain["_"] = int(now.timestamp()) // _BUCKET_S
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
