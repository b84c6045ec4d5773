"""`/lantern` typed in Slack: ask for a tool, or have the address of one's own page sent."""

import logging
import re
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.protocol import Clock
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError
from lantern.domain.requests import TooOftenError
from lantern.domain.rules.titles import clean
from lantern.domain.work import Work
from lantern.services.people import directory, settings
from lantern.services.people.days import day
from lantern.services.people.presses import Back, who_typed
from lantern.services.people.requests import NAME, Looked, ask, look
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

HELP: Final = (
    "Type “/lantern request”, the name of a tool, “for” and what you would use it for. "
    "“/lantern tools” sends you the address of your own page."
)
NOBODY: Final = "Lantern does not know your account here yet. Please ask again tomorrow, or ask your IT team."
NO_REASON: Final = "Asked in Slack without a reason."
AGAIN: Final = timedelta(minutes=10)
"""How soon somebody can have the address of their page sent again."""
_REASON: Final = re.compile(r"\s+(?:for|because)\s+|\s+[-–—]\s+|:\s+", re.IGNORECASE)


def command(store: TenantStore, clock: Clock, back: Back, work: Work) -> str:
    """Do what somebody typed; says what they are told. A repetition asks for nothing twice.

    Raises:
        RevisionConflictError: something changed just now; the message comes again.
    """
    text = _answer(store, clock.now(), work)
    if not back(work.body["back"], text, False):  # noqa: FBT003 - a way back has one shape
        log.warning("slack did not take the answer to a command")
    return text


def _answer(store: TenantStore, now: datetime, work: Work) -> str:
    verb, _, rest = work.body.get("text", "").partition(" ")
    if verb.casefold() not in ("request", "tools"):
        return HELP
    person = who_typed(store, work)
    if person is None:
        return NOBODY
    return _tools(store, person, now) if verb.casefold() == "tools" else _request(store, person, rest, now)


def _request(store: TenantStore, person: str, typed: str, now: datetime) -> str:
    # Names have such words too: "Claude for Work".
    known = look(store, typed, now).row is not None
    name, reason = (typed, NO_REASON) if known else split(typed)
    try:
        made, looked = ask(store, person_id=person, name=name, reason=reason, by=person, now=now)
    except InvalidInputError as error:
        return f"{error.remedy} {HELP}"
    except TooOftenError as error:
        return error.remedy
    if made is None:
        return f"{clean(name, NAME)} is approved: you may use it now."
    said = f"You asked for {made.name}. You will hear from us by {day(made.due)}."
    return f"{said}{_instead(looked)}"


def _instead(looked: Looked) -> str:
    names = ", ".join(directory.shown(one) for one in looked.alternatives)
    return f" Approved already for the same kind of work: {names}." if names else ""


def split(typed: str) -> tuple[str, str]:
    """The tool and the reason in what somebody typed: `Otter for meeting notes`, `Otter - meeting notes`."""
    parts = _REASON.split(typed, maxsplit=1)
    reason = parts[1].strip() if len(parts) > 1 else ""
    return parts[0].strip(), reason or NO_REASON


def _tools(store: TenantStore, person: str, now: datetime) -> str:
    last = store.nudges.ledger(person).linked
    if last is not None and now - last < AGAIN:
        return "The address of your page was sent a moment ago: please look for it."
    try:
        way = settings.send_link(store, person, by=person, now=now)
    except (ConflictError, NotFoundError):
        return NOBODY
    return "Sent: look at your direct messages." if way == "slack" else "Sent to you by mail."
