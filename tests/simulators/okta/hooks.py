"""Event hooks: registered, verified by a challenge, then told; one more try, no order, sometimes twice."""

import json
import queue
import random
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.simulators.google.wire import Request, Response

from .model import Hook
from .wire import OktaError, invalid, not_found, ok
from .world import World, iso

TIMEOUT_S = 3.0
MOST = 25
HOOKABLE = (
    *(
        f"user.lifecycle.{verb}"
        for verb in (
            "activate",
            "create",
            "deactivate",
            "reactivate",
            "suspend",
            "unsuspend",
            "delete.initiated",
        )
    ),
    *(f"application.user_membership.{verb}" for verb in ("add", "remove", "restore", "revoke")),
    "user.session.start",
    "group.user_membership.add",
)


class Hooks:
    """Serves `/api/v1/eventHooks`, and delivers. `hookable` are the event types that may be hooked."""

    def __init__(self, world: World, base: Callable[[], str], seed: int = 0) -> None:
        self._world = world
        self._base = base
        self._rng = random.Random(seed)
        self._queue: queue.Queue[tuple[Hook, bytes] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self.hookable = {*HOOKABLE, "app.oauth2.as.consent.grant", "app.oauth2.consent.grant"}
        self.hookable |= {"app.oauth2.admin.consent.grant", "app.oauth2.admin.consent.revoke"}
        self.hookable |= {"user.lifecycle.delete.completed"}
        self.duplicate_rate = 0.0
        self.log: list[dict[str, Any]] = []

    # -- the API -----------------------------------------------------------------------------------

    def list(self, request: Request) -> Response:
        return ok([self._shown(hook) for hook in self._world.state.hooks.values()])

    def get(self, request: Request, key: str) -> Response:
        return ok(self._shown(self._need(key)))

    def create(self, request: Request) -> Response:
        body = request.json()
        try:
            kinds, config = list(body["events"]["items"]), body["channel"]["config"]
            scheme, uri, name = config["authScheme"], config["uri"], body["name"]
            if (
                body["channel"]["type"] != "HTTP"
                or body["events"]["type"] != "EVENT_TYPE"
                or not name
                or not kinds
            ):
                raise KeyError("type")
            header, secret = scheme["key"], scheme["value"]
        except (KeyError, TypeError):
            raise invalid("channel: The field cannot be left blank") from None
        if not uri.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise invalid("channel.config.uri: must be https")
        if wrong := sorted(set(kinds) - self.hookable):
            raise invalid(f"events.items: Invalid list of events provided: {wrong[0]}")
        if sum(hook.status == "ACTIVE" for hook in self._world.state.hooks.values()) >= MOST:
            raise invalid("Maximum number of active event hooks reached")
        hook = Hook(
            self._world.ident("who"), name, uri, header, secret, kinds, created=self._world.clock.now()
        )
        self._world.state.hooks[hook.id] = hook
        return ok(self._shown(hook))

    def verify(self, request: Request, key: str) -> Response:
        hook = self._need(key)
        challenge = uuid.uuid4().hex
        ask = urllib.request.Request(hook.uri, headers={"X-Okta-Verification-Challenge": challenge})
        try:
            with urllib.request.urlopen(ask, timeout=TIMEOUT_S) as answer:
                hook.verified = json.loads(answer.read()).get("verification") == challenge
        except (OSError, ValueError, AttributeError):
            hook.verified = False
        if not hook.verified:
            raise invalid("The verification of the event hook failed")
        return ok(self._shown(hook))

    def switch(self, request: Request, key: str, verb: str) -> Response:
        hook = self._need(key)
        if verb not in ("activate", "deactivate"):
            raise not_found(verb, "Lifecycle")
        hook.status = "ACTIVE" if verb == "activate" else "INACTIVE"
        return ok(self._shown(hook))

    def delete(self, request: Request, key: str) -> Response:
        if self._need(key).status == "ACTIVE":
            raise OktaError(403, "E0000006")
        del self._world.state.hooks[key]
        return ok()

    def _need(self, key: str) -> Hook:
        hook = self._world.state.hooks.get(key)
        if hook is None:
            raise not_found(key, "Webhook")
        return hook

    def _shown(self, hook: Hook) -> dict[str, Any]:
        """As the API shows it: the secret is never among it."""
        return {
            "id": hook.id,
            "status": hook.status,
            "verificationStatus": "VERIFIED" if hook.verified else "UNVERIFIED",
            "name": hook.name,
            "created": iso(hook.created),
            "events": {"type": "EVENT_TYPE", "items": hook.kinds},
            "channel": {
                "type": "HTTP",
                "version": "1.0.0",
                "config": {
                    "uri": hook.uri,
                    "method": "POST",
                    "authScheme": {"type": "HEADER", "key": hook.header},
                },
            },
            "_links": {"self": {"href": f"{self._base()}/api/v1/eventHooks/{hook.id}"}},
        }

    # -- delivery ----------------------------------------------------------------------------------

    def on_event(self, event: dict[str, Any]) -> None:
        """Queue the deliveries that an event causes."""
        for hook in list(self._world.state.hooks.values()):
            if hook.status != "ACTIVE" or not hook.verified or event["eventType"] not in hook.kinds:
                continue
            body = {
                "eventType": "com.okta.event_hook",
                "eventTypeVersion": "1.0",
                "cloudEventsVersion": "0.1",
                "source": f"{self._base()}/api/v1/eventHooks/{hook.id}",
                "eventId": str(uuid.uuid4()),
                "data": {"events": [event]},
                "eventTime": event["published"],
                "contentType": "application/json",
            }
            for _ in range(2 if self._rng.random() < self.duplicate_rate else 1):
                self._queue.put((hook, json.dumps(body).encode()))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="okta-hooks", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            hook, body = item
            outcome = self._send(hook, body)
            if outcome == "unreachable" or outcome.startswith("5"):
                outcome = self._send(hook, body)
            self.log.append({"hook": hook.id, "outcome": outcome})
            self._queue.task_done()

    def _send(self, hook: Hook, body: bytes) -> str:
        headers = {"Content-Type": "application/json", hook.header: hook.secret}
        told = urllib.request.Request(hook.uri, body, headers, method="POST")
        try:
            with urllib.request.urlopen(told, timeout=TIMEOUT_S) as answer:
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError:
            return "unreachable"

    def settle(self) -> None:
        """Wait until everything was delivered."""
        self._queue.join()

    def stop(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(TIMEOUT_S * 2)

    def described(self) -> Any:
        """The hooks without their secrets."""
        return [
            {k: v for k, v in asdict(hook).items() if k != "secret"}
            for hook in self._world.state.hooks.values()
        ]
