"""The calls of the whole product, made once a session."""

from unittest import mock

import pytest

from scripts.build.checkout import shipped_content
from tests.isolation import journey
from tests.isolation.account import RESOURCES, Account, account
from tests.simulators.google import GoogleSimulator, OrgSpec
from tests.simulators.google.receiver import Receiver
from tests.simulators.slack import OrgSpec as SlackSpec
from tests.simulators.slack import SlackSimulator
from tests.support.leaping import leaping


@pytest.fixture(scope="session")
def content() -> str:
    """Compiled knowledge."""
    return str(shipped_content())


@pytest.fixture(scope="session")
def lived(content: str) -> Account:
    """An account in which the whole product was used once; it is over, what was called is known."""
    orgs = [
        OrgSpec(employees=12, seed=3, domain="acme.example"),
        OrgSpec(employees=6, seed=9, domain="globex.example"),
    ]
    with (
        GoogleSimulator(orgs) as google,
        SlackSimulator(SlackSpec(6, domain="acme", teams=1)) as slack,
        Receiver() as hooks,
        Receiver() as taken,
        account(google, content) as made,
    ):
        base = hooks.address.removesuffix("/webhooks/google")
        discovery = RESOURCES["DiscoveryFunction"]["Properties"]["Environment"]["Variables"]
        with mock.patch.dict(discovery, {"PUBLIC_BASE_URL": base}), leaping(slack.clock):
            journey.whole(made, hooks, slack, taken)
    return made
