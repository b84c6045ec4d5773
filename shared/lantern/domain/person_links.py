"""Addresses by which one person reaches one page without signing in; only a hash of the address is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

LinkPurpose = Literal["nudge", "tools"]
TOOLS_TTL: Final = timedelta(days=30)
MARKER: Final = "link:"
"""How the address of a page begins in a message that is stored: it is made when the message is sent."""


@dataclass(frozen=True, slots=True)
class PersonLink:
    """One address. `nudge_id` is the question it is bound to; a link for `tools` is to the person's own page.

    Whoever has the address may answer for the person, so it goes to the person's own inbox, ends soon, and
    shows nothing but what concerns that person.
    """

    id: str
    purpose: LinkPurpose
    person_id: str
    created_at: datetime
    expires_at: datetime
    nudge_id: str | None = None


def marker(purpose: LinkPurpose, subject_id: str) -> str:
    """What stands for an address until the message is sent."""
    return f"{MARKER}{purpose}/{subject_id}"


def marked(url: str) -> tuple[LinkPurpose, str] | None:
    """Purpose and subject of a marker; None for any other address."""
    if not url.startswith(MARKER):
        return None
    purpose, _, subject_id = url.removeprefix(MARKER).partition("/")
    if purpose == "nudge":
        return "nudge", subject_id
    return ("tools", subject_id) if purpose == "tools" else None
