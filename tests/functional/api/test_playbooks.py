"""Playbooks, incidents and evidence through the API."""

from dataclasses import replace
from datetime import timedelta

from lantern.domain.tenancy import Coverage
from tests.functional.api.world import Client, Planted, World


def _counted(world: World, planted: Planted) -> None:
    """The connection has had a full run, so that shares of it are known."""
    store = world.store(planted.tenant_id)
    connection = store.connections.get(planted.connection_id)
    run = store.runs.get(planted.connection_id, planted.run_id)
    assert connection is not None
    assert run is not None
    store.runs.put(replace(run, coverage=Coverage(100, 100)))
    store.connections.put(replace(connection, last_full_run=run.id))


def test_a_run_is_tried_started_approved_by_another_and_cancelled(
    world: World, planted: Planted, api: Client
) -> None:
    _counted(world, planted)
    other = Client(world, planted.tenant_id, key_id="key_b")
    path = "/v1/playbooks/stale-grant-clean-up/runs"
    tried = api("POST", path, {"app_id": planted.app_id, "dry_run": True})
    assert [one["comes_to"] for one in tried.json["targets"][0]["would"]] == ["keep"]  # the planted exception
    world.now += timedelta(days=8)
    tried = api("POST", path, {"app_id": planted.app_id, "dry_run": True})
    assert (tried.status, tried.json["approval"]) == (200, "waiting")
    assert [(one["about"], one["comes_to"]) for one in tried.json["targets"][0]["would"]] == [
        ("Ask the holder whether it is still needed (at most 10 days)", "silence"),
        ("Somebody else allows the revocation (at most 14 days)", "approved"),
        # The connection was not given the permission: the steps are an administrator's.
        ("Revoke the grant", "manual"),
        ("See whether an administrator took it away (at most 14 days)", "still_there"),
        ("Tell whoever asked what is left", "told"),
    ]
    assert len(api("GET", "/v1/playbook-runs").json["data"]) == 1  # the planted one

    key = {"Idempotency-Key": "once"}
    started = api("POST", path, {"app_id": planted.app_id}, headers=key)
    again = api("POST", path, {"app_id": planted.app_id}, headers=key)
    assert (started.status, again.json["id"]) == (202, started.json["id"])
    at = started.headers["Location"]
    etag = started.headers["ETag"]
    assert api("POST", f"{at}/approve").status == 428
    assert api("POST", f"{at}/approve", headers={"If-Match": etag}).json["code"] == "forbidden"
    approved = other("POST", f"{at}/approve", headers={"If-Match": etag})
    assert (approved.status, approved.json["approved_by"]) == (202, "key:key_b")
    late = other("POST", f"{at}/cancel", headers={"If-Match": etag})
    assert (late.status, late.json["code"]) == (412, "precondition_failed")
    assert other("POST", f"{at}/decline", headers={"If-Match": "*"}).status == 409
    stopped = other("POST", f"{at}/cancel", headers={"If-Match": approved.headers["ETag"]})
    assert (stopped.json["state"], stopped.json["cancelled_by"]) == ("cancelled", "key:key_b")
    log = [e for e in api("GET", "/v1/audit").json["data"] if e["subject"] == started.json["id"]]
    assert [e["action"] for e in log] == ["playbook.started", "playbook.approved", "playbook.cancelled"]
    assert log[1]["detail"]["before"] == "waiting"


def test_a_person_is_offboarded_in_one_call(world: World, planted: Planted, api: Client) -> None:
    _counted(world, planted)
    path = f"/v1/persons/{planted.person_id}/offboard"
    body = api("POST", path, {"dry_run": True}).json
    assert sorted(one["kind"] for one in body["targets"]) == ["account", "asset", "grant"]
    started = api("POST", path, {"reason": "left"})
    assert (started.status, started.json["approval"]) == (202, "waiting")
    proof = api("GET", f"/v1/evidence/offboarding/{started.json['id']}").json
    assert (proof["proof"]["sound"], len(proof["lines"])) == (True, 3)
    assert proof["lines"][0]["account"] == f"p0@{planted.canary}.example"


def test_an_incident_answers_with_exposure_and_plan(world: World, planted: Planted, api: Client) -> None:
    _counted(world, planted)
    asked = {"vendor_id": "openai", "occurred_at": "2026-02-01T00:00:00Z", "summary": "Tokens were stolen"}
    tried = api("POST", "/v1/incidents", {**asked, "dry_run": True})
    assert (tried.status, tried.json["run"]["approval"]) == (200, "waiting")
    raised = api("POST", "/v1/incidents", asked)
    found = raised.json["incident"]
    assert (raised.status, found["people"], found["grants"], found["data"]) == (201, 1, 1, ["files"])
    assert found["exposed_from"] == "2026-02-01T00:00:00Z"
    assert found["exposed_until"] is None
    assert raised.json["run"]["incident_id"] == found["id"]
    page = api("GET", f"/v1/evidence/incident/{found['id']}", query={"format": "html"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "Tokens were stolen" in page.text
    assert api("POST", "/v1/incidents", {**asked, "occurred_at": "2027-01-01T00:00:00Z"}).status == 400
    assert api("POST", "/v1/incidents", {**asked, "vendor_id": "nobody"}).status == 404
