"""Subscriptions to changes of users: the handshake at both addresses, deliveries, lifecycle events."""

import http.client
import json
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from tests.simulators.google.wire import Request, Response, json_response

from .gate import Caller, Gate
from .generator import iso
from .model import Json, Tenant, guid
from .odata import options, paged
from .wire import GraphError, bad, unknown
from .world import World

LONGEST_S = 41_760 * 60
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
NEEDED = ("User.Read.All", "User.ReadWrite.All")
KNOWN = frozenset(
    [
        "changeType",
        "notificationUrl",
        "lifecycleNotificationUrl",
        "resource",
        "expirationDateTime",
        "clientState",
        "latestSupportedTlsVersion",
    ]
)


@dataclass(slots=True)
class PushSettings:
    """How deliveries misbehave: `duplicate` sends each twice, `paused` keeps them back."""

    duplicate: bool = False
    paused: bool = False
    timeout_s: float = 5.0


class Subscriptions:
    """Handlers, and one thread that delivers."""

    def __init__(self, world: World, gate: Gate) -> None:
        self.settings = PushSettings()
        self.log: deque[Json] = deque(maxlen=1000)
        self.base_url = ""
        self._world = world
        self._gate = gate
        self._ready = threading.Condition()
        self._queue: deque[tuple[str, Json]] = deque()
        self._busy = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._numbers = 0
        world.listeners.append(self.on_change)

    # -- handlers ---------------------------------------------------------------------------------------

    def create(self, request: Request) -> Response:
        """`POST /subscriptions`."""
        caller, body = self._gate.enter(request, "subscriptions.create", *NEEDED), request.json()
        self._check(body)
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            self._validate(body[name])
        row = {
            **body,
            "@odata.context": f"{self.base_url}/v1.0/$metadata#subscriptions/$entity",
            "id": guid("subscription", secrets.token_hex(8)),
            "applicationId": caller.client_id,
            "creatorId": guid("creator", caller.tenant.id),
            "clientState": None,
            "_clientState": body.get("clientState"),
        }
        with self._world.lock:
            caller.tenant.subscriptions[row["id"]] = row
            self._touched()
        return json_response({k: v for k, v in row.items() if k[0] != "_"}, 201)

    def _check(self, body: Json) -> None:
        odd = set(body) - KNOWN
        if odd:
            raise bad(f"Property '{min(odd)}' is not supported.", "InvalidRequest")
        if body.get("resource") != "users" or not set(body.get("changeType", "").split(",")) <= {
            "created", "updated", "deleted",
        }:  # fmt: skip
            raise bad("The resource or the change type is not supported.", "InvalidRequest")
        if len(body.get("clientState") or "") > 128:
            raise bad("clientState is too long.", "InvalidRequest")
        left = datetime.fromisoformat(body["expirationDateTime"]).timestamp() - self._world.clock.now()
        if not 0 < left <= LONGEST_S:
            raise bad("Subscription expiration can only be 41760 minutes in the future.", "InvalidRequest")

    def _validate(self, address: str) -> None:
        """The handshake: the address must echo a token as plain text."""
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise bad("The notification URL must start with https://.", "InvalidRequest")
        token = f"Validation: Testing client application reachability <b>&{secrets.token_urlsafe(8)}"
        status, kind, body = self._post(
            f"{address}?validationToken={quote(token, safe='')}", b"", "text/plain"
        )
        if status != 200 or not kind.startswith("text/plain") or body.decode("utf-8", "replace") != token:
            text = f"Subscription validation request failed. Notification endpoint answered {status}."
            raise GraphError(400, "ValidationError", text)

    def listed(self, request: Request) -> Response:
        """`GET /subscriptions`: the app's own."""
        caller = self._gate.enter(request, "subscriptions.list")
        options(request)
        now = self._world.clock.now()
        rows = [row for row in self.alive(caller.tenant) if row["applicationId"] == caller.client_id]
        return paged(request, self.base_url, rows, entity="subscription", now=now)

    def alive(self, tenant: Tenant) -> list[Json]:
        """The subscriptions that have not ended."""
        now = self._world.clock.now()
        rows = tenant.subscriptions.values()
        return [row for row in rows if datetime.fromisoformat(row["expirationDateTime"]).timestamp() > now]

    def _mine(self, caller: Caller, key: str) -> Json:
        found = next((row for row in self.alive(caller.tenant) if row["id"] == key), None)
        if found is None or found["applicationId"] != caller.client_id:
            raise unknown(key)
        return found

    def delete(self, request: Request, key: str) -> Response:
        """`DELETE /subscriptions/{id}`."""
        caller = self._gate.enter(request, "subscriptions.delete")
        with self._world.lock:
            del caller.tenant.subscriptions[self._mine(caller, key)["id"]]
            self._touched()
        return Response(204)

    def reauthorize(self, request: Request, key: str) -> Response:
        """`POST /subscriptions/{id}/reauthorize`."""
        caller = self._gate.enter(request, "subscriptions.reauthorize", *NEEDED)
        self._mine(caller, key)["_reauthorized"] = self._world.clock.now()
        return Response(204)

    def _touched(self) -> None:
        for touched in self._world.touched:
            touched()

    # -- deliveries -------------------------------------------------------------------------------------

    def on_change(self, tenant: Tenant, change: str, user: Json) -> None:
        """Queue what a change of a user causes."""
        for row in self.alive(tenant):
            if change in row["changeType"].split(","):
                self._numbers += 1
                data = {
                    "@odata.type": "#Microsoft.Graph.User",
                    "@odata.id": f"Users/{user['id']}",
                    "id": user["id"],
                    "organizationId": tenant.id,
                    "eventTime": iso(self._world.clock.now()),
                    "sequenceNumber": self._numbers,
                }
                item = {"changeType": change, "resource": f"Users/{user['id']}", "resourceData": data}
                self._enqueue(tenant, row, item, row["notificationUrl"])

    def lifecycle(self, tenant: Tenant, event: str) -> int:
        """Send a lifecycle event to every subscription; `subscriptionRemoved` ends it. Returns how many."""
        rows = self.alive(tenant)
        for row in rows:
            self._enqueue(tenant, row, {"lifecycleEvent": event}, row["lifecycleNotificationUrl"])
            if event == "subscriptionRemoved":
                del tenant.subscriptions[row["id"]]
        return len(rows)

    def _enqueue(self, tenant: Tenant, row: Json, item: Json, address: str) -> None:
        full = {
            "subscriptionId": row["id"],
            "subscriptionExpirationDateTime": row["expirationDateTime"],
            "clientState": row["_clientState"],
            "tenantId": tenant.id,
            **item,
        }
        with self._ready:
            for _ in range(2 if self.settings.duplicate else 1):
                self._queue.append((address, {"value": [full]}))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="graph-push", daemon=True)
                self._thread.start()
            self._ready.notify_all()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._stopping and (self.settings.paused or not self._queue):
                    self._ready.wait()
                if self._stopping:
                    return
                address, body = self._queue.popleft()
                self._busy = True
            status, _, _ = self._post(address, json.dumps(body).encode(), "application/json")
            with self._ready:
                self.log.append({"subscription": body["value"][0]["subscriptionId"], "outcome": status})
                self._busy = False
                self._ready.notify_all()

    def _post(self, address: str, body: bytes, kind: str) -> tuple[int, str, bytes]:
        parts = urlsplit(address)
        if parts.scheme != "http":
            return 0, "", b""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        timeout = self.settings.timeout_s
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
        try:
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except (OSError, http.client.HTTPException):
            return 0, "", b""
        finally:
            connection.close()

    def wake(self) -> None:
        """Look again."""
        with self._ready:
            self._ready.notify_all()

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is queued or under way."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def stop(self) -> None:
        """End the thread."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        if self._thread is not None:
            self._thread.join(self.settings.timeout_s)


def as_json(value: Any) -> Any:
    """A subscription without its secret."""
    return {key: item for key, item in value.items() if key != "_clientState"}
