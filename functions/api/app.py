"""Lambda of the REST API: `/v1/{proxy+}` and `/docs`."""

from typing import Any

from lantern.runtime import units, wiring_api, wiring_platform
from lantern.runtime.api.application import handle
from lantern.runtime.api.gateway import Response


def handler(event: dict[str, Any], _context: object) -> Response:
    """Answer one request."""
    wiring_platform.logging_once("api")
    with units.reported("api"):
        return handle(event, wiring_api.api_tools)
