"""What people decide about apps and findings; each decision with its audit entry in one transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from lantern.domain import findings
from lantern.domain.apps import AppDecision, AppStatus, AppView
from lantern.domain.audit import AuditEvent, change
from lantern.domain.findings import Finding, Resolution, Verdict
from lantern.domain.findings.records import Outcome
from lantern.domain.products import ProductDecision
from lantern.domain.work import Work
from lantern.store.tenant import TenantStore


def decide_app(
    store: TenantStore, view: AppView, *, status: AppStatus, note: str, by: str, now: datetime
) -> AppDecision:
    """Decide about an app; its findings follow by the outbox.

    The note stays with the decision: the audit entry, which nobody can erase, holds no free text.

    Raises:
        RevisionConflictError: somebody decided since the app was read.
    """
    before = view.decision
    decision = AppDecision(
        app_id=view.app_id, status=status, by=by, at=now, note=note, rev=before.rev if before else 0
    )
    event = AuditEvent(
        by, "app.decided", view.app_id, {"before": before.status if before else "undecided", "after": status}
    )
    work = Work(store.tenant_id, "score.app", body={"app_id": view.app_id}, cause=by)
    store.transact(now).put(store.apps.decision_op(decision)).audit(event).outbox(work).commit()
    return replace(decision, rev=decision.rev + 1)


def decide_product(
    store: TenantStore,
    product_id: str,
    before: ProductDecision | None,
    app_id: str,
    *,
    status: AppStatus,
    note: str,
    by: str,
    now: datetime,
) -> ProductDecision:
    """Decide about a product, and so about all its apps; their findings follow by the outbox.

    What was decided about its apps before stays stored and counts no more.

    Args:
        store: the tenant's store.
        product_id: the product.
        before: the decision as it was read.
        app_id: the app at which it was decided.
        status: the decision.
        note: why.
        by: who decided.
        now: current time.

    Raises:
        RevisionConflictError: somebody decided since it was read.
    """
    decision = ProductDecision(product_id, status, by, now, note, rev=before.rev if before else 0)
    event = AuditEvent(
        by,
        "product.decided",
        product_id,
        {"app": app_id, "before": before.status if before else "undecided", "after": status},
    )
    work = Work(store.tenant_id, "score.app", body={"product_id": product_id}, cause=by)
    store.transact(now).put(store.apps.product_decision_op(decision)).audit(event).outbox(work).commit()
    return replace(decision, rev=decision.rev + 1)


def acknowledge(store: TenantStore, found: Finding, *, note: str, by: str, now: datetime) -> Finding:
    """Take a finding on; doing it twice changes nothing.

    Raises:
        ConflictError: its state does not allow it.
        InvalidInputError: a value is missing or out of bounds.
        RevisionConflictError: it changed since it was read.
    """
    return _decide(store, found, lambda: findings.acknowledge(found, now, actor=by, note=note), by, now)


def resolve(
    store: TenantStore, found: Finding, *, resolution: Resolution, reason: str, by: str, now: datetime
) -> Finding:
    """Close a finding; raises as `acknowledge`."""
    return _decide(
        store,
        found,
        lambda: findings.resolve(found, now, actor=by, resolution=resolution, reason=reason),
        by,
        now,
    )


def snooze(
    store: TenantStore, found: Finding, *, until: datetime, note: str, by: str, now: datetime
) -> Finding:
    """Keep a finding quiet for a while; raises as `acknowledge`."""
    return _decide(
        store, found, lambda: findings.snooze(found, now, actor=by, until=until, note=note), by, now
    )


def except_(
    store: TenantStore, found: Finding, *, reason: str, owner: str, until: datetime, by: str, now: datetime
) -> Finding:
    """Let what a finding says be until a date, for a reason, under an owner; raises as `acknowledge`."""
    return _decide(
        store,
        found,
        lambda: findings.except_(found, now, actor=by, reason=reason, owner=owner, until=until),
        by,
        now,
    )


def reopen(store: TenantStore, found: Finding, *, reason: str, by: str, now: datetime) -> Finding:
    """Open a finding again; raises as `acknowledge`."""
    return _decide(store, found, lambda: findings.reopen(found, now, actor=by, reason=reason), by, now)


def feedback(
    store: TenantStore, found: Finding, *, verdict: Verdict, note: str, by: str, now: datetime
) -> Finding:
    """Say whether a finding was right; raises as `acknowledge`."""
    return _decide(
        store, found, lambda: findings.feedback(found, now, actor=by, verdict=verdict, note=note), by, now
    )


def _decide(
    store: TenantStore, found: Finding, transition: Callable[[], Outcome], by: str, now: datetime
) -> Finding:
    changed, said = transition()
    if not said:
        return found
    detail = {"rule": found.rule_id, "version": found.rule_version, **change(found.status, changed.status)}
    events = [AuditEvent(by, f"finding.{item.kind}", found.id, detail) for item in said]
    # The store counts revisions itself: it wants the one that was read.
    write = store.findings.op(replace(changed, rev=found.rev))
    told = Work(store.tenant_id, "outreach.findings", body={"finding_ids": found.id}, cause=by)
    store.transact(now).put(write).audit(*events).outbox(told).commit()
    return replace(changed, rev=found.rev + 1)
