"""The connector against the simulated Microsoft: what it lists, follows, is told of and does."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from lantern.connectors import registry
from lantern.connectors.entra import directory
from lantern.connectors.entra.api import GraphApi
from lantern.connectors.entra.manifest import AUDIT, MANIFEST, P1, UNITS
from lantern.connectors.entra.push import receive
from lantern.connectors.protocol import Action, ChangePage, ChannelRequest, Hint, Unread
from lantern.connectors.pushing import CHANNEL_LOST, Known, KnownChannel, PushRefusedError, PushRequest
from lantern.connectors.resolution import CallError
from lantern.domain import ids
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import Observation
from tests.contract.connectors.entra_rig import EntraRig, entra

ALL = tuple(need.scope for need in MANIFEST.scopes)


@pytest.fixture(scope="module")
def shared() -> Iterator[EntraRig]:
    with entra(employees=40) as made:
        yield made


@pytest.fixture
def rig(shared: EntraRig) -> Iterator[EntraRig]:
    yield shared
    shared.clear()


def person(rig: EntraRig, number: int = 0) -> dict[str, Any]:
    tenant = rig.simulator.world.tenant()
    rows = [u for u in tenant.users.values() if u["accountEnabled"] and u["userType"] == "Member"]
    return [u for u in rows if not tenant.roles_of(u["id"])][number]


def poll(rig: EntraRig, cursor: str | None) -> tuple[list[Hint], str]:
    pages: list[ChangePage] = list(rig.again().changes(cursor, rig.deadline()))
    assert pages[-1].last
    return [hint for page in pages for hint in page.hints], pages[-1].cursor


def one(rig: EntraRig, native_id: str) -> Observation:
    connector = rig.again()
    account = connector.principal(Hint(native_id=native_id))
    assert account is not None
    (found,) = connector.read([account], rig.deadline())
    assert isinstance(found, Observation), found
    return found


def held(rig: EntraRig, native_id: str) -> dict[str, set[str]]:
    return {g.app.client_id: set(g.scopes) for g in one(rig, native_id).grants or ()}


# -- what is listed -------------------------------------------------------------------------------------


def test_members_guests_administrators_and_the_tenant_itself(rig: EntraRig):
    people = {p.native_id: p for p in rig.everybody()}
    tenant = rig.simulator.world.tenant()
    assert [p.kind for p in people.values()][:2] == ["organisation", "organisation"]
    admins = {k for k, p in people.items() if p.admin}
    assert admins == {
        u for u in tenant.users if tenant.roles_of(u) - {"88d8e3e3-8f55-4a1e-953a-9b9898b8876b"}
    }
    assert len(admins) == 2, "one in person, one through a group; whoever only reads is none"
    guests = [p for p in people.values() if p.org_unit == "Guests"]
    assert guests
    assert all(
        p.email and p.email.endswith("@partner.example") and "#ext#" not in str(p.aliases) for p in guests
    )
    assert any(p.last_login for p in people.values())


def test_what_stands_for_the_tenant_holds_what_everybody_and_what_apps_have(rig: EntraRig):
    everybody, themselves = one(rig, "AllPrincipals"), one(rig, "Applications")
    assert {g.source for g in everybody.grants} == {"consent"}
    assert {g.source for g in themselves.grants} == {"application"}
    named = {g.app.name: g for g in themselves.grants}
    mail = named["Nightly mail archive"]
    assert {"Mail.Read", "https://outlook.office365.com/full_access_as_app"} < mail.scopes
    assert any(scope.startswith("app:") and scope.endswith("/Orders.Read.All") for scope in mail.scopes)
    assert mail.granted_on is not None
    assert named["Lantern"].scopes == set(ALL) - {P1}, "our own permissions are listed like any other app's"
    assert named["Support agent 1"].app.kind == "agent"


def test_agents_are_assets_with_whoever_answers_for_them(rig: EntraRig):
    (listing,) = rig.connector.assets(rig.deadline())
    found = {asset.name: asset for asset in listing.assets}
    assert sorted(found) == [f"Support agent {n}" for n in range(1, 5)], "the blueprint is none"
    tenant = rig.simulator.world.tenant()
    for asset in found.values():
        people = [*tenant.sponsors[asset.native_id], *tenant.owners[asset.native_id]]
        people = [one for one in people if one in tenant.users]
        assert asset.owner == ids.principal_id("entra", tenant.id, people[0])
    rig.simulator.control.fault("status", path="/sponsors$", status=403)
    assert list(rig.connector.assets(rig.deadline())) == [], "a listing that is not complete is none"


def test_grants_that_name_an_app_that_came_after_the_listing(rig: EntraRig):
    control, user = rig.simulator.control, person(rig)
    connector = rig.again()
    account = connector.principal(Hint(native_id=user["id"]))
    list(connector.read([account], rig.deadline()))
    late = control.add_app("Came late")
    control.grant(user["userPrincipalName"], late)
    (again,) = connector.read([account], rig.deadline())
    assert "Came late" in {g.app.name for g in again.grants}
    # One that cannot be named makes the bundle unread, and the account is not taken for gone.
    tenant = rig.simulator.world.tenant()
    app = tenant.apps.pop(tenant.app(late)["id"])
    (unread,) = rig.again().read([account], rig.deadline())
    assert isinstance(unread, Unread)
    tenant.apps[app["id"]] = app


def test_an_account_is_gone_when_the_listings_say_so(rig: EntraRig):
    control = rig.simulator.control
    control.add_user("leaver@harbourline.example", "Leaver")
    user = rig.simulator.world.locate("leaver@harbourline.example")[1]
    account = rig.again().principal(Hint(email="leaver@harbourline.example"))
    control.delete_user(user["id"], hard=True)
    (gone,) = rig.again().read([account], rig.deadline())
    assert (gone.gone, gone.principal.status) == (True, "deleted")
    rig.simulator.world.tenant().users[user["id"]] = user
    rig.simulator.control.fault("status", path=f"^/v1.0/users/{user['id']}", status=404)
    (unread,) = rig.again().read([account], rig.deadline())
    assert isinstance(unread, Unread), "a 404 that the listing contradicts"


def test_pages_elsewhere_are_not_followed(rig: EntraRig, monkeypatch: pytest.MonkeyPatch):
    for stray in ("https://evil.example/v1.0/users?x", "http://127.0.0.1:1/v1.0/users"):
        monkeypatch.setattr(rig.simulator.graph, "base_url", stray.partition("/v1.0")[0])
        monkeypatch.setattr("tests.simulators.entra.odata.top", lambda *_: 3)
        with pytest.raises(CallError, match="another host"):
            rig.again().principals("living:")
    ours = rig.simulator.base_url
    with pytest.raises(CallError, match="another host"):
        rig.again().principals(f"living:{ours}/elsewhere/users")


def test_an_expired_page_token_begins_the_listing_again(rig: EntraRig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.simulators.entra.odata.top", lambda *_: 10)
    connector = rig.again()
    first = connector.principals("living:")
    assert first.cursor
    assert rig.simulator.base_url in first.cursor
    monkeypatch.setattr("tests.simulators.entra.odata.TOKEN_S", -1.0)
    stale = connector.principals("living:").cursor
    monkeypatch.undo()
    assert [p.native_id for p in connector.principals(stale).principals][:10] == [
        p.native_id for p in first.principals
    ]


# -- what changes ---------------------------------------------------------------------------------------


def test_consents_are_told_with_their_date_and_withdrawals_without(rig: EntraRig):
    control, user = rig.simulator.control, person(rig, 1)
    _, cursor = poll(rig, None)
    client = control.add_app("Fresh tool")
    control.grant(user["userPrincipalName"], client, ["openid", "Mail.Read"])
    control.grant(None, client, ["User.Read"])
    hints, cursor = poll(rig, cursor)
    dated = {h.native_id: h.granted_at for h in hints if h.granted_at}
    assert set(dated) == {user["id"], "AllPrincipals"}
    assert all(abs(at[client] - rig.io.clock.now()) < timedelta(minutes=1) for at in dated.values())
    assert {"openid", "Mail.Read"} == held(rig, user["id"])[client]
    again, cursor = poll(rig, cursor)
    assert again == [], "told once"
    control.revoke(user["userPrincipalName"], client)
    hints, cursor = poll(rig, cursor)
    assert user["id"] in {h.native_id for h in hints}, "of a removed grant only its id is told"
    assert not any(h.granted_at for h in hints)


def test_accounts_roles_and_apps_are_told(rig: EntraRig):
    control, user = rig.simulator.control, person(rig, 2)
    _, cursor = poll(rig, None)
    control.change_user(user["id"], accountEnabled=False)
    control.change_user(user["id"], displayName="Renamed")
    hints, cursor = poll(rig, cursor)
    assert [h.native_id for h in hints] == [user["id"]], "an item that comes twice is told once"
    found = one(rig, user["id"])
    assert (found.principal.status, found.principal.name) == ("suspended", "Renamed")
    control.give_role(control.add_app("Robot"), "Mail.Send")
    hints, cursor = poll(rig, cursor)
    assert {"AllPrincipals", "Applications"} == {h.native_id for h in hints}
    control.delete_user(user["id"])
    hints, cursor = poll(rig, cursor)
    assert [(h.native_id, h.event) for h in hints] == [(user["id"], "account removed")]


def test_reading_a_known_account_shows_its_state_now(rig: EntraRig):
    """What push tells is an id: the stored account is read anew together with its grants."""
    user = person(rig, 3)
    connector = rig.again()
    account = connector.principal(Hint(native_id=user["id"]))
    rig.simulator.control.suspend(user["id"])
    (found,) = connector.read(
        [replace(account, last_login=datetime(2026, 1, 1, tzinfo=UTC).date())], rig.deadline()
    )
    assert found.principal.status == "suspended"
    assert found.principal.last_login is not None, "what only the listing tells is kept"
    rig.simulator.control.restore(user["id"])


def test_delta_links_that_expired_walk_through_all_consents_anew(rig: EntraRig):
    control = rig.simulator.control
    _, cursor = poll(rig, None)
    client = control.add_app("Consented meanwhile")
    user = person(rig, 4)
    control.grant(user["userPrincipalName"], client)
    control.expire_delta()
    hints, cursor = poll(rig, cursor)
    tenant = rig.simulator.world.tenant()
    holders = {g["principalId"] or "AllPrincipals" for g in tenant.grants.values()}
    assert holders <= {h.native_id for h in hints}
    assert poll(rig, cursor)[0] == []


def test_a_poll_costs_two_reports_at_most(rig: EntraRig):
    _, cursor = poll(rig, None)
    rig.simulator.control.reset_metrics()
    poll(rig, cursor)
    methods = rig.simulator.control.metrics()["methods"]
    assert methods["directoryAudits.list"]["calls"] == 1
    assert "signIns.list" not in methods


def test_changes_stop_at_a_page_and_go_on_there(rig: EntraRig):
    control, user = rig.simulator.control, person(rig, 5)
    _, cursor = poll(rig, None)
    client = control.add_app("Stepwise")
    control.grant(user["userPrincipalName"], client)
    told: list[Hint] = []
    for _ in range(9):
        page = next(iter(rig.again().changes(cursor, rig.deadline())))
        told += page.hints
        cursor = page.cursor
    rest, _ = poll(rig, cursor)
    assert user["id"] in {h.native_id for h in [*told, *rest]}


# -- the past ---------------------------------------------------------------------------------------------


def test_the_past_counts_successful_sign_ins_once(rig: EntraRig):
    control, user = rig.simulator.control, person(rig, 6)
    client = control.add_app("Used tool")
    now = rig.io.clock.now()
    at = (now - timedelta(days=3)).replace(microsecond=0)
    for minutes, failed in ((0, False), (5, False), (9, True)):
        control.use(user["userPrincipalName"], client, (at + timedelta(minutes=minutes)).timestamp(), failed)
    pages = list(rig.again().history(now - timedelta(days=7), now - timedelta(hours=2), rig.deadline()))
    assert [page.last for page in pages].count(True) == 1
    assert pages[-1].last
    (use,) = [use for page in pages for use in page.uses if use.client_id == client]
    assert (use.native_id, use.events) == (user["id"], 2)
    assert abs(use.last_at - at - timedelta(minutes=5)) < timedelta(seconds=1)
    assert any("microsoft graph" in names for page in pages for names in page.apis.values())
    places = {(p.kind, p.name, p.day) for page in pages for p in page.places if p.client_id == client}
    assert places == {("network", "20.190.128.0/24", at.date()), ("country", "IE", at.date())}
    before = list(rig.again().history(at - timedelta(days=1), at, rig.deadline()))
    assert not [use for page in before for use in page.uses if use.client_id == client]
    assert MANIFEST.history_days == 30


def test_consents_of_the_past_are_dated(rig: EntraRig):
    control, user = rig.simulator.control, person(rig, 7)
    client = control.add_app("Dated tool")
    control.grant(user["userPrincipalName"], client)
    until = rig.io.clock.now() + timedelta(seconds=5)
    pages = list(rig.again().history(until - timedelta(days=1), until, rig.deadline()))
    found = [c for page in pages for c in page.consents if c.client_id == client]
    assert [c.native_id for c in found] == [user["id"]]


def test_without_the_licence_the_rest_works_and_the_remedy_is_named():
    with entra(employees=12, scopes=[need for need in ALL if need != P1]) as rig:
        health = rig.connector.check()
        assert [need.scope for need in health.missing] == [P1]
        people = rig.everybody()
        assert all(p.last_login is None for p in people)
        assert all(isinstance(o, Observation) for o in rig.connector.read(people, rig.deadline()))
        assert list(rig.connector.changes(None, rig.deadline()))[-1].last
        now = rig.io.clock.now()
        with pytest.raises(ConnectorError, match="licence") as caught:
            list(rig.connector.history(now - timedelta(days=1), now, rig.deadline()))
        assert caught.value.kind == "config"


def test_a_licence_that_ends_between_two_pages_costs_only_the_last_sign_ins():
    with entra(employees=12) as rig:
        rig.simulator.control.licence(p1=False)
        people = rig.everybody()
        assert {p.native_id for p in people} == set(rig.truth())
        assert rig.connector.principal(Hint(native_id=people[-1].native_id))


def test_each_optional_permission_costs_its_feature_and_nothing_else():
    # Only what reading takes: what acts would need is told as steps, and nothing is refused.
    with entra(employees=12, scopes=["Directory.Read.All"]) as rig:
        user, client = rig.revocable()
        people = rig.everybody()
        assert all(isinstance(o, Observation) for o in rig.connector.read(people, rig.deadline()))
        assert list(rig.connector.assets(rig.deadline())) == []
        pages = list(rig.connector.changes(None, rig.deadline()))
        assert pages[-1].last
        methods = rig.simulator.control.metrics()["methods"]
        assert not {"directoryAudits.list", "signIns.list", "subscriptions.list", "agents.list"} & set(
            methods
        )
        assert all(row["failed"] == 0 for row in methods.values())
        for action in (
            Action("disable_app", client_id=client),
            Action("revoke_grant", "Applications", rig.simulator.world.tenant().app(client) and robot(rig)),
        ):
            result = rig.connector.act(action)
            assert (result.state, bool(result.instructions)) == ("not_possible", True)
            assert all("entra.microsoft.com" in s or "://" not in s for s in result.instructions)
        assert rig.connector.act(Action("revoke_grant", user, client)).state == "not_possible"
        assert rig.connector.act(Action("end_sessions", user)).state == "not_possible"
        rig.connector.disconnect()
        assert rig.simulator.world.tenant().app(rig.credentials.registration.client_id), (
            "we may not remove ourselves"
        )


def robot(rig: EntraRig) -> str:
    tenant = rig.simulator.world.tenant()
    return next(row["appId"] for row in tenant.apps.values() if row["displayName"] == "Nightly mail archive")


# -- acts -------------------------------------------------------------------------------------------------


def test_what_everybody_consented_to_is_taken_away_at_once(rig: EntraRig):
    control = rig.simulator.control
    client = control.add_app("For everybody")
    control.grant(None, client, ["User.Read"])
    result = rig.connector.act(Action("revoke_grant", "AllPrincipals", client))
    assert (result.state, result.observed_present) == ("done", False)
    assert client not in held(rig, "AllPrincipals")
    assert rig.connector.act(Action("revoke_grant", "AllPrincipals", client)).state == "already_done"


def test_permissions_of_apps_are_taken_away_one_by_one_or_all(rig: EntraRig):
    world, client = rig.simulator.world, rig.simulator.control.add_app("Passing robot")
    rig.simulator.control.give_role(client, "Mail.Read")
    tenant = world.tenant()
    mail = next(row for row in tenant.apps.values() if "Exchange" in row["displayName"])
    world.assign(tenant, tenant.app(client), mail, mail["appRoles"][0]["id"], "ServicePrincipal")
    exchange = "https://outlook.office365.com/full_access_as_app"
    action = Action("revoke_scopes", "Applications", client, scopes=frozenset({exchange}))
    assert (rig.connector.act(action).state, rig.connector.act(action).state) == ("done", "already_done")
    left = held(rig, "Applications")[client]
    assert "Mail.Read" in left
    assert exchange not in left
    assert rig.connector.act(Action("revoke_grant", "Applications", client)).state == "done"
    assert client not in held(rig, "Applications")


def test_some_permissions_of_a_person_are_taken_away(rig: EntraRig):
    control, user = rig.simulator.control, person(rig, 8)
    client = control.add_app("Narrowed")
    control.grant(user["userPrincipalName"], client, ["openid", "Mail.Read", "Files.Read.All"])
    action = Action("revoke_scopes", user["id"], client, scopes=frozenset({"Mail.Read"}))
    result = rig.connector.act(action)
    assert (result.state, result.observed_present) == ("done", False)
    assert held(rig, user["id"])[client] == {"openid", "Files.Read.All"}
    assert rig.connector.act(action).state == "already_done"
    whole = Action("revoke_scopes", user["id"], client, scopes=frozenset({"openid", "Files.Read.All"}))
    assert rig.connector.act(whole).state == "done"
    assert client not in held(rig, user["id"])


def test_a_consent_and_an_assignment_go_together_and_a_group_is_left_to_people(rig: EntraRig):
    control, user, tenant = rig.simulator.control, person(rig, 9), rig.simulator.world.tenant()
    client = control.add_app("Both ways")
    control.grant(user["userPrincipalName"], client)
    control.assign(user["userPrincipalName"], client)
    result = rig.connector.act(Action("revoke_grant", user["id"], client))
    assert (result.state, result.observed_present) == ("done", False)
    group_row = next(r for r in tenant.roles.values() if r["principalType"] == "Group")
    member = tenant.members[group_row["principalId"]][0]
    app = tenant.apps[group_row["resourceId"]]["appId"]
    for row in [
        r
        for r in tenant.roles.values()
        if (r["principalId"], r["resourceId"]) == (member, group_row["resourceId"])
    ]:
        del tenant.roles[row["id"]]
    assert held(rig, member)[app] == {"openid"}
    result = rig.connector.act(Action("revoke_grant", member, app))
    assert (result.state, bool(result.instructions)) == ("not_possible", True)
    assert "group" in result.detail


def test_apps_and_agents_are_disabled_and_enabled(rig: EntraRig):
    control, tenant = rig.simulator.control, rig.simulator.world.tenant()
    client = control.add_app("Blocked tool")
    off, on = Action("disable_app", client_id=client), Action("enable_app", client_id=client)
    assert [rig.connector.act(a).state for a in (off, off)] == ["done", "already_done"]
    assert tenant.app(client)["accountEnabled"] is False
    result = rig.connector.act(on)
    assert (result.state, result.observed_present, tenant.app(client)["accountEnabled"]) == (
        "done",
        True,
        True,
    )
    assert rig.connector.act(Action("enable_app", client_id="'or 1 eq 1")).state == "not_possible"
    agent = next(iter(tenant.sponsors))
    action = Action("disable_asset", asset_id=agent)
    assert [rig.connector.act(action).state for _ in range(2)] == ["done", "already_done"]
    (listing,) = rig.connector.assets(rig.deadline())
    assert [a.state for a in listing.assets if a.native_id == agent] == ["disabled"]


def test_sessions_are_ended_but_not_those_of_guests(rig: EntraRig):
    result = rig.connector.act(Action("end_sessions", person(rig)["id"]))
    assert (result.state, result.observed_present) == ("done", False)
    tenant = rig.simulator.world.tenant()
    guest = next(u for u in tenant.users.values() if u["userType"] == "Guest")
    result = rig.connector.act(Action("end_sessions", guest["id"]))
    assert (result.state, bool(result.instructions)) == ("not_possible", True)
    assert (
        rig.connector.act(Action("end_sessions", "00000000-0000-4000-8000-00000000dead")).state
        == "already_done"
    )
    assert rig.connector.act(Action("uninstall_app")).state == "not_possible"


def test_access_tokens_that_expire_are_fetched_anew(rig: EntraRig):
    rig.connector.check()
    rig.simulator.control.expire_access_tokens()
    assert rig.connector.principals(None).principals


# -- push -------------------------------------------------------------------------------------------------


class Hook:
    """An address of a channel, answered by what production answers with."""

    def __init__(self, secret: str, expires: datetime) -> None:
        hashed = hashlib.sha256(secret.encode()).hexdigest()
        self.channel: KnownChannel | None = KnownChannel("chn_1", hashed, expires)
        self.hints: list[Hint] = []
        self.validated: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = PushRequest("POST", {}, dict(parse_qsl(parts.query)), body)
                status, kind, text = hook.take(request)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/webhooks/entra/chn_1"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def take(self, request: PushRequest) -> tuple[int, str, str]:
        try:
            receipt = receive(request, Known(lambda _: self.channel, lambda: "", "chn_1"), datetime.now(UTC))
        except PushRefusedError as refused:
            return 401, "text/plain", refused.reason
        self.validated += [receipt.body] if receipt.body else []
        self.hints += [hint for told in receipt.told for hint in told.hints]
        return receipt.status, receipt.content_type, receipt.body

    def __enter__(self) -> "Hook":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_a_subscription_from_handshake_to_its_end(rig: EntraRig):
    secret, control = "whk_" + "k" * 40, rig.simulator.control
    with Hook(secret, rig.io.clock.now() + timedelta(days=29)) as hook:
        ask = ChannelRequest("chn_1", hook.address, secret, "grants", "users", MANIFEST.push.ttl_s)
        channel = rig.connector.open_channel(ask)
        assert len(hook.validated) == 2, "both addresses are asked"
        assert timedelta(days=28) < channel.expires_at - rig.io.clock.now() < timedelta(days=29)
        user = person(rig)
        control.change_user(user["id"], jobTitle="New")
        assert control.settle()
        assert [h.native_id for h in hook.hints] == [user["id"]]
        # A poll reauthorises what is there, every few hours and not each time.
        _, cursor = poll(rig, None)
        control.reset_metrics()
        poll(rig, cursor)
        assert "subscriptions.reauthorize" not in control.metrics()["methods"]
        control.advance(3 * 3600)
        poll(rig, cursor)
        assert control.metrics()["methods"]["subscriptions.reauthorize"]["accepted"] == 1
        control.lifecycle("subscriptionRemoved")
        assert control.settle()
        assert hook.hints[-1].event == CHANNEL_LOST
        assert all(row["outcome"] == 202 for row in control.deliveries())
        rig.connector.close_channel(channel)
        rig.connector.close_channel(channel)
        hook.channel = None
        with pytest.raises(ConnectorError):
            rig.connector.open_channel(ask)
    assert control.subscriptions() == []


# -- quotas -----------------------------------------------------------------------------------------------


def test_a_full_read_stays_within_the_units_and_is_not_refused():
    """Two units an account, at the pace of the smallest tenants; time runs 40 times as fast."""
    with entra(employees=300, scale=40.0, in_flight=4, seed=5, grants_per_user=6) as rig:
        people = rig.everybody()
        began = rig.io.clock.monotonic()
        outcomes = list(rig.connector.read(people, rig.deadline()))
        took = rig.io.clock.monotonic() - began
        assert all(isinstance(o, Observation) for o in outcomes)
        spent = rig.simulator.control.spent()
        assert spent["refused"] == 0
        assert spent["units"] < 3 * len(people) + 60, spent
        assert took < 60, "simulated seconds"


def test_nobodys_grants_wait_for_the_lists_of_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    """At half a second a call they would hold up the first account by three calls."""
    asked, administrators, batch = threading.Event(), directory.administrators, GraphApi.batch

    def slow(api: GraphApi, halt: Any) -> frozenset[str]:
        assert asked.wait(20), "bundles are asked for first"
        return administrators(api, halt)

    def noted(api: GraphApi, paths: Any, *arguments: Any) -> Any:
        if any("/oauth2PermissionGrants" in path for path in paths):
            asked.set()
        return batch(api, paths, *arguments)

    monkeypatch.setattr(directory, "administrators", slow)
    monkeypatch.setattr(GraphApi, "batch", noted)
    with entra(employees=60, in_flight=8, grants_per_user=3) as rig:
        first = rig.connector.principals(None)
        list(rig.connector.read(first.principals, rig.deadline()))
        page = rig.connector.principals(first.cursor)
        outcomes = {o.principal.id: o for o in rig.connector.read(page.principals, rig.deadline())}
        told = {one.id: one.admin for one in page.principals}
        assert {pid: one.principal.admin for pid, one in outcomes.items()} == told
        assert set(told.values()) == {True, False}


def test_accounts_are_listed_and_read_ahead_once_each_and_asked_again_anew():
    """As a full run does it: page by page, in chunks, with an account in between that is asked for again."""
    with entra(employees=420, in_flight=8, seed=8, grants_per_user=3) as rig:
        control, truth, connector = rig.simulator.control, rig.truth(), rig.connector
        began = rig.io.clock.now()
        control.fault("status", path=rig.grants_path(rig.people()[200]), status=500, count=1)
        found: dict[str, Any] = {}
        cursor, pages = None, 0
        while cursor is not None or not pages:
            page = connector.principals(cursor)
            for start in range(0, len(page.principals), 50):
                chunk = page.principals[start : start + 50]
                outcomes = list(connector.read(chunk, rig.deadline()))
                assert {o.principal.id for o in outcomes} == {one.id for one in chunk}
                found |= {o.principal.native_id: o for o in outcomes}
            cursor, pages = page.cursor, pages + 1
        assert pages > 4
        assert set(found) == set(truth)
        for native_id, outcome in found.items():
            if outcome.principal.status != "deleted":
                held = {g.app.client_id for g in outcome.grants}
                assert held == set(truth[native_id]["grants"])
        living = [o for o in found.values() if o.principal.kind != "organisation" and not o.gone]
        assert sum(o.as_of is not None and began <= o.as_of <= rig.io.clock.now() for o in living) > 400
        made = control.metrics()["methods"]
        assert made["users.grants"]["calls"] == len(living) + 1
        assert made["users.list"]["calls"] <= pages + 1, "a page is turned over once"

        # Accounts are answered in any order: chosen by what it holds, and named by its id as guests need it.
        again = next(o.principal for o in living if truth[o.principal.native_id]["grants"])
        control.revoke(again.native_id, next(iter(truth[again.native_id]["grants"])))
        (anew,) = connector.read([again], rig.deadline())
        assert anew.as_of is None
        assert len(anew.grants) == len(found[again.native_id].grants) - 1


def test_whoever_asks_in_another_order_is_not_kept_waiting():
    with entra(employees=60, in_flight=4, seed=8) as rig:
        people = [one for one in rig.everybody() if one.kind != "organisation"]
        for chunk in (people[40:45], people[5:9], people[40:42], people[:2]):
            assert {o.principal for o in rig.connector.read(chunk, rig.deadline())} == set(chunk)


def test_refusals_are_waited_out_with_and_without_a_hint():
    with entra(employees=30, scale=20.0, in_flight=2, seed=6) as rig:
        rig.simulator.control.quota(units=40, silent=2)
        people = rig.everybody()
        outcomes = list(rig.connector.read(people, rig.deadline()))
        assert rig.simulator.control.spent()["refused"] > 0
        truth = rig.truth()
        for outcome in outcomes:
            if isinstance(outcome, Observation) and not outcome.gone:
                assert {g.app.client_id for g in outcome.grants} == set(
                    truth[outcome.principal.native_id]["grants"]
                )
        assert sum(isinstance(o, Observation) for o in outcomes) > len(people) / 2


def test_the_tokens_of_one_tenant_open_no_other(rig: EntraRig):
    other = rig.simulator.control.add_organisation(employees=12, seed=9, domain="third.example")
    foreign = replace(rig.credentials, organisation_id=other["organisation_id"])
    with pytest.raises(ConnectorError, match="again"):
        registry.connect("entra", foreign, rig.io).check()
    del rig.simulator.world.tenants[other["organisation_id"]]
    assert UNITS.calls / UNITS.seconds == 350
    assert AUDIT in rig.credentials.granted


def test_whom_people_report_to(rig: EntraRig) -> None:
    """Listing and reading one account say the same; who reports to nobody is told apart from not knowing."""
    tenant = rig.simulator.world.tenant()
    listed: dict[str, str | None] = {}
    cursor: str | None = None
    while True:
        page = rig.again().principals(cursor)
        listed |= {one.native_id: one.manager for one in page.principals if one.status == "active"}
        cursor = page.cursor
        if cursor is None:
            break
    told = {user: boss for user, boss in tenant.managers.items() if user in listed and boss in tenant.users}
    assert len(told) > 10
    assert {user: listed[user] for user in told} == told
    alone = next(user for user in tenant.users if user in listed and user not in tenant.managers)
    assert listed[alone] == ""
    somebody = next(iter(told))
    assert one(rig, somebody).principal.manager == told[somebody]
