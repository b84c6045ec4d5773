"""Verification of Google's push messages. Needs the standard library only: the web hook imports it.

Google signs nothing: a message is known by its channel id and the secret token we gave that channel
(Reports API "Push notifications" guide). So it is a hint at most: it makes us read again.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from lantern.connectors.google import normalize
from lantern.connectors.protocol import Hint
from lantern.domain.errors import LanternError

BODY_LIMIT: Final = 1024 * 1024
GRACE: Final = timedelta(minutes=5)
_NOBODY: Final = hashlib.sha256(b"").hexdigest()

Refused = Literal["unknown_channel", "bad_token", "expired", "too_large", "malformed"]


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A channel we opened; `token_sha256` is the hex digest of the secret given to Google."""

    id: str
    token_sha256: str = field(repr=False)
    expires_at: datetime
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A verified message. `sync` is the first of a channel and carries nothing."""

    channel_id: str
    sync: bool
    message_number: int
    hints: tuple[Hint, ...]
    event_keys: tuple[str, ...]


class PushRefusedError(LanternError):
    """A message that is not from a channel of ours, or not readable. `reason` is a short stable word."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(reason)
        self.reason = reason


def token_hash(secret: str) -> str:
    """How the secret of a channel is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def verify(
    headers: Mapping[str, str],
    raw_body: bytes,
    *,
    lookup: Callable[[str], KnownChannel | None],
    now: datetime,
) -> Notification:
    """Check a message and read what it hints at.

    Args:
        headers: as received; names in any case.
        raw_body: the bytes as received.
        lookup: the channel of an id, or None. Not called before the body's size is known to be fair.
        now: the time, aware.

    Raises:
        PushRefusedError: it is not to be believed.
    """
    if len(raw_body) > BODY_LIMIT:
        raise PushRefusedError("too_large")
    given = {name.lower(): value for name, value in headers.items() if name.lower().startswith("x-goog-")}
    channel_id = given.get("x-goog-channel-id", "")
    channel = lookup(channel_id) if channel_id else None
    # Compared even where the channel is unknown, so that both take the same time.
    expected = channel.token_sha256 if channel else _NOBODY
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
        return Notification(channel.id, sync=True, message_number=int(number), hints=(), event_keys=())
    events = _events(raw_body)
    return Notification(
        channel_id=channel.id,
        sync=False,
        message_number=int(number),
        hints=normalize.hints(events),
        event_keys=tuple(dict.fromkeys(event.key for event in events)),
    )


def _events(raw: bytes) -> list[normalize.Event]:
    try:
        body: Any = json.loads(raw)
        rows = body["items"] if isinstance(body, dict) and "items" in body else [body]
        if not isinstance(rows, list):
            raise PushRefusedError("malformed")
        return [event for row in rows for event in normalize.events(row)]
    except (ValueError, RecursionError):
        raise PushRefusedError("malformed") from None
