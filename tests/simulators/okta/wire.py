"""Okta's error bodies, and pages with links in a header."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.simulators.google.faults import Fault, Faults
from tests.simulators.google.wire import ApiError, Request, Response, json_response

SUMMARIES = {
    "E0000001": "Api validation failed: {}",
    "E0000003": "The request body was not well-formed.",
    "E0000006": "You do not have permission to perform the requested action",
    "E0000007": "Not found: Resource not found: {}",
    "E0000009": "Internal Server Error",
    "E0000011": "Invalid token provided",
    "E0000015": "You do not have permission to access the feature you are requesting",
    "E0000031": "Invalid search criteria.",
    "E0000047": "API call exceeded rate limit due to too many requests.",
}


FAULT_CODES = {
    400: "E0000001",
    401: "E0000011",
    403: "E0000006",
    404: "E0000007",
    410: "E0000007",
    429: "E0000047",
}


class OktaError(ApiError):
    """A refusal with one of Okta's error codes."""

    def __init__(
        self, status: int, code: str, about: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code, about, headers=headers)
        self.payload = {
            "errorCode": code,
            "errorSummary": SUMMARIES.get(code, "{}").format(about),
            "errorLink": code,
            "errorId": "oae" + secrets.token_urlsafe(15),
            "errorCauses": [{"errorSummary": about}] if code == "E0000001" else [],
        }


class OAuthRefusedError(ApiError):
    """A refusal of the token endpoint, or of a proof (RFC 6749 section 5.2, RFC 9449)."""

    def __init__(
        self, status: int, error: str, description: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, error, description, headers=headers)
        self.payload = {"error": error, "error_description": description}


def not_found(what: str, kind: str) -> OktaError:
    """Okta's 404."""
    return OktaError(404, "E0000007", f"{what} ({kind})")


def invalid(about: str) -> OktaError:
    """Okta's 400 for a bad parameter or body."""
    return OktaError(400, "E0000001", about)


def forbidden() -> OktaError:
    """Okta's 403."""
    return OktaError(403, "E0000006")


class OktaFault(Fault):
    """A fault that answers with Okta's error body."""

    def response(self) -> Response:
        if self.html:
            return super().response()
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        code = self.reason or FAULT_CODES.get(self.status, "E0000009")
        return OktaError(self.status, code, self.message, headers).response()


class OktaFaults(Faults):
    """The rules in force, answering as Okta does."""

    def add(self, **rule: Any) -> int:
        number = super().add(**rule)
        with self._lock:
            made = self._rules[-1]
            fault = OktaFault(**rule)
            fault.id, fault.pattern = made.id, made.pattern
            self._rules = [*self._rules[:-1], fault]
        return number


def limit_of(request: Request, default: int, most: int, least: int = 1) -> int:
    """The `limit` parameter."""
    text = request.query.get("limit")
    if text is None:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise invalid("limit: The limit parameter is out of range.")
    return int(text)


def page(
    base: str, request: Request, rows: Sequence[Any], *, default: int, most: int, key: Any = None
) -> Response:
    """A page of `rows`, continued by `after` (the key of the last row seen), with absolute links."""
    limit = limit_of(request, default, most)
    if request.half_page:
        limit = max(1, limit // 2)
    key = key or (lambda row: row["id"])
    after, start = request.query.get("after"), 0
    if after is not None:
        start = next((n + 1 for n, row in enumerate(rows) if key(row) == after), -1)
        if start < 0:
            raise invalid("after: The cursor is invalid.")
    chunk = rows[start : start + limit]
    more = start + limit < len(rows)
    return linked(base, request, list(chunk), after=key(chunk[-1]) if more else None)


def linked(base: str, request: Request, rows: Any, *, after: str | None) -> Response:
    """Rows with `Link`: this page, and the next where there is one."""
    own = {k: v for k, v in request.query.items() if k != "after"}
    links = [f'<{base}{request.path}?{urlencode(request.query)}>; rel="self"']
    if after is not None:
        links.append(f'<{base}{request.path}?{urlencode({"after": after, **own})}>; rel="next"')
    return json_response(rows, headers={"Link": ", ".join(links), "Content-Type": "application/json"})


def ok(body: Any = None, status: int = 200) -> Response:
    """An object, or nothing (204)."""
    return Response(204) if body is None else json_response(body, status)
