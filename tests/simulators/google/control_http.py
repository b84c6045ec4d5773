"""The same control over HTTP: `POST /_control/{name}`."""

from collections.abc import Callable
from typing import Any

from .control import Control
from .wire import ApiError, Request, Response, json_response


def http_control(control: Control) -> Callable[[Request, str], Response]:
    """The handler of `/_control/{name}`."""

    def handle(request: Request, name: str) -> Response:
        method = None if name.startswith("_") else getattr(control, name, None)
        if method is None:
            raise ApiError(404, "notFound", f"no control {name}")
        try:
            result = method(**(request.json() if request.body else request.query))
        except (TypeError, ValueError) as error:
            raise ApiError(400, "badRequest", str(error)) from None
        return json_response(_plain(result))

    return handle


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value
