"""Lambda of the webhooks: `/webhooks/{source}/{id}`."""

from typing import Any

from lantern.runtime import wiring_edges, wiring_platform
from lantern.services import push, web


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Verify, deduplicate, enqueue, answer."""
    wiring_platform.logging_once("webhooks")
    receipt = push.handle(wiring_edges.receiver(), lambda: web.read(event), event.get("httpMethod", "POST"))
    headers = {
        **receipt.headers,
        "Cache-Control": "no-store",
        "Content-Type": receipt.content_type,
        "X-Content-Type-Options": "nosniff",
    }
    return web.answer(receipt.status, headers, receipt.body)
