"""Incidents of vendors: who was exposed to what and since when, what is done about it, all in one call."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import ids
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError, RevisionConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.incidents import Exposure, Incident, Notice, began
from lantern.domain.inventory import Grant
from lantern.domain.playbooks.loading import Playbooks
from lantern.domain.playbooks.machine import About
from lantern.services import queries_vendors
from lantern.services.playbooks import Asked, Cause, start
from lantern.services.queries_vendors import BlastRadius
from lantern.services.reference import Reference
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

PLAYBOOK: Final = "vendor-incident"
NOTICED: Final = timedelta(days=30)
"""For how long a notice of operators is raised at tenants that have not raised it yet."""
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Raised:
    """An incident and the run that answers it, as it is or would be; None where nothing is to do."""

    incident: Incident
    asked: Asked | None


def raise_incident(
    store: TenantStore,
    reference: Reference,
    books: Playbooks,
    *,
    vendor_id: str,
    occurred_at: datetime,
    summary: str,
    by: str,
    dry_run: bool,
    now: datetime,
    random: RandomBytes,
    notice: Notice | None = None,
) -> Raised:
    """Say what a vendor could reach, and plan the answer: a run of the playbook that waits for approval.

    Args:
        store: the tenant's store.
        reference: what is known of vendors.
        books: playbooks.
        vendor_id: whose incident it is.
        occurred_at: when it happened, as far as known.
        summary: what happened, in a few sentences.
        by: who raises it, an actor.
        dry_run: nothing is stored.
        now: current time.
        random: source of randomness.
        notice: what operators told all tenants, where it is theirs.

    Raises:
        NotFoundError: no such vendor.
        InvalidInputError: it has not happened yet.
    """
    if occurred_at > now:
        raise InvalidInputError("occurred_at", "Send a time that is not in the future.")
    incident_id = notice.id if notice else ids.time_id("inc", now, random)
    if notice and (known := store.incidents.get(incident_id)) is not None:
        return Raised(known, None)
    radius = queries_vendors.blast_radius(store, reference, vendor_id, now)
    incident = _told(
        store,
        radius,
        notice,
        incident_id=incident_id,
        occurred_at=occurred_at,
        summary=summary,
        by=by,
        now=now,
    )
    # A notice that is met again after a crash finds the run that was started for it.
    since = notice.raised_at if notice else now
    asked = _answer(store, books, incident, by=by, dry_run=dry_run, now=now, random=random, since=since)
    if dry_run:
        return Raised(incident, asked)
    incident = replace(incident, run_id=asked.run.id if asked else None)
    detail = {
        "vendor": vendor_id,
        "source": incident.source,
        "people": str(incident.people),
        "grants": str(incident.grants),
        "run": incident.run_id or "none",
        **change(NOTHING, "raised"),
    }
    event = AuditEvent(by, "incident.raised", incident.id, detail)
    store.transact(now).put(store.incidents.op(incident)).audit(event).commit()
    return Raised(replace(incident, rev=1), asked)


def _told(
    store: TenantStore,
    radius: BlastRadius,
    notice: Notice | None,
    *,
    incident_id: str,
    occurred_at: datetime,
    summary: str,
    by: str,
    now: datetime,
) -> Incident:
    """The incident as it is known now, without a run."""
    exposed = _exposed(store, radius)
    return Incident(
        id=incident_id,
        vendor_id=radius.reach.id,
        vendor=radius.reach.vendor,
        occurred_at=occurred_at,
        summary=summary,
        source="operators" if notice else "tenant",
        raised_by=by,
        raised_at=now,
        people=radius.reach.people,
        grants=sum(one.accounts for one in exposed),
        data=tuple(sorted({kind for part in radius.reach.connections for kind in part.data})),
        chains=tuple(one.sentence for one in radius.chains),
        exposed=exposed,
        unread=tuple(one.connection_id for one in radius.read if not one.complete),
        url=notice.url if notice else "",
    )


def _answer(
    store: TenantStore,
    books: Playbooks,
    incident: Incident,
    *,
    by: str,
    dry_run: bool,
    now: datetime,
    random: RandomBytes,
    since: datetime,
) -> Asked | None:
    """The run that answers an incident, one however often it is told since then.

    Where a brake forbids it, it is proposed for people to look at.
    """
    if not incident.reached:
        return None
    for propose in (False, True):
        try:
            return start(
                store,
                books.get(PLAYBOOK),
                about=About(vendor_id=incident.vendor_id),
                requested_by=by,
                reason=f"Incident at {incident.vendor}: {incident.summary}"[:1_000],
                dry_run=dry_run,
                propose=propose,
                cause=None if dry_run else Cause(("incident", incident.id), since),
                incident_id=incident.id,
                now=now,
                random=random,
            )
        except RevisionConflictError:
            raise  # somebody else is at it, which is no brake
        except ConflictError:
            continue
    return None


def _exposed(store: TenantStore, radius: BlastRadius) -> tuple[Exposure, ...]:
    """Each app at each connection with the dates of its grants, from the bundles of its holders."""
    found = []
    for part in radius.reach.connections:
        grants = _grants(store, part.connection_id, [app.app_id for app in part.apps])
        for app in part.apps:
            since, dated = began((one.granted_on, one.first_seen) for one in grants[app.app_id])
            found.append(
                Exposure(
                    app_id=app.app_id,
                    connection_id=part.connection_id,
                    accounts=len(grants[app.app_id]),
                    dated=dated,
                    data=app.data,
                    since=since,
                )
            )
    return tuple(found)


def _grants(store: TenantStore, connection_id: str, apps: Iterable[str]) -> dict[str, list[Grant]]:
    wanted = list(apps)
    found: dict[str, list[Grant]] = defaultdict(list)
    for app_id in wanted:
        holders = sorted(store.footprints.holders(connection_id, app_id))
        for first in range(0, len(holders), _BATCH):
            bundles = store.bundles.batch_get(connection_id, holders[first : first + _BATCH])
            found[app_id] += [grant for one in bundles.values() if (grant := one.grant(app_id)) is not None]
    return found


def incident(store: TenantStore, incident_id: str) -> Incident:
    """An incident.

    Raises:
        NotFoundError: there is none of this id.
    """
    found = store.incidents.get(incident_id)
    if found is None:
        raise NotFoundError("incident", incident_id)
    return found


def ended(store: TenantStore, one: Incident) -> datetime | None:
    """When the vendor's access ended: the last revocation, once every target is through with it."""
    if one.run_id is None:
        return None
    last: datetime | None = None
    for target in store.playbooks.targets(one.run_id):
        marks = [mark for mark in target.trail if mark.answer in ("verified", "already_gone")]
        if not marks:
            return None
        last = max(filter(None, (last, marks[0].at)))
    return last


def unknown(store: TenantStore, notices: Iterable[Notice], now: datetime) -> tuple[Notice, ...]:
    """Notices of late that were not raised here yet; none before it is known what vendors reach here."""
    late = [one for one in notices if now - one.raised_at < NOTICED]
    if not late or store.reach.get(late[0].vendor_id)[1] is None:
        return ()
    return tuple(one for one in late if store.incidents.get(one.id) is None)


def follow_notices(
    store: TenantStore,
    reference: Reference,
    books: Playbooks,
    notices: Iterable[Notice],
    now: datetime,
    random: RandomBytes,
) -> int:
    """Raise here what operators raised for all tenants, once each; returns how many were new.

    A vendor that nobody here uses leaves a record too: that nothing was reached is an answer.
    """
    new = 0
    for notice in unknown(store, notices, now):
        try:
            raise_incident(
                store,
                reference,
                books,
                vendor_id=notice.vendor_id,
                occurred_at=notice.occurred_at,
                summary=notice.summary,
                by="operator",
                dry_run=False,
                now=now,
                random=random,
                notice=notice,
            )
        except NotFoundError:
            # A vendor that this release does not know and that nobody here uses: asked again until it is old.
            log.info("a notice about an unknown vendor", extra={"notice": notice.id})
            continue
        new += 1
    return new
