"""The generated organisation, and the simulator as a program of its own."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import requests

from tests.simulators.google import Clock, GoogleSimulator, OrgSpec
from tests.simulators.google.catalog import HOSTILE_NAMES, known_apps
from tests.simulators.google.driver import CLIENT, Consent, answer, connect
from tests.simulators.google.generator import generate
from tests.simulators.google.scopes import SECURITY, SIGN_IN

NOW = 1_790_000_000.0
DAY = 86400


def test_the_demo_organisation_is_what_it_should_be() -> None:
    org = generate(OrgSpec(employees=250, seed=7), NOW)
    held = list(org.grants.iterate(org.users))
    apps = Counter(grant.client_id for _, grant in held)
    ai = [client for client in apps if org.apps[client].ai]
    assert len(org.users) == 250
    assert 135 <= len(apps) <= 155
    assert 28 <= len(ai) <= 36
    assert 2500 <= len(held) <= 5000
    assert set(apps) == set(org.apps), "every app is held by somebody"
    top = [org.apps[client].name for client, _ in apps.most_common(12)]
    assert {"Slack", "ChatGPT", "Zoom"} <= set(top)
    assert len({u.email for u in org.users}) == len({u.id for u in org.users}) == 250
    assert all(len(u.id) == 21 and u.id.isdigit() for u in org.users)
    assert all(g.client_id.endswith(".apps.googleusercontent.com") for _, g in held)
    assert sum(u.is_admin for u in org.users) == 2
    chiefs = [u for u in org.users if u.manager is None]
    assert len(chiefs) == 1
    assert all(u.manager in org.by_email for u in org.users if u.manager)


def test_there_are_leavers_stale_broad_and_false_ones() -> None:
    org = generate(OrgSpec(employees=250, seed=7), NOW)
    states = Counter(
        "suspended"
        if u.suspended_at
        else "archived"
        if u.archived_at
        else "deleted"
        if u.deleted_at
        else "active"
        for u in org.users
    )
    assert min(states[s] for s in ("suspended", "archived", "deleted")) >= 3
    assert all(org.grants.held_by(u) for u in org.users if not u.can_sign_in)
    table = org.grants
    stale = [f for f in range(table.generated) if table.used_until[f]]
    assert 100 < len(stale) < table.generated / 5
    assert all(table.granted[f] <= table.used_until[f] <= NOW - 90 * DAY for f in stale)
    broad = [f for f in range(table.generated) if table.scope_set[f]]
    assert 100 < len(broad) < table.generated / 5
    fakes = [app for app in org.app_list if app.lookalike]
    assert [app.name for app in fakes] == ["Chat GPT - OpenAI Official", "ChatG\u0420T"]
    assert all(any(org.grants.get(u, app.client_id) for u in org.users) for app in fakes)
    for user, grant in org.grants.iterate(org.users):
        assert user.created_at <= grant.granted_at + 1 <= NOW
        assert grant.granted_at <= (user.inactive_from or NOW)


@pytest.mark.parametrize("employees", [1, 2, 10, 1000, 20_000])
def test_any_size(employees: int) -> None:
    org = generate(OrgSpec(employees=employees, seed=1), NOW)
    assert len(org.users) == employees
    assert org.admin.is_admin
    assert org.grants.generated >= employees
    assert len(org.by_email) == employees


def test_benchmarks_get_exactly_what_they_ask_for() -> None:
    org = generate(OrgSpec(employees=500, grants_per_user=70), NOW)
    assert all(len(org.grants.held_by(u)) == 70 for u in org.users)
    wide = generate(OrgSpec(employees=20, grants_per_user=200, long_tail=400), NOW)
    assert all(len(wide.grants.held_by(u)) == 200 for u in wide.users)
    none = generate(OrgSpec(employees=20, grants_per_user=0), NOW)
    assert none.grants.generated == 0
    for wrong in (OrgSpec(employees=0), OrgSpec(employees=20_001), OrgSpec(employees=9, grants_per_user=500)):
        with pytest.raises(ValueError, match="must be"):
            generate(wrong, NOW)


def test_the_seed_is_everything() -> None:
    def picture(seed: int) -> object:
        org = generate(OrgSpec(employees=40, seed=seed), NOW)
        return org.users, [(u.id, g) for u, g in org.grants.iterate(org.users)], org.customer_id

    assert picture(3) == picture(3)
    assert picture(3) != picture(4)


def test_hostile_names_arrive_unharmed() -> None:
    spec = OrgSpec(employees=30, hostile=True)
    with GoogleSimulator(spec, clock=Clock(NOW, running=False)) as sim:
        token = sim.control.issue_access_token(sim.org.admin.email, CLIENT.client_id, [SECURITY])
        seen = set()
        for user in sim.org.users:
            url = f"{sim.base_url}/admin/directory/v1/users/{user.id}/tokens"
            reply = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
            assert reply.status_code == (404 if user.deleted_at else 200)
            seen |= {t["displayText"] for t in reply.json().get("items", [])}
        assert set(HOSTILE_NAMES) <= seen
        assert max(map(len, seen)) == 10_000


def test_the_catalogue_is_sound() -> None:
    apps = known_apps()
    assert len({app.client_id for app in apps}) == len({app.name for app in apps}) == len(apps)
    for app in apps:
        normal, broad = app.scope_sets
        assert normal
        assert app.client_type in {
            "WEB",
            "NATIVE_CHROME_EXTENSION",
            "NATIVE_IOS",
            "NATIVE_ANDROID",
            "NATIVE_DESKTOP",
        }
        assert set(broad) - set(normal) or set(broad) == set(normal) == set(SIGN_IN)


def test_people_and_names_change_but_ids_stay() -> None:
    with GoogleSimulator(OrgSpec(employees=12), clock=Clock(NOW, running=False)) as sim:
        control, customer = sim.control, sim.org.customer_id
        hired = control.add_user("New.Person@harbourline.example", "New", "Person", org_unit="/Sales")
        assert hired["email"] == "new.person@harbourline.example"
        with pytest.raises(ValueError, match="exists already"):
            control.add_user("new.person@harbourline.example")
        made = control.grant(hired["email"], "ChatGPT")
        assert sim.org.apps[made["client_id"]].ai
        for change, state in (
            (control.suspend, "suspended"), (control.archive, "archived"),
            (control.restore, "active"), (control.delete_user, "deleted"),
        ):  # fmt: skip
            change(hired["email"])
            assert control.truth()[hired["id"]]["state"] == state
        control.rename_domain("renamed.example")
        assert sim.org.customer_id == customer
        assert control.truth()[hired["id"]]["email"] == "new.person@renamed.example"


def test_the_oracle_knows_whether_a_grant_was_ever_absent() -> None:
    with GoogleSimulator(OrgSpec(employees=12), clock=Clock(NOW, running=False)) as sim:
        control = sim.control
        user = next(u.id for u in sim.org.users if u.can_sign_in and len(sim.org.grants.held_by(u)) > 1)
        client_id = control.grants_of(user)[0]["client_id"]
        start = control.seq()
        assert not control.lacked(user, client_id, start)
        control.expand(user, client_id, ["https://mail.google.com/"])
        assert not control.lacked(user, client_id, start)
        control.revoke(user, client_id)
        gone = control.seq()
        assert control.lacked(user, client_id, start)
        assert control.lacked(user, client_id, gone)
        control.grant(user, client_id=client_id)
        assert control.lacked(user, client_id, start)
        assert control.lacked(user, client_id, gone), "absent right after the change"
        assert not control.lacked(user, client_id, control.seq())
        assert [c["scopes"] is None for c in control.changes(start)] == [False, True, False]


def test_state_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "google.json"
    spec = OrgSpec(employees=15, seed=8)
    with GoogleSimulator(spec, clients=[CLIENT], state=state) as sim:
        sim.control.auto_consent()
        tokens = connect(sim.base_url)
        user = next(u for u in sim.org.users if u.can_sign_in and u is not sim.org.admin)
        sim.control.grant(user.email, "Kept App", scopes=["openid"])
        sim.control.revoke(user.email, sim.control.grants_of(user.id)[0]["client_id"])
        sim.control.suspend(user.email)
        hired = sim.control.add_user("late.comer@harbourline.example")
        url = (
            f"{sim.base_url}/admin/reports/v1/activity/users/all/applications/token/watch?eventName=authorize"
        )
        channel = {"id": "kept-channel", "type": "web_hook", "address": "https://hooks.example/x"}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert requests.post(url, json=channel, headers=bearer, timeout=10).ok
        truth, keys = sim.control.truth(), sim.signer.jwks()
        newest = sim.org.log.stored["token"][-1]
    assert state.stat().st_mode & 0o777 == 0o600
    with GoogleSimulator(OrgSpec(employees=99), clients=[CLIENT], state=state) as sim:
        assert sim.control.truth() == truth
        assert hired["id"] in truth
        assert sim.signer.jwks() == keys
        assert sim.org.log.stored["token"][-1] == newest
        assert [c["id"] for c in sim.control.channels()] == ["kept-channel"]
        form = {
            "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"],
            "client_id": CLIENT.client_id, "client_secret": CLIENT.client_secret,
        }  # fmt: skip
        assert requests.post(f"{sim.base_url}/token", data=form, timeout=10).ok
        sim.control.grant(user.email, "Another App")
        qualifiers = [e.qualifier for e in sim.org.log.stored["token"]]
        assert len(set(qualifiers)) == len(qualifiers)


def test_it_runs_by_itself_and_ends_when_told(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "tests.simulators.google", "--port", "0", "--employees", "12", "--seed", "7",
        "--state", str(tmp_path / "state.json"), "--client-id", CLIENT.client_id,
        "--client-secret", CLIENT.client_secret, "--redirect-uri", CLIENT.redirect_uris[0], "--auto-consent",
    ]  # fmt: skip
    tokens = {}
    for round_ in range(2):
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["customer_id"].startswith("C0")
            if round_ == 0:
                consent = Consent(ready["base_url"])
                tokens = consent.exchange(answer(consent.ask())["code"]).json()
            else:
                form = {
                    "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"],
                    "client_id": CLIENT.client_id, "client_secret": CLIENT.client_secret,
                }  # fmt: skip
                assert requests.post(f"{ready['base_url']}/token", data=form, timeout=10).ok
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
