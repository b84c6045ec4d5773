"""The Okta connector against the simulated organisation: access, discovery, log, hooks, acts, limits."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lantern.connectors import registry
from lantern.connectors.okta import push
from lantern.connectors.okta.manifest import (
    APP_GRANTS,
    APP_GRANTS_MANAGE,
    APP_LIST,
    APPS_MANAGE,
    HOOKS,
    INTEGRATIONS,
    MANIFEST,
    OF_USER,
    ROLES,
    USERS_MANAGE,
)
from lantern.connectors.protocol import Action, ChannelRequest, Deadline, Hint, Unread
from lantern.connectors.pushing import Known, KnownChannel, PushRefusedError, PushRequest
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import Observation
from tests.contract.connectors.okta_rig import SCOPES, TENANT, OktaRig, okta


@pytest.fixture
def rig() -> Iterator[OktaRig]:
    with okta() as made:
        yield made


def read(rig: OktaRig, connector: Any = None) -> dict[str, Observation | Unread]:
    connector = connector or rig.connector
    people = rig.everybody() if connector is rig.connector else list(connector.principals(None).principals)
    return {o.principal.native_id: o for o in connector.read(people, rig.deadline())}


def held(outcome: Any) -> dict[str, tuple[list[str], str]]:
    return {g.app.client_id: (sorted(g.scopes), g.source) for g in outcome.grants}


def calls(rig: OktaRig) -> Counter[str]:
    return Counter({k: v["calls"] for k, v in rig.simulator.control.metrics()["methods"].items()})


# -- access ----------------------------------------------------------------------------------------


def test_a_client_proves_its_key_and_every_call(rig: OktaRig) -> None:
    control = rig.simulator.control
    assert rig.identity.admin
    assert rig.identity.native_id == rig.client_id
    control.nonces(token=True, api=True, rotate=True)
    control.expire_access_tokens()
    health = rig.connector.check()
    assert (health.missing, health.organisation.id) == ((), rig.identity.organisation_id)
    assert rig.simulator.control.metrics()["methods"]["oauth.token"]["statuses"] == {"400": 1, "200": 1}
    # A nonce that turned stale, and a token that ended, in the middle of the work.
    control.nonces(token=True, api=True, rotate=True)
    control.expire_access_tokens()
    assert all(isinstance(o, Observation) for o in read(rig).values())


def test_an_app_without_proof_of_possession_gets_plain_tokens() -> None:
    with okta(dpop=False) as rig:
        assert rig.connector.check().missing == ()
        assert {i.scopes is not None and i.jkt for i in rig.simulator.auth.issued.values()} == {None}


def test_an_api_token_does_what_its_owner_may() -> None:
    with okta(token=True) as rig:
        control = rig.simulator.control
        owner = control.organisation()["admin"]
        assert (rig.identity.email, rig.identity.admin) == (owner, True)
        assert rig.connector.check().missing == ()
        truth = rig.truth()
        for native_id, outcome in read(rig).items():
            assert {c: s for c, (s, _) in held(outcome).items()} == truth[native_id]["grants"]
        control.role(owner, "READ_ONLY_ADMIN")
        lost = {need.scope for need in rig.connector.check().missing}
        assert {USERS_MANAGE, APPS_MANAGE, APP_GRANTS_MANAGE, HOOKS} <= lost
        assert rig.connector.act(rig.target()[1]).state == "not_possible"
        control.role(owner, "SUPER_ADMIN")
        rig.connector.disconnect()
        rig.connector.disconnect()
        with pytest.raises(ConnectorError) as caught:
            rig.connector.check()
        assert caught.value.kind == "config"


def test_a_scope_taken_away_costs_its_feature_and_nothing_else(rig: OktaRig) -> None:
    control = rig.simulator.control
    left = [s for s in SCOPES if s not in (APP_GRANTS, INTEGRATIONS, ROLES)]
    control.client_scopes(rig.client_id, left)
    control.expire_access_tokens()
    connector = rig.again()
    # Before anybody has noticed: what is lost fails by itself.
    outcomes = {o.principal.native_id: o for o in read(rig).values()}
    assert isinstance(outcomes.pop("application"), Unread)
    assert all(isinstance(o, Observation) and o.principal.admin is None for o in outcomes.values())
    assert {need.scope for need in connector.check().missing} == {APP_GRANTS, INTEGRATIONS, ROLES}
    granted = replace(rig.credentials, granted=frozenset(left))
    found = read(rig, registry.connect("okta", granted, rig.io))
    assert "application" not in found  # absent, not empty
    assert {p.principal.admin for p in found.values()} == {None}


def test_of_two_sources_one_can_be_read_alone(rig: OktaRig) -> None:
    some = replace(rig.credentials, granted=frozenset(SCOPES) - {INTEGRATIONS})
    outcome = read(rig, registry.connect("okta", some, rig.io))["application"]
    assert isinstance(outcome, Observation)
    assert outcome.sources == {"application"}
    assert {g.source for g in outcome.grants or ()} == {"application"}


def test_an_app_that_was_deactivated_has_no_access_any_more(rig: OktaRig) -> None:
    rig.simulator.control.app_status(rig.client_id, "INACTIVE")
    with pytest.raises(ConnectorError) as caught:
        rig.everybody()
    assert caught.value.kind == "config"
    assert "again" in caught.value.user_message


# -- discovery -------------------------------------------------------------------------------------


def test_lists_and_single_questions_say_the_same() -> None:
    """A large organisation is read by lists, a small or a repeated question by account."""
    with okta(employees=150, in_flight=8) as rig:
        truth = rig.truth()
        rig.simulator.control.reset_metrics()
        people = rig.everybody()
        first = {o.principal.native_id: o for o in rig.connector.read(people, rig.deadline())}
        made = calls(rig)
        assert made["GET /api/v1/apps/{a}/users"] > 0
        assert made["GET /api/v1/apps"] == 1, "beside the first page, and not again"
        assert {o.as_of is None for o in first.values() if o.principal.status == "active"} == {False, True}
        rig.simulator.control.reset_metrics()
        again = {o.principal.native_id: o for o in rig.connector.read(people[:20], rig.deadline())}
        assert calls(rig)["GET /api/v1/apps/{a}/users"] == 0
        assert {o.as_of for o in again.values()} == {None}
        for native_id, outcome in {**first, **again}.items():
            wanted = truth[native_id]["grants"]
            assert {c: s for c, (s, _) in held(outcome).items()} == wanted
        for native_id, outcome in again.items():
            assert held(outcome) == held(first[native_id])
        assert {p.admin for p in people if p.kind == "user"} == {True, False}


def in_chunks(rig: OktaRig, size: int = 20) -> dict[str, Observation | Unread]:
    """Read everybody as a full run does: page by page, in small chunks."""
    found: dict[str, Observation | Unread] = {}
    cursor = None
    while True:
        page = rig.connector.principals(cursor)
        for start in range(0, len(page.principals), size):
            chunk = page.principals[start : start + size]
            outcomes = list(rig.connector.read(chunk, rig.deadline()))
            assert {o.principal for o in outcomes} == set(chunk)
            found |= {o.principal.native_id: o for o in outcomes}
        cursor = page.cursor
        if cursor is None:
            return found


def test_grants_are_read_ahead_while_assignments_are_listed() -> None:
    """Each account is still read once, and it is said since when it is known."""
    with okta(employees=450, in_flight=4) as rig:
        rig.simulator.control.fault("latency", path="^/api/v1/apps/[^/]+/users$", seconds=0.15)
        began, truth = rig.io.clock.now(), rig.truth()
        rig.simulator.control.reset_metrics()
        victim = min(rig.people())  # comes first, is unreadable then, and readable in its turn
        rig.simulator.control.fault("status", path=rig.grants_path(victim), status=500, count=4)
        found = in_chunks(rig)
        made = calls(rig)
        assert made["GET /api/v1/users/{u}/grants"] == 450 + 4
        assert made["GET /api/v1/users"] == 450 // 200 + 2
        assert set(found) == set(truth)
        for native_id, outcome in found.items():
            assert {c: s for c, (s, _) in held(outcome).items()} == truth[native_id]["grants"]
            if native_id != "application":
                assert began <= outcome.as_of <= rig.io.clock.now()


def test_lists_that_take_too_long_are_given_up_for_single_questions() -> None:
    """So that a very large organisation gets on, however slowly."""
    with okta(employees=60) as rig:
        truth = rig.truth()
        slow = registry.connect("okta", rig.credentials, replace(rig.io, clock=Slow(rig.io.clock)))
        rig.simulator.control.reset_metrics()
        deadline = Deadline(rig.io.clock, rig.io.clock.monotonic() + 1000)
        outcomes = list(slow.read(slow.principals(None).principals[1:9], deadline))
        assert len(outcomes) >= 4  # as far as the time went
        assert 0 < calls(rig)["GET /api/v1/apps/{a}/users"] < 10
        for outcome in outcomes:
            assert outcome.as_of is None
            wanted = truth[outcome.principal.native_id]["grants"]
            assert {c: s for c, (s, _) in held(outcome).items()} == wanted


class Slow:
    """A clock on which every look takes ten seconds."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        self._clock.sleep(10.0)
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def test_an_account_asked_for_again_is_asked_anew(rig: OktaRig) -> None:
    account = next(p for p in rig.everybody() if p.native_id == rig.people()[1])
    app = next(a["client_id"] for a in rig.simulator.control.apps() if a["label"] == "Workday")
    (before,) = rig.connector.read([account], rig.deadline())
    rig.simulator.control.assign(account.native_id, app)
    (after,) = rig.connector.read([account], rig.deadline())
    assert held(after).keys() - held(before).keys() == {app}
    assert held(after)[app] == (["openid"], "assignment")


def test_an_app_deleted_while_lists_are_read_is_no_obstacle() -> None:
    with okta(employees=60) as rig:
        people = rig.everybody()
        list(rig.connector.read(people[:3], rig.deadline()))  # the list of apps is known now
        rig.simulator.control.remove_app("Zendesk")
        outcomes = list(rig.connector.read(people[3:], rig.deadline()))
        assert all(isinstance(o, Observation) for o in outcomes)


def test_if_one_app_cannot_be_listed_nobody_is_known() -> None:
    with okta(employees=60) as rig:
        people = rig.everybody()
        rig.simulator.control.fault("status", path="^/api/v1/apps/[^/]+/users$", status=500)
        outcomes = list(rig.connector.read(people[1:20], rig.deadline()))
        assert {o.reason for o in outcomes if o.principal.status == "active"} == {"provider_error"}


def test_a_deleted_account_is_gone_only_when_a_listing_says_so(rig: OktaRig) -> None:
    account = next(p for p in rig.everybody() if p.native_id == rig.people()[2])
    rig.simulator.control.fault("status", path=rig.grants_path(account.native_id), status=404)
    (doubtful,) = rig.connector.read([account], rig.deadline())
    assert isinstance(doubtful, Unread)
    rig.clear()
    rig.simulator.control.delete_user(account.native_id)
    (gone,) = rig.connector.read([account], rig.deadline())
    assert isinstance(gone, Observation)
    assert (gone.gone, gone.principal.status, gone.grants) == (True, "deleted", None)
    assert rig.connector.principal(Hint(native_id=account.native_id)) is None


def test_assets_are_listed_whole_or_not_at_all(rig: OktaRig) -> None:
    listings = {one.kind: one.assets for one in rig.connector.assets(rig.deadline())}
    assert set(listings) == {"api_key", "agent"}
    assert len(listings["api_key"]) == 3
    assert {a.owner for a in listings["api_key"]} <= {p.id for p in rig.everybody()}
    assert all(a.last_used_at for a in listings["api_key"])
    rig.simulator.control.fault("cut", path="api-tokens")
    assert [one.kind for one in rig.connector.assets(rig.deadline())] == ["agent"]
    with okta(agents=False) as without:
        assert [one.kind for one in without.connector.assets(without.deadline())] == ["api_key"]
        assert "okta.aiAgents.read" in {need.scope for need in without.connector.check().missing}


# -- the log ---------------------------------------------------------------------------------------


def follow(rig: OktaRig, cursor: str | None) -> tuple[list[Hint], str]:
    pages = list(rig.connector.changes(cursor, rig.deadline()))
    assert pages[-1].last
    assert not any(page.last for page in pages[:-1])
    return [hint for page in pages for hint in page.hints], pages[-1].cursor


def test_the_feed_is_followed_by_its_link_each_event_once(rig: OktaRig) -> None:
    control = rig.simulator.control
    hints, cursor = follow(rig, None)
    assert hints == []
    assert follow(rig, cursor) == ([], cursor)  # the link of an empty page is where it was
    user, other = rig.people()[1], rig.people()[2]
    client = control.add_app("Fresh app", client_id="fresh-1")
    control.consent(user, client, ["a.read", "b.read"])
    control.consent(other, client, ["a.read"], lag_s=86_400)  # published long ago, stored now
    control.status(other, "SUSPENDED")
    control.sign_on(user, client)
    hints, after = follow(rig, cursor)
    assert [(h.native_id, h.email is not None) for h in hints] == [
        (other, False),
        (user, False),
        (None, True),
    ]
    assert set(hints[1].granted_at) == {"fresh-1"}
    suspended = rig.connector.principal(hints[2])
    assert suspended is not None
    assert (suspended.native_id, suspended.status) == (other, "suspended")
    assert follow(rig, after)[0] == []
    # A link that is no longer accepted: the last hours are read again, and nothing twice.
    lost = json.dumps({**json.loads(after), "place": "/api/v1/logs?after=expired"})
    assert follow(rig, lost)[0] == []
    control.revoke(user, "fresh-1")
    assert [h.native_id for h in follow(rig, lost)[0]] == [user]


def test_a_consent_that_runs_as_the_system_is_put_down_to_the_person_of_the_session(rig: OktaRig) -> None:
    control = rig.simulator.control
    _, cursor = follow(rig, None)
    user = rig.people()[3]
    client = control.add_app("Quiet app", client_id="quiet-1")
    control.event("user.session.start", user)
    control.consent(user, client, ["x.read"], nameless=True)
    (hint,), cursor = follow(rig, cursor)
    assert (hint.native_id, set(hint.granted_at)) == (user, {"quiet-1"})
    # Two people in one session, as behind a shared kiosk: nobody is accused.
    control.event("user.session.start", rig.people()[4], session=f"102{user[3:]}")
    control.consent(user, client, ["y.read"], nameless=True)
    assert follow(rig, cursor)[0] == []


def test_past_use_is_counted_where_sign_ins_succeeded() -> None:
    with okta(employees=40, events_per_user_day=6.0) as rig:
        control, until = rig.simulator.control, rig.io.clock.now()
        client = control.add_app("Late app", client_id="late-1")
        control.consent(rig.people()[1], client, ["a"])
        until = until.replace(minute=0, second=0, microsecond=0)
        since = until - timedelta(days=3)
        pages = list(rig.connector.history(since, until, rig.deadline()))
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
        seen: Counter[str] = Counter()
        for page in pages:
            for use in page.uses:
                assert since <= use.last_at < until
                seen[f"{use.native_id} {use.client_id}"] += use.events
        assert seen == control.uses(since.timestamp(), until.timestamp())
        assert sum(seen.values()) > 500
        places = {(p.client_id, p.kind, p.name) for page in pages for p in page.places}
        clients = {pair.split()[1] for pair in seen}
        assert places == {(c, "network", "AS64512") for c in clients} | {
            (c, "country", "Ireland") for c in clients
        }
        later = list(rig.connector.history(until, until + timedelta(hours=2), rig.deadline()))
        assert [(c.native_id, c.client_id) for p in later for c in p.consents] == [
            (rig.people()[1], "late-1")
        ]
        rig.simulator.control.fault("status", path="^/api/v1/logs$", status=503)
        with pytest.raises(ConnectorError):
            list(rig.connector.history(since, until, rig.deadline()))


# -- event hooks -----------------------------------------------------------------------------------

SECRET = "whk_" + "s" * 30


class WebHook:
    """Our web hook, in small: the receiver of production behind one address."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.statuses: list[int] = []
        channel = KnownChannel("chn_1", push.secret_hash(SECRET), datetime(2036, 1, 1, tzinfo=UTC))
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                given = {k.lower(): v for k, v in self.headers.items()}
                known = Known(lambda i: channel if i == "chn_1" else None, str, self.path.rsplit("/", 1)[1])
                status, kind, text = 401, "text/plain", ""
                try:
                    receipt = push.receive(
                        PushRequest(self.command, given, {}, raw), known, datetime.now(UTC)
                    )
                    status, kind, text = receipt.status, receipt.content_type, receipt.body
                    hook.hints += [h for told in receipt.told for h in told.hints]
                except PushRefusedError:
                    pass
                hook.statuses.append(status)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = _answer  # noqa: N815 - names set by http.server

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}/webhooks/okta/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def web() -> Iterator[WebHook]:
    made = WebHook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def request(web: WebHook, channel: str = "chn_1", secret: str = SECRET) -> ChannelRequest:
    return ChannelRequest(channel, web.base + channel, secret, "grants", "changes", 3600)


def test_a_hook_is_made_verified_told_and_taken_away(rig: OktaRig, web: WebHook) -> None:
    control = rig.simulator.control
    left_over = rig.connector.open_channel(request(web))
    channel = rig.connector.open_channel(request(web))
    (hook,) = control.hooks()  # the one before was to the same place, and is gone
    assert (hook["id"], hook["verified"], hook["uri"]) == (channel.resource_id, True, web.base + "chn_1")
    rig.connector.close_channel(left_over)
    control.hook_settings(duplicate_rate=1.0)
    user, client = rig.people()[1], control.add_app("Told app", client_id="told-1")
    control.consent(user, client, ["a.read"])
    control.assign(user, client)
    control.settle()
    assert [h.native_id for h in web.hints] == [user] * 4
    assert len({h.event_id for h in web.hints}) == 2  # each was told twice, under one id
    rig.connector.close_channel(channel)
    rig.connector.close_channel(channel)
    assert control.hooks() == []


def test_a_hook_that_cannot_be_verified_is_not_left_behind(rig: OktaRig, web: WebHook) -> None:
    with pytest.raises(ConnectorError):
        rig.connector.open_channel(request(web, "chn_unknown"))
    assert rig.simulator.control.hooks() == []


def test_a_client_whose_role_makes_no_hooks_keeps_working(rig: OktaRig, web: WebHook) -> None:
    rig.simulator.world.app(rig.client_id).role = "READ_ONLY_ADMIN"
    with pytest.raises(ConnectorError) as caught:
        rig.connector.open_channel(request(web))
    assert caught.value.kind == "system"  # not the customer's to mend: the connection needs no attention
    assert all(isinstance(o, Observation) for o in read(rig).values())


def test_an_organisation_that_hooks_fewer_events_gets_a_hook_all_the_same(rig: OktaRig, web: WebHook) -> None:
    control = rig.simulator.control
    sure = [
        f"user.lifecycle.{v}"
        for v in ("activate", "create", "deactivate", "reactivate", "suspend", "unsuspend")
    ]
    sure += [f"application.user_membership.{v}" for v in ("add", "remove", "restore", "revoke")]
    control.hook_settings(hookable=[*sure, "user.lifecycle.delete.initiated"])
    rig.connector.open_channel(request(web))
    assert len(control.hooks()[0]["kinds"]) == 11


# -- acts ------------------------------------------------------------------------------------------


def test_consent_and_own_assignment_go_together(rig: OktaRig) -> None:
    control, (user, client) = rig.simulator.control, rig.consented()
    control.assign(user, client)
    action = Action("revoke_grant", user, client)
    done = rig.connector.act(action)
    assert (done.state, done.observed_present, done.remaining_access_s) == ("done", False, 3600)
    assert client not in rig.truth()[user]["grants"]
    assert client not in rig.simulator.world.state.refresh.get(user, set())
    assert rig.connector.act(action).state == "already_done"


def test_what_a_group_gives_is_taken_at_the_group_by_a_person(rig: OktaRig) -> None:
    user = rig.people()[1]
    slack = next(a for a in rig.simulator.control.apps() if a["name"] == "slack")
    told = rig.connector.act(Action("revoke_grant", user, slack["client_id"]))
    assert (told.state, told.observed_present) == ("not_possible", True)
    assert any("Everyone" in step for step in told.instructions)
    assert any(slack["id"] in step for step in told.instructions)
    assert slack["client_id"] in rig.truth()[user]["grants"]


def test_single_scopes_go_and_the_others_stay(rig: OktaRig) -> None:
    user, client = rig.people()[1], rig.simulator.control.add_app("Two scopes", client_id="two-1")
    rig.simulator.control.consent(user, client, ["a.read", "okta.users.read.self"])
    action = Action("revoke_scopes", user, client, scopes=frozenset({"a.read", "never"}))
    assert rig.connector.act(action).state == "done"
    assert rig.truth()[user]["grants"]["two-1"] == ["okta.users.read.self"]
    assert rig.connector.act(action).state == "already_done"


def test_apps_by_themselves_lose_scopes_but_integrations_are_a_matter_for_people(rig: OktaRig) -> None:
    robot = next(a for a in rig.simulator.control.apps() if a["label"] == "Provisioning Robot")["client_id"]
    some = Action("revoke_scopes", "application", robot, scopes=frozenset({"okta.groups.manage"}))
    assert rig.connector.act(some).state == "done"
    assert rig.truth()["application"]["grants"][robot] == ["okta.users.manage"]
    every = Action("revoke_grant", "application", robot)
    assert [rig.connector.act(every).state for _ in range(2)] == ["done", "already_done"]
    vendor = next(iter(rig.simulator.world.state.integrations))
    told = rig.connector.act(Action("revoke_grant", "application", vendor))
    assert (told.state, told.observed_present) == ("not_possible", True)
    assert told.instructions
    ours = rig.connector.act(Action("revoke_grant", "application", rig.client_id))
    assert ours.state == "not_possible"


def test_apps_are_switched_off_and_on_for_everybody(rig: OktaRig) -> None:
    assert MANIFEST.acts["disable_app"].everyone
    slack = next(a for a in rig.simulator.control.apps() if a["name"] == "slack")["client_id"]
    off, on = Action("disable_app", client_id=slack), Action("enable_app", client_id=slack)
    assert [rig.connector.act(off).state for _ in range(2)] == ["done", "already_done"]
    assert all(slack not in row["grants"] for row in rig.truth().values())
    assert [(r.state, r.observed_present) for r in (rig.connector.act(on), rig.connector.act(on))] == [
        ("done", True),
        ("already_done", True),
    ]
    assert rig.connector.act(Action("disable_app", client_id="nobody")).state == "already_done"
    assert rig.connector.act(Action("disable_app", client_id=rig.client_id)).state == "not_possible"
    assert rig.connector.act(Action("restrict_app", client_id=slack)).state == "not_possible"


def test_tokens_agents_and_sessions(rig: OktaRig) -> None:
    listings = {one.kind: one.assets for one in rig.connector.assets(rig.deadline())}
    token, agent = listings["api_key"][0].native_id, listings["agent"][0].native_id
    delete, stop = Action("delete_asset", asset_id=token), Action("disable_asset", asset_id=agent)
    assert [rig.connector.act(delete).state for _ in range(2)] == ["done", "already_done"]
    assert token not in rig.simulator.world.state.api_tokens
    assert [rig.connector.act(stop).state for _ in range(2)] == ["done", "already_done"]
    user, _ = rig.consented()
    assert rig.connector.act(Action("end_sessions", user)).state == "done"
    assert rig.simulator.world.state.users[user].sessions == 0
    assert user not in rig.simulator.world.state.refresh
    assert rig.connector.act(Action("end_sessions", "00unobody")).state == "already_done"


def test_without_the_right_the_administrator_is_told_what_to_do() -> None:
    with okta(scopes=[s for s in SCOPES if not s.endswith(".manage")]) as rig:
        told = rig.connector.act(rig.target()[1])
        assert told.state == "not_possible"
        assert "role" in told.detail
        assert told.instructions


# -- limits ----------------------------------------------------------------------------------------


def test_the_pace_is_what_the_organisation_says_it_is() -> None:
    """Limits far from the manifest's, in both directions, are learned from the headers of answers."""
    limits = {"grants": 90, "apps": 2000, "users": 40}
    with okta(employees=120, scale=60.0, in_flight=16, limits=limits) as rig:
        began = rig.io.clock.monotonic()
        outcomes = list(rig.connector.read(rig.everybody(), rig.deadline()))
        minutes = (rig.io.clock.monotonic() - began) / 60
        assert all(isinstance(o, Observation) for o in outcomes)
        methods = rig.simulator.control.metrics()["methods"]
        # Only what was in flight when the first answer came can be refused.
        assert sum(row["refused"] for row in methods.values()) <= 8
        assert minutes > 120 / 90 - 1
        rates = {q.name: rig.io.limiters.get("okta", TENANT, q).rate * 60 for q in (OF_USER, APP_LIST)}
        assert 20 < rates["grants"] <= 90
        assert 500 < rates["apps"] <= 2000


def test_too_many_at_once_is_backed_off_from(rig: OktaRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names neither a limit nor an end: waiting helps."""
    people = rig.everybody()
    settings = rig.simulator.quotas.settings
    settings.enabled, settings.at_once = True, 0
    sleep = rig.io.clock.sleep

    def wait(seconds: float) -> None:
        sleep(seconds)
        settings.at_once = 75

    monkeypatch.setattr(rig.io.clock, "sleep", wait)
    outcomes = list(rig.connector.read(people[1:4], rig.deadline()))
    assert len(outcomes) == 3
    assert all(isinstance(o, Observation) for o in outcomes)
    assert sum(row["refused"] for row in rig.simulator.control.metrics()["methods"].values()) >= 1
