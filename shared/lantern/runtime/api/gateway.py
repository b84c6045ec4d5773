"""From an API Gateway REST proxy event to an answer: what every route shares, in its order."""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from lantern.domain import apikeys, ids
from lantern.domain.errors import InvalidInputError
from lantern.domain.idempotency import KeptAnswer
from lantern.runtime import idempotency, problems, ratelimit
from lantern.runtime.api.routing import Call, Caller, Reply, Route, Router
from lantern.runtime.api.tools import Tools
from lantern.runtime.api.validation import read_body, read_query, read_upload
from lantern.runtime.preconditions import require_match
from lantern.runtime.problems import ProblemError

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
Response = dict[str, Any]

_COMMON_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The parts of an event that matter; header names are lower case."""

    request_id: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: bytes
    authorizer: Mapping[str, Any]


@dataclass(slots=True)
class _Answer:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


def handle(event: Event, router: Router, tools: Callable[[], Tools]) -> Response:
    """Answer one API Gateway REST proxy event; never raises.

    `tools` is a function so that public routes need neither settings nor clients.
    """
    request_id = str((event.get("requestContext") or {}).get("requestId") or "unknown")
    shared: dict[str, str] = {}
    try:
        answer = _answer(_read(event, request_id), router, tools, shared)
    except Exception as error:  # the edge: whatever happens becomes a problem document
        document = problems.answer(problems.from_error(error), request_id)
        answer = _Answer(document.status, document.body, dict(document.headers))
    headers = {**_COMMON_HEADERS, "X-Request-Id": request_id, **shared, **answer.headers}
    return {"statusCode": answer.status, "headers": headers, "body": answer.body, "isBase64Encoded": False}


def _read(event: Event, request_id: str) -> HttpRequest:
    body = (event.get("body") or "").encode("utf-8", "surrogatepass")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise ProblemError("invalid_request", "The body is not what its encoding says.") from error
    query = event.get("multiValueQueryStringParameters")
    if query is None:
        query = {name: [value] for name, value in (event.get("queryStringParameters") or {}).items()}
    return HttpRequest(
        request_id=request_id,
        method=str(event.get("httpMethod", "")).upper(),
        path=str(event.get("path", "")),
        headers={name.lower(): str(value) for name, value in (event.get("headers") or {}).items()},
        query=query,
        body=body,
        authorizer=(event.get("requestContext") or {}).get("authorizer") or {},
    )


def _caller(request: HttpRequest) -> Caller:
    tenant_id = str(request.authorizer.get("tenantId") or "")
    key_id = str(request.authorizer.get("keyId") or "")
    if not ids.is_tenant_id(tenant_id) or not key_id:
        raise ProblemError("unauthorized", "Send Authorization: Bearer with an API key.")
    scopes = apikeys.allowed(str(request.authorizer.get("scopes") or "").split())
    # Whatever is not plainly active does not get in.
    suspended = request.authorizer.get("tenantStatus") != "active"
    return Caller(tenant_id, key_id, scopes, suspended)


def _answer(
    request: HttpRequest, router: Router, tools: Callable[[], Tools], shared: dict[str, str]
) -> _Answer:
    for page in router.public:
        if request.method == "GET" and request.path == page.path:
            made = page.render()
            return _Answer(200, made.text, {"Content-Type": page.media_type, **made.headers})
    caller = _caller(request)
    box = tools()
    allowance = ratelimit.spend(box.platform.count_request, caller.key_id, box.requests_per_minute, box.now())
    shared.update(allowance.headers())
    route, path = router.match(request.method, request.path)
    _permit(caller, route)
    call = _call(route, path, request, caller, box)
    key = request.headers.get("idempotency-key")
    if route.method == "POST" and key is not None:
        return _once(key, call, route, request)
    return _encode(_run(route, call))


def _permit(caller: Caller, route: Route) -> None:
    if caller.suspended:
        raise ProblemError("tenant_suspended", "Ask your Lantern operator to resume the tenant.")
    if route.scope not in caller.scopes:
        raise ProblemError("scope_missing", f"This needs a key with the scope {route.scope}.")


def _call(
    route: Route, path: Mapping[str, str], request: HttpRequest, caller: Caller, tools: Tools
) -> Call[Any, Any]:
    query = read_query(route.query, request.query)
    body: Any = None
    if route.body is not None:
        body = read_body(route.body, request.body, request.headers.get("content-type", ""))
    elif route.upload:
        body = read_upload(route.upload, request.body, request.headers.get("content-type", ""))
    if_match = request.headers.get("if-match")
    if route.if_match:
        require_match(if_match)
    return Call(
        operation=route.operation,
        caller=caller,
        path=path,
        query=query,
        body=body,
        if_match=if_match if route.if_match else None,
        tools=tools,
    )


def _run(route: Route, call: Call[Any, Any]) -> Reply:
    try:
        return route.handler(call)
    except InvalidInputError as error:
        # Use-cases know values by name; for the client it is a place in the body.
        if route.body is not None and error.field in route.body.model_fields:
            raise InvalidInputError(f"/{error.field}", error.remedy) from error
        raise


def _once(key: str, call: Call[Any, Any], route: Route, request: HttpRequest) -> _Answer:
    sent: list[_Answer] = []

    def run() -> KeptAnswer:
        reply = _run(route, call)
        sent.append(_encode(reply))
        kept = reply.replay if reply.replay is not None else reply.body
        return KeptAnswer(reply.status, _json(kept), reply.etag, reply.location)

    once = idempotency.IdempotentRequest(key, call.caller.key_id, request.method, request.path, request.body)
    kept = idempotency.run_once(
        once,
        call.store.idempotency,
        run,
        now=call.tools.now(),
        claim=ids.new_id("att", call.tools.random),
    )
    if kept is None:
        return sent[0]
    headers = _headers(kept.etag, kept.location, has_body=kept.body is not None)
    return _Answer(kept.status, kept.body or "", {**headers, "Idempotency-Replayed": "true"})


def _encode(reply: Reply) -> _Answer:
    if reply.page is not None:
        return _Answer(reply.status, reply.page.text, dict(reply.page.headers))
    body = _json(reply.body)
    headers = _headers(reply.etag, reply.location, has_body=body is not None)
    return _Answer(reply.status, body or "", headers)


def _json(body: BaseModel | None) -> str | None:
    return None if body is None else body.model_dump_json()


def _headers(etag: str | None, location: str | None, *, has_body: bool) -> dict[str, str]:
    headers = {"Content-Type": "application/json"} if has_body else {}
    if etag is not None:
        headers["ETag"] = etag
    if location is not None:
        headers["Location"] = location
    return headers
