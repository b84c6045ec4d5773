"""Graph's and the sign-in service's error bodies."""

from collections.abc import Mapping

from tests.simulators.google.wire import ApiError, OAuthError


class GraphError(ApiError):
    """A refusal in the shape of Graph's errors."""

    def __init__(
        self, status: int, code: str, message: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code, message, headers=headers)
        inner = {"date": "2026-11-26T00:00:00", "request-id": "r", "client-request-id": "c"}
        self.payload = {"error": {"code": code, "message": message, "innerError": inner}}


class LoginError(OAuthError):
    """A refusal of the token endpoint, with Microsoft's number for it."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(error, f"AADSTS{number}: {text} Trace ID: t", status)
        self.payload["error_codes"] = [number]


def denied() -> GraphError:
    """What an app without the permission is told."""
    return GraphError(
        403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
    )


def unknown(what: str) -> GraphError:
    """What is not there."""
    text = (
        f"Resource '{what}' does not exist or one of its queried reference-property objects are not present."
    )
    return GraphError(404, "Request_ResourceNotFound", text)


def bad(message: str, code: str = "Request_UnsupportedQuery") -> GraphError:
    """What is not understood."""
    return GraphError(400, code, message)
