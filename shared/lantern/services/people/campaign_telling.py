"""Telling the reviewers of a review, however many there are: 20 in a transaction, each once a round."""

import logging
from datetime import datetime
from typing import Final

from lantern.domain.campaigns import Campaign
from lantern.domain.errors import RevisionConflictError
from lantern.domain.messages import Button, Message, Section
from lantern.domain.person_links import marker
from lantern.domain.rules.titles import clean
from lantern.domain.work import Work
from lantern.services.people import wording
from lantern.services.people.days import day
from lantern.services.people.reaching import tell, way_to
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

BATCH: Final = 20
"""Reviewers in one transaction: each is a delivery and a message of it."""


def telling(store: TenantStore, campaign_id: str, after: str = "") -> Work:
    """The work that tells reviewers, from behind one of them."""
    body = {"campaign_id": campaign_id} | ({"after": after} if after else {})
    return Work(store.tenant_id, "campaign.tell", body=body, cause=campaign_id)


def tell_reviewers(store: TenantStore, campaign_id: str, after: str, now: datetime) -> int:
    """Tell the next reviewers how many grants wait for each; returns how many were told.

    Repeated, nobody is told twice: a delivery is named by the round, which is the opening or the reminder.
    """
    campaign = store.campaigns.get(campaign_id)
    began = (campaign.reminded_at or campaign.opened_at) if campaign else None
    if campaign is None or campaign.state != "open" or began is None:
        return 0
    waiting = _waiting(store, campaign)
    some = sorted(person for person in waiting if person > after)
    batch = some[:BATCH]
    told = [
        tell(store, way, _message(campaign, person, waiting[person]), began, campaign.id)
        for person in batch
        if (way := way_to(store, person)) is not None
    ]
    unit = store.transact(now).put(*(one.put for one in told)).outbox(*(one.work for one in told))
    if len(some) > BATCH:
        unit.outbox(telling(store, campaign.id, batch[-1]))
    elif not told:
        return 0
    try:
        unit.commit()
    except RevisionConflictError:
        log.info("reviewers were told already", extra={"campaign": campaign.id})
        return 0
    return len(told)


def _waiting(store: TenantStore, campaign: Campaign) -> dict[str, int]:
    """Reviewers, with how many grants wait for each."""
    waiting: dict[str, int] = {}
    for item in store.campaigns.items(campaign.id):
        if item.decision is None:
            for person in item.reviewers:
                waiting[person] = waiting.get(person, 0) + 1
    return waiting


def _message(campaign: Campaign, person: str, count: int) -> Message:
    outcome = "kept" if campaign.silence == "keep" else "taken away"
    many = "1 connected tool" if count == 1 else f"{count} connected tools"
    please = "Reminder: please" if campaign.reminded_at else "Please"
    return Message(
        purpose="campaign",
        title=f"{please} review {many} by {day(campaign.due)}",
        text=wording.REVIEW.format(outcome=outcome),
        sections=(Section(facts=(("Review", clean(campaign.name, 80)),)),),
        buttons=(Button(wording.REVIEW_NOW, url=marker("review", campaign.id, person), style="primary"),),
        footer=wording.REVIEWER,
    )
