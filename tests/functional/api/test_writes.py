"""Decisions and acts through the API: preconditions, idempotency, audit, separation of duties."""

import random
from dataclasses import replace

import pytest

from lantern.domain import apikeys
from lantern.domain.audit import AuditEvent
from lantern.domain.errors import StorageError
from lantern.domain.work import Work
from lantern.runtime.api.application import ROUTES
from lantern.runtime.authorizer import authorize
from tests.functional.api.test_input import BODIES
from tests.functional.api.world import Client, Planted, World
from tests.support.memory_table import MemoryDynamo


def _audit(world: World, planted: Planted) -> list[tuple[str, str, str]]:
    return [(e.actor, e.action, e.subject) for e in world.store(planted.tenant_id).audit.entries()][1:]


def test_an_app_decision_is_audited_and_put_to_work(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/apps/{planted.app_id}"
    etag = api("GET", path).headers["ETag"]
    answer = api(
        "PUT", f"{path}/status", {"status": "restricted", "note": "no DPA"}, headers={"If-Match": etag}
    )
    assert answer.status == 200, answer.text
    assert answer.json["by"] == f"key:{api.key_id}"
    again = api("GET", path)
    assert again.headers["ETag"] == answer.headers["ETag"] != etag
    assert again.json["decision"] == answer.json
    assert _audit(world, planted) == [(f"key:{api.key_id}", "app.decided", planted.app_id)]
    (work,) = [w for _, w in world.store(planted.tenant_id).outbox.due(world.now.replace(year=2027))]
    assert work == Work(
        planted.tenant_id, "score.app", None, {"app_id": planted.app_id}, 0, f"key:{api.key_id}"
    )


def test_of_two_decisions_on_one_revision_one_is_refused(planted: Planted, api: Client) -> None:
    path = f"/v1/apps/{planted.app_id}/status"
    assert api("PUT", path, {"status": "approved"}, headers={"If-Match": '"0"'}).status == 200
    late = api("PUT", path, {"status": "not_allowed"}, headers={"If-Match": '"0"'})
    assert (late.status, late.json["code"]) == (412, "precondition_failed")
    assert late.headers["ETag"] == '"1"'


MUTABLE = [
    ("PUT", "/v1/apps/{app_id}/status", {"status": "approved"}),
    ("DELETE", "/v1/connections/{connection_id}", None),
    ("POST", "/v1/findings/{finding_id}/acknowledge", {}),
    ("POST", "/v1/findings/{finding_id}/resolve", {"resolution": "accepted", "reason": "r"}),
    ("POST", "/v1/findings/{finding_id}/snooze", {"until": "2026-04-01T00:00:00Z"}),
    ("POST", "/v1/findings/{finding_id}/exception", {"reason": "r", "until": "2026-04-01T00:00:00Z"}),
    ("POST", "/v1/findings/{finding_id}/feedback", {"verdict": "false_positive"}),
    ("POST", "/v1/jobs/{job_id}/approve", None),
    ("POST", "/v1/jobs/{job_id}/cancel", None),
    ("POST", "/v1/nudges/{nudge_id}/withdraw", None),
    ("POST", "/v1/requests/{request_id}/decide", {"decision": "decline"}),
    ("POST", "/v1/requests/{request_id}/withdraw", None),
    ("POST", "/v1/campaigns/{campaign_id}/close", None),
    ("POST", "/v1/campaigns/{campaign_id}/cancel", None),
    ("POST", "/v1/grants/{grant_id}/revoke", {}),
    ("DELETE", "/v1/catalog/entries/{entry_id}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), MUTABLE, ids=lambda v: v if isinstance(v, str) else "")
def test_a_change_says_which_revision_it_is_based_on(
    world: World, planted: Planted, api: Client, method: str, path: str, body: object
) -> None:
    where = path.format(**planted.parameters())
    blind = api(method, where, body)
    assert (blind.status, blind.json["code"]) == (428, "precondition_required")
    for tag in ('"77"', 'W/"1"', "1", '"', "nonsense"):
        stale = api(method, where, body, headers={"If-Match": tag})
        assert (stale.status, stale.json["code"]) == (412, "precondition_failed"), tag
    assert _audit(world, planted) == []
    assert world.queue.sent == []
    current = (
        '"0"'
        if "/apps/" in path
        else api("GET", where.rsplit("/", 1)[0] if body is not None or method == "POST" else where).headers[
            "ETag"
        ]
    )
    good = api(method, where, body, headers={"If-Match": f'"9", {current}'})
    assert good.status in (200, 202), good.text


def test_finding_transitions(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/findings/{planted.finding_id}"
    first = api("POST", f"{path}/acknowledge", {"reason": "mine"}, headers={"If-Match": '"1"'})
    assert (first.status, first.json["status"]) == (200, "acknowledged")
    second = api(
        "POST", f"{path}/resolve", {"resolution": "accepted"}, headers={"If-Match": first.headers["ETag"]}
    )
    assert (second.status, second.json["errors"][0]["pointer"]) == (400, "/reason")
    third = api(
        "POST",
        f"{path}/resolve",
        {"resolution": "accepted", "reason": "pilot"},
        headers={"If-Match": first.headers["ETag"]},
    )
    assert (third.status, third.json["status"], third.json["resolution"]) == (200, "resolved", "accepted")
    closed = api("POST", f"{path}/acknowledge", {}, headers={"If-Match": "*"})
    assert (closed.status, closed.json["code"]) == (409, "conflict")
    assert closed.json["detail"] == "A resolved finding cannot be acknowledged."
    assert api("GET", path).json == third.json
    assert [action for _, action, _ in _audit(world, planted)] == ["finding.acknowledged", "finding.resolved"]
    assert api("GET", "/v1/findings", query={"status": "open"}).json["data"] == []
    (row,) = api("GET", "/v1/findings", query={"status": "resolved"}).json["data"]
    assert row["id"] == planted.finding_id


def test_acknowledging_twice_changes_nothing(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/findings/{planted.finding_id}/acknowledge"
    api("POST", path, {}, headers={"If-Match": "*"})
    again = api("POST", path, {}, headers={"If-Match": "*"})
    assert (again.status, again.headers["ETag"]) == (200, '"2"')
    assert len(_audit(world, planted)) == 1


@pytest.mark.parametrize("until", ["2026-02-28T00:00:00Z", "2028-01-01T00:00:00Z"])
def test_an_exception_ends_within_a_year(planted: Planted, api: Client, until: str) -> None:
    path = f"/v1/findings/{planted.finding_id}/exception"
    answer = api("POST", path, {"reason": "r", "until": until}, headers={"If-Match": "*"})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/until")
    assert answer.json["detail"].endswith(".")


def test_nobody_approves_their_own_job(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/jobs/{planted.job_id}"
    etag = api("GET", path).headers["ETag"]
    requester = Client(world, planted.tenant_id, key_id="key_requester", scopes="remediate")
    own = requester("POST", f"{path}/approve", headers={"If-Match": etag})
    assert (own.status, own.json["code"]) == (403, "forbidden")
    done = api("POST", f"{path}/approve", headers={"If-Match": etag})
    assert (done.status, done.json["approved_by"]) == (202, f"key:{api.key_id}")
    twice = api("POST", f"{path}/approve", headers={"If-Match": done.headers["ETag"]})
    assert (twice.status, twice.json["code"]) == (409, "conflict")
    assert [action for _, action, _ in _audit(world, planted)] == ["job.approved"]


def test_a_revocation_is_a_job(world: World, planted: Planted, api: Client) -> None:
    asked = api("POST", "/v1/grants/revoke", {"grant_ids": [planted.grant_id], "reason": "r"})
    assert asked.status == 202, asked.text
    assert (asked.json["requested_by"], asked.json["reason"]) == (f"key:{api.key_id}", "r")
    assert asked.json["plan"]["targets"] == 1
    assert asked.headers["Location"] == f"/v1/jobs/{asked.json['id']}"
    read = api("GET", asked.headers["Location"])
    assert (read.json, read.headers["ETag"]) == (asked.json, asked.headers["ETag"])
    (target,) = api("GET", f"{asked.headers['Location']}/actions").json["data"]
    assert (target["target_id"], target["state"]) == (planted.grant_id, "planned")


def test_a_dry_run_says_what_would_go_and_stores_nothing(world: World, planted: Planted, api: Client) -> None:
    before = api("GET", "/v1/jobs").json
    answer = api("POST", "/v1/grants/revoke", {"app_id": planted.app_id, "dry_run": True})
    assert (answer.status, answer.json["state"], answer.json["plan"]["targets"]) == (200, "planned", 1)
    assert "Location" not in answer.headers
    assert api("GET", "/v1/jobs").json == before
    assert _audit(world, planted) == []


def test_sync_puts_one_message_on_the_queue(world: World, planted: Planted, api: Client) -> None:
    answer = api("POST", f"/v1/connections/{planted.connection_id}/sync")
    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/connections/{planted.connection_id}/runs"
    assert world.queue.sent == [
        Work(planted.tenant_id, "connection.full", planted.connection_id, cause=f"key:{api.key_id}")
    ]


def test_headers_of_mail_are_a_choice_that_a_worker_carries_out(
    world: World, planted: Planted, api: Client
) -> None:
    path = f"/v1/connections/{planted.connection_id}/mail-headers"
    assert api("GET", path).json["state"] == "never_asked"
    assert api("DELETE", path).status == 409
    asked = api("POST", path)
    assert (asked.status, asked.json["state"], asked.json["client_id"]) == (202, "asked", None)
    store = world.store(planted.tenant_id)
    (work,) = [w for _, w in store.outbox.due(world.now.replace(year=2027))]
    assert (work.kind, work.connection_id) == ("connection.mail", planted.connection_id)
    assert "mail.asked" in [action for _, action, _ in _audit(world, planted)]
    ended = api("DELETE", path)
    assert (ended.status, ended.json["state"]) == (202, "ending")
    assert api("POST", path).status == 409
    assert "mail.ended" in [action for _, action, _ in _audit(world, planted)]


def test_disconnect_marks_and_puts_to_work_at_once(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/connections/{planted.connection_id}"
    etag = api("GET", path).headers["ETag"]
    answer = api("DELETE", path, headers={"If-Match": etag})
    assert (answer.status, answer.json["status"]) == (202, "disconnecting")
    (work,) = [w for _, w in world.store(planted.tenant_id).outbox.due(world.now.replace(year=2027))]
    assert (work.kind, work.connection_id) == ("connection.disconnect", planted.connection_id)
    assert api("DELETE", path, headers={"If-Match": "*"}).status == 409
    assert api("POST", f"{path}/sync").status == 409
    assert world.queue.sent == []


def test_a_consent_link_is_given_once(world: World, api: Client) -> None:
    headers = {"Idempotency-Key": "a"}
    first = api("POST", "/v1/connections", {"provider": "google"}, headers=headers)
    assert (first.status, first.json["url"][:8]) == (201, "https://")
    again = api("POST", "/v1/connections", {"provider": "google"}, headers=headers)
    assert (again.status, again.json) == (201, {"url": None})
    assert again.headers["Idempotency-Replayed"] == "true"


def test_repairing_names_a_connection_of_the_same_provider(planted: Planted, api: Client) -> None:
    body = {"provider": "okta", "connection_id": planted.connection_id}
    assert api("POST", "/v1/connections", body).status == 409
    assert api("POST", "/v1/connections", {**body, "provider": "google"}).status == 201


def test_a_key_is_shown_once_and_stored_nowhere(
    world: World, planted: Planted, api: Client, dynamo: MemoryDynamo
) -> None:
    headers = {"Idempotency-Key": "issue-1"}
    body = {"name": "ci", "scopes": ["write", "read"]}
    first = api("POST", "/v1/keys", body, headers=headers)
    assert first.status == 201, first.text
    text = first.json["key"]
    secret = text.split("_")[-1]
    assert apikeys.parse(text) is not None
    again = api("POST", "/v1/keys", body, headers=headers)
    assert again.json == {**first.json, "key": None}
    listed = api("GET", "/v1/keys").json["data"]
    assert [row["name"] for row in listed if row["id"] == first.json["id"]] == ["ci"]
    for table in ("tenants", "platform"):
        assert secret not in repr(list(dynamo.items(table)))
    assert _audit(world, planted) == [(f"key:{api.key_id}", "key.issued", first.json["id"])]


def test_a_key_names_its_holder(planted: Planted, api: Client) -> None:
    body = {"name": "desk", "scopes": ["remediate"]}
    refused = api("POST", "/v1/keys", {**body, "person_id": "per_0000000000000000"})
    assert refused.status == 404
    made = api("POST", "/v1/keys", {**body, "person_id": planted.person_id}).json
    listed = {row["id"]: row["person_id"] for row in api("GET", "/v1/keys").json["data"]}
    assert (made["person_id"], listed[made["id"]]) == (planted.person_id, planted.person_id)
    assert None in listed.values()


def test_an_issued_key_opens_the_door_until_it_is_revoked(
    world: World, planted: Planted, api: Client
) -> None:
    from lantern.store.platform import TenantEntry

    world.platform.put_tenant(TenantEntry(planted.tenant_id, "T", "active", world.now))
    key = api("POST", "/v1/keys", {"name": "ci", "scopes": ["read"]}).json
    event = {
        "methodArn": "arn:aws:execute-api:eu-west-1:1:api/test/GET/v1/tenant",
        "headers": {"authorization": f"Bearer {key['key']}"},
    }
    good = authorize(event, lambda: world.platform, "test")
    assert good["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    assert good["context"] == {
        "tenantId": planted.tenant_id,
        "keyId": key["id"],
        "scopes": "read",
        "tenantStatus": "active",
    }
    assert api("DELETE", f"/v1/keys/{key['id']}").json["revoked_at"] is not None
    assert api("DELETE", f"/v1/keys/{key['id']}").status == 200
    bad = authorize(event, lambda: world.platform, "test")
    assert bad["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert [action for _, action, _ in _audit(world, planted)] == ["key.issued", "key.revoked"]


def test_one_idempotency_key_has_one_effect(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/connections/{planted.connection_id}/sync"
    answers = [api("POST", path, headers={"Idempotency-Key": "k"}) for _ in range(3)]
    assert [a.status for a in answers] == [202] * 3
    assert len({a.text for a in answers}) == 1
    assert len({a.headers["Location"] for a in answers}) == 1
    assert len(world.queue.sent) == 1
    other = api("POST", "/v1/grants/revoke", {"app_id": planted.app_id}, headers={"Idempotency-Key": "k"})
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    someone = Client(world, planted.tenant_id, key_id="key_b")
    assert someone("POST", path, headers={"Idempotency-Key": "k"}).status == 202
    assert len(world.queue.sent) == 2


def test_a_refused_request_frees_its_idempotency_key(world: World, planted: Planted, api: Client) -> None:
    path, headers = f"/v1/findings/{planted.finding_id}/resolve", {"Idempotency-Key": "k", "If-Match": "*"}
    body = {"resolution": "accepted"}
    assert api("POST", path, body, headers=headers).status == 400
    assert api("POST", path, body | {"reason": "r"}, headers=headers).status == 200


def test_after_a_lost_reply_the_key_stays_claimed_until_it_expires(
    world: World, planted: Planted, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, headers = f"/v1/connections/{planted.connection_id}/sync", {"Idempotency-Key": "k"}

    def lost(work: Work, delay_s: int = 0) -> None:
        world.queue.sent.append(work)
        raise StorageError("no reply")

    with monkeypatch.context() as broken:
        broken.setattr(world.queue, "send", lost)
        assert api("POST", path, headers=headers).status == 503
    waiting = api("POST", path, headers=headers)
    assert (waiting.status, waiting.json["code"]) == (409, "request_in_progress")
    world.now = world.now.replace(minute=5)
    assert api("POST", path, headers=headers).status == 202


def test_an_idempotency_record_lives_among_the_tenants_own_keys(
    world: World, planted: Planted, api: Client, dynamo: MemoryDynamo
) -> None:
    api("POST", f"/v1/connections/{planted.connection_id}/sync", headers={"Idempotency-Key": "k"})
    items = dynamo.items("tenants")
    (record,) = [item for item in items if item["kind"]["S"] == "idempotency"]
    assert record["pk"]["S"] == f"T#{planted.tenant_id}#IDEM"
    assert int(record["ttl"]["N"]) == int(world.now.timestamp()) + 86_400


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [("", 0), ("read", 1), ("write", 2), ("remediate", 2), ("write remediate", 3), ("admin", 4), ("root", 0)],
)
def test_scopes(world: World, planted: Planted, scopes: str, allowed: int) -> None:
    api = Client(world, planted.tenant_id, scopes=scopes)
    answers = [
        api("GET", "/v1/tenant"),
        api("POST", f"/v1/connections/{planted.connection_id}/sync"),
        api("POST", "/v1/grants/revoke", {"app_id": planted.app_id, "dry_run": True}),
        api("POST", "/v1/keys", {"name": "x", "scopes": ["read"]}),
    ]
    assert sum(answer.status < 300 for answer in answers) == allowed
    for answer in answers:
        if answer.status >= 300:
            assert (answer.status, answer.json["code"]) == (403, "scope_missing")


def test_a_suspended_tenant_gets_nothing(world: World, planted: Planted) -> None:
    for status in ("suspended", "deleting", "", "Active"):
        world.calls.clear()
        answer = Client(world, planted.tenant_id, status=status)("GET", "/v1/apps")
        assert (answer.status, answer.json["code"]) == (403, "tenant_suspended")
        assert world.calls == []


def test_the_rate_limit_is_per_key(world: World, planted: Planted) -> None:
    world.tools = replace(world.tools, requests_per_minute=2)
    one, two = (Client(world, planted.tenant_id, key_id=name) for name in ("key_one", "key_two"))
    left = [one("GET", "/v1/tenant") for _ in range(3)]
    assert [a.status for a in left] == [200, 200, 429]
    assert left[0].headers["RateLimit-Policy"] == '"key";q=2;w=60'
    assert left[0].headers["RateLimit"] == '"key";r=1;t=45'
    assert left[2].headers["Retry-After"] == "45"
    assert left[2].headers["RateLimit"] == '"key";r=0;t=45'
    assert two("GET", "/v1/tenant").status == 200
    world.now = world.now.replace(minute=1, second=0)
    assert one("GET", "/v1/tenant").status == 200


def _forge(world: World, planted: Planted, seq: int, **change: str) -> None:
    """Edit a stored audit entry behind the store's back."""
    import msgspec

    store = world.store(planted.tenant_id)
    key = store.documents.keys.audit_entry(seq)
    doc = store.documents.get(key)
    body = msgspec.json.decode(doc.body) | change
    store.documents.put(replace(doc, body=msgspec.json.encode(body)), None)


def test_the_audit_chain_is_verified_part_by_part(
    world: World, planted: Planted, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lantern.services import queries

    monkeypatch.setattr(queries, "VERIFY_ENTRIES", 2)
    for number in range(4):
        world.store(planted.tenant_id).transact(world.now).audit(AuditEvent("a", f"b{number}", "c")).commit()

    def verify() -> list[dict]:
        parts, cursor = [], None
        for _ in range(9):
            body = api("GET", "/v1/audit/verify", query={"cursor": cursor} if cursor else {}).json
            parts.append(body)
            cursor = body["next_cursor"]
            if cursor is None:
                break
        return parts

    parts = verify()
    assert [part["verified_through"] for part in parts] == [2, 4, 5]
    assert all(part["sound"] for part in parts)
    assert parts[-1]["head_seq"] == 5
    _forge(world, planted, 4, actor="someone else")
    bad = verify()[-1]
    assert (bad["sound"], bad["first_bad_seq"], bad["verified_through"]) == (False, 4, 3)


def test_a_chain_cut_off_at_its_end_is_noticed(world: World, planted: Planted, api: Client) -> None:
    store = world.store(planted.tenant_id)
    for number in range(3):
        store.transact(world.now).audit(AuditEvent("a", f"b{number}", "c")).commit()
    store.documents.delete(store.documents.keys.audit_entry(4))
    first = api("GET", "/v1/audit/verify").json
    assert (first["sound"], first["verified_through"], first["head_seq"]) == (True, 3, 4)
    second = api("GET", "/v1/audit/verify", query={"cursor": first["next_cursor"]}).json
    assert (second["sound"], second["first_bad_seq"]) == (False, 4)


def test_an_entry_beyond_the_head_is_noticed(world: World, planted: Planted, api: Client) -> None:
    store = world.store(planted.tenant_id)
    head = store.documents.get(store.documents.keys.audit_head())
    store.transact(world.now).audit(AuditEvent("a", "b", "c")).commit()
    store.documents.put(head, None)
    body = api("GET", "/v1/audit/verify").json
    assert (body["sound"], body["first_bad_seq"]) == (False, 2)


def test_keys_are_drawn_from_the_injected_source(world: World, api: Client) -> None:
    assert world.random is not random.randbytes
    first = api("POST", "/v1/keys", {"name": "a", "scopes": ["read"]}).json["key"]
    second = api("POST", "/v1/keys", {"name": "a", "scopes": ["read"]}).json["key"]
    assert first != second


def test_what_is_made_or_begun_tells_where_it_is(planted: Planted, api: Client) -> None:
    """Every 201 and 202 has a `Location` that answers, as the document has it; nothing else has one."""
    seen = set()
    for route in sorted(ROUTES, key=lambda one: (one.method == "DELETE", one.operation == "disconnect")):
        if route.method == "GET" or route.upload:
            continue
        path, body = route.path.format(**planted.parameters()), BODIES.get(route.operation)
        answer = api(route.method, path, body, headers={"If-Match": "*"} if route.if_match else {})
        where = answer.headers.get("Location")
        assert (where is not None) == (answer.status in {201, 202} and route.located), route.operation
        if where is not None:
            seen.add(route.operation)
            assert api("GET", where).status == 200, where
    assert seen >= {
        *("addAlertChannel", "addCatalogEntry", "addRule", "addWebhookEndpoint", "testAlertChannel"),
        *("testWebhookEndpoint", "readMailHeaders", "endMailHeaders", "syncConnection", "disconnect"),
    }
