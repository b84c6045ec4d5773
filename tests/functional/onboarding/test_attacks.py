"""What attackers send to the callback, and what must happen: 400, no token call, no connection, a line."""

import logging
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from botocore.exceptions import ClientError

from tests.functional.onboarding.world import REDIRECT, Browser, World

ISSUER = "https://accounts.google.com"
Query = dict[str, list[str]]


def _metric(world: World) -> int:
    """How often the token endpoint was called."""
    methods = world.simulator.control.metrics()["methods"]
    return sum(methods.get("oauth.token", {}).get("statuses", {}).values())


def _ready(world: World) -> tuple[Browser, Query]:
    browser = Browser(world)
    return browser, browser.consent(browser.start())


def _without(name: str) -> Callable[[Query], Query]:
    return lambda query: {key: value for key, value in query.items() if key != name}


def _with(**values: list[str]) -> Callable[[Query], Query]:
    return lambda query: {**query, **values}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without("state"), "state_missing"),
        (_with(state=[""]), "state_missing"),
        (_with(state=["A" * 43]), "state_unknown"),
        (_with(state=["A" * 43, "B" * 43]), "repeated_parameter"),
        (lambda query: {**query, "state": query["state"] * 2}, "repeated_parameter"),
        (lambda query: {**query, "code": query["code"] * 2}, "repeated_parameter"),
        (_without("code"), "code_missing"),
        (_with(iss=["https://login.microsoftonline.com/common/v2.0"]), "other_issuer"),
        (_with(iss=[f"{ISSUER}.evil.example"]), "other_issuer"),
        (_with(iss=[ISSUER, "https://evil.example"]), "repeated_parameter"),
    ],
)
def test_forged_parameters(world: World, caplog: pytest.LogCaptureFixture, change, reason: str):
    browser, query = _ready(world)
    with caplog.at_level(logging.INFO):
        page = browser.back(change(query))
    _refused(world, page, caplog, reason)


def _refused(world: World, page, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    assert page.status == 400
    assert _metric(world) == 0
    assert world.tenants() == []
    assert world.schedules() == set()
    lines = [record for record in caplog.records if getattr(record, "event", "") == "consent.refused"]
    assert [record.reason for record in lines] == [reason]
    assert [record.reference for record in lines] == ["req-1"]


def test_a_state_is_good_once(world: World, caplog: pytest.LogCaptureFixture):
    browser, query = _ready(world)
    assert browser.back(query).status == 200
    assert _metric(world) == 1
    again = Browser(world)
    again.cookies = dict(browser.cookies)
    calls = _metric(world)
    page = again.back(query)
    assert page.status == 400
    assert _metric(world) == calls
    assert len(world.tenants()) == 1


def test_a_state_that_was_refused_is_used_up(world: World):
    browser, query = _ready(world)
    assert browser.back({**query, "iss": ["https://evil.example"]}).status == 400
    assert browser.back(query).status == 400
    assert _metric(world) == 0
    assert world.tenants() == []


@pytest.mark.parametrize(("seconds", "status"), [(595, 200), (601, 400)])
def test_a_state_lives_ten_minutes(world: World, seconds: int, status: int):
    browser = Browser(world)
    page = browser.start()
    world.simulator.control.advance(seconds)
    query = browser.consent(page)
    assert browser.back(query).status == status
    assert bool(world.tenants()) is (status == 200)


@pytest.mark.parametrize("cookies", ["none", "foreign", "twice", "renamed"])
def test_another_browser_cannot_finish(world: World, caplog: pytest.LogCaptureFixture, cookies: str):
    browser, query = _ready(world)
    thief = Browser(world)
    ((name, value),) = browser.cookies.items()
    if cookies == "foreign":
        thief.start()
        thief.cookies = {name: next(iter(thief.cookies.values()))}
    elif cookies == "twice":
        thief.cookies = {name: f"{value}; {name}={value}"}
    elif cookies == "renamed":
        thief.cookies = {name.removeprefix("__Host-"): value}
    with caplog.at_level(logging.INFO):
        page = thief.back(query)
    _refused(world, page, caplog, "other_browser")


def test_a_code_of_another_session_does_not_fit(world: World):
    """Code injection: the attacker's code with the victim's state fails on PKCE; nothing is connected."""
    _, stolen = _ready(world)
    victim, query = _ready(world)
    page = victim.back({**query, "code": stolen["code"]})
    assert page.status == 400
    assert world.tenants() == []
    assert world.simulator.tokens.refresh == {}


def test_a_code_used_twice_connects_nothing(world: World):
    browser, query = _ready(world)
    assert browser.back(query).status == 200
    other = Browser(world)
    late = other.consent(other.start())
    page = other.back({**late, "code": query["code"]})
    assert page.status == 400
    assert "has expired or was used already" in page.body, "the provider's answer in words"
    assert len(world.tenants()) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/connect/google/callback/",
        "/connect/Google/callback",
        "/connect/google/Callback",
        "/connect/google//callback",
        "/connect/google/callback/../callback",
        "/other/connect/google",
    ],
)
def test_another_path_is_no_redirect_uri(world: World, caplog: pytest.LogCaptureFixture, path: str):
    browser, query = _ready(world)
    with caplog.at_level(logging.INFO):
        page = browser.back(query, path=path)
    _refused(world, page, caplog, "other_redirect_uri")


@pytest.mark.parametrize(
    "uri",
    [
        REDIRECT + "/",
        REDIRECT.replace("callback", "Callback"),
        REDIRECT + "?next=1",
        REDIRECT.replace("lantern.example", "lantern.example:8443"),
        REDIRECT.replace("https", "http"),
        "https://evil.example/prod/connect/google/callback",
    ],
)
def test_the_provider_sends_nobody_to_another_redirect_uri(world: World, uri: str):
    page = Browser(world).start()
    parts = urlsplit(page.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | {"redirect_uri": uri}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            parts._replace(query=urlencode(query)).geturl(), allow_redirects=False, timeout=5
        )
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_state_of_another_redirect_uri_is_refused(world: World, caplog: pytest.LogCaptureFixture):
    browser, query = _ready(world)
    world.site = type(world.site)("https://moved.example/prod")
    with caplog.at_level(logging.INFO):
        page = browser.back(query)
    _refused(world, page, caplog, "other_redirect_uri")


def test_a_state_for_one_provider_is_none_for_another(world: World):
    browser, query = _ready(world)
    page = browser.back(query, provider="okta")
    assert page.status == 404
    assert _metric(world) == 0
    assert world.tenants() == []


def test_a_state_of_one_tenant_does_not_reach_another(world: World):
    """A link's state names its tenant; nothing that the browser sends can."""
    assert Browser(world).connect().status == 200
    (tenant_id,) = world.tenants()
    browser, query = _ready(world)
    page = browser.back({**query, "tenant_id": ["z" * 20], "connection_id": ["con_0000000000000000"]})
    assert page.status == 200
    assert world.tenants() == [tenant_id]
    assert len(world.tenant(tenant_id).connections.list()) == 1


@pytest.mark.parametrize("provider", ["okta", "Google", "google ", "../google", "<script>", "", "__class__"])
def test_unknown_providers_get_an_inert_page(world: World, provider: str):
    page = Browser(world).get("/connect/{provider}", provider=provider)
    assert page.status == 404
    assert "<script" not in page.body
    assert "Location" not in page.headers


# --- secrets ------------------------------------------------------------------------------------


def test_no_secret_is_anywhere_but_sealed(world: World, caplog: pytest.LogCaptureFixture):
    browser = Browser(world)
    start = browser.start()
    query = browser.consent(start)
    secret = next(iter(browser.cookies.values()))
    with caplog.at_level(logging.DEBUG, logger="lantern"):
        page = browser.back(query)
    assert page.status == 200
    tokens = [*world.simulator.tokens.refresh, *world.simulator.tokens.access]
    assert len(tokens) >= 2
    key = page.body.partition('class="key">')[2].partition("<")[0]
    assert key.startswith("lnt_test_")
    canaries = [*tokens, query["code"][0], query["state"][0], secret, key, "GOCSPX-canary-client-secret"]
    dump = repr(world.items())
    logs = "\n".join(f"{r.getMessage()} {r.__dict__}" for r in caplog.records if r.name.startswith("lantern"))
    for canary in canaries:
        assert canary not in dump
        assert canary not in logs
    for canary in tokens:
        assert canary not in page.body


@pytest.mark.parametrize("code", ["KMSInternalException", "DisabledException", "AccessDeniedException"])
def test_kms_down_means_nothing_is_stored(world: World, caplog: pytest.LogCaptureFixture, code: str):
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "down"}}, "Encrypt")

    world.kms.meta.events.register("before-call.kms.Encrypt", refuse)
    browser, query = _ready(world)
    with caplog.at_level(logging.INFO):
        page = browser.back(query)
    assert page.status == 503
    assert world.items() == []
    assert world.schedules() == set()
    assert world.simulator.tokens.refresh == {}
    world.kms.meta.events.unregister("before-call.kms.Encrypt", refuse)
    assert Browser(world).connect().status == 200


@pytest.mark.parametrize("status", [500, 503])
def test_google_down_at_the_exchange_is_a_page_and_nothing_else(world: World, status: int):
    browser, query = _ready(world)
    world.simulator.control.fault("status", path="^/token$", status=status)
    page = browser.back(query)
    world.simulator.control.clear_faults()
    assert page.status == 503
    assert world.items() == []


def test_a_hostile_organisation_name_stays_text(world: World, monkeypatch: pytest.MonkeyPatch):
    name = "<img src=x onerror=alert(1)>\r\nSet-Cookie: a=b \u202egnp.exe" + "A" * 10_000
    identify = world.flow.identify

    def hostile(start, grant):
        return replace(identify(start, grant), organisation_name=name)

    monkeypatch.setattr(world.flow, "identify", hostile)
    page = Browser(world).connect()
    assert page.status == 200
    assert "<img" not in page.body
    assert "\u202e" not in page.body
    assert not any("\n" in value for value in page.headers.values())
    (connection,) = world.tenant(world.tenants()[0]).connections.list()
    assert len(connection.name) <= 200
    assert "\r" not in connection.name
    assert "\u202e" not in connection.name
