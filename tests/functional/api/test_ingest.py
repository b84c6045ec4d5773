"""Feeds, logs and addresses for large files, by the API."""

import base64
import gzip
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from lantern.runtime.api.application import handle
from lantern.runtime.api.validation import MAX_UPLOAD_BYTES
from tests.functional.api.world import TENANT_TABLE, Client, Planted, World, plant
from tests.support.memory_table import MemoryDynamo
from tests.unit.imports.log_samples import LOGS, PLAIN
from tests.unit.imports.samples import GAM

CSV = {"Content-Type": "text/csv"}
FEED = "user,app,client_id\nada@x.example,ChatGPT,c1\n"
UPLOAD: dict[str, Any] = {
    "kind": "logs", "content_type": "application/gzip", "size": 12,
    "sha256": hashlib.sha256(b"x").hexdigest(),
}  # fmt: skip


def waiting(world: World, planted: Planted) -> list[str]:
    """Imports that a message is on the way for."""
    due = world.store(planted.tenant_id).outbox.due(world.now.replace(year=2030))
    return [work.body["import_id"] for _, work in due if work.kind == "import.read"]


def test_a_log_is_accepted_and_read_in_the_background(world: World, planted: Planted, api: Client) -> None:
    answer = api("POST", "/v1/ingest/logs", raw=PLAIN, headers=CSV, query={"source": "proxy-1"})
    assert answer.status == 202, answer.text
    body = answer.json
    assert (body["kind"], body["source"], body["format"], body["state"]) == (
        "logs",
        "proxy-1",
        "log-csv",
        "waiting",
    )
    assert (body["visits"], body["candidates"], body["same_as"]) == (None, [], None)
    assert api("GET", answer.headers["Location"]).json == body
    assert waiting(world, planted) == [body["id"]]


@pytest.mark.parametrize("name", LOGS)
def test_every_log_is_accepted(api: Client, name: str) -> None:
    expected, text, _ = LOGS[name]
    kind = "application/x-ndjson" if text.startswith("{") else "text/plain; charset=utf-8"
    answer = api("POST", "/v1/ingest/logs", raw=text, headers={"Content-Type": kind})
    assert (answer.status, answer.json["format"]) == (202, expected)


def test_a_feed_is_accepted_as_csv_and_json(api: Client) -> None:
    answer = api(
        "POST", "/v1/ingest/inventory", raw=FEED, headers=CSV, query={"source": "cmdb", "provider": "okta"}
    )
    assert (answer.status, answer.json["format"], answer.json["kind"]) == (202, "inventory-csv", "inventory")
    answer = api("POST", "/v1/ingest/inventory", {"items": [{"user": "ada@x.example", "app": "ChatGPT"}]})
    assert (answer.status, answer.json["format"]) == (202, "inventory-json")


@pytest.mark.parametrize(
    ("path", "raw", "says"),
    [
        ("/v1/ingest/logs", FEED, "This is CSV inventory"),
        ("/v1/ingest/logs", GAM, "This is GAM"),
        ("/v1/ingest/logs", "hello\n", "'hello'"),
        ("/v1/ingest/inventory", PLAIN, "This is CSV log"),
        ("/v1/ingest/inventory", "a,b\n1,2\n", "'a,b'"),
    ],
)
def test_what_is_something_else_is_refused_with_what_was_expected(
    api: Client, path: str, raw: str, says: str
) -> None:
    answer = api("POST", path, raw=raw, headers=CSV)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert says in answer.text
    assert "Expected one of" in answer.text


@pytest.mark.parametrize("path", ["/v1/ingest/logs", "/v1/ingest/inventory"])
def test_types_sizes_scopes_and_parameters(world: World, planted: Planted, api: Client, path: str) -> None:
    raw = PLAIN if path.endswith("logs") else FEED
    for kind in ("", "text/html", "multipart/form-data", "application/octet-stream"):
        answer = api("POST", path, raw=raw, headers={"Content-Type": kind})
        assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    answer = api("POST", path, raw="x" * (MAX_UPLOAD_BYTES + 1), headers=CSV)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert "/v1/ingest/uploads" in answer.json["detail"]
    reader = Client(world, planted.tenant_id, scopes="read")
    assert reader("POST", path, raw=raw, headers=CSV).json["code"] == "scope_missing"
    for query in ({"source": "A B"}, {"source": "x" * 65}, {"source": "../x"}, {"tenant_id": "x"}):
        assert api("POST", path, raw=raw, headers=CSV, query=query).status == 400, query
    once = {**CSV, "Idempotency-Key": "key-0001"}
    first = api("POST", path, raw=raw, headers=once)
    assert api("POST", path, raw=raw, headers=once).json == first.json
    assert waiting(world, planted) == [first.json["id"]]


def packed(world: World, planted: Planted, content: bytes) -> Any:
    """A packed body, as API Gateway hands on a binary type."""
    event = {
        "path": "/v1/ingest/logs",
        "httpMethod": "POST",
        "headers": {"content-type": "application/gzip"},
        "requestContext": {
            "authorizer": {
                "tenantId": planted.tenant_id, "keyId": "key_a", "scopes": "admin", "tenantStatus": "active",
            }
        },
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }  # fmt: skip
    return handle(event, lambda: world.tools)


def test_a_log_may_be_packed_and_a_bomb_is_refused_soon(world: World, planted: Planted) -> None:
    assert packed(world, planted, gzip.compress(PLAIN.encode()))["statusCode"] == 202
    cut = packed(world, planted, gzip.compress(PLAIN.encode())[:-12])
    assert (cut["statusCode"], "cut off" in cut["body"]) == (400, True)
    bomb = packed(world, planted, gzip.compress(b"x" * 80_000_000))
    assert (bomb["statusCode"], "when unpacked" in bomb["body"]) == (400, True)
    damaged = bytearray(gzip.compress(PLAIN.encode()))
    damaged[12] ^= 0xFF
    assert packed(world, planted, bytes(damaged))["statusCode"] == 400


def test_an_address_is_given_for_one_file(world: World, planted: Planted, api: Client) -> None:
    answer = api("POST", "/v1/ingest/uploads", UPLOAD)
    assert answer.status == 201, answer.text
    body = answer.json
    assert (body["method"], body["headers"]["Content-Length"]) == ("PUT", "12")
    assert set(body["headers"]) == {"Content-Length", "Content-Type", "x-amz-checksum-sha256"}
    assert f"/{planted.tenant_id}/{body['upload_id']}?" in body["url"]
    assert body["expires_at"] == "2026-03-01T12:15:15Z"
    shown = api("GET", f"/v1/imports/{body['upload_id']}").json
    assert (shown["state"], shown["size"], shown["format"]) == ("uploading", 12, "")
    assert waiting(world, planted) == []
    done = api("POST", f"/v1/ingest/uploads/{body['upload_id']}/complete")
    assert (done.status, done.json["state"]) == (202, "uploading")
    assert waiting(world, planted) == [body["upload_id"]]


def test_an_address_is_told_once_and_never_kept(planted: Planted, api: Client, dynamo: MemoryDynamo) -> None:
    headers = {"Idempotency-Key": "upload-0001"}
    first = api("POST", "/v1/ingest/uploads", UPLOAD, headers=headers)
    again = api("POST", "/v1/ingest/uploads", UPLOAD, headers=headers)
    assert (again.status, again.json["upload_id"], again.json["url"]) == (201, first.json["upload_id"], None)
    stored = [str(item) for item in dynamo.items(TENANT_TABLE)]
    assert stored
    assert not [one for one in stored if "X-Amz-Signature" in one]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"size": 0}, "/size"),
        ({"size": 512 * 1024 * 1024 + 1}, "/size"),
        ({"size": 64 * 1024 * 1024 + 1, "kind": "export"}, "/size"),
        ({"size": "12"}, "/size"),
        ({"content_type": "text/html"}, "/content_type"),
        ({"content_type": "text/csv\r\nX-Evil: 1"}, "/content_type"),
        ({"sha256": "abc"}, "/sha256"),
        ({"sha256": "A" * 64}, "/sha256"),
        ({"kind": "secrets"}, "/kind"),
        ({"source": "A/B"}, "/source"),
        ({"provider": "web"}, "/provider"),
        ({"tenant_id": "x"}, "/tenant_id"),
        ({"key": "other/imp_1"}, "/key"),
    ],
)
def test_what_is_asked_for_is_checked(api: Client, change: dict[str, Any], field: str) -> None:
    answer = api("POST", "/v1/ingest/uploads", {**UPLOAD, **change})
    assert (answer.status, answer.json["code"]) == (400, "invalid_request"), answer.text
    assert field in answer.text


def test_an_upload_is_nobody_elses(world: World, planted: Planted, api: Client) -> None:
    other = Client(world, plant(world, 4711).tenant_id)
    upload = api("POST", "/v1/ingest/uploads", UPLOAD).json["upload_id"]
    theirs = other("POST", "/v1/ingest/uploads", UPLOAD).json
    assert f"/{other.tenant_id}/" in theirs["url"]
    assert planted.tenant_id not in theirs["url"]
    for path in (f"/v1/ingest/uploads/{upload}/complete", f"/v1/ingest/uploads/{planted.import_id}/complete"):
        answer = other("POST", path)
        assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert other("GET", f"/v1/imports/{upload}").status == 404
    # An import that came in a request is no upload, not even its own tenant's.
    assert api("POST", f"/v1/ingest/uploads/{planted.import_id}/complete").status == 404
    assert waiting(world, planted) == []
    for wrong in ("imp_unknown", "..", "a%2Fb"):
        assert api("POST", f"/v1/ingest/uploads/{wrong}/complete").status in (400, 404)


def test_a_connection_of_logs_is_shown_and_cannot_be_asked_for(
    world: World, planted: Planted, api: Client
) -> None:
    store = world.store(planted.tenant_id)
    known = store.connections.get(planted.connection_id)
    assert known is not None
    store.connections.put(replace(known, id="con_logs", provider="web", kind="import", rev=0))
    assert api("GET", "/v1/connections/con_logs").json["provider"] == "web"
    assert "con_logs" in [one["id"] for one in api("GET", "/v1/connections").json["data"]]
    assert api("POST", "/v1/connections", {"provider": "web"}).status == 400
