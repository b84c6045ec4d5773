"""Lambda of the webhooks: `POST /webhooks/{source}/{id}`."""

from typing import Any

from lantern.runtime import wiring_edges, wiring_platform
from lantern.services import push, web


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Verify, deduplicate, enqueue, answer: a status and nothing else."""
    wiring_platform.logging_once("webhooks")
    status = push.handle(wiring_edges.receiver(), lambda: web.read(event))
    return web.answer(status, {"Cache-Control": "no-store"})
