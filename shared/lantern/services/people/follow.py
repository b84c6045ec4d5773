"""What follows from an answer or from silence: a job, another look, or a word to who looks after the tool.

Nothing here decides: it carries out what the nudge says, once, however often the message comes.
"""

import hashlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain import ids, nudges
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import ConflictError, NotFoundError
from lantern.domain.ids import RandomBytes
from lantern.domain.jobs import Job, Selector
from lantern.domain.nudges import Nudge
from lantern.domain.work import Work
from lantern.services import remediation
from lantern.services.people.escalating import of_silence
from lantern.services.people.explain import Classes
from lantern.services.remediation.requests import Along
from lantern.services.remediation.targets import locate
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

LOOKS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=3))
"""After which times an account is read again to see whether what its bearer said has become true."""


def follow(store: TenantStore, scopes: Classes, nudge_id: str, now: datetime) -> Nudge | None:
    """Do what follows from a question that has ended; None where nothing does.

    Raises:
        RevisionConflictError: it changed just now; the message comes again.
    """
    nudge = store.nudges.get(nudge_id)
    if nudge is None or nudge.open or nudge.owned or nudge.followed_at is not None:
        return None
    if nudge.answer in nudges.REVOKING:
        return revoke(store, nudge, nudge.person_id, now)
    if nudge.answer in nudges.CHECKED and nudge.grant_id is not None:
        return _look(store, nudge, now)
    if nudge.state == "expired" and nudge.silence == "revoke":
        return revoke(store, nudge, "system", now)
    if nudge.state == "expired" and nudge.silence == "escalate":
        return _escalated(store, scopes, nudge, now)
    return _settled(store, nudge, now)


def _escalated(store: TenantStore, scopes: Classes, nudge: Nudge, now: datetime) -> Nudge:
    """Tell whoever decides now, in one transaction with the note that it was told, and to whom."""
    turned = of_silence(store, scopes, nudge, now)
    found, told = turned.contacts, turned.told
    noted = replace(nudge, followed_at=now, looks=0)
    detail = {"person": nudge.person_id, "told": found.role}
    detail |= {"to": ",".join(one for one, _ in found.people)} if found.people else {}
    unit = store.transact(now).put(store.nudges.op(noted), *turned.ledgers, *(one.put for one in told))
    unit.audit(AuditEvent("system", "nudge.escalated", nudge.id, detail))
    unit.outbox(*(one.work for one in told)).commit()
    log.info("nudge.escalated", extra={"nudge": nudge.id, "told": found.role})
    return replace(noted, rev=nudge.rev + 1)


def revoke(store: TenantStore, nudge: Nudge, by: str, now: datetime) -> Nudge:
    """Ask for a job that takes the access away. Brakes and approval are the job's own.

    The question and its job are one write: of two who decide at once the second has no effect.

    Raises:
        RevisionConflictError: it changed just now.
    """
    random = derived_bytes(nudge.id)
    job_id = ids.time_id("job", now, random)
    noted, event = _noted(replace(nudge, job_id=job_id), "nudge.revoking", now, job=job_id)
    selector = Selector(grant_ids=(nudge.grant_id,) if nudge.grant_id else ())

    def request(*, dry_run: bool) -> Job:
        return remediation.request_job(
            store,
            requested_by=by,
            selector=selector,
            dry_run=dry_run,
            reason=f"nudge {nudge.id}",
            now=now,
            random=random,
            along=Along((store.nudges.op(noted),), (event,)),
        )

    try:
        plan = request(dry_run=True).plan
    except (ConflictError, NotFoundError) as error:
        # Gone already, or known from files only: then there is no job, and the log says so.
        return _note(store, nudge, "nudge.not_revoked", now, because=type(error).__name__)
    if plan is None or not plan.targets or plan.refused_by:
        because = (plan.refused_by if plan else None) or "nothing_there"
        return _note(store, nudge, "nudge.not_revoked", now, because=because)
    request(dry_run=False)
    log.info("nudge.revoking", extra={"nudge": nudge.id})
    return replace(noted, rev=nudge.rev + 1)


def derived_bytes(name: str) -> RandomBytes:
    """Bytes that are the same for the same name: what is made of it again has the id that it had."""
    return lambda size: hashlib.shake_256(name.encode()).digest(size)


def _look(store: TenantStore, nudge: Nudge, now: datetime) -> Nudge:
    """Have the account read again soon, and look at it then."""
    waiting = replace(nudge, next_at=now + LOOKS[0], followed_at=now, looks=1)
    store.transact(now).put(store.nudges.op(waiting)).outbox(*_reading(store, nudge)).commit()
    return replace(waiting, rev=nudge.rev + 1)


def look_again(store: TenantStore, nudge: Nudge, now: datetime) -> Nudge:
    """See whether what somebody said has become true; after the last look their word is noted as untrue.

    Raises:
        RevisionConflictError: it changed just now.
    """
    found = locate(store.connections.list(), store, nudge.principal_id)
    grant = found[1].grant(nudge.app_id) if found else None
    if grant is None or _fewer(store, nudge, grant.scope_set):
        return _note(store, replace(nudge, verified=True), "nudge.verified", now)
    if nudge.looks >= len(LOOKS):
        return _note(store, replace(nudge, verified=False), "nudge.contradicted", now)
    waiting = replace(nudge, next_at=now + LOOKS[nudge.looks], looks=nudge.looks + 1)
    store.transact(now).put(store.nudges.op(waiting)).outbox(*_reading(store, nudge)).commit()
    return replace(waiting, rev=nudge.rev + 1)


def _fewer(store: TenantStore, nudge: Nudge, scope_set: str) -> bool:
    """Whether an app that was reconnected may do less than when it was asked about."""
    if nudge.answer != "reconnected" or nudge.scope_set is None or nudge.scope_set == scope_set:
        return False
    sets = store.apps.scope_sets([nudge.scope_set, scope_set])
    before, after = sets.get(nudge.scope_set), sets.get(scope_set)
    return before is not None and after is not None and after < before


def _reading(store: TenantStore, nudge: Nudge) -> tuple[Work, ...]:
    bundle = store.bundles.get(nudge.connection_id, nudge.principal_id)
    if bundle is None:
        return ()
    body = {"native_id": bundle.principal.native_id, "event": "nudge"}
    return (Work(store.tenant_id, "bundle.read", nudge.connection_id, body, cause=nudge.id),)


def _noted(nudge: Nudge, action: str, now: datetime, **detail: str) -> tuple[Nudge, AuditEvent]:
    """The question with what became of it, and the audit entry of that."""
    noted = replace(nudge, followed_at=nudge.followed_at or now, looks=0)
    told = change(nudge.answer or nudge.state, action.partition(".")[2])
    return noted, AuditEvent("system", action, nudge.id, {"person": nudge.person_id, **detail, **told})


def _note(store: TenantStore, nudge: Nudge, action: str, now: datetime, **detail: str) -> Nudge:
    """Write down what became of it, with its audit entry."""
    noted, event = _noted(nudge, action, now, **detail)
    store.transact(now).put(store.nudges.op(noted)).audit(event).commit()
    log.info("%s", action, extra={"nudge": nudge.id})
    return replace(noted, rev=nudge.rev + 1)


def _settled(store: TenantStore, nudge: Nudge, now: datetime) -> Nudge:
    done = replace(nudge, followed_at=now)
    store.transact(now).put(store.nudges.op(done)).commit()
    return replace(done, rev=nudge.rev + 1)
