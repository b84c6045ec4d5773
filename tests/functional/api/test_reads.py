"""Every GET: what it answers and how many requests it costs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.apps import AppSummary
from lantern.domain.assets import Asset
from lantern.domain.findings import Desired, Group, reconcile
from lantern.domain.inventory import App
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject
from lantern.domain.vendor_changes import VendorChange, VendorSeen
from lantern.runtime.api.application import ROUTES
from lantern.store.apps import summary_part
from tests.functional.api.world import NOW, Client, Planted, World, plant

READS = {route.operation: route for route in ROUTES if route.method == "GET"}
QUERIES = {
    "listAppHolders": ("connection_id",),
    "listAppActivity": ("connection_id",),
    "listPrincipals": ("connection_id",),
    "listVendorPeople": ("connection_id",),
    "listPrincipalGrants": ("connection_id",),
    "findProducts": ("client_id",),
    "listAssets": ("kind",),
    "getGrantRisk": ("connection_id",),
}
QUESTIONS = [
    *[(name, QUERIES.get(name, ())) for name in READS if name != "listGrants"],
    ("listGrants", ("app_id", "connection_id")),
    ("listGrants", ("principal_id", "connection_id")),
    ("listGrants", ("finding_id",)),
    ("getGrant", ("connection_id",)),
    ("listPrincipals", ("person_id",)),
]
REQUESTS = {"listVendorPeople": 3, "listPersonTools": 3, "getEvidence": 12}
"""Who holds any of several apps takes one more: which apps, who holds them, the accounts of the page. A
person's tools take one for what stands around them."""


@pytest.mark.parametrize(
    ("operation", "names"), QUESTIONS, ids=lambda v: "+".join(v) if isinstance(v, tuple) else v
)
def test_a_read_takes_at_most_two_requests(
    world: World, planted: Planted, api: Client, operation: str, names: tuple[str, ...]
) -> None:
    route, known = READS[operation], planted.parameters()
    world.counted()
    answer = api("GET", route.path.format(**known), query={name: known[name] for name in names})
    assert answer.status == 200, answer.text
    counts = world.counted()
    assert sum(counts.values()) <= REQUESTS.get(operation, 2), counts
    assert set(counts) <= {"GetItem", "Query", "BatchGetItem"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert route.answer is not None
    assert route.answer.model_validate_json(answer.text)
    if route.etag:
        assert answer.headers["ETag"].startswith('"')


def test_the_tenant(planted: Planted, api: Client) -> None:
    body = api("GET", "/v1/tenant").json
    assert body["id"] == planted.tenant_id
    assert body["name"] == f"Tenant {planted.canary}"


def test_a_run_says_what_it_could_not_read(planted: Planted, api: Client) -> None:
    body = api("GET", f"/v1/connections/{planted.connection_id}/runs/{planted.run_id}").json
    assert body["coverage"] == {
        "complete": False,
        "listed": 3,
        "read": 2,
        "unread": 1,
        "unread_principals": ["pri_0000000000000001"],
        "reasons": {"forbidden": 1},
    }


def test_an_app_with_its_risk_and_holders(planted: Planted, api: Client) -> None:
    app = api("GET", f"/v1/apps/{planted.app_id}").json
    assert (app["risk"], app["decision"]["status"]) == (71, None)
    risk = api("GET", f"/v1/apps/{planted.app_id}/risk").json
    assert (risk["score"], risk["level"], risk["look_alike"]) == (71, "critical", None)
    assert risk["factors"][0]["evidence"] == planted.canary
    assert risk["identification"]["evidence"][0]["sentence"] == planted.canary
    assert "tallies" not in risk
    holders = api(
        "GET", f"/v1/apps/{planted.app_id}/holders", query={"connection_id": planted.connection_id}
    ).json
    assert [row["principal_id"] for row in holders["data"]] == [planted.principal_id]
    assert holders["data"][0]["grant_id"] == planted.grant_id


def test_grants_of_a_principal_carry_names_and_permissions(planted: Planted, api: Client) -> None:
    query = {"principal_id": planted.principal_id, "connection_id": planted.connection_id}
    (row,) = api("GET", "/v1/grants", query=query).json["data"]
    assert row["app_name"] == f"App {planted.canary}"
    assert row["scopes"] == sorted({"drive.readonly", "mail.send", planted.canary})
    (same,) = api(
        "GET", f"/v1/principals/{planted.principal_id}/grants", query={"connection_id": planted.connection_id}
    ).json["data"]
    assert same == row


def test_grants_of_a_finding(planted: Planted, api: Client) -> None:
    (row,) = api("GET", "/v1/grants", query={"finding_id": planted.finding_id}).json["data"]
    assert (row["id"], row["app_name"], row["scopes"]) == (planted.grant_id, f"App {planted.canary}", None)
    refused = api("GET", "/v1/assets", query={"finding_id": planted.finding_id})
    assert (refused.status, "lists no assets" in refused.text) == (400, True)


def test_what_changed_in_a_vendors_profile_is_told_with_its_source(world: World, planted: Planted) -> None:
    api, store = Client(world, planted.tenant_id), world.store(planted.tenant_id)
    path = f"/v1/vendors/{planted.vendor_id}/changes"
    assert api("GET", path).json == {"data": [], "next_cursor": None}
    notes = (
        VendorChange("ownership", "private, US", "subsidiary, US", NOW.date() - timedelta(days=3)),
        VendorChange(
            "retention", "30 days", "1 days", NOW.date(), "https://vendor.example/retention", "2026-02"
        ),
    )
    store.vendors_seen.put({planted.vendor_id: VendorSeen("r1", {}, notes)}, 0)
    latest, older = api("GET", path).json["data"]
    assert latest == {
        "what": "retention", "before": "30 days", "after": "1 days", "on": NOW.date().isoformat(),
        "source": "https://vendor.example/retention", "date": "2026-02",
    }  # fmt: skip
    assert (older["what"], older["source"], older["date"]) == ("ownership", "", "")
    assert Client(world, plant(world, 2).tenant_id)("GET", path).json["data"] == []


def test_a_finding_about_assets_lists_assets(world: World) -> None:
    planted = plant(world, 1)
    api, store = Client(world, planted.tenant_id), world.store(planted.tenant_id)
    group = Group(GroupBy.CONNECTION, planted.connection_id)
    keys = [
        Asset(
            ids.asset_id(planted.connection_id, "api_key", f"old-{n}"), planted.connection_id, "api_key",
            f"old-{n}", f"Old {n}",
        )
        for n in range(3)
    ]  # fmt: skip
    store.assets.reconcile(planted.connection_id, "api_key", keys, NOW)
    grades = {one.id: Grade(Severity.LOW, certain=True) for one in keys}
    wanted = Desired("api-key-old", "1", Subject.ASSET, group, "API keys are older than 365 days", grades)
    found, _ = reconcile(None, wanted, NOW)
    assert found is not None
    store.findings.put(replace(found, rev=0))

    told = api("GET", f"/v1/findings/{found.id}").json
    assert (told["grants"], told["assets"]) == (0, 3)
    listed = [(one["grant_id"], one["asset_id"]) for one in told["affected"]]
    assert listed == [(None, name) for name in sorted(grades)]
    world.counted()
    first = api("GET", "/v1/assets", query={"finding_id": found.id, "limit": 2}).json
    assert sum(world.counted().values()) == 2
    rest = api("GET", "/v1/assets", query={"finding_id": found.id, "cursor": first["next_cursor"]}).json
    assert [one["id"] for one in first["data"] + rest["data"]] == sorted(grades)
    assert rest["next_cursor"] is None
    for query in ({}, {"kind": "api_key", "finding_id": found.id}):
        assert api("GET", "/v1/assets", query=query).status == 400
    refused = api("GET", "/v1/grants", query={"finding_id": found.id})
    assert (refused.status, "ask GET /v1/assets" in refused.text) == (400, True)

    def job(kind: str) -> Any:
        return api("POST", "/v1/jobs", {"kind": kind, "finding_id": found.id, "dry_run": True})

    assert "This finding lists assets: ask for disable_asset" in job("revoke_grants").text
    asked = job("disable_asset")
    assert (asked.status, asked.json["plan"]["targets"]) == (200, 3), asked.text
    about_app = {"kind": "disable_asset", "finding_id": planted.finding_id, "dry_run": True}
    assert "This finding lists grants: ask for revoke_grants" in api("POST", "/v1/jobs", about_app).text


def test_pages_of_holders_are_all_holders(world: World) -> None:
    planted = plant(world, 7, people=5)
    api = Client(world, planted.tenant_id)
    seen, cursor = [], None
    for _ in range(5):
        query = {"connection_id": planted.connection_id, "limit": 2} | ({"cursor": cursor} if cursor else {})
        body = api("GET", f"/v1/apps/{planted.app_id}/holders", query=query).json
        seen += [row["principal_id"] for row in body["data"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/principals",
        "/v1/jobs",
        "/v1/findings",
        "/v1/keys",
        "/v1/audit",
        "/v1/apps",
        "/v1/catalog/entries",
    ],
)
def test_pages_of_one_are_the_whole_list(world: World, path: str) -> None:
    planted = plant(world, 7, people=3)
    api = Client(world, planted.tenant_id)
    base = {"connection_id": planted.connection_id} if path == "/v1/principals" else {}
    whole = api("GET", path, query=base).json["data"]
    seen, cursor = [], None
    while True:
        query = {**base, "limit": 1} | ({"cursor": cursor} if cursor else {})
        body = api("GET", path, query=query).json
        seen += body["data"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert len(whole) >= 1


def test_a_principal_is_found_at_any_connection(world: World) -> None:
    planted = plant(world, 9, connections=3)
    api = Client(world, planted.tenant_id)
    body = api("GET", f"/v1/principals/{planted.principal_id}").json
    assert body["connection_id"] == planted.connection_id
    assert body["grants"] == 1


def test_an_app_that_was_not_assessed_has_no_risk(world: World, planted: Planted, api: Client) -> None:
    from lantern.domain import ids
    from lantern.domain.inventory import App

    app_id = ids.app_id("google", "fresh")
    world.store(planted.tenant_id).apps.put_facts(App(app_id, "google", "fresh", "Fresh"))
    risk = api("GET", f"/v1/apps/{app_id}/risk").json
    override = risk.pop("override")
    assert (override["score"], override["in_effect"]) == (None, False)
    assert risk.pop("app_id") == app_id
    assert set(risk.values()) == {None}


def _joined_app(world: World, planted: Planted, client: str, provider: str = "slack") -> str:
    """A further app, joined to a product by a domain of its vendor, and judged."""
    store = world.store(planted.tenant_id)
    app = App(ids.app_id(provider, client), provider, client, f"Otter {planted.canary}", first_seen=NOW)
    store.apps.put_facts(app)
    identified = {"verdict": "ai", "confidence": 0.98, "vendor": "Otter.ai", "product": "Otter.ai",
                  "product_id": "otter-ai", "category": "ai_meeting", "evidence": []}  # fmt: skip
    body = {"identification": identified, "joined": "domain", "assessment": {"score": 50, "factors": []}}
    store.apps.put_risk(app.id, "f", body)
    part = summary_part(app.id)
    row = AppSummary(
        app_id=app.id, provider=provider, name=app.name, kind="oauth", verdict="ai", confidence=0.98,
        holders=2, risk=50, product="Otter.ai", product_id="otter-ai", vendor="Otter.ai",
        product_evidence="domain",
    )  # fmt: skip
    rows = {one.app_id: one for one in store.apps.summary_parts([part])[part]} | {app.id: row}
    store.apps.put_summary_part(part, list(rows.values()))
    return app.id


def test_a_decision_is_the_products_and_shows_on_all_its_apps(
    world: World, planted: Planted, api: Client
) -> None:
    first, second = (_joined_app(world, planted, client) for client in ("otter-1", "otter-2"))
    seen = api("GET", f"/v1/apps/{first}")
    assert seen.json["same_product"][0]["app_id"] == second
    assert (seen.json["product_evidence"], seen.json["decision"]["status"]) == ("domain", None)
    tag = {"If-Match": seen.headers["ETag"]}
    put = api("PUT", f"/v1/apps/{first}/status", {"status": "restricted", "note": "n"}, headers=tag)
    assert (put.status, put.json["product_id"]) == (200, "otter-ai")
    other = api("GET", f"/v1/apps/{second}")
    assert other.json["decision"] == put.json | {"app_id": second}
    assert other.headers["ETag"] == put.headers["ETag"]
    assert api("PUT", f"/v1/apps/{second}/status", {"status": "approved"}, headers=tag).status == 412
    entry = list(world.store(planted.tenant_id).audit.entries())[-1]
    assert (entry.action, entry.subject, entry.detail["app"]) == ("product.decided", "otter-ai", first)
    messages = [work.body for _, work in world.store(planted.tenant_id).outbox.due(NOW + timedelta(days=1))]
    assert messages == [{"product_id": "otter-ai"}]
    alone = api("GET", f"/v1/apps/{planted.app_id}").json
    assert (alone["decision"]["status"], alone["same_product"]) == (None, [])
    assert alone["connections"][0]["data"] == ["files"]


def test_a_vendor_in_one_record_is_the_tenants_own(world: World, planted: Planted, api: Client) -> None:
    other = plant(world, 2)
    body = api("GET", "/v1/vendors/openai/blast-radius").json
    assert (body["vendor"], body["people"], body["data"]) == ("OpenAI", 1, ["files"])
    assert body["connections"][0]["apps"][0]["name"] == f"App {planted.canary}"
    assert body["completeness"][0] == {
        "connection_id": planted.connection_id, "provider": "google", "status": "active", "complete": False,
        "unread": 1, "last_full_at": None,
    }  # fmt: skip
    assert "Google Workspace could not be read completely" in body["exposure"]
    assert other.canary not in repr(body)
    people = api("GET", "/v1/vendors/openai/people", query={"connection_id": planted.connection_id}).json
    assert [row["principal_id"] for row in people["data"]] == [planted.principal_id]
    nobody = api("GET", "/v1/vendors/anthropic/blast-radius").json
    assert (nobody["people"], nobody["connections"]) == (0, [])
    assert api("GET", "/v1/vendors/no-such-vendor/blast-radius").status == 404
    query = {"connection_id": planted.connection_id}
    assert api("GET", "/v1/vendors/no-such-vendor/people", query=query).status == 404


def test_the_accounts_of_a_person(world: World, planted: Planted, api: Client) -> None:
    body = api("GET", f"/v1/persons/{planted.person_id}").json
    assert [one["principal_id"] for one in body["accounts"]] == [planted.principal_id]
    assert (body["departed"], body["privileged"], body["email"]) == (
        False,
        None,
        f"p0@{planted.canary}.example",
    )
    assert [(one["app_id"], one["name"]) for one in body["apps"]] == [
        (planted.app_id, f"App {planted.canary}")
    ]
    listed = api("GET", "/v1/principals", query={"person_id": planted.person_id}).json["data"]
    assert [row["id"] for row in listed] == [planted.principal_id]
    both = {"person_id": planted.person_id, "connection_id": planted.connection_id}
    assert api("GET", "/v1/principals", query=both).status == 400
