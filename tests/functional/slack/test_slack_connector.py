"""The Slack connector against the simulator, over HTTP: accounts, apps, logs, acts, installation, events."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from lantern.connectors import registry
from lantern.connectors.consent import ConsentStart, Detour
from lantern.connectors.protocol import Action, Hint, Unread
from lantern.connectors.pushing import Known, PushRequest
from lantern.connectors.resolution import CallError
from lantern.connectors.slack import push
from lantern.connectors.slack.api import Tokens
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import Observation
from tests.contract.connectors.slack_rig import CLIENT, REGISTRATION, START, SlackRig, browse, make_io, slack
from tests.simulators.google.receiver import Receiver
from tests.simulators.slack import OrgSpec, SlackClient, SlackSimulator


@pytest.fixture(scope="module")
def grid_() -> Iterator[SlackRig]:
    with slack() as made:
        yield made


@pytest.fixture
def grid(grid_: SlackRig) -> Iterator[SlackRig]:
    yield grid_
    grid_.clear()


@pytest.fixture
def pro() -> Iterator[SlackRig]:
    with slack(plan="pro") as made:
        yield made


def bundle(rig: SlackRig, native_id: str) -> Observation:
    account = rig.connector.principal(Hint(native_id=native_id))
    assert account is not None
    (outcome,) = rig.connector.read([account], rig.deadline())
    assert isinstance(outcome, Observation), outcome
    return outcome


def held(rig: SlackRig, native_id: str) -> dict[str, set[str]]:
    return {g.app.client_id: set(g.scopes) for g in bundle(rig, native_id).grants or ()}


def person(rig: SlackRig, *, holder: bool = False) -> str:
    """A member of no special role; with `holder` one who installed something."""
    truth, world = rig.truth(), rig.simulator.world
    return next(
        m.id
        for m in world.members.values()
        if not m.bot and not m.deleted and not m.admin and bool(truth[m.id]["grants"]) is holder
    )


def refusal(call: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        call()
    return caught.value


# -- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["pro", "free"])
def test_each_plan_shows_what_it_shows(plan: str) -> None:
    with slack(plan=plan, employees=30) as rig:
        people, truth = rig.everybody(), rig.truth()
        assert {p.native_id: p.status for p in people} == {k: v["state"] for k, v in truth.items()}
        for outcome in rig.connector.read(people, rig.deadline()):
            assert isinstance(outcome, Observation)
            grants = {g.app.client_id: sorted(g.scopes) for g in outcome.grants or ()}
            assert grants == truth[outcome.principal.native_id]["grants"]
            if outcome.principal.kind == "organisation":
                assert grants
                sources = {"application"} | ({"installation"} if plan == "pro" else set())
                assert outcome.sources == sources
            else:
                # On a free plan nobody's installations are seen: unknown, not none.
                assert (outcome.grants is None) is (plan == "free")


def test_grants_are_dated_by_the_log(grid: SlackRig) -> None:
    user = person(grid, holder=True)
    installs = [i for i in grid.simulator.world.installs.values() if i.user == user]
    for grant in bundle(grid, user).grants or ():
        latest = max(i.at for i in installs if i.app == grant.app.client_id)
        assert grant.granted_on == datetime.fromtimestamp(latest, UTC).date()
        assert grant.source == "installation"


def test_the_organisation_holds_what_was_approved_unless_it_was_uninstalled(grid: SlackRig) -> None:
    world = grid.simulator.world
    gone, kept = world.app("Polly"), world.app("Claude")
    found = {g.app.client_id: g for g in bundle(grid, world.enterprise_id).grants or ()}
    assert gone.id not in found
    assert found[kept.id].app.verified_publisher is True
    assert found[kept.id].app.domains == ("claude.ai",)


def test_an_approved_app_that_nobody_installed_may_be_installed_at_any_time(grid: SlackRig) -> None:
    world = grid.simulator.world
    late = world.app("Gemini for Slack")
    grid.simulator.control.decide("approved", late.id, grid.identity.email)
    found = {g.app.client_id: g for g in bundle(grid, world.enterprise_id).grants or ()}
    assert (found[late.id].source, set(found[late.id].scopes)) == ("consent", {"chat:write"})
    assert found[late.id].granted_on is None


def test_who_is_in_two_workspaces_is_listed_once(grid: SlackRig) -> None:
    people = grid.everybody()
    assert len({p.native_id for p in people}) == len(people)
    both = [m for m in grid.simulator.world.members.values() if len(m.teams) == 2]
    assert both
    assert {m.id for m in both} <= {p.native_id for p in people}


def test_a_listing_whose_cursor_expired_begins_its_workspace_again() -> None:
    with slack(plan="pro", employees=700) as rig:
        first = rig.connector.principals(None)
        assert first.cursor
        rig.simulator.control.advance(2 * 3600)
        again = rig.connector.principals(first.cursor)
        assert {p.native_id for p in again.principals} == {p.native_id for p in first.principals[1:]}


def test_an_account_read_again_is_read_anew(grid: SlackRig) -> None:
    user, app = person(grid), grid.simulator.world.app("Zapier").id
    account = next(p for p in grid.everybody() if p.native_id == user)
    (before,) = grid.connector.read([account], grid.deadline())
    grid.simulator.control.install(app, user, scopes=["files:read"])
    (after,) = grid.connector.read([account], grid.deadline())
    assert isinstance(before, Observation)
    assert isinstance(after, Observation)
    assert [g.app.client_id for g in after.grants or ()] == [app]
    assert not before.grants
    assert after.as_of is None


def test_a_page_later_the_log_is_not_read_again_and_says_how_old_it_is(grid: SlackRig) -> None:
    people, connector = grid.everybody(), registry.connect("slack", credentials(grid), grid.io)
    began = grid.io.clock.now()
    list(connector.read(people[:2], grid.deadline()))
    grid.simulator.control.reset_metrics()
    grid.simulator.control.advance(60)
    outcomes = list(connector.read(people[2:], grid.deadline()))
    assert "audit" not in grid.simulator.control.metrics()["methods"]
    for outcome in outcomes:
        assert isinstance(outcome, Observation)
        assert outcome.as_of is not None
        assert began <= outcome.as_of < began + timedelta(seconds=59)


def test_an_account_that_slack_does_not_know_is_gone(pro: SlackRig) -> None:
    user = person(pro, holder=True)
    account = next(p for p in pro.everybody() if p.native_id == user)
    pro.simulator.control.purge(user)
    listed = {p.native_id for p in pro.everybody()}
    assert user not in listed
    other = registry.connect("slack", credentials(pro), pro.io)
    assert other.principal(Hint(native_id=user)) is None
    (outcome,) = other.read([account], pro.deadline())
    assert isinstance(outcome, Observation)
    assert outcome.gone
    # A 404 of something in between is no proof.
    pro.simulator.control.fault("status", path="users.info", status=404)
    (unread,) = other.read([account], pro.deadline())
    assert isinstance(unread, Unread)


def credentials(rig: SlackRig, **change: Any) -> registry.Credentials:
    known = registry.Credentials(
        "t" * 20, "con_1", rig.identity.organisation_id or "", REGISTRATION, rig.grant.secret,
        rig.grant.granted_scopes,
    )  # fmt: skip
    return replace(known, **change)


def test_a_deactivated_member_is_suspended_and_keeps_what_stays_installed(grid: SlackRig) -> None:
    user = person(grid, holder=True)
    before = held(grid, user)
    grid.simulator.control.deactivate(user)
    after = bundle(grid, user)
    grid.simulator.control.reactivate(user)
    assert after.principal.status == "suspended"
    assert {g.app.client_id for g in after.grants or ()} == set(before)


# -- refusals that come with status 200 -----------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind", "reason"),
    [
        ("fatal_error", "transient", "provider_error"),
        ("ratelimited", "rate_limited", "rate_limited"),
        ("not_an_admin", "config", "forbidden"),
        ("something_new", "system", "provider_error"),
    ],
)
def test_ok_false_is_a_failure_whatever_the_status(grid: SlackRig, word: str, kind: str, reason: str) -> None:
    people = grid.everybody()
    for method in ("audit", "users.list"):
        grid.simulator.control.fail(method, word)
    assert refusal(lambda: grid.connector.principals(None)).kind == kind
    outcomes = list(grid.connector.read(people, grid.deadline()))
    assert {o.reason for o in outcomes if isinstance(o, Unread)} == {reason}
    assert len([o for o in outcomes if isinstance(o, Unread)]) == len(people)


@pytest.mark.parametrize("word", ["token_revoked", "account_inactive", "invalid_auth"])
def test_a_token_that_died_asks_for_a_new_installation(grid: SlackRig, word: str) -> None:
    people = grid.everybody()
    grid.simulator.control.fail("audit", word)
    error = refusal(lambda: list(grid.connector.read(people, grid.deadline())))
    assert (error.kind, "Connect Slack again" in error.user_message) == ("config", True)
    assert refusal(lambda: list(grid.connector.changes(None, grid.deadline()))).kind == "config"


def test_a_plan_that_was_lowered_makes_grants_unknown_not_gone(pro: SlackRig) -> None:
    user = person(pro, holder=True)
    assert held(pro, user)
    pro.simulator.control.plan("free")
    assert bundle(pro, user).grants is None
    whole = bundle(pro, pro.simulator.world.organisation_id)
    assert whole.sources == {"application"}
    assert list(pro.connector.changes(None, pro.deadline())) == []


def test_a_refusal_is_waited_out_as_long_as_slack_says(grid: SlackRig) -> None:
    people, before = grid.everybody(), grid.io.clock.monotonic()
    grid.simulator.control.fault("status", path="^/audit/", status=429, retry_after=31, count=1)
    outcomes = list(grid.connector.read(people, grid.deadline()))
    assert all(isinstance(o, Observation) for o in outcomes)
    # The pace is slower for a while after a refusal, the more so the more calls were still to come.
    assert 31 <= grid.io.clock.monotonic() - before < 3 * 31


def test_limits_are_kept_per_method() -> None:
    """A minute lasts half a second. The audit log's limit is shared with others, unannounced."""
    with slack(employees=40, scale=120.0) as rig:
        people = rig.everybody()
        rig.simulator.control.limits(time_scale=120.0, others=48)
        for _ in range(3):
            outcomes = list(rig.connector.read(people, rig.deadline(1e6)))
            assert all(isinstance(o, Observation) for o in outcomes)
        methods = rig.simulator.control.metrics()["methods"]
        refused = {
            name: row["refused"] for name, row in methods.items() if name != "audit" and row["refused"]
        }
        assert refused == {}
        assert methods["users.list"]["calls"] > 4


@pytest.mark.parametrize(
    "scope", ["admin.apps:read", "auditlogs:read", "admin.workflows:read", "users:read.email"]
)
def test_without_an_optional_permission_the_rest_is_done(scope: str) -> None:
    every = {need.scope for need in registry.manifest("slack").scopes}
    with slack(scopes=sorted(every - {scope})) as rig:
        assert scope in {need.scope for need in rig.connector.check().missing}
        people = rig.everybody()
        outcomes = [o for o in rig.connector.read(people, rig.deadline()) if isinstance(o, Observation)]
        assert len(outcomes) == len(people)
        whole = next(o for o in outcomes if o.principal.kind == "organisation")
        others = [o for o in outcomes if o.principal.kind == "user"]
        kinds = {listing.kind for listing in rig.connector.assets(rig.deadline())}
        sources = {"application", "consent", "installation"}
        missing = {"admin.apps:read": "consent", "auditlogs:read": "installation"}.get(scope)
        assert whole.sources == sources - {missing}
        assert all((o.grants is None) is (scope == "auditlogs:read") for o in others)
        assert all((o.principal.email is None) is (scope == "users:read.email") for o in others)
        lost = {
            "admin.apps:read": {"app_policy", "mcp_server", "automation"},
            "admin.workflows:read": {"automation"},
        }
        assert kinds == {"app_policy", "mcp_server", "automation"} - lost.get(scope, set())


# -- assets ---------------------------------------------------------------------------------------


def test_what_an_organisation_has_beside_apps(grid: SlackRig) -> None:
    world = grid.simulator.world
    found = {listing.kind: listing.assets for listing in grid.connector.assets(grid.deadline())}
    servers = {a.name: a for a in found["mcp_server"]}
    claude = {"address": "claude.ai", "allowed": "everyone", "transport": "https"}
    assert servers["Claude MCP"].facts == claude
    named = {"address": "notion.so", "allowed": "named_entities", "users": 1, "transport": "https"}
    assert servers["Notion AI MCP"].facts == named
    assert servers["Claude MCP"].client_id == world.app("Claude").id
    (standup,) = [a for a in found["automation"] if a.name == "Summarise standup"]
    assert standup.facts["calls"] == ("ChatGPT",)
    assert standup.owner is not None
    policies = {(a.facts["policy"], a.name) for a in found["app_policy"]}
    assert ("restricted", "Meeting Helper GPT") in policies
    assert ("approved", "Claude") in policies
    (asked,) = [a for a in found["app_policy"] if a.facts["policy"] == "requested"] or [None]
    assert asked is None or (asked.state, asked.owner is not None) == ("unknown", True)


def test_a_kind_that_fails_is_absent(grid: SlackRig) -> None:
    grid.simulator.control.fail("admin.apps.mcp.servers.permissions.list", "fatal_error")
    assert {listing.kind for listing in grid.connector.assets(grid.deadline())} == {
        "app_policy",
        "automation",
    }


# -- what changes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["enterprise", "pro"])
def test_changes_are_told_once_though_the_end_is_read_again(plan: str) -> None:
    with slack(plan=plan) as rig:
        world, control = rig.simulator.world, rig.simulator.control
        user, app = person(rig), world.app("Fireflies").id

        def follow(cursor: str | None) -> tuple[dict[str, Hint], str | None]:
            found: dict[str, Hint] = {}
            for page in rig.connector.changes(cursor, rig.deadline()):
                found |= {h.native_id or "": h for h in page.hints}
                cursor = page.cursor
            return found, cursor

        _, cursor = follow(None)
        control.install(app, user)
        hints, cursor = follow(cursor)
        assert set(hints) == {user, world.organisation_id}
        assert set(hints[user].granted_at) == {app}
        assert follow(cursor)[0] == {}
        # Two holders, one removal by a third: all three are read again.
        holders = {i.user for i in world.installed(app)}
        control.advance(120)
        control.uninstall(app, rig.identity.email)
        hints, cursor = follow(cursor)
        assert holders | {world.organisation_id} <= set(hints)
        assert app not in held(rig, user)
        control.advance(3 * 86_400)
        hints, cursor = follow(cursor)
        assert hints == {}
        if plan == "enterprise":
            control.deactivate(user)
            assert set(follow(cursor)[0]) == {user}


def test_an_old_style_service_is_one_configuration_that_anybody_ends(pro: SlackRig) -> None:
    user, world = person(pro), pro.simulator.world
    row = {
        "service_id": 1234567890, "service_type": "Incoming WebHook", "user_id": user, "channel": "C1",
        "date": str(int(pro.io.clock.now().timestamp()) - 9 * 86_400), "change_type": "added",
        "scope": "incoming-webhook",
    }  # fmt: skip
    world.log.append(row)
    assert held(pro, user) == {"1234567890": {"incoming-webhook"}}
    (first,) = pro.connector.changes(None, pro.deadline())
    now = str(int(pro.io.clock.now().timestamp()))
    world.log.append({**row, "user_id": pro.identity.native_id, "date": now, "change_type": "removed"})
    pro.simulator.control.advance(5)
    (page,) = pro.connector.changes(first.cursor, pro.deadline())
    assert {user, world.organisation_id} <= {hint.native_id for hint in page.hints}
    assert held(pro, user) == {}


def test_the_past_tells_who_installed_and_never_claims_to_know_use(grid: SlackRig) -> None:
    until = grid.io.clock.now()
    since = until - timedelta(days=180)
    (page,) = grid.connector.history(since, until, grid.deadline())
    wanted = {
        (i.user, i.app)
        for i in grid.simulator.world.installs.values()
        if since.timestamp() <= i.at < until.timestamp()
    }
    assert wanted <= {(c.native_id, c.client_id) for c in page.consents}
    assert (page.uses, page.last) == ((), False)
    assert "activity" not in registry.manifest("slack").features


def test_without_a_log_our_access_is_tried_all_the_same() -> None:
    with slack(plan="free", scopes=["users:read"]) as rig:
        assert list(rig.connector.changes(None, rig.deadline())) == []
        rig.simulator.control.remove_product()
        assert refusal(lambda: list(rig.connector.changes(None, rig.deadline()))).kind == "config"


# -- acts -----------------------------------------------------------------------------------------


def test_an_app_is_approved_and_restricted_for_the_organisation() -> None:
    with slack() as rig:
        app = rig.simulator.world.app("Gemini for Slack").id
        approved = rig.connector.act(Action("approve_app", client_id=app))
        assert (approved.state, approved.observed_present) == ("done", True)
        assert "off" in approved.detail
        assert rig.connector.act(Action("approve_app", client_id=app)).state == "already_done"
        restricted = rig.connector.act(Action("restrict_app", client_id=app))
        assert (restricted.state, restricted.observed_present) == ("done", False)
        assert rig.connector.act(Action("restrict_app", client_id=app)).state == "already_done"
        own = rig.connector.act(Action("uninstall_app", client_id=CLIENT.app_id))
        assert (own.state, bool(own.instructions)) == ("not_possible", True)
        unknown = rig.connector.act(Action("uninstall_app", client_id="A0NOSUCH000"))
        assert (unknown.state, unknown.observed_present) == ("already_done", False)
        with pytest.raises(ValueError):
            rig.connector.act(Action("end_sessions", "U1"))


def test_where_no_api_acts_the_steps_are_told_and_the_deed_is_verified(pro: SlackRig) -> None:
    world = pro.simulator.world
    app = next(a for a in world.apps.values() if world.installed(a.id) and a.bot_scopes)
    user = world.installed(app.id)[0].user
    for action in (
        Action("uninstall_app", client_id=app.id),
        Action("revoke_grant", user, app.id),
        Action("revoke_grant", world.organisation_id, app.id),
    ):
        result = pro.connector.act(action)
        assert (result.state, result.observed_present) == ("not_possible", True)
        assert f"https://harbourline.slack.com/apps/{app.id}?tab=settings" in result.instructions[0]
    manage = pro.connector.act(Action("approve_app", client_id=app.id))
    assert "https://harbourline.slack.com/apps/manage/requests" in manage.instructions[0]
    pro.simulator.control.uninstall(app.id, pro.identity.email)
    for action in (Action("uninstall_app", client_id=app.id), Action("revoke_grant", user, app.id)):
        done = pro.connector.act(action)
        assert (done.state, done.observed_present) == ("already_done", False)


def test_instructions_hold_no_address_that_an_id_made(pro: SlackRig) -> None:
    result = pro.connector.act(Action("restrict_app", client_id="../../evil?x=1#"))
    assert all("evil?" not in line and "../" not in line for line in result.instructions)


# -- installation ---------------------------------------------------------------------------------


@contextlib.contextmanager
def page(plan: str = "enterprise", client: SlackClient = CLIENT) -> Iterator[tuple[SlackSimulator, Any]]:
    with SlackSimulator(OrgSpec(12, 1, plan), clients=[client]) as simulator:
        io = make_io(simulator)
        simulator.control.auto_consent()
        yield simulator, registry.oauth_flow("slack", REGISTRATION, io)
        io.session.close()
        assert not simulator.server.errors


def test_an_org_owner_is_sent_on_to_the_organisation() -> None:
    with page() as (simulator, flow):
        first = browse(simulator, flow, START)
        leg = flow.exchange(START, first)
        assert leg == Detour({"enterprise": simulator.world.enterprise_id, "role": "owner"})
        start = replace(START, facts=leg.facts)
        assert f"team={simulator.world.enterprise_id}" in flow.authorize_url(start)
        grant = flow.exchange(start, browse(simulator, flow, start))
        tokens = Tokens.load(grant.secret)
        assert (tokens.enterprise, tokens.team) == (simulator.world.enterprise_id, "")
        assert len(grant.secret) < 1000
        found = flow.identify(start, grant)
        assert (found.organisation_id, found.admin) == (simulator.world.enterprise_id, True)
        assert tokens.bot not in repr(tokens) + repr(grant)


def test_the_second_leg_must_be_of_the_organisation_of_the_first() -> None:
    with page() as (simulator, flow):
        start = replace(START, facts={"enterprise": "E0ANOTHER00"})
        code = browse(simulator, flow, START)
        error = refusal(lambda: flow.exchange(start, code))
        assert (error.kind, "whole organisation" in error.user_message) == ("config", True)


def test_an_org_administrator_is_not_asked_for_what_only_an_owner_grants() -> None:
    with page() as (simulator, flow):
        people = simulator.world.members.values()
        chief = next(m for m in people if m.org_admin and not m.org_owner)
        simulator.control.auto_consent(email=chief.email)
        leg = flow.exchange(START, browse(simulator, flow, START))
        start = replace(START, facts=leg.facts)
        assert leg.facts["role"] == "admin"
        grant = flow.exchange(start, browse(simulator, flow, start))
        assert flow.identify(start, grant).admin is True
        assert "auditlogs:read" in flow.missing_scopes(grant.granted_scopes)


def test_an_administrator_of_one_workspace_connects_that_workspace() -> None:
    with page() as (simulator, flow):
        local = next(m for m in simulator.world.members.values() if m.admin and not m.org_admin)
        simulator.control.auto_consent(email=local.email, place=min(local.teams))
        grant = flow.exchange(START, browse(simulator, flow, START))
        found = flow.identify(START, grant)
        assert (found.organisation_id, found.admin) == (min(local.teams), True)


def test_a_member_without_a_role_is_known_as_one() -> None:
    with page("pro") as (simulator, flow):
        member = next(
            m for m in simulator.world.members.values() if not m.admin and not m.bot and not m.deleted
        )
        simulator.control.auto_consent(email=member.email)
        grant = flow.exchange(START, browse(simulator, flow, START))
        assert flow.identify(START, grant).admin is False
        assert "admin" in flow.missing_scopes(grant.granted_scopes)


def test_codes_and_registrations_that_do_not_fit_are_refused() -> None:
    with page("pro") as (simulator, flow):
        code = browse(simulator, flow, START)
        elsewhere = ConsentStart("s", "n", "v" * 43, START.redirect_uri + "/x")
        assert refusal(lambda: flow.exchange(elsewhere, code)).kind == "system"
        assert refusal(lambda: flow.exchange(START, code)).kind == "config"
        good = browse(simulator, flow, START)
        flow.exchange(START, good)
        assert "start again" in refusal(lambda: flow.exchange(START, good)).user_message
        late = browse(simulator, flow, START)
        simulator.control.advance(601)
        assert refusal(lambda: flow.exchange(START, late)).kind == "config"
        wrong = registry.oauth_flow("slack", replace(REGISTRATION, client_secret="no"), make_io(simulator))
        error = refusal(lambda: wrong.exchange(START, browse(simulator, flow, START)))
        assert (error.kind, error.status) == ("system", 200)
        odd = flow.authorize_url(START).replace("callback", "other")
        assert requests.get(odd, allow_redirects=False, timeout=5).status_code == 400
        assert flow.accepts_issuer("https://evil.example") is False


def test_tokens_that_do_not_belong_together_prove_nothing() -> None:
    with page("pro") as (simulator, flow):
        grant = flow.exchange(START, browse(simulator, flow, START))
        other = next(
            m.id for m in simulator.world.members.values() if m.admin and m.id != Tokens.load(grant.secret).by
        )
        forged = replace(Tokens.load(grant.secret), by=other)
        error = refusal(lambda: flow.identify(START, replace(grant, secret=forged.dump())))
        assert (error.kind, error.user_message[-19:]) == ("config", "Please start again.")
        moved = replace(Tokens.load(grant.secret), team="T0ELSEWHERE")
        assert refusal(lambda: flow.identify(START, replace(grant, secret=moved.dump()))).kind == "config"


def test_giving_back_ends_both_tokens_and_twice_does_it_once() -> None:
    with page("pro") as (simulator, flow):
        grant = flow.exchange(START, browse(simulator, flow, START))
        flow.revoke(grant.secret)
        flow.revoke(grant.secret)
        assert all(token.revoked for token in simulator.tokens.access.values())


def test_a_token_of_another_organisation_is_noticed(pro: SlackRig) -> None:
    other = registry.connect("slack", credentials(pro, organisation_id="T0ELSEWHERE"), pro.io)
    assert refusal(other.check).kind == "system"
    with pytest.raises(CallError):
        registry.connect("slack", credentials(pro, secret="{}"), pro.io)


# -- events ---------------------------------------------------------------------------------------


def test_events_are_signed_repeated_and_told_of_the_right_organisation(grid: SlackRig) -> None:
    control, world = grid.simulator.control, grid.simulator.world

    def known() -> Known:
        return Known(lambda _: None, lambda: CLIENT.signing_secret)

    def read(posted: Any) -> list[tuple[str | None, str | None, str | None]]:
        receipt = push.receive(
            PushRequest("POST", posted.headers, {}, posted.body), known(), grid.io.clock.now()
        )
        return [(t.organisation_id, h.native_id, h.event_id) for t in receipt.told for h in t.hints]

    with Receiver(statuses=(500, 200)) as receiver:
        grid.simulator.events._addresses[CLIENT.client_id] = receiver.address
        joined = control.add_user("late@harbourline.example")["id"]
        first, again = receiver.wait(2)
        assert again.headers["x-slack-retry-num"] == "1"
        assert again.headers["x-slack-retry-reason"] == "http_error"
        assert read(first) == read(again)
        assert [told[:2] for told in read(first)] == [(world.enterprise_id, joined)]
        assert control.settle()
        grid.simulator.events._addresses.clear()
    changed = bytes(again.body[:-1]) + b" }"
    with pytest.raises(push.PushRefusedError):
        push.receive(PushRequest("POST", again.headers, {}, changed), known(), grid.io.clock.now())
