"""Every operator: what it says of a known fact, that unknown stays unknown, and what may stand beside it."""

from __future__ import annotations

import pytest

from lantern.domain.rules.conditions import Compare, check_of
from lantern.domain.rules.operators import OPERATORS, operators_for, problem_of_operand
from lantern.domain.rules.vocabulary import FIELDS, Field, FieldType, problems_of_facts

MAIL = "https://mail.google.com/"
DRIVE = "https://www.googleapis.com/auth/drive"

CASES = [
    ("eq", "app.status", "approved", "approved", True),
    ("eq", "app.status", "approved", "restricted", False),
    ("eq", "principal.admin", True, True, True),
    ("eq", "principal.admin", False, True, False),
    ("ne", "app.status", "approved", "restricted", True),
    ("ne", "app.status", "approved", "approved", False),
    ("in", "app.category", ["ai_agent", "ai_assistant"], "ai_agent", True),
    ("in", "app.category", ["ai_agent"], "crm", False),
    ("not_in", "app.category", ["ai_agent"], "crm", True),
    ("not_in", "app.category", ["ai_agent"], "ai_agent", False),
    ("gt", "app.risk", 70, 71, True),
    ("gt", "app.risk", 70, 70, False),
    ("gte", "app.risk", 70, 70, True),
    ("gte", "app.risk", 70, 69.5, False),
    ("lt", "app.risk", 70, 69, True),
    ("lt", "app.risk", 70, 70, False),
    ("lte", "app.risk", 70, 70, True),
    ("lte", "app.risk", 70, 70.1, False),
    ("at_least", "grant.scope_severity", "high", "critical", True),
    ("at_least", "grant.scope_severity", "high", "high", True),
    ("at_least", "grant.scope_severity", "high", "medium", False),
    ("contains", "grant.scopes", MAIL, (MAIL, DRIVE), True),
    ("contains", "grant.scopes", MAIL, (DRIVE,), False),
    ("contains_any", "grant.scopes", [MAIL, "x"], frozenset({MAIL}), True),
    ("contains_any", "grant.scopes", [MAIL, "x"], [DRIVE], False),
    ("contains_any", "grant.scopes", [MAIL], (), False),
    ("contains_all", "grant.scopes", [MAIL, DRIVE], (DRIVE, MAIL, "x"), True),
    ("contains_all", "grant.scopes", [MAIL, DRIVE], (MAIL,), False),
    ("exists", "app.lookalike_of", True, "ChatGPT", True),
    ("exists", "app.lookalike_of", True, "", False),
    ("exists", "grant.added_scopes", False, (), True),
    ("exists", "grant.added_scopes", False, (MAIL,), False),
    ("matches", "app.name", "Chat*", "ChatGPT", True),
    ("matches", "app.name", "Chat*", "A Chat", False),
    ("matches", "app.name", "Chat", "ChatGPT", False),
    ("matches", "grant.scopes", DRIVE + "*", (MAIL, DRIVE + ".file"), True),
    ("matches", "grant.scopes", DRIVE, (DRIVE + ".file",), False),
    ("matches", "grant.scopes", DRIVE + "*", (MAIL,), False),
]


@pytest.mark.parametrize(("op", "field", "value", "fact", "answer"), CASES)
def test_operator(op, field, value, fact, answer):
    check = check_of(Compare(field, op, value))

    assert problem_of_operand(OPERATORS[op], FIELDS[field], value) is None
    assert check({field: fact}) is answer
    assert check({field: None}) is None
    assert check({}) is None


def test_every_operator_is_covered_both_ways():
    assert {op: {case[4] for case in CASES if case[0] == op} for op in OPERATORS} == {
        op: {True, False} for op in OPERATORS
    }


@pytest.mark.parametrize(
    ("op", "field", "value"),
    [
        ("eq", "app.status", "blessed"),
        ("eq", "app.risk", "70"),
        ("gt", "app.risk", True),
        ("gt", "app.risk", float("nan")),
        ("in", "app.category", "ai_agent"),
        ("in", "app.category", []),
        ("in", "app.status", ["approved", "blessed"]),
        ("at_least", "grant.scope_severity", "enormous"),
        ("contains", "grant.access", "fly"),
        ("contains_any", "grant.scopes", [1]),
        ("exists", "app.lookalike_of", "yes"),
        ("matches", "app.name", "*"),
        ("matches", "app.name", "a*b"),
        ("eq", "app.name", None),
    ],
)
def test_operands_that_do_not_fit_are_refused_in_words(op, field, value):
    problem = problem_of_operand(OPERATORS[op], FIELDS[field], value)

    assert problem is not None
    assert op in problem


def test_every_word_describes_itself():
    assert all(operator.about and operator.fields for operator in OPERATORS.values())
    assert all(field.about and field.name.count(".") == 1 for field in FIELDS.values())
    assert all(operators_for(Field("x.y", kind, "", ("a",))) for kind in FieldType)


def test_facts_are_checked_against_the_vocabulary():
    assert problems_of_facts({"app.name": "x", "app.risk": None, "grant.scopes": frozenset({"a"})}) == []
    assert len(problems_of_facts({"app.nam": "x", "app.risk": "high", "principal.admin": 1})) == 3
