"""Writing a rule: what is refused, and that every refusal names the place and the valid words."""

from __future__ import annotations

import sys

import jsonschema
import pytest

from lantern.domain.rules.authoring import (
    RulesInvalidError,
    compile_page,
    compile_rule_set,
    page_schema,
)
from lantern.domain.rules.operators import OPERATORS
from lantern.domain.rules.vocabulary import FIELDS, FRAMEWORKS, RESPONSES, TRIGGERS
from scripts.build.compile_rules import DOCS, FILE_NAME, PAGES, compile_pages, main, read_page, with_reference
from tests.unit.rules.support import page

IDLE = "activity.idle_days"


def refusal(**changes: object) -> str:
    with pytest.raises(RulesInvalidError) as error:
        compile_page(page(**changes), "idle-grant.yaml")
    assert all(problem.source == "idle-grant.yaml" for problem in error.value.problems)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"on": ["daily"]}, ["on: no such key", "triggers"]),
        ({"where": {"field": "app.nmae", "eq": "x"}}, ["where.field", "'app.nmae'", "app.name"]),
        ({"where": {"field": IDLE, "above": 3}}, ["where", "{above}", "gt, gte, lt, lte"]),
        ({"where": {"field": IDLE}}, ["exactly one operator", "gte"]),
        ({"where": {"field": IDLE, "gt": 3, "lt": 9}}, ["exactly one operator, not {gt, lt}"]),
        ({"where": {"field": IDLE, "gte": "90"}}, ["where.gte", "one value of the field's type"]),
        ({"where": {"field": IDLE, "gte": "$weeks"}}, ["$weeks is no parameter", "parameters are days"]),
        ({"where": {"field": IDLE, "in": "$days"}}, ["a parameter is one value"]),
        ({"where": {"field": "app.name", "eq": "$days"}}, ["$days: eq needs"]),
        ({"where": {"every": []}}, ["{every} is no condition", "all", "any", "not"]),
        ({"where": {"all": []}}, ["where.all", "at least one"]),
        ({"where": {"any": [{"field": IDLE, "gte": "$days"}, "x"]}}, ["where.any.1", "a condition is"]),
        ({"where": {"not": {"field": "app.x", "eq": 1}}}, ["where.not.field"]),
        ({"subject": "galaxy"}, ["subject", "grant, app, person, connection"]),
        ({"subject": "connection"}, ["no field of a connection rule", "connection.unread_principals"]),
        ({"group_by": "vendor"}, ["group_by", "app, person, connection"]),
        ({"triggers": ["hourly"]}, ["triggers.0", "'hourly'", "daily"]),
        ({"respond": "nuke"}, ["respond", "'nuke'", "review-app"]),
        ({"frameworks": {"nist": ["X"]}}, ["frameworks.nist", "nist_ai_rmf"]),
        ({"severity": "awful"}, ["severity", "info, low, medium, high, critical"]),
        ({"severity": [{"otherwise": "awful"}]}, ["severity.0", "critical"]),
        ({"severity": []}, ["severity", "otherwise"]),
        ({"severity": [{"when": {"field": IDLE, "gt": 1}, "then": "high"}]}, ["the last row is {otherwise}"]),
        (
            {"severity": [{"when": {"field": "x", "gt": 1}, "then": "low"}, {"otherwise": "low"}]},
            ["severity.0.when.field"],
        ),
        ({"stage": "off"}, ["stage", "observe", "enforce"]),
        ({"title": "{app.name.__class__} is idle"}, ["title", "brace"]),
        ({"title": "{app.name!r:>99999} is idle"}, ["title", "brace"]),
        ({"title": "{activity.idle_days} days idle"}, ["not shared by the group", "app.name", "params.days"]),
        ({"title": "{params.weeks} weeks without use"}, ["{params.weeks}"]),
        ({"params": {"days": {"about": "d", "default": 9, "min": 30, "max": 365}}}, ["params.days.default"]),
        ({"params": {"days": {"about": "d", "default": 90}}}, ["params.days", "min and max"]),
        ({"params": {"days": {"about": "d", "default": "x"}}}, ["params.days", "choices"]),
        (
            {"params": {"days": {"about": "d", "default": 90, "min": 1, "max": 99, "unit": "d"}}},
            ["params.days.unit: no such key", "choices"],
        ),
        ({"id": "Idle Grant"}, ["id", "pattern"]),
        ({"why": "Because."}, ["why", "20"]),
        ({"tests": [{"name": "x", "expect": True}] * 3}, ["given"]),
    ],
)
def test_mistakes_are_named(changes, words):
    message = refusal(**changes)

    assert "rule " in message
    for word in words:
        assert word in message


def test_a_parameter_nobody_uses_is_refused():
    params = {**page()["params"], "spare": {"about": "s", "default": 1, "min": 1, "max": 2}}

    assert "params.spare: is not used; write $spare" in refusal(params=params)


def test_every_choice_of_a_parameter_must_fit_where_it_is_used():
    params = {"level": {"about": "l", "default": "high", "choices": ["high", "enormous"]}}
    where = {"field": "grant.scope_severity", "at_least": "$level"}

    message = refusal(params=params, where=where, title="Sensitive grants of {app.name}")

    assert "where.at_least: $level: at_least needs" in message
    assert "'enormous'" in message


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_each_of_the_three_answers_must_be_shown(missing):
    tests = page()["tests"]
    word = ["true", "false", "unknown"][missing]
    tests[missing] = tests[missing - 1]

    assert f"needs a test that expects {word}" in refusal(tests=tests)


def test_a_failing_test_says_what_decided():
    tests = [*page()["tests"], {"name": "wrong", "given": {"activity": {"idle_days": 10}}, "expect": True}]

    message = refusal(tests=tests)

    assert "tests.3 (wrong): expected true but the rule says false: activity.idle_days=10" in message


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ({"given": {"activity": {"idle_dayz": 1}}}, "activity.idle_dayz: no such field"),
        ({"given": {"activity": {"idle_days": "1"}}}, "is not a number"),
        ({"given": {"activity.idle_days": 120}, "params": {"days": 1}}, "days must be between 30 and 365"),
        ({"given": {"activity.idle_days": 120}, "params": {"weeks": 1}}, "its parameters are days"),
        (
            {"given": {"activity.idle_days": 120}, "severity": "high"},
            "expected high but the rule says medium",
        ),
        ({"given": {"activity.idle_days": 120}, "title": "No"}, "expected 'No'"),
    ],
)
def test_tests_are_checked_too(test, words):
    assert words in refusal(tests=[*page()["tests"], {"name": "extra", "expect": True, **test}])


def test_every_level_of_a_severity_table_must_be_shown():
    table = [{"when": {"field": IDLE, "gt": 300}, "then": "high"}, {"otherwise": "low"}]

    message = refusal(severity=table)

    assert "needs a test with severity: high" in message
    assert "needs a test with severity: low" in message


def test_a_condition_cannot_be_made_to_exhaust_the_parser():
    deep: dict[str, object] = {"field": IDLE, "gte": "$days"}
    for _ in range(50):
        deep = {"not": deep}
    wide = {"any": [{"field": IDLE, "gte": "$days"}] * 500}

    assert "too large" in refusal(where=deep)
    assert "too large" in refusal(where=wide)


def test_all_problems_are_reported_at_once():
    message = refusal(respond="nuke", triggers=["hourly"], where={"field": "x", "eq": 1})

    assert len(message.splitlines()) == 3


def test_yaml_is_read_as_people_mean_it(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("on: [daily]\nflag: yes\nsure: true\nnothing: null\n")

    assert read_page(path) == {"on": ["daily"], "flag": "yes", "sure": True, "nothing": None}


@pytest.mark.parametrize("text", ["id: a\nid: b\n", "a: [", "a: !!python/object:os.system x\n"])
def test_yaml_that_is_ambiguous_or_unsafe_is_refused(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)

    with pytest.raises(RulesInvalidError, match=r"x\.yaml"):
        read_page(path)


def test_a_file_is_named_after_its_rule(tmp_path):
    (tmp_path / "other.yaml").write_text((PAGES / "stale-grant.yaml").read_text())

    with pytest.raises(RulesInvalidError, match="must be the file's name, other"):
        compile_pages(tmp_path)


def test_an_empty_folder_is_no_rule_set(tmp_path):
    with pytest.raises(RulesInvalidError, match="holds no"):
        compile_pages(tmp_path)


def test_an_id_is_used_once():
    compiled = compile_page(page(), "a.yaml")

    with pytest.raises(RulesInvalidError, match="used twice"):
        compile_rule_set([compiled, compiled])


def test_the_schema_accepts_the_shipped_pages_and_refuses_unknown_words():
    schema = page_schema()
    validator = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)

    for path in sorted(PAGES.glob("*.yaml")):
        assert [error.message for error in validator.iter_errors(read_page(path))] == []
    for wrong in ({"on": []}, {"triggers": ["hourly"]}, {"where": {"field": "app.nmae", "eq": "x"}}):
        assert not validator.is_valid(page(**wrong))


def test_the_documentation_knows_every_word():
    text = DOCS.read_text(encoding="utf-8")

    assert with_reference(text) == text, "run: python -m scripts.build.compile_rules --docs"
    assert all(f"`{word}`" in text for word in (*FIELDS, *OPERATORS, *TRIGGERS, *RESPONSES, *FRAMEWORKS))


def test_the_command_compiles_or_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compile_rules", str(tmp_path)])
    assert main() == 0
    assert (tmp_path / FILE_NAME).exists()

    monkeypatch.setattr(compile_pages, "__defaults__", (tmp_path,))
    assert main() == 1
    assert "holds no *.yaml" in capsys.readouterr().err
