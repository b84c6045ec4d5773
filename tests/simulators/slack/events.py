"""Events API: signed deliveries to the app's one address, at least once, repeated as Slack does.

Three repetitions: at once, after a minute, after five (`Settings.pauses_s`, scaled for tests), with
`X-Slack-Retry-Num` and `X-Slack-Retry-Reason`; an answer with `X-Slack-No-Retry: 1` ends them.
"""

import hashlib
import hmac
import http.client
import json
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .model import SlackClient
from .oauth import Tokens
from .world import World


@dataclass(slots=True)
class Settings:
    """How deliveries go; `duplicate` sends everything twice."""

    pauses_s: tuple[float, ...] = (0.0, 0.05, 0.2)
    timeout_s: float = 3.0
    duplicate: bool = False


@dataclass(slots=True)
class Delivery:
    """One message on its way."""

    client: SlackClient
    address: str
    body: bytes
    attempt: int = 0
    reason: str = ""
    due: float = 0.0
    outcomes: list[str] = field(default_factory=list)


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Slack's signature of a body."""
    base = b"v0:" + str(timestamp).encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class Events:
    """Builds envelopes and delivers them from one worker thread."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self.settings = Settings()
        self.log: deque[dict[str, Any]] = deque(maxlen=1000)
        self._world = world
        self._tokens = tokens
        self._addresses: dict[str, str] = {}
        self._ready = threading.Condition()
        self._queue: list[Delivery] = []
        self._busy = 0
        self._stopping = False
        self._thread: threading.Thread | None = None

    def subscribe(self, client: SlackClient, address: str) -> str:
        """Enter a request URL: it must answer Slack's challenge. What it answered."""
        challenge = secrets.token_urlsafe(24)
        body = json.dumps({"token": "x", "challenge": challenge, "type": "url_verification"}).encode()
        _, text = self._send(Delivery(client, address, body))
        if challenge not in text:
            raise ValueError("Your URL didn't respond with the value of the challenge parameter.")
        self._addresses[client.client_id] = address
        return challenge

    def pump(self) -> None:
        """Queue whatever happened in the world."""
        with self._world.lock:
            told, self._world.events = self._world.events, []
            deliveries = [
                Delivery(client, self._addresses[client.client_id], body)
                for one in told
                for client in self._tokens.clients.values()
                if client.client_id in self._addresses
                for body in [self.envelope(client, one)] * (2 if self.settings.duplicate else 1)
            ]
        with self._ready:
            self._queue += deliveries
            if self._thread is None and self._queue:
                self._thread = threading.Thread(target=self._work, name="slack-events", daemon=True)
                self._thread.start()
            self._ready.notify_all()

    def envelope(self, client: SlackClient, told: dict[str, Any]) -> bytes:
        """The outer payload. Events about our own access carry no authorizations (reference pages)."""
        world, event = self._world, told["event"]
        body: dict[str, Any] = {
            "token": "verification",
            "team_id": told["team"],
            "api_app_id": client.app_id,
            "event": {**event, "event_ts": f"{world.clock.now():.6f}"},
            "type": "event_callback",
            "event_id": f"Ev{secrets.token_hex(5).upper()}",
            "event_time": int(world.clock.now()),
        }
        if world.enterprise_id:
            body["enterprise_id"] = world.enterprise_id
        if event["type"] not in {"app_uninstalled", "tokens_revoked"}:
            whole = any(not t.team for t in self._tokens.living(client.client_id))
            body["authorizations"] = [
                {
                    "enterprise_id": world.enterprise_id or None,
                    "team_id": None if whole else told["team"],
                    "user_id": "U0LANTERN00",
                    "is_bot": True,
                    "is_enterprise_install": whole,
                }
            ]
        return json.dumps(body).encode()

    def _work(self) -> None:
        while True:
            with self._ready:
                delivery = self._next()
                if delivery is None:
                    return
                self._busy += 1
            status, _ = self._send(delivery)
            with self._ready:
                self._busy -= 1
                self._settle(delivery, status)
                self._ready.notify_all()

    def _next(self) -> Delivery | None:
        while not self._stopping:
            due = [d for d in self._queue if d.due <= time.monotonic()]
            if due:
                self._queue.remove(due[0])
                return due[0]
            waits = [d.due - time.monotonic() for d in self._queue]
            self._ready.wait(max(0.0, min(waits)) if waits else None)
        return None

    def _send(self, delivery: Delivery) -> tuple[str, str]:
        parts, timestamp = urlsplit(delivery.address), int(self._world.clock.now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": sign(delivery.client.signing_secret, timestamp, delivery.body),
        }
        if delivery.attempt:
            headers |= {"X-Slack-Retry-Num": str(delivery.attempt), "X-Slack-Retry-Reason": delivery.reason}
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=self.settings.timeout_s
        )
        try:
            connection.request("POST", parts.path or "/", delivery.body, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            stopped = response.getheader("X-Slack-No-Retry") == "1"
            return ("stopped " if stopped else "") + str(response.status), text
        except TimeoutError:
            return "http_timeout", ""
        except (OSError, http.client.HTTPException):
            return "connection_failed", ""
        finally:
            connection.close()

    def _settle(self, delivery: Delivery, status: str) -> None:
        kind = json.loads(delivery.body).get("event", {}).get("type")
        self.log.append({"event": kind, "attempt": delivery.attempt, "outcome": status})
        if (
            status.startswith(("2", "stopped"))
            or delivery.attempt >= len(self.settings.pauses_s)
            or self._stopping
        ):
            return
        delivery.due = time.monotonic() + self.settings.pauses_s[delivery.attempt]
        delivery.attempt += 1
        delivery.reason = "http_error" if status.isdigit() else status
        self._queue.append(delivery)

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is under way."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def stop(self) -> None:
        """End the worker."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        if self._thread is not None:
            self._thread.join(self.settings.timeout_s + 1)
