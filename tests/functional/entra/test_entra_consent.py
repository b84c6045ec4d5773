"""Connecting a tenant: two legs, and everybody who would like to connect somebody else's."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from lantern.connectors import registry
from lantern.connectors.consent import ClientRegistration, ConsentFlow, ConsentRefusedError, Detour
from lantern.connectors.entra.manifest import P1
from lantern.connectors.resolution import CallError
from tests.contract.connectors.entra_rig import APP, REGISTRATION, START, browse, consent, make_io
from tests.contract.connectors.google_rig import SimulatedTime
from tests.functional.onboarding.world import BASE, Browser, World, aws
from tests.simulators.entra import AppRegistration, EntraSimulator, QuotaSettings, TenantSpec
from tests.simulators.google.identity import _process_key

ROUTE, CALLBACK = "/connect/{provider}", "/connect/{provider}/callback"
HOME, OTHER = "harbourline.example", "other.example"
REDIRECT = f"{BASE}/connect/entra/callback"
STRANGER = "99999999-0000-4000-8000-000000000009"


@pytest.fixture(scope="module")
def server() -> Iterator[EntraSimulator]:
    ours = replace(APP, redirect_uris=(*APP.redirect_uris, REDIRECT))
    tenants = [TenantSpec(employees=12), TenantSpec(employees=12, seed=8, domain=OTHER, name="Other")]
    with EntraSimulator(tenants, apps=[ours], quota=QuotaSettings(enabled=False)) as simulator:
        yield simulator
        assert not simulator.server.errors


@pytest.fixture
def simulator(server: EntraSimulator) -> EntraSimulator:
    server.control.auto_consent(email=admin(server, HOME))
    server.control.forge()
    server.control.slow_consent(0)
    for domain in (HOME, OTHER):
        server.control.licence(True, domain)
        tenant = server.world.tenant(domain)
        if tenant.app(APP.client_id):
            server.control.remove_app(APP.client_id, domain)
    return server


@pytest.fixture
def flow(simulator: EntraSimulator) -> ConsentFlow:
    return registry.oauth_flow("entra", REGISTRATION, make_io(simulator, SimulatedTime(simulator)))


def admin(simulator: EntraSimulator, domain: str) -> str:
    rows = simulator.control.organisations()
    return next(row["admin"] for row in rows if row["domain"] == domain)


def ordinary(simulator: EntraSimulator, domain: str = HOME) -> dict[str, Any]:
    tenant = simulator.world.tenant(domain)
    return next(u for u in tenant.users.values() if u["accountEnabled"] and not tenant.roles_of(u["id"]))


def refusal(call: Any) -> str:
    with pytest.raises(CallError) as caught:
        call()
    assert caught.value.kind == "config"
    return caught.value.detail


def test_both_legs_prove_the_tenant_and_the_administrator(simulator: EntraSimulator, flow: ConsentFlow):
    tenant = simulator.world.tenant(HOME)
    start, grant = consent(flow)
    identity = flow.identify(start, grant)
    assert (identity.organisation_id, identity.organisation_name) == (tenant.id, "Harbourline")
    assert (identity.email, identity.admin, identity.consumer) == (admin(simulator, HOME), True, False)
    assert P1 in grant.granted_scopes
    assert flow.missing_scopes(grant.granted_scopes) == frozenset()
    assert grant.access_token not in grant.secret


def test_a_tenant_without_the_licence_is_connected_without_its_sign_ins(
    simulator: EntraSimulator, flow: ConsentFlow
):
    simulator.control.licence(False, HOME)
    _, grant = consent(flow)
    assert flow.missing_scopes(grant.granted_scopes) == {P1}


def test_a_consent_that_takes_a_while_to_be_known_is_waited_for(simulator: EntraSimulator, flow: ConsentFlow):
    first = flow.exchange(START, browse(flow, START))
    assert isinstance(first, Detour)
    second = replace(START, facts=first.facts)
    answer = browse(flow, second)
    simulator.control.slow_consent(2)
    assert flow.exchange(second, answer).granted_scopes
    simulator.control.slow_consent(9)
    refusal(lambda: flow.exchange(second, answer))


def test_a_swapped_tenant_is_not_believed(simulator: EntraSimulator, flow: ConsentFlow):
    """The victim's tenant has consented to us; its id in the answer must open nothing to anybody else."""
    victim = simulator.world.tenant(OTHER)
    simulator.world.admin_consent(victim, APP, APP.roles)
    first = flow.exchange(START, browse(flow, START))
    assert isinstance(first, Detour)
    second = replace(START, facts=first.facts)
    answer = browse(flow, second)
    calls = simulator.control.metrics()["methods"]["login.token"]["calls"]
    for swapped in (victim.id, victim.id.upper(), f"{answer['tenant']}/", "common", ""):
        assert "another tenant" in refusal(
            lambda given=swapped: flow.exchange(second, {**answer, "tenant": given})
        )
    assert "not given" in refusal(lambda: flow.exchange(second, {**answer, "admin_consent": "False"}))
    assert simulator.control.metrics()["methods"]["login.token"]["calls"] == calls, "no token was asked for"


def test_a_token_for_another_tenant_or_app_is_not_believed(simulator: EntraSimulator, flow: ConsentFlow):
    first = flow.exchange(START, browse(flow, START))
    second = replace(START, facts=first.facts)
    answer = browse(flow, second)
    for forged, word in (
        ({"tid": STRANGER}, "tenant"),
        ({"appid": STRANGER}, "app"),
        ({"aud": "https://x"}, "audience"),
    ):
        simulator.control.forge("access", **forged)
        assert refusal(lambda: flow.exchange(second, answer)) == f"access token: other {word}"


@pytest.mark.parametrize(
    ("forged", "word"),
    [
        ({"aud": STRANGER}, "InvalidAudienceError"),
        ({"iss": f"https://login.microsoftonline.com/{STRANGER}/v2.0"}, "issuer"),
        ({"iss": "https://evil.example/v2.0"}, "issuer"),
        ({"tid": STRANGER}, "issuer"),
        ({"tid": "../common"}, "issuer"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": 1}, "expiry"),
        ({"iat": 4_000_000_000}, "issue time"),
        ({"oid": None}, "account"),
        ({"oid": "../x"}, "account"),
    ],
)
def test_an_id_token_that_does_not_hold(
    simulator: EntraSimulator, flow: ConsentFlow, forged: dict, word: str
):
    simulator.control.forge("id", **forged)
    answer = browse(flow, START)
    assert refusal(lambda: flow.exchange(START, answer)) == f"id token: {word}"


def test_private_accounts_have_no_tenant_to_connect(simulator: EntraSimulator, flow: ConsentFlow):
    consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
    simulator.control.forge("id", tid=consumers, iss=f"https://login.microsoftonline.com/{consumers}/v2.0")
    answer = browse(flow, START)
    with pytest.raises(ConsentRefusedError) as caught:
        flow.exchange(START, answer)
    assert caught.value.refusal == "consumer_account"


def test_a_code_is_good_once_and_for_its_verifier(simulator: EntraSimulator, flow: ConsentFlow):
    answer = browse(flow, START)
    refusal(lambda: flow.exchange(replace(START, code_verifier="w" * 43), answer))
    assert isinstance(flow.exchange(START, answer), Detour)
    refusal(lambda: flow.exchange(START, answer))


def test_who_signs_in_must_administer_the_tenant(simulator: EntraSimulator, flow: ConsentFlow):
    """Somebody of the tenant signs in, and an administrator consents for whatever reason: not enough."""
    person = ordinary(simulator)
    simulator.control.auto_consent(email=person["userPrincipalName"], by=admin(simulator, HOME))
    start, grant = consent(flow)
    assert flow.identify(start, grant).admin is False
    role = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
    simulator.control.set_role(person["userPrincipalName"], role)
    assert flow.identify(start, grant).admin is True
    simulator.control.set_role(person["userPrincipalName"], role, on=False)
    # The verified id token may tell the roles as well.
    claimed = replace(start, facts={**start.facts, "roles": role})
    assert flow.identify(claimed, grant).admin is True
    nobody = replace(start, facts={**start.facts, "oid": STRANGER})
    assert flow.identify(nobody, grant).admin is False


def test_the_browser_is_sent_to_the_proven_tenant_only(flow: ConsentFlow):
    there = urlsplit(flow.authorize_url(START))
    query = parse_qs(there.query)
    assert there.path == "/organizations/oauth2/v2.0/authorize"
    assert query["code_challenge_method"] == ["S256"]
    assert query["nonce"] == [START.nonce]
    assert START.code_verifier not in there.query
    refusal(lambda: flow.authorize_url(replace(START, facts={"tid": "../organizations"})))
    assert {name.rstrip("?") for name in flow.answers} == {"code", "tenant", "admin_consent"}
    refusal(lambda: flow.exchange(START, {"tenant": STRANGER, "admin_consent": "True"}))
    assert flow.accepts_issuer(None)
    assert flow.accepts_issuer(f"https://login.microsoftonline.com/{STRANGER}/v2.0")
    assert not flow.accepts_issuer("https://login.microsoftonline.com.evil.example/x/v2.0")


def test_a_certificate_proves_who_we_are(simulator: EntraSimulator):
    key = _process_key()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    thumbprint = "ab" * 32
    app = AppRegistration("cccccccc-0000-4000-8000-000000000001", "no secret is sent", APP.redirect_uris,
                          public_key=public.decode(), thumbprint=thumbprint)  # fmt: skip
    simulator.login.apps[app.client_id] = app
    io = make_io(simulator, SimulatedTime(simulator))

    def connect(thumb: str) -> Any:
        extra = {"private_key": private, "certificate_thumbprint": thumb}
        registration = ClientRegistration(app.client_id, "wrong", extra)
        assert private not in repr(registration)
        return consent(registry.oauth_flow("entra", registration, io))

    assert connect(thumbprint)[1].granted_scopes
    with pytest.raises(CallError) as caught:
        connect("cd" * 32)
    assert caught.value.kind == "system", "our registration is at fault, not the customer"


def test_a_consent_that_is_not_used_is_given_back(simulator: EntraSimulator, flow: ConsentFlow):
    _, grant = consent(flow)
    tenant = simulator.world.tenant(HOME)
    assert tenant.app(APP.client_id)
    flow.revoke(grant.secret)
    flow.revoke(grant.secret)
    assert tenant.app(APP.client_id) is None


# -- the same through the pages -------------------------------------------------------------------------


class EntraWorld(World):
    """Lantern's side, with Microsoft in Google's place."""

    def _flow(self) -> ConsentFlow:
        return registry.oauth_flow("entra", REGISTRATION, make_io(self.simulator, self.clock))

    def onboarding(self) -> Any:
        return replace(super().onboarding(), flow=lambda provider: self.flow if provider == "entra" else None)


@pytest.fixture
def world(simulator: EntraSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntraWorld]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with aws() as dynamo:
        yield EntraWorld(simulator, dynamo)  # type: ignore[arg-type]


def visit(page: Any) -> dict[str, list[str]]:
    """At Microsoft: decide as told; the query that comes back."""
    answer = requests.get(page.headers["Location"], allow_redirects=False, timeout=5)
    assert answer.headers["Location"].startswith(REDIRECT), answer.headers["Location"]
    return parse_qs(urlsplit(answer.headers["Location"]).query, keep_blank_values=True)


def back(browser: Browser, query: dict[str, list[str]]) -> Any:
    return browser.get(CALLBACK, query, provider="entra")


def connect(browser: Browser) -> Any:
    first = back(browser, visit(browser.get(ROUTE, provider="entra")))
    assert first.status == 302, first.body
    return back(browser, visit(first))


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.reason for record in caplog.records if getattr(record, "event", "") == "consent.refused"]


def test_the_pages_connect_a_tenant_once(world: EntraWorld, caplog: pytest.LogCaptureFixture):
    page = connect(Browser(world))
    assert page.status == 200, page.body
    (tenant,) = world.tenants()
    (connection,) = world.tenant(tenant).connections.list()
    assert connection.organisation_id == world.simulator.world.tenant(HOME).id
    assert set(connection.granted_scopes) > set(APP.roles)
    # Another administrator of the same tenant, in another browser: the same connection, no second tenant.
    assert connect(Browser(world)).status == 200
    assert world.tenants() == [tenant]


def test_attacks_on_the_second_leg(world: EntraWorld, caplog: pytest.LogCaptureFixture):
    victim = world.simulator.world.tenant(OTHER)
    world.simulator.world.admin_consent(victim, APP, APP.roles)
    attacks = {
        "code_refused": lambda query: {**query, "tenant": [victim.id]},
        "code_refused ": lambda query: {k: v for k, v in query.items() if k != "tenant"},
        "code_missing": lambda query: {"state": query["state"]},
        "repeated_parameter": lambda query: {**query, "tenant": [*query["tenant"], victim.id]},
        "declined": lambda query: {"state": query["state"], "error": ["access_denied"]},
    }
    for reason, change in attacks.items():
        browser = Browser(world)
        query = visit(back(browser, visit(browser.get(ROUTE, provider="entra"))))
        caplog.clear()
        page = back(browser, change(query))
        assert (page.status, reasons(caplog)) == (400, [reason.strip()])
    # The first leg's answer does for the second leg no more than the second's for the first.
    browser = Browser(world)
    first = visit(browser.get(ROUTE, provider="entra"))
    second = visit(back(browser, first))
    caplog.clear()
    back(browser, {"state": second["state"], "code": first["code"]})
    fresh = visit(browser.get(ROUTE, provider="entra"))
    back(browser, {"state": fresh["state"], "tenant": [victim.id], "admin_consent": ["True"]})
    assert reasons(caplog) == ["code_refused", "code_refused"]
    assert world.tenants() == []


def test_another_browser_finishes_neither_leg(world: EntraWorld, caplog: pytest.LogCaptureFixture):
    mine, theirs = Browser(world), Browser(world)
    with caplog.at_level(logging.WARNING):
        back(theirs, visit(mine.get(ROUTE, provider="entra")))
        second = back(mine, visit(mine.get(ROUTE, provider="entra")))
        back(theirs, visit(second))
    assert reasons(caplog) == ["other_browser", "other_browser"]
    assert world.tenants() == []


def test_who_is_no_administrator_connects_nothing(world: EntraWorld, caplog: pytest.LogCaptureFixture):
    control = world.simulator.control
    control.auto_consent(ordinary(world.simulator)["userPrincipalName"], by=admin(world.simulator, HOME))
    page = connect(Browser(world))
    assert (page.status, reasons(caplog)) == (403, ["not_administrator"])
    assert world.tenants() == []


def test_a_link_for_one_tenant_does_not_connect_another(world: EntraWorld, caplog: pytest.LogCaptureFixture):
    """An administrator of one tenant follows the link that renews another's connection."""
    connect(Browser(world))
    (tenant,) = world.tenants()
    (connection,) = world.tenant(tenant).connections.list()
    from lantern.services.links import create_link

    link = create_link(
        world.tenant(tenant), world.site, provider="entra", connection_id=connection.id, by="key_1",
        now=world.clock.now(), random=world.random,
    )  # fmt: skip
    world.simulator.control.auto_consent(email=admin(world.simulator, OTHER))
    browser = Browser(world)
    first = browser.get("/connect/link/{token}", token=link.rpartition("/")[2])
    page = back(browser, visit(back(browser, visit(first))))
    assert (page.status, reasons(caplog)) == (409, ["other_organisation"])
    assert [c.organisation_id for c in world.tenant(tenant).connections.list()] == [
        connection.organisation_id
    ]
