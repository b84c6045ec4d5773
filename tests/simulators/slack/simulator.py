"""`SlackSimulator`: all parts wired together, as a context manager."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.simulators.google.clock import Clock
from tests.simulators.google.control_http import http_control
from tests.simulators.google.counters import Counters
from tests.simulators.google.faults import Faults
from tests.simulators.google.server import Dispatcher, Router, Server
from tests.simulators.google.wire import Request, Response

from . import persist
from .access import Gate
from .chat import Chat
from .control import Control
from .events import Events
from .generator import OrgSpec, generate
from .model import SlackClient
from .oauth import OAuth, Tokens
from .tiers import Tiers, TierSettings
from .web_api import WebApi
from .wire import SlackError
from .world import World

SETTLE_S = 0.3


class SlackSimulator:
    """A Slack on this machine; `base_url` is where every host of it is served.

    Args:
        spec: what to generate.
        clock: time for everything; real time when left out.
        port: TCP port on 127.0.0.1; 0 picks a free one.
        clients: the product's app.
        limits: limits per method.
        state: a file that keeps everything over restarts.
    """

    def __init__(
        self,
        spec: OrgSpec | None = None,
        *,
        clock: Clock | None = None,
        port: int = 0,
        clients: Sequence[SlackClient] = (),
        limits: TierSettings | None = None,
        state: Path | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.world = World(self.clock)
        self.tokens = Tokens()
        self._state, self._dirty, self._ended = state, threading.Event(), threading.Event()
        if state is None or not persist.restore(state, self.world, self.tokens):
            generate(self.world, spec or OrgSpec())
        for client in clients:
            self.tokens.clients[client.client_id] = client
        self.tiers = Tiers(self.clock, limits)
        self.counters = Counters(self.clock)
        self.faults = Faults(self.clock)
        self.gate = Gate(self.world, self.tokens, self.tiers)
        self.oauth = OAuth(self.world, self.tokens)
        self.api = WebApi(self.gate)
        self.chat = Chat(self.gate)
        self.events = Events(self.world, self.tokens)
        self.control = Control(self)
        self.world.listeners.append(self._dirty.set)
        self.server = Server(port, Dispatcher(self._router(), self.faults, self.counters, self.clock))
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        self._threads: list[threading.Thread] = []

    def _router(self) -> Router:
        router = Router()
        for method, handler in self.api.methods().items():
            for verb in ("GET", "POST"):
                router.add(verb, f"/api/{method}", method, handler)
        router.add("POST", "/api/chat.postMessage", "chat.postMessage", self.chat.post)
        router.add("POST", "/api/conversations.open", "conversations.open", self.chat.open)
        router.add("POST", "/actions/{team}/{number}/{token}", "response_url", self.chat.answer)
        router.add("POST", "/api/oauth.v2.access", "oauth.v2.access", self.oauth.access)
        router.add("GET", "/audit/v1/logs", "audit", self.api.audit)
        router.add("GET", "/oauth/v2/authorize", "oauth.authorize", self.oauth.show)
        router.add("POST", "/oauth/v2/authorize/decide", "oauth.decide", self.oauth.decide)
        for verb in ("GET", "POST"):
            router.add(verb, "/_control/{name}", "control", http_control(self.control))  # type: ignore[arg-type]
            router.add(verb, "/api/{method}", "unknown", _unknown)
        return router

    def start(self) -> "SlackSimulator":
        """Serve in a thread."""
        serve = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, name="slack", daemon=True
        )
        self._threads = [serve]
        if self._state is not None:
            self._threads.append(threading.Thread(target=self._keep, name="slack-keeper", daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, keep the state, end every thread."""
        self.clock.stop()
        self._ended.set()
        self._dirty.set()
        self.server.shutdown()
        for thread in self._threads:
            thread.join()
        self.server.close_all()
        self.server.server_close()
        self.events.stop()
        self.save()

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._dirty.wait()
            self._ended.wait(SETTLE_S)
            self._dirty.clear()
            self.save()

    def save(self) -> None:
        """Replace the state file."""
        if self._state is not None:
            persist.save(self._state, self.world, self.tokens)

    def __enter__(self) -> "SlackSimulator":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _unknown(request: Request, method: str) -> Response:
    raise SlackError("unknown_method")
