"""How fast all grants are read, beside the quota's bound and Google's own client. Used by `make bench`.

Runs against the Google simulator with quota, latency and clock scaled by one factor, which is printed;
seconds are those of the simulated world.
"""

import argparse
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from json import dumps
from typing import Any

import requests
from googleapiclient.discovery import build

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.protocol import Deadline
from lantern.domain.inventory import Observation
from tests.simulators.google import GoogleSimulator, OrgSpec, QuotaSettings
from tests.simulators.google.driver import CLIENT, SCOPES, connect

PER_SECOND = 2400 / 60

Fetch = Callable[[], int]
"""Fetches everything and says how many accounts were read."""
Way = Callable[[GoogleSimulator, float], Fetch]
"""Prepares a fetch from a simulator whose clock is scaled."""


@dataclass(frozen=True, slots=True)
class Result:
    """One way of fetching, at one service time; seconds of the simulated world."""

    way: str
    users: int
    read: int
    service_ms: int
    seconds: float
    bound_seconds: float
    ratio: float
    sent: int
    refused: int
    peak_in_flight: int
    cpu_seconds: float


class ScaledClock:
    """Real time, run faster by a factor."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def now(self) -> datetime:
        """The real time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Simulated seconds."""
        return time.monotonic() * self._factor

    def sleep(self, seconds: float) -> None:
        """Wait simulated seconds."""
        time.sleep(seconds / self._factor)


def endpoints(base: str) -> dict[str, str]:
    """The simulator in the place of Google's hosts."""
    paths = {
        "authorize": "/o/oauth2/v2/auth",
        "token": "/token",
        "revoke": "/revoke",
        "jwks": "/oauth2/v3/certs",
    }
    return {"admin": base, **{name: base + path for name, path in paths.items()}}


@contextmanager
def simulated(users: int, service_s: float, scale: float) -> Iterator[GoogleSimulator]:
    """An organisation behind the quota."""
    quota = QuotaSettings(time_scale=scale)
    with GoogleSimulator(OrgSpec(employees=users), clients=[CLIENT], quota=quota) as simulator:
        simulator.control.auto_consent()
        simulator.control.service_time(service_s * 0.9, service_s * 1.1)
        yield simulator


def lantern(simulator: GoogleSimulator, scale: float) -> Fetch:
    """Lantern's connector, as discovery drives it: page of accounts by page of accounts."""
    clock, rng = ScaledClock(scale), random.Random(1)  # noqa: S311 - jitter
    session = new_session()
    io = registry.Io(session, clock, Limiters(clock, rng.random), rng.random, endpoints(simulator.base_url))
    token = connect(simulator.base_url)["refresh_token"]
    registration = ClientRegistration(CLIENT.client_id, CLIENT.client_secret)
    credentials = registry.Credentials("bench", "con_bench", "C0", registration, token)
    connector = registry.connect("google", credentials, io)

    def fetch() -> int:
        deadline, read, cursor = Deadline(clock, float("inf")), 0, None
        with session:
            while True:
                page = connector.principals(cursor)
                read += sum(isinstance(o, Observation) for o in connector.read(page.principals, deadline))
                cursor = page.cursor
                if cursor is None:
                    return read

    return fetch


def official(threads: int) -> Way:
    """Google's own client with so many threads, retrying refusals as it does by itself (five times)."""

    def prepare(simulator: GoogleSimulator, scale: float) -> Fetch:
        token = simulator.access_token(simulator.org.admin.email, CLIENT.client_id, SCOPES)
        local = threading.local()

        def service() -> Any:
            if not hasattr(local, "service"):
                local.service = build(
                    "admin",
                    "directory_v1",
                    http=_Http(token),
                    client_options={"api_endpoint": simulator.base_url},
                    static_discovery=True,
                )
            return local.service

        def one(key: str) -> int:
            try:
                request = service().tokens().list(userKey=key)
                request._sleep = lambda seconds: time.sleep(seconds / scale)  # noqa: SLF001 - its only clock
                request.execute(num_retries=5)
            except Exception:  # whatever it raises, this account was not read
                return 0
            return 1

        def fetch() -> int:
            users = service().users()
            keys: list[str] = []
            request = users.list(customer="my_customer", maxResults=500)
            while request is not None:
                answer = request.execute(num_retries=5)
                keys += [user["id"] for user in answer.get("users", [])]
                request = users.list_next(request, answer)
            with ThreadPoolExecutor(threads) as pool:
                return sum(pool.map(one, keys))

        return fetch

    return prepare


class _Http:
    """`httplib2.Http` as Google's client uses it, over requests: it is not safe for threads itself."""

    def __init__(self, token: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> tuple[Any, bytes]:
        """Send, and answer as httplib2 does."""
        import httplib2  # type: ignore[import-untyped]  # comes with Google's client, without types

        answer = self._session.request(method, uri, data=body, headers=headers, timeout=60)
        info = {name.lower(): value for name, value in answer.headers.items()}
        return httplib2.Response({**info, "status": str(answer.status_code)}), answer.content


WAYS: dict[str, Way] = {
    "lantern": lantern,
    "google client, serial": official(1),
    "google client, 16 threads": official(16),
}


def measure(
    way: str, users: int, service_s: float, scale: float, *, other: float = 0.0, other_after_s: float = 20.0
) -> Result:
    """Fetch everything once; `other` is the share of the quota that another tool takes after a while."""
    with simulated(users, service_s, scale) as simulator:
        fetch = WAYS[way](simulator, scale)
        simulator.control.reset_metrics()
        timer = threading.Timer(other_after_s / scale, simulator.control.other_tool, [other])
        timer.daemon = True
        if other:
            timer.start()
        began, cpu = time.monotonic(), time.process_time()
        read = fetch()
        seconds, cpu = (time.monotonic() - began) * scale, time.process_time() - cpu
        timer.cancel()
        seen = simulator.control.metrics()
    rows = [row for name, row in seen["methods"].items() if name.startswith("directory.")]
    bound = users / PER_SECOND
    return Result(
        way=way + (f", another tool takes {other:.0%}" if other else ""),
        users=users,
        read=read,
        service_ms=round(service_s * 1000),
        seconds=round(seconds, 1),
        bound_seconds=round(bound, 1),
        ratio=round(seconds / bound, 3),
        sent=sum(row["calls"] for row in rows),
        refused=sum(row["refused"] for row in rows),
        peak_in_flight=seen["peak_in_flight"],
        cpu_seconds=round(cpu, 1),
    )


def run(users: int, scale: float, *, beside: bool = True) -> Iterator[Result]:
    """All measurements for one size of organisation. CPU seconds include the simulator's."""
    for service_s in (0.02, 0.1, 0.5):
        yield measure("lantern", users, service_s, scale)
    yield measure("lantern", max(users, 3000), 0.1, scale, other=0.5)
    if beside:
        yield measure("google client, serial", 300, 0.1, scale)
        for service_s in (0.02, 0.5):
            # More than one quota minute, or a burst would not meet the quota at all.
            yield measure("google client, 16 threads", max(users, 3000), service_s, scale)


def main(argv: list[str]) -> int:
    """Print one line of JSON per measurement; 1 where a promise of the performance budget is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--scale", type=float, default=5.0)
    parser.add_argument("--alone", action="store_true", help="leave Google's own client out")
    options = parser.parse_args(argv)
    broken = 0
    print(dumps({"benchmark": "google fetch", "clock_scale": options.scale}))
    for result in run(options.users, options.scale, beside=not options.alone):
        print(dumps(asdict(result)), flush=True)
        if result.way == "lantern":
            broken += result.ratio > 1.05 or result.refused > 0
        elif result.way.startswith("lantern"):
            broken += result.refused > 0.01 * result.sent
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
