"""One tenant on a counted table in memory, connected to a provider by real HTTP, on a scaled clock."""

import random
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from lantern.connectors.consent import ClientRegistration
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Connector
from lantern.connectors.registry import Credentials, Io, connect
from lantern.domain.findings import Finding
from lantern.domain.tenancy import Connection
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from lantern.store.meter import Meter
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSession
from lantern.store.tenant import TenantStore
from scripts.bench.provider import CLIENT, START, Provider
from scripts.build.content import build_content
from tests.support.memory_table import MemoryDynamo
from tests.support.tenant import TENANT, Bench

TABLE = "TenantTable"


class ScaledClock:
    """Real time, `scale` times as fast: a second of the product's is 1/scale of ours."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._base = START
        self._origin = time.monotonic()
        self._skipped = 0.0

    def now(self) -> datetime:
        """The product's time."""
        return self._base + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """The product's seconds."""
        return (time.monotonic() - self._origin) * self._scale + self._skipped

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds) / self._scale)

    def forward(self, **delta: float) -> None:
        """Move on without waiting."""
        self._skipped += timedelta(**delta).total_seconds()


@dataclass
class RemoteWorld:
    """A provider at the other end of HTTP, as tests' worlds are."""

    provider: Provider
    clock: ScaledClock
    io: Io

    def connector(self, connection_id: str) -> Connector:
        """The real connector."""
        registration = ClientRegistration(CLIENT.client_id, CLIENT.client_secret)
        credentials = Credentials(
            TENANT, connection_id, self.provider.customer_id, registration, self.provider.refresh_token
        )
        return connect("google", credentials, self.io)


def remote_world(provider: Provider, scale: float) -> RemoteWorld:
    """The provider, asked by a connector whose limiters are fresh."""
    clock = ScaledClock(scale)
    base = provider.base_url
    draw = random.Random(1)  # noqa: S311 - jitter
    lock = threading.Lock()

    def uniform() -> float:
        with lock:
            return draw.random()

    endpoints = {"admin": base, "token": f"{base}/token", "revoke": f"{base}/revoke"}
    io = Io(
        session=new_session(),
        clock=clock,
        limiters=Limiters(clock, uniform),
        random=uniform,
        endpoints=endpoints,
    )
    return RemoteWorld(provider, clock, io)


def knowledge() -> Knowledge:
    """What a release ships, compiled now."""
    out = Path(tempfile.mkdtemp(prefix="lantern-bench-"))
    build_content(out)
    return load_knowledge(out)


def counted_store(meter: Meter) -> TenantStore:
    """A tenant's store on a new table in memory; `meter` counts what it uses."""
    dynamo = MemoryDynamo()
    dynamo.tables[TABLE] = {}
    client = dynamo.client()
    meter.attach(client)
    session = TenantSession.open(TENANT, TABLE, client)
    seeded = random.Random(2)  # noqa: S311 - ids of a benchmark
    return TenantStore(session, finding_type=Finding, random=seeded.randbytes)


def tenant(world: RemoteWorld, meter: Meter) -> Bench:
    """A tenant with an active connection; `meter` counts what it uses of the table."""
    store = counted_store(meter)
    connection = store.connections.put(
        Connection(
            id="con_0000000000000001",
            provider="google",
            organisation_id=world.provider.customer_id,
            name="Bench",
            status="active",
            granted_scopes=frozenset(),
            missing_scopes=frozenset(),
            connected_at=world.clock.now(),
        )
    )
    pooled = MemoryDynamo()
    pooled.tables["PlatformTable"] = {}
    platform = PlatformStore(pooled.client(), "PlatformTable")
    # The world and the clock are those of a bench in all that is used here.
    return Bench(store, platform, world, world.clock, knowledge(), connection.id)  # type: ignore[arg-type]
