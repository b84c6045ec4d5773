"""The simulated Google in a process of its own, with a refresh token for the product at hand.

`python -m scripts.bench.provider --principals 1000 --scale 5` prints a line of JSON, then serves.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import requests
import typer

from lantern.connectors.google.manifest import MANIFEST
from tests.simulators.google import GoogleSimulator, OAuthClient, OrgSpec, QuotaSettings
from tests.simulators.google.clock import Clock
from tests.simulators.google.tokens import Subject

CLIENT = OAuthClient("407400000001-lantern.apps.googleusercontent.com", "s3cret", ("http://localhost/cb",))
GRANTS = 70
START = datetime(2026, 3, 4, 11, 0, tzinfo=UTC)
"""A Wednesday before noon: the feed is at its busiest."""
LONG_TAIL = 300


@dataclass(frozen=True, slots=True)
class Provider:
    """A running provider: where it is, whose organisation it serves, and tokens for it."""

    base_url: str
    customer_id: str
    admin: str
    refresh_token: str
    access_token: str

    def control(self, name: str, **arguments: Any) -> Any:
        """One of the simulator's controls."""
        answer = requests.post(f"{self.base_url}/_control/{name}", json=arguments, timeout=120)
        answer.raise_for_status()
        return answer.json()


def serve(
    principals: Annotated[int, typer.Option()],
    scale: Annotated[float, typer.Option()] = 1.0,
    events: Annotated[float, typer.Option()] = 0.0,
) -> None:
    """Serve until killed."""
    spec = OrgSpec(
        principals, seed=5, grants_per_user=GRANTS, long_tail=LONG_TAIL, events_per_user_day=events
    )
    clock, quota = Clock(START.timestamp()), QuotaSettings(time_scale=scale)
    with GoogleSimulator(spec, clock=clock, clients=[CLIENT], quota=quota) as simulator:
        # Deliveries of push channels are not part of what is measured.
        simulator.control.push(paused=True)
        admin = simulator.org.admin
        scopes = tuple(need.scope for need in MANIFEST.scopes)
        subject = Subject(admin.id, admin.email, simulator.org.customer_id)
        ready = {
            "base_url": simulator.base_url,
            "customer_id": simulator.org.customer_id,
            "admin": admin.email,
            "refresh_token": simulator.tokens.issue_refresh(subject, CLIENT.client_id, scopes),
            "access_token": simulator.tokens.issue_access(subject, CLIENT.client_id, scopes),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


@contextmanager
def provider(principals: int, scale: float, events: float = 0.0) -> Iterator[Provider]:
    """A provider for the length of a block."""
    command = [sys.executable, "-m", "scripts.bench.provider", "--principals", str(principals)]
    command += ["--scale", str(scale), "--events", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            yield Provider(**json.loads(process.stdout.readline()))
        finally:
            process.kill()


if __name__ == "__main__":
    typer.run(serve)
