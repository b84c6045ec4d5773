"""A connected GitHub organisation on this machine: simulator, installation, connector."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity, TokenGrant
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Action, Connector
from lantern.domain.inventory import Principal
from tests.contract.connectors.rig import Rig
from tests.simulators.github import APP, AppSpec, GithubSimulator, OrgSpec
from tests.simulators.google.clock import Clock

START = ConsentStart("a-state", "a-nonce", "v" * 43, APP.redirect_uri)
TENANT = "t" * 20


class SimulatedTime:
    """The simulator's time: waiting moves it and costs nothing."""

    def __init__(self, simulator: GithubSimulator) -> None:
        self._clock = simulator.clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)


@dataclass
class GithubRig(Rig):
    """The simulator with our app installed; `connector` is as production makes it."""

    simulator: GithubSimulator
    io: registry.Io
    flow: ConsentFlow
    connector: Connector
    identity: Identity
    refresh_token: str

    api_paths = "^/((orgs|organizations|users?|apps?)/|graphql)"
    secret_paths = "^/app/"
    client_secret = APP.client_secret
    act_paths = ("/credential-authorizations/", "DELETE")
    remaining_access_s = 0
    needed = frozenset({"members:read", "organization_administration:read"})
    answers_bare_lists = frozenset({"changes"})

    def login(self, native_id: str) -> str:
        return self.simulator.world.person(native_id).login

    def victim(self, people: list[Principal]) -> Principal:
        """Somebody with a grant of their own: the organisation's are read by another call."""
        return next(p for p in people if p.kind == "user" and self.truth()[p.native_id]["grants"])

    def target(self) -> tuple[str, Action]:
        """An act that one call does."""
        for native_id, told in self.truth().items():
            if native_id != "organisation" and "sso-oauth-app-token" in told["grants"]:
                return native_id, Action("revoke_grant", native_id, "sso-oauth-app-token")
        raise AssertionError("nobody authorised an app")

    def grants_path(self, native_id: str) -> str:
        return f"/credential-authorizations[?].*login={self.login(native_id)}(&|$)"

    def another(self, connection_id: str = "con_1", **more: Any) -> Connector:
        """A connector that remembers nothing, as the next message has it."""
        return connector(self.simulator, replace(self.io, **more), self.refresh_token, connection_id)


def registration(simulator: GithubSimulator) -> ClientRegistration:
    told = simulator.registration()
    return ClientRegistration(told.pop("client_id"), told.pop("client_secret"), told)


def connector(
    simulator: GithubSimulator, io: registry.Io, secret: str, connection_id: str = "con_1"
) -> Connector:
    organisation = str(simulator.world.need(None).id)
    credentials = registry.Credentials(TENANT, connection_id, organisation, registration(simulator), secret)
    return registry.connect("github", credentials, io)


def walk(simulator: GithubSimulator, flow: ConsentFlow, **decision: Any) -> dict[str, str]:
    """Go to the installation page as a browser would; what comes back to us."""
    simulator.control.auto_consent(**decision)
    answer = requests.get(flow.authorize_url(START), allow_redirects=False, timeout=10)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == [START.state]
    names = [name.rstrip("?") for name in flow.answers]
    return {name: query[name][0] for name in names if name in query}


def consent(simulator: GithubSimulator, flow: ConsentFlow, **decision: Any) -> TokenGrant:
    """An owner installs the app."""
    grant = flow.exchange(START, walk(simulator, flow, **decision))
    assert isinstance(grant, TokenGrant)
    return grant


def levels(scopes: Sequence[str]) -> dict[str, str]:
    """Permissions as GitHub keeps them: one level each; whoever may not read may not write."""
    held = {scope.removesuffix(":read"): "read" for scope in scopes if scope.endswith(":read")}
    return {name: "write" if f"{name}:write" in scopes else level for name, level in held.items()}


@contextmanager
def github(
    employees: int = 12,
    *,
    scopes: Sequence[str] | None = None,
    seed: int = 1,
    ghec: bool = True,
    copilot: bool = True,
    in_flight: int = 1,
) -> Iterator[GithubRig]:
    """A simulated organisation, connected."""
    spec = OrgSpec(employees, seed, ghec=ghec, copilot=copilot)
    app = AppSpec() if scopes is None else AppSpec(permissions=levels(scopes))
    clock = Clock(running=False)
    with GithubSimulator(spec, app=app, clock=clock) as simulator:
        time = SimulatedTime(simulator)
        rng = random.Random(seed)
        session = new_session()
        io = registry.Io(
            session=session,
            clock=time,
            limiters=Limiters(time, rng.random),
            random=rng.random,
            endpoints=registry.relocated("github", simulator.base_url),
            max_in_flight=in_flight,
        )
        flow = registry.oauth_flow("github", registration(simulator), io)
        grant = consent(simulator, flow)
        identity = flow.identify(START, grant)
        made = connector(simulator, io, grant.secret)
        simulator.control.reset_metrics()
        yield GithubRig(simulator, io, flow, made, identity, grant.secret)
        session.close()
        assert not simulator.server.errors
        assert not simulator.tokens.unversioned
