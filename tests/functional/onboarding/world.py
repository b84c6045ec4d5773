"""An administrator's browser, the simulated Google over HTTP, and Lantern on tables in memory and moto."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import requests
from botocore.client import BaseClient
from botocore.config import Config
from botocore.session import Session
from moto import mock_aws

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow
from lantern.connectors.limiter import Limiters
from lantern.services import onboarding, web
from lantern.services.connecting import Vaulting
from lantern.services.links import Site
from lantern.services.onboarding import Onboarding
from lantern.services.pages import Page
from lantern.services.schedules import ScheduleGroup
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from tests.functional.api.world import PLATFORM_TABLE, TENANT_TABLE, make_tables
from tests.simulators.google.model import OAuthClient
from tests.simulators.google.organisation import OrgSpec
from tests.simulators.google.simulator import GoogleSimulator
from tests.support.memory_table import MemoryDynamo

REGION = "eu-central-1"
BASE = "https://lantern.example/prod"
REDIRECT = f"{BASE}/connect/google/callback"
CLIENT = OAuthClient("123-lantern.apps.googleusercontent.com", "GOCSPX-canary-client-secret", (REDIRECT,))
CALLBACK = "/connect/{provider}/callback"


class Crash(BaseException):
    """The process died here; nothing in it could catch that."""


class Wall:
    """Real time plus an offset, for Lantern; the simulator's clock moves along."""

    def __init__(self, simulator: GoogleSimulator) -> None:
        self.simulator = simulator

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.simulator.clock.now(), UTC)

    def monotonic(self) -> float:
        return self.simulator.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.simulator.clock.advance(seconds)


@dataclass
class Faults:
    """Counts AWS requests and dies at one of them: before it was sent, or before its answer was read."""

    calls: list[str] = field(default_factory=list)
    at: int | None = None
    after: bool = False

    def arm(self, at: int | None, *, after: bool = False) -> None:
        self.calls, self.at, self.after = [], at, after

    def hook(self, client: Any) -> Any:
        client.meta.events.register_first("before-call", self._before)
        client.meta.events.register_last("after-call", self._done)
        return client

    def _before(self, model: Any, **_: object) -> None:
        self.calls.append(model.name)
        if self.at == len(self.calls) and not self.after:
            raise Crash(model.name)

    def _done(self, model: Any, **_: object) -> None:
        if self.at == len(self.calls) and self.after:
            raise Crash(model.name)


class World:
    """Lantern's side of a consent, on empty tables."""

    def __init__(self, simulator: GoogleSimulator, dynamo: MemoryDynamo, seed: int = 1) -> None:
        self.simulator, self.dynamo = simulator, dynamo
        self.clock = Wall(simulator)
        self.faults = Faults()
        self.random = random.Random(seed).randbytes
        self.aws = self._aws()
        make_tables(self.aws("dynamodb"))
        self.dynamodb = self._hooked("dynamodb")
        self.kms, self.scheduler = self._hooked("kms"), self._hooked("scheduler")
        self.platform = PlatformStore(self.dynamodb, PLATFORM_TABLE)
        self.key_id = self.aws("kms").create_key()["KeyMetadata"]["KeyId"]
        self.aws("scheduler").create_schedule_group(Name="lantern-test")
        self._stores: dict[str, TenantStore] = {}
        self.tenant_hooks: dict[str, Callable[..., None]] = {}
        self.flow = self._flow()
        self.site = Site(BASE)

    def _aws(self) -> Callable[[str], Any]:
        session = Session()
        session.set_credentials("test", "test")
        config = Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1})
        return lambda service: session.create_client(service, region_name=REGION, config=config)

    def _hooked(self, service: str) -> Any:
        return self.faults.hook(self.aws(service))

    def _flow(self) -> ConsentFlow:
        base = self.simulator.base_url
        endpoints = {
            name: f"{base}{urlsplit(address).path}"
            for name, address in registry.manifest("google").endpoints.items()
            if name != "issuer"
        }
        luck = random.Random(5).random
        session = requests.Session()
        session.trust_env = False
        io = registry.Io(session, self.clock, Limiters(self.clock, luck), luck, endpoints)
        return registry.oauth_flow("google", ClientRegistration(CLIENT.client_id, CLIENT.client_secret), io)

    def tenant(self, tenant_id: str) -> TenantStore:
        if tenant_id not in self._stores:
            client = self._hooked("dynamodb")
            for event, hook in self.tenant_hooks.items():
                client.meta.events.register(event, hook)
            session = TenantSession.open(tenant_id, TENANT_TABLE, client)
            self._stores[tenant_id] = TenantStore(session, random=self.random, sleep=lambda _: None)
        return self._stores[tenant_id]

    def onboarding(self) -> Onboarding:
        group = ScheduleGroup(
            "lantern-test",
            "arn:aws:iam::123456789012:role/send",
            {"runs": "https://sqs/runs", "hints": "https://sqs/hints"},
        )
        vaulting = Vaulting(self.platform, self.tenant, self.kms, self.key_id, self.scheduler, group, "test")
        return Onboarding(
            site=self.site,
            platform=self.platform,
            vaulting=vaulting,
            flow=lambda provider: self.flow if provider == "google" else None,
            now=self.clock.now,
            random=self.random,
        )

    # --- what is there afterwards ---------------------------------------------------------------
    def tenants(self) -> list[str]:
        return [entry.id for entry in self.platform.list_tenants().items]

    def schedules(self) -> set[str]:
        listed = self.aws("scheduler").list_schedules(GroupName="lantern-test")["Schedules"]
        return {item["Name"] for item in listed}

    def items(self) -> list[dict[str, Any]]:
        """Every item of both tables."""
        return [row for table in (TENANT_TABLE, PLATFORM_TABLE) for row in self.dynamo.items(table)]


class Browser:
    """One browser: it keeps cookies and follows redirects as far as it is told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cookies: dict[str, str] = {}

    def get(
        self,
        route: str,
        query: dict[str, list[str]] | None = None,
        *,
        provider: str = "google",
        token: str = "",
        path: str | None = None,
    ) -> Page:
        """A GET on a route of Lantern."""
        parameters = {"token": token} if token else {"provider": provider}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        event = {
            "path": path if path is not None else route.format(**parameters),
            "pathParameters": parameters,
            "multiValueQueryStringParameters": query,
            "multiValueHeaders": {"Cookie": [cookie]} if cookie else {},
            "requestContext": {"requestId": "req-1"},
        }
        page = onboarding.handle(self.world.onboarding(), route, web.read(event))
        self._keep(page)
        return page

    def _keep(self, page: Page) -> None:
        line = page.headers.get("Set-Cookie")
        if line is not None:
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    def start(self) -> Page:
        """Begin a consent for a new tenant."""
        return self.get("/connect/{provider}")

    def consent(self, page: Page) -> dict[str, list[str]]:
        """At Google: decide as told; returns the query that Google sends back."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(page.headers["Location"], allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        assert answer.headers["Location"].startswith(REDIRECT)
        return parse_qs(urlsplit(answer.headers["Location"]).query, keep_blank_values=True)

    def back(self, query: dict[str, list[str]], **how: Any) -> Page:
        """Return from Google."""
        return self.get(CALLBACK, query, **how)

    def connect(self) -> Page:
        """The whole way."""
        return self.back(self.consent(self.start()))


@contextmanager
def aws() -> Iterator[MemoryDynamo]:
    """An empty AWS account: every client's tables are in memory, which is yielded, all else is moto's."""
    dynamo = MemoryDynamo()
    real = BaseClient._make_api_call

    def call(client: BaseClient, operation: str, params: Any) -> Any:
        tables = client.meta.service_model.service_name == "dynamodb"
        return dynamo.answer(client, operation, params) if tables else real(client, operation, params)

    with mock_aws(), mock.patch.object(BaseClient, "_make_api_call", call):
        yield dynamo


@contextmanager
def lantern(simulator: GoogleSimulator, seed: int = 1) -> Iterator[World]:
    """A world on fresh tables."""
    with aws() as dynamo:
        yield World(simulator, dynamo, seed)


def google(**more: Any) -> GoogleSimulator:
    """A small Google with one organisation, an ordinary employee known by address, and a private account."""
    simulator = GoogleSimulator(OrgSpec(employees=12, **more), clients=(CLIENT,))
    simulator.control.add_consumer("somebody@gmail.example")
    return simulator


def in_minutes(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)
