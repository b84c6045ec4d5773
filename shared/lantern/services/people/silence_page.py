"""What waits for whoever was turned to: questions that colleagues did not answer, decided in bulk."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from lantern.domain.errors import ConflictError, ForbiddenError, InvalidInputError
from lantern.domain.nudges import LONGEST_REASON, Nudge
from lantern.services import pages
from lantern.services.pages import Page
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.deciding import decide_for, waits
from lantern.services.people.explain import Explained, explain
from lantern.services.people.page import NoPageError, PeoplePages, Visit, fresh, names_of
from lantern.services.people.reaching import name_of
from lantern.services.web import WebRequest

PAGE: Final = 20
"""Questions on one page; when they are decided the next ones come."""
FIELD: Final = "d-"
MOST_FIELDS: Final = PAGE + 10
_KEPT: Final = timedelta(days=30)
"""How long a question is on the list after it ended, where it does not wait."""


@dataclass(frozen=True, slots=True)
class Card:
    """One question that somebody did not answer."""

    field: str
    who: str
    known: Explained
    asked: str
    sent: str
    note: str


def silences(tools: PeoplePages, request: WebRequest, visit: Visit, fields: Mapping[str, str] | None) -> Page:
    """The page of whoever was turned to, or what became of decisions."""
    if fields is None:
        return _show(tools, request, visit)
    chosen = {
        name.removeprefix(FIELD): value
        for name, value in fields.items()
        if name.startswith(FIELD) and value in ("keep", "revoke")
    }
    listed = set(visit.store.nudges.silent(visit.link.person_id))
    if not listed.issuperset(chosen):
        raise NoPageError("unknown")
    reason = fields.get("reason", "")
    if not chosen:
        return _show(tools, request, visit, problem="Nothing was chosen, so nothing was changed.")
    if "keep" in chosen.values() and not reason.strip():
        return _show(tools, request, visit, problem="Say in a few words what it is used for.", typed=chosen)
    said = [_one(tools, visit, nudge_id, value == "keep", reason) for nudge_id, value in chosen.items()]
    _tidy(tools, visit, listed)
    return _show(tools, request, visit, done=tuple(dict.fromkeys(said)))


def _one(tools: PeoplePages, visit: Visit, nudge_id: str, keep: bool, reason: str) -> str:  # noqa: FBT001 - one of two
    """Take one decision; what became of it."""
    store, by, now = visit.store, visit.link.person_id, tools.now()
    nudge = store.nudges.get(nudge_id)
    if nudge is None:
        return "One is no longer there."
    who = name_of(store, nudge.person_id)
    try:
        after = decide_for(store, nudge, keep=keep, reason=reason, by=by, now=now)
    except (InvalidInputError, ForbiddenError):
        raise NoPageError("own") from None
    except ConflictError:
        now_is = store.nudges.get(nudge_id)
        if now_is is not None and waits(now_is):
            raise NoPageError("failed") from None
        return f"{who}: it was decided already; that decision stands."
    if after.exception_id:
        return f"{who} may keep it until {day(now + store.guidance.get().review)}."
    if after.job_id:
        return f"{who}: its access is being removed. If that takes an approval, your administrator gives it."
    return f"{who}: it could not be removed from here. Please tell your administrator."


def _tidy(tools: PeoplePages, visit: Visit, listed: Collection[str]) -> None:
    """Take off the list what was decided, by whomever, and what nobody can read.

    A while after it ended, so that a form which was open meanwhile is still answered.
    """
    nudges, since = visit.store.nudges, tools.now() - _KEPT
    found = nudges.batch_get(listed)
    kept = {one.id for one in found.values() if waits(one) or (one.closed_at or since) > since}
    nudges.heard(visit.link.person_id, [one for one in listed if one not in kept])


def _show(
    tools: PeoplePages,
    request: WebRequest,
    visit: Visit,
    *,
    done: tuple[str, ...] = (),
    problem: str = "",
    typed: Mapping[str, str] | None = None,
) -> Page:
    store = visit.store
    listed = store.nudges.silent(visit.link.person_id)
    there = store.nudges.batch_get(listed)
    found = [there[one] for one in listed if one in there]
    waiting = [one for one in found if waits(one)]
    since = tools.now() - _KEPT
    unread = [
        name_of(store, one.person_id)
        for one in found
        if not one.app_id and one.state == "expired" and (one.closed_at or since) > since
    ]
    cookie, form_check = fresh(tools, request, visit.token)
    cards = [_card(tools, visit, one) for one in waiting[:PAGE]]
    title = "Decide for colleagues" if cards else "Nothing is left to decide"
    if len(waiting) == 1:
        title = f"May {cards[0].who} keep {cards[0].known.name}?"
    return pages.shown(
        "silences.html",
        422 if problem else 200,
        form=True,
        cookie=cookie,
        title=title,
        organisation=visit.organisation,
        done=done,
        problem=problem,
        typed=dict(typed or {}),
        cards=cards,
        more=len(waiting) - len(cards),
        unread=sorted(unread),
        longest=LONGEST_REASON,
        action=f"{tools.site.base_url}/decide/{visit.token}",
        check=form_check,
        review=day(tools.now() + store.guidance.get().review),
    )


def _card(tools: PeoplePages, visit: Visit, nudge: Nudge) -> Card:
    store = visit.store
    bundle = store.bundles.get(nudge.connection_id, nudge.principal_id)
    known = explain(store, tools.scopes, bundle, nudge.app_id, to_others=True)
    asked = wording.QUESTIONS[nudge.kind].title
    return Card(
        field=f"{FIELD}{nudge.id}",
        who=name_of(store, nudge.person_id),
        known=known,
        asked=asked.format(**names_of(store, nudge, known)),
        sent=day(nudge.sent_at) if nudge.sent_at else "",
        note=pages.inert(nudge.note, LONGEST_REASON),
    )
