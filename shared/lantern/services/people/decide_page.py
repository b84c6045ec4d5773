"""The page of whoever decides, `/decide/{token}`: on a request for a tool, or for who did not answer.

As the page of a question, opening it changes nothing, and the first decision counts.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from lantern.domain import consent, requests
from lantern.domain.errors import ConflictError, ForbiddenError, InvalidInputError
from lantern.domain.requests import AccessRequest, Ruling
from lantern.services import pages
from lantern.services.pages import Page
from lantern.services.people import directory
from lantern.services.people.days import day
from lantern.services.people.page import (
    NoPageError,
    PeoplePages,
    Visit,
    enter,
    entered,
    fresh,
    guarded,
    thanks,
)
from lantern.services.people.reaching import living, name_of
from lantern.services.people.requests import decide, look
from lantern.services.people.run_page import approval
from lantern.services.people.silence_page import MOST_FIELDS, silences
from lantern.services.web import WebRequest

_FIRST: Final[Mapping[str, str]] = {
    "approved": "Approved",
    "declined": "Declined",
    "withdrawn": "It was taken back",
    "lapsed": "Nobody decided in time",
    "ended": "The approval has ended",
}


def decision(tools: PeoplePages, request: WebRequest, method: str) -> Page:
    """The page of whoever decides, or what became of the decision."""
    token = request.parameters.get("token", "")
    again = f"{tools.site.base_url}/decide/{token}" if consent.read_link_token(token) else ""

    def answer() -> Page:
        visit = enter(tools, request, "request", "silence", "run")
        shown = {"request": _request, "silence": silences, "run": approval}[visit.link.purpose]
        fields = entered(tools, request, visit.token, MOST_FIELDS) if method == "POST" else None
        return shown(tools, request, visit, fields)

    return guarded(answer, request, again)


def _request(tools: PeoplePages, request: WebRequest, visit: Visit, fields: Mapping[str, str] | None) -> Page:
    wanted = visit.store.requests.get(visit.link.subject_id or "")
    if wanted is None:
        raise NoPageError("over")
    if not wanted.open:
        return _decided(visit, wanted)
    if fields is None:
        return _ask(tools, request, visit, wanted)
    try:
        ruling = _ruling(fields, tools.now())
        if ruling.approve and ruling.scope == "everyone" and not _for_everyone(visit, wanted):
            raise InvalidInputError("decision", "You can say yes for this person only.")
        after = decide(visit.store, wanted, ruling, by=visit.link.person_id, now=tools.now())
        return _decided(visit, after)
    except InvalidInputError as error:
        return _ask(tools, request, visit, wanted, error.remedy, fields)
    except ForbiddenError:
        raise NoPageError("own" if visit.link.person_id == wanted.person_id else "asked") from None
    except ConflictError:
        now_is = visit.store.requests.get(wanted.id)
        if now_is is None or now_is.open:
            raise NoPageError("failed") from None
        return _decided(visit, now_is, "It was decided already; that decision stands.")


def _for_everyone(visit: Visit, wanted: AccessRequest) -> bool:
    """Whether who decides may say yes for everybody: who was named may; a manager speaks for one person."""
    policy, person = visit.store.guidance.get(), visit.link.person_id
    named = {*wanted.reviewers, *policy.escalate_to}
    named |= {policy.owners.get(one or "", "") for one in (wanted.product_id, wanted.app_id)}
    return wanted.app_id is not None and person in named


def _ruling(fields: Mapping[str, str], now: datetime) -> Ruling:
    """What the form says.

    Raises:
        InvalidInputError: nothing was chosen, or the end is no day to come.
    """
    chosen = fields.get("decision", "")
    if chosen not in ("person", "everyone", "decline"):
        raise InvalidInputError("decision", "Please choose one of the three.")
    until = None
    if fields.get("until", "").strip() and chosen != "decline":
        try:
            last = date.fromisoformat(fields["until"].strip())
            until = datetime.combine(last + timedelta(days=1), time(), UTC)
        except (ValueError, OverflowError):
            raise InvalidInputError(
                "until", "Write the last day as year-month-day, or leave it empty."
            ) from None
        if until <= now:
            raise InvalidInputError("until", "The last day must be in the future.")
    scope: requests.Scope = "everyone" if chosen == "everyone" else "person"
    return Ruling(chosen != "decline", scope, until, fields.get("conditions", ""), fields.get("note", ""))


def _ask(
    tools: PeoplePages,
    request: WebRequest,
    visit: Visit,
    wanted: AccessRequest,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
) -> Page:
    store, now, typed = visit.store, tools.now(), typed or {}
    looked = look(store, wanted.name, now, wanted.app_id) if wanted.app_id else None
    row = looked.row if looked else None
    cookie, form_check = fresh(tools, request, visit.token)
    who = living(store, wanted.person_id)
    return pages.shown(
        "decide_request.html",
        422 if problem else 200,
        form=True,
        cookie=cookie,
        title=f"May they use {wanted.name}?",
        organisation=visit.organisation,
        name=wanted.name,
        who=name_of(store, wanted.person_id),
        email=pages.inert(who[0].email or "", 80) if who else "",
        reason=pages.inert(wanted.reason, requests.LONGEST),
        due=day(wanted.due),
        late=now >= wanted.due,
        problem=problem,
        known=row is not None,
        everyone=_for_everyone(visit, wanted),
        vendor=pages.inert(row.vendor, 80) if row and row.vendor else "",
        holders=row.holders if row else 0,
        risk=row.risk if row else None,
        instead=[directory.shown(one) for one in looked.alternatives] if looked else [],
        action=f"{tools.site.base_url}/decide/{visit.token}",
        check=form_check,
        longest=requests.LONGEST,
        chosen=typed.get("decision", ""),
        conditions=typed.get("conditions", "")[: requests.LONGEST],
        until=typed.get("until", "")[:20],
        note=typed.get("note", "")[: requests.LONGEST],
        earliest=now.date().isoformat(),
    )


def _decided(visit: Visit, wanted: AccessRequest, before: str = "") -> Page:
    lines = [before, f"{_FIRST[wanted.state]}: {pages.inert(wanted.name)}."]
    if wanted.state == "approved":
        lines.append(
            "Everybody here may use it." if wanted.scope == "everyone" else "It is for this person only."
        )
        lines.append(f"Until {day(wanted.until - timedelta(seconds=1))}." if wanted.until else "")
        lines.append(
            f"To keep to: {pages.inert(wanted.conditions, requests.LONGEST)}" if wanted.conditions else ""
        )
    if wanted.state in ("approved", "declined"):
        lines.append("They have been told.")
    shown = tuple(line for line in lines if line)
    return thanks(visit, shown)
