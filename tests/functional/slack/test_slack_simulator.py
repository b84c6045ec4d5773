"""The simulator by itself: a process with a state file, and refusals as Slack makes them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.connectors.slack_rig import CLIENT
from tests.simulators.slack import OrgSpec, SlackSimulator, TierSettings


def test_it_runs_as_a_process_and_keeps_its_state(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    command = [
        sys.executable, "-m", "tests.simulators.slack", "--state", str(tmp_path / "slack.state"),
        "--organisation", "seaside", "--plan", "pro", "--employees", "12", "--client-id", CLIENT.client_id,
        "--client-secret", CLIENT.client_secret, "--redirect-uri", CLIENT.redirect_uris[0],
    ]  # fmt: skip

    def run(verb: str, body: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            base = f"{ready['base_url']}/_control"
            answer = requests.post(f"{base}/{verb}", json=body, timeout=10)
            assert answer.status_code == 200, answer.text
            return ready, answer.json(), requests.post(f"{base}/truth", timeout=10).json()
        finally:
            process.terminate()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()

    ready, joined, truth = run("add_user", {"email": "late@seaside.example"})
    assert (ready["plan"], ready["teams"][0]["domain"]) == ("pro", "seaside")
    assert joined["id"] in truth
    _, _, again = run("settle", {})
    assert again == truth


@pytest.fixture(scope="module")
def served() -> Any:
    spec = OrgSpec(12, 1, "enterprise")
    with SlackSimulator(spec, clients=[CLIENT], limits=TierSettings(time_scale=1.0)) as simulator:
        yield simulator


def call(simulator: SlackSimulator, method: str, token: str = "", **params: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = "/audit/v1/logs" if method == "audit" else f"/api/{method}"
    return requests.get(simulator.base_url + path, headers=headers, params=params, timeout=10)


def test_refusals_come_with_status_200_but_the_audit_logs_do_not(served: SlackSimulator) -> None:
    world = served.world
    owner = next(m.id for m in world.members.values() if m.org_owner)
    bot = served.tokens.issue("bot", CLIENT.client_id, "", owner, ["users:read"]).value
    user = served.tokens.issue("user", CLIENT.client_id, "", owner, ["admin.apps:read"]).value
    said = {
        ("auth.test", "", ()): (200, "not_authed"),
        ("auth.test", "xoxb-nothing", ()): (200, "invalid_auth"),
        ("users.list", bot, ()): (200, "missing_argument"),
        ("users.list", user, ()): (200, "missing_scope"),
        ("users.info", bot, (("user", "U0"),)): (200, "user_not_found"),
        ("admin.apps.approved.list", bot, ()): (200, "not_allowed_token_type"),
        ("admin.apps.approved.list", user, ()): (200, "no_team_or_enterprise_provided"),
        ("team.integrationLogs", user, ()): (200, "missing_scope"),
        ("no.such.method", bot, ()): (200, "unknown_method"),
        ("audit", "xoxp-nothing", ()): (401, "invalid_auth"),
        ("audit", user, ()): (403, "missing_scope"),
    }
    for (method, token, params), (status, word) in said.items():
        answer = call(served, method, token, **dict(params))
        assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (status, False, word), (
            method
        )
    lacking = call(served, "users.list", user).json()
    assert (lacking["needed"], lacking["provided"]) == ("users:read", "admin.apps:read")


def test_the_twenty_first_call_in_a_minute_is_refused_with_a_time(served: SlackSimulator) -> None:
    owner = next(m.id for m in served.world.members.values() if m.org_owner)
    token = served.tokens.issue("bot", CLIENT.client_id, "", owner, ["users:read"]).value
    answers = [call(served, "auth.teams.list", token) for _ in range(21)]
    assert {a.status_code for a in answers[:20]} == {200}
    assert (answers[20].status_code, answers[20].json()["error"]) == (429, "ratelimited")
    assert 1 <= int(answers[20].headers["Retry-After"]) <= 60


def test_the_page_is_for_people_and_refuses_what_slack_refuses(served: SlackSimulator) -> None:
    address = f"{served.base_url}/oauth/v2/authorize"
    query = {
        "client_id": CLIENT.client_id, "redirect_uri": CLIENT.redirect_uris[0], "scope": "users:read",
        "user_scope": "admin.apps:read", "state": "s",
    }  # fmt: skip
    page = requests.get(address, params=query, timeout=10)
    assert "is requesting permission" in page.text
    ticket = page.text.partition('name="ticket" value="')[2].partition('"')[0]
    owner = next(m for m in served.world.members.values() if m.org_owner)
    form = {"ticket": ticket, "decision": "allow", "email": owner.email, "place": min(served.world.teams)}
    denied = requests.post(f"{address}/decide", data=form, allow_redirects=False, timeout=10)
    assert (denied.status_code, "must be installed on the organization" in denied.text) == (403, True)
    for change in ({"client_id": "x"}, {"redirect_uri": "https://evil.example"}, {"scope": "everything"}):
        odd = requests.get(address, params={**query, **change}, allow_redirects=False, timeout=10)
        assert (odd.status_code, "Location" in odd.headers) == (400, False)
