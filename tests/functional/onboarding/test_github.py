"""Connecting a GitHub organisation through the browser, and what attackers try on the way."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from lantern.connectors import registry
from lantern.connectors.consent import ConsentFlow
from lantern.connectors.limiter import Limiters
from lantern.services import vault
from lantern.services.onboarding import Onboarding
from lantern.services.pages import Page
from tests.contract.connectors.github_rig import registration
from tests.functional.onboarding.world import BASE, Browser, World, aws
from tests.simulators.github import AppSpec, GithubSimulator, OrgSpec

REDIRECT = f"{BASE}/connect/github/callback"
Query = dict[str, list[str]]


class GithubWorld(World):
    """Lantern's side, with GitHub in Google's place."""

    simulator: Any

    def _flow(self) -> ConsentFlow:
        session = requests.Session()
        session.trust_env = False
        luck = lambda: 0.5  # noqa: E731
        endpoints = registry.relocated("github", self.simulator.base_url)
        io = registry.Io(session, self.clock, Limiters(self.clock, luck), luck, endpoints)
        return registry.oauth_flow("github", registration(self.simulator), io)

    def onboarding(self) -> Onboarding:
        flow = lambda provider: self.flow if provider == "github" else None  # noqa: E731
        return replace(super().onboarding(), flow=flow)

    def calls(self, name: str) -> int:
        methods = self.simulator.control.metrics()["methods"]
        return sum(methods.get(name, {}).get("statuses", {}).values())


class GithubBrowser(Browser):
    def get(self, route: str, query: Query | None = None, **how: Any) -> Page:
        return super().get(route, query, **{"provider": "github", **how})

    def consent(self, page: Page) -> Query:
        """On GitHub's page: decide as told; returns the query that GitHub sends back."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(page.headers["Location"], allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        assert answer.headers["Location"].startswith(REDIRECT)
        return parse_qs(urlsplit(answer.headers["Location"]).query)


@contextmanager
def open_world() -> Iterator[GithubWorld]:
    orgs = (OrgSpec(8, 1, "harbourline"), OrgSpec(6, 2, "rivals"))
    with GithubSimulator(orgs, app=AppSpec(redirect_uri=REDIRECT)) as simulator, aws() as dynamo:
        simulator.control.auto_consent()
        yield GithubWorld(simulator, dynamo)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[GithubWorld]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with open_world() as made:
        yield made


def refused(world: GithubWorld, page: Page, status: int, words: str) -> None:
    assert page.status == status, page.body
    assert words in page.body
    assert world.tenants() == []
    assert world.schedules() == set()


def ready(world: GithubWorld, **decision: Any) -> tuple[GithubBrowser, Query]:
    world.simulator.control.auto_consent(**decision)
    browser = GithubBrowser(world)
    return browser, browser.consent(browser.start())


def member_of(world: GithubWorld, organisation: str) -> str:
    org = world.simulator.world.need(organisation)
    user = next(user for user, role in org.members.items() if role == "member")
    return world.simulator.world.people[user].login


def test_an_owner_connects_an_organisation_by_its_number(world: GithubWorld):
    browser, query = ready(world)
    assert query["setup_action"] == ["install"]
    page = browser.back(query)
    assert page.status == 200, page.body
    assert "harbourline" in page.body
    (tenant,) = world.tenants()
    store = world.tenant(tenant)
    (connection,) = store.connections.list()
    assert (connection.provider, connection.organisation_id, connection.name) == (
        "github",
        "9001",
        "harbourline",
    )
    assert "organization_administration:read" in connection.granted_scopes
    sealed = store.secrets.get(connection.id)
    assert sealed
    secret = vault.open_(world.kms, world.key_id, tenant, connection.id, sealed)
    assert json.loads(secret) == {"installation_id": int(query["installation_id"][0])}
    # The token of the person is kept nowhere.
    (token,) = [text for text in world.simulator.tokens.access if text.startswith("ghu_")]
    assert token not in repr(world.items())
    # Renamed, it is the same organisation: connecting again makes no second.
    world.simulator.control.rename_org("harbourline-two")
    assert GithubBrowser(world).connect().status == 200
    assert world.tenants() == [tenant]
    assert len(store.connections.list()) == 1


def test_the_installation_of_another_organisation_is_not_believed(world: GithubWorld):
    theirs = world.simulator.world.install(world.simulator.world.need("rivals"), world.simulator.world.ours)
    browser, query = ready(world, installation_id=theirs.id)
    refused(world, browser.back(query), 403, "This needs an administrator")
    assert theirs.id in world.simulator.world.installations  # a refused consent takes nothing away
    assert world.calls("app.uninstall") == 0
    # Nor one that somebody else's app has, nor one that is none at all.
    for number in ("900101", "999999999"):
        browser, query = ready(world)
        refused(
            world, browser.back({**query, "installation_id": [number]}), 403, "This needs an administrator"
        )
    for number in ("x", "1" * 30, "١"):
        browser, query = ready(world)
        refused(world, browser.back({**query, "installation_id": [number]}), 400, "does not belong")
    assert theirs.id in world.simulator.world.installations


def test_a_member_is_not_enough(world: GithubWorld):
    ours = world.simulator.world.install(
        world.simulator.world.need("harbourline"), world.simulator.world.ours
    )
    browser, query = ready(world, login=member_of(world, "harbourline"))
    assert query["installation_id"] == [str(ours.id)]
    refused(world, browser.back(query), 403, "an owner of your GitHub organisation")
    assert ours.id in world.simulator.world.installations


def test_a_request_is_not_an_installation(world: GithubWorld):
    browser, query = ready(world, action="request", login=member_of(world, "harbourline"))
    assert query.keys() == {"setup_action", "state"}
    refused(world, browser.back(query), 403, "An administrator has to agree first")
    assert world.calls("oauth.token") == 0


def test_a_private_account_is_refused(world: GithubWorld):
    github = world.simulator.world
    owner = next(iter(github.need("harbourline").members))
    made = github.install(github.need("rivals"), github.ours)
    made.account_id = owner  # installed for a person
    browser, query = ready(world, installation_id=made.id)
    refused(world, browser.back(query), 403, "This is a private account")


def test_a_code_is_good_once_and_a_state_too(world: GithubWorld):
    browser, query = ready(world)
    assert browser.back(query).status == 200
    again = browser.back(query)
    assert (again.status, "can no longer be finished" in again.body) == (400, True)
    assert world.calls("oauth.token") == 1
    other, fresh = ready(world)
    page = other.back({**fresh, "code": query["code"]})
    assert page.status == 400
    assert "did not accept the sign-in" in page.body
    assert len(world.tenants()) == 1


FORGED: tuple[tuple[Query, str], ...] = (
    ({"code": []}, "does not belong"),
    ({"installation_id": []}, "does not belong"),
    ({"setup_action": []}, "does not belong"),
    ({"state": ["A" * 43]}, "can no longer be finished"),
    ({"code": ["one", "two"]}, "does not belong"),
    ({"installation_id": ["1", "2"]}, "does not belong"),
    ({"iss": ["https://github.evil.example/login/oauth"]}, "does not belong"),
    ({"error": ["access_denied"]}, "You said no"),
)


def test_a_forged_callback_asks_for_no_token(world: GithubWorld):
    for change, words in FORGED:
        browser, query = ready(world)
        forged = {name: values for name, values in {**query, **change}.items() if values}
        refused(world, browser.back(forged), 400, words)
    assert world.calls("oauth.token") == 0


def test_another_browser_cannot_finish(world: GithubWorld):
    _, query = ready(world)
    refused(world, GithubBrowser(world).back(query), 400, "begun in another browser")
    assert world.calls("oauth.token") == 0


def test_permissions_that_nothing_works_without_are_named(world: GithubWorld):
    github = world.simulator.world
    github.ours.permissions.pop("members")
    browser, query = ready(world)
    refused(world, browser.back(query), 400, "Members cannot be listed")


def test_github_out_of_order_is_no_refusal(world: GithubWorld):
    browser, query = ready(world)
    world.simulator.control.fault("status", path="^/user/installations", status=500)
    page = browser.back(query)
    assert page.status == 503
    assert world.tenants() == []
