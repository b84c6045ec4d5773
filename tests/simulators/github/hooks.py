"""Deliveries of web hooks: signed, made once, remembered with what the receiver answered."""

import hashlib
import hmac
import http.client
import json
import queue
import threading
import uuid
from typing import Any
from urllib.parse import urlsplit

from tests.simulators.google.clock import Clock

from .model import iso

KEPT_S = 3 * 86_400
TIMEOUT_S = 10.0


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """The headers that say who sent a body."""
    key = secret.encode()
    return {
        "X-Hub-Signature": "sha1=" + hmac.new(key, body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
    }


class Hooks:
    """The web hook of our app: where it goes, and everything that was sent."""

    def __init__(self, clock: Clock) -> None:
        self.address = ""
        self.secret = ""
        self.lose = False
        self.sent: list[dict[str, Any]] = []
        self._clock = clock
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def send(self, event: str, payload: dict[str, Any], installation_id: int | None) -> None:
        """Deliver once, soon; without an address the delivery fails."""
        row = {
            "id": 10_000_000 + len(self.sent),
            "guid": str(uuid.uuid4()),
            "delivered_at": self._clock.now(),
            "event": event,
            "action": payload.get("action"),
            "installation_id": installation_id,
            "payload": payload,
            "status_code": 0,
            "status": "pending",
        }
        self.sent.append(row)
        if not self.address or self.lose:
            row.update(status_code=502, status="failed to connect to host")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)
            self._thread.start()
        self._queue.put(row)

    def forget(self) -> None:
        """Drop what is older than GitHub keeps."""
        floor = self._clock.now() - KEPT_S
        self.sent = [row for row in self.sent if row["delivered_at"] >= floor]

    def settle(self) -> None:
        """Wait until every delivery was tried."""
        self._queue.join()

    def stop(self) -> None:
        """End the worker."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(TIMEOUT_S)

    def _work(self) -> None:
        while (row := self._queue.get()) is not None:
            try:
                code = self._post(row)
                row.update(status_code=code, status="OK" if code < 400 else "Invalid HTTP Response")
            except (OSError, http.client.HTTPException):
                row.update(status_code=502, status="failed to connect to host")
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _post(self, row: dict[str, Any]) -> int:
        body = json.dumps(row["payload"], separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/simulated",
            "X-GitHub-Event": row["event"],
            "X-GitHub-Delivery": row["guid"],
            **signatures(self.secret, body),
        }
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT_S)
        try:
            connection.request("POST", parts.path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    @staticmethod
    def item(row: dict[str, Any]) -> dict[str, Any]:
        """A delivery as the list shows it."""
        kept = ("id", "guid", "status", "status_code", "event", "action", "installation_id")
        more = {"redelivery": False, "duration": 0.1, "repository_id": None, "throttled_at": None}
        return {**{k: row[k] for k in kept}, "delivered_at": iso(row["delivered_at"]), **more}
