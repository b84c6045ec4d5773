"""What is due in a tenant: asked by the quarter-hourly message of any of its connections.

It depends on no provider. A tenant whose only connection stopped working is told so, its snoozes end, and its
messages are tried again all the same.
"""

from datetime import datetime, timedelta
from typing import Final

from lantern.domain.work import Work
from lantern.services import incidents
from lantern.services.discovery.context import Send
from lantern.services.people.due import anything_due
from lantern.services.playbooks.sweep import anything_due as playbooks_due
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

OUTBOX_OVERDUE: Final = timedelta(minutes=5)


def sweep(store: TenantStore, platform: PlatformStore, send: Send, now: datetime) -> None:
    """Have everything done that is due. Doing it twice does nothing twice.

    Args:
        store: the tenant's store.
        platform: what operators said.
        send: enqueues a message, after a delay in seconds.
        now: current time.
    """
    follow_operators(store, platform, send)
    follow_incidents(store, platform, send, now)
    if anything_due(store, now):
        send(Work(store.tenant_id, "people.due", cause="sweep"), 0)
    if playbooks_due(store, now):
        send(Work(store.tenant_id, "playbook.due", cause="sweep"), 0)
    wake_outreach(store, send, now)
    resend_overdue(store, send, now)


def follow_operators(store: TenantStore, platform: PlatformStore, send: Send) -> bool:
    """Have the tenant's apps judged anew where operators published since; says whether they did.

    The versions are compared, not announced: a message that was lost is sent by the next poll again.
    """
    version, applied = platform.catalog.version(), store.catalog.applied()
    if version == (applied.operators if applied else 0):
        return False
    body = {"operators": str(version)}
    send(Work(store.tenant_id, "score.catalog", body=body, cause="operators"), 0)
    return True


def follow_incidents(store: TenantStore, platform: PlatformStore, send: Send, now: datetime) -> bool:
    """Have incidents that operators raised for all tenants raised here; says whether there are new ones."""
    if not incidents.unknown(store, platform.notices.all(), now):
        return False
    send(Work(store.tenant_id, "incident.follow", cause="operators"), 0)
    return True


def wake_outreach(store: TenantStore, send: Send, now: datetime) -> bool:
    """Have outreach look where something is due: a digest, the end of a snooze, another attempt."""
    due = store.alerts.state().due_at
    if due is not None and due > now:
        return False
    send(Work(store.tenant_id, "outreach.due", cause="sweep"), 0)
    return True


def resend_overdue(store: TenantStore, send: Send, now: datetime) -> int:
    """Send again what the stream should have carried minutes ago; every message may come twice."""
    sent = 0
    for item, work in store.outbox.due(now - OUTBOX_OVERDUE):
        send(work, 0)
        store.outbox.delete(item)
        sent += 1
    return sent
