"""A connected Google Workspace on this machine: simulator, consent, connector."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import requests

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Connector
from lantern.domain.inventory import Principal
from tests.contract.connectors.rig import Rig
from tests.simulators.google import GoogleSimulator, OrgSpec, QuotaSettings
from tests.simulators.google.driver import CLIENT, REDIRECT

START = ConsentStart("a-state", "a-nonce", "v" * 43, REDIRECT)
TENANT = "t" * 20


class SimulatedTime:
    """Shows the simulator's date; waiting costs nothing but is counted."""

    def __init__(self, simulator: GoogleSimulator) -> None:
        self._simulator = simulator
        self._lock = threading.Lock()
        self._elapsed = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._simulator.clock.now(), UTC)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._elapsed += seconds


class ScaledTime:
    """Real time, run faster by a factor."""

    def __init__(self, factor: float = 1.0) -> None:
        self._factor = factor

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self._factor

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self._factor)


def endpoints(base: str) -> dict[str, str]:
    return {
        "admin": base,
        "chrome": base,
        "gmail": base,
        "authorize": f"{base}/o/oauth2/v2/auth",
        "token": f"{base}/token",
        "revoke": f"{base}/revoke",
        "jwks": f"{base}/oauth2/v3/certs",
    }


@dataclass
class GoogleRig(Rig):
    """The simulator with a consent given; `connector` is as production makes it."""

    simulator: GoogleSimulator
    io: registry.Io
    flow: ConsentFlow
    connector: Connector
    identity: Identity
    refresh_token: str
    credentials: registry.Credentials

    def again(self) -> Connector:
        """Another connector, as the next message makes one."""
        return registry.connect("google", self.credentials, self.io)

    api_paths: ClassVar[str] = "^/admin/"
    secret_paths: ClassVar[str] = "^/(admin|token)"
    act_paths: ClassVar[tuple[str, str]] = ("/tokens/", "DELETE")
    needed: ClassVar[frozenset[str]] = frozenset(
        need.scope for need in registry.manifest("google").scopes if "admin." in need.scope
    )
    client_secret: ClassVar[str] = CLIENT.client_secret

    def everybody(self) -> list[Principal]:
        """All people; the organisation itself stands before them where something was delegated."""
        return [account for account in self.everything() if account.kind == "user"]

    def people(self, state: str = "active") -> list[str]:
        return [k for k, v in self.truth().items() if v["state"] == state]

    def grants_path(self, native_id: str) -> str:
        return f"^/admin/directory/v1/users/{native_id}/tokens$"


REGISTRATION = ClientRegistration(CLIENT.client_id, CLIENT.client_secret)


def consent(
    simulator: GoogleSimulator,
    flow: ConsentFlow,
    scopes: Sequence[str] | None = None,
    email: str | None = None,
):
    """Walk through the consent page as a browser would; the grant."""
    simulator.control.auto_consent(email=email, scopes=scopes)
    answer = requests.get(flow.authorize_url(START), allow_redirects=False, timeout=10)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == [START.state]
    assert flow.accepts_issuer(query["iss"][0])
    return flow.exchange(START, {"code": query["code"][0]})


@contextmanager
def google(
    employees: int = 12,
    *,
    scale: float | None = None,
    in_flight: int = 1,
    scopes: Sequence[str] | None = None,
    seed: int = 1,
) -> Iterator[GoogleRig]:
    """A simulated organisation, connected. With `scale` quotas hold and time passes that much faster."""
    quota = QuotaSettings(time_scale=scale) if scale else QuotaSettings(enabled=False)
    with GoogleSimulator(OrgSpec(employees=employees, seed=seed), clients=[CLIENT], quota=quota) as simulator:
        clock = ScaledTime(scale) if scale else SimulatedTime(simulator)
        rng = random.Random(seed)
        session = new_session()
        io = registry.Io(
            session=session,
            clock=clock,
            limiters=Limiters(clock, rng.random),
            random=rng.random,
            endpoints=endpoints(simulator.base_url),
            max_in_flight=in_flight,
        )
        flow = registry.oauth_flow("google", REGISTRATION, io)
        grant = consent(simulator, flow, scopes)
        full = scopes is None
        identity = flow.identify(START, grant) if full else Identity("C0", None, "", "", None, consumer=False)
        organisation = identity.organisation_id or ""
        credentials = registry.Credentials(
            TENANT, "con_1", organisation, REGISTRATION, grant.secret, grant.granted_scopes
        )
        connector = registry.connect("google", credentials, io)
        simulator.control.reset_metrics()
        yield GoogleRig(simulator, io, flow, connector, identity, grant.secret, credentials)
        session.close()
        assert not simulator.server.errors
