"""A connected Salesforce organisation on this machine: simulator, consent, connector."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import requests

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity, TokenGrant
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Connector
from tests.contract.connectors.google_rig import TENANT, SimulatedTime
from tests.contract.connectors.rig import Rig
from tests.simulators.google.clock import Clock as SimulatorClock
from tests.simulators.salesforce import CLIENT, REDIRECT, OrgSpec, SalesforceSimulator

START = ConsentStart("a-state", "a-nonce", "v" * 43, REDIRECT)
REGISTRATION = ClientRegistration(CLIENT.client_id, CLIENT.client_secret)
OAUTH = ("api", "refresh_token", "id")
RIGHTS = ("CustomizeApplication", "ManageUsers")


def endpoints(base: str) -> dict[str, str]:
    return dict(registry.relocated("salesforce", base))


@dataclass
class SalesforceRig(Rig):
    """The simulator with a consent given; `connector` is as production makes it."""

    simulator: SalesforceSimulator
    io: registry.Io
    flow: ConsentFlow
    connector: Connector
    identity: Identity
    refresh_token: str
    secret: str

    api_paths: ClassVar[str] = "^/services/data/"
    secret_paths: ClassVar[str] = "^/services/"
    act_paths: ClassVar[tuple[str, str]] = ("/oauth2/revoke$", "POST")
    needed: ClassVar[tuple[str, ...]] = RIGHTS
    remaining_access_s: ClassVar[int] = registry.manifest("salesforce").access_token_lifetime_s

    client_secret: ClassVar[str] = CLIENT.client_secret

    def secrets(self) -> list[str]:
        """Whatever must be in no log."""
        return [self.refresh_token, self.secret, CLIENT.client_secret, *self.simulator.sessions.access]

    def grants_path(self, native_id: str) -> str:
        if native_id.startswith("00D"):
            return "FROM ConnectedApplication"
        return f"FROM OauthToken WHERE .*{re.escape(native_id)}"

    def again(self, connection_id: str = "con_1") -> Connector:
        """Another connector, as the next message has one."""
        return connected(self.io, self.secret, self.identity.organisation_id or "", connection_id)


def consent(
    simulator: SalesforceSimulator,
    flow: ConsentFlow,
    scopes: Sequence[str] | None = None,
    email: str | None = None,
) -> TokenGrant:
    """Walk through the consent page as a browser would; the grant."""
    allowed = None if scopes is None else [s for s in scopes if s in OAUTH]
    simulator.control.auto_consent(email=email, scopes=allowed)
    answer = requests.get(flow.authorize_url(START), allow_redirects=False, timeout=10)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == [START.state]
    grant = flow.exchange(START, {"code": query["code"][0]})
    assert isinstance(grant, TokenGrant)
    return grant


def connected(io: registry.Io, secret: str, organisation: str, connection_id: str = "con_1") -> Connector:
    credentials = registry.Credentials(TENANT, connection_id, organisation, REGISTRATION, secret)
    return registry.connect("salesforce", credentials, io)


@contextmanager
def salesforce(
    employees: int = 12,
    *,
    scopes: Sequence[str] | None = None,
    seed: int = 1,
    started: float | None = None,
) -> Iterator[SalesforceRig]:
    """A simulated organisation, connected; `scopes` are what the app may ask and what its giver may do.

    `started` freezes the organisation's clock at that time.
    """
    still = None if started is None else SimulatorClock(started, running=False)
    spec = OrgSpec(employees=employees, seed=seed)
    with SalesforceSimulator(spec, clients=(CLIENT,), clock=still) as simulator:
        clock = SimulatedTime(simulator)  # type: ignore[arg-type]
        rng = random.Random(seed)
        session = new_session()
        io = registry.Io(
            session=session,
            clock=clock,
            limiters=Limiters(clock, rng.random),
            random=rng.random,
            endpoints=endpoints(simulator.base_url),
            max_in_flight=1,
        )
        flow = registry.oauth_flow("salesforce", REGISTRATION, io)
        admin = next(p for p in simulator.world.people.values() if p.permissions)
        grant = consent(simulator, flow, scopes)
        identity = flow.identify(START, grant)
        if scopes is not None:
            simulator.control.permissions(admin.id, [s for s in scopes if s in RIGHTS])
        secret = grant.secret
        connector = connected(io, secret, identity.organisation_id or "")
        simulator.control.reset_metrics()
        yield SalesforceRig(
            simulator, io, flow, connector, identity, json.loads(secret)["refresh_token"], secret
        )
        session.close()
        assert not simulator.server.errors
        read = [query for query in simulator.control.queries() if "AccessToken" in query]
        assert not read, "the refresh tokens of others were asked for"
