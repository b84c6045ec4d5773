"""Conditions: a small tree of comparisons under Kleene's three-valued logic.

A condition is True, False or None (unknown). A comparison with an unknown fact is unknown; `all` is False
as soon as one part is False, `any` is True as soon as one part is True, and otherwise one unknown part
makes the whole unknown. So a fact that becomes unknown can only ever turn an answer into unknown, never
into the opposite answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lantern.domain.rules.operators import OPERATORS
from lantern.domain.rules.vocabulary import FIELDS

Truth = bool | None
Facts = Mapping[str, Any]
Check = Callable[[Facts], Truth]


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`; with `param` set, the value is that parameter's."""

    field: str
    op: str
    value: Any = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is False."""

    part: Node


@dataclass(frozen=True, slots=True)
class Decided:
    """An answer already reached; it appears only where a condition was evaluated in part."""

    outcome: Truth


Node = Compare | All | AnyOf | Not | Decided


def negate(outcome: Truth) -> Truth:
    """Kleene's not."""
    return None if outcome is None else not outcome


def comparisons(node: Node) -> Iterator[Compare]:
    """Every comparison in the tree, in order."""
    if isinstance(node, Compare):
        yield node
    elif isinstance(node, All | AnyOf):
        for part in node.parts:
            yield from comparisons(part)
    elif isinstance(node, Not):
        yield from comparisons(node.part)


def with_params(node: Node, values: Mapping[str, Any]) -> Node:
    """The same condition with every `$param` replaced by its value. Raises KeyError on a missing one."""
    if isinstance(node, Compare):
        return node if node.param is None else Compare(node.field, node.op, values[node.param])
    if isinstance(node, All):
        return All(tuple(with_params(part, values) for part in node.parts))
    if isinstance(node, AnyOf):
        return AnyOf(tuple(with_params(part, values) for part in node.parts))
    return Not(with_params(node.part, values)) if isinstance(node, Not) else node


def check_of(node: Node) -> Check:
    """The condition as one function of the facts; parameters must have been filled in."""
    if isinstance(node, Compare):
        return _compare_check(node)
    if isinstance(node, Decided):
        outcome = node.outcome
        return lambda _facts: outcome
    if isinstance(node, Not):
        inner = check_of(node.part)
        return lambda facts: negate(inner(facts))
    checks = tuple(check_of(part) for part in node.parts)
    return _until(checks, stop=not isinstance(node, All))


def _compare_check(node: Compare) -> Check:
    name = node.field
    test = OPERATORS[node.op].build(FIELDS[name], node.value)

    def check(facts: Facts) -> Truth:
        fact = facts.get(name)
        return None if fact is None else test(fact)

    return check


def _until(checks: tuple[Check, ...], *, stop: bool) -> Check:
    """`any` (stop at True) or `all` (stop at False): the first decisive answer wins, unknown comes next."""

    def check(facts: Facts) -> Truth:
        answer: Truth = not stop
        for part in checks:
            outcome = part(facts)
            if outcome is stop:
                return stop
            if outcome is None:
                answer = None
        return answer

    return check


def settle(node: Node, facts: Facts, known: frozenset[str]) -> Node:
    """The condition with every comparison on a `known` entity evaluated, and simplified.

    `known` names entities (`app`, `connection`) whose facts are all in `facts`; one missing there is
    unknown for good. What remains depends on the other entities only.
    """
    if isinstance(node, Compare):
        if node.field.partition(".")[0] not in known:
            return node
        return Decided(_compare_check(node)(facts))
    if isinstance(node, Decided):
        return node
    if isinstance(node, Not):
        inner = settle(node.part, facts, known)
        return Decided(negate(inner.outcome)) if isinstance(inner, Decided) else Not(inner)
    return _settle_parts(node, facts, known)


def _settle_parts(node: All | AnyOf, facts: Facts, known: frozenset[str]) -> Node:
    stop = isinstance(node, AnyOf)
    unknown = False
    open_parts: list[Node] = []
    for part in node.parts:
        settled = settle(part, facts, known)
        if not isinstance(settled, Decided):
            open_parts.append(settled)
        elif settled.outcome is stop:
            return Decided(stop)
        elif settled.outcome is None:
            unknown = True
    if not open_parts:
        return Decided(None if unknown else not stop)
    if unknown:
        open_parts.append(Decided(None))
    if len(open_parts) == 1:
        return open_parts[0]
    return AnyOf(tuple(open_parts)) if stop else All(tuple(open_parts))


def deciding_fields(node: Node, facts: Facts) -> dict[str, Any]:
    """The facts that made the condition what it is: field name to value.

    Of an `all` that is True every part decided; of one that is False only its False parts did, and of an
    unknown one its unknown parts. `any` is the mirror image.
    """
    found: dict[str, Any] = {}
    _gather(node, facts, found)
    return found


def _gather(node: Node, facts: Facts, found: dict[str, Any]) -> None:
    if isinstance(node, Compare):
        found[node.field] = facts.get(node.field)
    elif isinstance(node, Not):
        _gather(node.part, facts, found)
    elif isinstance(node, All | AnyOf):
        outcome = check_of(node)(facts)
        for part in node.parts:
            if check_of(part)(facts) is outcome:
                _gather(part, facts, found)


def to_data(node: Node) -> dict[str, Any]:
    """The condition as plain JSON data, in the shape `from_data` reads."""
    if isinstance(node, Compare):
        operand = {"value": node.value} if node.param is None else {"param": node.param}
        return {"field": node.field, "op": node.op, **operand}
    if isinstance(node, All):
        return {"all": [to_data(part) for part in node.parts]}
    if isinstance(node, AnyOf):
        return {"any": [to_data(part) for part in node.parts]}
    if isinstance(node, Not):
        return {"not": to_data(node.part)}
    raise TypeError("a condition evaluated in part is not data")


def from_data(data: Mapping[str, Any]) -> Node:
    """Read what `to_data` wrote. Raises KeyError on anything else: compiled rules are checked already."""
    if "all" in data:
        return All(tuple(from_data(part) for part in data["all"]))
    if "any" in data:
        return AnyOf(tuple(from_data(part) for part in data["any"]))
    if "not" in data:
        return Not(from_data(data["not"]))
    return Compare(data["field"], data["op"], data.get("value"), data.get("param"))
