"""Lambda of the consent flow: `/connect/{provider}`, its callback, and `/connect/link/{token}`."""

from typing import Any

from lantern.runtime import wiring_edges, wiring_platform
from lantern.services import onboarding, web


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request with a page or a redirect."""
    wiring_platform.logging_once("onboarding")
    page = onboarding.handle(wiring_edges.onboarding(event), event["resource"], web.read(event))
    return web.answer(page.status, page.headers, page.body)
