"""`SalesforceSimulator`: all parts wired together, as a context manager."""

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from tests.simulators.google.clock import Clock
from tests.simulators.google.control import Control as GoogleControl
from tests.simulators.google.control_http import http_control
from tests.simulators.google.counters import Counters
from tests.simulators.google.server import Router, Server

from .control import Control
from .model import Agent, ConnectedApp, OauthToken, OrgSpec, Person, SignIn, World
from .oauth import ConnectedClient, Refresh, Sessions
from .rest import Rest
from .wire import OrgDispatcher, OrgFaults

VERSION = 1


class SalesforceSimulator:
    """An organisation on this machine.

    Args:
        spec: what to generate.
        clock: time for everything; real time when left out.
        port: TCP port on 127.0.0.1; 0 picks a free one.
        clients: the product's connected apps.
        seed: of faults.
        state: a file that keeps everything over restarts.
    """

    def __init__(
        self,
        spec: OrgSpec | None = None,
        *,
        clock: Clock | None = None,
        port: int = 0,
        clients: tuple[ConnectedClient, ...] = (),
        seed: int = 0,
        state: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._state = state
        kept = json.loads(state.read_text("utf-8")) if state and state.exists() else None
        self.world = World(self.clock, OrgSpec(**kept["spec"]) if kept else spec or OrgSpec())
        self.sessions = Sessions(self.world, clients)
        if kept and kept["version"] == VERSION:
            _restore(self, kept)
        self.rest = Rest(self.world, self.sessions)
        self.counters = Counters(self.clock)
        self.faults = OrgFaults(self.clock, seed)
        self.control = Control(self)
        self.server = Server(port, OrgDispatcher(self._router(), self.faults, self.counters, self.clock))
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        self.sessions.base_url = self.base_url
        self._thread: threading.Thread | None = None

    def _router(self) -> Router:
        router = Router()
        add = router.add
        add("GET", "/services/data/{version}/query", "rest.query", self.rest.query)
        add("GET", "/services/data/{version}/query/{locator}", "rest.more", self.rest.more)
        add("GET", "/id/{organisation}/{user}", "rest.identity", self.rest.identity)
        add("GET", "/services/oauth2/authorize", "oauth.authorize", self.sessions.authorize)
        add("POST", "/_login/decide", "oauth.decide", self.sessions.decide)
        add("POST", "/services/oauth2/token", "oauth.token", self.sessions.token)
        add("POST", "/services/oauth2/revoke", "oauth.revoke", self.sessions.revoke)
        control = http_control(cast("GoogleControl", self.control))
        add("GET", "/_control/{name}", "control", control)
        add("POST", "/_control/{name}", "control", control)
        return router

    def touched(self) -> None:
        """Something changed that must outlive a restart."""
        if self._state is not None:
            self.save()

    def save(self) -> None:
        """Replace the state file."""
        if self._state is None:
            return
        with self.world.lock:
            text = json.dumps(_kept(self))
        self._state.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state.with_suffix(".tmp")
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(self._state)

    def __enter__(self) -> "SalesforceSimulator":
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, name="salesforce", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.stop()
        if self._thread is not None:
            self.server.shutdown()
            self._thread.join()
        self.server.close_all()
        self.server.server_close()
        self.save()


def _kept(sim: SalesforceSimulator) -> dict[str, Any]:
    world, sessions = sim.world, sim.sessions
    return {
        "version": VERSION,
        "spec": asdict(world.spec),
        "organisation_id": world.organisation_id,
        "people": [asdict(person) for person in world.people.values()],
        "apps": [asdict(app) for app in world.apps.values()],
        "tokens": [asdict(token) for token in world.tokens],
        "sign_ins": [asdict(one) for one in world.sign_ins],
        "agents": [asdict(agent) for agent in world.agents],
        "changes": world.changes,
        "clients": [asdict(client) for client in sessions.clients.values()],
        "refresh": {text: asdict(entry) for text, entry in sessions.refresh.items()},
    }


def _restore(sim: SalesforceSimulator, kept: dict[str, Any]) -> None:
    world, sessions = sim.world, sim.sessions
    world.organisation_id = kept["organisation_id"]
    world.people = {row["id"]: Person(**row) for row in kept["people"]}
    world.apps = {row["name"]: ConnectedApp(**row) for row in kept["apps"]}
    world.tokens = [OauthToken(**row) for row in kept["tokens"]]
    world.sign_ins = [SignIn(**row) for row in kept["sign_ins"]]
    world.agents = [Agent(**row) for row in kept["agents"]]
    world.changes = kept["changes"]
    for row in kept["clients"]:
        client = ConnectedClient(**{**row, "redirect_uris": tuple(row["redirect_uris"])})
        sessions.clients.setdefault(client.client_id, client)
    sessions.refresh = {text: Refresh(**row) for text, row in kept["refresh"].items()}
