"""The page of whoever approves a run of a playbook that is about one person's access."""

from collections.abc import Mapping
from typing import Final

from lantern.domain.errors import ConflictError, ForbiddenError
from lantern.domain.playbooks.machine import PlaybookRun, RunTarget
from lantern.domain.rules.titles import clean
from lantern.services import pages, playbooks
from lantern.services.pages import Page
from lantern.services.people.explain import NAME
from lantern.services.people.page import NoPageError, PeoplePages, Visit, fresh, thanks
from lantern.services.people.reaching import name_of
from lantern.services.playbooks.approvers import person_of
from lantern.services.web import WebRequest

SHOWN: Final = 20
_KINDS: Final[Mapping[str, str]] = {
    "grant": "Access of",
    "account": "Sessions of the account",
    "asset": "A key, token or agent",
    "app": "The app",
}


def approval(tools: PeoplePages, request: WebRequest, visit: Visit, fields: Mapping[str, str] | None) -> Page:
    """What waits for the approval, or what became of it."""
    store = visit.store
    run = store.playbooks.get(visit.link.subject_id or "")
    if run is None:
        raise NoPageError("over")
    if not run.open or run.approval != "waiting":
        return _decided(visit, run)
    targets = tuple(store.playbooks.targets(run.id))
    person = person_of(store, targets)
    if person is None:
        raise NoPageError("over")
    if person == visit.link.person_id:
        raise NoPageError("own")
    if fields is None:
        return _ask(tools, request, visit, run, targets, person)
    given, rev = fields.get("decision", ""), fields.get("rev", "")
    if given not in ("approve", "decline") or not (rev.isascii() and rev.isdigit() and len(rev) < 10):
        return _ask(tools, request, visit, run, targets, person, "Please choose one of the two.")
    act = playbooks.approve if given == "approve" else playbooks.decline
    try:
        after = act(store, run.id, visit.link.person_id, tools.now(), rev=int(rev))
    except ForbiddenError:
        raise NoPageError("asked") from None
    except ConflictError:
        now_is = store.playbooks.get(run.id)
        if now_is is not None and now_is.approval == "waiting" and now_is.open:
            problem = "It changed meanwhile. Please look once more."
            return _ask(tools, request, visit, now_is, targets, person, problem)
        return _decided(visit, now_is or run, "It was decided already; that decision stands.")
    return _decided(visit, after)


def _ask(
    tools: PeoplePages,
    request: WebRequest,
    visit: Visit,
    run: PlaybookRun,
    targets: tuple[RunTarget, ...],
    person: str,
    problem: str = "",
) -> Page:
    store = visit.store
    names = {row.app_id: clean(row.name, NAME) for row in store.apps.summary()}
    told = [f"{_KINDS[one.kind]} {names.get(one.app_id, '')}".strip() for one in targets]
    concerned = {target.kind for target in targets}
    steps = [
        one.about
        for one in run.book.steps
        if one.kind != "approve" and any(one.concerns(kind) for kind in concerned)
    ]
    cookie, form_check = fresh(tools, request, visit.token)
    who = name_of(store, person)
    return pages.shown(
        "decide_run.html",
        422 if problem else 200,
        form=True,
        cookie=cookie,
        title=f"{run.book.title}: {who}",
        organisation=visit.organisation,
        problem=problem,
        who=who,
        about=run.book.about,
        reason=pages.inert(run.reason, 1_000),
        targets=list(dict.fromkeys(told))[:SHOWN],
        more=max(0, len(dict.fromkeys(told)) - SHOWN),
        steps=steps,
        rev=run.rev,
        action=f"{tools.site.base_url}/decide/{visit.token}",
        check=form_check,
    )


def _decided(visit: Visit, run: PlaybookRun, before: str = "") -> Page:
    said = {
        "approved": "Approved. It goes on now; what is done is checked afterwards.",
        "declined": "Declined. What needed the approval is not done.",
    }.get(run.approval, "It is over: nothing is left to decide.")
    return thanks(visit, tuple(line for line in (before, said) if line))
