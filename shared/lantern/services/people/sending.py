"""From a question to a message: who gets it by which way, and what it says."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from lantern.domain import nudges
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.messages import Button, ButtonStyle, Message, Section
from lantern.domain.nudges import Nudge, NudgeAnswer
from lantern.domain.person_links import marker
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.explain import Classes, Explained, explain, other_of
from lantern.services.people.nudges import taken_back
from lantern.services.people.reaching import tell, way_to
from lantern.store.tenant import TenantStore

ACTION: Final = "nudge."
"""How the action id of a Slack button begins; the answer follows."""
_RED: Final[frozenset[NudgeAnswer]] = frozenset({"revoke", "not_mine"})


def send_nudge(store: TenantStore, scopes: Classes, nudge_id: str, now: datetime) -> Nudge | None:
    """Hand a question to the channels, once; None where there is nothing to send.

    Where nobody can be reached the question is taken back: silence must mean that somebody was asked.

    Raises:
        RevisionConflictError: it changed just now; the message comes again.
    """
    nudge = store.nudges.get(nudge_id)
    if nudge is None or nudge.state != "sent" or nudge.delivery_id is not None:
        return None
    way = way_to(store, nudge.person_id)
    if way is None:
        return taken_back(store, nudge, "nudge.unreachable", now)
    bundle = store.bundles.get(nudge.connection_id, nudge.principal_id)
    known = explain(store, scopes, bundle, nudge.app_id)
    told = tell(store, way, compose(store, nudge, known, store.guidance.get()), now, nudge.id)
    handed = replace(nudge, sent_via=way.address.kind, delivery_id=told.delivery.id)
    detail = {"via": way.address.kind, **change(NOTHING, way.address.kind)}
    event = AuditEvent("system", "nudge.handed_over", nudge.id, detail)
    unit = store.transact(now).put(store.nudges.op(handed), told.put).audit(event).outbox(told.work)
    unit.commit()
    return replace(handed, rev=nudge.rev + 1)


def compose(store: TenantStore, nudge: Nudge, known: Explained, policy: GuidancePolicy) -> Message:
    """The message of a question. The address of its page is made when it is sent: see `person_links`."""
    other = other_of(store, nudge)
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
