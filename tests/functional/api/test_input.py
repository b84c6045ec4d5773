"""What clients may send wrong, and what they are told."""

import base64
import json
import logging
from typing import Any

import pytest

from lantern.domain.errors import StorageError
from lantern.runtime.api.application import ROUTES, handle
from lantern.runtime.api.examples import EXAMPLES
from lantern.runtime.problems import CODES
from tests.functional.api.world import Client, Planted, World, rule_page

BODIES = {
    "startConnection": {"provider": "google"},
    "setAppStatus": {"status": "approved", "note": "n"},
    "setRiskOverride": {"score": 10, "note": "n", "until": "2026-04-01T00:00:00Z"},
    "setRiskWeights": {"weights": {}},
    "previewRiskWeights": {"weights": {"reach": 50}},
    "revokeGrants": {"grant_ids": ["gr_0000000000000000.0000000000000"]},
    "revokeGrant": {"reason": "r"},
    "openUpload": {"kind": "export", "content_type": "text/csv", "size": 10, "sha256": "0" * 64},
    "requestJob": {"kind": "revoke_grants", "grant_ids": ["gr_0000000000000000.0000000000000"]},
    "startPlaybookRun": {"app_id": "app_0000000000000", "reason": "r"},
    "offboardPerson": {"reason": "r"},
    "raiseIncident": {"vendor_id": "openai", "occurred_at": "2026-02-01T00:00:00Z", "summary": "s"},
    "decideFindings": {
        "finding_ids": ["fnd_00000000000000000000000000"],
        "decision": "acknowledge",
        "read_at": "2026-03-01T00:00:00Z",
    },
    "acknowledgeFinding": {"reason": "n"},
    "resolveFinding": {"resolution": "accepted", "reason": "x"},
    "createNudge": {
        "kind": "still_need",
        "principal_id": "pri_0000000000000000",
        "app_id": "app_0000000000000",
    },
    "requestTool": {"person_id": "per_0000000000000000", "name": "n", "reason": "r"},
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
NUMBERS = {
    "score",
    "size",
    "daily_cap",
    "days",
    "weekly_nudges",
    "answer_days",
    "review_days",
    "request_hours",
    "remind_days",
}
WITH_BODY = [route for route in ROUTES if route.body is not None]


def test_every_route_with_a_body_is_in_the_matrix() -> None:
    assert {route.operation for route in WITH_BODY} == set(BODIES)


def test_every_body_has_an_example_that_its_operation_takes() -> None:
    assert set(EXAMPLES) == set(BODIES)
    for route in WITH_BODY:
        route.body.model_validate_json(json.dumps(EXAMPLES[route.operation]))


def _named(answer: Any) -> set[str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json
    assert (answer.status, body["status"], body["code"]) == (400, 400, "invalid_request"), answer.text
    assert body["type"] == "urn:lantern:problem:invalid_request"
    assert body["request_id"] == "req-1"
    assert all(error["detail"].endswith(".") for error in body["errors"])
    return {error.get("pointer", error.get("parameter")) for error in body["errors"]}


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.operation)
def test_extra_fields_and_wrong_types_are_named(planted: Planted, api: Client, route: Any) -> None:
    path = route.path.format(**planted.parameters())
    good, headers = BODIES[route.operation], {"If-Match": "*"}
    for extra in ("tenant_id", "role", "plan", "__proto__", "a/b~c"):
        pointer = "/" + extra.replace("~", "~0").replace("/", "~1")
        assert _named(api(route.method, path, {**good, extra: "x"}, headers=headers)) == {pointer}
    for field in route.body.model_fields:
        for wrong in (7.5 if field in NUMBERS else 7, {"a": 1}, [[1]], 1.5):
            answer = api(route.method, path, {**good, field: wrong}, headers=headers)
            assert any(name == f"/{field}" or name.startswith(f"/{field}/") for name in _named(answer))
    for broken in ("{", "[]", '"text"', "null", "{'a': 1}", '{"a": NaN}', "\ud800"):
        answer = api(route.method, path, raw=broken, headers=headers)
        assert answer.status == 400, (broken, answer.text)
        assert answer.json["code"] == "invalid_request"


def test_a_missing_field_is_named(api: Client) -> None:
    assert _named(api("POST", "/v1/keys", {})) == {"/name", "/scopes"}
    assert _named(api("POST", "/v1/keys", {"name": "", "scopes": ["root"]})) == {"/name", "/scopes/0"}


@pytest.mark.parametrize(
    "body", [{}, {"app_id": "app_0000000000000", "finding_id": "fnd_1"}, {"grant_ids": []}, {"app_id": "x"}]
)
def test_a_bulk_revocation_selects_in_one_way(api: Client, body: dict[str, Any]) -> None:
    assert api("POST", "/v1/grants/revoke", body).status == 400


def test_bodies_have_a_limit_and_a_type(api: Client) -> None:
    big = json.dumps({"name": "x" * 300_000, "scopes": ["read"]})
    assert api("POST", "/v1/keys", raw=big).json["code"] == "body_too_large"
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = api("POST", "/v1/keys", raw="{}", headers={"Content-Type": kind})
        assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    deep = "[" * 100_000
    assert api("POST", "/v1/keys", raw='{"name":' + deep).status == 400


def test_a_body_may_come_in_base64(world: World, planted: Planted) -> None:
    event = {
        "path": "/v1/keys",
        "httpMethod": "POST",
        "headers": {"content-type": "application/json; charset=utf-8"},
        "requestContext": {
            "authorizer": {
                "tenantId": planted.tenant_id,
                "keyId": "key_a",
                "scopes": "admin",
                "tenantStatus": "active",
            }
        },
        "body": base64.b64encode(b'{"name":"n","scopes":["read"]}').decode(),
        "isBase64Encoded": True,
    }
    assert handle(event, lambda: world.tools)["statusCode"] == 201
    broken = handle({**event, "body": "***"}, lambda: world.tools)
    assert broken["statusCode"] == 400


LISTS = [route for route in ROUTES if "limit" in route.query.model_fields]


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.operation)
def test_pages_and_cursors(world: World, planted: Planted, api: Client, route: Any) -> None:
    path = route.path.format(**planted.parameters())
    base = {}
    if "connection_id" in route.query.model_fields and route.operation != "listApps":
        base["connection_id"] = planted.connection_id
    if route.operation == "listAssets":
        base["kind"] = planted.kind
    if route.operation == "listGrants":
        base["app_id"] = planted.app_id
    for limit in ("0", "-1", "101", "999999999999", "ten", "1.5", "", "NaN"):
        assert _named(api("GET", path, query={**base, "limit": limit})) == {"limit"}
    for cursor in ("x", "AAAA", "%", "é", "x" * 4_000, "T#other#CONN"):
        assert _named(api("GET", path, query={**base, "cursor": cursor})) == {"cursor"}
    assert _named(api("GET", path, query={**base, "limit": ["1", "2"]})) == {"limit"}
    assert _named(api("GET", path, query={**base, "tenant_id": "x"})) == {"tenant_id"}


def test_a_cursor_of_another_tenant_question_or_filter_is_refused(world: World) -> None:
    from tests.functional.api.world import plant

    first, second = plant(world, 1, people=3), plant(world, 2, people=3)
    path, query = "/v1/principals", {"connection_id": first.connection_id, "limit": 1}
    cursor = Client(world, first.tenant_id)("GET", path, query=query).json["next_cursor"]
    assert cursor
    foreign = Client(world, second.tenant_id)(
        "GET", path, query={"connection_id": second.connection_id, "cursor": cursor}
    )
    assert _named(foreign) == {"cursor"}
    stolen = Client(world, second.tenant_id)("GET", path, query={**query, "cursor": cursor})
    assert _named(stolen) == {"cursor"}
    api = Client(world, first.tenant_id)
    assert _named(api("GET", "/v1/jobs", query={"cursor": cursor})) == {"cursor"}
    holders = {"connection_id": first.connection_id, "cursor": cursor}
    assert _named(api("GET", f"/v1/apps/{first.app_id}/holders", query=holders)) == {"cursor"}
    assert api("GET", path, query={**query, "limit": 2, "cursor": cursor}).status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "yes"),
        ("status", "banned"),
        ("min_risk", "-1"),
        ("max_risk", "101"),
        ("min_risk", "high"),
        ("first_seen_from", "yesterday"),
        ("first_seen_from", "2026-13-01T00:00:00Z"),
        ("first_seen_until", "2026-01-01T00:00:00"),
        ("first_seen_until", "2026-01-01"),
        ("sort", "risk;drop"),
        ("provider", "gogle"),
    ],
)
def test_a_bad_filter_is_named(api: Client, name: str, value: str) -> None:
    assert _named(api("GET", "/v1/apps", query={name: value})) == {name}


@pytest.mark.parametrize("until", ["tomorrow", "2026-04-01", "2026-04-01T00:00:00", 1775000000, None])
def test_a_bad_date_is_named(planted: Planted, api: Client, until: Any) -> None:
    path = f"/v1/findings/{planted.finding_id}/exception"
    answer = api("POST", path, {"reason": "r", "until": until}, headers={"If-Match": "*"})
    assert _named(answer) == {"/until"}


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_date_beyond_the_calendar_is_named(api: Client, at: str) -> None:
    answer = api("POST", "/v1/incidents", {"vendor_id": "openai", "occurred_at": at, "summary": "s"})
    assert _named(answer) == {"/occurred_at"}
    answer = api("POST", "/v1/campaigns", {"name": "n", "scope": {"org_units": ["/"]}, "due_at": at})
    assert _named(answer) == {"/due_at"}


def test_listing_grants_takes_one_question(planted: Planted, api: Client) -> None:
    for query in (
        {},
        {"app_id": planted.app_id},
        {"app_id": planted.app_id, "finding_id": planted.finding_id},
        {"connection_id": planted.connection_id},
    ):
        answer = api("GET", "/v1/grants", query=query)
        assert (answer.status, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/apps/", 404, "not_found"),
        ("GET", "/v1/../docs", 404, "not_found"),
        ("GET", "/v1/apps/%2e%2e", 404, "not_found"),
        ("PATCH", "/v1/apps", 405, "method_not_allowed"),
        ("DELETE", "/v1/tenant", 405, "method_not_allowed"),
        ("TRACE", "/v1/tenant", 405, "method_not_allowed"),
    ],
)
def test_paths_and_methods(api: Client, method: str, path: str, status: int, code: str) -> None:
    answer = api(method, path)
    assert (answer.status, answer.json["code"]) == (status, code)
    if status == 405:
        assert answer.headers["Allow"]


def test_a_fault_inside_is_an_id_and_never_a_stack(
    world: World,
    planted: Planted,
    api: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        raise RuntimeError("secret lnt_test_abc in /var/task/x.py")

    monkeypatch.setattr(world.store(planted.tenant_id).tenants, "get", broken)
    with caplog.at_level(logging.ERROR):
        answer = api("GET", "/v1/tenant")
    assert answer.status == 500
    assert answer.json == {
        "type": "urn:lantern:problem:internal",
        "title": CODES["internal"][1],
        "status": 500,
        "code": "internal",
        "detail": "The fault is ours and has been recorded under this request id.",
        "request_id": "req-1",
    }
    assert answer.headers["X-Request-Id"] == "req-1"
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_silent_store_is_a_reason_to_ask_again(
    world: World, planted: Planted, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> None:
        raise StorageError("GetItem: ProvisionedThroughputExceededException T#secret#")

    monkeypatch.setattr(world.store(planted.tenant_id).tenants, "get", silent)
    answer = api("GET", "/v1/tenant")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "Throughput" not in answer.text


@pytest.mark.parametrize(
    "event", [{}, {"path": None}, {"requestContext": None}, {"headers": None, "path": "/v1/tenant"}]
)
def test_an_event_without_anything_is_answered(world: World, event: dict[str, Any]) -> None:
    answer = handle(event, lambda: world.tools)
    assert answer["statusCode"] in (401, 404)
    assert json.loads(answer["body"])["status"] == answer["statusCode"]


def test_hostile_names_are_inert(world: World, planted: Planted, api: Client) -> None:
    from lantern.domain.inventory import App

    names = [
        "<img src=x onerror=alert(1)>",
        "\u202egnp.exe",
        '=HYPERLINK("http://x")',
        "a\r\nSet-Cookie: x",
        "x" * 10_000,
    ]
    store = world.store(planted.tenant_id)
    for name in names:
        store.apps.put_facts(App(planted.app_id, "google", "c", name))
        answer = api("GET", f"/v1/apps/{planted.app_id}")
        assert answer.json["name"] == name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Type"] == "application/json"
        assert not any("\n" in value or "\r" in value for value in answer.headers.values())
