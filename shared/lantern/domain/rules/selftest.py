"""The tests inside a rule page: run when the page is compiled, and demanded of every rule.

A rule must show a case where it holds, one where it does not, and one where it cannot tell; a rule with a
severity table must show every level in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lantern.domain.rules.conditions import Facts, Truth
from lantern.domain.rules.model import Override, Rule, RuleError, RuleSet
from lantern.domain.rules.parsing import Problems
from lantern.domain.rules.vocabulary import SUBJECTS, fields_of, problems_of_facts

_WORDS: Final[dict[Truth, str]] = {True: "true", False: "false", None: "unknown"}


def run_tests(rule: Rule, tests: Sequence[Mapping[str, Any]], found: Problems) -> None:
    """Run every test of a page against the compiled rule, adding each failure to `found`."""
    expected = set()
    levels = set()
    for index, test in enumerate(tests):
        expected.add(test["expect"])
        levels.add(test.get("severity"))
        _run(rule, test, f"tests.{index} ({test['name']})", found)
    for outcome in (True, False, "unknown"):
        if outcome not in expected:
            found.add("tests", f"needs a test that expects {str(outcome).lower()}")
    if len(rule.severity) > 1:
        for row in rule.severity:
            if row.then not in levels:
                found.add("tests", f"needs a test with severity: {row.then}")


def flatten(given: Mapping[str, Any]) -> dict[str, Any]:
    """Facts written by entity (`{app: {name: x}}`) or dotted (`{app.name: x}`), as flat dotted facts."""
    flat: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat


def _run(rule: Rule, test: Mapping[str, Any], path: str, found: Problems) -> None:
    facts = flatten(test["given"])
    if wrong := _wrong_facts(rule, facts):
        found.add(f"{path}.given", "; ".join(wrong))
        return
    try:
        override = Override(params=test.get("params", {}))
        tuned = RuleSet("", (rule,)).tailored({rule.id: override}).rules[0]
    except RuleError as error:
        found.add(f"{path}.params", str(error))
        return
    _compare_answers(tuned, facts, test, path, found)


def _wrong_facts(rule: Rule, facts: Facts) -> list[str]:
    valid = fields_of(rule.subject)
    wrong = problems_of_facts(facts)
    entities = ", ".join(SUBJECTS[rule.subject])
    wrong += [f"{name}: a {rule.subject} rule sees only {entities}" for name in facts if name not in valid]
    return wrong


def _compare_answers(rule: Rule, facts: Facts, test: Mapping[str, Any], path: str, found: Problems) -> None:
    said = rule.judge(facts)
    expect: Truth = None if test["expect"] == "unknown" else test["expect"]
    if said.outcome is not expect:
        decided = ", ".join(f"{name}={value!r}" for name, value in said.evidence.items())
        found.add(path, f"expected {_WORDS[expect]} but the rule says {_WORDS[said.outcome]}: {decided}")
        return
    wanted = test.get("severity")
    level = said.grade.level if said.grade else None
    if wanted is not None and level != wanted:
        found.add(f"{path}.severity", f"expected {wanted} but the rule says {level or 'nothing'}")
    title = test.get("title")
    if title is not None and said.title != title:
        found.add(f"{path}.title", f"expected {title!r} but the rule says {said.title!r}")
