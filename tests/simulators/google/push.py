"""Push channels and their deliveries: asynchronous, at least once, in any order if told so."""

import heapq
import http.client
import json
import random
import threading
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from .clock import Clock
from .filters import matches_filters
from .model import User
from .organisation import Organisation
from .wire import ApiError

DIRECTORY = "directory.users"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
RETRIED = frozenset({500, 502, 503, 504})
WORKERS = 4


@dataclass(slots=True)
class PushSettings:
    """How deliveries misbehave. Seconds are real seconds.

    `drop_rate` of the messages is never sent; `duplicate_rate` is sent twice; each waits `delay_s` plus a
    random part of `reorder_s`, so that messages overtake one another. A delivery that fails, or answers
    500, 502, 503 or 504, is repeated `attempts` times in all with doubling pauses from `retry_s`.
    """

    drop_rate: float = 0.0
    duplicate_rate: float = 0.0
    delay_s: float = 0.0
    reorder_s: float = 0.0
    attempts: int = 4
    retry_s: float = 0.5
    timeout_s: float = 10.0
    paused: bool = False


@dataclass(slots=True)
class Channel:
    """An open notification channel."""

    id: str
    address: str
    token: str
    payload: bool
    customer_id: str
    application: str
    user_id: str | None
    event_name: str | None
    filters: str
    owner: tuple[str, str]
    expires_at: float
    resource_id: str
    resource_uri: str
    messages: int = 0

    def resource(self) -> dict[str, Any]:
        """The channel as `watch` answers it."""
        answer = {
            "kind": "api#channel",
            "id": self.id,
            "resourceId": self.resource_id,
            "resourceUri": self.resource_uri,
            "expiration": str(int(self.expires_at * 1000)),
        }
        return {**answer, "token": self.token} if self.token else answer

    def wants(self, customer_id: str, application: str, user_id: str, item: dict[str, Any]) -> bool:
        """Whether the channel watches this activity."""
        return (
            customer_id == self.customer_id
            and application == self.application
            and self.user_id in (None, user_id)
            and (self.event_name is None or any(e["name"] == self.event_name for e in item["events"]))
            and (not self.filters or matches_filters(item, self.filters))
        )


@dataclass(slots=True, order=True)
class Delivery:
    """One message on its way; ordered by when it is due."""

    due: float
    order: int
    channel: Channel = field(compare=False)
    headers: dict[str, str] = field(compare=False)
    body: bytes = field(compare=False)
    attempt: int = field(default=1, compare=False)


class Pusher:
    """Owns the channels and delivers from a few worker threads."""

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self.settings = PushSettings()
        self.channels: dict[str, Channel] = {}
        self.log: deque[dict[str, Any]] = deque(maxlen=10_000)
        self._clock = clock
        self._rng = random.Random(seed)
        self._ready = threading.Condition()
        self._queue: list[Delivery] = []
        self._unsynced: dict[str, list[Delivery]] = {}
        self._order = 0
        self._busy = 0
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def accepts(self, address: str) -> bool:
        """Google takes https only; plain http is taken here for this machine."""
        try:
            parts = urlsplit(address)
            host = parts.hostname
        except ValueError:
            return False
        return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))

    def open(self, channel: Channel) -> None:
        """Register a channel and send its `sync` message."""
        with self._ready:
            self._expire()
            if channel.id in self.channels:
                text = f"Channel id {channel.id} not unique"
                raise ApiError(400, "channelIdNotUnique", text, domain="push")
            self.channels[channel.id] = channel
            self._unsynced[channel.id] = []
            self._enqueue(channel, "sync", b"", sure=True)

    def close(self, channel_id: str, resource_id: str, owner: tuple[str, str]) -> bool:
        """Stop a channel; False when this owner has none such."""
        with self._ready:
            self._expire()
            channel = self.channels.get(channel_id)
            if channel is None or channel.resource_id != resource_id or channel.owner != owner:
                return False
            del self.channels[channel_id]
            return True

    def on_activity(
        self, org: Organisation, application: str, user: User | None, item: dict[str, Any]
    ) -> None:
        """Queue the messages that an activity causes."""
        if not application:
            return
        user_id = user.id if user else ""
        with self._ready:
            self._expire()
            for channel in self.channels.values():
                if channel.wants(org.customer_id, application, user_id, item):
                    told = {key: item[key] for key in item if application != DIRECTORY or key != "events"}
                    body = json.dumps(told, ensure_ascii=False).encode() if channel.payload else b""
                    self._enqueue(channel, item["events"][0]["name"], body)

    def _expire(self) -> None:
        now = self._clock.now()
        self.channels = {k: c for k, c in self.channels.items() if c.expires_at > now}

    def _enqueue(self, channel: Channel, state: str, body: bytes, *, sure: bool = False) -> None:
        settings = self.settings
        channel.messages += 1
        headers = {
            "Content-Type": "application/json; utf-8",
            "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Expiration": formatdate(channel.expires_at, usegmt=True),
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(channel.messages),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-URI": channel.resource_uri,
        }
        if channel.token:
            headers["X-Goog-Channel-Token"] = channel.token
        if not sure and self._rng.random() < settings.drop_rate:
            self._record(channel, headers, "dropped")
            return
        copies = 2 if not sure and self._rng.random() < settings.duplicate_rate else 1
        for _ in range(copies):
            wait = 0.0 if sure else settings.delay_s + self._rng.random() * settings.reorder_s
            delivery = Delivery(self._clock.monotonic() + wait, 0, channel, headers, body)
            held = None if sure else self._unsynced.get(channel.id)
            if held is None:
                self._put(delivery)
            else:
                held.append(delivery)

    def _put(self, delivery: Delivery) -> None:
        self._order += 1
        delivery.order = self._order
        heapq.heappush(self._queue, delivery)
        while len(self._threads) < WORKERS and not self._stopping:
            name = f"push-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._ready.notify_all()

    def _record(self, channel: Channel, headers: dict[str, str], outcome: str) -> None:
        self.log.append(
            {
                "channel": channel.id,
                "state": headers["X-Goog-Resource-State"],
                "number": int(headers["X-Goog-Message-Number"]),
                "outcome": outcome,
            }
        )

    def _work(self) -> None:
        while True:
            with self._ready:
                delivery = self._next()
                if delivery is None:
                    return
                self._busy += 1
            outcome = self._send(delivery)
            with self._ready:
                self._busy -= 1
                self._settle(delivery, outcome)
                self._ready.notify_all()

    def _next(self) -> Delivery | None:
        while not self._stopping:
            if self._queue and not self.settings.paused:
                wait = self._queue[0].due - self._clock.monotonic()
                if wait <= 0:
                    return heapq.heappop(self._queue)
                self._ready.wait(wait)
            else:
                self._ready.wait()
        return None

    def _send(self, delivery: Delivery) -> str:
        parts = urlsplit(delivery.channel.address)
        if delivery.channel.id not in self.channels and delivery.headers["X-Goog-Resource-State"] != "sync":
            return "closed"
        if parts.scheme != "http":
            return "undeliverable"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        timeout = self.settings.timeout_s
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
        try:
            connection.request("POST", path, delivery.body, delivery.headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return "unreachable"
        finally:
            connection.close()
        return str(response.status)

    def _settle(self, delivery: Delivery, outcome: str) -> None:
        self._record(delivery.channel, delivery.headers, outcome)
        retry = outcome == "unreachable" or (outcome.isdigit() and int(outcome) in RETRIED)
        if retry and delivery.attempt < self.settings.attempts and not self._stopping:
            delivery.due = self._clock.monotonic() + self.settings.retry_s * 2 ** (delivery.attempt - 1)
            delivery.attempt += 1
            self._put(delivery)
        elif delivery.headers["X-Goog-Resource-State"] == "sync":
            # Only now may anything else of the channel go out: `sync` always comes first.
            for held in self._unsynced.pop(delivery.channel.id, []):
                self._put(held)

    def wake(self) -> None:
        """Look again: the settings or the clock changed."""
        with self._ready:
            self._ready.notify_all()

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is queued or under way; False when that took too long."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def stop(self) -> None:
        """End the workers."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join(self.settings.timeout_s)
