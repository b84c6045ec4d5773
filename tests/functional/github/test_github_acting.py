"""Acts, changes and limits of the GitHub connector on a simulated organisation."""

import json
from datetime import timedelta
from typing import Any

import pytest

from lantern.connectors.github.cursor import load
from lantern.connectors.protocol import Action, ChangePage
from lantern.connectors.resolution import CallError
from tests.contract.connectors.github_rig import GithubRig, github, registration


def seat_of(rig: GithubRig) -> str:
    org = rig.simulator.world.need(None)
    return str(next(iter(org.seats)))


def act(rig: GithubRig, kind: Any, **more: str) -> Any:
    return rig.connector.act(Action(kind, **more))


def calls(rig: GithubRig, name: str) -> int:
    return rig.simulator.control.metrics()["methods"].get(name, {}).get("calls", 0)


def hints(pages: list[ChangePage]) -> list[tuple[str | None, str]]:
    return [(hint.native_id, hint.event) for page in pages for hint in page.hints]


def follow(rig: GithubRig, cursor: str | None, connector: Any = None) -> tuple[list[ChangePage], str]:
    pages = list((connector or rig.connector).changes(cursor, rig.deadline()))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    return pages, pages[-1].cursor


# --- acts -------------------------------------------------------------------------------------------


def test_a_cancelled_seat_is_pending_until_the_cycle_ends() -> None:
    with github(30) as rig:
        one = seat_of(rig)
        first = act(rig, "revoke_grant", native_id=one, client_id="copilot")
        assert (first.state, first.observed_present) == ("pending", True)
        assert first.detail.startswith("The seat ends on 2")
        assert act(rig, "revoke_grant", native_id=one, client_id="copilot") == first
        assert calls(rig, "copilot.unseat") == 1
        rig.simulator.control.end_seat(one)
        last = act(rig, "revoke_grant", native_id=one, client_id="copilot")
        assert (last.state, last.observed_present) == ("already_done", False)


def test_a_seat_from_a_team_is_for_people_to_take() -> None:
    with github(30) as rig:
        one = seat_of(rig)
        rig.simulator.control.assign_seat(one, team="platform")
        result = act(rig, "revoke_grant", native_id=one, client_id="copilot")
        assert (result.state, result.observed_present) == ("not_possible", True)
        assert "the team platform" in result.detail
        page = f"{rig.simulator.base_url}/organizations/harbourline/settings/copilot/seat_management"
        assert page in result.instructions[0]


def test_an_app_is_uninstalled_by_an_owner_with_exact_steps() -> None:
    with github() as rig:
        cursor = next(i for i in rig.simulator.world.installations.values() if i.app_id == 201)
        for action in (
            Action("uninstall_app", client_id="201"),
            Action("revoke_grant", native_id="organisation", client_id="201"),
        ):
            result = rig.connector.act(action)
            assert (result.state, result.observed_present) == ("not_possible", True)
            page = f"{rig.simulator.base_url}/organizations/harbourline/settings/installations/{cursor.id}"
            assert result.instructions[0].endswith(page)
        rig.simulator.control.uninstall("cursor")
        assert act(rig, "uninstall_app", client_id="201").state == "already_done"


def test_tokens_and_keys_are_revoked_and_looked_at_again() -> None:
    with github(40) as rig:
        control, org = rig.simulator.control, rig.simulator.world.need(None)
        user = str(next(iter(org.members)))
        pat = control.create_pat(user)
        done = act(rig, "delete_asset", asset_id=f"pat:{pat}")
        assert (done.state, done.observed_present) == ("done", False)
        assert act(rig, "delete_asset", asset_id=f"pat:{pat}").state == "already_done"

        control.slow_revocation(3)
        slow = control.create_pat(user)
        assert act(rig, "delete_asset", asset_id=f"pat:{slow}").state == "pending"
        control.slow_revocation(0)

        key = control.authorise(user, "SSH key", [])
        done = act(rig, "delete_asset", asset_id=f"sso:{key}")
        assert (done.state, done.observed_present) == ("done", False)
        assert key not in org.credentials
        for nonsense in ("pat:", "pat:../x", "thing:1", ""):
            assert act(rig, "delete_asset", asset_id=nonsense).state == "not_possible"


def test_every_token_of_a_type_goes_and_no_other() -> None:
    with github(20) as rig:
        control, org = rig.simulator.control, rig.simulator.world.need(None)
        user = str(list(org.members)[3])
        for kind in ("OAuth app token", "OAuth app token", "GitHub app token", "SSH key"):
            control.authorise(user, kind)
        result = act(rig, "revoke_grant", native_id=user, client_id="sso-oauth-app-token")
        assert (result.state, result.observed_present) == ("done", False)
        left = {c.type for c in org.credentials.values() if str(c.user_id) == user}
        assert left >= {"GitHub app token", "SSH key"}
        assert "OAuth app token" not in left


def test_without_the_permission_to_write_people_are_told_the_steps() -> None:
    needs = ["members:read", "organization_administration:read", "organization_personal_access_tokens:read"]
    with github(20, scopes=needs) as rig:
        user = str(next(iter(rig.simulator.world.need(None).members)))
        key = rig.simulator.control.authorise(user)
        for action in (
            Action("revoke_grant", user, "sso-oauth-app-token"),
            Action("revoke_grant", user, "copilot"),
            Action("delete_asset", asset_id=f"sso:{key}"),
            Action("delete_asset", asset_id="pat:1"),
        ):
            result = rig.connector.act(action)
            assert result.state == "not_possible", action
            assert "harbourline" in result.instructions[0]
        assert key in rig.simulator.world.need(None).credentials


# --- changes ----------------------------------------------------------------------------------------


def test_the_audit_log_hints_at_whose_access_changed_once() -> None:
    with github(20) as rig:
        control = rig.simulator.control
        _, cursor = follow(rig, None)
        user = str(next(iter(rig.simulator.world.need(None).members)))
        control.authorise(user)
        control.install("devin-two", permissions={"contents": "write"})
        fresh = control.hire("newcomer")["id"]
        control.assign_seat("newcomer")
        rig.simulator.world.note(rig.simulator.world.need(None), "repo.create")
        pages, cursor = follow(rig, cursor)
        assert hints(pages) == [
            (user, "org_credential_authorization.grant"),
            ("organisation", "integration_installation.create"),
            (str(fresh), "org.add_member"),
            (str(fresh), "copilot.cfb_seat_added"),
        ]
        again, cursor = follow(rig, cursor)
        assert hints(again) == []
        # What is older than the overlap is never asked for again; what comes late is found.
        control.advance(2 * 3600)
        _, cursor = follow(rig, cursor)
        org = rig.simulator.world.need(None)
        rig.simulator.world.note(org, "org.remove_member", int(user))
        org.audit[-1]["@timestamp"] -= 3_000_000
        late, _ = follow(rig, cursor)
        assert (user, "org.remove_member") in hints(late)


def test_a_long_log_is_resumed_where_it_was_left_and_a_lost_place_starts_again() -> None:
    with github(20) as rig:
        _, start = follow(rig, None)
        org = rig.simulator.world.need(None)
        users = list(org.members)
        for position in range(230):
            rig.simulator.world.note(org, "org.update_member", users[position % len(users)])
        whole, _ = follow(rig, start)
        # The first is our own installation, told before.
        assert [page.events for page in whole[:-1]] == [100, 100, 31]
        assert len(hints(whole)) == 230
        resumed, _ = follow(rig, whole[0].cursor)
        assert len(hints(resumed)) == 131
        assert load(whole[0].cursor).page
        rig.simulator.control.advance(2 * 3600)  # the place is forgotten
        again, _ = follow(rig, whole[0].cursor)
        assert len(hints(again)) == 131
        for text in ("{}", "[]", '{"v": 9}'):
            with pytest.raises(ValueError, match="not a cursor"):
                list(rig.connector.changes(text, rig.deadline()))


def test_a_log_that_names_only_logins_is_resolved() -> None:
    with github(20) as rig:
        _, cursor = follow(rig, None)
        world = rig.simulator.world
        org = world.need(None)
        user = list(org.members)[4]
        for name in ("org.remove_member", "org.add_member"):
            world.note(org, name, user)
            del org.audit[-1]["user_id"]
        world.note(org, "org.remove_member", user)
        org.audit[-1] |= {"user": "nobody-of-that-name"}
        del org.audit[-1]["user_id"]
        org.audit.append({**org.audit[-1], "_document_id": None})  # of no known shape
        pages, _ = follow(rig, cursor)
        assert hints(pages) == [(str(user), "org.remove_member"), (str(user), "org.add_member")]
        assert calls(rig, "users.by_login") == 2


def test_deliveries_that_failed_are_found_once() -> None:
    with github(20, ghec=False) as rig:
        control = rig.simulator.control
        control.webhook(lose=True)
        _, cursor = follow(rig, None)
        fresh = control.hire("missed-one")["id"]
        control.create_pat("missed-one")
        pages, cursor = follow(rig, cursor)
        assert hints(pages) == []  # the list is looked at once an hour
        control.advance(3600)
        pages, cursor = follow(rig, cursor)
        assert hints(pages) == [
            (str(fresh), "organization.member_added"),
            (str(fresh), "personal_access_token_request.approved"),
        ]
        sent = {row["guid"] for row in control.deliveries()}
        assert {hint.event_id for page in pages for hint in page.hints} <= sent
        control.advance(3600)
        pages, _ = follow(rig, cursor)
        assert hints(pages) == []


def test_deliveries_of_other_organisations_are_none_of_ours() -> None:
    with github(20, ghec=False) as rig:
        _, cursor = follow(rig, None)
        body = {"action": "member_added", "organization": {"id": 4711}, "membership": {"user": {"id": 1}}}
        ours = json.loads(rig.refresh_token)["installation_id"]
        rig.simulator.world.hooks.send("organization", body, 999)
        rig.simulator.world.hooks.send("organization", body, ours)  # ours by name, theirs by content
        rig.simulator.control.advance(3600)
        pages, _ = follow(rig, cursor)
        assert hints(pages) == []


# --- limits and tokens ------------------------------------------------------------------------------


def test_the_primary_limit_is_waited_for_until_it_is_lifted() -> None:
    with github() as rig:
        people = rig.everybody()
        rig.simulator.control.rates(per_hour=1)
        before = rig.io.clock.now()
        with pytest.raises(CallError) as caught:
            rig.connector.principals(None)
        assert caught.value.kind == "rate_limited"
        wait = caught.value.retry_after_s or 0
        assert 3000 < wait <= 3601
        # The limiter holds everything back until then: the next call comes after the reset.
        rig.simulator.control.rates(per_hour=5000)
        rig.simulator.control.reset_metrics()
        list(rig.connector.read(people[:2], rig.deadline()))
        assert rig.io.clock.now() - before >= timedelta(seconds=wait - 1)


@pytest.mark.parametrize(("hint", "least"), [(7, 7), (None, 60)])
def test_the_secondary_limit_is_waited_for(hint: int | None, least: int) -> None:
    with github() as rig:
        rig.everybody()
        rig.simulator.control.rates(secondary=1, secondary_hint=hint)
        before = rig.io.clock.now()
        assert rig.connector.principals(None).principals
        assert rig.io.clock.now() - before >= timedelta(seconds=least)


def test_one_token_serves_an_hour_and_statements_stay_within_ten_minutes() -> None:
    with github() as rig:
        rig.everybody()
        assert calls(rig, "app.token") == 1
        rig.simulator.control.advance(58 * 60)
        rig.everybody()
        assert calls(rig, "app.token") == 1
        rig.simulator.control.advance(90)
        rig.everybody()
        assert calls(rig, "app.token") == 2
        for _ in range(12):  # every statement of ours was within GitHub's bounds
            rig.simulator.control.advance(5 * 60)
            rig.connector.check()


def test_another_key_and_a_wrong_clock_are_refused_by_the_simulator() -> None:
    import jwt
    import requests

    with github() as rig:
        now = int(rig.io.clock.now().timestamp())
        key = rig.simulator.signer.pem() or ""
        stranger = registration(rig.simulator).client_secret
        url = f"{rig.simulator.base_url}/app/installations/1"
        good = {"iat": now - 60, "exp": now + 540, "iss": "100001"}
        statements = {
            "exp in the past": jwt.encode({**good, "exp": now - 1}, key, "RS256"),
            "exp too far": jwt.encode({**good, "exp": now + 700}, key, "RS256"),
            "iat in the future": jwt.encode({**good, "iat": now + 90}, key, "RS256"),
            "other app": jwt.encode({**good, "iss": "7"}, key, "RS256"),
            "no expiry": jwt.encode({"iat": now, "iss": "100001"}, key, "RS256"),
            "HS256": jwt.encode(good, stranger * 3, "HS256"),
        }
        for name, text in statements.items():
            answer = requests.get(url, headers={"Authorization": f"Bearer {text}"}, timeout=5)
            assert answer.status_code == 401, name
        answer = requests.get(
            url, headers={"Authorization": f"Bearer {jwt.encode(good, key, 'RS256')}"}, timeout=5
        )
        assert answer.status_code == 404
        rig.simulator.tokens.unversioned = 0


def test_the_permission_that_lacks_is_named_in_the_header() -> None:
    import requests

    with github(scopes=["members:read"]) as rig:
        rig.connector.check()
        token = next(iter(t for t in rig.simulator.tokens.access if t.startswith("ghs_")))
        answer = requests.get(
            f"{rig.simulator.base_url}/orgs/harbourline/audit-log",
            headers={"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": "2022-11-28"},
            timeout=5,
        )
        assert answer.status_code == 403
        assert answer.headers["X-Accepted-GitHub-Permissions"] == "organization_administration=read"


def test_the_simulator_delivers_once_signed() -> None:
    from tests.simulators.google.receiver import Receiver

    with github() as rig, Receiver((500,)) as receiver:
        control = rig.simulator.control
        control.webhook(receiver.address, "hush")
        control.hire("told-once")
        control.settle()
        (posted,) = receiver.wait(1)
        assert posted.headers["x-github-event"] == "organization"
        assert posted.headers["x-hub-signature-256"].startswith("sha256=")
        (row,) = [one for one in control.deliveries() if one["action"] == "member_added"]
        assert row["status_code"] == 500
        assert len(receiver.posted) == 1
