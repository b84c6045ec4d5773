"""Addresses of people's own pages: a random secret in the address, its hash in the table."""

from datetime import datetime
from typing import Final

from lantern.domain import consent
from lantern.domain.errors import NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.person_links import TOOLS_TTL, LinkPurpose, PersonLink, marked
from lantern.store.tenant import TenantStore

PATHS: Final[dict[LinkPurpose, str]] = {"nudge": "n", "tools": "my"}


def make_link(
    store: TenantStore,
    base_url: str,
    purpose: LinkPurpose,
    subject_id: str,
    *,
    now: datetime,
    random: RandomBytes,
) -> str:
    """A fresh address of a question's page (`subject_id` a nudge) or of a person's own (a person).

    It ends when the question does, a person's own after 30 days. Every call makes another one; all work.

    Raises:
        NotFoundError: no such question.
    """
    token, link_id = consent.link_token(store.tenant_id, random)
    if purpose == "nudge":
        nudge = store.nudges.get(subject_id)
        if nudge is None:
            raise NotFoundError("nudge", subject_id)
        expires = nudge.due or nudge.next_at
        link = PersonLink(link_id, purpose, nudge.person_id, now, expires, nudge.id)
    else:
        link = PersonLink(link_id, purpose, subject_id, now, now + TOOLS_TTL)
    store.person_links.put(link)
    return f"{base_url}/{PATHS[purpose]}/{token}"


def filled(store: TenantStore, base_url: str, url: str, *, now: datetime, random: RandomBytes) -> str:
    """The address that a marker stands for; any other address as it is.

    Raises:
        NotFoundError: the question is not there any more.
    """
    found = marked(url)
    return make_link(store, base_url, *found, now=now, random=random) if found else url
