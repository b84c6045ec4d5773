"""Salesforce's error bodies, faults that answer with them, a dispatcher that lets faults see the query."""

import re
from collections.abc import Mapping
from typing import Any

from tests.simulators.google.faults import KINDS, Fault, Faults
from tests.simulators.google.server import Dispatcher
from tests.simulators.google.wire import ApiError, Request, Response, json_response

CODES = {
    400: ("MALFORMED_QUERY", "unexpected token"),
    401: ("INVALID_SESSION_ID", "Session expired or invalid"),
    403: ("INSUFFICIENT_ACCESS", "insufficient access rights on cross-reference id"),
    404: ("NOT_FOUND", "The requested resource does not exist"),
    410: ("UNSUPPORTED_API_VERSION", "Requested API version is no longer supported"),
    429: ("REQUEST_LIMIT_EXCEEDED", "too many requests"),
    503: ("SERVER_UNAVAILABLE", "Server is unavailable"),
}


class SalesforceError(ApiError):
    """`[{"errorCode": …, "message": …}]` (REST API Developer Guide, "Status Codes and Error Responses")."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code, message, headers=headers)
        self.body = [{"message": message, "errorCode": code}]

    def response(self) -> Response:
        """The error as an HTTP response."""
        return json_response(self.body, self.status, self.headers)


class OrgFault(Fault):
    """A rule that answers as Salesforce does."""

    def response(self) -> Response:
        """What a `status` or `outage` rule answers."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.html:
            return Response(
                self.status, b"<html><h1>Error</h1></html>", {"Content-Type": "text/html", **headers}
            )
        code, message = CODES.get(self.status, ("UNKNOWN_EXCEPTION", "An unexpected error occurred"))
        return SalesforceError(self.status, self.reason or code, self.message or message, headers).response()


class OrgFaults(Faults):
    """The rules in force; `path` is searched in the path with the query behind it."""

    def add(self, **rule: Any) -> int:
        """Put a rule in force and return its id."""
        fault = OrgFault(**rule)
        if fault.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        fault.pattern = re.compile(fault.path)
        with self._lock:
            self._ids += 1
            fault.id = self._ids
            self._rules = [*self._rules, fault]
        return fault.id


class OrgDispatcher(Dispatcher):
    """As Google's, but a fault may be aimed at one query."""

    def handle(self, request: Request) -> Response:
        """Answer, or raise `DroppedError`."""
        route = self._router.find(request.method, request.path)
        if route is None:
            return SalesforceError(404, "NOT_FOUND", "The requested resource does not exist").response()
        name, handler, parts = route
        if name == "control":
            return super().handle(request)
        self._counters.begin(name)
        status, reason = 0, ""
        try:
            asked = f"{request.path}?{request.query['q']}" if "q" in request.query else request.path
            strikes = self._faults.striking(request.method, asked)
            response, reason = self._run(handler, request, parts, strikes)
            status = response.status
            return response
        finally:
            self._counters.end(name, status, reason)
