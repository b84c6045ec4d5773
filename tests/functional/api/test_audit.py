"""Every mutating route leaves its entry in the audit chain: who, and how it was before and is after."""

from typing import Any

import pytest

from lantern.domain.audit import AuditEntry
from lantern.runtime.api.application import ROUTES
from tests.functional.api.test_input import BODIES
from tests.functional.api.test_playbooks import _counted
from tests.functional.api.world import Client, Planted, World, plant
from tests.support.audited import audited

NOTHING_DECIDED = {"previewRiskWeights", "previewPolicy"}
"""What only answers a question."""
SENT = [route for route in ROUTES if route.method != "GET" and route.operation not in NOTHING_DECIDED]


def body_of(operation: str, planted: Planted) -> Any:
    known = {
        "revokeGrants": {"grant_ids": [planted.grant_id]},
        "requestJob": {"kind": "revoke_grants", "grant_ids": [planted.grant_id]},
        "startPlaybookRun": {"app_id": planted.app_id},
        "createNudge": {
            "kind": "acknowledge", "principal_id": planted.principal_id,
        },
        "requestTool": {"person_id": planted.person_id, "name": "Another", "reason": "r"},
        "decideCampaignItems": {"decisions": [{"grant_id": planted.grant_id, "decision": "keep"}]},
        "createCampaign": {**BODIES["createCampaign"], "scope": {"app_ids": [planted.app_id]}},
        "decideFindings": {
            **BODIES["decideFindings"], "finding_ids": [planted.finding_id],
            "read_at": "2026-03-02T00:00:00Z",
        },
        "setRule": {**BODIES["setRule"], "id": planted.rule_id},
        "setRiskWeights": {"weights": {"reach": 50}},
        "setGuidance": {"weekly_nudges": 5},
    }  # fmt: skip
    return known.get(operation, BODIES.get(operation))


RAW = {
    "startImport": "user,client_id,scopes,display_text\na@x.example,c1,openid,Tool\n",
    "ingestLogs": "timestamp,user,host\n2026-02-01T00:00:00Z,a@x.example,chatgpt.com\n",
    "ingestInventory": "user,client_id,scopes,display_text\na@x.example,c1,openid,Tool\n",
}


def entries(world: World, planted: Planted) -> list[AuditEntry]:
    return list(world.store(planted.tenant_id).audit.entries())


@pytest.mark.parametrize("route", SENT, ids=lambda route: route.operation)
def test_every_mutating_route_is_audited(world: World, route: Any) -> None:
    planted = plant(world, 7)
    _counted(world, planted)
    api = Client(world, planted.tenant_id, key_id="key_somebody")
    path = route.path.format(**{**planted.parameters(), "import_id": planted.upload_id})
    headers = {"If-Match": "*"}
    more: dict[str, Any] = {"body": body_of(route.operation, planted)}
    if route.operation in RAW:
        headers["Content-Type"] = "text/csv"
        more = {"raw": RAW[route.operation]}
    if route.operation == "removeRiskOverride":
        api("PUT", path, BODIES["setRiskOverride"], headers=headers)
    if route.operation == "reopenFinding":
        api("POST", path.replace("/reopen", "/resolve"), BODIES["resolveFinding"], headers=headers)
    if route.operation == "endMailHeaders":
        api("POST", path, headers=headers)
    before = len(entries(world, planted))
    answer = api(route.method, path, headers=headers, **more)
    assert answer.status < 300, answer.text
    new = entries(world, planted)[before:]
    assert new, "nothing says who did it"
    assert any(one.actor == "key:key_somebody" for one in new), new
    assert audited(new) == len(new)
    for one in new:
        assert planted.canary not in repr(one.detail), "free text in what nobody can erase"
    assert world.store(planted.tenant_id).audit.verify() is None
