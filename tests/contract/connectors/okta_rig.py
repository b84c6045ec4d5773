"""A connected Okta organisation on this machine: simulator, onboarding form, connector."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentStart, Identity
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.okta.manifest import APPS, MANIFEST, ORG, USERS
from lantern.connectors.protocol import Action, Connector
from lantern.domain.inventory import Principal
from tests.contract.connectors.google_rig import SimulatedTime
from tests.contract.connectors.rig import Rig
from tests.simulators.okta import OktaSimulator, OrgSpec, QuotaSettings, ScaledClock

START = ConsentStart("a-state", "a-nonce", "v" * 43, "http://127.0.0.1:9/connect/okta/callback")
TENANT = "t" * 20
SCOPES = tuple(need.scope for need in MANIFEST.scopes)
ADDRESS = "harbourline.okta.com"


class OrganisationTime:
    """The simulator's own time, scaled or not."""

    def __init__(self, clock: ScaledClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


@cache
def keys() -> tuple[str, dict[str, Any]]:
    """A client's private JWK as text, and its public half."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": "k1"}
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k1"}
    return json.dumps(private), public


@dataclass
class OktaRig(Rig):
    """The simulator, connected; `connector` is as production makes it."""

    simulator: OktaSimulator
    io: registry.Io
    flow: ConsentFlow
    connector: Connector
    identity: Identity
    refresh_token: str
    client_id: str
    client_secret: str
    credentials: registry.Credentials

    api_paths: ClassVar[str] = "^/(api|integrations)/"
    secret_paths: ClassVar[str] = "^/(api|oauth2)/"
    act_paths: ClassVar[tuple[str, str]] = ("/clients/", "DELETE")
    needed: ClassVar[set[str]] = {ORG, USERS, APPS}
    answers_bare_lists = frozenset({"grants", "changes"})

    def people(self, state: str = "active") -> list[str]:
        return [k for k, v in self.truth().items() if v["state"] == state and k != "application"]

    def grants_path(self, native_id: str) -> str:
        return f"^/api/v1/users/{native_id}/grants$"

    def victim(self, people: list[Principal]) -> Principal:
        return next(p for p in people if p.kind == "user" and self.truth()[p.native_id]["grants"])

    def consented(self) -> tuple[str, str]:
        """An active account and a client that it consented to without being assigned to it."""
        return next(
            (user, client)
            for user in self.people()
            for client, scopes in self.truth()[user]["grants"].items()
            if "openid" not in scopes
        )

    def target(self) -> tuple[str, Action]:
        user, client = self.consented()
        return user, Action("revoke_grant", user, client)

    def again(self) -> Connector:
        """A connector as the next message has it."""
        return registry.connect("okta", self.credentials, self.io)


def entries(simulator: OktaSimulator, *, scopes: Sequence[str], token: bool, dpop: bool) -> dict[str, str]:
    """What an administrator enters into the form."""
    if token:
        admin = simulator.control.organisation()["admin"]
        return {"address": ADDRESS, "api_token": simulator.control.issue_api_token(admin)}
    private, public = keys()
    client = simulator.control.register_client(public, scopes, dpop=dpop)
    return {"address": ADDRESS, "client_id": client, "private_key": private}


@contextmanager
def okta(
    employees: int = 12,
    *,
    scale: float | None = None,
    in_flight: int = 1,
    scopes: Sequence[str] | None = None,
    seed: int = 1,
    token: bool = False,
    dpop: bool = True,
    limits: dict[str, int] | None = None,
    **spec: Any,
) -> Iterator[OktaRig]:
    """A simulated organisation, connected. With `scale` quotas hold and time passes that much faster."""
    quota = QuotaSettings() if scale else QuotaSettings(enabled=False)
    quota.limits.update(limits or {})
    timed = ScaledClock(scale or 1.0)
    with OktaSimulator(OrgSpec(employees, seed, **spec), clock=timed, quota=quota) as simulator:
        clock = OrganisationTime(timed) if scale else SimulatedTime(simulator)
        rng = random.Random(seed)
        session = new_session()
        io = registry.Io(
            session=session,
            clock=clock,
            limiters=Limiters(clock, rng.random),
            random=rng.random,
            endpoints={"organisation": simulator.base_url},
            max_in_flight=in_flight,
        )
        registration = ClientRegistration("", "")
        flow = registry.oauth_flow("okta", registration, io)
        given = SCOPES if scopes is None else tuple(scopes)
        entered = entries(simulator, scopes=SCOPES, token=token, dpop=dpop)
        grant = flow.exchange(START, entered)
        identity = flow.identify(START, grant)
        if not token:
            # Taken away after the connecting: without those that are needed there would be no connection.
            simulator.control.client_scopes(entered["client_id"], given)
        credentials = registry.Credentials(
            TENANT,
            "con_1",
            identity.organisation_id or "",
            registration,
            grant.secret,
            grant.granted_scopes if token else frozenset(given),
        )
        connector = registry.connect("okta", credentials, io)
        simulator.control.reset_metrics()
        yield OktaRig(
            simulator,
            io,
            flow,
            connector,
            identity,
            grant.secret,
            entered.get("client_id", ""),
            json.loads(entered["private_key"])["d"] if not token else entered["api_token"],
            credentials,
        )
        session.close()
        assert not simulator.server.errors
