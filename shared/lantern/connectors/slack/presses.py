"""Buttons pressed in Slack: the payload of an interaction, read. Standard library only, see `push`.

Slack posts a form with one field, `payload`, to one address for all workspaces, signed like its events, and
wants an answer within three seconds ("Handling user interaction in your Slack apps"). What is read here is
only who says what: whether that person may say it is decided where the question is known.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from lantern.connectors.pushing import Receipt, Reply

ADDRESS: Final = "interactions"
"""The last part of the address that Slack posts to."""
PREFIX: Final = "nudge."
_LONGEST: Final = 200
_HOST: Final = "hooks.slack.com"


def read(body: bytes, unreadable: Receipt) -> Receipt:
    """What a verified interaction says; what is no press of ours says nothing, and is acknowledged.

    Args:
        body: the form as it was signed.
        unreadable: the answer to what is no form of Slack's.
    """
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=4)
        payload: Any = json.loads(fields["payload"][0]) if len(fields.get("payload", ())) == 1 else None
    except (ValueError, RecursionError):
        return unreadable
    if not isinstance(payload, dict):
        return unreadable
    if payload.get("type") != "block_actions":
        return Receipt()
    press = _press(payload)
    return Receipt() if press is None else Receipt(replies=(press,))


def _press(payload: Mapping[str, Any]) -> Reply | None:
    actions = payload.get("actions")
    action = actions[0] if isinstance(actions, list) and len(actions) == 1 else None
    if not isinstance(action, dict):
        return None
    organisation = _organisation(payload)
    user = _text(_inner(payload, "user").get("id"))
    answer, nudge = _text(action.get("action_id")), _text(action.get("value"))
    if not (organisation and user and nudge and answer and answer.startswith(PREFIX)):
        return None  # a button that opens a page, or somebody else's
    said = {"nudge_id": nudge, "answer": answer.removeprefix(PREFIX), "user": user}
    back = payload.get("response_url")
    if isinstance(back, str) and is_slack(back):
        said["back"] = back
    moment = f"{organisation}#{user}#{nudge}#{answer}#{action.get('action_ts')}"
    return Reply(organisation, hashlib.sha256(moment.encode("utf-8", "replace")).hexdigest(), said)


def is_slack(url: str) -> bool:
    """Whether an address that an interaction brings is one of Slack's own, and may be answered to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        len(url) <= 1_000
        and url.isascii()
        and parts.scheme == "https"
        and parts.netloc == _HOST
        and port is None
    )


def _organisation(payload: Mapping[str, Any]) -> str | None:
    """Under which id the organisation is connected: its own where Lantern is installed on all of it."""
    inner = "enterprise" if payload.get("is_enterprise_install") is True else "team"
    return _text(_inner(payload, inner).get("id"))


def _inner(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = payload.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None
