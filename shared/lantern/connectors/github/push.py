"""Verification of GitHub's web hooks. Needs the standard library only: the web hook imports it.

GitHub signs the raw body with the secret of our app's web hook (`X-Hub-Signature-256`, HMAC with SHA-256);
the older SHA-1 header alone is not believed. It delivers once and never again by itself: what was lost is
found in the list of deliveries (see `changes`). Of every organisation the deliveries come to one address, so
the signed body names the organisation.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lantern.connectors.github.normalize import ORGANISATION
from lantern.connectors.protocol import Hint
from lantern.connectors.pushing import BODY_LIMIT, Known, PushRefusedError, PushRequest, Receipt, Told

_SIGNATURE: Final = re.compile(r"sha256=[0-9a-f]{64}", re.ASCII)
_DELIVERY: Final = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)
_ABOUT_ALL: Final = frozenset({"installation", "installation_repositories", "installation_target"})
_ABOUT_MEMBERS: Final = frozenset({"member_added", "member_removed"})


def signature(secret: str, body: bytes) -> str:
    """What `X-Hub-Signature-256` says of a body."""
    return "sha256=" + hmac.new(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest()


def receive(request: PushRequest, known: Known, now: datetime) -> Receipt:  # noqa: ARG001 - carries no time
    """Check a delivery and read what it hints at. Events that change no inventory hint at nothing.

    Raises:
        PushRefusedError: it is not to be believed.
    """
    if len(request.body) > BODY_LIMIT:
        raise PushRefusedError("too_large")
    given = request.headers
    said = given.get("x-hub-signature-256", "")
    expected = signature(known.signing_secret(), request.body)
    if not _SIGNATURE.fullmatch(said) or not hmac.compare_digest(said, expected):
        raise PushRefusedError("bad_token")
    event, delivery = given.get("x-github-event", ""), given.get("x-github-delivery", "")
    if not event or not _DELIVERY.fullmatch(delivery):
        raise PushRefusedError("malformed")
    if event in ("ping", "push"):  # a push comes with every commit: not even looked at
        return Receipt()
    try:
        body: Any = json.loads(request.body)
    except (ValueError, RecursionError):
        raise PushRefusedError("malformed") from None
    if not isinstance(body, dict):
        raise PushRefusedError("malformed")
    hint = hint_of(event, body, delivery)
    organisation = organisation_of(body)
    if hint is None or organisation is None:
        return Receipt()
    return Receipt((Told((hint,), organisation, delivery),))


def organisation_of(body: Mapping[str, Any]) -> str | None:
    """The immutable id of the organisation that a delivery is about; None where it is about none."""
    identifier = _id(body.get("organization"))
    if identifier is not None:
        return identifier
    installation = body.get("installation")
    account = installation.get("account") if isinstance(installation, Mapping) else body.get("account")
    if isinstance(account, Mapping) and account.get("type") == "Organization":
        return _id(account)
    return None


def hint_of(event: str, body: Mapping[str, Any], delivery: str) -> Hint | None:
    """Whose access a delivery says may have changed; None where it is nobody's."""
    action = body.get("action")
    named = f"{event}.{action}" if isinstance(action, str) else event
    native_id: str | None = None
    if event in _ABOUT_ALL or (event == "organization" and action in ("renamed", "deleted")):
        native_id = ORGANISATION
    elif event == "organization" and action in _ABOUT_MEMBERS:
        native_id = _id(_part(body, "membership", "user"))
    elif event == "member":
        native_id = _id(body.get("member"))
    elif event == "personal_access_token_request":
        native_id = _id(_part(body, "personal_access_token_request", "owner"))
    return Hint(native_id=native_id, event=named[:100], event_id=delivery) if native_id else None


def _part(body: Mapping[str, Any], *names: str) -> Any:
    value: Any = body
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _id(row: Any) -> str | None:
    value = row.get("id") if isinstance(row, Mapping) else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
