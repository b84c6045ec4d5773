"""Rules through the API: settings, own rules, their checks, previews."""

from typing import Any

import jsonschema
import pytest

from lantern.services.policy import rules
from tests.functional.api.world import Client, Planted, World, plant, rule_page, shipped_rules

SHIPPED = "stale-grant"
NEW = rule_page("own-new")


def _works(world: World, planted: Planted) -> list[Any]:
    return [w for _, w in world.store(planted.tenant_id).outbox.due(world.now.replace(year=2027))]


def _audit(world: World, planted: Planted) -> list[Any]:
    return list(world.store(planted.tenant_id).audit.entries())[1:]


def test_every_rule_is_listed_as_the_tenant_has_it(world: World, planted: Planted, api: Client) -> None:
    data = api("GET", "/v1/rules", query={"limit": 100}).json["data"]
    assert [row["id"] for row in data] == sorted([*(r.id for r in shipped_rules().rules), planted.rule_id])
    assert {row["source"] for row in data if row["id"] != planted.rule_id} == {"shipped"}
    other = Client(world, plant(world, 2).tenant_id)
    assert planted.rule_id not in {
        row["id"] for row in other("GET", "/v1/rules", query={"limit": 100}).json["data"]
    }
    one = api("GET", f"/v1/rules/{SHIPPED}").json
    assert (one["stage"], one["params"]["days"]["value"], one["settings"]["stage"]) == ("enforce", 90, None)
    assert one["page"] is None


def test_settings_are_set_on_a_revision_and_audited(world: World, planted: Planted, api: Client) -> None:
    path = f"/v1/rules/{SHIPPED}/settings"
    etag = api("GET", f"/v1/rules/{SHIPPED}").headers["ETag"]
    wanted = {"stage": "observe", "severity": "high", "params": {"days": 45}}
    assert api("PUT", path, wanted).status == 428
    put = api("PUT", path, wanted, headers={"If-Match": etag})
    assert put.status == 200, put.text
    assert (put.json["stage"], put.json["severities"], put.json["params"]["days"]["value"]) == (
        "observe", ["high"], 45,
    )  # fmt: skip
    assert put.json["settings"]["by"] == f"key:{api.key_id}"
    assert api("GET", f"/v1/rules/{SHIPPED}").json == put.json
    assert api("PUT", path, {}, headers={"If-Match": etag}).status == 412
    # The same again decides nothing.
    again = api("PUT", path, wanted, headers={"If-Match": put.headers["ETag"]})
    assert again.headers["ETag"] == put.headers["ETag"]
    assert [w.kind for w in _works(world, planted)] == ["score.policy"]
    (entry,) = _audit(world, planted)
    assert (entry.action, entry.subject, entry.detail["before"]) == ("rule.set", SHIPPED, "as shipped")
    assert entry.detail["after"] == "stage=observe, severity=high, params.days=45"
    back = api("PUT", path, {}, headers={"If-Match": put.headers["ETag"]})
    assert (back.json["stage"], back.json["params"]["days"]["value"]) == ("enforce", 90)


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"days": 5}, "/params/days"),
        ({"days": "x"}, "/params/days"),
        ({"weeks": 5}, "/params/weeks"),
        ({"a/b": 5}, "/params/a~1b"),
    ],
)
def test_impossible_parameters_are_named(api: Client, params: dict[str, Any], pointer: str) -> None:
    for method, path, body in (
        ("PUT", f"/v1/rules/{SHIPPED}/settings", {"params": params}),
        ("POST", "/v1/policies/preview", {"rule_id": SHIPPED, "settings": {"params": params}}),
    ):
        answer = api(method, path, body, headers={"If-Match": "*"})
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)
    assert api("PUT", "/v1/rules/no-such/settings", {}, headers={"If-Match": "*"}).status == 404


def test_an_own_rule_lives_and_ends(world: World, planted: Planted, api: Client) -> None:
    made = api("POST", "/v1/rules", NEW)
    assert made.status == 201, made.text
    assert (made.json["source"], made.json["page"]) == ("own", NEW)
    assert api("POST", "/v1/rules", NEW).status == 409
    path, tag = "/v1/rules/own-new", {"If-Match": made.headers["ETag"]}
    changed = api("PUT", path, {**NEW, "severity": "high"}, headers=tag)
    assert (changed.status, changed.json["severities"]) == (200, ["high"])
    assert changed.json["version"] != made.json["version"]
    assert api("PUT", path, NEW, headers=tag).status == 412
    tag = {"If-Match": changed.headers["ETag"]}
    assert api("PUT", path, rule_page("own-other"), headers=tag).json["errors"][0]["pointer"] == "/id"
    assert api("DELETE", path, headers=tag).status == 200
    assert api("GET", path).status == 404
    assert [e.action for e in _audit(world, planted)] == ["rule.added", "rule.changed", "rule.removed"]
    assert {w.kind for w in _works(world, planted)} == {"score.policy"}


def test_a_shipped_rule_keeps_its_page_and_its_id(api: Client) -> None:
    any_ = {"If-Match": "*"}
    assert api("DELETE", f"/v1/rules/{SHIPPED}", headers=any_).json["code"] == "conflict"
    assert api("PUT", f"/v1/rules/{SHIPPED}", rule_page(SHIPPED), headers=any_).json["code"] == "conflict"
    for wrong in (rule_page(SHIPPED), rule_page("mine")):
        answer = api("POST", "/v1/rules", wrong)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/id")
        assert api("POST", "/v1/policies/preview", {"rule": wrong}).status == 400


WRONG = [
    ({"where": {"all": [{"field": "app.nmae", "eq": "x"}]}}, "/where/all/0/field", "app.name"),
    ({"where": {"field": "app.holders", "above": 3}}, "/where", "gte"),
    ({"triggers": ["hourly"]}, "/triggers/0", "daily"),
    ({"subject": "galaxy"}, "/subject", "asset"),
    ({"severity": [{"otherwise": "awful"}]}, "/severity/0", "critical"),
    (
        {"params": {"holders": {"about": "x", "default": 0, "min": 1, "max": 2}}},
        "/params/holders/default",
        "",
    ),
    (
        {"tests": [{**NEW["tests"][0], "expect": False}, *NEW["tests"][1:]]},
        "/tests/0",
        "Expected false but the rule says true",
    ),
]


@pytest.mark.parametrize(("change", "pointer", "word"), WRONG)
def test_a_page_that_is_wrong_is_told_where(
    api: Client, change: dict[str, Any], pointer: str, word: str
) -> None:
    answer = api("POST", "/v1/rules", {**NEW, **change})
    told = {error["pointer"]: error["detail"] for error in answer.json["errors"]}
    assert (answer.status, word in told[pointer]) == (400, True), answer.text
    inside = api("POST", "/v1/policies/preview", {"rule": {**NEW, **change}})
    assert f"/rule{pointer}" in {error["pointer"] for error in inside.json["errors"]}


def test_a_preview_is_asked_and_fetched_and_decides_nothing(
    world: World, planted: Planted, api: Client
) -> None:
    for body in ({"rule": NEW}, {"rule_id": planted.rule_id, "settings": {"stage": "off"}}):
        asked = api("POST", "/v1/policies/preview", body)
        assert (asked.status, asked.json["state"], asked.json["now"]) == (202, "pending", None)
        assert api("GET", asked.headers["Location"]).json == asked.json
    assert [w.kind for w in _works(world, planted)] == ["policy.preview"] * 2
    assert _audit(world, planted) == []
    for wrong in ({}, {"rule_id": SHIPPED}, {"rule": NEW, "rule_id": SHIPPED, "settings": {}}):
        assert api("POST", "/v1/policies/preview", wrong).status == 400


def test_own_rules_have_a_limit(world: World, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_OWN", 4)
    for number in range(3):
        assert api("POST", "/v1/rules", rule_page(f"own-rule-{number}")).status == 201
    assert api("POST", "/v1/rules", NEW).json["code"] == "conflict"
    world.counted()
    assert len(api("GET", "/v1/rules", query={"limit": 100}).json["data"]) == len(shipped_rules().rules) + 4
    assert sum(world.counted().values()) == 1


def test_the_schema_knows_what_the_api_takes(api: Client) -> None:
    schema = api("GET", "/v1/rules.schema.json").json
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(NEW)
    assert not validator.is_valid({**NEW, **WRONG[0][0]})


def test_rules_come_page_by_page(planted: Planted, api: Client) -> None:
    seen, query = [], {"limit": 7}
    while True:
        page = api("GET", "/v1/rules", query=query).json
        seen += [row["id"] for row in page["data"]]
        assert len(page["data"]) == 7 or page["next_cursor"] is None
        if page["next_cursor"] is None:
            break
        query = {"limit": 7, "cursor": page["next_cursor"]}
    assert seen == sorted([*(rule.id for rule in shipped_rules().rules), planted.rule_id])
