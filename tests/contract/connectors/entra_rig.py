"""A connected Microsoft Entra tenant on this machine: simulator, consent in two legs, connector."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from lantern.connectors import registry
from lantern.connectors.consent import (
    ClientRegistration,
    ConsentFlow,
    ConsentStart,
    Detour,
    Identity,
    TokenGrant,
)
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Connector
from tests.contract.connectors.google_rig import ScaledTime, SimulatedTime
from tests.contract.connectors.rig import Rig
from tests.simulators.entra import AppRegistration, EntraSimulator, QuotaSettings, TenantSpec
from tests.simulators.google.clock import Clock

REDIRECT = "http://127.0.0.1:9/connect/entra/callback"
SECRET = "simulated~client~secret"
APP = AppRegistration("5d0c2f6e-4f0b-4c7f-9a55-3b6c1f0e7a11", SECRET, (REDIRECT,))
REGISTRATION = ClientRegistration(APP.client_id, APP.client_secret)
START = ConsentStart("a-state", "a-nonce", "v" * 43, REDIRECT)
TENANT = "t" * 20


def endpoints(base: str) -> dict[str, str]:
    return {"graph": f"{base}/v1.0", "login": base}


def make_io(simulator: EntraSimulator, clock: Any, in_flight: int = 1, seed: int = 1) -> registry.Io:
    rng = random.Random(seed)
    return registry.Io(
        session=new_session(),
        clock=clock,
        limiters=Limiters(clock, rng.random),
        random=rng.random,
        endpoints=endpoints(simulator.base_url),
        max_in_flight=in_flight,
    )


@dataclass
class EntraRig(Rig):
    """The simulator with a consent given; `connector` is as production makes it."""

    simulator: EntraSimulator
    io: registry.Io
    flow: ConsentFlow
    connector: Connector
    identity: Identity
    credentials: registry.Credentials
    refresh_token: str

    api_paths = r"^/v1\.0/"
    act_paths = ("/oauth2PermissionGrants/", "DELETE")
    secret_paths = r"^/(v1\.0|[0-9a-f-]+/oauth2)/"
    client_secret = SECRET
    remaining_access_s = 5400
    needed = frozenset({"Directory.Read.All"})
    """What nothing works without; what the other permissions are for is tested by feature."""

    def again(self, connection_id: str = "con_1") -> Connector:
        """Another connector for the same tenant, as the next message gets."""
        return registry.connect("entra", replace(self.credentials, connection_id=connection_id), self.io)

    def people(self, state: str = "active") -> list[str]:
        return [k for k, v in self.truth().items() if v["state"] == state and "email" in v]

    def grants_path(self, native_id: str) -> str:
        if native_id == "AllPrincipals":
            return r"^/v1\.0/oauth2PermissionGrants$"
        return rf"^/v1\.0/users/{native_id}/oauth2PermissionGrants$"

    def revocable(self) -> tuple[str, str]:
        """A person and an app that the person consented to."""
        tenant = self.simulator.world.tenant()
        grant = next(
            g
            for g in tenant.grants.values()
            if g["principalId"] and tenant.users[g["principalId"]]["accountEnabled"]
        )
        return grant["principalId"], tenant.apps[grant["clientId"]]["appId"]


def browse(flow: ConsentFlow, start: ConsentStart) -> dict[str, str]:
    """Go where the flow sends the browser; the parameters it comes back with."""
    answer = requests.get(flow.authorize_url(start), allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == [start.state]
    return {name: values[0] for name, values in query.items()}


def consent(flow: ConsentFlow, start: ConsentStart = START) -> tuple[ConsentStart, TokenGrant]:
    """Walk through both legs as a browser would: the second leg's start, and the grant."""
    first = flow.exchange(start, browse(flow, start))
    assert isinstance(first, Detour)
    second = replace(start, state="another-state", facts=first.facts)
    grant = flow.exchange(second, browse(flow, second))
    assert isinstance(grant, TokenGrant)
    return second, grant


@contextmanager
def entra(
    employees: int = 12,
    *,
    scale: float | None = None,
    in_flight: int = 1,
    scopes: Sequence[str] | None = None,
    seed: int = 1,
    started: float | None = None,
    **spec: Any,
) -> Iterator[EntraRig]:
    """A simulated tenant, connected. With `scale` quotas hold and time passes that much faster."""
    quota = QuotaSettings(time_scale=scale) if scale else QuotaSettings(enabled=False)
    spec = {"employees": employees, "seed": seed, **spec}
    if scopes is not None:
        spec["p1"] = "Microsoft Entra ID P1" in scopes
    with EntraSimulator(TenantSpec(**spec), apps=[APP], quota=quota, clock=Clock(started)) as simulator:
        io = make_io(simulator, ScaledTime(scale) if scale else SimulatedTime(simulator), in_flight, seed)
        flow = registry.oauth_flow("entra", REGISTRATION, io)
        simulator.control.auto_consent(roles=scopes)
        start, grant = consent(flow)
        tid = start.facts["tid"]
        if scopes is None:
            identity = flow.identify(start, grant)
        else:
            identity = Identity(tid, None, "", "", None, consumer=False)
        credentials = registry.Credentials(
            TENANT, "con_1", tid, REGISTRATION, grant.secret, granted=grant.granted_scopes
        )
        connector = registry.connect("entra", credentials, io)
        simulator.control.reset_metrics()
        yield EntraRig(simulator, io, flow, connector, identity, credentials, grant.secret)
        io.session.close()
        assert not simulator.server.errors
