"""Which page a route of the people function is."""

from collections.abc import Callable, Mapping
from typing import Final

from lantern.services.pages import Page
from lantern.services.people.decide_page import decision
from lantern.services.people.page import PeoplePages, no_page, question
from lantern.services.people.review_page import review
from lantern.services.people.tools_page import my_tools
from lantern.services.web import WebRequest

ROUTES: Final[Mapping[str, Callable[[PeoplePages, WebRequest, str], Page]]] = {
    "/n/{token}": question,
    "/my/{token}": my_tools,
    "/review/{token}": review,
    "/decide/{token}": decision,
}


def handle(tools: PeoplePages, route: str, method: str, read: Callable[[], WebRequest]) -> Page:
    """Answer one request on a route template of the API with a page, whatever happens."""
    try:
        request = read()
    except ValueError:
        return no_page("other_browser")
    return ROUTES[route](tools, request, method)
