"""Verification of Okta's event hooks. Needs the standard library only: the web hook imports it.

Okta signs nothing: a message is known by the address it comes to and by the secret that we gave that hook,
which comes back in a header ("Event hooks" concept page). So it is a hint at most: it makes us read again.
"""

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.okta.events import event, hint
from lantern.connectors.protocol import Hint
from lantern.connectors.pushing import BODY_LIMIT, Known, PushRefusedError, PushRequest, Receipt, Told

SECRET_HEADER: Final = "X-Lantern-Hook-Secret"  # noqa: S105 - the name of a header
_CHALLENGE_HEADER: Final = "x-okta-verification-challenge"
_CHALLENGE_LIMIT: Final = 512
GRACE: Final = timedelta(minutes=5)
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


def secret_hash(secret: str) -> str:
    """How the secret of a channel is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def receive(request: PushRequest, known: Known, now: datetime) -> Receipt:
    """Check a message and read what it hints at; answer the one-time verification of a new hook.

    Raises:
        PushRefusedError: it is not to be believed.
    """
    if len(request.body) > BODY_LIMIT:
        raise PushRefusedError("too_large")
    channel = known.channel(known.channel_id) if known.channel_id else None
    # Compared even where the channel is unknown, so that both take the same time.
    expected = channel.secret_sha256 if channel else _NOBODY
    told = hmac.compare_digest(secret_hash(request.headers.get(SECRET_HEADER.lower(), "")), expected)
    if channel is None:
        raise PushRefusedError("unknown_channel")
    if now > channel.expires_at + GRACE:
        raise PushRefusedError("expired")
    if request.method == "GET":
        return _verification(request)
    if not told:
        raise PushRefusedError("bad_token")
    if request.method != "POST":
        raise PushRefusedError("malformed")
    return Receipt((Told(_hints(request.body), message_id=hashlib.sha256(request.body).hexdigest()),))


def _verification(request: PushRequest) -> Receipt:
    """Okta asks once, whether we want the hook that was made for this address, by a word to be given back."""
    challenge = request.headers.get(_CHALLENGE_HEADER, "")
    if not challenge or len(challenge) > _CHALLENGE_LIMIT or not challenge.isprintable():
        raise PushRefusedError("malformed")
    body = json.dumps({"verification": challenge})
    return Receipt(content_type="application/json", body=body)


def _hints(raw: bytes) -> tuple[Hint, ...]:
    try:
        body = json.loads(raw)
        rows = body["data"]["events"]
        if not isinstance(rows, list):
            raise PushRefusedError("malformed")
        found = (hint(event(row)) for row in rows)
        return tuple(one for one in found if one is not None)
    except (ValueError, RecursionError, KeyError, TypeError):
        raise PushRefusedError("malformed") from None
