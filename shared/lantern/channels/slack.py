"""Slack: `chat.postMessage` by the bot of the tenant's Slack connection.

Source: docs.slack.dev, method reference of chat.postMessage: scope `chat:write`; a user id as `channel` opens
the direct message; refusals are words in a 200 answer; about one message a second and channel.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import requests
from urllib3.exceptions import HTTPError

from lantern.channels.protocol import Sent
from lantern.channels.webhook import retry_after
from lantern.domain.messages import Outgoing

API: Final = "https://slack.com/api"
_TIMEOUT_S: Final = (4.0, 10.0)
_LATER: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
_ANSWER_BYTES: Final = 64 * 1024


def new_session() -> requests.Session:
    """A session that reads nothing from its surroundings: no proxies, no .netrc."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass(frozen=True, slots=True)
class SlackChannel:
    """Posts messages. `session` reads nothing from its surroundings."""

    session: requests.Session
    base: str = API

    def send(self, message: Outgoing) -> Sent:
        """Post one message; `reference` is its channel and time stamp, by which it can be changed."""
        body = {
            "channel": message.to,
            "text": _escaped(message.text),
            "blocks": json.loads(message.payload),
            # Names are literal text: no link, mention or preview comes of them.
            "mrkdwn": False,
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        try:
            answer = self.session.post(
                f"{self.base}/chat.postMessage",
                json=body,
                headers={"Authorization": f"Bearer {bot_token(message.secret)}"},
                timeout=_TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            )
            with answer:
                said = _json(answer.raw.read(_ANSWER_BYTES, decode_content=True))
        except (requests.RequestException, HTTPError):
            # Reading the raw answer raises urllib3's own errors.
            return Sent("retry", detail="unreachable")
        status, wait = answer.status_code, answer.headers.get("Retry-After", "")
        if status == 429 or status >= 500:
            return Sent("retry", status, f"status_{status}", retry_after(wait, message.at))
        if said.get("ok") is True:
            return Sent("sent", status, reference=f"{said.get('channel', '')}/{said.get('ts', '')}"[:100])
        word = said.get("error")
        detail = word if isinstance(word, str) and word.isidentifier() else f"status_{status}"
        later = detail in _LATER or not said
        return Sent("retry" if later else "refused", status, detail[:60], retry_after(wait, message.at))


def bot_token(secret: str) -> str:
    """The bot's token in the sealed text of a Slack connection, or that text itself."""
    try:
        found = json.loads(secret)
    except ValueError:
        return secret
    token = found.get("bot") if isinstance(found, dict) else None
    return token if isinstance(token, str) else secret


def _json(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _escaped(text: str) -> str:
    """Slack's three control characters (docs.slack.dev, "Formatting message text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
