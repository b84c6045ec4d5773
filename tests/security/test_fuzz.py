"""Malformed values in every place of every operation of the document: refused or answered, never a 5xx."""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from lantern.runtime.api.application import document
from tests.functional.api.conftest import planted, world  # noqa: F401 - fixtures
from tests.functional.api.world import Client, Planted, World

TEXTS = [
    "",
    " ",
    "0",
    "-1",
    "1e309",
    "NaN",
    "99999999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    "'",
    '"',
    "\x00",
    "\r\nX-Injected: 1",
    "../../etc/passwd",
    "%2e%2e%2f",
    "<script>alert(1)</script>",
    "\u202egpj.exe",
    "\ud800",
    "🦊" * 50,
    "a" * 5_000,
    "T#aaaaaaaaaaaaaaaaaaaa#TENANT",
    "con_0000000000000000",
    "2026-13-45T99:99:99Z",
    "-9999-01-01",
    "attribute_exists(pk)",
    "${jndi:ldap://x}",
    "{{7*7}}",
]
VALUES: list[Any] = [*TEXTS, None, True, 0, -1, 2**70, 1.5, [], {}, [[]], {"a": {"b": [None]}}, ["x"] * 2_000]
DEEP = "[" * 20_000
BODIES = ["", "null", "[]", "1", '"x"', "{", '{"a":1}{', DEEP, '{"a":' * 5_000, "\x00", "\ufeff{}", "{'a':1}"]

OPERATIONS = [
    (method.upper(), path, operation)
    for path, item in document()["paths"].items()
    if path.startswith("/v1/")
    for method, operation in item.items()
]


def _schema(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if not content:
        return {}
    properties = document()["components"]["schemas"][content["$ref"].rpartition("/")[2]]["properties"]
    return dict(properties)


def _requests(
    method: str, path: str, operation: dict[str, Any], known: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """One bad value at a time, everything else as it should be; then bodies that are no bodies."""
    given = operation.get("parameters", ())
    names = {p["name"]: known.get(p["name"], "x") for p in given if p["in"] == "path"}
    needed = {
        p["name"]: known.get(p["name"], "1") for p in given if p["in"] == "query" and p.get("required", False)
    }
    for parameter in given:
        name, where = parameter["name"], parameter["in"]
        for text in TEXTS:
            if where == "path":
                yield {"path": path.format(**{**names, name: quote(text, safe="", errors="replace")})}
                yield {"path": path.format(**{**names, name: text.replace("/", "")})}
            elif where == "query":
                yield {"path": path.format(**names), "query": {**needed, name: text}}
                yield {"path": path.format(**names), "query": {**needed, name: [text, text]}}
            elif where == "header":
                yield {"path": path.format(**names), "query": needed, "headers": {name: text}}
    for field in _schema(operation):
        for value in VALUES:
            yield {
                "path": path.format(**names),
                "raw": json.dumps({field: value}),
                "headers": {"If-Match": '"1"'},
            }
    if method in ("POST", "PUT", "PATCH"):
        for body in BODIES:
            yield {"path": path.format(**names), "raw": body, "headers": {"If-Match": '"1"'}}
    yield {"path": path.format(**names), "query": {"tenant_id": "x", "unknown": "y"}}


@pytest.mark.parametrize("operation", OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
def test_nothing_malformed_is_our_fault(world: World, planted: Planted, operation: Any):  # noqa: F811 - fixtures
    method, path, described = operation
    client, noise = Client(world, planted.tenant_id), random.Random(7)
    sent = 0
    for request in _requests(method, path, described, planted.parameters()):
        answer = client(
            method,
            request["path"],
            raw=request.get("raw"),
            query=request.get("query"),
            headers={"Idempotency-Key": f"fuzz-{noise.getrandbits(60)}", **request.get("headers", {})},
        )
        assert answer.status < 500, (request, answer.text[:300])
        if answer.status >= 400:
            problem = answer.json
            assert problem["status"] == answer.status
            assert problem["code"]
            assert "Traceback" not in answer.text
        assert "\r" not in "".join(answer.headers.values())
        sent += 1
    assert sent > 0
