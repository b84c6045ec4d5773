"""Answering to the address that an interaction in Slack brings: replaces the buttons by a text."""

import http.client
import json
import logging
from typing import Final
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5
HOST: Final = "hooks.slack.com"


def tell(url: str, text: str, replace: bool, *, base: str = "") -> bool:  # noqa: FBT001 - a way back has one shape
    """Put a text in place of the message that was pressed, or for who pressed only; False where not taken.

    The address is good for 30 minutes and five answers. It came in a signed message; no other host is spoken
    to, and no redirect is followed. `base` is where Slack is on a laptop, in place of its own host.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.netloc != HOST:
        return False
    # Literal text: a name that somebody chose is no markup here.
    block = {"type": "section", "text": {"type": "plain_text", "text": text[:2_900], "emoji": False}}
    shown = (
        {"replace_original": True} if replace else {"replace_original": False, "response_type": "ephemeral"}
    )
    body = json.dumps({**shown, "text": "Lantern", "blocks": [block]})
    connection = _connection(base)
    try:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        connection.request("POST", parts.path, body.encode(), headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException) as error:
        log.warning("slack not reached: %s", type(error).__name__)
        return False
    finally:
        connection.close()


def _connection(base: str) -> http.client.HTTPConnection:
    if not base:
        return http.client.HTTPSConnection(HOST, timeout=TIMEOUT_S)
    here = urlsplit(base)
    return http.client.HTTPConnection(here.hostname or "", here.port or 80, timeout=TIMEOUT_S)
