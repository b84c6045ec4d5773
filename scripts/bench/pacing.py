"""How close a full read of an organisation comes to what a provider's quota allows, in real time.

`python -m scripts.bench.pacing okta --accounts 1500`

Lantern's connector lists and reads everybody as a full run does (page by page, a hundred accounts at once),
at several service times, alone and beside another tool that takes half of the quota without a word. Beside it
the same connector reads with a fixed number of threads and no limiter: it sends as it can, and waits only
when it is refused, as long as it is told to. And beside that, where `make bench` has set up `.venv-bench`,
Okta's and Microsoft's own clients, used as their READMEs have it. Nothing is stored.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol

import typer
from rich.console import Console
from rich.table import Table

from lantern.connectors.halt import Halt
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiter, Limiters
from lantern.connectors.protocol import Connector, Deadline, Quota, Unread
from lantern.connectors.registry import Io
from scripts.bench import beside, entra, okta
from scripts.bench import provider as google
from scripts.bench.okta import CHUNK
from scripts.bench.tenant import RemoteWorld, ScaledClock

SERVICE_S = (0.02, 0.1, 0.5)
USUAL_S = 0.1
THREADS = (4, 16, 64)
LOOPED = 300
"""So many accounts a client reads one after the other: it would be at it for an hour with all."""
ProviderName = Literal["google", "okta", "entra"]


@dataclass(frozen=True, slots=True)
class Row:
    """One full read.

    `bound_s` is what its accepted calls take at the whole pace of the quota (of the half, where another tool
    has the other); `cpu_s` are seconds of this process alone.
    """

    provider: str
    name: str
    accounts: int
    wall_s: float
    bound_s: float
    calls: int
    refused: int
    unread: int
    cpu_s: float

    @property
    def ratio(self) -> float:
        """Wall time against the bound."""
        return self.wall_s / self.bound_s


class RealTime:
    """The clock on the wall; simulators that run by themselves show the same."""

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))


class Subject(Protocol):
    """A simulated provider: how it is set, asked and counted."""

    def set(self, service_s: float, other: float) -> None:
        """Set the service time and the share of the other tool; forget past calls."""
        ...

    def connector(self, io: Io) -> Connector:
        """A connector to it."""
        ...

    def counted(self) -> tuple[float, int, int]:
        """Least seconds that the accepted calls take with the whole quota, calls, and those refused."""
        ...

    def token(self) -> tuple[str, str]:
        """Where the provider's own client finds it, and an access token for it."""
        ...


class Unpaced(Limiter):
    """Lets every call through at once."""

    def acquire(self, halt: Halt, cost: int = 1) -> float | None:
        """The right to send, now."""
        self.tally.sent += cost
        return None if halt.passed() else time.monotonic()

    def told(self, full: float, reset_s: float | None) -> None:
        """Not listened to."""

    def refused(self, sent_at: float, retry_after_s: float | None) -> None:  # noqa: ARG002 - as limiters
        """Counted only: whoever was refused waits by itself."""
        self.tally.refused += 1


class UnpacedAll(Limiters):
    """Limiters that limit nothing."""

    def get(self, provider: str, tenant: str, quota: Quota) -> Limiter:
        """The limiter of this quota."""
        key = (provider, tenant, quota.name)
        return self._known.setdefault(key, Unpaced(quota, self.clock, self.random))


def make_io(endpoints: dict[str, str], threads: int | None = None) -> Io:
    """What a connector needs; with `threads` so many calls at once and no limiter."""
    clock, draw, lock = RealTime(), random.Random(1), threading.Lock()  # noqa: S311 - jitter

    def uniform() -> float:
        with lock:
            return draw.random()

    limiters = UnpacedAll(clock, uniform) if threads else Limiters(clock, uniform)
    io = Io(new_session(), clock, limiters, uniform, endpoints)
    return replace(io, max_in_flight=threads) if threads else io


class Google:
    """2,400 queries a minute; the bound counts calls about one account, which are all but a few."""

    def __init__(self, there: google.Provider) -> None:
        self._there = there

    def set(self, service_s: float, other: float) -> None:
        """See `Subject`."""
        self._there.control("service_time", low_s=service_s)
        self._there.control("quota", per_minute=2400, other_share=other)
        self._there.control("reset_metrics")

    def connector(self, io: Io) -> Connector:
        """See `Subject`."""
        world = google_world(self._there, io)
        return world.connector("con_bench")

    def counted(self) -> tuple[float, int, int]:
        """See `Subject`."""
        methods = self._there.control("metrics")["methods"].values()
        calls, refused = sum(m["calls"] for m in methods), sum(m["refused"] for m in methods)
        return (calls - refused) / 40, calls, refused

    def token(self) -> tuple[str, str]:
        """See `Subject`."""
        return self._there.base_url, self._there.access_token


def google_world(there: google.Provider, io: Io) -> RemoteWorld:
    """A world of `tenant.py` with this io."""
    base = there.base_url
    endpoints = {"admin": base, "token": f"{base}/token", "revoke": f"{base}/revoke"}
    # The simulated Google begins at a time of its own.
    clock = ScaledClock(1.0)
    return RemoteWorld(there, clock, replace(io, endpoints=endpoints, clock=clock))


class Okta:
    """A quota for each group of endpoints, in fixed minutes; the slowest is the bound."""

    def __init__(self, there: okta.Simulated) -> None:
        self._there = there
        self._client = okta.registered(there)

    def set(self, service_s: float, other: float) -> None:
        """See `Subject`."""
        self._there.control("service_time", low_s=service_s)
        self._there.control("other_tool", share=other)
        self._there.control("reset_metrics")

    def connector(self, io: Io) -> Connector:
        """See `Subject`."""
        return okta.connector(self._client, io)

    def counted(self) -> tuple[float, int, int]:
        """See `Subject`."""
        metrics = self._there.control("metrics")
        rows = metrics["methods"].values()
        bound = okta.bound(okta.by_bucket(metrics)) * 60
        return bound, sum(row["calls"] for row in rows), sum(row["refused"] for row in rows)

    def token(self) -> tuple[str, str]:
        """See `Subject`."""
        entered = self._there.control("form", scopes=[], token=True)
        return self._there.base, entered["api_token"]


class Entra:
    """Resource units in sliding windows of ten seconds, as many as the smallest tenants have.

    A request inside a batch is a call here, as Graph counts it.
    """

    def __init__(self, there: entra.Tenant) -> None:
        self._there = there

    def set(self, service_s: float, other: float) -> None:
        """See `Subject`."""
        self._there.control("service_time", low_s=service_s)
        self._there.control("quota", units=entra.UNITS, other_share=other)
        self._there.control("reset_metrics")

    def connector(self, io: Io) -> Connector:
        """See `Subject`."""
        return self._there.connector(io)

    def counted(self) -> tuple[float, int, int]:
        """See `Subject`."""
        spent = self._there.control("spent")
        methods = self._there.control("metrics")["methods"]
        calls = sum(row["calls"] for name, row in methods.items() if name != "batch")
        return spent["units"] / entra.UNITS * 10, calls, spent["refused"]

    def token(self) -> tuple[str, str]:
        """See `Subject`."""
        return self._there.endpoints()["graph"], self._there.access_token()


@contextmanager
def subject(name: ProviderName, accounts: int) -> Iterator[tuple[Subject, dict[str, str]]]:
    """A simulated organisation of so many accounts, and the endpoints of it."""
    with ExitStack() as stack:
        if name == "google":
            there = stack.enter_context(google.provider(accounts, 1.0))
            yield Google(there), {}
        elif name == "okta":
            org = stack.enter_context(okta.simulated(accounts, 60, 10, 1.0))
            yield Okta(org), {"organisation": org.base}
        else:
            tenant = stack.enter_context(entra.simulated(accounts, make_io({})))
            yield Entra(tenant), tenant.endpoints()


def full_read(connector: Connector) -> tuple[int, int]:
    """List and read everybody as a full run does; how many were read, and how many were not."""
    clock, read, unread = RealTime(), 0, 0
    cursor: str | None = None
    while True:
        page = connector.principals(cursor)
        people = page.principals
        for start in range(0, len(people), CHUNK):
            until = Deadline(clock, clock.monotonic() + 86_400)
            for outcome in connector.read(people[start : start + CHUNK], until):
                unread += isinstance(outcome, Unread)
                read += not isinstance(outcome, Unread)
        cursor = page.cursor
        if cursor is None:
            return read, unread


def measured(
    provider: str, name: str, there: Subject, endpoints: dict[str, str], *, service_s: float,
    other: float = 0.0, threads: int | None = None,
) -> Row:  # fmt: skip
    """One full read."""
    connector = there.connector(make_io(endpoints, threads))
    there.set(service_s, other)
    began, cpu = time.monotonic(), time.process_time()
    read, unread = full_read(connector)
    wall, spent = time.monotonic() - began, time.process_time() - cpu
    bound, calls, refused = there.counted()
    bound /= 1 - other
    return Row(
        provider,
        name,
        read + unread,
        round(wall, 1),
        round(bound, 1),
        calls,
        refused,
        unread,
        round(spent, 1),
    )


def measured_beside(provider: str, there: Subject, accounts: int, at_once: int) -> Row:
    """One read by the provider's own client."""
    sdk, name, _ = beside.CLIENTS[provider]
    there.set(USUAL_S, 0.0)
    url, token = there.token()
    done = beside.read(sdk, url, token, accounts, at_once)
    bound, calls, refused = there.counted()
    way = "one after the other" if at_once == 1 else f"{at_once} at once"
    return Row(
        provider,
        f"{name}, {way}",
        done.read + done.failed,
        round(done.wall_s, 1),
        round(bound, 1),
        calls,
        refused,
        done.failed,
        round(done.cpu_s, 1),
    )


def rows(provider: ProviderName, accounts: int, only: str, note: Callable[[Row], None]) -> list[Row]:
    """All reads of one provider; `only`: those whose names hold this."""
    found: list[Row] = []
    with subject(provider, accounts) as (there, endpoints):

        def add(name: str, **how: Any) -> None:
            if only in name:
                found.append(measured(provider, name, there, endpoints, **how))
                note(found[-1])

        for service in SERVICE_S:
            add(f"Lantern, {service * 1000:.0f} ms a call", service_s=service)
        add("Lantern, another tool takes half the quota", service_s=USUAL_S, other=0.5)
        for count in THREADS:
            add(f"{count} threads without a limiter", service_s=USUAL_S, threads=count)
        for at_once in beside.AT_ONCE if provider in beside.CLIENTS and beside.there() else ():
            if only in beside.CLIENTS[provider][1]:
                most = min(accounts, LOOPED if at_once == 1 else beside.CLIENTS[provider][2])
                found.append(measured_beside(provider, there, most, at_once))
                note(found[-1])
    return found


HEAD = (
    "provider",
    "read",
    "accounts",
    "wall s",
    "÷ bound",
    "calls",
    "refused",
    "refused %",
    "unread",
    "CPU s",
)


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    return (
        row.provider, row.name, f"{row.accounts:,}", f"{row.wall_s:,.1f}", f"{row.ratio:.3f}",
        f"{row.calls:,}", f"{row.refused:,}", f"{100 * row.refused / max(row.calls, 1):.2f}",
        f"{row.unread:,}", f"{row.cpu_s:.1f}",
    )  # fmt: skip


def main(
    providers: Annotated[
        list[str] | None, typer.Argument(help="google, okta, entra; all when left out.")
    ] = None,
    accounts: Annotated[int, typer.Option()] = 1500,
    only: Annotated[str, typer.Option(help="Only reads whose names hold this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Read simulated organisations whole and compare with what their quotas allow."""
    console, found = Console(stderr=True), list[Row]()
    for name in providers or ("google", "okta", "entra"):
        if name not in ("google", "okta", "entra"):
            raise typer.BadParameter(f"no such provider: {name}")
        found += rows(name, accounts, only, lambda row: console.print(" | ".join(cells(row))))  # type: ignore[arg-type]
    if as_json:
        sys.stdout.write(json.dumps([{**asdict(row), "ratio": round(row.ratio, 3)} for row in found]) + "\n")
        return
    table = Table(title="Full reads against the quota", title_justify="left")
    for number, title in enumerate(HEAD):
        table.add_column(title, justify="left" if number < 2 else "right")
    for row in found:
        table.add_row(*cells(row))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
