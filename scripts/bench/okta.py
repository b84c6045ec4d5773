"""How close a full read of an Okta organisation comes to what its rate limits allow, in scaled time.

`python -m scripts.bench.okta --employees 3000 --scale 5`
"""

import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import requests
import typer
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from rich.console import Console

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration
from lantern.connectors.http import new_session
from lantern.connectors.limiter import Limiters
from lantern.connectors.okta.manifest import MANIFEST
from lantern.connectors.okta.secret import OrgSecret
from lantern.connectors.protocol import Connector, Deadline, Unread
from lantern.domain.inventory import Principal
from tests.simulators.okta.quota import LIMITS

CHUNK = 100
"""Accounts that a full run asks for at once."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running simulator."""

    base: str

    def control(self, name: str, **arguments: Any) -> Any:
        """One of its controls."""
        answer = requests.post(f"{self.base}/_control/{name}", json=arguments, timeout=300)
        answer.raise_for_status()
        return answer.json()


class FastTime:
    """The simulator's time: what it shows, and so much faster."""

    def __init__(self, shown: str, factor: float) -> None:
        self._shown = datetime.fromisoformat(shown)
        self._began = time.monotonic()
        self._factor = factor

    def now(self) -> datetime:
        """The simulated time."""
        return (self._shown + timedelta(seconds=self.monotonic())).astimezone(UTC)

    def monotonic(self) -> float:
        """Simulated seconds."""
        return (time.monotonic() - self._began) * self._factor

    def sleep(self, seconds: float) -> None:
        """Wait so many simulated seconds."""
        time.sleep(seconds / self._factor)


@contextmanager
def simulated(employees: int, apps: int, assigned: int, scale: float) -> Iterator[Simulated]:
    """A simulated organisation in a process of its own, whose calls take 0.2 to 0.4 seconds."""
    command = [sys.executable, "-m", "tests.simulators.okta", "--employees", str(employees)]
    command += ["--more-apps", str(apps), "--assigned", str(assigned), "--time-scale", str(scale)]
    command += ["--service-time", "0.2", "0.4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield Simulated(json.loads(line)["base_url"])
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class Registered:
    """A client of ours at the organisation: its sealed secret, and whose it is."""

    secret: str
    organisation: str
    scopes: frozenset[str]


def registered(there: Simulated) -> Registered:
    """Register a client with all permissions."""
    key = ec.generate_private_key(ec.SECP256R1())
    scopes = [need.scope for need in MANIFEST.scopes]
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    client = there.control("register_client", jwk=public, scopes=scopes)
    secret = OrgSecret("harbourline.okta.com", client, json.dumps(ECAlgorithm.to_jwk(key, as_dict=True)))
    organisation = there.control("organisation")["organisation_id"]
    return Registered(secret.dump(), organisation, frozenset(scopes))


def connector(client: Registered, io: registry.Io) -> Connector:
    """A connector to it, as production makes it."""
    credentials = registry.Credentials(
        "t" * 20, "con_1", client.organisation, ClientRegistration("", ""), client.secret, client.scopes
    )
    return registry.connect("okta", credentials, io)


def connected(there: Simulated, scale: float) -> tuple[Connector, FastTime]:
    """A connector to it, on the simulator's time."""
    client = registered(there)
    clock, rng = FastTime(there.control("now"), scale), random.Random(1)  # noqa: S311 - jitter
    limiters = Limiters(clock, rng.random)
    io = registry.Io(new_session(), clock, limiters, rng.random, {"organisation": there.base})
    return connector(client, io), clock


def read_all(connector: Connector, clock: FastTime) -> tuple[int, int]:
    """List and read everybody as a full run does; how many were read, and how many were not."""
    read = unread = 0
    cursor: str | None = None
    while True:
        page = connector.principals(cursor)
        people: list[Principal] = list(page.principals)
        for start in range(0, len(people), CHUNK):
            for outcome in connector.read(
                people[start : start + CHUNK], Deadline(clock, clock.monotonic() + 1e6)
            ):
                unread += isinstance(outcome, Unread)
                read += not isinstance(outcome, Unread)
        cursor = page.cursor
        if cursor is None:
            return read, unread


def bound(calls: dict[str, int]) -> float:
    """Minutes that these calls take at an even pace."""
    return max(count / LIMITS[name] for name, count in calls.items())


def by_bucket(metrics: dict[str, Any]) -> dict[str, int]:
    """Accepted calls per bucket."""
    from tests.simulators.okta.quota import bucket

    found: dict[str, int] = {}
    for method, row in metrics["methods"].items():
        verb, _, path = method.partition(" ")
        if path.startswith("/"):
            name = bucket(verb, path)
            found[name] = found.get(name, 0) + row["accepted"]
    return found


def main(
    employees: Annotated[int, typer.Option()] = 3000,
    more_apps: Annotated[int, typer.Option(help="Apps beside the two dozen known ones.")] = 60,
    assigned: Annotated[int, typer.Option(help="Apps that everybody has.")] = 10,
    scale: Annotated[float, typer.Option(help="How much faster time runs, for both alike.")] = 5.0,
) -> None:
    """Read one organisation whole and compare with what the rate limits allow."""
    with simulated(employees, more_apps, assigned, scale) as there:
        reader, clock = connected(there, scale)
        there.control("reset_metrics")
        began = clock.monotonic()
        read, unread = read_all(reader, clock)
        minutes = (clock.monotonic() - began) / 60
        metrics = there.control("metrics")
    calls = by_bucket(metrics)
    least = bound(calls)
    refused = sum(row["refused"] for row in metrics["methods"].values())
    result = {
        "read": read,
        "unread": unread,
        "calls": calls,
        "refused": refused,
        "minutes": round(minutes, 2),
        "bound_minutes": round(least, 2),
        "times_bound": round(minutes / least, 2) if least else math.nan,
    }
    Console().print_json(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
