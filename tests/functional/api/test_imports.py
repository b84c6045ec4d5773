"""Handing in a file by the API."""

import base64

import pytest

from lantern.runtime.api.application import handle
from lantern.runtime.api.validation import MAX_UPLOAD_BYTES
from tests.functional.api.world import Client, Planted, World
from tests.unit.imports.samples import GAM, SAMPLES

CSV = {"Content-Type": "text/csv"}


def test_a_file_is_accepted_and_read_in_the_background(world: World, planted: Planted, api: Client) -> None:
    answer = api("POST", "/v1/imports", raw=GAM, headers=CSV)
    assert answer.status == 202, answer.text
    body = answer.json
    assert (body["state"], body["format"], body["size"]) == ("waiting", "gam-tokens", len(GAM))
    assert answer.headers["Location"] == f"/v1/imports/{body['id']}"
    assert api("GET", answer.headers["Location"]).json == body
    store = world.store(planted.tenant_id)
    assert store.imports.content(body["id"]) == GAM.encode()
    (waiting,) = [
        work for _, work in store.outbox.due(world.now.replace(year=2030)) if work.kind == "import.read"
    ]
    assert (waiting.body, waiting.connection_id) == ({"import_id": body["id"]}, None)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_accepted(api: Client, name: str) -> None:
    expected, text = SAMPLES[name]
    kind = "application/json" if text.startswith(("{", "[")) else "text/csv; charset=utf-8"
    answer = api("POST", "/v1/imports", raw=text, headers={"Content-Type": kind})
    assert (answer.status, answer.json["format"]) == (202, expected)


def test_what_nobody_recognises_says_what_was_expected(api: Client) -> None:
    answer = api("POST", "/v1/imports", raw="hello\nworld\n", headers=CSV)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert "GAM tokens CSV" in answer.text
    assert "'hello'" in answer.text


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "multipart/form-data"])
def test_other_types_are_refused(api: Client, kind: str) -> None:
    answer = api("POST", "/v1/imports", raw=GAM, headers={"Content-Type": kind})
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    assert "text/csv or application/json" in answer.json["detail"]


def test_a_file_has_a_limit(api: Client) -> None:
    answer = api("POST", "/v1/imports", raw="x" * (MAX_UPLOAD_BYTES + 1), headers=CSV)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert str(MAX_UPLOAD_BYTES) in answer.json["detail"]
    assert api("POST", "/v1/imports", raw="", headers=CSV).status == 400
    head, _, _ = GAM.partition("\n")
    rows = "".join(f"p{n}@x.example,c,ChatGPT,,,{n},openid\n" for n in range(50_000))
    assert len(rows) < MAX_UPLOAD_BYTES
    assert api("POST", "/v1/imports", raw=f"{head}\n{rows}", headers=CSV).status == 202


def test_a_repeated_request_hands_in_once(world: World, planted: Planted, api: Client) -> None:
    headers = {**CSV, "Idempotency-Key": "k1"}
    first = api("POST", "/v1/imports", raw=GAM, headers=headers)
    again = api("POST", "/v1/imports", raw=GAM, headers=headers)
    assert first.json == again.json
    assert len(world.store(planted.tenant_id).imports.page(10).items) == 3  # and the planted ones


def test_scopes_and_parameters(world: World, planted: Planted, api: Client) -> None:
    reader = Client(world, planted.tenant_id, scopes="read")
    assert reader("POST", "/v1/imports", raw=GAM, headers=CSV).json["code"] == "scope_missing"
    assert reader("GET", f"/v1/imports/{planted.import_id}").status == 200
    for query in ({"provider": "gogle"}, {"tenant_id": "x"}):
        assert api("POST", "/v1/imports", raw=GAM, headers=CSV, query=query).status == 400
    assert api("POST", "/v1/imports", raw=GAM, headers=CSV, query={"provider": "okta"}).status == 202


def test_a_file_may_come_in_base64(world: World, planted: Planted) -> None:
    event = {
        "path": "/v1/imports",
        "httpMethod": "POST",
        "headers": {"content-type": "text/csv"},
        "requestContext": {
            "authorizer": {
                "tenantId": planted.tenant_id, "keyId": "key_a", "scopes": "admin", "tenantStatus": "active",
            }
        },
        "body": base64.b64encode(GAM.encode("utf-16")).decode(),
        "isBase64Encoded": True,
    }  # fmt: skip
    assert handle(event, lambda: world.tools)["statusCode"] == 202
