"""Measures one size of organisation; run in a process of its own so that its peak memory is its own."""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from lantern.connectors.protocol import Deadline, Unread
from lantern.domain.use import UseWindow
from lantern.domain.work import Work, WorkKind
from lantern.services.discovery.run import PRINCIPALS_PER_SHARD
from lantern.services.discovery.use import HISTORY, SETTLED
from lantern.store.meter import Meter, Usage
from scripts.bench.provider import Provider, provider
from scripts.bench.tenant import remote_world, tenant
from tests.support.tenant import Bench

QUOTA_PER_S = 2400 / 60
SERVICE_S = 0.2
SERIAL = 1000
"""Accounts that are read one after the other; more would only take longer."""
DAY = timedelta(days=1)
DRIVE = "https://www.googleapis.com/auth/drive"


@dataclass(frozen=True, slots=True)
class Phase:
    """One message's cost. Seconds are the provider's (scaled); `cpu_s` are real ones of our process."""

    name: str
    wall_s: float
    cpu_s: float
    write_units: int
    read_units: float
    table_calls: int
    provider_calls: int
    refused: int
    peak_mb: int
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """Reading every account's grants and nothing else, by one way of asking."""

    name: str
    accounts: int
    wall_s: float
    bound_s: float
    calls: int
    refused: int
    failed: int

    @property
    def ratio(self) -> float:
        """Wall time against the quota bound."""
        return self.wall_s / self.bound_s


def _counts(google: Provider) -> tuple[int, int]:
    methods = google.control("metrics")["methods"].values()
    return sum(m["calls"] for m in methods), sum(m["refused"] for m in methods)


def phase(name: str, bench: Bench, meter: Meter, google: Provider, do: Callable[[], object]) -> Phase:
    """Measure `do`."""
    google.control("reset_metrics")
    began, cpu = bench.clock.monotonic(), time.process_time()
    usage: Usage
    with meter.measured() as usage:
        do()
    calls, refused = _counts(google)
    return Phase(
        name=name,
        wall_s=round(bench.clock.monotonic() - began, 1),
        cpu_s=round(time.process_time() - cpu, 2),
        write_units=usage.write_units,
        read_units=usage.read_units,
        table_calls=usage.total_calls,
        provider_calls=calls,
        refused=refused,
        peak_mb=_peak_mb(),
    )


def _peak_mb() -> int:
    """Most memory this process ever had."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def life(principals: int, scale: float) -> dict[str, Any]:
    """First load, unchanged, 1 % changed, each scored; then peak memory."""
    with provider(principals, scale) as google:
        google.control("service_time", low_s=SERVICE_S)
        meter = Meter()
        bench = tenant(remote_world(google, scale), meter)
        bench.seconds = 870.0

        def step(name: str, kind: WorkKind) -> Phase:
            def do() -> None:
                bench.do(Work(bench.store.tenant_id, kind, bench.connection_id))
                while any(w.kind == kind for w in bench.sent):
                    bench.do(bench.sent.pop())

            return phase(name, bench, meter, google, do)

        phases = [step("first load", "connection.full"), step("first scoring", "score.run")]
        bench.clock.forward(days=1)
        phases += [step("unchanged", "connection.full"), step("scoring sweep", "score.run")]
        changed = _change(google, max(1, principals // 100))
        bench.clock.forward(days=1)
        cost = step("1 % changed", "connection.full")
        phases.append(Phase(**{**asdict(cost), "changed": changed}))
        run = bench.store.runs.list(bench.connection_id, 1).items[0]
        return {
            "principals": principals,
            "scale": scale,
            "listed": run.coverage.listed,
            "grants": run.counts.grants,
            "state": run.state,
            "phases": [asdict(p) for p in phases],
            "peak_mb": _peak_mb(),
            "bound_s": round((run.coverage.listed or 0) / QUOTA_PER_S, 1),
        }


def _change(google: Provider, count: int) -> int:
    people = [u for u in google.control("users") if u["state"] == "active" and not u["is_admin"]]
    chosen = people[:: max(1, len(people) // count)][:count]
    for user in chosen:
        google.control("grant", user=user["id"], app="Bench Assistant", scopes=[DRIVE])
    return len(chosen)


def poll(principals: int, events: float) -> dict[str, Any]:
    """A quarter-hourly poll, at so many token events a user and day."""
    with provider(principals, 1.0, events) as google:
        meter = Meter()
        bench = tenant(remote_world(google, 1.0), meter)
        work = Work(bench.store.tenant_id, "connection.changes", bench.connection_id)
        bench.do(work)
        bench.clock.forward(minutes=15)
        google.control("advance", seconds=900)
        cost = phase("poll", bench, meter, google, lambda: bench.do(work))
        return {"principals": principals, "events_a_day": principals * events, **asdict(cost)}


def use(principals: int, events: float) -> dict[str, Any]:
    """A second day of use, read and folded, at so many token events a user and day."""
    with provider(principals, 1.0, events) as google:
        meter = Meter()
        bench = tenant(remote_world(google, 1.0), meter)
        bench.seconds = 870.0
        store, cid = bench.store, bench.connection_id
        shards = 1
        while principals > shards * PRINCIPALS_PER_SHARD:
            shards *= 2
        now = bench.clock.now()
        store.connections.put(replace(bench.connection, shards=shards, connected_at=now))
        # All that lies further back is taken as read.
        store.use.set_window(cid, UseWindow(now - HISTORY - DAY, now - SETTLED))
        work = Work(store.tenant_id, "connection.use", cid)
        spent = []
        for _ in range(2):
            bench.clock.forward(days=1)
            google.control("advance", seconds=DAY.total_seconds())
            spent.append(phase("use", bench, meter, google, lambda: bench.do(work)))
        return {"events_a_day": principals * events, **asdict(spent[1])}


def pace(name: str, google: Provider, scale: float, *, others: float = 0.0) -> Pace:
    """Read every account with our connector, storing nothing."""
    world = remote_world(google, scale)
    connector = world.connector("con_bench")
    accounts: list[Any] = []
    cursor: str | None = None
    while True:
        page = connector.principals(cursor)
        accounts += page.principals
        cursor = page.cursor
        if cursor is None:
            break
    living = [a for a in accounts if a.status != "deleted"]
    google.control("reset_metrics")
    began = world.clock.monotonic()
    deadline = Deadline(world.clock, began + 86_400)
    failed = sum(isinstance(seen, Unread) for seen in connector.read(living, deadline))
    wall = world.clock.monotonic() - began
    calls, refused = _counts(google)
    bound = len(living) / (QUOTA_PER_S * (1 - others))
    return Pace(name, len(living), round(wall, 1), round(bound, 1), calls, refused, failed)


def official(name: str, google: Provider, scale: float, accounts: Sequence[str], threads: int) -> Pace:
    """Read every account with Google's own client, whose retries back off on the scaled clock."""
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import build
    from googleapiclient.errors import HttpError

    local = threading.local()

    def read(account: str) -> bool:
        if not hasattr(local, "service"):
            token = Credentials(google.access_token)  # type: ignore[no-untyped-call] # google-auth is untyped
            options = {"api_endpoint": google.base_url}
            local.service = build(
                "admin", "directory_v1", credentials=token, client_options=options, static_discovery=True
            )
        request = local.service.tokens().list(userKey=account)
        request._sleep = lambda seconds: time.sleep(seconds / scale)  # noqa: SLF001 - its only hook
        try:
            request.execute(num_retries=5)
        except HttpError:
            return False
        return True

    google.control("reset_metrics")
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        failed = sum(not done for done in pool.map(read, accounts))
    wall = (time.monotonic() - began) * scale
    calls, refused = _counts(google)
    bound = len(accounts) / QUOTA_PER_S
    return Pace(name, len(accounts), round(wall, 1), round(bound, 1), calls, refused, failed)


def paces(principals: int, scale: float) -> list[dict[str, Any]]:
    """The same fetch in several ways."""
    found = []
    with provider(principals, scale) as google:
        accounts = [u["id"] for u in google.control("users") if u["state"] != "deleted"]
        for service in (0.02, SERVICE_S, 0.5):
            google.control("quota", per_minute=2400)
            google.control("service_time", low_s=service)
            found.append(pace(f"Lantern, {service * 1000:.0f} ms a call", google, scale))
        google.control("service_time", low_s=SERVICE_S)
        google.control("quota", per_minute=2400, other_share=0.5)
        name = "Lantern, another tool takes half the quota"
        found.append(pace(name, google, scale, others=0.5))
        google.control("quota", per_minute=2400, other_share=0.0)
        some = accounts[:SERIAL]
        found.append(official("Google's client, serial", google, scale, some, 1))
        google.control("quota", per_minute=2400)
        found.append(official("Google's client, 16 threads", google, scale, accounts, 16))
        google.control("service_time", low_s=0.02)
        google.control("quota", per_minute=2400)
        found.append(official("Google's client, 16 threads, 20 ms a call", google, scale, accounts, 16))
    return [{**asdict(p), "ratio": round(p.ratio, 3), "scale": scale} for p in found]


def main(
    what: Annotated[str, typer.Argument()],
    principals: Annotated[int, typer.Option()],
    scale: Annotated[float, typer.Option()] = 5.0,
    events: Annotated[float, typer.Option()] = 100.0,
) -> None:
    """Measure `life`, `paces`, `poll` or `use`; prints JSON."""
    measures: dict[str, Callable[[], Any]] = {
        "life": lambda: life(principals, scale),
        "paces": lambda: paces(principals, scale),
        "poll": lambda: poll(principals, events),
        "use": lambda: use(principals, events),
    }
    sys.stdout.write(json.dumps(measures[what]()) + "\n")


if __name__ == "__main__":
    typer.run(main)
