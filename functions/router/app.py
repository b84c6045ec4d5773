"""Lambda of the router: changed items of the tenants' table, and files that have come, to queues."""

from typing import Any

from lantern.runtime import wiring_edges, wiring_platform
from lantern.services import routing


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send what the stream records stand for; report the first that failed."""
    wiring_platform.logging_once("router")
    if routing.is_drop(event):
        return {"announced": routing.announce(event, wiring_platform.work_queue().send)}
    table, name = wiring_edges.tenant_table()
    return dict(routing.handle(event, wiring_platform.work_queue().send, table, name))
