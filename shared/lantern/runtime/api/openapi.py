"""The OpenAPI 3.1 document, generated from the route tables alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lantern.runtime.api.examples import EXAMPLES
from lantern.runtime.api.routing import ID_SHAPES, PublicRoute, Route, Router
from lantern.runtime.problems import CODES, MEDIA_TYPE

Schema = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"

_ALWAYS: Final = ("unauthorized", "scope_missing", "rate_limited", "internal", "unavailable")
_RATE_HEADERS: Final = ("RateLimit", "RateLimit-Policy", "X-Request-Id")

HEADERS: Final[Mapping[str, str]] = {
    "RateLimit": "Requests left in this window and seconds until it ends.",
    "RateLimit-Policy": "Requests a window and its length in seconds.",
    "X-Request-Id": "What support asks for.",
    "ETag": "The revision; send it back as If-Match to change what you read.",
    "Location": "Where to read what was made or begun.",
    "Retry-After": "Seconds to wait.",
    "Idempotency-Replayed": "`true` when this is the kept answer of an earlier request with the same key.",
}

INFO: Final[Schema] = {
    "title": "Lantern API",
    "version": "1",
    "summary": "Find every AI tool in an organisation, see what it reaches, govern it, act.",
    "description": (
        "Send `Authorization: Bearer <API key>`; the key names the tenant.\n\n"
        "Lists answer `{data, next_cursor}`: ask again with `cursor` until `next_cursor` is null. "
        "What can change carries an `ETag`; changing it needs `If-Match`. A POST may carry an "
        "`Idempotency-Key`: the same key gives one effect and one answer for 24 hours; secrets are not "
        "repeated. Errors are problem documents (RFC 9457) with a stable `code`. Null means unknown, never "
        "none. A revoked key stops working within 60 seconds."
    ),
    "contact": {"name": "The operators of this deployment"},
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

TAGS: Final[Mapping[str, str]] = {
    "Tenant": "The customer organisation that the key belongs to.",
    "Connections": "Organisations at identity providers, joined by consent, and their runs.",
    "Imports": "Exports that are handed in as files, for what is not connected.",
    "Ingest": "Feeds of inventories and logs of the web, of any size.",
    "Apps": "Software that holds access: who it is, whether it is AI, how risky it is, what was decided.",
    "Catalog": "What is known of products: shipped entries, and the tenant's own, which win over them.",
    "Assets": "API keys, agents, servers: what connections list beside grants.",
    "Vendors": "What is publicly known of the makers of apps.",
    "Risk": "How risk is weighed, and how the organisation stands.",
    "People": "Questions to employees, requests for tools, reviews of access.",
    "Principals": "Accounts and what they have granted.",
    "Grants": "One app's access to one principal's data, and its revocation.",
    "Findings": "What breaks a rule, grouped by app or person.",
    "Rules": "What counts as a finding: shipped rules as the tenant set them, and its own.",
    "Jobs": "Work that acts on a provider: planned, approved, run and verified.",
    "Playbooks": "What is done about findings step by step, within brakes, and the runs of it.",
    "Incidents": "Incidents of vendors: who was exposed to what, since when, and the answer to it.",
    "Alerts": "Where alerts go, who gets which of them, when they wait, and what was sent.",
    "Webhooks": "Addresses of the tenant's own that are told signed events, and what was delivered.",
    "Audit": "The tamper-evident record of every decision and act.",
    "Keys": "API keys of the tenant.",
    "About": "The API about itself.",
}


def document(router: Router) -> Schema:
    """The whole document; needs no environment."""
    schemas, references = _schemas(router.routes)
    paths: dict[str, Schema] = {}
    for page in router.public:
        paths.setdefault(page.path, {})["get"] = _page(page)
    for route in router.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    used = {operation["tags"][0] for item in paths.values() for operation in item.values()}
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [
            {
                "url": "{address}",
                "description": "The address that the deployment printed.",
                "variables": {"address": {"default": "https://lantern.example"}},
            }
        ],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted({**schemas, "Problem": _problem_schema()}.items())),
            "responses": _problem_responses(router.routes),
            "headers": {
                name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: `lnt_<environment>_<id>_<secret><checksum>`.",
                }
            },
        },
    }


Mode = Literal["validation", "serialization"]


def _schemas(routes: Sequence[Route]) -> tuple[Schema, Mapping[type[BaseModel], Schema]]:
    wanted: dict[type[BaseModel], Mode] = {}
    for route in routes:
        if route.body is not None:
            wanted[route.body] = "validation"
        if route.answer is not None:
            wanted[route.answer] = "serialization"
    ordered = sorted(wanted.items(), key=lambda pair: pair[0].__name__)
    found, definitions = models_json_schema(ordered, ref_template=_REF)
    references = {model: found[(model, mode)] for model, mode in ordered}
    return definitions.get("$defs", {}), references


def _operation(route: Route, references: Mapping[type[BaseModel], Schema]) -> Schema:
    operation: Schema = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "description": f"{route.description}\n\nNeeds the scope `{route.scope}`.",
        "parameters": [*_path_parameters(route), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": _responses(route, references),
    }
    if route.body is not None:
        required = any(info.is_required() for info in route.body.model_fields.values())
        operation["requestBody"] = {
            "required": required,
            "content": {
                "application/json": {
                    "schema": references[route.body],
                    "example": EXAMPLES[route.operation],
                }
            },
        }
    if route.upload:
        operation["requestBody"] = {
            "required": True,
            "content": {name: {"schema": _file_schema(name)} for name in route.upload},
        }
    return operation


def _file_schema(media_type: str) -> Schema:
    if media_type == "application/json":
        record: Schema = {"type": "object"}
        return {"anyOf": [record, {"type": "array", "items": record}], "description": "The file."}
    if media_type == "application/gzip":
        return {"type": "string", "format": "binary", "description": "The file, packed."}
    return {"type": "string", "description": "The file, UTF-8."}


def _page(page: PublicRoute) -> Schema:
    return {
        "operationId": page.operation,
        "tags": ["About"],
        "summary": page.summary,
        "description": page.description,
        "security": [],
        "responses": {
            "200": {"description": "The page.", "content": {page.media_type: {"schema": {}}}},
        },
    }


def _path_parameters(route: Route) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"Id of the {name.removesuffix('_id')}.",
            "schema": {"type": "string", "pattern": f"^{ID_SHAPES.get(name, '[A-Za-z0-9_.-]{1,80}')}$"},
        }
        for name in route.parameters
    ]


def _query_parameters(model: type[BaseModel]) -> list[Schema]:
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    parameters = []
    for name, declared in schema.get("properties", {}).items():
        shape = _without_null({k: v for k, v in declared.items() if k not in {"title", "description"}})
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": declared.get("description", ""),
                "schema": shape,
            }
        )
    return parameters


def _without_null(shape: Schema) -> Schema:
    # An absent parameter is how a query string says null.
    options = [option for option in shape.get("anyOf", ()) if option.get("type") != "null"]
    rest = {key: value for key, value in shape.items() if key != "anyOf" and value is not None}
    if not options:
        return rest
    return {**rest, **options[0]} if len(options) == 1 else {**rest, "anyOf": options}


def _header_parameters(route: Route) -> list[Schema]:
    parameters = []
    if route.if_match:
        parameters.append(_header("If-Match", "The ETag that was read, or `*`.", required=True))
    if route.method == "POST":
        text = "Makes a repeated request have one effect: 1 to 200 visible ASCII characters."
        parameters.append(_header("Idempotency-Key", text, required=False))
    return parameters


def _header(name: str, text: str, *, required: bool) -> Schema:
    schema = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x7E]+$"}
    return {"name": name, "in": "header", "required": required, "description": text, "schema": schema}


def problem_codes(route: Route) -> set[str]:
    """Every problem code that an operation may answer with."""
    codes = {*_ALWAYS, "tenant_suspended", "invalid_request", *route.problems}
    if route.parameters:
        codes.add("not_found")
    if route.body is not None or route.upload:
        codes |= {"body_too_large", "unsupported_media_type"}
    if route.if_match:
        codes |= {"precondition_required", "precondition_failed"}
    if route.method == "POST":
        codes |= {"idempotency_key_reused", "request_in_progress"}
    return codes


def _responses(route: Route, references: Mapping[type[BaseModel], Schema]) -> Schema:
    names = [
        *_RATE_HEADERS,
        *(["ETag"] if route.etag else []),
        *(["Location"] if route.located and route.status in {201, 202} else []),
    ]
    if route.method == "POST":
        names.append("Idempotency-Replayed")
    success: Schema = {"description": route.summary, "headers": _header_references(names)}
    if route.answer is not None:
        success["content"] = {"application/json": {"schema": references[route.answer]}}
        if route.page:
            success["content"]["text/html"] = {"schema": {"type": "string"}}
    responses: Schema = {str(route.status): success}
    if route.dry_run:
        plain = {key: value for key, value in success.items() if key != "headers"}
        responses["200"] = {
            **plain,
            "description": "What would happen; nothing is stored.",
            "headers": _header_references(_RATE_HEADERS),
        }
    for status, codes in _codes_by_status(route).items():
        responses[str(status)] = {"$ref": f"#/components/responses/{_problem_name(codes)}"}
    return responses


def _problem_name(codes: Iterable[str]) -> str:
    return "".join(word.capitalize() for code in codes for word in code.split("_"))


def _problem_responses(routes: Iterable[Route]) -> Schema:
    shared: Schema = {}
    for route in routes:
        for status, codes in _codes_by_status(route).items():
            shared[_problem_name(codes)] = _problem_response(status, codes)
    return dict(sorted(shared.items()))


def _codes_by_status(route: Route) -> dict[int, list[str]]:
    by_status: dict[int, list[str]] = {}
    for code in sorted(problem_codes(route)):
        by_status.setdefault(CODES[code][0], []).append(code)
    return dict(sorted(by_status.items()))


def _problem_response(status: int, codes: Iterable[str]) -> Schema:
    names = [*_RATE_HEADERS, *(["Retry-After"] if status in {409, 429, 503} else [])]
    return {
        "description": " · ".join(f"`{code}`: {CODES[code][1]}" for code in codes),
        "headers": _header_references(names),
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }


def _header_references(names: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem_schema() -> Schema:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "Problem details, RFC 9457.",
        "properties": {
            "type": {"type": "string", "description": "`urn:lantern:problem:<code>`"},
            "title": text,
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable; made for programs.", "enum": sorted(CODES)},
            "detail": {"type": "string", "description": "About this occurrence; made for people."},
            "request_id": text,
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": {"type": "string", "description": "JSON pointer into the body."},
                        "parameter": {"type": "string", "description": "Name of a parameter or header."},
                        "detail": {"type": "string", "description": "What to send instead."},
                    },
                    "required": ["detail"],
                },
            },
        },
        "required": ["type", "title", "status", "code", "detail", "request_id"],
    }
