"""Slack's consent through the whole of onboarding: both legs, and what attackers send."""

import logging
import random
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow
from lantern.connectors.limiter import Limiters
from lantern.services.links import create_link
from lantern.services.onboarding import Onboarding
from lantern.services.pages import Page
from tests.functional.onboarding.world import BASE, CALLBACK, Browser, World, aws
from tests.simulators.slack import OrgSpec, SlackClient, SlackSimulator, TierSettings

REDIRECT = f"{BASE}/connect/slack/callback"
CLIENT = SlackClient("4511.9911", "slack-canary-secret", (REDIRECT,))


class SlackWorld(World):
    """Lantern with Slack as its provider."""

    def _flow(self) -> ConsentFlow:
        luck = random.Random(5).random
        session = requests.Session()
        session.trust_env = False
        endpoints = registry.relocated("slack", self.simulator.base_url)
        io = registry.Io(session, self.clock, Limiters(self.clock, luck), luck, endpoints)
        return registry.oauth_flow("slack", ClientRegistration(CLIENT.client_id, CLIENT.client_secret), io)

    def onboarding(self) -> Onboarding:
        made = super().onboarding()
        return Onboarding(
            made.site, made.platform, made.vaulting, lambda name: self.flow if name == "slack" else None,
            made.now, made.random,
        )  # fmt: skip

    def exchanges(self) -> int:
        """How often a code was traded."""
        return self.simulator.control.metrics()["methods"].get("oauth.v2.access", {}).get("calls", 0)


class SlackBrowser(Browser):
    """A browser at Slack."""

    def start(self) -> Page:
        return self.get("/connect/{provider}", provider="slack")

    def consent(self, page: Page) -> dict[str, list[str]]:
        answer = requests.get(page.headers["Location"], allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["Location"]).query, keep_blank_values=True)

    def back(self, query: dict[str, list[str]]) -> Page:
        return self.get(CALLBACK, query, provider="slack")

    def connect(self, page: Page | None = None) -> Page:
        """All legs."""
        page = page or self.start()
        for _ in range(3):
            page = self.back(self.consent(page))
            if "Location" not in page.headers:
                return page
        raise AssertionError("too many legs")


@pytest.fixture(params=["enterprise"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackWorld]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    spec = OrgSpec(12, 1, request.param)
    with (
        SlackSimulator(spec, clients=[CLIENT], limits=TierSettings(enabled=False)) as simulator,
        aws() as dynamo,
    ):
        simulator.control.auto_consent()
        yield SlackWorld(simulator, dynamo)  # type: ignore[arg-type]
        assert not simulator.server.errors


workspace = pytest.mark.parametrize("world", ["pro"], indirect=True)


def connection(world: SlackWorld):
    (tenant,) = world.tenants()
    (found,) = world.tenant(tenant).connections.list()
    return found


def refused(world: SlackWorld, page: Page, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    assert page.status in (400, 403)
    assert world.tenants() == []
    lines = [record for record in caplog.records if getattr(record, "event", "") == "consent.refused"]
    assert [record.reason for record in lines] == [reason]


def test_an_organisation_connects_in_two_legs(world: SlackWorld) -> None:
    browser = SlackBrowser(world)
    page = browser.connect()
    assert page.status == 200
    found = connection(world)
    assert found.organisation_id == world.simulator.world.enterprise_id
    assert "auditlogs:read" in found.granted_scopes
    assert found.missing_scopes == frozenset()
    assert world.exchanges() == 2


@workspace
def test_a_workspace_connects_in_one_and_is_told_what_its_plan_does_not_show(world: SlackWorld) -> None:
    page = SlackBrowser(world).connect()
    assert page.status == 200
    assert connection(world).organisation_id == next(iter(world.simulator.world.teams))
    assert "Enterprise plan" in page.body
    assert world.exchanges() == 1


ATTACKS: dict[str, tuple[str, Callable[[dict[str, list[str]]], object]]] = {
    "no state": ("state_missing", lambda query: query.pop("state")),
    "unknown state": ("state_unknown", lambda query: query.update(state=["A" * 43])),
    "two states": ("repeated_parameter", lambda query: query.update(state=query["state"] * 2)),
    "no code": ("code_missing", lambda query: query.pop("code")),
    "other browser": ("other_browser", lambda query: None),
    "an issuer": ("other_issuer", lambda query: query.update(iss=["https://slack.com.evil.example"])),
}


@pytest.mark.parametrize("leg", [1, 2])
def test_forged_returns(world: SlackWorld, caplog: pytest.LogCaptureFixture, leg: int) -> None:
    for attack, (reason, forge) in ATTACKS.items():
        browser = SlackBrowser(world)
        page = browser.start()
        if leg == 2:
            page = browser.back(browser.consent(page))
        query, before = browser.consent(page), world.exchanges()
        forge(query)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            answer = (SlackBrowser(world) if attack == "other browser" else browser).back(query)
        refused(world, answer, caplog, reason)
        assert world.exchanges() == before, attack


def test_a_state_is_good_once_in_either_leg(world: SlackWorld) -> None:
    browser = SlackBrowser(world)
    first = browser.consent(browser.start())
    cookies = dict(browser.cookies)
    away = browser.back(first)
    assert "Location" in away.headers
    thief = SlackBrowser(world)
    thief.cookies = cookies
    assert thief.back(first).status == 400
    second = browser.consent(away)
    # The state of the first leg does not carry the second.
    assert browser.back({**second, "state": first["state"]}).status == 400
    assert browser.back(second).status == 200
    assert browser.back(second).status == 400
    assert len(world.tenants()) == 1


@workspace
def test_a_member_without_a_role_connects_nothing_and_the_tokens_are_given_back(
    world: SlackWorld, caplog: pytest.LogCaptureFixture
) -> None:
    people = world.simulator.world.members.values()
    member = next(m for m in people if not (m.bot or m.deleted or m.admin))
    world.simulator.control.auto_consent(email=member.email)
    with caplog.at_level(logging.INFO):
        page = SlackBrowser(world).connect()
    refused(world, page, caplog, "not_administrator")
    assert all(token.revoked for token in world.simulator.tokens.access.values())


@workspace
def test_who_declines_is_told_so(world: SlackWorld, caplog: pytest.LogCaptureFixture) -> None:
    world.simulator.control.auto_consent(deny=True)
    with caplog.at_level(logging.INFO):
        page = SlackBrowser(world).connect()
    assert page.status in (200, 400, 403)
    assert world.tenants() == []
    assert world.exchanges() == 0


def test_the_link_of_a_connection_takes_no_other_workspace(
    world: SlackWorld, caplog: pytest.LogCaptureFixture
) -> None:
    assert SlackBrowser(world).connect().status == 200
    found = connection(world)
    (tenant,) = world.tenants()
    store = world.tenant(tenant)
    address = create_link(
        store, world.site, provider="slack", connection_id=found.id, by="key_1", now=world.clock.now(),
        random=world.random,
    )  # fmt: skip
    local = next(m for m in world.simulator.world.members.values() if m.admin and not m.org_admin)
    world.simulator.control.auto_consent(email=local.email, place=min(local.teams))
    browser = SlackBrowser(world)
    with caplog.at_level(logging.INFO):
        page = browser.connect(browser.get("/connect/link/{token}", token=address.rsplit("/", 1)[-1]))
    assert page.status in (400, 403, 409)
    (line,) = [r for r in caplog.records if getattr(r, "event", "") == "consent.refused"]
    assert line.reason == "other_organisation"
    assert len(store.connections.list()) == 1


@workspace
def test_no_secret_is_anywhere_but_sealed(world: SlackWorld, caplog: pytest.LogCaptureFixture) -> None:
    browser = SlackBrowser(world)
    query = browser.consent(browser.start())
    with caplog.at_level(logging.DEBUG, logger="lantern"):
        page = browser.back(query)
    canaries = [*world.simulator.tokens.access, query["code"][0], query["state"][0], CLIENT.client_secret]
    dump = repr(world.items()) + page.body
    logs = "\n".join(f"{r.getMessage()} {r.__dict__}" for r in caplog.records if r.name.startswith("lantern"))
    assert not [canary for canary in canaries if canary in dump or canary in logs]
