"""The page of a question: `/n/{token}`. Opening it changes nothing; a confirming POST does.

No login: the address is the key, it was sent to the person's own inbox and ends with the question. The POST
must come from the browser that opened the page: a cookie holds a random secret, the form its keyed hash over
the address, so neither another site nor a link scanner can answer. Nothing is stored for a page that is only
looked at.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args
from urllib.parse import parse_qs

from lantern.domain import consent, nudges
from lantern.domain.errors import ConflictError, InvalidInputError, LanternError
from lantern.domain.ids import RandomBytes
from lantern.domain.nudges import Nudge, NudgeAnswer
from lantern.domain.person_links import LinkPurpose, PersonLink
from lantern.services import pages
from lantern.services.links import Site
from lantern.services.pages import Page
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.explain import Classes, Explained, explain, other_of
from lantern.services.people.nudges import answer_nudge
from lantern.services.people.reaching import living
from lantern.services.web import WebRequest
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

COOKIE_S: Final = 3_600
DECIDING: Final[frozenset[LinkPurpose]] = frozenset({"review", "request", "silence", "run"})
"""Pages by which somebody decides on what concerns others."""
OWN: Final[frozenset[LinkPurpose]] = frozenset({"nudge", "tools"})
"""Pages about the access of whoever has the address."""
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MOST_FIELDS: Final = 6
_BODY: Final = 20_000


@dataclass(frozen=True, slots=True)
class PeoplePages:
    """What the pages need: where they are, the tenants, what scopes reach, time and randomness."""

    site: Site
    platform: PlatformStore
    tenant: Callable[[str], TenantStore]
    scopes: Classes
    now: Callable[[], datetime]
    random: RandomBytes


@dataclass(frozen=True, slots=True)
class Visit:
    """A request whose address is good: whose it is, the link itself, and the name of the organisation."""

    store: TenantStore
    link: PersonLink
    token: str
    organisation: str


class NoPageError(LanternError):
    """There is no page at this address for this request. `reason` is a key of `_NO_PAGE`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_NO_PAGE: Final[Mapping[str, tuple[int, str, str]]] = {
    "unknown": (404, "This link does not work", "It may be incomplete or too old. Look for a newer message."),
    "ended": (410, "This question has ended", "You need not do anything. What was announced has happened."),
    "over": (410, "This link has ended", "Its time is over, or nothing is left to decide."),
    "left": (
        403,
        "This link is no longer yours",
        "Who decides must still work here. Nothing was changed.",
    ),
    "gone": (403, "This page is closed", "Your account here is no longer active. Nothing was changed."),
    "own": (403, "This is about your own access", "Somebody else decides on it. Nothing was changed."),
    "asked": (403, "You asked for this yourself", "Somebody else decides on it. Nothing was changed."),
    "suspended": (403, "Lantern is paused here", "You need not do anything."),
    "other_browser": (
        400,
        "Please open the question again",
        "The page was open for too long, or your browser does not keep cookies. Nothing was changed.",
    ),
    "failed": (503, "That did not work", "Something went wrong on our side. Please try again in a minute."),
}


def enter(tools: PeoplePages, request: WebRequest, *purposes: LinkPurpose) -> Visit:
    """Whose page this is.

    Raises:
        NoPageError: the address is none, has ended, its tenant is paused, or whose it is does not work here.
    """
    token = request.parameters.get("token", "")
    named = consent.read_link_token(token)
    tenant = tools.platform.get_tenant(named[0]) if named else None
    if named is None or tenant is None:
        raise NoPageError("unknown")
    if tenant.status != "active":
        raise NoPageError("suspended")
    store = tools.tenant(tenant.id)
    link = store.person_links.get(named[1])
    if link is None or link.purpose not in purposes:
        raise NoPageError("unknown")
    # A question says itself when it ends.
    if link.purpose != "nudge" and tools.now() >= link.expires_at:
        raise NoPageError("over")
    if link.purpose in DECIDING and not living(store, link.person_id):
        raise NoPageError("left")
    if link.purpose in OWN and not living(store, link.person_id):
        raise NoPageError("gone")
    return Visit(store, link, token, pages.inert(tenant.name))


def check(secret: str, token: str) -> str:
    """What the form of a page carries: only the browser with the cookie's secret can have it."""
    return hmac.new(secret.encode(), f"answer:{token}".encode(), hashlib.sha256).hexdigest()


def fresh(tools: PeoplePages, request: WebRequest, token: str) -> tuple[str, str]:
    """The cookie of a page that is being opened, and what its form carries.

    A browser keeps the secret it has, so that two tabs do not shut each other out.
    """
    had = request.cookie(tools.site.cookie(token)) or ""
    secret = had if _SECRET.fullmatch(had) else consent.depart(tools.random).browser_secret
    return tools.site.set_cookie(token, secret, COOKIE_S), check(secret, token)


def entered(
    tools: PeoplePages, request: WebRequest, token: str, most: int = _MOST_FIELDS
) -> Mapping[str, str]:
    """The fields of a form, once the browser is known to be the one that opened the page.

    Args:
        tools: what pages need.
        request: what was sent.
        token: of the page's address.
        most: more fields than the form has.

    Raises:
        NoPageError: it is another browser, or no form.
    """
    try:
        if len(request.body) > _BODY:
            raise ValueError
        body = request.body.decode("ascii")
        fields = parse_qs(body, strict_parsing=True, max_num_fields=most, keep_blank_values=True)
    except ValueError:
        raise NoPageError("other_browser") from None
    secret = request.cookie(tools.site.cookie(token))
    given = fields.get("check", [])
    if (
        secret is None
        or len(given) != 1
        or not hmac.compare_digest(check(secret, token).encode(), given[0].encode("utf-8", "surrogatepass"))
    ):
        raise NoPageError("other_browser")
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def guarded(answer: Callable[[], Page], request: WebRequest, again: str) -> Page:
    """Answer with a page, whatever happens."""
    try:
        return answer()
    except NoPageError as error:
        log.info("no page: %s", error.reason)
        return no_page(error.reason, again if error.reason in ("other_browser", "failed") else None)
    except Exception as error:
        # The edge: a person waits in front of it. The type only: a message might quote what they wrote.
        log.error("page failed: %s", type(error).__name__, extra={"reference": request.request_id})
        return no_page("failed", again)


def no_page(reason: str, again: str | None = None) -> Page:
    """A page that says why there is none."""
    status, title, line = _NO_PAGE[reason]
    return pages.shown("answered.html", status, title=title, lines=(line,), tone="stop", again=again)


def question(tools: PeoplePages, request: WebRequest, method: str) -> Page:
    """The page of a question, or what became of an answer to it."""
    token = request.parameters.get("token", "")
    again = f"{tools.site.base_url}/n/{token}" if consent.read_link_token(token) else None

    def answer() -> Page:
        visit = enter(tools, request, "nudge")
        nudge = visit.store.nudges.get(visit.link.nudge_id or "")
        if nudge is None:
            raise NoPageError("ended")
        if method == "POST":
            return _take(tools, request, visit, nudge, entered(tools, request, visit.token))
        return _ask(tools, request, visit, nudge)

    return guarded(answer, request, again or "")


def _ask(
    tools: PeoplePages, request: WebRequest, visit: Visit, nudge: Nudge, problem: str = "", reason: str = ""
) -> Page:
    if nudge.state == "answered":
        return _thanks(visit, nudge)
    if nudge.state != "sent" or nudge.due is None or tools.now() >= nudge.due:
        raise NoPageError("ended")
    cookie, form_check = fresh(tools, request, visit.token)
    policy = visit.store.guidance.get()
    bundle = visit.store.bundles.get(nudge.connection_id, nudge.principal_id)
    known = explain(visit.store, tools.scopes, bundle, nudge.app_id)
    names = names_of(visit.store, nudge, known)
    asked = wording.QUESTIONS[nudge.kind]
    return pages.shown(
        "question.html",
        422 if problem else 200,
        form=True,
        cookie=cookie,
        title=asked.title.format(**names),
        organisation=visit.organisation,
        why=asked.why.format(**names),
        note=pages.inert(nudge.note, nudges.LONGEST_REASON),
        app=known.name,
        publisher=known.publisher,
        sentences=known.sentences if nudge.app_id else (),
        more=known.more,
        policy_url=policy.policy_url if nudge.kind == "acknowledge" else None,
        action=f"{tools.site.base_url}/n/{visit.token}",
        check=form_check,
        choices=[
            {"value": one, "label": wording.LABELS[one], "reason": one in nudges.REASONED}
            for one in nudges.ANSWERS[nudge.kind]
        ],
        reason_label=wording.REASON_LABEL,
        longest=nudges.LONGEST_REASON,
        reason=reason,
        problem=problem,
        silence=wording.SILENT[nudge.silence].format(due=day(nudge.due)),
        who=wording.WHO.format(cap=policy.weekly_nudges),
    )


def names_of(store: TenantStore, nudge: Nudge, known: Explained) -> dict[str, str]:
    """What stands for the names in the wording of a question."""
    return {"app": known.name, "alternative": other_of(store, nudge)}


def _take(
    tools: PeoplePages, request: WebRequest, visit: Visit, nudge: Nudge, fields: Mapping[str, str]
) -> Page:
    given = fields.get("answer", "")
    if given not in get_args(NudgeAnswer):
        return _ask(tools, request, visit, nudge, "Please choose one of the answers.")
    reason = fields.get("reason", "")
    try:
        answered = answer_nudge(
            visit.store,
            nudge.id,
            given,  # type: ignore[arg-type] # it is one of them, see above
            reason=reason,
            via="page",
            by=nudge.person_id,
            now=tools.now(),
        )
    except InvalidInputError as error:
        return _ask(tools, request, visit, nudge, error.remedy, reason)
    except ConflictError:
        # Somebody else was quicker: another tab, Slack, or the end of the question.
        now_is = visit.store.nudges.get(nudge.id)
        if now_is is None or now_is.state != "answered":
            raise NoPageError("ended") from None
        return _thanks(visit, now_is, "It was answered already; that answer stands.")
    return _thanks(visit, answered)


def _thanks(visit: Visit, nudge: Nudge, before: str = "") -> Page:
    answer = nudge.answer or "keep"
    kept = visit.store.exceptions.get(nudge.person_id, nudge.app_id) if answer == "keep" else None
    said = wording.NEXT[answer].format(until=day(kept.until) if kept else "later")
    lines = tuple(line for line in (before, f"Your answer: {wording.LABELS[answer]}.", said) if line)
    return thanks(visit, lines)


def thanks(visit: Visit, lines: tuple[str, ...]) -> Page:
    """A page that says what was done."""
    return pages.shown(
        "answered.html",
        200,
        title="Thank you",
        lines=lines,
        tone="ok",
        again=None,
        organisation=visit.organisation,
    )
