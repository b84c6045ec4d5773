"""Every route × every id parameter × two tenants: a foreign id is an id that is not there."""

import random
import re
from typing import Any

import pytest

from lantern.domain import ids
from lantern.runtime.api.application import document
from tests.functional.api.world import Client, Planted, World, plant, rule_page

BODIES: dict[str, Any] = {
    "startConnection": {"provider": "google"},
    "setAppStatus": {"status": "approved"},
    "setRiskOverride": {"score": 10, "note": "n", "until": "2026-04-01T00:00:00Z"},
    "setRiskWeights": {"weights": {}},
    "previewRiskWeights": {"weights": {"reach": 50}},
    "revokeGrants": {},
    "revokeGrant": {},
    "requestJob": {"kind": "revoke_grants"},
    "startPlaybookRun": {},
    "offboardPerson": {},
    "raiseIncident": {"vendor_id": "openai", "occurred_at": "2026-02-01T00:00:00Z", "summary": "s"},
    "decideFindings": {
        "finding_ids": ["fnd_00000000000000000000000000"],
        "decision": "acknowledge",
        "read_at": "2026-03-01T00:00:00Z",
    },
    "acknowledgeFinding": {},
    "resolveFinding": {"resolution": "accepted", "reason": "x"},
    "createNudge": {"kind": "still_need"},
    "requestTool": {"reason": "x"},
    "decideRequest": {"decision": "approve"},
    "createCampaign": {"name": "n", "scope": {"org_units": ["/"]}, "due_at": "2026-04-01T00:00:00Z"},
    "decideCampaignItems": {
        "decisions": [{"grant_id": "gr_0000000000000000.0000000000000", "decision": "keep"}]
    },
    "setGuidance": {},
    "snoozeFinding": {"until": "2026-04-01T00:00:00Z"},
    "exceptFinding": {"reason": "x", "until": "2026-04-01T00:00:00Z"},
    "reopenFinding": {"reason": "x"},
    "judgeFinding": {"verdict": "benign"},
    "setAlertSettings": {"time_zone": "Europe/Berlin"},
    "addAlertChannel": {"kind": "teams", "name": "n", "url": "https://prod.example.com/w"},
    "setAlertChannel": {"kind": "teams", "name": "n"},
    "addWebhookEndpoint": {"url": "https://hooks.example.com/x"},
    "setWebhookEndpoint": {"description": "d"},
    "issueKey": {"name": "n", "scopes": ["read"]},
    "addCatalogEntry": {"product": {"name": "Acme Notes", "category": "ai_meeting", "kind": "ai"}},
    "setCatalogEntry": {"product": {"name": "Acme Notes", "category": "ai_meeting", "kind": "ai"}},
    "addRule": rule_page("own-new"),
    "setRule": rule_page("own-0001x"),
    "setRuleSettings": {"stage": "off"},
    "previewPolicy": {"rule_id": "own-0001x", "settings": {"stage": "off"}},
}
NEEDED = {
    "listAppHolders": ("connection_id",),
    "listAppActivity": ("connection_id",),
    "listPrincipals": ("connection_id",),
    "listVendorPeople": ("connection_id",),
    "listPrincipalGrants": ("connection_id",),
    "getGrantRisk": ("connection_id",),
    "listAssets": ("kind",),
}

BESIDE = {"createNudge": ("principal_id", "app_id"), "requestTool": ("person_id",)}
"""What a body must name beside the id that is tried."""


def _cases() -> list[tuple[str, str, str, str, str]]:
    """(operation, method, path, where, parameter) for each id that a client can send."""
    cases = []
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            name = operation["operationId"]
            cases += [
                (name, method.upper(), path, parameter["in"], parameter["name"])
                for parameter in operation.get("parameters", ())
                if parameter["name"].endswith("_id") and parameter["in"] in ("path", "query")
            ]
            body = (
                operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            )
            if body and "$ref" in body:
                schema = document()["components"]["schemas"][body["$ref"].rsplit("/", 1)[-1]]
                cases += [
                    (name, method.upper(), path, "body", field)
                    for field in schema["properties"]
                    if field.endswith(("_id", "_ids"))
                ]
    return cases


CASES = _cases()


def test_the_matrix_covers_every_id_of_the_document() -> None:
    templated = {path for path, _ in ((p, i) for p, i in document()["paths"].items()) if "{" in path}
    assert templated - {"/v1/connectors/{provider}"} == {c[2] for c in CASES if c[3] == "path"}
    assert len(CASES) > 30


def _random_id(like: str, seed: int) -> str:
    noise = random.Random(seed)
    if like.startswith("gr_"):
        return ids.grant_id(_random_id("pri_" + "0" * 16, seed), _random_id("app_" + "0" * 13, seed))
    prefix, _, rest = like.partition("_")
    alphabet = "0123456789abcdefghijklmnopqrstuv"
    if prefix == "app":
        return ids.app_id("google", noise.randbytes(8).hex())
    if prefix == "pri":
        return ids.principal_id("google", "x", noise.randbytes(8).hex())
    return f"{prefix}_" + "".join(noise.choice(alphabet) for _ in rest)


def _ask(api: Client, own: Planted, case: tuple[str, str, str, str, str], value: str) -> Any:
    operation, method, path, where, name = case
    known = own.parameters()
    query = {needed: known[needed] for needed in NEEDED.get(operation, ())}
    body = dict(BODIES[operation]) if operation in BODIES else None
    if operation == "startPlaybookRun" and body is not None:
        if where == "path":
            body["app_id"] = known["app_id"]
        elif name == "asset_ids":
            known = {**known, "playbook_id": "departed-employee"}
    if where == "path":
        known = {**known, name: value}
    elif where == "query":
        query[name] = value
        if operation == "listPrincipals" and name == "person_id":
            del query["connection_id"]
        if operation == "listAssets" and name == "finding_id":
            del query["kind"]
        if operation == "listGrants" and name == "connection_id":
            query["app_id"] = known["app_id"]
        elif operation == "listGrants" and name != "finding_id":
            query["connection_id"] = known["connection_id"]
    else:
        assert body is not None
        if operation == "requestJob" and name == "asset_ids":
            body["kind"] = "delete_asset"
        if operation in ("revokeGrants", "requestJob") and name == "connection_id":
            body["app_id"] = known["app_id"]
        body |= {field: known[field] for field in BESIDE.get(operation, ())}
        if name == "alternative_app_id":
            body["kind"] = "use_instead"
        if operation == "requestTool" and name != "app_id":
            body["name"] = "n"
        body[name] = [value] if name.endswith("_ids") else value
    return api(method, path.format(**known), body, query=query, headers={"If-Match": "*"})


FILTERS = {("listApps", "connection_id"), ("listAssets", "connection_id"), ("findProducts", "client_id")}
KNOWLEDGE = {"vendor_id", "playbook_id"}
"""Ids of what every tenant may know: the same for all, and never in a tenant's table."""


def test_knowledge_is_the_same_for_all_and_asks_no_table(world: World, planted: Planted, api: Client) -> None:
    other = Client(world, plant(world, 2).tenant_id)
    world.counted()
    path = f"/v1/vendors/{planted.vendor_id}"
    first, second = api("GET", path), other("GET", path)
    assert (first.status, first.text) == (200, second.text)
    assert world.counted() == {}


@pytest.mark.parametrize(
    "case", [c for c in CASES if c[4] not in KNOWLEDGE], ids=lambda case: f"{case[0]}-{case[4]}"
)
def test_a_foreign_id_is_answered_like_one_that_is_not_there(
    world: World, planted: Planted, api: Client, case: tuple[str, str, str, str, str]
) -> None:
    operation, _, _, _, name = case
    other = plant(world, 2)
    key = name.removesuffix("s").removeprefix("alternative_")
    foreign = other.parameters()[key]
    missing = _random_id(foreign, 99)
    world.counted()
    world.calls.clear()
    with_foreign = _ask(api, planted, case, foreign)
    requests = list(world.calls)
    with_missing = _ask(api, planted, case, missing)
    assert with_foreign.status == with_missing.status
    assert with_foreign.text.replace(foreign, "ID") == with_missing.text.replace(missing, "ID")
    if (operation, name) not in FILTERS:
        assert with_foreign.status == 404, with_foreign.text
        assert with_foreign.json["code"] == "not_found"
    assert other.canary not in with_foreign.text
    for _, parameters in requests:
        assert f"T#{other.tenant_id}#" not in repr(parameters)


NO_IDS = ["x", "T%23other%23CONN", "a b", "..", "%00", "x" * 300, "con_~1~2", "é"]


@pytest.mark.parametrize(
    "case", [c for c in CASES if c[3] == "path"], ids=lambda case: f"{case[0]}-{case[4]}"
)
def test_what_cannot_be_an_id_is_not_there(
    planted: Planted, api: Client, case: tuple[str, str, str, str, str]
) -> None:
    for value in NO_IDS:
        answer = _ask(api, planted, case, value)
        assert (answer.status, answer.json["code"]) == (404, "not_found"), value


def test_the_tenant_comes_from_the_authorizer_only(world: World, planted: Planted, api: Client) -> None:
    other = plant(world, 2)
    headers = {"X-Tenant-Id": other.tenant_id, "tenantId": other.tenant_id}
    assert api("GET", "/v1/tenant", headers=headers).json["id"] == planted.tenant_id
    assert api("GET", "/v1/tenant", query={"tenant_id": other.tenant_id}).status == 400
    refused = api("POST", "/v1/keys", {"name": "n", "scopes": ["read"], "tenant_id": other.tenant_id})
    assert refused.status == 400
    assert refused.json["errors"][0]["pointer"] == "/tenant_id"


@pytest.mark.parametrize("tenant_id", ["", "T#x#", "A" * 20, "a" * 19, "a" * 19 + "#", "a" * 20 + "\n", None])
def test_without_a_proper_tenant_nothing_happens(world: World, tenant_id: Any) -> None:
    answer = Client(world, tenant_id)("GET", "/v1/tenant")
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert world.calls == []


def test_fifty_tenants_through_one_warm_process_leak_no_canary(world: World) -> None:
    tenants = [plant(world, number) for number in range(100, 150)]
    paths = [
        "/v1/tenant",
        "/v1/connections",
        "/v1/apps",
        "/v1/apps/{app_id}",
        "/v1/apps/{app_id}/risk",
        "/v1/principals/{principal_id}",
        "/v1/findings",
        "/v1/findings/{finding_id}",
        "/v1/jobs",
        "/v1/jobs/{job_id}/actions",
        "/v1/playbook-runs/{playbook_run_id}",
        "/v1/incidents/{incident_id}",
        "/v1/evidence/{evidence_kind}/{subject_id}",
        "/v1/nudges/{nudge_id}",
        "/v1/requests/{request_id}",
        "/v1/campaigns/{campaign_id}",
        "/v1/audit",
        "/v1/keys",
        "/v1/catalog/entries",
        "/v1/catalog/entries/{entry_id}",
        "/v1/scope-sets/{scope_set_id}",
    ]
    visits = [(planted, path) for planted in tenants for path in paths]
    random.Random(5).shuffle(visits)
    for planted, path in visits:
        answer = Client(world, planted.tenant_id)("GET", path.format(**planted.parameters()))
        assert answer.status == 200, answer.text
        assert set(re.findall(r"canary\d{4}x", answer.text)) == {planted.canary}
