"""Verification of Slack's Events API messages. Needs the standard library only: the web hook imports it.

Slack signs the raw body with our app's secret ("Verifying requests from Slack"). A message names the
workspace or organisation it is about; a hint at most comes of it, which makes us read again.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lantern.connectors.protocol import Hint
from lantern.connectors.pushing import BODY_LIMIT, Known, PushRefusedError, PushRequest, Receipt, Told
from lantern.connectors.slack import commands, presses

TOLERANCE_S: Final = 300
VERSION: Final = "v0"
_CHALLENGE_LIMIT: Final = 1000
_ACCOUNT_EVENTS: Final = frozenset({"team_join", "user_change"})
_ACCESS_EVENTS: Final = frozenset({"app_uninstalled", "tokens_revoked"})
UNREADABLE: Final = Receipt(status=400, headers={"X-Slack-No-Retry": "1"})
"""What is signed and still makes no sense: sent again, it would make no more."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a body sent at a time (epoch seconds as text)."""
    message = b":".join((VERSION.encode(), timestamp.encode("utf-8", "surrogatepass"), body))
    return f"{VERSION}={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"


def receive(request: PushRequest, known: Known, now: datetime) -> Receipt:
    """Check a message and read what it hints at. Slack's first one asks for its challenge back.

    Raises:
        PushRefusedError: it is not to be believed.
    """
    if len(request.body) > BODY_LIMIT:
        raise PushRefusedError("too_large")
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    given = request.headers.get("x-slack-signature", "")
    if not given or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise PushRefusedError("bad_token")
    expected = signature(known.signing_secret(), timestamp, request.body)
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass")):
        raise PushRefusedError("bad_token")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        raise PushRefusedError("expired")
    if known.channel_id == presses.ADDRESS:
        return presses.read(request.body, UNREADABLE)
    if known.channel_id == commands.ADDRESS:
        return commands.read(request.body, UNREADABLE)
    try:
        body: Any = json.loads(request.body)
    except (ValueError, RecursionError):
        return UNREADABLE
    return _read(body) if isinstance(body, dict) else UNREADABLE


def _read(body: Mapping[str, Any]) -> Receipt:
    match body.get("type"):
        case "url_verification":
            challenge = body.get("challenge")
            if not isinstance(challenge, str) or len(challenge) > _CHALLENGE_LIMIT:
                return UNREADABLE
            return Receipt(body=challenge)
        case "event_callback":
            return _event(body)
        case "app_rate_limited":
            minute = body.get("minute_rate_limited")
            hint = Hint(event="app_rate_limited")
            return Receipt(tuple(Told((hint,), one, f"rate#{one}#{minute}") for one in _organisations(body)))
    return Receipt()  # a kind that we never asked for


def _event(body: Mapping[str, Any]) -> Receipt:
    event, event_id = body.get("event"), body.get("event_id")
    if not isinstance(event, dict) or not isinstance(event_id, str) or not event_id:
        return UNREADABLE
    return Receipt(
        tuple(
            Told(hints, one, event_id)
            for one in _organisations(body)
            if (hints := _hints(event, event_id, one))
        )
    )


def _organisations(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Under which ids the organisation may be connected: its own, or that of the workspace.

    A message says which of them Lantern is installed on; one that does not is told to both. What nobody here
    connected is dropped.
    """
    authorizations = body.get("authorizations")
    first = authorizations[0] if isinstance(authorizations, list) and authorizations else None
    if isinstance(first, dict) and isinstance(first.get("is_enterprise_install"), bool):
        found = [first.get("enterprise_id") if first["is_enterprise_install"] else first.get("team_id")]
    else:
        found = [body.get("enterprise_id"), body.get("team_id")]
    return tuple(dict.fromkeys(one for one in found if isinstance(one, str) and one))


def _hints(event: Mapping[str, Any], event_id: str, organisation_id: str) -> tuple[Hint, ...]:
    kind = event.get("type")
    if kind in _ACCOUNT_EVENTS:
        native_id = _account(event.get("user"), organisation_id)
        return (Hint(native_id=native_id, event=str(kind), event_id=event_id),) if native_id else ()
    if kind in _ACCESS_EVENTS:
        # No account is named: the feed is read, and a dead token shows itself there.
        return (Hint(event=str(kind), event_id=event_id),)
    if kind == "app_requested":
        return (Hint(native_id=organisation_id, event=kind, event_id=event_id),)
    return ()


def _account(user: Any, organisation_id: str) -> str | None:
    """The account's id under which it is listed (see `normalize.native_id`)."""
    if not isinstance(user, dict):
        return user if isinstance(user, str) and user else None
    inner = user.get("enterprise_user")
    if isinstance(inner, dict) and inner.get("enterprise_id") == organisation_id:
        found = inner.get("id")
    else:
        found = user.get("id")
    return found if isinstance(found, str) and found else None
