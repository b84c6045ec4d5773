"""What the GitHub connector reads from a simulated organisation, and what it refuses to conclude."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.connectors.github import lists
from lantern.connectors.github.normalize import OUTSIDE
from lantern.connectors.protocol import Hint, Unread
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import Observation
from tests.contract.connectors.github_rig import GithubRig, github


def read(rig: GithubRig, people: list[Any], connector: Any = None) -> dict[str, Observation | Unread]:
    return {o.principal.native_id: o for o in (connector or rig.connector).read(people, rig.deadline())}


def held(outcome: Observation | Unread) -> dict[str, list[str]]:
    assert isinstance(outcome, Observation), outcome
    return {grant.app.client_id: sorted(grant.scopes) for grant in outcome.grants or ()}


def wanted(rig: GithubRig) -> dict[str, dict[str, list[str]]]:
    return {k: {c: sorted(s) for c, s in v["grants"].items()} for k, v in rig.truth().items()}


def assets(rig: GithubRig) -> dict[str, Any]:
    return {one.kind: one.assets for one in rig.connector.assets(rig.deadline())}


def test_many_accounts_are_looked_up_in_lists_of_the_organisation() -> None:
    with github(45) as rig:
        began = rig.io.clock.now()
        people = rig.everybody()
        found = read(rig, people)
        assert {k: held(o) for k, o in found.items()} == wanted(rig)
        assert any(wanted(rig).values())
        persons = [o for k, o in found.items() if k != "organisation"]
        assert all(isinstance(o, Observation) and o.sources == {"seat", "credential"} for o in persons)
        assert all(isinstance(o, Observation) and o.as_of and o.as_of >= began for o in persons)
        methods = rig.simulator.control.metrics()["methods"]
        # One page of seats; credentials (two pages at most, then twice): nobody was asked about alone.
        assert methods["copilot.seats"]["calls"] == 1
        assert methods["orgs.credentials"]["calls"] <= 4
        assert "users.by_id" not in methods
        assert methods["app.token"]["calls"] == 1

        # Somebody asked for again is read anew, not looked up.
        one = next(p for p in people if p.kind == "user" and p.native_id not in ("organisation",))
        rig.simulator.control.authorise(one.native_id, "GitHub app token", [])
        again = read(rig, [one])[one.native_id]
        assert isinstance(again, Observation)
        assert again.as_of is None
        assert held(again) == wanted(rig)[one.native_id]
        assert "sso-github-app-token" in held(again)


def test_the_organisation_holds_what_is_installed() -> None:
    with github() as rig:
        people = rig.everybody()
        assert people[0].kind == "organisation"
        assert [p.admin for p in people[1:3]] == [True, True]
        assert {p.org_unit for p in people[-1:]} == {OUTSIDE}
        outcome = read(rig, people[:1])["organisation"]
        assert isinstance(outcome, Observation)
        apps = {grant.app.client_id: grant for grant in outcome.grants or ()}
        cursor = apps["201"]
        assert (cursor.app.name, cursor.app.publisher, cursor.app.kind) == (
            "Cursor",
            "getcursor",
            "integration",
        )
        assert cursor.app.domains == ("https://cursor.com",)
        assert cursor.source == "installation"
        assert cursor.scopes == {"contents:write", "pull_requests:write", "metadata:read"}
        assert cursor.granted_on is not None
        # A private app has no page; its short name must do.
        assert (apps["206"].app.name, apps["206"].app.publisher) == ("own-release-bot", None)


def test_keys_and_automations_are_assets() -> None:
    with github(40, seed=2) as rig:
        rig.simulator.control.suspend("renovate")
        user = rig.everybody()[5].native_id
        rig.simulator.control.create_pat(user, "deploy\x00script", {"organization": {"members": "read"}})
        found = assets(rig)
        org = rig.simulator.world.need(None)
        keys = {one.native_id: one for one in found["api_key"]}
        others = [c for c in org.credentials.values() if not c.type.endswith("app token")]
        assert set(keys) == {f"pat:{p}" for p in org.pats} | {f"sso:{c.id}" for c in others}
        mine = next(one for one in keys.values() if one.name == "deploy script")
        assert mine.owner == next(p.id for p in rig.everybody() if p.native_id == user)
        assert mine.facts["scopes"] == ("members:read",)
        assert all(one.owner for one in keys.values())
        state = {one.name: one.state for one in found["automation"]}
        assert state["renovate"] == "disabled"
        assert state["cursor"] == "active"


def test_without_the_paid_plans_nothing_is_concluded_and_nothing_fails() -> None:
    with github(45, ghec=False, copilot=False) as rig:
        found = read(rig, rig.everybody())
        persons = [o for k, o in found.items() if k != "organisation"]
        assert all(isinstance(o, Observation) and o.sources == frozenset() for o in persons)
        assert held(found["organisation"]) == wanted(rig)["organisation"]
        # Asked one by one, the same.
        few = read(rig, rig.everybody()[1:4])
        assert all(isinstance(o, Observation) and o.sources == frozenset() for o in few.values())
        pages = list(rig.connector.changes(None, rig.deadline()))
        assert [page.last for page in pages] == [True]
        keys = assets(rig)["api_key"]
        assert {one.native_id.partition(":")[0] for one in keys} == {"pat"}


def test_a_permission_that_was_not_granted_leaves_its_part_out() -> None:
    needed = ["members:read", "organization_administration:read"]
    with github(25, scopes=needed) as rig:
        health = rig.connector.check()
        assert {need.scope for need in health.missing} == rig.flow.missing_scopes(health.granted)
        found = read(rig, rig.everybody())
        persons = [o for k, o in found.items() if k != "organisation"]
        assert all(isinstance(o, Observation) and o.sources == {"credential"} for o in persons)
        # Half a listing of keys would say that the other half is gone.
        assert set(assets(rig)) == {"automation"}


def test_a_list_that_turns_while_it_is_read_loses_nobody() -> None:
    with github(260, seed=3) as rig:
        control, world = rig.simulator.control, rig.simulator.world
        org = world.need(None)
        for user in list(org.members):
            if user not in org.seats:
                control.assign_seat(str(user))
        seats = rig.simulator.orgs.seats
        calls: list[int] = []

        def turning(request: Any, *rest: Any) -> Any:
            answer = seats(request, *rest)
            calls.append(1)
            if len(calls) == 1:  # behind the first page, somebody on it leaves
                gone.append(str(next(iter(org.seats))))
                control.end_seat(gone[0])
            return answer

        gone: list[str] = []
        router = rig.simulator.server.dispatcher._router
        for at, (method, regex, name, _) in enumerate(router._routes):
            if name == "copilot.seats":
                wrapped = rig.simulator._locked(
                    rig.simulator.tokens.token(turning, ("organization_copilot_seat_management", "read"))
                )
                router._routes[at] = (method, regex, name, wrapped)
        found = read(rig, rig.everybody())
        without = {k for k, o in found.items() if "copilot" not in held(o)} - {"organisation"}
        assert without == set(map(str, org.outside))
        assert gone
        assert len(calls) > 3  # so the list had an edge to lose somebody at


def test_a_seat_that_is_not_found_alone_is_unknown_not_gone() -> None:
    with github(260, seed=3) as rig:
        people = rig.everybody()
        having = next(p for p in people if "copilot" in rig.truth()[p.native_id]["grants"])
        lacking = next(p for p in people if p.kind == "user" and p.native_id not in seated(rig))
        found = read(rig, [having, lacking])
        one, other = found[having.native_id], found[lacking.native_id]
        assert isinstance(one, Observation)
        assert isinstance(other, Observation)
        assert one.sources == {"seat", "credential"}
        assert other.sources == {"credential"}


def seated(rig: GithubRig) -> set[str]:
    return set(map(str, rig.simulator.world.need(None).seats))


def test_who_leaves_is_gone_and_who_is_renamed_is_found() -> None:
    with github() as rig:
        control = rig.simulator.control
        people = [p for p in rig.everybody() if p.kind == "user"]
        leaver, renamed, outsider = people[3], people[4], people[-1]
        control.remove(leaver.native_id)
        control.rename(renamed.native_id, "another-name")
        control.authorise(renamed.native_id)
        rig.simulator.world.need(None).pending.append(int(leaver.native_id))
        connector = rig.another()
        found = read(rig, [leaver, renamed, outsider], connector)
        gone = found[leaver.native_id]
        assert isinstance(gone, Observation)
        assert gone.gone
        assert gone.principal.status == "deleted"
        kept = found[renamed.native_id]
        assert isinstance(kept, Observation)
        assert kept.principal.name == "another-name"
        assert held(kept) == wanted(rig)[renamed.native_id]
        assert found[outsider.native_id].principal.org_unit == OUTSIDE
        # Invited is not joined.
        assert connector.principal(Hint(native_id=leaver.native_id)) is None
        assert connector.principal(Hint(email="somebody@example.com")) is None
        assert connector.principal(Hint(native_id="not a number")) is None
        organisation = connector.principal(Hint(native_id="organisation"))
        assert organisation
        assert organisation.kind == "organisation"


def test_a_404_alone_makes_nobody_gone() -> None:
    with github() as rig:
        one = next(p for p in rig.everybody() if p.kind == "user")
        connector = rig.another()
        rig.simulator.control.fault("status", path=f"^/user/{one.native_id}$", status=404)
        assert read(rig, [one], connector) == {one.native_id: Unread(one, "malformed")}
        rig.clear()
        rig.simulator.control.fault("status", path="/memberships/", status=404)
        seen = read(rig, [one], connector)[one.native_id]
        assert isinstance(seen, Observation)
        assert not seen.gone


def test_the_last_use_falls_into_the_window_that_holds_it() -> None:
    with github(30, seed=5) as rig:
        rig.simulator.control.use_seat(one := next(iter(seated(rig))))
        now = rig.io.clock.now()
        since = now.replace(microsecond=0) - timedelta(days=5)
        (page,) = rig.connector.history(since, now + timedelta(days=1), rig.deadline())
        assert page.last
        assert (one, "copilot") in {(use.native_id, use.client_id) for use in page.uses}
        assert {use.client_id for use in page.uses} <= {"copilot", "sso-oauth-app-token"}
        assert all(since <= use.last_at < now + timedelta(days=1) for use in page.uses)
        # The newest window takes in what came after it; an older one does not.
        (late,) = rig.connector.history(since, now - timedelta(hours=2), rig.deadline())
        assert (one, "copilot") in {(use.native_id, use.client_id) for use in late.uses}
        (older,) = rig.connector.history(since, now - timedelta(days=2), rig.deadline())
        assert (one, "copilot") not in {(use.native_id, use.client_id) for use in older.uses}
        (before,) = rig.connector.history(
            since - timedelta(days=400), since - timedelta(days=300), rig.deadline()
        )
        assert before.uses == ()


def test_a_suspended_or_swapped_installation_stops_everything() -> None:
    with github() as rig:
        rig.simulator.control.suspend(rig.simulator.app.slug)
        with pytest.raises(CallError, match="suspended") as caught:
            rig.another().principals(None)
        assert caught.value.kind == "config"
        rig.simulator.control.suspend(rig.simulator.app.slug, on=False)
        rig.simulator.world.need(None).id = 77  # the number of another organisation
        made = rig.simulator.world.installations[5_000_000]
        rig.simulator.world.orgs[77] = rig.simulator.world.need(None)
        made.account_id = 77
        with pytest.raises(CallError, match="another GitHub organisation"):
            rig.connector.check()


def test_pages_elsewhere_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with github(150) as rig:
        monkeypatch.setattr("tests.simulators.github.wire.base_of", lambda _: "https://api.github.example")
        with pytest.raises(CallError, match="another host"):
            rig.everybody()
        with pytest.raises(CallError, match="another host"):
            rig.connector.principals("member|https://evil.example/orgs/x/members?page=2")


def test_a_list_shorter_than_it_says_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    with github(40) as rig:
        people = rig.everybody()
        real = lists.GithubApi.page

        def cut(self: Any, path: str, *rest: Any, **more: Any) -> Any:
            page = real(self, path, *rest, **more)
            return replace(page, rows=page.rows[1:]) if page.total else page

        monkeypatch.setattr(lists.GithubApi, "page", cut)
        assert all(isinstance(o, Unread) and o.reason == "malformed" for o in read(rig, people).values())


def test_work_addresses_come_from_verified_domains() -> None:
    with github() as rig:
        people = [p for p in rig.everybody() if p.kind == "user"]
        members = [p for p in people if p.org_unit is None]
        assert all(p.email and p.email.endswith("@harbourline.example") for p in members)
        assert all(p.email == (p.email or "").lower() for p in members)
        assert [p.email for p in people if p.org_unit] == [None]
        one = rig.connector.principal(Hint(native_id=members[3].native_id))
        assert one == members[3]
        user = rig.simulator.world.person(one.native_id)
        user.emails += ["second@harbourline.example", "B@harbourline.EXAMPLE"]
        again = rig.connector.principal(Hint(native_id=one.native_id))
        assert again
        assert (again.email, again.aliases[-1]) == ("b@harbourline.example", "second@harbourline.example")
        rig.simulator.world.need(None).domains = []
        assert {p.email for p in rig.everybody()} == {None}


@pytest.mark.parametrize(
    ("answer", "fails"),
    [
        ({"data": None, "errors": [{"type": "FORBIDDEN"}]}, False),
        ({"data": {"nodes": [None, {}]}, "errors": [{"type": "NOT_FOUND"}]}, False),
        ({"data": {"nodes": []}, "errors": [{"type": "RATE_LIMITED"}]}, True),
        ({"errors": [{"message": "Something went wrong"}]}, True),
        ({"data": {}}, True),
        ([], True),
    ],
)
def test_an_address_that_may_not_be_seen_is_none_and_a_failure_is_one(answer: Any, fails: bool) -> None:
    from lantern.connectors.calls import Reply
    from lantern.connectors.github.addresses import addresses

    class Api:
        def send(self, *_: Any, **__: Any) -> Reply:
            return Reply(200, {}, answer)

    if fails:
        with pytest.raises(CallError):
            addresses(Api(), "harbourline", ["N_1"], None)  # type: ignore[arg-type]
    else:
        assert addresses(Api(), "harbourline", ["N_1"], None) == {}  # type: ignore[arg-type]


def test_a_refusal_that_is_not_about_the_list_does_not_say_that_there_is_none() -> None:
    with github(30) as rig:
        people = [p for p in rig.everybody() if p.kind == "user"]
        for path in ("/copilot/billing/seats", "/credential-authorizations"):
            for status in (403, 404):
                rig.simulator.control.fault("status", path=path, status=status)
                connector = rig.another()
                connector.principals(None)
                found = list(connector.read(people, rig.deadline()))
                assert len(found) == len(people)
                assert all(isinstance(outcome, Unread) for outcome in found), (path, status)
                rig.clear()
                again = list(connector.read(people[:2], rig.deadline()))
                assert all(isinstance(o, Observation) and len(o.sources or ()) == 2 for o in again)
