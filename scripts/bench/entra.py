"""The simulated Entra tenant in a process of its own, with a consent given, for `pacing`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentStart, Detour
from lantern.connectors.protocol import Connector

REDIRECT = "http://127.0.0.1:9/connect/entra/callback"
REGISTRATION = ClientRegistration("5d0c2f6e-4f0b-4c7f-9a55-3b6c1f0e7a11", "simulated~client~secret")
UNITS = 3500
"""Resource units in ten seconds: what the manifest takes as given for every tenant."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A running simulator and what was consented to: secret, permissions, tenant id."""

    base: str
    secret: str
    granted: frozenset[str]
    id: str

    def control(self, name: str, **arguments: Any) -> Any:
        """One of its controls."""
        answer = requests.post(f"{self.base}/_control/{name}", json=arguments, timeout=300)
        answer.raise_for_status()
        return answer.json()

    def endpoints(self) -> dict[str, str]:
        """Where the connector finds it."""
        return _endpoints(self.base)

    def access_token(self) -> str:
        """A token of our app for Graph, as a client without a connector gets it."""
        form = {
            "grant_type": "client_credentials",
            "client_id": REGISTRATION.client_id,
            "client_secret": REGISTRATION.client_secret,
            "scope": "https://graph.microsoft.com/.default",
        }
        answer = requests.post(f"{self.base}/{self.id}/oauth2/v2.0/token", data=form, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def connector(self, io: registry.Io) -> Connector:
        """A connector to it, as production makes it."""
        credentials = registry.Credentials(
            "t" * 20, "con_1", self.id, REGISTRATION, self.secret, granted=self.granted
        )
        return registry.connect("entra", credentials, io)


def _endpoints(base: str) -> dict[str, str]:
    return {"graph": f"{base}/v1.0", "login": base}


@contextmanager
def simulated(employees: int, io: registry.Io) -> Iterator[Tenant]:
    """A simulated tenant; `io` is for the consent."""
    command = [sys.executable, "-m", "tests.simulators.entra", "--employees", str(employees)]
    command += ["--client-id", REGISTRATION.client_id, "--client-secret", REGISTRATION.client_secret]
    command += ["--redirect-uri", REDIRECT, "--auto-consent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            base = json.loads(line)["base_url"]
            yield _consented(base, replace(io, endpoints=_endpoints(base)))
        finally:
            process.terminate()


def _consented(base: str, io: registry.Io) -> Tenant:
    """Walk through both legs of the consent as a browser would."""
    flow = registry.oauth_flow("entra", REGISTRATION, io)
    start = ConsentStart("a-state", "a-nonce", "v" * 43, REDIRECT)
    facts: dict[str, str] = {}
    while True:
        began = replace(start, facts=facts)
        answer = requests.get(flow.authorize_url(began), allow_redirects=False, timeout=60)
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        came = flow.exchange(began, {name: values[0] for name, values in query.items()})
        if not isinstance(came, Detour):
            return Tenant(base, came.secret, came.granted_scopes, facts["tid"])
        facts = dict(came.facts)
