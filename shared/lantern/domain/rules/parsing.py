"""From the way people write a condition to a checked tree; every error says what would have been valid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lantern.domain.rules.conditions import All, AnyOf, Compare, Node, Not
from lantern.domain.rules.fields import shown
from lantern.domain.rules.model import Param
from lantern.domain.rules.operators import (
    OPERATORS,
    Operand,
    Operator,
    operators_for,
    problem_of_operand,
)
from lantern.domain.rules.vocabulary import FIELDS, Field, Subject, fields_of

MAX_DEPTH: Final = 8
MAX_NODES: Final = 100
"""Bounds on a condition: tenants write rules too, and the parser walks what they send."""


@dataclass(slots=True)
class Problems:
    """Collects (path, message) pairs, so that one compile names everything wrong with a page."""

    items: list[tuple[str, str]] = field(default_factory=list)

    def add(self, path: str, message: str) -> None:
        """Record one problem at a path inside the page."""
        self.items.append((path, message))

    def __bool__(self) -> bool:
        return bool(self.items)


@dataclass(slots=True)
class ConditionParser:
    """Parses the conditions of one rule: what it may name, and where its problems go."""

    subject: Subject
    params: Mapping[str, Param]
    found: Problems
    _nodes: int = 0

    def parse(self, raw: Any, path: str, depth: int = 0) -> Node | None:
        """The condition at `path` as a tree, or None with the reasons added to `found`."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self.found.add(
                path, f"too large: at most {MAX_DEPTH} levels and {MAX_NODES} conditions in a rule"
            )
            return None
        if not isinstance(raw, dict):
            self.found.add(path, _SHAPE)
            return None
        if "field" in raw:
            return self._compare(raw, path)
        if len(raw) == 1:
            word, inner = next(iter(raw.items()))
            if word in ("all", "any"):
                return self._group(word, inner, path, depth)
            if word == "not":
                part = self.parse(inner, f"{path}.not", depth + 1)
                return None if part is None else Not(part)
        self.found.add(path, f"{_keys(raw)} is no condition; {_SHAPE}")
        return None

    def _group(self, word: str, inner: Any, path: str, depth: int) -> Node | None:
        if not isinstance(inner, list) or not inner:
            self.found.add(f"{path}.{word}", "needs a list with at least one condition")
            return None
        parts = [self.parse(part, f"{path}.{word}.{index}", depth + 1) for index, part in enumerate(inner)]
        nodes = tuple(part for part in parts if part is not None)
        if len(nodes) < len(parts):
            return None
        return All(nodes) if word == "all" else AnyOf(nodes)

    def _compare(self, raw: Mapping[Any, Any], path: str) -> Node | None:
        name = raw["field"]
        valid = fields_of(self.subject)
        if not isinstance(name, str) or name not in valid:
            self.found.add(
                f"{path}.field",
                f"{shown(name)} is no field of a {self.subject} rule; fields are {', '.join(valid)}",
            )
            return None
        fact = FIELDS[name]
        words = [key for key in raw if key != "field"]
        if len(words) != 1 or words[0] not in operators_for(fact):
            self.found.add(
                path,
                f"{name} ({fact.type}) needs exactly one operator, not {_keys(words)}; "
                f"use one of {', '.join(operators_for(fact))}",
            )
            return None
        operator = OPERATORS[words[0]]
        value = raw[operator.name]
        if isinstance(value, str) and value.startswith("$"):
            return self._with_param(value[1:], operator, fact, f"{path}.{operator.name}")
        if problem := problem_of_operand(operator, fact, value):
            self.found.add(f"{path}.{operator.name}", problem)
            return None
        return Compare(name, operator.name, value)

    def _with_param(self, name: str, operator: Operator, fact: Field, path: str) -> Node | None:
        param = self.params.get(name)
        if param is None:
            valid = ", ".join(self.params) or "none"
            self.found.add(path, f"${name} is no parameter; parameters are {valid}")
            return None
        if operator.operand not in (Operand.SAME, Operand.ITEM, Operand.PREFIX):
            self.found.add(
                path, f"a parameter is one value, but {operator.name} needs {operator.operand.value}"
            )
            return None
        for value in param.choices or (param.default,):
            if problem := problem_of_operand(operator, fact, value):
                self.found.add(path, f"${name}: {problem}")
                return None
        return Compare(fact.name, operator.name, None, name)


_SHAPE: Final = (
    "a condition is {all: [...]}, {any: [...]}, {not: ...} or {field: <field>, <operator>: <value>}"
)


def _keys(raw: Iterable[Any]) -> str:
    words = [str(key)[:40] for key in raw]
    return "{" + ", ".join(words[:8]) + (", …" if len(words) > 8 else "") + "}"
