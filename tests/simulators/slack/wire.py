"""Slack's answers and refusals."""

from typing import Any

from tests.simulators.google.wire import ApiError, Response, json_response


class SlackError(ApiError):
    """A refusal as Slack makes it: `"ok": false`, most often under status 200."""

    def __init__(
        self, error: str, status: int = 200, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(status, error, error, headers=headers)
        self.payload = {"ok": False, "error": error, **extra}


def ok(headers: dict[str, str] | None = None, **payload: Any) -> Response:
    """An answer of the Web API."""
    return json_response({"ok": True, **payload}, headers=headers)
