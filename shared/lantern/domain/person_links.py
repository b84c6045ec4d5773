"""Addresses by which one person reaches one page without signing in; only a hash of the address is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast, get_args

LinkPurpose = Literal["nudge", "tools", "review", "request", "silence", "run"]
"""A question to answer; a person's own page; grants of a review; a request to decide on; questions that
nobody answered and that somebody else decides; a run of a playbook that waits for an approval."""
TOOLS_TTL: Final = timedelta(days=30)
DECIDE_TTL: Final = timedelta(days=30)
MARKER: Final = "link:"
"""How the address of a page begins in a message that is stored: it is made when the message is sent."""


@dataclass(frozen=True, slots=True)
class PersonLink:
    """One address, and the person who acts by it.

    `nudge_id` is the question it is bound to, `subject_id` the review, the request or the question that the
    person decides on; a link for `tools` is to the person's own page.

    Whoever has the address may act for the person, so it goes to the person's own inbox, ends, and shows
    nothing but what concerns that person.
    """

    id: str
    purpose: LinkPurpose
    person_id: str
    created_at: datetime
    expires_at: datetime
    nudge_id: str | None = None
    subject_id: str | None = None


def marker(purpose: LinkPurpose, subject_id: str, person_id: str = "") -> str:
    """What stands for an address until the message is sent; `person_id` is who decides, if somebody does."""
    return f"{MARKER}{purpose}/{subject_id}" + (f"/{person_id}" if person_id else "")


def marked(url: str) -> tuple[LinkPurpose, str, str] | None:
    """Purpose, subject and person (or nothing) of a marker; None for any other address."""
    if not url.startswith(MARKER):
        return None
    purpose, _, rest = url.removeprefix(MARKER).partition("/")
    subject_id, _, person_id = rest.partition("/")
    if purpose not in get_args(LinkPurpose):
        return None
    return cast("LinkPurpose", purpose), subject_id, person_id
