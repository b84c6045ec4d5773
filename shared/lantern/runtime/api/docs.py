"""The OpenAPI document as one self-contained page."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

_METHODS: Final = ("get", "post", "put", "delete")


def _read(name: str) -> str:
    return files("lantern.runtime.api").joinpath(name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return _read("docs.css")


def policy() -> str:
    """Content security policy of the page: its own style sheet and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"style-src 'sha256-{digest}'"
    )


def render(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document: HTML without scripts."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shape"] = shape
    environment.filters["spans"] = spans
    environment.filters["pretty"] = pretty
    operations: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                operations[operation["tags"][0]].append({"method": method, "path": path, **operation})
    return environment.from_string(_read("docs.html.j2")).render(
        info=document["info"],
        tags=document["tags"],
        operations=operations,
        schemas=document["components"]["schemas"],
        responses=document["components"]["responses"],
        style=_style(),
    )


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def spans(text: str) -> Markup:
    """Text with `code` between backticks marked up as code; everything in it is escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    )


def shape(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: `string`, `list of App`, `integer or null`."""
    for keyword, words in _WORDS.items():
        if keyword in schema:
            return words(schema[keyword])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {shape(schema.get('items', {}))}"
    values = schema.get("additionalProperties")
    if kind == "object" and isinstance(values, Mapping):
        return f"map to {shape(values)}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "$ref": lambda reference: str(reference).rsplit("/", 1)[-1],
    "anyOf": lambda options: " or ".join(shape(option) for option in options),
    "enum": lambda values: " | ".join(str(value) for value in values),
    "const": str,
}
