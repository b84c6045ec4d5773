"""A person's own page, `/my/{token}`: their AI tools, the approved ones, and a form to ask for another."""

from collections.abc import Mapping
from typing import Final

from lantern.domain import consent, requests
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.requests import AccessRequest, TooOftenError
from lantern.services import pages
from lantern.services.pages import Page
from lantern.services.people import directory
from lantern.services.people.days import day
from lantern.services.people.page import NoPageError, PeoplePages, Visit, enter, entered, fresh, guarded
from lantern.services.people.requests import Looked, ask
from lantern.services.web import WebRequest

_STATUS: Final[Mapping[str | None, str]] = {
    "approved": "approved",
    "restricted": "restricted",
    "under_review": "being reviewed",
    "not_allowed": "not allowed",
    None: "not reviewed yet",
}


_TONES: Final[Mapping[str | None, str]] = {"approved": "ok", "restricted": "stop", "not_allowed": "stop"}
"""How a status is coloured; the word says it, the colour only repeats it."""


def my_tools(tools: PeoplePages, request: WebRequest, method: str) -> Page:
    """The page of a person, or what became of asking for a tool."""
    token = request.parameters.get("token", "")
    again = f"{tools.site.base_url}/my/{token}" if consent.read_link_token(token) else ""

    def answer() -> Page:
        visit = enter(tools, request, "tools")
        if method == "POST":
            return _take(tools, request, visit, entered(tools, request, visit.token))
        return _show(tools, request, visit)

    return guarded(answer, request, again)


def _take(tools: PeoplePages, request: WebRequest, visit: Visit, fields: Mapping[str, str]) -> Page:
    person = visit.link.person_id
    name, reason = fields.get("name", ""), fields.get("reason", "")
    try:
        made, looked = ask(
            visit.store, person_id=person, name=name, reason=reason, by=person, now=tools.now()
        )
    except InvalidInputError as error:
        return _show(tools, request, visit, problem=error.remedy, typed=(name, reason))
    except TooOftenError as error:
        return _show(tools, request, visit, problem=error.remedy, typed=(name, reason), status=429)
    return _show(tools, request, visit, made=made, looked=looked)


def _show(
    tools: PeoplePages,
    request: WebRequest,
    visit: Visit,
    *,
    problem: str = "",
    status: int = 422,
    typed: tuple[str, str] = ("", ""),
    made: AccessRequest | None = None,
    looked: Looked | None = None,
) -> Page:
    store, now = visit.store, tools.now()
    try:
        found = directory.tools_of(store, tools.scopes, visit.link.person_id, now)
    except NotFoundError:
        raise NoPageError("unknown") from None
    cookie, form_check = fresh(tools, request, visit.token)
    done = ""
    if looked is not None:
        done = (
            f"You asked for {made.name}. You will hear from us by {day(made.due)}."
            if made
            else "It is approved already: you may use it."
        )
    return pages.shown(
        "tools.html",
        status if problem else 200,
        form=True,
        cookie=cookie,
        title="Your AI tools",
        organisation=visit.organisation,
        problem=problem,
        done=done,
        accounts=found.accounts,
        held=[
            {
                "name": directory.shown(one.row) if one.row.product_evidence else one.known.name,
                "status": _STATUS[one.row.status],
                "tone": _TONES.get(one.row.status, ""),
                "sentences": one.known.sentences,
                "more": one.known.more,
                "until": day(one.allowed.until) if one.allowed else "",
            }
            for one in found.mine
        ],
        left_out=found.left_out,
        action=f"{tools.site.base_url}/my/{visit.token}",
        check=form_check,
        name=typed[0][:80],
        reason=typed[1][: requests.LONGEST],
        longest=requests.LONGEST,
        instead=[directory.shown(one) for one in looked.alternatives] if looked else [],
        directory=[
            (directory.label(category), [directory.shown(one) for one in rows])
            for category, rows in directory.approved(row.at(now) for row in store.apps.summary())
        ],
    )
