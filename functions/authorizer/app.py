"""Lambda authorizer of the REST API."""

from typing import Any

from lantern.runtime import wiring_platform as wiring
from lantern.runtime.authorizer import Answer, authorize


def handler(event: dict[str, Any], _context: object) -> Answer:
    """Decide whether a request's API key is good, and whose it is."""
    return authorize(event, wiring.platform_store, wiring.settings().stage)
