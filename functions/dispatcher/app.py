"""Lambda of the dispatcher: a queue message to its tenant's own worker, and back."""

from typing import Any

from lantern.runtime import wiring_edges, wiring_platform


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Hand every message over and wait; report those that failed."""
    wiring_platform.logging_once("dispatcher")
    return dict(wiring_edges.dispatcher().handle(event))
