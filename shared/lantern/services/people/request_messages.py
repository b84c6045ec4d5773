"""What is told about requests for tools: to whoever decides, and to whoever asked."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from lantern.domain.guidance import GuidancePolicy
from lantern.domain.messages import Button, Message, Section
from lantern.domain.person_links import marker
from lantern.domain.requests import AccessRequest
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.escalating import Contacts, contacts
from lantern.services.people.reaching import Told, Way, name_of, tell, way_to
from lantern.store.tenant import TenantStore

MANY: Final = 20
"""Reviewers who are told of one request at most."""
_TO_PERSON: Final = 99


def to_reviewers(store: TenantStore, request: AccessRequest, now: datetime) -> tuple[Told, ...]:
    """The request, for those who decide on it; whoever asks is never told to decide."""
    persons = [one for one in request.reviewers if one != request.person_id][:MANY]
    ways = ((one, way_to(store, one)) for one in persons)
    found = [(one, way) for one, way in ways if way is not None]
    return _told(store, request, found, now, "reviewer", late=False)


def escalate(
    store: TenantStore, policy: GuidancePolicy, request: AccessRequest, now: datetime
) -> tuple[Contacts, tuple[Told, ...]]:
    """The request, late, for the person's manager, else the owner of the tool, else whom the tenant named."""
    found = contacts(
        store,
        policy,
        request.person_id,
        request.app_id,
        product_id=request.product_id,
        besides=request.reviewers,
    )
    return found, _told(store, request, found.people, now, found.role, late=True)


def _told(
    store: TenantStore,
    request: AccessRequest,
    people: Iterable[tuple[str, Way]],
    now: datetime,
    role: str,
    *,
    late: bool,
) -> tuple[Told, ...]:
    who = name_of(store, request.person_id)
    facts = (("Who", who), ("What for", request.reason), ("Decide by", day(request.due)))
    title = f"{'Overdue: ' if late else ''}{who} would like to use {request.name}"
    return tuple(
        tell(
            store,
            way,
            Message(
                purpose="request",
                title=title,
                text=wording.LATE if late else wording.PLEASE_DECIDE,
                sections=(Section(facts=facts),),
                buttons=(Button(wording.DECIDE, url=marker("request", request.id, person), style="primary"),),
                footer=wording.BECAUSE[role],
            ),
            now,
            request.id,
            number=2 * number + late,
        )
        for number, (person, way) in enumerate(people)
    )


def to_person(store: TenantStore, request: AccessRequest, now: datetime) -> tuple[Told, ...]:
    """What became of the request, for whoever asked."""
    way = way_to(store, request.person_id)
    if way is None:
        return ()
    facts = [("What to keep to", request.conditions)] if request.conditions else []
    facts += [("Until", day(request.until))] if request.until else []
    facts += [("Said with it", request.note)] if request.note else []
    message = Message(
        purpose="request",
        title=f"{request.name}: {_TITLES[request.state]}",
        text=_SAID[request.state],
        sections=(Section(facts=tuple(facts)),) if facts else (),
        footer="You get this because you asked for a tool.",
    )
    return (tell(store, way, message, now, request.id, number=_TO_PERSON),)


_SAID: Final = {
    "approved": "You may use it now. Sign in with your work account and give it no more than it needs.",
    "declined": "Please do not use it for work.",
    "lapsed": "Nobody has decided. Please ask again, or ask your IT team.",
    "ended": "The time it was approved for is over. Ask again if you still need it.",
}
_TITLES: Final = {
    "approved": "approved",
    "declined": "not this time",
    "lapsed": "not decided",
    "ended": "the approval has ended",
}
