"""Which page a route of the people function is."""

from collections.abc import Callable

from lantern.services.pages import Page
from lantern.services.people.page import PeoplePages, no_page, question
from lantern.services.people.tools_page import my_tools
from lantern.services.web import WebRequest


def handle(tools: PeoplePages, route: str, method: str, read: Callable[[], WebRequest]) -> Page:
    """Answer one request on a route template of the API with a page, whatever happens."""
    try:
        request = read()
    except ValueError:
        return no_page("other_browser")
    shown = my_tools if route == "/my/{token}" else question
    return shown(tools, request, method)
