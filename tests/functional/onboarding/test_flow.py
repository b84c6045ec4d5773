"""The consent flow from the first click to the connection."""

import json
import re
from dataclasses import replace

import pytest

from lantern.connectors import registry
from lantern.domain import apikeys
from lantern.services import vault
from lantern.services.links import create_link
from tests.functional.onboarding.world import BASE, CLIENT, Browser, World

KEY = re.compile(r"lnt_test_[0-9a-v]{16}_[0-9A-Za-z]{49}")


def _key(text: str) -> str | None:
    match = KEY.search(text)
    return match[0] if match else None


def test_a_new_organisation_becomes_a_tenant_with_one_key(world: World, browser: Browser):
    page = browser.connect()
    assert page.status == 200, page.body
    text = _key(page.body)
    assert text is not None
    assert page.headers["Cache-Control"] == "no-store"

    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (connection,) = store.connections.list()
    org = world.simulator.org
    assert (connection.status, connection.provider) == ("active", "google")
    assert connection.organisation_id == org.customer_id
    assert connection.missing_scopes == frozenset()
    assert "https://www.googleapis.com/auth/admin.directory.user.security" in connection.granted_scopes

    presented = apikeys.parse(text)
    assert presented is not None
    entry = world.platform.get_key(presented.id)
    assert entry is not None
    assert (entry.tenant_id, entry.hash, entry.scopes) == (tenant_id, presented.hash, frozenset({"admin"}))
    (info,) = store.keys.list()
    assert (info.id, info.last4) == (presented.id, text[-4:])

    sealed = store.secrets.get(connection.id)
    assert sealed is not None
    token = vault.open_(world.kms, world.key_id, tenant_id, connection.id, sealed)
    assert token in world.simulator.tokens.refresh

    assert world.schedules() == {f"{connection.id}-full", f"{connection.id}-changes"}
    works = [work for _, work in store.outbox.due(world.clock.now())]
    assert {work.kind for work in works} == {"connection.full", "connection.channels"}
    assert [entry.action for entry in store.audit.entries()] == [
        "tenant.created", "connection.created", "key.issued",
    ]  # fmt: skip
    assert store.audit.verify() is None


def test_the_browser_is_sent_with_pkce_nonce_offline_access_and_the_registered_redirect_uri(
    world: World, browser: Browser
):
    page = browser.start()
    assert page.status == 302
    address = page.headers["Location"]
    for part in (
        "code_challenge_method=S256", "access_type=offline", "prompt=consent", "response_type=code",
        "redirect_uri=https%3A%2F%2Flantern.example%2Fprod%2Fconnect%2Fgoogle%2Fcallback",
    ):  # fmt: skip
        assert part in address
    cookie = page.headers["Set-Cookie"]
    assert re.fullmatch(
        r"__Host-lantern-[0-9a-f]{12}=[\w-]{43}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure", cookie
    )
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    # What is kept can finish nothing: neither the state, nor the browser's secret, nor the verifier.
    kept = json.dumps(world.items(), default=repr)
    secret = next(iter(browser.cookies.values()))
    state = re.search(r"[?&]state=([\w-]+)", address)
    assert state is not None
    assert state[1] not in kept
    assert secret not in kept


def test_two_tabs_do_not_disturb_each_other(world: World, browser: Browser):
    first, second = browser.start(), browser.start()
    assert browser.back(browser.consent(first)).status == 200
    assert browser.back(browser.consent(second)).status == 200
    assert len(world.tenants()) == 1


def test_a_known_organisation_keeps_its_tenant_and_sees_no_key(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (before,) = store.connections.list()
    old = store.secrets.get(before.id)

    page = Browser(world).connect()
    assert page.status == 200
    assert _key(page.body) is None
    assert "lnt_" not in page.body
    assert world.tenants() == [tenant_id]
    (after,) = store.connections.list()
    assert after.id == before.id
    assert store.secrets.get(before.id) != old
    assert len(store.keys.list()) == 1
    assert [entry.action for entry in store.audit.entries()][-1] == "connection.renewed"


def test_a_renamed_domain_is_the_same_organisation(world: World, browser: Browser):
    browser.connect()
    world.simulator.control.rename_domain("new-name.example")
    page = Browser(world).connect()
    assert page.status == 200
    assert len(world.tenants()) == 1


def test_a_plain_http_stage_has_cookies_that_browsers_take_there(world: World, browser: Browser):
    world.site = type(world.site)("http://127.0.0.1:4566/x", secure=False)
    cookie = browser.start().headers["Set-Cookie"]
    assert cookie.startswith("lantern-")
    assert "Secure" not in cookie
    assert "HttpOnly; SameSite=Lax" in cookie


# --- people and permissions ---------------------------------------------------------------------


def _nothing_there(world: World) -> None:
    assert world.tenants() == []
    assert world.schedules() == set()
    assert [item for item in world.items() if not item["pk"]["S"].startswith("STATE#")] == []


def _given_back(world: World) -> None:
    assert not world.simulator.tokens.refresh


@pytest.mark.parametrize(
    ("decision", "status", "says"),
    [
        ({"email": "somebody@gmail.example"}, 403, "private account"),
        ({"email": "EMPLOYEE"}, 403, "super administrator"),
        ({"deny": True}, 400, "You said no"),
    ],
)
def test_who_may_not_connect_is_told_why_and_leaves_nothing(
    world: World, browser: Browser, decision: dict[str, object], status: int, says: str
):
    users = world.simulator.control.users()
    employee = next(user["email"] for user in users if not user["is_admin"] and user["state"] == "active")
    chosen = {name: employee if value == "EMPLOYEE" else value for name, value in decision.items()}
    world.simulator.control.auto_consent(**chosen)
    page = browser.connect()
    assert page.status == status, page.body
    assert says in page.body
    _nothing_there(world)
    _given_back(world)


@pytest.mark.parametrize("need", [n for n in registry.manifest("google").scopes if n.required][2:])
def test_a_missing_required_permission_is_named_and_nothing_is_stored(world: World, browser: Browser, need):
    scopes = [n.scope for n in registry.manifest("google").scopes if n.scope != need.scope]
    world.simulator.control.auto_consent(scopes=scopes)
    page = browser.connect()
    assert page.status == 400
    assert need.scope in page.body
    _nothing_there(world)
    _given_back(world)


def test_a_missing_optional_permission_connects_and_says_what_is_lost(world: World, browser: Browser):
    scopes = [n.scope for n in registry.manifest("google").scopes if n.required]
    world.simulator.control.auto_consent(scopes=scopes)
    page = browser.connect()
    assert page.status == 200, page.body
    assert "Grants have no dates" in page.body
    (connection,) = world.tenant(world.tenants()[0]).connections.list()
    assert connection.missing_scopes == {
        n.scope for n in registry.manifest("google").scopes if not n.required
    }


def test_a_refused_renewal_leaves_the_working_connection_alone(world: World, browser: Browser):
    browser.connect()
    store = world.tenant(world.tenants()[0])
    (connection,) = store.connections.list()
    needs = registry.manifest("google").scopes
    world.simulator.control.auto_consent(scopes=[n.scope for n in needs if "user.security" not in n.scope])
    page = Browser(world).connect()
    assert page.status == 400
    sealed = store.secrets.get(connection.id)
    assert sealed is not None
    token = vault.open_(world.kms, world.key_id, store.tenant_id, connection.id, sealed)
    assert token in world.simulator.tokens.refresh


# --- links of existing tenants ------------------------------------------------------------------


def _link(world: World, tenant_id: str, connection_id: str | None) -> str:
    address = create_link(
        world.tenant(tenant_id),
        world.site,
        provider="google",
        connection_id=connection_id,
        by="key_1",
        now=world.clock.now(),
        random=world.random,
    )
    assert address.startswith(f"{BASE}/connect/link/{tenant_id}.")
    return address.rpartition("/")[2]


def _follow(browser: Browser, token: str):
    return browser.get("/connect/link/{token}", token=token)


def test_a_link_repairs_its_connection(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (connection,) = store.connections.list()
    world.simulator.control.revoke_consent(world.simulator.org.admin.email, CLIENT.client_id)
    other = Browser(world)
    page = other.back(other.consent(_follow(other, _link(world, tenant_id, connection.id))))
    assert page.status == 200, page.body
    assert _key(page.body) is None
    (renewed,) = store.connections.list()
    assert (renewed.id, renewed.status) == (connection.id, "active")
    last = list(store.audit.entries())[-1]
    assert (last.action, last.detail["invited_by"]) == ("connection.renewed", "key_1")


def test_a_link_works_once_and_for_a_day(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    token = _link(world, tenant_id, None)
    assert _follow(Browser(world), token).status == 302
    assert _follow(Browser(world), token).status == 410
    late = _link(world, tenant_id, None)
    world.simulator.control.advance(24 * 3600 + 1)
    assert _follow(Browser(world), late).status == 410
    assert _follow(Browser(world), token[:-1]).status == 410
    assert _follow(Browser(world), f"{'z' * 20}.{token.partition('.')[2]}").status == 410


def test_a_link_to_a_connection_refuses_another_organisation(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (connection,) = store.connections.list()
    before = store.secrets.get(connection.id)
    other = world.simulator.control.add_organisation(employees=8, seed=11, domain="other.example")
    world.simulator.control.auto_consent(email=other["admin"])
    visitor = Browser(world)
    page = visitor.back(visitor.consent(_follow(visitor, _link(world, tenant_id, connection.id))))
    assert page.status == 409
    assert "another organisation" in page.body
    assert store.secrets.get(connection.id) == before
    assert len(store.connections.list()) == 1
    last = list(store.audit.entries())[-1]
    assert (last.action, last.detail["reason"]) == ("consent.refused", "other_organisation")


def test_a_link_cannot_take_another_tenants_organisation(world: World, browser: Browser):
    browser.connect()
    (first,) = world.tenants()
    other = world.simulator.control.add_organisation(employees=8, seed=11, domain="other.example")
    world.simulator.control.auto_consent(email=other["admin"])
    assert Browser(world).connect().status == 200
    (second,) = set(world.tenants()) - {first}
    victim = Browser(world)
    page = victim.back(victim.consent(_follow(victim, _link(world, first, None))))
    assert page.status == 409
    assert len(world.tenant(first).connections.list()) == 1
    assert world.platform.get_org("google", other["customer_id"]).tenant_id == second  # type: ignore[union-attr]


def test_a_link_adds_a_second_organisation_to_its_tenant(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    other = world.simulator.control.add_organisation(employees=8, seed=11, domain="other.example")
    world.simulator.control.auto_consent(email=other["admin"])
    visitor = Browser(world)
    page = visitor.back(visitor.consent(_follow(visitor, _link(world, tenant_id, None))))
    assert page.status == 200, page.body
    assert _key(page.body) is None
    assert world.tenants() == [tenant_id]
    assert len(world.tenant(tenant_id).connections.list()) == 2


def test_who_said_no_by_mistake_gets_a_fresh_link(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    world.simulator.control.auto_consent(deny=True)
    visitor = Browser(world)
    page = visitor.back(visitor.consent(_follow(visitor, _link(world, tenant_id, None))))
    assert page.status == 400
    again = re.search(rf'href="{BASE}/connect/link/([\w.-]+)"', page.body)
    assert again is not None
    world.simulator.control.auto_consent()
    assert visitor.back(visitor.consent(_follow(visitor, again[1]))).status == 200


def test_a_suspended_tenant_connects_nothing(world: World, browser: Browser):
    browser.connect()
    (tenant_id,) = world.tenants()
    store = world.tenant(tenant_id)
    (connection,) = store.connections.list()
    before = store.secrets.get(connection.id)
    entry = world.platform.get_tenant(tenant_id)
    assert entry is not None
    token = _link(world, tenant_id, None)
    world.platform.put_tenant(type(entry)(entry.id, entry.name, "suspended", entry.created_at))
    assert _follow(Browser(world), token).status == 403
    assert Browser(world).connect().status == 403
    assert store.secrets.get(connection.id) == before


def test_a_connection_that_is_being_taken_down_waits(world: World, browser: Browser):
    browser.connect()
    store = world.tenant(world.tenants()[0])
    (connection,) = store.connections.list()
    store.connections.put(replace(connection, status="disconnecting"))
    page = Browser(world).connect()
    assert page.status == 409
    assert "taken down" in page.body
