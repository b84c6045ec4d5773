"""The simulated Microsoft refuses what Microsoft refuses, and survives a restart."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulators.entra import EntraSimulator, QuotaSettings, TenantSpec
from tests.simulators.entra.model import OUR_ROLES
from tests.simulators.entra.quota import Quotas
from tests.simulators.google.clock import Clock


@pytest.fixture(scope="module")
def simulator() -> Iterator[EntraSimulator]:
    with EntraSimulator(TenantSpec(employees=12), quota=QuotaSettings(enabled=False)) as made:
        yield made
        assert not made.server.errors


def call(
    simulator: EntraSimulator, path: str, *roles: str, method: str = "GET", **more: Any
) -> requests.Response:
    tenant = simulator.world.tenant()
    token = simulator.tokens.issue(tenant.id, "client", frozenset(roles or OUR_ROLES))
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, f"{simulator.base_url}/v1.0{path}", headers=headers, timeout=10, **more)


@pytest.mark.parametrize(
    "path",
    [
        "/users?$select=shoeSize", "/users?$filter=startswith(mail,'a')", "/users?$orderby=mail",
        "/users?$top=1000",
        "/users?$select=id,signInActivity&$top=999", "/users?$skiptoken=abc",
        "/oauth2PermissionGrants?$expand=x",
        "/servicePrincipals?$filter=appId ne 'x'", "/auditLogs/signIns?$select=id",
        "/auditLogs/signIns?$top=1001",
        "/auditLogs/directoryAudits?$filter=category eq 'x'", "/nonsense",
    ],
)  # fmt: skip
def test_what_it_does_not_know_it_refuses(simulator: EntraSimulator, path: str):
    answer = call(simulator, path)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"]


def test_each_call_takes_its_permission(simulator: EntraSimulator):
    assert call(simulator, "/users", "User.Read.All").status_code == 200
    for path in ("/oauth2PermissionGrants", "/servicePrincipals", "/directoryRoles", "/auditLogs/signIns"):
        answer = call(simulator, path, "User.Read.All")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    assert requests.get(f"{simulator.base_url}/v1.0/users", timeout=5).status_code == 401


def test_a_batch_has_a_status_for_each_of_its_requests(simulator: EntraSimulator):
    wanted = [
        {"id": str(n), "method": "GET", "url": url}
        for n, url in enumerate(("/users/nobody", "/organization"))
    ]
    answers = call(simulator, "/$batch", method="POST", json={"requests": wanted}).json()["responses"]
    assert {one["id"]: one["status"] for one in answers} == {"0": 404, "1": 200}
    many = [{"id": str(n), "method": "GET", "url": "/organization"} for n in range(21)]
    assert call(simulator, "/$batch", method="POST", json={"requests": many}).status_code == 400


def test_reports_have_five_requests_in_ten_seconds(simulator: EntraSimulator):
    simulator.control.quota(enabled=True)
    assert [call(simulator, "/organization").status_code for _ in range(6)] == [200] * 6
    statuses = [call(simulator, "/auditLogs/directoryAudits").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    wanted = [{"id": "a", "method": "GET", "url": "/auditLogs/signIns"}]
    (inner,) = call(simulator, "/$batch", method="POST", json={"requests": wanted}).json()["responses"]
    assert inner["status"] == 429
    simulator.control.quota(enabled=False)


def test_what_calls_cost():
    assert Quotas.cost("users.list", {}) == 2
    assert Quotas.cost("users.list", {"$select": "id"}) == 1
    assert Quotas.cost("users.grants", {"$select": "id", "$top": "5"}) == 1
    assert Quotas.cost("groups.members", {"$expand": "x"}) == 6


def test_it_runs_as_a_process_and_keeps_its_state(tmp_path: Path):
    state = tmp_path / "entra.json"
    command = [sys.executable, "-m", "tests.simulators.entra", "--employees", "12", "--state", str(state),
               "--organisation", "Kept", "--auto-consent"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": "shared:."}

    def run(steps: list[tuple[str, dict]]) -> list[Any]:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            found: list[Any] = [ready]
            for verb, arguments in steps:
                address = f"{ready['base_url']}/_control/{verb}"
                found.append(requests.post(address, json=arguments, timeout=10).json())
            process.terminate()
        return found

    ready, client, _, truth = run(
        [("add_app", {"name": "Kept app"}), ("grant", {"user": None, "app": "Kept app"}), ("truth", {})]
    )
    assert set(ready) == {"base_url", "organisation_id", "domain", "admin"}
    _, again = run([("truth", {})])
    assert again == truth
    assert client in again["AllPrincipals"]["grants"]


def test_the_limits_follow_the_size_of_the_tenant():
    quotas = Quotas(Clock())
    assert [quotas.units(n) for n in (49, 50, 499, 500)] == [3500, 5000, 5000, 8000]
