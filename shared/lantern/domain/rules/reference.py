"""The vocabulary speaking for itself: Markdown tables for the documentation and a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from lantern.domain.rules.operators import OPERATORS, Operand, Operator, operators_for
from lantern.domain.rules.vocabulary import (
    FIELDS,
    FRAMEWORKS,
    GROUPS,
    RESPONSES,
    SUBJECTS,
    TRIGGERS,
    Field,
    FieldType,
    describe_type,
)


def reference_markdown() -> str:
    """Every word a rule may use, as Markdown tables."""
    subjects = [
        (f"`{subject}`", ", ".join(f"`{name}.*`" for name in entities), ", ".join(GROUPS[subject]))
        for subject, entities in SUBJECTS.items()
    ]
    operators = [
        (f"`{operator.name}`", operator.about, ", ".join(sorted(operator.fields)), operator.operand.value)
        for operator in OPERATORS.values()
    ]
    fields = [(f"`{field.name}`", describe_type(field), field.about) for field in FIELDS.values()]
    return "\n".join(
        [
            "### Subjects",
            _table(("subject", "sees", "groups by"), subjects),
            "### Fields",
            _table(("field", "type", "meaning"), fields),
            "### Operators",
            _table(("operator", "true when the fact", "on fields of type", "beside it"), operators),
            "### Triggers",
            _table(("trigger", "when"), [(f"`{name}`", about) for name, about in TRIGGERS.items()]),
            "### Responses",
            _table(
                ("response", "what it proposes"), [(f"`{name}`", about) for name, about in RESPONSES.items()]
            ),
            "### Frameworks",
            _table(("key", "framework"), [(f"`{name}`", about) for name, about in FRAMEWORKS.items()]),
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def condition_schema() -> dict[str, Any]:
    """JSON Schema of a condition: one alternative per field, with the operators that fit it."""
    itself = {"$ref": "#/$defs/Condition"}
    parts = {"type": "array", "items": itself, "minItems": 1}
    groups = [_only({"all": parts}), _only({"any": parts}), _only({"not": itself})]
    leaves = [
        {
            "type": "object",
            "properties": {
                "field": {"const": field.name, "description": field.about},
                **{name: _operand(OPERATORS[name], field) for name in operators_for(field)},
            },
            "required": ["field"],
            # The field, and exactly one operator.
            "minProperties": 2,
            "maxProperties": 2,
            "additionalProperties": False,
        }
        for field in FIELDS.values()
    ]
    return {"anyOf": [*groups, *leaves]}


def _only(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_PARAM: Final[dict[str, Any]] = {"type": "string", "pattern": r"^\$[a-z][a-z0-9_]*$"}


def _operand(operator: Operator, field: Field) -> dict[str, Any]:
    one = _value(field)
    if operator.operand is Operand.BOOLEAN:
        return {"type": "boolean"}
    if operator.operand in (Operand.MANY, Operand.ITEMS):
        return {"type": "array", "items": one, "minItems": 1}
    if operator.operand is Operand.PREFIX:
        return {"type": "string", "pattern": r"^[^*]+\*?$"}
    return {"anyOf": [one, _PARAM]}


def _value(field: Field) -> dict[str, Any]:
    if field.type is FieldType.NUMBER:
        return {"type": "number"}
    if field.type is FieldType.BOOLEAN:
        return {"type": "boolean"}
    return {"enum": list(field.values)} if field.values else {"type": "string"}
