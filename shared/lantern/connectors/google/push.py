"""Verification of Google's push messages. Needs the standard library only: the web hook imports it.

Google signs nothing: a message is known by its channel id and the secret token we gave that channel
(Reports API "Push notifications" guide). So it is a hint at most: it makes us read again.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any, Final

from lantern.connectors.google import normalize
from lantern.connectors.protocol import Hint
from lantern.connectors.pushing import BODY_LIMIT, Known, PushRefusedError, PushRequest, Receipt, Told

GRACE: Final = timedelta(minutes=5)
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


def token_hash(secret: str) -> str:
    """How the secret of a channel is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def receive(request: PushRequest, known: Known, now: datetime) -> Receipt:
    """Check a message and read what it hints at. The first of a channel (`sync`) hints at nothing.

    Raises:
        PushRefusedError: it is not to be believed.
    """
    if len(request.body) > BODY_LIMIT:
        raise PushRefusedError("too_large")
    given = request.headers
    channel_id = given.get("x-goog-channel-id", "")
    channel = known.channel(channel_id) if channel_id else None
    # Compared even where the channel is unknown, so that both take the same time.
    expected = channel.secret_sha256 if channel else _NOBODY
    told = hmac.compare_digest(token_hash(given.get("x-goog-channel-token", "")), expected)
    if channel is None:
        raise PushRefusedError("unknown_channel")
    if not told or (channel.resource_id and given.get("x-goog-resource-id") != channel.resource_id):
        raise PushRefusedError("bad_token")
    if now > channel.expires_at + GRACE:
        raise PushRefusedError("expired")
    number, state = given.get("x-goog-message-number", ""), given.get("x-goog-resource-state", "")
    if not state or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise PushRefusedError("malformed")
    if state == "sync":
        return Receipt()
    message = f"{channel.id}#{number}"
    return Receipt((Told(_hints(request.body, state, message), message_id=message),))


def _hints(raw: bytes, state: str, message: str) -> tuple[Hint, ...]:
    """A message of the Reports API has activities, one of the Directory API an account."""
    try:
        body: Any = json.loads(raw)
        account = normalize.account_hint(body, state, message)
        if account:
            return (account,)
        rows = body["items"] if isinstance(body, dict) and "items" in body else [body]
        if not isinstance(rows, list):
            raise PushRefusedError("malformed")
        return normalize.hints(event for row in rows for event in normalize.events(row))
    except (ValueError, RecursionError):
        raise PushRefusedError("malformed") from None
