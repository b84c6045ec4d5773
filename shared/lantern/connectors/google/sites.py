"""AI sites that people visit in managed Chrome: who visited which, when last, and what went there in all.

Google counts visits and transfers of a site for the whole organisation only; of a person it says the first
and the latest visit. A visit gives a site no access, so it is told as a grant of source `visit` with no
permission.

Only sites that are AI are read: where people browse otherwise is none of our business. A site counts as one
if Google's category says so, if it ends in `.ai`, or if it is one of the general assistants below.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lantern.connectors.fanout import fan_out
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.extensions import CUSTOMER
from lantern.connectors.google.listing import Count, Gathered, Listing, number, rows
from lantern.connectors.google.normalize import MalformedError, instant, label
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.resolution import CallError
from lantern.domain import ids
from lantern.domain.inventory import App, ObservedGrant

log = logging.getLogger(__name__)

VISIT: Final = "web:visit"
MOST: Final = 500
"""So many sites are asked about, those that most people visit first."""
_PAGE: Final = "200"  # the most that these lists give
_AT_ONCE: Final = 8
_DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9.\-]{0,251}[a-z0-9])?")
_CATEGORY: Final = re.compile(
    r"\b(gen)?ai\b|artificial intelligence|generative|machine learning|chatbot|\bllm", re.I
)
_ASSISTANTS: Final = frozenset(
    {
        "chatgpt.com", "openai.com", "claude.ai", "anthropic.com",
        "gemini.google.com", "aistudio.google.com", "notebooklm.google.com", "copilot.microsoft.com",
        "copilot.cloud.microsoft", "perplexity.ai", "deepseek.com", "mistral.ai",
        "grok.com", "poe.com", "huggingface.co", "midjourney.com",
        "character.ai", "you.com", "phind.com", "cursor.com",
        "replit.com", "elevenlabs.io", "runwayml.com", "suno.com",
        "kimi.com", "qwen.ai", "manus.im", "lovable.dev",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """An AI site; `visits`, `people` and `transfers` are of the whole organisation, None where not told."""

    app: App
    name: str
    visits: int | None
    people: int | None
    transfers: int | None

    @property
    def grant(self) -> ObservedGrant:
        """That somebody visited it."""
        return ObservedGrant(self.app, frozenset({VISIT}), source="visit")


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody's latest visit of a site."""

    email: str
    domain: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Sites:
    """All AI sites (`all_seen`: the list is complete), who visited them, and when last."""

    found: tuple[Site, ...]
    all_seen: bool
    listing: Listing
    visits: tuple[Visit, ...]


@dataclass(slots=True)
class _Told:
    """Who visited a site; `whole`: all of them are known."""

    site: Site
    whole: bool = False
    visits: list[Visit] = field(default_factory=list)


def read(api: GoogleApi, now: datetime, halt: Halt, *, cap: int) -> Sites:
    """All AI sites and their visitors; what could not be read to its end makes the listing incomplete.

    Raises:
        CallError: the list itself did not come as documented.
    """
    count = Count()
    found: dict[str, Site] = {}
    ended = True
    try:
        params = {"pageSize": _PAGE, "orderBy": "distinct_users_count desc"}
        for row in rows(api, f"{CUSTOMER}/reports:findSaasUsage", "saasReports", params, halt, count):
            site = _site(row)
            if site:
                found.setdefault(site.app.client_id, site)
    except HaltedError:
        ended = False
    whole = ended and count.whole
    chosen = list(found.values())[:MOST]
    gathered, complete = Gathered(), whole and len(found) <= MOST
    visits: list[Visit] = []

    def work(site: Site, _: bool) -> _Told:  # noqa: FBT001 - every call waits for its own turn
        return _visitors(api, site, halt)

    told = 0
    known_people: set[str] = set()
    for about in fan_out(chosen, lambda: True, work, halt=halt, cap=min(cap, _AT_ONCE)):
        told += 1
        complete = complete and about.whole
        if about.whole:
            known_people.add(about.site.app.id)
        visits += about.visits
        for visit in about.visits:
            gathered.add(visit.email, about.site.grant)
    listing = Listing(now, complete and told == len(chosen), gathered.grants, frozenset(known_people))
    return Sites(tuple(found.values()), whole, listing, tuple(visits))


def _site(row: Mapping[str, Any]) -> Site | None:
    """A row of `findSaasUsage`; None for what is no AI, or has no name to go by."""
    name = row.get("app")
    listed = row.get("domains", [])
    names = [row.get("primaryDomain"), *(listed if isinstance(listed, list) else [])]
    domains = [d for d in (_domain(value) for value in names) if d]
    if not isinstance(name, str) or not name or not domains or not is_ai(row.get("category"), domains):
        return None
    shown = label(name) or domains[0]
    client = domains[0]
    app = App(
        ids.app_id("google", client), "google", client, shown, "web", domains=tuple(dict.fromkeys(domains))
    )
    sent = row.get("contentTransferDetails")
    transfers = number(sent.get("contentTransferCount")) if isinstance(sent, dict) else None
    return Site(app, name, number(row.get("visitsCount")), number(row.get("distinctUsersCount")), transfers)


def is_ai(category: object, domains: list[str]) -> bool:
    """Whether a site is one of those we read about."""
    if isinstance(category, str) and _CATEGORY.search(category):
        return True
    return any(
        domain.endswith(".ai") or any(domain == one or domain.endswith(f".{one}") for one in _ASSISTANTS)
        for domain in domains
    )


def _domain(value: object) -> str | None:
    text = value.strip().casefold().removeprefix("www.") if isinstance(value, str) else ""
    return text if _DOMAIN.fullmatch(text) else None


def _visitors(api: GoogleApi, site: Site, halt: Halt) -> _Told:
    told, count = _Told(site), Count()
    try:
        for visit in _visits(api, site, halt, count):
            told.visits.append(visit)
        told.whole = count.whole
    except HaltedError:
        pass  # what is known is told, and that there may be more
    except CallError as error:
        log.warning("chrome: the visitors of a site did not come: %s", error.detail)
    return told


def _visits(api: GoogleApi, site: Site, halt: Halt, count: Count) -> Iterator[Visit]:
    path = f"{CUSTOMER}/reports:findSaasUsageProfiles"
    for row in rows(api, path, "profileReports", {"app": site.name, "pageSize": _PAGE}, halt, count):
        email, last = row.get("email"), row.get("lastNavigationTime")
        if not isinstance(email, str) or not email:
            continue  # a browser that nobody is signed in to
        try:
            yield Visit(email.lower(), site.app.client_id, instant(str(last)))
        except MalformedError as error:
            raise CallError(GARBLED, detail=f"chrome: {error}") from None
