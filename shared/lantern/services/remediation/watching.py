"""What is watched after a job: access that comes back."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import ids
from lantern.domain.actors import RUN_ACTOR
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import RevisionConflictError
from lantern.domain.findings import Desired, Group, finding_id, reconcile
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import Job
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject
from lantern.services.remediation.targets import locate
from lantern.store.documents import Put
from lantern.store.playbooks import Watch
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

RETURNED: Final = "revoked-access-returned"
"""The cause of a finding about access that came back. No rule page evaluates it: only watching knows."""
WATCH_DAYS: Final = 30
LOOK_EVERY: Final = timedelta(hours=6)
_GRADE: Final = Grade(Severity.HIGH, certain=True)


def watching(store: TenantStore, job: Job, grant_id: str, now: datetime) -> Put:
    """The write that begins to watch a grant just revoked."""
    before = store.watches.get(grant_id)
    run_id = job.requested_by.removeprefix(RUN_ACTOR) if job.requested_by.startswith(RUN_ACTOR) else None
    run = store.playbooks.get(run_id) if run_id else None
    days = run.book.watch_days if run else WATCH_DAYS
    watch = Watch(
        grant_id=grant_id,
        job_id=job.id,
        revoked_at=now,
        until=now + timedelta(days=days),
        look_at=now + LOOK_EVERY,
        run_id=run_id,
        then=run.book.if_returns if run else None,
        rev=before.rev if before else 0,
    )
    return store.watches.op(watch)


def returned(store: TenantStore, bundle: Bundle, now: datetime) -> tuple[Watch, ...]:
    """Which of the grants that a bundle was just given had been revoked; each is told once, as a finding."""
    added = [ids.grant_id(bundle.principal.id, one.app_id) for one in bundle.delta if one.kind == "added"]
    if not added:
        return ()
    watched = store.watches.batch_get(added)
    return tuple(one for one in watched.values() if _tell(store, one, now))


def look(store: TenantStore, listed: Watch, now: datetime) -> Watch | None:
    """Look at one that is due: the watch where its access came back, else it is looked at again later."""
    watch, pair = store.watches.get(listed.grant_id), ids.split_grant_id(listed.grant_id)
    if watch is None or pair is None or watch.look_at > now:
        return None
    found = locate(store.connections.list(), store, pair[0])
    held = found is not None and found[1].grant(pair[1]) is not None
    if held and now < watch.until:
        return watch if _tell(store, watch, now) else None
    if not held:
        _over(store, pair[1], watch.grant_id, now)
    # Past its end it is looked at no more, held or not: the item expires.
    later = now + LOOK_EVERY if now < watch.until else watch.until + timedelta(days=400)
    quietly(store, store.watches.op(replace(watch, look_at=later)), now)
    return None


def _over(store: TenantStore, app_id: str, grant_id: str, now: datetime) -> None:
    """Take a grant that is gone out of the finding that told of its return."""
    existing = store.findings.get(finding_id(RETURNED, Group(GroupBy.APP, app_id)))
    if existing is None or grant_id not in existing.open_grants:
        return
    left = dict.fromkeys(existing.open_grants - {grant_id}, _GRADE)
    wanted = Desired(RETURNED, "1", Subject.GRANT, existing.group, existing.title, left)
    finding, _ = reconcile(existing, wanted, now)
    if finding is not None and finding is not existing:
        quietly(store, store.findings.op(replace(finding, rev=finding.rev - 1)), now)


def _tell(store: TenantStore, watch: Watch, now: datetime) -> bool:
    """Raise or reopen the finding, and end watching, in one transaction; False where somebody did already."""
    pair = ids.split_grant_id(watch.grant_id)
    if watch.returned_at is not None or now >= watch.until or pair is None:
        return False
    group = Group(GroupBy.APP, pair[1])
    key = finding_id(RETURNED, group)
    existing = store.findings.get(key)
    grants = dict.fromkeys((*(existing.open_grants if existing else ()), watch.grant_id), _GRADE)
    app = store.apps.get_facts(pair[1])
    name = app.name if app else pair[1]
    wanted = Desired(
        RETURNED, "1", Subject.GRANT, group, f"{name[:100]} got back access that was revoked", grants
    )
    finding, _ = reconcile(existing, wanted, now)
    days = (now - watch.revoked_at).days
    event = AuditEvent(
        "system",
        "grant.returned",
        watch.grant_id,
        {"job": watch.job_id, "after_days": str(days), **change("revoked", "held")},
    )
    unit = store.transact(now).put(store.watches.op(replace(watch, returned_at=now))).audit(event)
    if finding is not None and finding is not existing:
        unit.put(store.findings.op(replace(finding, rev=finding.rev - 1)))
    try:
        unit.commit()
    except RevisionConflictError:
        log.info("told by another worker", extra={"grant": watch.grant_id})
        return False
    return True


def grant_gone(store: TenantStore, grant_id: str) -> bool:
    """Whether an account that is known, with its grants, does not hold a grant."""
    pair = ids.split_grant_id(grant_id)
    found = locate(store.connections.list(), store, pair[0]) if pair else None
    return (
        pair is not None and found is not None and found[1].grants is not None and not found[1].grant(pair[1])
    )


def asset_gone(store: TenantStore, asset_id: str, owner: str = "") -> bool:
    """Whether an asset was listed no more, as disabled, or as of somebody else than its owner of before."""
    stored = store.assets.get(asset_id)
    if stored is None:
        return False
    handed_over = bool(owner and stored.asset.owner and stored.asset.owner != owner)
    return handed_over or stored.gone_at is not None or stored.asset.state in ("disabled", "expired")


def quietly(store: TenantStore, op: Put, now: datetime) -> None:
    """One write that another worker may have made before us."""
    try:
        store.transact(now).put(op).commit()
    except RevisionConflictError:
        log.info("changed by another worker")
