"""What `openapi.json` does not allow, sent to every route: a problem that names the field, never a fault.

The document is the generator: every parameter and every member of every body is replaced, one at a time,
by everything hostile that fits nowhere. Requests go through the real handler over tables in memory.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lantern.runtime.problems import CODES
from tests.functional.api.world import Answer, Client, Planted, World, plant, rule_page
from tests.security.deployments import memory_world

DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]

LAST = "9999-12-31T23:59:59.999999999-23:59"
"""A date and time as good as any, and past everything that a clock can show."""

HOSTILE = (
    "",
    " ",
    "0",
    "-1",
    "1e400",
    "NaN",
    "9" * 400,
    "null",
    "undefined",
    "true",
    "[]",
    "{}",
    "x" * 5_000,
    "\x00",
    "a\r\nSet-Cookie: x=1",
    "\u202egnp.exe",
    "\ud800",
    "\U0001f9e8\u0301" * 50,
    "../../etc/passwd",
    "T#ten_other#CONN",
    "' OR '1'='1",
    "<img src=x onerror=alert(1)>",
    "${jndi:ldap://x}",
    "%00%0a%2e%2e%2f",
    "{{7*7}}",
    "2026-13-45T99:99:99Z",
    "2026-01-01T00:00:00+99:00",
    LAST,
    "0000-00-00",
)
PAGES = ("/docs", "/v1/openapi.json", "/v1/rules.schema.json")
"""Public pages: they take no input."""
LONE = "\ud800"
WRONG = (
    None,
    True,
    0,
    -1,
    10**400,
    -0.5,
    "",
    "x" * 5_000,
    "\x00\r\n\u202e",
    LONE,
    [],
    [None],
    [[]],
    ["x"] * 2_000,
    {},
    {"$gt": ""},
    "2026-01-01",
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59+00:00",
)
TEXTS = ("{", "[]", "null", "7", '"x"', "", "\x00", '{"a":' * 3_000, '{"a": NaN}', "\ud800", "﻿{}", "{}{}")


@dataclass(frozen=True)
class Sent:
    """One request; `broken` is the one thing about it that the document forbids, as a problem names it."""

    operation: str
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    raw: str | None = None
    broken: str | None = None


def _operations() -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (path, method.upper(), operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    ]


OPERATIONS = _operations()


def _body_schema(operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    reference = (content or {}).get("schema", {}).get("$ref")
    if not reference:
        return None
    # With all schemas beside it, so that what it refers to is found.
    return {**SCHEMAS[reference.rsplit("/", 1)[-1]], "components": DOCUMENT["components"]}


FILE: dict[str, Any] = {"items": [{"clientId": "c", "displayText": "Tool", "userKey": "1", "scopes": []}]}
"""For operations whose body is a file: it has no schema of fields."""


def _validator(schema: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
    """A validator that knows the schemas to which a schema refers."""
    return jsonschema.Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}})


GOOD: dict[str, Any] = {
    "ConnectionStart": {"provider": "google"},
    "DecisionBody": {"status": "approved", "note": "n"},
    "RevokeMany": {"app_id": "app_0000000000000"},
    "RevokeOne": {"reason": "r"},
    "UploadBody": {"kind": "export", "content_type": "text/csv", "size": 10, "sha256": "0" * 64},
    "JobRequest": {"kind": "revoke_grants", "app_id": "app_0000000000000"},
    "AboutBody": {"app_id": "app_0000000000000", "reason": "r"},
    "OffboardRequest": {"reason": "r"},
    "IncidentRequest": {"vendor_id": "v", "occurred_at": "2026-02-01T00:00:00Z", "summary": "s"},
    "ManyDecisions": {
        "finding_ids": ["fnd_00000000000000000000000000"],
        "decision": "acknowledge",
        "read_at": "2026-03-01T00:00:00Z",
    },
    "Acknowledgement": {"reason": "n"},
    "ResolutionBody": {"resolution": "accepted", "reason": "x"},
    "NudgeBody": {
        "kind": "still_need",
        "principal_id": "pri_0000000000000000",
        "app_id": "app_0000000000000",
    },
    "RequestBody": {"person_id": "per_0000000000000000", "name": "n", "reason": "r"},
    "DecisionOnRequest": {"decision": "approve"},
    "CampaignBody": {"name": "n", "scope": {"org_units": ["/"]}, "due_at": "2026-04-01T00:00:00Z"},
    "RulingsBody": {"decisions": [{"grant_id": "gr_0000000000000000.0000000000000", "decision": "keep"}]},
    "GuidanceBody": {"weekly_nudges": 2},
    "Snooze": {"until": "2026-04-01T00:00:00Z"},
    "ExceptionBody": {"reason": "x", "until": "2026-04-01T00:00:00Z"},
    "Reopening": {"reason": "x"},
    "Feedback": {"verdict": "benign"},
    "AlertSettingsBody": {"time_zone": "Europe/Berlin"},
    "ChannelBody": {"kind": "teams", "name": "n", "url": "https://prod.example.com/w"},
    "EndpointBody": {"url": "https://hooks.example.com/x"},
    "EndpointChange": {"description": "d"},
    "KeyBody": {"name": "n", "scopes": ["read"]},
    "NewEntryBody": {"product": {"name": "Acme Notes", "category": "ai_meeting", "kind": "ai"}},
    "EntryBody": {"product": {"name": "Acme Notes", "category": "ai_meeting", "kind": "ai"}},
    "OverrideBody": {"score": 10, "note": "n", "until": "2026-04-01T00:00:00Z"},
    "WeightsBody": {"weights": {"reach": 50}},
    "RuleBody": rule_page("own-new"),
    "SettingsBody": {"stage": "off", "severity": "low", "params": {}},
    "PreviewBody": {"rule_id": "own-0001x", "settings": {"stage": "off"}},
}


NEEDED = {
    "listAssets": ("kind",),
    "listGrants": ("app_id", "connection_id"),
    "findProducts": ("client_id",),
    "listPrincipals": ("connection_id",),
}
"""Parameters of which the schema can only say in words that some of them are needed."""


def _base(path: str, method: str, operation: Mapping[str, Any], known: Mapping[str, str]) -> Sent:
    """A request that the document allows."""
    where, query, headers = path, {}, {}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path":
            where = where.replace(f"{{{name}}}", known[name])
        elif name in NEEDED.get(operation["operationId"], ()):
            query[name] = known[name]
        elif parameter.get("required"):
            # A revision that nothing has: whatever is let through must not change what others are sent.
            (query if parameter["in"] == "query" else headers)[name] = known.get(name, '"unheard-of"')
    schema = _body_schema(operation)
    body = dict(GOOD[schema["title"]]) if schema else FILE if "requestBody" in operation else None
    return Sent(operation["operationId"], method, where, query, headers, body)


def _forbids(schema: Mapping[str, Any], text: str) -> bool:
    """Whether a parameter's schema forbids a text; formats count."""
    kind = schema["type"]
    if kind == "integer":
        if not re.fullmatch(r"[+-]?[0-9]{1,4}", text):
            return True
        return not schema["minimum"] <= int(text) <= schema["maximum"]
    if kind == "boolean":
        return text not in ("true", "false", "0")
    if schema.get("format") == "date-time":
        return text != LAST
    return not jsonschema.Draft202012Validator(schema).is_valid(text)


def _parameters(base: Sent, template: str, operation: Mapping[str, Any]) -> Iterator[Sent]:
    for parameter in operation.get("parameters", ()):
        name, schema = parameter["name"], parameter["schema"]
        for text in HOSTILE:
            forbidden = _forbids(schema, text) or name == "cursor"
            if parameter["in"] == "path":
                yield replace(base, path=_with(template, base.path, name, text))
            elif parameter["in"] == "query":
                yield replace(base, query={**base.query, name: text}, broken=name if forbidden else None)
            else:
                broken = name if forbidden and name == "Idempotency-Key" else None
                yield replace(base, headers={**base.headers, name: text}, broken=broken)
        if parameter["in"] == "query":
            yield replace(base, query={**base.query, name: ["a", "b"]}, broken=name)
    yield replace(base, query={**base.query, "tenant_id": "x"}, broken="tenant_id")
    yield replace(base, query={**base.query, "__proto__": ["x", "y"]}, broken="__proto__")


def _with(template: str, path: str, name: str, text: str) -> str:
    """The path with another value for one parameter."""
    parts = [
        text if part == f"{{{name}}}" else have
        for part, have in zip(template.split("/"), path.split("/"), strict=True)
    ]
    return "/".join(parts)


def _bodies(base: Sent, operation: Mapping[str, Any]) -> Iterator[Sent]:
    schema = _body_schema(operation)
    if schema is None:
        for text in TEXTS if "requestBody" in operation else ():
            yield replace(base, body=None, raw=text)
        return
    whole = jsonschema.Draft202012Validator(schema)
    yield from _nested(base, schema, whole)
    whole = _validator(schema)
    for name in schema["properties"]:
        for wrong in WRONG:
            body = {**base.body, name: wrong}
            undated = name == "until" and wrong != WRONG[-1] and not (wrong is None and whole.is_valid(body))
            pointer = f"/{name}" if undated or not whole.is_valid(body) else None
            if wrong == LONE:  # no JSON at all: what is wrong is the whole body
                pointer = ""
            yield replace(base, body=body, broken=pointer)
    for name in schema.get("required", ()):
        yield replace(base, body={k: v for k, v in base.body.items() if k != name}, broken=f"/{name}")
    for extra in ("tenant_id", "__class__", "\u202e", "x" * 5_000):
        yield replace(base, body={**base.body, extra: 1}, broken=f"/{extra}")
    for text in TEXTS:
        yield replace(base, body=None, raw=text)


def _nested(base: Sent, schema: Mapping[str, Any], whole: jsonschema.Draft202012Validator) -> Iterator[Sent]:
    """Every member of an object inside the body, replaced in its turn."""
    for name, declared in schema["properties"].items():
        inner = next((o["$ref"] for o in declared.get("anyOf", ()) if "$ref" in o), None)
        if name not in base.body:
            continue
        for member in SCHEMAS[inner.rsplit("/", 1)[-1]]["properties"] if inner else ():
            for wrong in WRONG:
                body = {**base.body, name: {**base.body[name], member: wrong}}
                pointer = "" if wrong == LONE else f"/{name}/{member}"
                yield replace(base, body=body, broken=None if whole.is_valid(body) else pointer)
        if inner:
            extra = {**base.body, name: {**base.body[name], "tenant_id": "x"}}
            yield replace(base, body=extra, broken=f"/{name}/tenant_id")


def _requests(
    path: str, method: str, operation: Mapping[str, Any], known: Mapping[str, str]
) -> Iterator[Sent]:
    base = _base(path, method, operation, known)
    yield from _parameters(base, path, operation)
    yield from _bodies(base, operation)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[World, Planted, Planted]]:
    """Two tenants with one of everything, for all of the module: what is malformed changes nothing."""
    with memory_world() as world:
        world.tools = replace(world.tools, requests_per_minute=1_000_000)
        yield world, plant(world, 1, people=3), plant(world, 2, people=3)


def _ask(api: Client, sent: Sent) -> Answer:
    return api(
        sent.method, sent.path, sent.body, query=dict(sent.query), headers=dict(sent.headers), raw=sent.raw
    )


def _judge(sent: Sent, answer: Answer) -> None:
    """What every answer keeps to, however wrong the request was."""
    assert answer.status < 500, (sent, answer.text)
    assert not any(char in value for value in answer.headers.values() for char in "\r\n\x00"), sent
    if answer.status < 400:
        assert sent.broken is None, (sent, answer.text)
        return
    problem = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json", sent
    assert CODES[problem["code"]][0] == problem["status"] == answer.status, sent
    assert problem["type"] == f"urn:lantern:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == "req-1"
    assert len(answer.text) < 20_000, sent
    if answer.status == 400 and sent.raw is None and sent.path.isascii():
        named = {error.get("pointer", error.get("parameter")) for error in problem["errors"]}
        assert named, sent
        assert None not in named, (sent, answer.text)
        assert all(error["detail"] for error in problem["errors"]), answer.text
    if sent.broken is not None:
        assert answer.status == 400, (sent, answer.text)
        named = {error.get("pointer", error.get("parameter")) for error in problem["errors"]}
        assert any(one == sent.broken or one.startswith(f"{sent.broken}/") for one in named), (sent, named)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda v: v if "/" in v else None)
def test_whatever_is_sent_to_a_route_is_answered_with_a_problem(
    fuzzed: tuple[World, Planted, Planted], path: str, method: str, operation: Mapping[str, Any]
) -> None:
    world, own, _ = fuzzed
    api = Client(world, own.tenant_id)
    refused = 0
    for sent in _requests(path, method, operation, own.parameters()):
        answer = _ask(api, sent)
        if path not in PAGES:
            _judge(sent, answer)
            refused += answer.status >= 400
        else:
            assert answer.status == 200
    assert refused > 0 or path in PAGES


def test_every_body_of_the_document_has_a_request_that_works() -> None:
    bodies = {schema["title"] for _, _, op in OPERATIONS if (schema := _body_schema(op))}
    assert bodies == set(GOOD)
    for title in bodies:
        schema = {**SCHEMAS[title], "components": DOCUMENT["components"]}
        jsonschema.Draft202012Validator(schema).validate(GOOD[title])
        _validator(SCHEMAS[title]).validate(GOOD[title])


def _paged(own: Planted) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(operation, path, what else it needs) of each listing that has cursors."""
    for path, method, operation in OPERATIONS:
        if any(p["name"] == "cursor" for p in operation.get("parameters", ())):
            base = _base(path, method, operation, own.parameters())
            yield base.operation, base.path, dict(base.query)


def test_a_cursor_is_good_for_its_own_listing_and_tenant_only(
    fuzzed: tuple[World, Planted, Planted],
) -> None:
    world, own, other = fuzzed
    mine, theirs = Client(world, own.tenant_id), Client(world, other.tenant_id)
    listings = {name: (path, query) for name, path, query in _paged(own)}
    path, query = listings["listPrincipals"]
    cursor = mine("GET", path, query={**query, "limit": 1}).json["next_cursor"]
    assert cursor
    torn = [cursor[:-1], cursor[1:], cursor + "A", cursor.swapcase(), cursor[::-1], cursor * 2]
    for name, (where, more) in listings.items():
        tried = torn if name == "listPrincipals" else [cursor]
        for one in tried:
            sent = Sent(name, "GET", where, {**more, "cursor": one}, broken="cursor")
            _judge(sent, _ask(mine, sent))
    stolen = Sent("listPrincipals", "GET", path, {**query, "cursor": cursor}, broken="cursor")
    _judge(stolen, _ask(theirs, stolen))


@pytest.mark.parametrize("number", ["0", "1775000000", "-1", "1e9", "1775000000.5"])
def test_a_number_is_no_date(fuzzed: tuple[World, Planted, Planted], number: str) -> None:
    world, own, _ = fuzzed
    api = Client(world, own.tenant_id)
    asked = Sent("listApps", "GET", "/v1/apps", {"first_seen_from": number}, broken="first_seen_from")
    _judge(asked, _ask(api, asked))
    path = f"/v1/findings/{own.finding_id}/exception"
    body = {"reason": "r", "until": number}
    told = Sent("exceptFinding", "POST", path, headers={"If-Match": "*"}, body=body, broken="/until")
    _judge(told, _ask(api, told))


def test_a_choice_not_made_names_what_to_choose_from(fuzzed: tuple[World, Planted, Planted]) -> None:
    world, own, _ = fuzzed
    api = Client(world, own.tenant_id)
    errors = api("GET", "/v1/grants").json["errors"]
    assert [error["parameter"] for error in errors] == ["app_id", "principal_id", "finding_id"]
    errors = api("POST", "/v1/grants/revoke", {}).json["errors"]
    assert [error["pointer"] for error in errors] == ["/grant_ids", "/app_id", "/principal_id", "/finding_id"]
