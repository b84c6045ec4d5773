"""Conditions in words, for product pages and answers to people."""

from __future__ import annotations

from typing import Any

from lantern.domain.rules.conditions import All, AnyOf, Compare, Node, Not
from lantern.domain.rules.operators import OPERATORS


def condition_words(node: Node) -> str:
    """A condition as one sentence without its end, the fields by name: `app.verdict is exactly ai and …`."""
    return _words(node, inside=False)


def _words(node: Node, *, inside: bool) -> str:
    if isinstance(node, Compare):
        return _compare(node)
    if isinstance(node, Not):
        return f"not ({_words(node.part, inside=False)})"
    if isinstance(node, All | AnyOf):
        word = " and " if isinstance(node, All) else " or "
        said = word.join(_words(part, inside=True) for part in node.parts)
        return f"({said})" if inside and len(node.parts) > 1 else said
    return "decided already"


def _compare(node: Compare) -> str:
    if node.op == "exists":
        return f"{node.field} is {'there' if node.value else 'not there'}"
    operand = f"${node.param}" if node.param else _value(node.value)
    return f"{node.field} {OPERATORS[node.op].about} {operand}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
