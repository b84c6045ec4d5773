"""Google's shipped discovery documents as an oracle: schemas, scopes, paths."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

FORMATS = {
    "int64": {"pattern": r"^-?\d{1,19}$"},
    "uint64": {"pattern": r"^\d{1,20}$"},
    "date-time": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)$"},
}


@cache
def document(name: str) -> dict[str, Any]:
    """A shipped document, such as `admin.directory_v1`."""
    path = files("googleapiclient") / "discovery_cache" / "documents" / f"{name}.json"
    return json.loads(path.read_text("utf-8"))


def method(name: str, *path: str) -> dict[str, Any]:
    """One method of a document: the resources on the way to it, then its own name."""
    found = document(name)
    for resource in path[:-1]:
        found = found["resources"][resource]
    return found["methods"][path[-1]]


def to_json_schema(schema: Any) -> Any:
    """A discovery schema as a strict JSON schema: what Google does not describe is refused."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kind = schema.get("type")
    if kind == "any":
        return {}
    result: dict[str, Any] = {"type": kind, **FORMATS.get(schema.get("format", ""), {})}
    if "enum" in schema:
        result["enum"] = schema["enum"]
    if kind == "array":
        result["items"] = to_json_schema(schema["items"])
    if kind == "object":
        properties = {key: to_json_schema(value) for key, value in schema.get("properties", {}).items()}
        extra = schema.get("additionalProperties")
        result["properties"] = properties
        result["additionalProperties"] = to_json_schema(extra) if extra else False
    return result


@cache
def validator(name: str, schema: str) -> Draft202012Validator:
    """A validator for one schema of a document."""
    definitions = {key: to_json_schema(value) for key, value in document(name)["schemas"].items()}
    root = {"$ref": f"#/$defs/{schema}", "$defs": definitions}
    return Draft202012Validator(root, format_checker=FormatChecker())


def check(name: str, schema: str, value: Any) -> None:
    """Fail unless `value` is what the document's schema describes."""
    problems = [
        f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator(name, schema).iter_errors(value)
    ]
    assert not problems, problems[:5]
