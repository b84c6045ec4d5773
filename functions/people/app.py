"""Lambda of people's own pages: questions, their tools, reviews and decisions (`services.people.site`)."""

from typing import Any

from lantern.runtime import wiring_people, wiring_platform
from lantern.services import web
from lantern.services.people import site


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request with a page."""
    wiring_platform.logging_once("people")
    tools = wiring_people.pages(event)
    page = site.handle(tools, event["resource"], event.get("httpMethod", "GET"), lambda: web.read(event))
    return web.answer(page.status, page.headers, page.body)
