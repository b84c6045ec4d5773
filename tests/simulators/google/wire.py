"""HTTP requests and responses as plain values, and Google's error bodies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

JSON_TYPE = "application/json; charset=UTF-8"


@dataclass(slots=True)
class Request:
    """One HTTP request, already read from the socket."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    half_page: bool = False
    pairs: tuple[tuple[str, str], ...] = ()
    """All parameters, for those that may be given more than once; `query` has the last of each."""

    def form(self) -> dict[str, str]:
        """The last value of every field of a urlencoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def form_list(self, name: str) -> list[str]:
        """Every value of one field of a urlencoded body."""
        pairs = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return [value for key, value in pairs if key == name]

    def json(self) -> dict[str, Any]:
        """The JSON object in the body; an `ApiError` 400 when it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise ApiError(400, "parseError", "Parse Error") from None
        if not isinstance(value, dict):
            raise ApiError(400, "parseError", "Parse Error")
        return value


@dataclass(slots=True)
class Response:
    """One HTTP response, before any fault is applied."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_response(payload: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response as Google sends it."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Response(status, body, {"Content-Type": JSON_TYPE, "Vary": "Origin", **(headers or {})})


def html_response(page: str, status: int = 200) -> Response:
    """A page for a person."""
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return Response(status, page.encode(), headers)


def redirect(location: str) -> Response:
    """A 302 to `location`."""
    return Response(302, b"", {"Location": location, "Cache-Control": "no-store"})


RPC_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class ApiError(Exception):
    """A refusal in the shape of Google's API errors.

    Args:
        status: HTTP status.
        reason: the legacy `errors[].reason`, such as `notFound` or `rateLimitExceeded`.
        message: text for people.
        rpc: whether the newer `status` field of `google.rpc.Code` is present as well.
        headers: extra response headers.
        details: `google.rpc` detail objects.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        rpc: bool = False,
        headers: Mapping[str, str] | None = None,
        details: list[dict[str, Any]] | None = None,
        domain: str = "global",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})
        error: dict[str, Any] = {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": domain, "reason": reason, **(extra or {})}],
        }
        if rpc:
            error["status"] = RPC_STATUS.get(status, "UNKNOWN")
        if details:
            error["details"] = details
        self.payload = {"error": error}

    def response(self) -> Response:
        """The error as an HTTP response."""
        return json_response(self.payload, self.status, self.headers)


class OAuthError(Exception):
    """A refusal in the shape of Google's token endpoint (RFC 6749 section 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.payload = {"error": error, "error_description": description}

    def response(self) -> Response:
        """The error as an HTTP response."""
        return json_response(self.payload, self.status, {"Cache-Control": "no-store"})


def not_found(what: str) -> ApiError:
    """Admin SDK's 404."""
    return ApiError(404, "notFound", f"Resource Not Found: {what}")


def bad_request(message: str = "Bad Request", reason: str = "badRequest") -> ApiError:
    """Admin SDK's 400."""
    return ApiError(400, reason, message)


def invalid_input(parameter: str) -> ApiError:
    """Admin SDK's 400 for one bad parameter."""
    return ApiError(400, "invalid", f"Invalid Input: {parameter}", extra={"location": parameter})


def not_authorized() -> ApiError:
    """What people without the admin role, or of another organisation, are told."""
    return ApiError(403, "forbidden", "Not Authorized to access this resource/api")
