"""The Google simulator and the real connector in one process, without sockets: deterministic, and fast.

A `requests` adapter hands each request to the simulator's dispatcher (routing, quotas, faults, bodies are
the simulator's own) and makes of its answer what a socket would have made: a cut connection is an incomplete
body, a reset a connection error. Time is the simulator's frozen clock; whoever sleeps moves it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from lantern.connectors.consent import ClientRegistration
from lantern.connectors.google.manifest import MANIFEST
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Connector
from lantern.connectors.registry import Credentials, Io, connect
from lantern.domain import ids
from tests.simulators.google.clock import Clock
from tests.simulators.google.model import OAuthClient, User
from tests.simulators.google.organisation import OrgSpec
from tests.simulators.google.server import DroppedError
from tests.simulators.google.simulator import GoogleSimulator
from tests.simulators.google.tokens import Subject
from tests.simulators.google.wire import Request, Response

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).timestamp()
CLIENT = OAuthClient("407400000001-lantern.apps.googleusercontent.com", "s3cret", ("http://localhost/cb",))
CUSTOMER = "C0example"
Tap = Callable[[str, Callable[[], requests.Response]], requests.Response]


class WorldClock:
    """The simulator's clock as the product's: `sleep` moves it at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """The simulated time."""
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self._clock.advance(seconds)

    def forward(self, **delta: float) -> None:
        """Move on by a timedelta's arguments."""
        from datetime import timedelta

        self._clock.advance(timedelta(**delta).total_seconds())


class InProcess(BaseAdapter):
    """Answers requests from the simulator's dispatcher.

    `tap(what, run)` stands in for every request, if set, and may raise before or after `run()`.
    """

    def __init__(self, simulator: GoogleSimulator) -> None:
        super().__init__()
        self._handle = simulator.server.dispatcher.handle
        self.calls = 0
        self.tap: Tap | None = None

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.calls += 1
        path = urlsplit(request.url).path

        def run() -> requests.Response:
            return self._answer(request)

        return self.tap(f"{request.method} {path}", run) if self.tap else run()

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, request: requests.PreparedRequest) -> requests.Response:
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {key.lower(): value for key, value in request.headers.items()}
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        try:
            answer = self._handle(Request(request.method, parts.path, query, headers, body))
        except DroppedError as dropped:
            if dropped.response is None:
                raise requests.ConnectionError("reset") from None
            return _response(request, dropped.response, sent=len(dropped.response.body) // 2)
        return _response(request, answer, sent=len(answer.body))


def _response(request: requests.PreparedRequest, answer: Response, *, sent: int) -> requests.Response:
    raw = HTTPResponse(
        body=BytesIO(answer.body[:sent]),
        headers={**answer.headers, "Content-Length": str(len(answer.body))},
        status=answer.status,
        preload_content=False,
        enforce_content_length=True,
    )
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.raw = raw
    response.request = request
    response.url = request.url
    return response


@dataclass
class Instant:
    """A point on the provider's timeline: the last grant change, and the last change of any kind."""

    seq: int
    order: int


@dataclass
class GoogleWorld:
    """One organisation at the simulator. `begin` makes a new one; the simulator itself is made once."""

    simulator: GoogleSimulator
    adapter: InProcess
    clock: WorldClock
    rng: Random = field(default_factory=Random)
    order: int = 0
    deletions: dict[str, list[list[int | None]]] = field(default_factory=dict)
    refresh: str = ""
    io: Io | None = None

    @classmethod
    def make(cls) -> "GoogleWorld":
        """A simulator that nobody has asked anything yet."""
        clock = Clock(START, running=False)
        simulator = GoogleSimulator(OrgSpec(employees=3, customer_id=CUSTOMER), clock=clock, clients=[CLIENT])
        # Deliveries are made by the tests that need them; no thread shall wait for any.
        simulator.pusher._enqueue = lambda *_, **__: None
        return cls(simulator, InProcess(simulator), WorldClock(clock))

    def begin(self, seed: int, **spec: Any) -> None:
        """A new organisation, everything else forgotten; the same seed makes the same one."""
        clock = self.simulator.clock
        clock._offset = 0.0
        self.simulator._given = (OrgSpec(seed=seed, customer_id=CUSTOMER, **spec),)
        self.simulator.reset()
        self.simulator.faults.reseed(seed)
        self.rng = Random(seed)
        self.order, self.deletions = 0, {}
        self.adapter.calls, self.adapter.tap = 0, None
        admin = self.org.admin
        scopes = tuple(need.scope for need in MANIFEST.scopes)
        subject = Subject(admin.id, admin.email, CUSTOMER)
        self.refresh = self.simulator.tokens.issue_refresh(subject, CLIENT.client_id, scopes)
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", self.adapter)
        base = "http://google"
        hosts = {
            "admin": base,
            "chrome": base,
            "gmail": base,
            "token": f"{base}/token",
            "revoke": f"{base}/revoke",
        }
        self.io = Io(
            session=session,
            clock=self.clock,
            limiters=Limiters(self.clock, self.rng.random),
            random=self.rng.random,
            endpoints=hosts,
            max_in_flight=1,
        )
        for user in self.org.users:
            if user.deleted_at is not None:
                self.deletions[user.id] = [[0, None]]

    @property
    def org(self) -> Any:
        """The organisation."""
        return self.simulator.org

    @property
    def control(self) -> Any:
        """What may be done to it."""
        return self.simulator.control

    def connector(self, connection_id: str) -> Connector:
        """The real connector, as a worker makes it."""
        assert self.io is not None
        registration = ClientRegistration(CLIENT.client_id, CLIENT.client_secret)
        granted = frozenset(need.scope for need in MANIFEST.scopes)
        credentials = Credentials("tenant", connection_id, CUSTOMER, registration, self.refresh, granted)
        return connect("google", credentials, self.io)

    # --- the truth ----------------------------------------------------------------------------------
    def instant(self) -> Instant:
        """Now, on the provider's timeline."""
        return Instant(self.org.grants.seq, self.order)

    def changed(self) -> None:
        """Something was changed by hand."""
        self.order += 1

    def set_state(self, user: User, state: str) -> None:
        """Suspend, archive, delete or restore somebody."""
        self.changed()
        spans = self.deletions.setdefault(user.id, [])
        if state == "deleted" and user.deleted_at is None:
            spans.append([self.order, None])
        elif state != "deleted" and user.deleted_at is not None:
            spans[-1][1] = self.order
        self.simulator.world.set_state(self.org, user, state)

    def lacked(self, native_id: str, client_id: str, since: Instant) -> bool:
        """Whether there was an instant from `since` to now at which the account did not hold this grant."""
        spans = self.deletions.get(native_id, ())
        if any(end is None or end > since.order for _, end in spans):
            return True
        user = self.org.by_id[native_id]
        return bool(self.org.grants.lacked(user, client_id, since.seq))

    def truth(self) -> dict[str, dict[str, frozenset[str]]]:
        """Grants by principal id and app id; accounts without any are left out."""
        found = {}
        for user in self.org.users:
            held = self.org.grants.held_by(user) if user.deleted_at is None else ()
            if held:
                pid = ids.principal_id("google", CUSTOMER, user.id)
                found[pid] = {ids.app_id("google", g.client_id): frozenset(g.scopes) for g in held}
        return found

    def delegated(self) -> set[str]:
        """Ids of apps that the audit log says may act as anyone."""
        found: set[str] = set()
        for entry in self.org.log.stored.get("admin", ()):
            named = [
                p["value"] for p in entry.item["events"][0]["parameters"] if p["name"] == "API_CLIENT_NAME"
            ]
            apps = {ids.app_id("google", name) for name in named}
            if entry.kind == "AUTHORIZE_API_CLIENT_ACCESS":
                found |= apps
            elif entry.kind == "REMOVE_API_CLIENT_ACCESS":
                found -= apps
        return found

    def states(self) -> dict[str, str]:
        """State by principal id."""
        truth = self.control.truth()
        return {ids.principal_id("google", CUSTOMER, uid): row["state"] for uid, row in truth.items()}

    @contextmanager
    def closing(self) -> Iterator["GoogleWorld"]:
        """Close the simulator at the end."""
        try:
            yield self
        finally:
            self.simulator.server.server_close()
