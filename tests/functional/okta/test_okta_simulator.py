"""The simulated Okta holds to the documented API: who may call what, pages, the log, limits, errors."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulators.okta import OktaSimulator, OrgSpec, QuotaSettings
from tests.simulators.okta.syslog import predicate

# From the `security` of Okta's Management API description, version 5.1: the scope that each call takes.
SCOPES = (
    ("GET", "/api/v1/org", "okta.orgs.read"),
    ("GET", "/api/v1/iam/assignees/users", "okta.roles.read"),
    ("GET", "/api/v1/users", "okta.users.read"),
    ("GET", "/api/v1/users/{}", "okta.users.read"),
    ("GET", "/api/v1/users/{}/roles", "okta.roles.read"),
    ("GET", "/api/v1/users/{}/grants", "okta.users.read"),
    ("DELETE", "/api/v1/users/{}/grants/{}", "okta.users.manage"),
    ("GET", "/api/v1/users/{}/clients/{}/grants", "okta.users.read"),
    ("DELETE", "/api/v1/users/{}/clients/{}/grants", "okta.users.manage"),
    ("GET", "/api/v1/users/{}/clients/{}/tokens", "okta.users.read"),
    ("DELETE", "/api/v1/users/{}/clients/{}/tokens", "okta.users.manage"),
    ("DELETE", "/api/v1/users/{}/sessions", "okta.users.manage"),
    ("GET", "/api/v1/apps", "okta.apps.read"),
    ("GET", "/api/v1/apps/{}", "okta.apps.read"),
    ("POST", "/api/v1/apps/{}/lifecycle/activate", "okta.apps.manage"),
    ("POST", "/api/v1/apps/{}/lifecycle/deactivate", "okta.apps.manage"),
    ("GET", "/api/v1/apps/{}/users", "okta.apps.read"),
    ("GET", "/api/v1/apps/{}/users/{}", "okta.apps.read"),
    ("DELETE", "/api/v1/apps/{}/users/{}", "okta.apps.manage"),
    ("GET", "/api/v1/apps/{}/groups", "okta.apps.read"),
    ("GET", "/api/v1/apps/{}/grants", "okta.appGrants.read"),
    ("DELETE", "/api/v1/apps/{}/grants/{}", "okta.appGrants.manage"),
    ("GET", "/api/v1/api-tokens", "okta.apiTokens.read"),
    ("GET", "/api/v1/api-tokens/{}", "okta.apiTokens.read"),
    ("DELETE", "/api/v1/api-tokens/{}", "okta.apiTokens.manage"),
    ("GET", "/integrations/api/v1/api-services", "okta.oauthIntegrations.read"),
    ("GET", "/integrations/api/v1/api-services/{}", "okta.oauthIntegrations.read"),
    ("GET", "/api/v1/logs", "okta.logs.read"),
    ("GET", "/api/v1/eventHooks", "okta.eventHooks.read"),
    ("POST", "/api/v1/eventHooks", "okta.eventHooks.manage"),
    ("GET", "/api/v1/eventHooks/{}", "okta.eventHooks.read"),
    ("DELETE", "/api/v1/eventHooks/{}", "okta.eventHooks.manage"),
    ("POST", "/api/v1/eventHooks/{}/lifecycle/verify", "okta.eventHooks.manage"),
    ("POST", "/api/v1/eventHooks/{}/lifecycle/deactivate", "okta.eventHooks.manage"),
)


@pytest.fixture(scope="module")
def sim() -> Iterator[OktaSimulator]:
    with OktaSimulator(OrgSpec(employees=30)) as made:
        yield made


@pytest.fixture
def token(sim: OktaSimulator) -> str:
    sim.control.limits()
    return sim.control.issue_api_token(sim.control.organisation()["admin"])


def call(sim: OktaSimulator, token: str, path: str, method: str = "GET", **more: Any) -> requests.Response:
    headers = {"Authorization": f"SSWS {token}"}
    return requests.request(method, sim.base_url + path, headers=headers, timeout=10, **more)


def test_every_call_takes_the_scope_that_is_documented(
    sim: OktaSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(type(sim.auth), "admit", lambda self, request, scope: asked.append(scope) or "nobody")
    for method, path, scope in SCOPES:
        asked.clear()
        call(sim, "x", path.replace("{}", "none"), method, json={})
        assert asked == [scope], (method, path)


def test_pages_have_absolute_links_and_a_most(sim: OktaSimulator, token: str) -> None:
    first = call(sim, token, "/api/v1/users?limit=7")
    link = first.links["next"]["url"]
    assert link.startswith(sim.base_url)
    seen = [u["id"] for u in first.json()]
    while link:
        answer = requests.get(link, headers={"Authorization": f"SSWS {token}"}, timeout=10)
        seen += [u["id"] for u in answer.json()]
        link = answer.links.get("next", {}).get("url")
    living = [u for u in sim.control.users() if u["status"] != "DEPROVISIONED"]
    assert len(seen) == len(set(seen)) == len(living)
    assert call(sim, token, "/api/v1/users?limit=201").json()["errorCode"] == "E0000001"
    gone = call(sim, token, '/api/v1/users?filter=status eq "DEPROVISIONED"').json()
    assert len(gone) + len(living) == 30


def test_the_log_is_a_feed_without_end_and_a_window(sim: OktaSimulator, token: str) -> None:
    kind = 'filter=eventType sw "application."'
    empty = call(sim, token, f"/api/v1/logs?since=2026-01-01T00:00:00Z&{kind}")
    assert empty.json() == []
    sim.control.assign(sim.control.users()[1]["id"], "Workday")
    (event,) = call(sim, token, empty.links["next"]["url"].removeprefix(sim.base_url)).json()
    assert event["eventType"] == "application.user_membership.add"
    window = call(sim, token, f"/api/v1/logs?since=2026-01-01T00:00:00Z&until={sim.control.now()}&{kind}")
    assert [e["uuid"] for e in window.json()] == [event["uuid"]]
    assert "next" not in window.links
    assert call(sim, token, "/api/v1/logs?limit=1001").status_code == 400
    assert call(sim, token, "/api/v1/logs?after=xyz").status_code == 400
    assert call(sim, token, "/api/v1/logs?filter=eventType eq").status_code == 400
    row = {"eventType": "a.b", "outcome": {"result": "SUCCESS"}, "target": [{"id": "1"}, {"id": "2"}]}
    assert predicate('(eventType sw "a" and outcome.result eq "SUCCESS") or target.id eq "9"')(row)
    assert predicate('target.id eq "2" and not (eventType co "x")')(row)
    assert not predicate('eventType ne "a.b"')(row)


def test_limits_are_counted_in_fixed_minutes_and_told(sim: OktaSimulator, token: str) -> None:
    sim.control.limits(users=2)
    answers = [call(sim, token, "/api/v1/users?limit=1") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert [a.headers["X-Rate-Limit-Remaining"] for a in answers] == ["1", "0", "0"]
    assert answers[2].json()["errorCode"] == "E0000047"
    assert "Retry-After" not in answers[2].headers
    reset = int(answers[2].headers["X-Rate-Limit-Reset"])
    sim.control.advance(max(0.0, reset - sim.clock.now()))
    assert call(sim, token, "/api/v1/users?limit=1").status_code == 200
    sim.control.limits(at_once=0)
    busy = call(sim, token, "/api/v1/org")
    assert (busy.status_code, busy.headers["X-Rate-Limit-Limit"], "X-Rate-Limit-Reset" in busy.headers) == (
        429,
        "0",
        False,
    )
    sim.control.limits(at_once=75, users=600)


def test_refusals_have_okta_bodies(sim: OktaSimulator, token: str) -> None:
    unknown = call(sim, token, "/api/v1/users/00uNobody")
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "E0000007")
    assert call(sim, "wrong", "/api/v1/users").json()["errorCode"] == "E0000011"
    nobody = sim.control.issue_api_token(sim.control.users()[2]["id"])
    assert call(sim, nobody, "/api/v1/users").json()["errorCode"] == "E0000006"
    form = {"grant_type": "client_credentials", "client_assertion": "x", "scope": "okta.users.read"}
    refused = requests.post(f"{sim.base_url}/oauth2/v1/token", data=form, timeout=10)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_it_runs_as_a_process_and_keeps_its_state(tmp_path: Path) -> None:
    state = tmp_path / "okta.state"
    command = [sys.executable, "-m", "tests.simulators.okta", "--employees", "20", "--state", str(state)]
    command += ["--organisation", "acme"]

    def once(ask: Any) -> Any:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                ready = json.loads(process.stdout.readline())
                assert ready["address"] == "acme.okta.com"
                return ask(ready["base_url"])
            finally:
                process.terminate()

    def hire(base: str) -> str:
        return requests.post(
            f"{base}/_control/add_user", json={"login": "new@acme.example"}, timeout=10
        ).json()

    def everybody(base: str) -> list[str]:
        return [u["id"] for u in requests.get(f"{base}/_control/users", timeout=10).json()]

    assert once(hire) in once(everybody)


def test_quota_can_be_left_off() -> None:
    with OktaSimulator(OrgSpec(employees=5), quota=QuotaSettings(enabled=False)) as sim:
        answer = call(sim, sim.control.issue_api_token(sim.control.organisation()["admin"]), "/api/v1/org")
        assert "X-Rate-Limit-Limit" not in answer.headers
