"""From a question to a message: who gets it by which way, and what it says."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.domain import nudges
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import NotFoundError
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.messages import Address, Button, ButtonStyle, Delivery, Message, Section, delivery
from lantern.domain.nudges import Nudge, NudgeAnswer
from lantern.domain.person_links import marker
from lantern.domain.work import Work
from lantern.services import queries_people
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.explain import Classes, Explained, explain
from lantern.services.people.nudges import DELIVERIES, taken_back
from lantern.store.documents import Put
from lantern.store.tenant import TenantStore

ACTION: Final = "nudge."
"""How the action id of a Slack button begins; the answer follows."""
_RED: Final[frozenset[NudgeAnswer]] = frozenset({"revoke", "not_mine"})


@dataclass(frozen=True, slots=True)
class Told:
    """A message to somebody as writes of a transaction: its delivery, and the work that sends it."""

    delivery: Delivery
    put: Put
    work: Work


def address_of(store: TenantStore, person_id: str) -> Address | None:
    """How somebody is reached: in Slack where that is connected, else by mail; None where neither is known.

    Only accounts of people who still work here count.
    """
    try:
        accounts = queries_people.accounts(store, person_id)
    except NotFoundError:
        return None
    usable = [
        one.principal for one in accounts if one.principal.kind == "user" and not one.principal.departed
    ]
    connections = {one.id: one for one in store.connections.list()}
    for principal in usable:
        at = connections.get(principal.connection_id)
        if at is not None and at.provider == "slack" and at.status == "active" and at.kind == "consent":
            return Address("slack", principal.native_id, at.id)
    email = next((one.email for one in usable if one.email), None)
    return Address("email", email) if email else None


def tell(
    store: TenantStore, address: Address, message: Message, now: datetime, subject_id: str, number: int = 0
) -> Told:
    """A message to an employee, to be written with what caused it."""
    made = delivery(address, message, now, target_id=DELIVERIES, subject_id=subject_id, number=number)
    body = {"target_id": made.target_id, "delivery_id": made.id}
    work = Work(store.tenant_id, "outreach.deliver", body=body, cause=subject_id)
    return Told(made, store.deliveries.op(made), work)


def send_nudge(store: TenantStore, scopes: Classes, nudge_id: str, now: datetime) -> Nudge | None:
    """Hand a question to the channels, once; None where there is nothing to send.

    Where nobody can be reached the question is taken back: silence must mean that somebody was asked.

    Raises:
        RevisionConflictError: it changed just now; the message comes again.
    """
    nudge = store.nudges.get(nudge_id)
    if nudge is None or nudge.state != "sent" or nudge.delivery_id is not None:
        return None
    address = address_of(store, nudge.person_id)
    if address is None:
        return taken_back(store, nudge, "nudge.unreachable", now)
    bundle = store.bundles.get(nudge.connection_id, nudge.principal_id)
    known = explain(store, scopes, bundle, nudge.app_id)
    told = tell(store, address, compose(store, scopes, nudge, known, store.guidance.get()), now, nudge.id)
    handed = replace(nudge, sent_via=address.kind, delivery_id=told.delivery.id)
    event = AuditEvent(
        "system", "nudge.handed_over", nudge.id, {"via": address.kind, **change(NOTHING, address.kind)}
    )
    unit = store.transact(now).put(store.nudges.op(handed), told.put).audit(event).outbox(told.work)
    unit.commit()
    return replace(handed, rev=nudge.rev + 1)


def compose(
    store: TenantStore, scopes: Classes, nudge: Nudge, known: Explained, policy: GuidancePolicy
) -> Message:
    """The message of a question. The address of its page is made when it is sent: see `person_links`."""
    other = explain(store, scopes, None, nudge.alternative).name if nudge.alternative else "an approved tool"
    names = {"app": known.name, "alternative": other}
    asked = wording.QUESTIONS[nudge.kind]
    page = marker("nudge", nudge.id)
    can = Section(wording.CAN.format(**names), items=known.sentences, more=known.more)
    note = Section(wording.FROM, text=nudge.note)
    silence = Section(text=wording.SILENT[nudge.silence].format(due=day(nudge.due or nudge.next_at)))
    return Message(
        purpose="nudge",
        title=asked.title.format(**names),
        text=asked.why.format(**names),
        sections=(*([can] if nudge.app_id else []), *([note] if nudge.note else []), silence),
        buttons=(Button(wording.ANSWER, url=page, style="primary"), *buttons(nudge)),
        footer=wording.WHO.format(cap=policy.weekly_nudges),
    )


def buttons(nudge: Nudge) -> tuple[Button, ...]:
    """Answers that one press gives; what needs a reason is given on the page."""

    def style(answer: NudgeAnswer) -> ButtonStyle:
        return "danger" if answer in _RED else "plain"

    return tuple(
        Button(wording.LABELS[one], action=f"{ACTION}{one}", value=nudge.id, style=style(one))
        for one in nudges.ANSWERS[nudge.kind]
        if one not in nudges.REASONED
    )
