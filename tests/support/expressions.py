"""The part of DynamoDB's expression language that the product uses, compiled once per text."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

Item = Mapping[str, Any]
Test = Callable[[Item, Mapping[str, str], Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[()=<>,]|[#:\w.]+)")
_WORDS = frozenset({"AND", "OR", "NOT", "BETWEEN"})
LAST = "\U0010ffff"


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise NotImplementedError(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expression(self) -> Test:
        tests = [self.conjunction()]
        while self.peek().upper() == "OR":
            self.next()
            tests.append(self.conjunction())
        return tests[0] if len(tests) == 1 else lambda i, n, v: any(t(i, n, v) for t in tests)

    def conjunction(self) -> Test:
        tests = [self.factor()]
        while self.peek().upper() == "AND":
            self.next()
            tests.append(self.factor())
        return tests[0] if len(tests) == 1 else lambda i, n, v: all(t(i, n, v) for t in tests)

    def factor(self) -> Test:
        token = self.next()
        if token == "(":
            inner = self.expression()
            assert self.next() == ")"
            return inner
        if token.upper() == "NOT":
            negated = self.factor()
            return lambda i, n, v: not negated(i, n, v)
        if self.peek() == "(":
            return self.function(token)
        return self.comparison(token)

    def function(self, name: str) -> Test:
        assert self.next() == "("
        path = self.next()
        if name == "attribute_exists":
            assert self.next() == ")"
            return lambda i, n, v: n.get(path, path) in i
        if name == "attribute_not_exists":
            assert self.next() == ")"
            return lambda i, n, v: n.get(path, path) not in i
        raise NotImplementedError(name)

    def comparison(self, left: str) -> Test:
        operator = self.next()
        right = self.next()
        compare: dict[str, Callable[[Any, Any], bool]] = {
            "=": lambda a, b: a == b,
            "<>": lambda a, b: a != b,
            "<": lambda a, b: a < b,
            "<=": lambda a, b: a <= b,
            ">": lambda a, b: a > b,
            ">=": lambda a, b: a >= b,
        }
        if operator not in compare or right.upper() in _WORDS:
            raise NotImplementedError(operator)
        test = compare[operator]

        def check(item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
            a, b = _operand(left, item, names, values), _operand(right, item, names, values)
            if a is None or b is None or type(a) is not type(b):
                return operator == "<>"
            return test(a, b)

        return check


def _operand(token: str, item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> Any:
    wire = values[token] if token.startswith(":") else item.get(names.get(token, token))
    if wire is None:
        return None
    ((kind, value),) = wire.items()
    return Decimal(value) if kind == "N" else value


@lru_cache(maxsize=1000)
def _compiled(text: str) -> Test:
    parser = _Parser(text)
    test = parser.expression()
    if parser.peek():
        raise NotImplementedError(text)
    return test


def holds(condition: str, item: Item, params: Mapping[str, Any]) -> bool:
    """Whether a condition expression holds for an item (`{}`: there is none)."""
    names, values = (
        params.get("ExpressionAttributeNames") or {},
        params.get("ExpressionAttributeValues") or {},
    )
    return _compiled(condition)(item, names, values)


_KEY = re.compile(r"([#\w]+) = (:\w+)(?: AND (.+))?")
_RANGES = (
    ("begins_with", re.compile(r"begins_with ?\(([#\w]+), ?(:\w+)\)")),
    ("between", re.compile(r"([#\w]+) BETWEEN (:\w+) AND (:\w+)")),
    ("below", re.compile(r"([#\w]+) < (:\w+)")),
    ("equal", re.compile(r"([#\w]+) = (:\w+)")),
)


def key_range(params: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Partition key, and the first and last sort key (both included) of a key condition."""
    text, values = params["KeyConditionExpression"], params["ExpressionAttributeValues"]
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    whole = _KEY.fullmatch(text)
    if whole is None:
        raise NotImplementedError(text)
    pk = values[whole[2]]["S"]
    rest = (whole[3] or "").strip()
    if not rest:
        return pk, None, None
    for kind, pattern in _RANGES:
        found = pattern.fullmatch(rest)
        if found:
            bounds = [values[name]["S"] for name in found.groups()[1:]]
            match kind:
                case "begins_with":
                    return pk, bounds[0], bounds[0] + LAST
                case "between":
                    return pk, bounds[0], bounds[1]
                case "below":
                    # Strictly below: sort keys are text, and nothing lies between this and the bound.
                    return pk, None, _before(bounds[0])
                case _:
                    return pk, bounds[0], bounds[0]
    raise NotImplementedError(text)


def _before(bound: str) -> str:
    return bound[:-1] + chr(ord(bound[-1]) - 1) + LAST


def update(item: Item, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The item after an update expression of `ADD a :x` and `SET a = :x` clauses, and what it touched."""
    names = params.get("ExpressionAttributeNames") or {}
    values = params.get("ExpressionAttributeValues") or {}
    new = {name: dict(value) for name, value in item.items()}
    touched = []
    pieces = re.split(r"\b(ADD|SET)\b", params["UpdateExpression"])
    if pieces[0].strip():
        raise NotImplementedError(params["UpdateExpression"])
    for clause, body in zip(pieces[1::2], pieces[2::2], strict=True):
        for action in body.split(","):
            parts = action.replace("=", " ").split()
            if len(parts) != 2:
                raise NotImplementedError(action)
            name, value = names.get(parts[0], parts[0]), values[parts[1]]
            if clause == "ADD":
                total = Decimal(new.get(name, {"N": "0"})["N"]) + Decimal(value["N"])
                value = {"N": str(total)}
            new[name] = dict(value)
            touched.append(name)
    return new, touched
