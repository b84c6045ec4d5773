"""Change how people are guided, and send people the address of their own page."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.audit import NOTHING, AuditEvent, differences
from lantern.domain.audit import change as changed
from lantern.domain.errors import ConflictError
from lantern.domain.guidance import GuidancePolicy, checked
from lantern.domain.messages import Button, Message
from lantern.domain.person_links import marker
from lantern.services import queries_people
from lantern.services.people.reaching import tell, way_to
from lantern.store.tenant import TenantStore

LINK_EVERY: Final = timedelta(hours=1)
"""How soon others can have the address of their page sent to somebody again."""


def change(
    store: TenantStore, before: GuidancePolicy, wanted: GuidancePolicy, *, by: str, now: datetime
) -> GuidancePolicy:
    """Set the settings; the audit log says which changed, numbers with their values.

    Raises:
        InvalidInputError: one is out of bounds.
        RevisionConflictError: somebody set them since they were read.
    """
    after, old = asdict(checked(wanted)), asdict(before)
    detail = {
        name: f"{old[name]}→{value}" if isinstance(value, int) else "changed"
        for name, value in after.items()
        if name != "rev" and value != old[name]
    }
    names = tuple(name for name in detail if name != "rev")
    event = AuditEvent(by, "guidance.changed", store.tenant_id, detail | differences(before, wanted, *names))
    store.transact(now).put(store.guidance.op(wanted)).audit(event).commit()
    return replace(wanted, rev=wanted.rev + 1)


def send_link(store: TenantStore, person_id: str, *, by: str, now: datetime) -> str:
    """Send somebody the address of their own page; returns by which way.

    Raises:
        NotFoundError: nobody has this id.
        ConflictError: the person cannot be reached, or left; it was sent within an hour, where another than
            the person asks; or it is being sent just now.
    """
    queries_people.accounts(store, person_id)
    ledger = store.nudges.ledger(person_id)
    if by != person_id and ledger.linked is not None and now - ledger.linked < LINK_EVERY:
        again = ledger.linked + LINK_EVERY
        raise ConflictError(
            f"The address was sent to this person at {ledger.linked:%H:%M} UTC and works for 30 days; "
            f"it can be sent again at {again:%H:%M} UTC."
        )
    way = way_to(store, person_id)
    if way is None:
        raise ConflictError("The person left, or no address of theirs is known.")
    message = Message(
        purpose="request",
        title="Your AI tools at work",
        text="See what is connected to your account, what is approved here, and ask for what you need.",
        buttons=(Button("Open my page", url=marker("tools", person_id), style="primary"),),
        footer="The address is yours alone and works for 30 days. Please do not forward it.",
    )
    told = tell(store, way, message, now, person_id)
    event = AuditEvent(
        by, "person.link_sent", person_id, {"via": way.address.kind, **changed(ledger.linked or NOTHING, now)}
    )
    unit = store.transact(now).put(told.put, store.nudges.ledger_op(replace(ledger, linked=now), now))
    unit.audit(event).outbox(told.work).commit()
    return way.address.kind
