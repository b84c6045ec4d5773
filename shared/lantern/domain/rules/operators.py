"""The comparisons a rule may make, as a table: each says what it compares and builds its own test.

A test built here only ever sees a known value; that a comparison with unknown is unknown is decided once,
in `conditions`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lantern.domain.rules.fields import shown
from lantern.domain.rules.vocabulary import Field, FieldType

Test = Callable[[Any], bool]
Builder = Callable[[Field, Any], Test]


class Operand(StrEnum):
    """What must stand beside an operator."""

    SAME = "one value of the field's type"
    MANY = "a list of values of the field's type"
    ITEM = "one text"
    ITEMS = "a list of texts"
    BOOLEAN = "true or false"
    PREFIX = "a text, ending in * to match by its beginning"


@dataclass(frozen=True, slots=True)
class Operator:
    """One comparison: its name, a sentence, the field types it applies to and how its test is built."""

    name: str
    about: str
    fields: frozenset[FieldType]
    operand: Operand
    build: Builder


def _at_least(field: Field, value: Any) -> Test:
    reached = frozenset(field.values[field.values.index(value) :])
    return lambda fact: fact in reached


def _exists(_field: Field, value: Any) -> Test:
    return (lambda fact: len(fact) > 0) if value else (lambda fact: len(fact) == 0)


def _matches(field: Field, pattern: Any) -> Test:
    prefix = pattern[:-1] if pattern.endswith("*") else None
    if field.type is FieldType.TEXTS:
        if prefix is None:
            return lambda fact: pattern in fact
        return lambda fact: any(item.startswith(prefix) for item in fact)
    return (lambda fact: fact == pattern) if prefix is None else (lambda fact: fact.startswith(prefix))


def _in(_field: Field, values: Any) -> Test:
    members = frozenset(values)
    return lambda fact: fact in members


def _not_in(_field: Field, values: Any) -> Test:
    members = frozenset(values)
    return lambda fact: fact not in members


def _contains_any(_field: Field, values: Any) -> Test:
    members = frozenset(values)
    return lambda fact: not members.isdisjoint(fact)


def _contains_all(_field: Field, values: Any) -> Test:
    return frozenset(values).issubset


_ONE: Final = frozenset({FieldType.TEXT, FieldType.CHOICE, FieldType.LEVEL, FieldType.NUMBER})
_NUMBER: Final = frozenset({FieldType.NUMBER})
_TEXTS: Final = frozenset({FieldType.TEXTS})
_TEXTUAL: Final = frozenset({FieldType.TEXT, FieldType.TEXTS})

_OPERATORS: Final = (
    Operator(
        "eq",
        "is exactly",
        _ONE | {FieldType.BOOLEAN},
        Operand.SAME,
        lambda _f, value: lambda fact: bool(fact == value),
    ),
    Operator(
        "ne",
        "is anything but",
        _ONE | {FieldType.BOOLEAN},
        Operand.SAME,
        lambda _f, value: lambda fact: bool(fact != value),
    ),
    Operator("in", "is one of", _ONE, Operand.MANY, _in),
    Operator("not_in", "is none of", _ONE, Operand.MANY, _not_in),
    Operator("gt", "is more than", _NUMBER, Operand.SAME, lambda _f, value: lambda fact: bool(fact > value)),
    Operator("gte", "is at least", _NUMBER, Operand.SAME, lambda _f, value: lambda fact: bool(fact >= value)),
    Operator("lt", "is less than", _NUMBER, Operand.SAME, lambda _f, value: lambda fact: bool(fact < value)),
    Operator("lte", "is at most", _NUMBER, Operand.SAME, lambda _f, value: lambda fact: bool(fact <= value)),
    Operator(
        "at_least", "is this level or a higher one", frozenset({FieldType.LEVEL}), Operand.SAME, _at_least
    ),
    Operator("contains", "has this item", _TEXTS, Operand.ITEM, lambda _f, value: lambda fact: value in fact),
    Operator("contains_any", "has at least one of these items", _TEXTS, Operand.ITEMS, _contains_any),
    Operator("contains_all", "has every one of these items", _TEXTS, Operand.ITEMS, _contains_all),
    Operator(
        "exists",
        "is there at all: neither an empty text nor an empty list",
        _TEXTUAL,
        Operand.BOOLEAN,
        _exists,
    ),
    Operator(
        "matches",
        "equals the text, or begins with what stands before a final *; for a list, any item does",
        _TEXTUAL,
        Operand.PREFIX,
        _matches,
    ),
)

OPERATORS: Final[dict[str, Operator]] = {operator.name: operator for operator in _OPERATORS}


def operators_for(field: Field) -> tuple[str, ...]:
    """Names of the operators that apply to the type of `field`."""
    return tuple(operator.name for operator in _OPERATORS if field.type in operator.fields)


def problem_of_operand(operator: Operator, field: Field, value: Any) -> str | None:
    """Why `value` cannot stand beside `operator` on `field`, in words; None when it can."""
    check = _OPERAND_CHECKS[operator.operand]
    if check(field, value):
        return None
    hint = f" ({', '.join(field.values)})" if field.values else ""
    return f"{operator.name} needs {operator.operand.value}{hint}, not {shown(value)}"


def _is_one(field: Field, value: Any) -> bool:
    return value is not None and field.accepts(value)


def _is_item(field: Field, value: Any) -> bool:
    return isinstance(value, str) and bool(value) and (not field.values or value in field.values)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0


_OPERAND_CHECKS: Final[dict[Operand, Callable[[Field, Any], bool]]] = {
    Operand.SAME: _is_one,
    Operand.MANY: lambda field, value: _is_list(value) and all(_is_one(field, item) for item in value),
    Operand.ITEM: _is_item,
    Operand.ITEMS: lambda field, value: _is_list(value) and all(_is_item(field, item) for item in value),
    Operand.BOOLEAN: lambda _field, value: isinstance(value, bool),
    Operand.PREFIX: lambda _field, value: (
        isinstance(value, str) and value not in ("", "*") and "*" not in value[:-1]
    ),
}
