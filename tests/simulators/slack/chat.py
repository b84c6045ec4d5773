"""Messages of an app to people, and what comes back when somebody presses a button.

Sources: docs.slack.dev, methods `conversations.open` and `chat.postMessage` (scopes, refusals, 50 blocks),
"Block Kit" (lengths), "Handling user interaction": a signed form with one field, `payload`, which is to be
answered within three seconds; `response_url`.
"""

import http.client
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.simulators.google.wire import Request, Response

from .access import Gate
from .events import sign
from .wire import SlackError, ok

BLOCKS, ACTION_ID, VALUE, BUTTON = 50, 255, 2000, 75
ANSWERS = 5
PATIENCE_S = 3.0


@dataclass(slots=True)
class Posted:
    """A message as its reader sees it."""

    channel: str
    ts: str
    user: str
    team: str
    client_id: str
    text: str
    whole: bool = False
    blocks: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What came to its `response_url`; where it said so, the blocks are those of the last."""

    def buttons(self) -> list[dict[str, Any]]:
        """What can be pressed."""
        return [e for b in self.blocks if b["type"] == "actions" for e in b["elements"]]


class Chat:
    """Direct messages of bots."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._backs: dict[str, Posted] = {}
        self.posted: list[Posted] = []

    def open(self, request: Request) -> Response:
        """`conversations.open` with one user."""
        with self._gate.world.lock:
            token, arguments = self._gate.enter(request, "conversations.open", "im:write", kinds="bot")
            user = arguments.get("users") or str(self._said(request).get("users", ""))
            member = self._gate.world.members.get(user)
            if member is None or token.team not in ("", *member.teams):
                raise SlackError("user_not_found")
            return ok(channel={"id": self._direct(member.id)})

    def post(self, request: Request) -> Response:
        """`chat.postMessage` to somebody: a user's id opens the direct message."""
        with self._gate.world.lock:
            token, _ = self._gate.enter(request, "chat.postMessage", "chat:write", kinds="bot")
            said = self._said(request)
            channel = str(said.get("channel", ""))
            members = self._gate.world.members.values()
            member = next((m for m in members if channel in (m.id, self._direct(m.id))), None)
            if member is None or member.deleted:
                raise SlackError("channel_not_found")
            blocks = self._blocks(said.get("blocks") or [])
            if not blocks and not said.get("text"):
                raise SlackError("no_text")
            with self._lock:
                ts = f"{self._gate.world.clock.now():.0f}.{len(self.posted):06d}"
                team = token.team or min(member.teams)
                made = Posted(
                    channel=self._direct(member.id),
                    ts=ts,
                    user=member.id,
                    team=team,
                    client_id=token.client_id,
                    text=str(said.get("text", "")),
                    whole=not token.team,
                    blocks=blocks,
                )
                self.posted.append(made)
            return ok(channel=made.channel, ts=ts, message={"text": made.text, "blocks": blocks})

    def answer(self, request: Request, *_where: str) -> Response:
        """A POST to a `response_url`: a text in place of the message or beside it, five times at most."""
        with self._lock:
            message = self._backs.get(request.path)
            if message is None or len(message.answers) >= ANSWERS:
                return Response(404, b"expired_url")
            said = request.json()
            message.answers.append(said)
            if said.get("replace_original") is True:
                message.blocks = self._blocks(said.get("blocks") or [])
            return Response(200, b"ok")

    @staticmethod
    def _direct(user: str) -> str:
        return f"D{user[1:]}"

    @staticmethod
    def _said(request: Request) -> dict[str, Any]:
        if "json" in request.headers.get("content-type", ""):
            return request.json()
        return dict(request.form())

    @staticmethod
    def _blocks(blocks: Any) -> list[dict[str, Any]]:
        """The blocks, if Slack would take them."""
        if isinstance(blocks, str):
            blocks = json.loads(blocks)
        if not isinstance(blocks, list) or len(blocks) > BLOCKS:
            raise SlackError("invalid_blocks")
        seen: set[str] = set()
        for block in blocks:
            for element in block.get("elements", ()) if block.get("type") == "actions" else ():
                name = element.get("action_id", "")
                fits = len(name) <= ACTION_ID and len(element.get("value", "")) <= VALUE
                if not fits or name in seen or len(element["text"]["text"]) > BUTTON:
                    raise SlackError("invalid_blocks")
                seen.add(name)
        return blocks

    def press(self, user: str, action: str, address: str, *, by: str = "", ts: str = "") -> tuple[int, str]:
        """Somebody presses a button of the last message to `user` (`by` somebody else); what was answered.

        Raises:
            ValueError: there is no such message or button.
        """
        world = self._gate.world
        mine = [one for one in self.posted if one.user == user and (not ts or one.ts == ts)]
        found = [(one, b) for one in mine[-1:] for b in one.buttons() if b["action_id"] == action]
        if not found:
            raise ValueError(f"no button {action}")
        message, button = found[0]
        client = self._gate.tokens.clients[message.client_id]
        back = f"/actions/{message.team}/1/{secrets.token_urlsafe(12)}"
        self._backs[back] = message
        payload = {
            "type": "block_actions",
            "team": {"id": message.team},
            "enterprise": {"id": world.enterprise_id} if world.enterprise_id else None,
            "is_enterprise_install": message.whole,
            "user": {"id": by or user, "team_id": message.team},
            "api_app_id": client.app_id,
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
            "response_url": f"https://hooks.slack.com{back}",
            "actions": [
                {
                    "type": "button",
                    "action_id": action,
                    "value": button.get("value", ""),
                    "action_ts": f"{world.clock.now():.6f}",
                }
            ],
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = int(world.clock.now())
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PATIENCE_S)
        try:
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Slack-Request-Timestamp": str(stamp),
                "X-Slack-Signature": sign(client.signing_secret, stamp, body),
            }
            connection.request("POST", parts.path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        finally:
            connection.close()
