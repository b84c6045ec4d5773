"""A connected Slack on this machine: simulator, installation, connector."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar
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
from lantern.connectors.protocol import Action, Connector
from lantern.connectors.slack.api import Tokens
from lantern.domain.inventory import Principal
from tests.contract.connectors.google_rig import ScaledTime, SimulatedTime
from tests.contract.connectors.rig import Rig
from tests.simulators.slack import OrgSpec, SlackClient, SlackSimulator, TierSettings

TENANT = "t" * 20
REDIRECT = "https://lantern.example/connect/slack/callback"
CLIENT = SlackClient("4511.9911", "slack-simulated-secret", (REDIRECT,))
START = ConsentStart("a-state", "a-nonce", "v" * 43, REDIRECT)
REGISTRATION = ClientRegistration(CLIENT.client_id, CLIENT.client_secret)


@dataclass
class SlackRig(Rig):
    """The simulator with an installation made; `connector` is as production makes it."""

    simulator: SlackSimulator
    io: registry.Io
    flow: ConsentFlow
    connector: Connector
    identity: Identity
    grant: TokenGrant

    api_paths: ClassVar[str] = "^/(api|audit)/"
    act_paths: ClassVar[tuple[str, str]] = (r"^/api/admin\.apps\.uninstall", "POST")
    secret_paths: ClassVar[str] = "^/(api|audit)/"
    client_secret: ClassVar[str] = CLIENT.client_secret
    remaining_access_s: ClassVar[int] = 0
    needed: ClassVar[frozenset[str]] = frozenset({"users:read"})

    @property
    def refresh_token(self) -> str:
        """The tokens' secrets, for who looks for them in logs."""
        return Tokens.load(self.grant.secret).user or Tokens.load(self.grant.secret).bot

    def victim(self, people: Sequence[Principal]) -> Principal:
        """An account whose bundle can fail alone: the organisation's own."""
        return next(p for p in people if p.kind == "organisation")

    def grants_path(self, native_id: str) -> str:
        """What only the organisation's bundle is read from."""
        return r"^/api/admin\.apps\.approved\.list$"

    def target(self) -> tuple[str, Action]:
        """The holder and the act that takes an app from it."""
        world = self.simulator.world
        app = next(a for a in world.apps.values() if world.installed(a.id) and a.id != CLIENT.app_id)
        return world.organisation_id, Action("uninstall_app", client_id=app.id)


def browse(simulator: SlackSimulator, flow: ConsentFlow, start: ConsentStart) -> dict[str, str]:
    """What comes back from the page."""
    answer = requests.get(flow.authorize_url(start), allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    query = {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert query["state"] == start.state
    return query


def consent(simulator: SlackSimulator, flow: ConsentFlow, start: ConsentStart = START) -> TokenGrant:
    """Walk through one or both legs as a browser would."""
    for _ in range(2):
        given = flow.exchange(start, {"code": browse(simulator, flow, start)["code"]})
        if not isinstance(given, Detour):
            return given
        start = replace(start, facts={**start.facts, **given.facts})
    raise AssertionError("a consent of three legs")


def make_io(simulator: SlackSimulator, seed: int = 1, scale: float | None = None) -> registry.Io:
    """What a connector touches the simulated world with."""
    clock = ScaledTime(scale) if scale else SimulatedTime(simulator)  # type: ignore[arg-type]
    rng = random.Random(seed)
    endpoints = registry.relocated("slack", simulator.base_url)
    return registry.Io(
        new_session(), clock, Limiters(clock, rng.random), rng.random, endpoints, max_in_flight=1
    )


@contextmanager
def slack(
    employees: int = 12,
    *,
    plan: str = "enterprise",
    scopes: Sequence[str] | None = None,
    seed: int = 1,
    scale: float | None = None,
    email: str | None = None,
    place: str | None = None,
) -> Iterator[SlackRig]:
    """A simulated organisation, connected. With `scale` limits hold and time passes that much faster."""
    limits = TierSettings(enabled=scale is not None, time_scale=scale or 1.0)
    with SlackSimulator(OrgSpec(employees, seed, plan), clients=[CLIENT], limits=limits) as simulator:
        io = make_io(simulator, seed, scale)
        flow = registry.oauth_flow("slack", REGISTRATION, io)
        simulator.control.auto_consent(email=email, scopes=scopes, place=place)
        grant = consent(simulator, flow)
        known = scopes is None or "users:read" in scopes
        identity = (
            flow.identify(START, grant) if known else Identity(None, None, "", "", None, consumer=False)
        )
        organisation = identity.organisation_id or Tokens.load(grant.secret).organisation
        credentials = registry.Credentials(
            TENANT, "con_1", organisation, REGISTRATION, grant.secret, grant.granted_scopes
        )
        connector = registry.connect("slack", credentials, io)
        simulator.control.reset_metrics()
        yield SlackRig(simulator, io, flow, connector, identity, grant)
        io.session.close()
        assert not simulator.server.errors, simulator.server.errors
