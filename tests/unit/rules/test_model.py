"""Rules at run time: loading, binding, severity, evidence and what a tenant may tune."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lantern
from lantern.domain.rules.authoring import compile_rule_set
from lantern.domain.rules.model import Override, RuleError, RuleSet, evaluate, load_rules
from lantern.domain.rules.vocabulary import FIELDS, FieldType, Grade, Severity, Stage, Subject
from scripts.build.compile_rules import FILE_NAME, compile_pages, compile_to
from tests.unit.rules.support import page, rule

REQUIRED = {
    "unsanctioned-ai-app",
    "ai-app-sensitive-scope",
    "scope-expansion",
    "stale-grant",
    "departed-employee-grant",
    "look-alike-app",
    "unread-bundles",
}
SHIPPED = load_rules(json.dumps(compile_pages()))

_VALUES = {
    FieldType.NUMBER: st.sampled_from([0, 0.7, 1, 5, 50, 120]),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.TEXT: st.sampled_from(["", "x"]),
    FieldType.TEXTS: st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
}


def facts_for(names: frozenset[str]) -> st.SearchStrategy:
    """Well-typed facts for some fields, each of which may be unknown."""
    return st.fixed_dictionaries(
        {
            name: st.none()
            | (st.sampled_from(FIELDS[name].values) if FIELDS[name].values else _VALUES[FIELDS[name].type])
            for name in sorted(names)
        }
    )


def test_the_first_rules_are_there_and_say_why():
    assert {rule.id for rule in SHIPPED.rules} >= REQUIRED
    for shipped in SHIPPED.rules:
        assert shipped.why
        assert shipped.runbook
        assert shipped.frameworks
        assert shipped.respond


def test_compiling_is_repeatable_and_the_revision_follows_the_content(tmp_path):
    compile_to(tmp_path / "a")
    compile_to(tmp_path / "b")

    first = (tmp_path / "a" / FILE_NAME).read_bytes()
    assert first == (tmp_path / "b" / FILE_NAME).read_bytes()
    assert load_rules(tmp_path / "a" / FILE_NAME).revision == SHIPPED.revision
    fewer = compile_rule_set(json.loads(first)["rules"][1:])
    assert fewer["revision"] != SHIPPED.revision


def test_the_version_of_a_rule_ignores_its_tests_and_follows_the_rest():
    same = rule(tests=[*rule_tests(), {"name": "more", "given": {}, "expect": "unknown"}])

    assert same.version == rule().version
    assert rule(stage="enforce").version != rule().version


def rule_tests() -> list[dict[str, object]]:
    return page()["tests"]


@pytest.mark.parametrize("raw", [b"[]", b'{"format": 99, "rules": []}', b"{}"])
def test_another_format_is_refused(raw):
    with pytest.raises(RuleError, match="format 1"):
        load_rules(raw)


def test_running_rules_needs_neither_pydantic_nor_yaml():
    code = (
        "import sys; import lantern.domain.rules.sweep, lantern.domain.findings;"
        "print([name for name in ('pydantic', 'yaml', 'boto3', 'requests') if name in sys.modules])"
    )
    shared = str(Path(lantern.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": shared},
    )

    assert done.stdout.strip() == "[]"


@given(st.data())
def test_binding_an_app_first_gives_the_same_answers(data):
    shipped = data.draw(st.sampled_from(SHIPPED.rules))
    facts = data.draw(facts_for(shipped.fields))
    rest = {name: value for name, value in facts.items() if not name.startswith("app.")}

    bound = shipped.bind(facts)

    assert bound.check(rest) is shipped.check(facts)
    if bound.decided:
        assert bound.outcome is shipped.check(facts)
    if shipped.check(facts):
        assert bound.grade(rest) == shipped.judge(facts).grade


@given(st.data())
def test_no_shipped_rule_fires_or_clears_on_an_unknown(data):
    shipped = data.draw(st.sampled_from(SHIPPED.rules))
    facts = data.draw(facts_for(shipped.fields))
    hidden = data.draw(st.sets(st.sampled_from(sorted(facts))))

    outcome = shipped.check({**facts, **dict.fromkeys(hidden)})

    assert outcome is None or outcome is shipped.check(facts)


@given(st.data())
def test_a_certain_grade_stays_when_more_becomes_known(data):
    shipped = data.draw(st.sampled_from(SHIPPED.rules))
    facts = data.draw(facts_for(shipped.fields))
    hidden = data.draw(st.sets(st.sampled_from(sorted(facts))))

    less = shipped.bind({**facts, **dict.fromkeys(hidden)}, ()).grade({**facts, **dict.fromkeys(hidden)})

    if less.certain:
        assert less.level is shipped.bind(facts, ()).grade(facts).level


def test_an_app_that_cannot_match_costs_its_grants_nothing():
    quiet = {"app.id": "a", "app.verdict": "not_ai", "app.status": "unreviewed"}

    live = {bound.rule.id for bound in SHIPPED.bind_grants(quiet)}

    assert "ai-app-sensitive-scope" not in live
    assert "stale-grant" in live


def test_a_known_row_grades_and_an_unknown_one_before_it_makes_that_uncertain():
    table = [
        {"when": {"field": "principal.admin", "eq": True}, "then": "critical"},
        {"when": {"field": "grant.scope_severity", "at_least": "high"}, "then": "high"},
        {"otherwise": "low"},
    ]
    levels = [(True, "low", "critical"), (False, "high", "high"), (False, "low", "low")]
    shown = [
        {
            "name": level,
            "given": {"activity.idle_days": 99, "principal.admin": admin, "grant.scope_severity": scopes},
            "expect": True,
            "severity": level,
        }
        for admin, scopes, level in levels
    ]
    graded = rule(severity=table, tests=[*rule_tests(), *shown])
    idle = {"activity.idle_days": 99}

    def grade(**facts: object) -> Grade | None:
        return graded.judge({**idle, **{key.replace("__", "."): value for key, value in facts.items()}}).grade

    assert grade(principal__admin=False, grant__scope_severity="high") == Grade(Severity.HIGH, certain=True)
    assert grade(grant__scope_severity="high") == Grade(Severity.HIGH, certain=False)
    assert grade(principal__admin=True) == Grade(Severity.CRITICAL, certain=True)
    assert grade() == Grade(Severity.LOW, certain=False)


def test_an_evaluation_carries_inert_evidence():
    found = rule(
        where={
            "all": [{"field": "activity.idle_days", "gte": "$days"}, {"field": "app.name", "exists": True}]
        },
        tests=[
            {"name": "t", "given": {"activity.idle_days": 120, "app.name": "x"}, "expect": True},
            {"name": "f", "given": {"activity.idle_days": 2, "app.name": "x"}, "expect": False},
            {"name": "u", "given": {"activity.idle_days": 120}, "expect": "unknown"},
        ],
    ).judge({"grant.id": "g1", "activity.idle_days": 120, "app.name": "Ott\u202eer"})

    assert (found.outcome, found.subject_id, found.rule_id) == (True, "g1", "idle-grant")
    assert found.title == "Otter is idle for 90 days"
    assert found.evidence == {"activity.idle_days": 120, "app.name": "Otter"}
    assert found.grade == Grade(Severity.MEDIUM, certain=True)
    no = rule().judge({"grant.id": "g1", "activity.idle_days": 1})
    assert (no.outcome, no.grade, no.evidence) == (False, None, {"activity.idle_days": 1})


def test_parameters_in_place_of_the_defaults():
    facts = {"activity.idle_days": 60}

    assert evaluate(rule(), facts) is False
    assert evaluate(rule(), facts, {"days": 45}) is True
    with pytest.raises(RuleError, match="days must be between 30 and 365"):
        evaluate(rule(), facts, {"days": 5})
    with pytest.raises(RuleError, match="has no parameter weeks; its parameters are days"):
        evaluate(rule(), facts, {"weeks": 5})


def test_a_tenant_tunes_stage_severity_and_parameters():
    rules = RuleSet("r", (rule(),))

    tuned = rules.tailored({"idle-grant": Override(Stage.ENFORCE, Severity.CRITICAL, {"days": 200})}).rules[0]

    assert tuned.stage is Stage.ENFORCE
    assert tuned.check({"activity.idle_days": 120}) is False
    assert tuned.judge({"activity.idle_days": 300}).grade == Grade(Severity.CRITICAL, certain=True)
    assert tuned.headline({"app.name": "Otter"}) == "Otter is idle for 200 days"
    assert rules.rules[0].check({"activity.idle_days": 120}) is True
    assert rules.tailored({"idle-grant": Override(stage=Stage.OFF)}).rules == ()
    assert rules.tailored({}) == rules
    with pytest.raises(RuleError, match="no rule other; rules are idle-grant"):
        rules.tailored({"other": Override()})


def test_a_word_parameter_is_one_of_its_choices():
    sensitive = SHIPPED.get("ai-app-sensitive-scope")
    facts = {"app.verdict": "ai", "grant.scope_severity": "medium"}

    assert sensitive is not None
    assert evaluate(sensitive, facts) is False
    assert evaluate(sensitive, facts, {"level": "medium"}) is True
    with pytest.raises(RuleError, match="must be one of medium, high, critical"):
        evaluate(sensitive, facts, {"level": "none"})


def test_rules_by_subject_trigger_and_id():
    parts = [
        SHIPPED.grant_rules,
        SHIPPED.app_rules,
        SHIPPED.person_rules,
        SHIPPED.connection_rules,
        SHIPPED.asset_rules,
    ]

    assert sorted(rule.id for part in parts for rule in part) == [rule.id for rule in SHIPPED.rules]
    assert {rule.subject for rule in SHIPPED.app_rules} == {Subject.APP}
    assert "departed-employee-grant" in {rule.id for rule in SHIPPED.triggered_by("principal.changed")}
    assert SHIPPED.triggered_by("never") == ()
    assert SHIPPED.get("nothing") is None
