"""The part of SOQL that the product sends; anything else is a malformed query."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|(?P<number>-?\d+)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<op><=|>=|!=|=|<|>)|(?P<mark>[(),]))"
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class MalformedQueryError(Exception):
    """400 MALFORMED_QUERY."""


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Query:
    """`fields` empty is `COUNT()`."""

    fields: tuple[str, ...]
    table: str
    where: tuple[Condition, ...]
    order: str | None
    limit: int | None


class _Reader:
    def __init__(self, text: str) -> None:
        self.parts: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if found is None:
                raise MalformedQueryError(f"unexpected token: {text[at : at + 20]}")
            self.parts.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self.at = 0

    def peek(self, word: str) -> bool:
        return self.at < len(self.parts) and self.parts[self.at][1].upper() == word

    def take(self, *kinds: str) -> str:
        if self.at >= len(self.parts) or self.parts[self.at][0] not in kinds:
            raise MalformedQueryError("unexpected token")
        self.at += 1
        return self.parts[self.at - 1][1]

    def word(self, word: str) -> None:
        if not self.peek(word):
            raise MalformedQueryError(f"expecting {word}")
        self.at += 1

    def value(self) -> Any:
        kind = self.parts[self.at][0] if self.at < len(self.parts) else ""
        text = self.take("string", "time", "number", "name")
        if kind == "string":
            return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), text[1:-1])
        if kind == "number":
            return int(text)
        if kind == "time":
            return datetime.fromisoformat(text).astimezone(UTC)
        words: dict[str, Any] = {"true": True, "false": False, "null": None}
        if text.lower() not in words:
            raise MalformedQueryError(f"unexpected {text}")
        return words[text.lower()]


def parse(text: str) -> Query:
    """A query."""
    reader = _Reader(text)
    reader.word("SELECT")
    fields = _fields(reader)
    reader.word("FROM")
    table = reader.take("name")
    where: list[Condition] = []
    if reader.peek("WHERE"):
        reader.at += 1
        where.append(_condition(reader))
        while reader.peek("AND"):
            reader.at += 1
            where.append(_condition(reader))
    order = None
    if reader.peek("ORDER"):
        reader.at += 1
        reader.word("BY")
        order = reader.take("name")
    limit = None
    if reader.peek("LIMIT"):
        reader.at += 1
        limit = int(reader.take("number"))
    if reader.at != len(reader.parts):
        raise MalformedQueryError(f"unexpected token: {reader.parts[reader.at][1]}")
    return Query(tuple(fields), table, tuple(where), order, limit)


def _fields(reader: _Reader) -> list[str]:
    if reader.peek("COUNT"):
        reader.at += 1
        reader.word("(")
        reader.word(")")
        return []
    fields = [reader.take("name")]
    while reader.peek(","):
        reader.at += 1
        fields.append(reader.take("name"))
    return fields


def _condition(reader: _Reader) -> Condition:
    field = reader.take("name")
    if reader.peek("IN"):
        reader.at += 1
        reader.word("(")
        values = [reader.value()]
        while reader.peek(","):
            reader.at += 1
            values.append(reader.value())
        reader.word(")")
        return Condition(field, "IN", values)
    return Condition(field, reader.take("op"), reader.value())


def holds(condition: Condition, value: Any) -> bool:
    """Whether a row's value satisfies a condition; null is equal to null only and ordered with nothing."""
    wanted = condition.value
    match condition.op:
        case "IN":
            return value in wanted
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
    if value is None or wanted is None:
        return False
    match condition.op:
        case "<":
            return bool(value < wanted)
        case "<=":
            return bool(value <= wanted)
        case ">":
            return bool(value > wanted)
        case _:
            return bool(value >= wanted)
