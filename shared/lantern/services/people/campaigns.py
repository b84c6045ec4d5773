"""Reviews of access: find the grants, take decisions, remind, close. What is not kept goes by jobs."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final

from lantern.domain import campaigns, ids
from lantern.domain.actors import alike
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.campaigns import MOST_ITEMS, SILENCE, Campaign, CampaignItem, Decision
from lantern.domain.errors import ConflictError, ForbiddenError, NotFoundError, RevisionConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import Job, Selector
from lantern.domain.work import Work
from lantern.services import remediation
from lantern.services.actors import behind
from lantern.services.people.campaign_scope import found
from lantern.services.people.campaign_telling import tell_reviewers, telling
from lantern.services.people.explain import Classes
from lantern.services.people.follow import derived_bytes
from lantern.store.tenant import TenantStore

__all__ = [
    "ATTEMPTS",
    "STALLED",
    "Ruling",
    "build",
    "cancel",
    "close",
    "create",
    "decide",
    "finish",
    "sweep",
    "tell_reviewers",
]
log = logging.getLogger(__name__)

SYSTEM: Final = "system"
AT_ONCE: Final = 40
"""Decisions in one transaction: each is an item and an audit entry, and DynamoDB takes 100 writes."""
ATTEMPTS: Final = 4
STALLED: Final = campaigns.AGAIN
"""When a review that was not built yet is asked for again."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A reviewer's decision on one grant."""

    item_id: str
    decision: Decision
    reason: str = ""


def create(store: TenantStore, campaign: Campaign, now: datetime) -> Campaign:
    """Begin a review; its grants are found by a worker.

    Raises:
        InvalidInputError: it makes no sense.
    """
    fresh = campaigns.checked(campaign)
    detail = {"silence": fresh.silence, "due": fresh.due.isoformat(), "review_by": fresh.review_by}
    event = AuditEvent(
        fresh.created_by, "campaign.created", fresh.id, {**detail, **change(NOTHING, fresh.state)}
    )
    work = Work(store.tenant_id, "campaign.build", body={"campaign_id": fresh.id}, cause=fresh.id)
    store.transact(now).put(store.campaigns.op(fresh)).audit(event).outbox(work).commit()
    return replace(fresh, rev=1)


def build(store: TenantStore, scopes: Classes, campaign_id: str, now: datetime) -> Campaign | None:
    """Find the grants of a review and open it; None where that was done already.

    Raises:
        RevisionConflictError: somebody else did it just now.
    """
    campaign = store.campaigns.get(campaign_id)
    if campaign is None or campaign.state != "building":
        return None
    items = list(islice(found(store, scopes, campaign), MOST_ITEMS + 1))
    if not items or len(items) > MOST_ITEMS:
        problem = f"More than {MOST_ITEMS} grants: narrow the scope." if items else "No such grant is there."
        ended = replace(campaigns.cancelled(campaign, "system", now), problem=problem)
        event = AuditEvent(
            "system",
            "campaign.cancelled",
            campaign.id,
            {"items": str(len(items)), **change(campaign.state, ended.state)},
        )
        store.transact(now).put(store.campaigns.op(ended)).audit(event).commit()
        return replace(ended, rev=campaign.rev + 1)
    store.campaigns.plan_items(items, campaign)
    opened = campaigns.opened(campaign, len(items), now)
    detail = {"items": str(len(items)), **change(campaign.state, opened.state)}
    event = AuditEvent("system", "campaign.opened", campaign.id, detail)
    unit = store.transact(now).put(store.campaigns.op(opened)).audit(event)
    unit.outbox(telling(store, campaign.id)).commit()
    return replace(opened, rev=campaign.rev + 1)


def decide(
    store: TenantStore, campaign_id: str, rulings: Sequence[Ruling], *, by: str, now: datetime
) -> Campaign:
    """Take decisions on grants, all in order, 40 in a transaction. The same decision again changes nothing.

    Raises:
        NotFoundError: no such review, or no such grant in it: then nothing is decided.
        ForbiddenError: a grant is the decider's own: then nothing is decided.
        ConflictError: it is not open any more.
    """
    wanted = {one.item_id: one for one in rulings}
    known = store.campaigns.items_by_id(campaign_id, wanted)
    _open(store, campaign_id)
    for item_id in wanted:
        if item_id not in known:
            raise NotFoundError("campaign_item", item_id)
    if alike({one.person_id for one in known.values()}, behind(store, [by])):
        raise ForbiddenError("nobody decides on their own access")
    ordered = sorted(wanted)
    for start in range(0, len(ordered), AT_ONCE):
        part = [wanted[one] for one in ordered[start : start + AT_ONCE]]
        _decide(store, campaign_id, part, by, now)
    return _open(store, campaign_id)


def _decide(store: TenantStore, campaign_id: str, rulings: Sequence[Ruling], by: str, now: datetime) -> None:
    for attempt in range(ATTEMPTS):
        campaign = _open(store, campaign_id)
        known = store.campaigns.items_by_id(campaign_id, [one.item_id for one in rulings])
        pairs = [
            (before, campaigns.decided(before, one.decision, by=by, reason=one.reason, now=now))
            for one in rulings
            if (before := known[one.item_id]).decision != one.decision
        ]
        try:
            _write(store, campaign, campaign, pairs, by, now)
        except RevisionConflictError:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


def _write(
    store: TenantStore,
    campaign: Campaign,
    after: Campaign,
    pairs: Iterable[tuple[CampaignItem, CampaignItem]],
    by: str,
    now: datetime,
) -> Campaign:
    """Decisions with their audit entries and the counts, in one transaction."""
    counts, unit, some = campaign.counts, store.transact(now), False
    for before, item in pairs:
        counts, some = campaigns.counted(counts, before, item), True
        unit.put(store.campaigns.item_op(item, campaign))
        detail = {"campaign": campaign.id, "before": before.decision or "none", "after": item.decision or ""}
        unit.audit(AuditEvent(by, "campaign.decided", item.id, detail))
    if not some:
        return campaign
    counted = replace(after, counts=counts)
    unit.put(store.campaigns.op(counted)).commit()
    return replace(counted, rev=campaign.rev + 1)


def close(store: TenantStore, campaign: Campaign, *, by: str, now: datetime) -> Campaign:
    """Take no more decisions; a worker does the rest.

    Raises:
        ConflictError: it is not open, or changed just now.
    """
    after = campaigns.closing(campaign, by, now)
    detail = {"undecided": str(campaign.counts.undecided), "silence": campaign.silence}
    detail |= change(campaign.state, after.state)
    event = AuditEvent(by, "campaign.closing", campaign.id, detail)
    work = Work(store.tenant_id, "campaign.close", body={"campaign_id": campaign.id}, cause=campaign.id)
    store.transact(now).put(store.campaigns.op(after)).audit(event).outbox(work).commit()
    return replace(after, rev=campaign.rev + 1)


def cancel(store: TenantStore, campaign: Campaign, *, by: str, now: datetime) -> Campaign:
    """Give a review up; nothing is taken away.

    Raises:
        ConflictError: it is over, or changed just now.
    """
    after = campaigns.cancelled(campaign, by, now)
    detail = {"items": str(campaign.counts.items), **change(campaign.state, after.state)}
    event = AuditEvent(by, "campaign.cancelled", campaign.id, detail)
    store.transact(now).put(store.campaigns.op(after)).audit(event).commit()
    return replace(after, rev=campaign.rev + 1)


def finish(store: TenantStore, campaign_id: str, now: datetime) -> Campaign | None:
    """Carry a review out that is closing: silence first, then jobs. Repeated, it goes on where it stopped.

    Raises:
        RevisionConflictError: another worker is at it.
    """
    campaign = store.campaigns.get(campaign_id)
    if campaign is None or campaign.state != "closing":
        return None
    silent = [one for one in store.campaigns.items(campaign_id) if one.decision is None]
    for start in range(0, len(silent), AT_ONCE):
        pairs = [
            (one, campaigns.decided(one, campaign.silence, by=SILENCE, reason="", now=now))
            for one in silent[start : start + AT_ONCE]
        ]
        campaign = _write(store, campaign, campaign, pairs, SILENCE, now)
    gone = [one for one in store.campaigns.items(campaign_id) if one.decision == "revoke"]
    jobs, refused = _revoke(store, campaign, gone)
    done = replace(campaign, state="closed", next_at=None, jobs=jobs, refused=refused)
    detail = {
        "keep": str(done.counts.keep),
        "revoke": str(done.counts.revoke),
        "silent": str(done.counts.silent),
        "jobs": ",".join(jobs),
        **change(campaign.state, done.state),
    }
    event = AuditEvent("system", "campaign.closed", campaign.id, detail)
    store.transact(now).put(store.campaigns.op(done)).audit(event).commit()
    return replace(done, rev=campaign.rev + 1)


def _revoke(
    store: TenantStore, campaign: Campaign, items: Sequence[CampaignItem]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The job for what was not kept, or why there is none.

    It is one for the whole review, so that brakes are held against all that goes, and one approval is about
    all of it. Its id is made of the review's: asked for again it is found.
    """
    if not items:
        return (), ()
    asked_at = campaign.closed_at or campaign.created_at
    random = derived_bytes(f"{campaign.id}/0")
    job_id = ids.time_id("job", asked_at, random)
    if store.jobs.get(job_id) is None:
        there = _still_there(store, items)
        because = _request(store, campaign, there, asked_at, random) if there else "nothing_there"
        if because is not None:
            return (), (because,)
    return (job_id,), ()


def _request(
    store: TenantStore, campaign: Campaign, grant_ids: Sequence[str], at: datetime, random: RandomBytes
) -> str | None:
    """Ask for the job; why not, where a brake forbids it.

    It is asked for by whoever closed the review. Where time did, by who began it: they chose what goes and
    what silence means, so somebody else approves.
    """
    by = campaign.closed_by

    def ask(*, dry_run: bool) -> Job:
        return remediation.request_job(
            store,
            requested_by=campaign.created_by if by in (None, SYSTEM) else by,
            selector=Selector(grant_ids=tuple(grant_ids)),
            dry_run=dry_run,
            reason=f"campaign {campaign.id}",
            now=at,
            random=random,
        )

    plan = ask(dry_run=True).plan
    if plan is None or not plan.targets or plan.refused_by:
        return (plan.refused_by if plan else None) or "nothing_there"
    ask(dry_run=False)
    return None


def _still_there(store: TenantStore, items: Iterable[CampaignItem]) -> list[str]:
    """Of the grants those that are held still: a job about one that is gone is refused as a whole."""
    held = []
    by_connection: dict[str, list[CampaignItem]] = {}
    for one in items:
        by_connection.setdefault(one.connection_id, []).append(one)
    for connection_id, some in by_connection.items():
        bundles: Mapping[str, Bundle] = {}
        pids = sorted({one.principal_id for one in some})
        for start in range(0, len(pids), 100):
            bundles = {**bundles, **store.bundles.batch_get(connection_id, pids[start : start + 100])}
        for one in some:
            bundle = bundles.get(one.principal_id)
            if bundle is not None and bundle.grant(one.app_id) is not None:
                held.append(one.id)
    return held


def sweep(store: TenantStore, now: datetime) -> tuple[Campaign, ...]:
    """Remind reviewers, close what is due, have what stopped half-way carried on; safe to repeat."""
    changed = []
    for listed in store.campaigns.due(now):
        campaign = store.campaigns.get(listed.id)
        if campaign is None or campaign.next_at is None or campaign.next_at > now:
            continue
        try:
            changed.append(_passed(store, campaign, now))
        except (RevisionConflictError, ConflictError):
            log.info("campaign changed meanwhile", extra={"campaign": campaign.id})
    return tuple(changed)


def _passed(store: TenantStore, campaign: Campaign, now: datetime) -> Campaign:
    if campaign.state == "open" and now >= campaign.due:
        return close(store, campaign, by=SYSTEM, now=now)
    if campaign.state == "open":
        after = replace(campaign, reminded_at=now, next_at=campaign.due)
        detail = {"undecided": str(campaign.counts.undecided), **change(campaign.reminded_at or "never", now)}
        event = AuditEvent("system", "campaign.reminded", campaign.id, detail)
        unit = store.transact(now).put(store.campaigns.op(after)).audit(event)
        unit.outbox(telling(store, campaign.id)).commit()
        return replace(after, rev=campaign.rev + 1)
    kind = "campaign.build" if campaign.state == "building" else "campaign.close"
    later = replace(campaign, next_at=now + campaigns.AGAIN)
    work = Work(store.tenant_id, kind, body={"campaign_id": campaign.id}, cause=campaign.id)  # type: ignore[arg-type] # one of the two kinds
    store.transact(now).put(store.campaigns.op(later)).outbox(work).commit()
    return replace(later, rev=campaign.rev + 1)


def _open(store: TenantStore, campaign_id: str) -> Campaign:
    campaign = store.campaigns.get(campaign_id)
    if campaign is None:
        raise NotFoundError("campaign", campaign_id)
    if campaign.state != "open":
        raise ConflictError(f"the review is {campaign.state}")
    return campaign
