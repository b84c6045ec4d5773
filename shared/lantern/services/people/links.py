"""Addresses of people's own pages: a random secret in the address, its hash in the table."""

from datetime import datetime
from typing import Final

from lantern.domain import consent
from lantern.domain.errors import NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.person_links import DECIDE_TTL, TOOLS_TTL, LinkPurpose, PersonLink, marked
from lantern.store.tenant import TenantStore

PATHS: Final[dict[LinkPurpose, str]] = {
    "nudge": "n",
    "tools": "my",
    "review": "review",
    "request": "decide",
    "silence": "decide",
    "run": "decide",
}


def make_link(
    store: TenantStore,
    base_url: str,
    purpose: LinkPurpose,
    subject_id: str,
    person_id: str = "",
    *,
    now: datetime,
    random: RandomBytes,
) -> str:
    """A fresh address of a page. Every call makes another one; all work.

    It ends when the question or the review does; a person's own page, and what somebody is to decide on,
    after 30 days.

    Args:
        store: the tenant's store.
        base_url: where the pages are.
        purpose: which page.
        subject_id: the question, the review, the request; the person where it is their own page.
        person_id: who decides, where somebody does.
        now: current time.
        random: source of randomness.

    Raises:
        NotFoundError: no such question or review.
    """
    token, link_id = consent.link_token(store.tenant_id, random)
    if purpose == "nudge":
        nudge = store.nudges.get(subject_id)
        if nudge is None:
            raise NotFoundError("nudge", subject_id)
        expires = nudge.due or nudge.next_at
        link = PersonLink(link_id, purpose, nudge.person_id, now, expires, nudge.id)
    elif purpose == "tools":
        link = PersonLink(link_id, purpose, subject_id, now, now + TOOLS_TTL)
    else:
        until = now + DECIDE_TTL
        if purpose == "review":
            campaign = store.campaigns.get(subject_id)
            if campaign is None:
                raise NotFoundError("campaign", subject_id)
            until = campaign.due
        link = PersonLink(link_id, purpose, person_id, now, until, subject_id=subject_id)
    store.person_links.put(link)
    return f"{base_url}/{PATHS[purpose]}/{token}"


def filled(store: TenantStore, base_url: str, url: str, *, now: datetime, random: RandomBytes) -> str:
    """The address that a marker stands for; any other address as it is.

    Raises:
        NotFoundError: what the page is about is not there any more.
    """
    found = marked(url)
    return make_link(store, base_url, *found, now=now, random=random) if found else url
