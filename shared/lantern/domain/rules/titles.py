"""Titles of findings: a template with `{field}` and `{params.name}` holes, filled with inert text.

App names are chosen by strangers. What goes into a title loses control, formatting and bidirectional
characters, is cut to a length, and is never interpreted: a hole is a name looked up in the facts, with no
attributes, indexes or format codes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from lantern.domain.rules.fields import FIELDS

MAX_TITLE: Final = 200
MAX_VALUE: Final = 80
_LISTED: Final = 3
_HOLE: Final = re.compile(r"\{([a-z][a-z0-9_]*\.[a-z0-9_]+)\}")
_INERT_SPACE: Final = frozenset({"Zs", "Zl", "Zp"})
# Cc control, Cf format (bidi overrides, zero-width), Cs lone surrogates, Co private use, Cn unassigned.
_DROPPED: Final = frozenset({"Cf", "Cs", "Co", "Cn"})


def holes(template: str) -> tuple[str, ...]:
    """Names used in a template, in order of appearance."""
    return tuple(_HOLE.findall(template))


def stray_braces(template: str) -> bool:
    """Whether a brace remains that belongs to no `{entity.name}` hole."""
    rest = _HOLE.sub("", template)
    return "{" in rest or "}" in rest


def clean(text: str, limit: int = MAX_VALUE) -> str:
    """Text with control, formatting and bidirectional characters gone, on one line, of at most `limit`."""
    kept: list[str] = []
    # A hostile name may be megabytes long; nothing past a few limits can survive the cut.
    for char in text[: limit * 8]:
        category = unicodedata.category(char)
        if category in _INERT_SPACE or category == "Cc":
            kept.append(" ")
        elif category not in _DROPPED:
            kept.append(char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def render(template: str, facts: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Fill the holes of a checked template; an unknown fact reads "unknown"."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        entity, _, key = name.partition(".")
        if entity == "params":
            return _words(params.get(key))
        return _words(facts.get(name), FIELDS[name].room if name in FIELDS else MAX_VALUE)

    return clean(_HOLE.sub(fill, template), MAX_TITLE)


def _words(value: Any, room: int = MAX_VALUE) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(clean(str(item), 40) for item in value)
        more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
        return (", ".join(items[:_LISTED]) + more) or "none"
    return clean(str(value), room) or "(no name)"
