"""Who is told when somebody does not answer or decide: manager, else owner of the tool, else named people."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from lantern.domain import nudges, requests
from lantern.domain.errors import NotFoundError
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.messages import Button, Message, Section
from lantern.domain.nudges import Nudge
from lantern.domain.person_links import marker
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.explain import Classes, explain, other_of
from lantern.services.people.managers import manager_of
from lantern.services.people.reaching import Told, Way, name_of, tell, way_to
from lantern.store.documents import Put
from lantern.store.tenant import TenantStore

Role = Literal["manager", "owner", "escalate_to", "nobody"]
MANY: Final = 20


@dataclass(frozen=True, slots=True)
class Contacts:
    """Who is turned to, as what, and by which way; nobody where nobody can be reached."""

    role: Role
    people: tuple[tuple[str, Way], ...] = ()


def contacts(
    store: TenantStore,
    policy: GuidancePolicy,
    person_id: str,
    app_id: str | None,
    *,
    product_id: str | None = None,
    besides: Collection[str] = (),
) -> Contacts:
    """Who is turned to about somebody: the first of manager, owner and named people who can be reached.

    Args:
        store: the tenant's store.
        policy: who answers for which tool, and whom the tenant named.
        person_id: whom it is about; never turned to.
        app_id: the tool, if it is known here.
        product_id: its product, where that is known already.
        besides: people who were told before.
    """
    not_again = {person_id, *besides}
    tiers: tuple[tuple[Role, tuple[str | None, ...]], ...] = (
        ("manager", (_manager(store, person_id),)),
        ("owner", (_owner(store, policy, app_id, product_id),)),
        ("escalate_to", policy.escalate_to[:MANY]),
    )
    for role, wanted in tiers:
        chosen = dict.fromkeys(one for one in wanted if one and one not in not_again)
        reached = tuple((one, way) for one in chosen if (way := way_to(store, one)) is not None)
        if reached:
            return Contacts(role, reached)
    return Contacts("nobody")


def _manager(store: TenantStore, person_id: str) -> str | None:
    try:
        return manager_of(store, person_id).works_here
    except NotFoundError:
        return None


def _owner(
    store: TenantStore, policy: GuidancePolicy, app_id: str | None, product_id: str | None
) -> str | None:
    if not policy.owners or not (app_id or product_id):
        return None
    named = policy.owners.get(product_id or "") or policy.owners.get(app_id or "")
    if named or product_id:
        return named
    return requests.owner_of(
        policy.owners, next((one for one in store.apps.summary() if one.app_id == app_id), None)
    )


@dataclass(frozen=True, slots=True)
class Escalated:
    """Who is turned to, and what that writes: messages, and what waits for each."""

    contacts: Contacts
    told: tuple[Told, ...]
    ledgers: tuple[Put, ...]


def of_silence(store: TenantStore, scopes: Classes, nudge: Nudge, now: datetime) -> Escalated:
    """What whoever is turned to reads about a question that nobody answered; they decide on their page."""
    found = contacts(store, store.guidance.get(), nudge.person_id, nudge.app_id or None)
    told, ledgers = [], []
    for person, way in found.people:
        ledger, at = nudges.turned_to(store.nudges.ledger(person), now)
        ledgers += [store.nudges.ledger_op(ledger, now), store.nudges.silent_op(person, nudge.id, now)]
        if at is None:
            continue
        facts = _facts(store, scopes, nudge) if at == now else _several()
        decide = Button(wording.DECIDE, url=marker("silence", person, person), style="primary")
        message = replace(facts, buttons=(decide,), footer=wording.BECAUSE[found.role])
        told.append(tell(store, way, message, at, person))
    return Escalated(found, tuple(told), tuple(ledgers))


def _several() -> Message:
    return Message(purpose="nudge", title=wording.MORE_SILENT, text=wording.ESCALATED)


def _facts(store: TenantStore, scopes: Classes, nudge: Nudge) -> Message:
    """Who did not answer what, and what the tool can do meanwhile."""
    bundle = store.bundles.get(nudge.connection_id, nudge.principal_id)
    known = explain(store, scopes, bundle, nudge.app_id, to_others=True)
    other = other_of(store, nudge)
    who = name_of(store, nudge.person_id)
    asked = wording.QUESTIONS[nudge.kind].title.format(app=known.name, alternative=other)
    facts = [("Asked", asked), ("Who", who)]
    facts += [("Sent", day(nudge.sent_at))] if nudge.sent_at else []
    facts += [("Answer was due", day(nudge.due))] if nudge.due else []
    facts += [("Said with it", nudge.note)] if nudge.note else []
    sections = [Section(facts=tuple(facts))]
    if nudge.app_id:
        title = wording.CAN_OF.format(app=known.name, who=who)
        sections.append(Section(title, items=known.sentences, more=known.more))
    return Message(
        purpose="nudge",
        title=wording.NO_ANSWER.format(who=who, app=known.name if nudge.app_id else "our AI policy"),
        text=wording.ESCALATED,
        sections=tuple(sections),
    )
