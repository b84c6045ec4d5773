"""The Salesforce connector against the simulated organisation, over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lantern.connectors.consent import ConsentStart
from lantern.connectors.http import HttpClient
from lantern.connectors.protocol import Action, Hint, Unread
from lantern.connectors.resolution import CallError
from lantern.connectors.salesforce import access, acts, held
from lantern.domain import ids
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import Observation
from tests.contract.connectors.salesforce_rig import START, SalesforceRig, connected, consent, salesforce


@pytest.fixture(scope="module")
def shared() -> Iterator[SalesforceRig]:
    with salesforce(employees=30) as made:
        yield made


@pytest.fixture
def rig(shared: SalesforceRig) -> Iterator[SalesforceRig]:
    yield shared
    control = shared.simulator.control
    shared.clear()
    shared.connector = shared.again()
    control.unfilterable()
    control.missing_tables()
    control.instance()
    control.installed()
    control.daily(used=0, limit=1_000_000)
    control.reset_metrics()


def holder(rig: SalesforceRig) -> str:
    return next(k for k, v in rig.truth().items() if v["state"] == "active" and v["grants"])


def read(rig: SalesforceRig, people: list[Any] | None = None) -> dict[str, Observation | Unread]:
    people = rig.everybody() if people is None else people
    return {o.principal.native_id: o for o in rig.connector.read(people, rig.deadline())}


def grants(outcome: Observation | Unread) -> set[str]:
    assert isinstance(outcome, Observation), outcome
    return {grant.app.client_id for grant in outcome.grants or ()}


# -- a table that stops without saying so ----------------------------------------------------------


def test_more_tokens_than_the_table_gives_are_all_found() -> None:
    """3,600 tokens of 120 people, and one person with 3,000: two ways past the stop at 2,500."""
    with salesforce(employees=120) as rig:
        world, control = rig.simulator.world, rig.simulator.control
        people = [p.id for p in world.people.values() if p.user_type == "Standard" and not p.permissions]
        for native_id in people:
            for number in range(30):
                control.grant(native_id, f"App {number}")
        crowded = people[7]
        for number in range(3_000):
            token = world.grant(crowded, f"Crowd {number % 400}")
            token.last_used = None if number % 3 == 0 else world.clock.now() - number * 60
        control.reset_metrics()
        found, truth = read(rig), rig.truth()
        assert {k: grants(o) for k, o in found.items()} == {k: set(v["grants"]) for k, v in truth.items()}
        assert len(found[crowded].grants or ()) >= 430  # type: ignore[union-attr]
        assert control.metrics()["methods"]["rest.query"]["calls"] < 150


def test_fewer_rows_than_counted_are_unread_not_fewer_grants(
    rig: SalesforceRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = holder(rig)
    account = next(p for p in rig.everybody() if p.native_id == victim)
    monkeypatch.setattr(held.SalesforceApi, "count", lambda *_: 40)
    outcome = read(rig, [account])[victim]
    assert isinstance(outcome, Unread)
    assert outcome.reason == "provider_error"


def test_who_may_no_longer_see_others_concludes_nothing() -> None:
    """Without the permission Salesforce shows one's own tokens only, and no error."""
    with salesforce() as rig:
        people, admin = rig.everybody(), next(k for k, v in rig.truth().items() if v["is_admin"])
        control = rig.simulator.control
        for held_rights in ([], ["ManageUsers"], ["CustomizeApplication"]):
            control.permissions(admin, held_rights)
            with pytest.raises(ConnectorError) as caught:
                list(rig.again().read(people, rig.deadline()))
            assert caught.value.kind == "config"
            assert "Customize Application" in caught.value.user_message
        control.permissions(admin, ["CustomizeApplication", "ManageUsers"])
        connector = rig.again()
        assert list(connector.read(people[:2], rig.deadline()))
        control.permissions(admin, ["ManageUsers"])  # lost while a message is worked on
        with pytest.raises(ConnectorError):
            list(connector.read(people, rig.deadline()))


def test_a_row_of_another_shape_leaves_one_account_unread(
    rig: SalesforceRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = holder(rig)
    token = next(t for t in rig.simulator.world.tokens if t.user_id == victim)
    monkeypatch.setattr(token, "app_name", 17)
    found = read(rig)
    assert found[victim] == Unread(found[victim].principal, "malformed")
    assert sum(isinstance(o, Unread) for o in found.values()) == 1


# -- what grants say -------------------------------------------------------------------------------


def test_a_token_is_a_grant_with_its_date_and_unknown_scopes(rig: SalesforceRig) -> None:
    victim, control = holder(rig), rig.simulator.control
    client = control.grant(victim, "Fresh App", tokens=2)
    outcome = read(rig)[victim]
    assert isinstance(outcome, Observation)
    grant = next(g for g in outcome.grants or () if g.app.client_id == client)
    today = datetime.fromtimestamp(control.now(), UTC).date()
    assert (client, grant.scopes, grant.granted_on, grant.source) == (
        "name:Fresh App",
        {"undisclosed"},
        today,
        "consent",
    )
    installed = control.install("Fresh App")
    assert installed.startswith("0DS")
    assert grants(read(rig)[victim]) == set(rig.truth()[victim]["grants"])
    assert {installed, "name:Fresh App"} & grants(read(rig)[victim]) == {installed}
    whole = read(rig)[rig.simulator.world.organisation_id]
    assert isinstance(whole, Observation)
    assert {g.source for g in whole.grants or ()} == {"installation"}
    assert {s for g in whole.grants or () for s in g.scopes} == {"installed", "installed_admin_approved"}


def test_accounts_are_as_salesforce_keeps_them(rig: SalesforceRig) -> None:
    world, people = rig.simulator.world, {p.native_id: p for p in rig.everybody()}
    assert people[world.organisation_id].kind == "organisation"
    for person in world.people.values():
        if person.user_type == "CustomerSuccess":
            assert person.id not in people
            continue
        seen = people[person.id]
        assert seen.kind == ("service" if person.name == "Integration" else "user")
        assert seen.admin == bool(person.permissions)
        assert seen.aliases == ((person.federation,) if person.federation else ())
        assert (seen.email, seen.status == "active") == (person.email, person.active)
        assert rig.connector.principal(Hint(native_id=person.id)) == seen
        assert rig.connector.principal(Hint(email=person.email)) == seen
    assert rig.connector.principal(Hint(native_id="005000000000000AAA")) is None
    assert rig.connector.principal(Hint(email="o'neill\\' OR Id != 'x")) is None


def test_agents_are_assets_and_a_missing_feature_says_nothing(rig: SalesforceRig) -> None:
    world, control = rig.simulator.world, rig.simulator.control
    (listing,) = rig.connector.assets(rig.deadline())
    assert listing.kind == "agent"
    assert {(a.name, a.state) for a in listing.assets} == {
        ("Service Agent", "active"),
        ("Old bot", "disabled"),
    }
    owners = {a.owner for a in listing.assets}
    assert owners == {ids.principal_id("salesforce", world.organisation_id, str(world.agents[0].user_id))}
    control.missing_tables(["BotVersion"])
    (listing,) = rig.connector.assets(rig.deadline())
    assert {a.state for a in listing.assets} == {"unknown"}
    control.missing_tables(["BotDefinition"])
    assert list(rig.connector.assets(rig.deadline())) == []


# -- what changed, what was used -------------------------------------------------------------------


@pytest.mark.parametrize("refused", [[], ["OauthToken.CreatedDate"]])
def test_a_new_consent_is_a_hint_once(rig: SalesforceRig, refused: list[str]) -> None:
    control = rig.simulator.control
    control.unfilterable(refused)
    control.advance(3_600)
    (first,) = rig.connector.changes(None, rig.deadline())
    assert first.last
    victim = holder(rig)
    control.advance(120)
    client = control.grant(victim, f"Told {len(refused)}")
    (page,) = rig.connector.changes(first.cursor, rig.deadline())
    hint = next(h for h in page.hints if h.native_id == victim)
    assert set(hint.granted_at) == (set() if refused else {client})
    (again,) = rig.connector.changes(page.cursor, rig.deadline())  # within the overlap
    assert again.events >= 1
    assert again.hints == ()
    control.suspend(victim)
    (page,) = rig.connector.changes(again.cursor, rig.deadline())
    assert [h.native_id for h in page.hints] == [victim]
    assert page.hints[0].account  # asked for anew: what is known of it is no longer true
    control.suspend(victim, active=True)
    with pytest.raises(ValueError, match="cursor"):
        list(rig.connector.changes('{"at": "now"}', rig.deadline()))


def test_use_is_what_sign_ins_and_tokens_tell_and_no_more(rig: SalesforceRig) -> None:
    control, world = rig.simulator.control, rig.simulator.world
    now = datetime.fromtimestamp(control.now(), UTC)
    victim = holder(rig)
    gong = world.apps["Gong"].menu_id
    control.grant(victim, "Gong")
    control.use(victim, "Gong", times=5, at=control.now() + 60)
    control.advance(300)
    (page,) = rig.connector.history(now - timedelta(minutes=1), now + timedelta(minutes=4), rig.deadline())
    assert page.last
    used = [u.events for u in page.uses if (u.native_id, u.client_id) == (victim, gong)]
    assert used == [6]
    assert (victim, gong) in {(c.native_id, c.client_id) for c in page.consents}
    # Two installed apps of one name: a sign-in of that name says nothing of either.
    world.apps["Twin"] = replace(world.apps["Gong"], name="Gong", menu_id=world.new_id("0DS"))
    (page,) = rig.connector.history(now - timedelta(minutes=1), now + timedelta(minutes=4), rig.deadline())
    used = [u.events for u in page.uses if (u.native_id, u.client_id) == (victim, gong)]
    assert used == [1]  # the token's own last use
    del world.apps["Twin"]
    whole = rig.connector.history(now - timedelta(days=180), now, rig.deadline())
    for use in next(whole).uses:
        assert now - timedelta(days=180) <= use.last_at < now
        assert use.events >= 1


# -- acts --------------------------------------------------------------------------------------------


def test_a_revocation_ends_every_token_of_the_app_and_no_other(
    rig: SalesforceRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    control, world = rig.simulator.control, rig.simulator.world
    victim = holder(rig)
    other = next(k for k, v in rig.truth().items() if v["state"] == "active" and k != victim and v["email"])
    mine = control.grant(victim, "It's \\ quoted", tokens=3)
    control.grant(other, "It's \\ quoted")
    before = {id(t) for t in world.tokens}
    secrets = [t.delete_token for t in world.tokens]
    result = rig.connector.act(Action("revoke_grant", victim, mine))
    assert (result.state, result.observed_present) == ("done", False)
    gone = before - {id(t) for t in world.tokens}
    assert len(gone) == 3
    assert mine in rig.truth()[other]["grants"]
    assert rig.connector.act(Action("revoke_grant", victim, mine)).state == "already_done"
    texts = [record.getMessage() for record in caplog.records] + [repr(result), repr(vars(rig.connector))]
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert not [q for q in control.queries() if "DeleteToken" in q and "UserId = " not in q]


def test_an_app_installed_since_it_was_read_is_not_said_to_be_revoked(rig: SalesforceRig) -> None:
    control, victim = rig.simulator.control, holder(rig)
    by_name = control.grant(victim, "Late Install")
    control.install("Late Install")
    result = rig.connector.act(Action("revoke_grant", victim, by_name))
    assert (result.state, result.observed_present) == ("not_possible", None)
    assert "Late Install" in str(rig.simulator.world.tokens)


def test_a_revocation_that_does_nothing_is_an_error(
    rig: SalesforceRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, victim = rig.simulator.control, holder(rig)
    client = control.grant(victim, "Sticky")
    monkeypatch.setattr(acts, "revoke", lambda *_: True)
    with pytest.raises(CallError):
        rig.connector.act(Action("revoke_grant", victim, client))


def test_what_no_api_does_comes_with_the_steps(rig: SalesforceRig) -> None:
    for kind in ("disable_app", "restrict_app", "enable_app", "approve_app", "uninstall_app"):
        result = rig.connector.act(Action(kind, client_id="0DSx"))
        assert result.state == "not_possible"
        assert f"{rig.simulator.base_url}{acts.USAGE_PAGE}" in result.instructions[0]
        assert len(result.instructions) >= 2
    assert "Block" in rig.connector.act(Action("disable_app", client_id="0DSx")).instructions[1]
    whole = rig.simulator.world.organisation_id
    assert "Uninstall" in rig.connector.act(Action("revoke_grant", whole, "0DSx")).instructions[1]
    assert rig.connector.act(Action("delete_asset", asset_id="x")).instructions == ()


# -- the requests of a day -------------------------------------------------------------------------


def test_the_last_fifth_of_the_day_is_left_to_others(rig: SalesforceRig) -> None:
    control = rig.simulator.control
    victim = holder(rig)
    client = control.grant(victim, "Urgent")
    connector = rig.again()
    control.daily(used=800, limit=1_000)
    with pytest.raises(ConnectorError) as caught:
        list(connector.read(rig.everybody(), rig.deadline()))
    assert (caught.value.kind, caught.value.retry_after_s) == ("rate_limited", 3600)
    assert control.daily()["used"] <= 806
    assert rig.simulator.counters.snapshot()["methods"]["rest.query"]["refused"] == 0
    control.daily(used=998)
    with pytest.raises(ConnectorError):
        connector.principals(None)
    control.daily(used=900)
    assert rig.again().act(Action("revoke_grant", victim, client)).state == "done"


def test_a_day_used_up_is_said_once_and_not_insisted_on(rig: SalesforceRig) -> None:
    control, people = rig.simulator.control, rig.everybody()
    control.daily(used=1_000, limit=1_000)
    control.reset_metrics()
    with pytest.raises(ConnectorError) as caught:
        list(rig.again().read(people, rig.deadline()))
    assert caught.value.kind == "rate_limited"
    assert control.metrics()["methods"]["rest.query"]["calls"] == 1


def test_an_outage_is_noticed_before_everybody_was_tried() -> None:
    with salesforce(employees=400) as rig:
        people = rig.everybody()
        rig.simulator.control.fault("status", path="FROM OauthToken", status=400)
        rig.simulator.control.reset_metrics()
        with pytest.raises(ConnectorError):
            list(rig.connector.read(people, rig.deadline()))
        assert rig.simulator.control.metrics()["methods"]["rest.query"]["calls"] < 30


# -- consent -----------------------------------------------------------------------------------------


def test_consent_names_person_and_organisation(rig: SalesforceRig) -> None:
    world = rig.simulator.world
    admin = next(p for p in world.people.values() if p.permissions)
    identity = rig.identity
    assert (identity.organisation_id, identity.organisation_name) == (
        world.organisation_id,
        "Harbourline Ltd",
    )
    assert (identity.native_id, identity.email, identity.admin) == (admin.id, admin.email, True)
    health = rig.connector.check()
    assert (health.organisation.id, health.missing) == (world.organisation_id, ())
    url = rig.flow.authorize_url(START)
    assert "code_challenge_method=S256" in url
    assert START.code_verifier not in url
    assert rig.flow.answers == ("code",)
    assert rig.flow.accepts_issuer(None)
    assert not rig.flow.accepts_issuer("https://evil.example")


def test_somebody_without_the_permissions_is_no_administrator(rig: SalesforceRig) -> None:
    grant = consent(rig.simulator, rig.flow, email=rig.truth()[holder(rig)]["email"])
    assert rig.flow.missing_scopes(grant.granted_scopes) == {"CustomizeApplication", "ManageUsers"}
    assert rig.flow.identify(START, grant).admin is False
    rig.flow.revoke(grant.secret)
    rig.flow.revoke(grant.secret)
    with pytest.raises(ConnectorError) as caught:
        connected(rig.io, grant.secret, "00D").check()
    assert caught.value.kind == "config"


def test_an_app_that_is_not_installed_has_a_remedy_of_its_own(rig: SalesforceRig) -> None:
    rig.simulator.control.installed(on=False)
    with pytest.raises(ConnectorError) as caught:
        consent(rig.simulator, rig.flow)
    assert caught.value.kind == "config"
    assert "Install" in caught.value.user_message
    with pytest.raises(ConnectorError) as caught:
        rig.again().check()
    assert "Install" in caught.value.user_message


def test_a_code_is_bound_to_the_browser_that_asked_and_good_once(rig: SalesforceRig) -> None:
    other = ConsentStart("s", "n", "w" * 43, START.redirect_uri)
    sessions = rig.simulator.sessions
    rig.simulator.control.auto_consent()
    consent(rig.simulator, rig.flow)
    spent = list(sessions.codes)[-1]
    for start, code in ((START, spent), (START, "aPrx-nobody"), (other, _fresh(rig))):
        with pytest.raises(ConnectorError) as caught:
            rig.flow.exchange(start, {"code": code})
        assert caught.value.kind == "config"
        assert "start again" in caught.value.user_message


def _fresh(rig: SalesforceRig) -> str:
    import requests

    requests.get(rig.flow.authorize_url(START), allow_redirects=False, timeout=10)
    return list(rig.simulator.sessions.codes)[-1]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "https://evil.example/id/00D000000000001AAA/005000000000001AAA"},
        {"issued_at": "1700000000000"},
        {"signature": "AAAA"},
        {"signature": ""},
    ],
)
def test_a_statement_that_was_touched_is_refused(rig: SalesforceRig, change: dict[str, str]) -> None:
    grant = consent(rig.simulator, rig.flow)
    statement = {**json.loads(grant.id_token), **change}
    with pytest.raises(ConnectorError) as caught:
        rig.flow.identify(START, replace(grant, id_token=msgspec.json.encode(statement).decode()))
    assert caught.value.kind == "config"


def test_a_statement_of_one_person_with_the_token_of_another_is_refused(rig: SalesforceRig) -> None:
    admin = consent(rig.simulator, rig.flow)
    other = consent(rig.simulator, rig.flow, email=rig.truth()[holder(rig)]["email"])
    with pytest.raises(ConnectorError):
        rig.flow.identify(START, replace(other, id_token=admin.id_token))
    rig.simulator.control.advance(3_600)  # an old statement, though truly signed
    with pytest.raises(ConnectorError):
        rig.flow.identify(START, admin)
    rig.simulator.control.advance(-3_600)


HOSTILE = [
    "https://evil.example",
    "https://evil.example/.salesforce.com",
    "https://salesforce.com.evil.example",
    "https://evilsalesforce.com",
    "http://acme.my.salesforce.com",
    "https://acme.my.salesforce.com:8443",
    "https://user@acme.my.salesforce.com",
    "https://acme.my.salesforce.com@evil.example",
    "https://evil.example#.salesforce.com",
    "https://evil.example\\.salesforce.com",
    "https://acme.my.salesforce.com/path",
    "https://acme.my.salesforce.com?x",
    "https://[::1].salesforce.com",
    "//acme.my.salesforce.com",
    "javascript:alert(1)",
    "",
    None,
    7,
]


@pytest.mark.parametrize("address", HOSTILE)
def test_credentials_go_to_no_other_host(address: object) -> None:
    with pytest.raises(CallError) as caught:
        access.instance(address, "https://login.salesforce.com/services/oauth2/token")
    assert caught.value.kind == "config"


def test_an_instance_elsewhere_ends_consent_and_refresh_before_any_call(
    rig: SalesforceRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in (
        "https://acme.my.salesforce.com",
        "https://a.b.my.salesforce.mil",
        "https://x.force.com:443/",
    ):
        assert access.instance(address, "https://login.salesforce.com/x") in address
    rig.simulator.control.instance("https://evil.example")
    asked: list[str] = []
    call = HttpClient.call
    monkeypatch.setattr(
        HttpClient,
        "call",
        lambda self, request, *rest: asked.append(request.url) or call(self, request, *rest),
    )
    with pytest.raises(ConnectorError):
        consent(rig.simulator, rig.flow)
    with pytest.raises(ConnectorError):
        rig.again().check()
    assert all(url.startswith(rig.simulator.base_url) for url in asked)


def test_a_secret_shows_itself_to_nobody(rig: SalesforceRig) -> None:
    secret = access.unpack(rig.secret)
    assert rig.refresh_token not in repr(secret)
    assert access.pack(secret) == rig.secret
    for broken in ("", "{}", "not json", '{"refresh_token": 1}'):
        with pytest.raises(CallError):
            access.unpack(broken)


def test_an_expired_session_and_a_moved_instance_are_followed(rig: SalesforceRig) -> None:
    connector = rig.again()
    connector.check()
    rig.simulator.control.expire_access_tokens()
    assert connector.check().missing == ()
