"""What the discovery function does with each kind of work message."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from lantern.connectors.protocol import Feature
from lantern.domain.errors import ConnectorError
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work, WorkKind
from lantern.services import incidents
from lantern.services.connections import needs_attention
from lantern.services.discovery import assets, feeds, hints, run, use
from lantern.services.discovery.channels import Address, renew_channels
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.mail import wake_mail
from lantern.services.people.due import anything_due
from lantern.services.playbooks.sweep import anything_due as playbooks_due
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

OUTBOX_OVERDUE: Final = timedelta(minutes=5)
REMEDY: Final = "Have an administrator connect again with a link from POST /v1/connections."


def handle(task: Discovery, platform: PlatformStore, address: Address, work: Work) -> None:
    """Do one message's work.

    A provider that says our access is gone turns the connection to `needs_attention`, with the remedy;
    anything else that fails is raised, so that the message is delivered again.

    Raises:
        ConnectorError: the provider cannot be reached or is throttling; try again later.
    """
    if task.connection.leaving:
        log.info("the connection is being given up", extra={"connection": task.connection.id})
        return
    verbs: Mapping[WorkKind, Callable[[], object]] = {
        "connection.full": lambda: run.full_run(task, work),
        "connection.changes": lambda: _changes(task, platform, address),
        "connection.use": lambda: _use(task),
        "connection.channels": lambda: (
            _may(task, "push") and renew_channels(task, platform, address, lost=work.body.get("lost"))
        ),
        "connection.assets": lambda: _may(task, "assets") and assets.read_assets(task),
        "bundle.read": lambda: hints.read_bundle(task, work),
    }
    try:
        verbs[work.kind]()
    except ConnectorError as error:
        withdrawn(task.store, task.connection, error, task.clock.now())


def withdrawn(store: TenantStore, connection: Connection, error: ConnectorError, now: datetime) -> None:
    """Say on the connection that our access is gone; any other error is raised again.

    Raises:
        ConnectorError: `error`, where it is about anything else than our access.
    """
    if error.kind != "config":
        raise error
    log.warning("connection needs attention", extra={"detail": error.detail})
    needs_attention(store, connection, error.user_message, REMEDY, now)


def _changes(task: Discovery, platform: PlatformStore, address: Address) -> None:
    """The quarter-hourly message also does whatever is due in its tenant."""
    follow_operators(task, platform)
    follow_incidents(task, platform)
    if _may(task, "changes"):
        feeds.poll_changes(task)
    if _may(task, "push"):
        _renew(task, platform, address)
    if _may(task, "activity") and use.use_is_due(task):
        task.send(Work(task.store.tenant_id, "connection.use", task.connection.id), 0)
    if anything_due(task.store, task.clock.now()):
        task.send(Work(task.store.tenant_id, "people.due", cause="sweep"), 0)
    if playbooks_due(task.store, task.clock.now()):
        task.send(Work(task.store.tenant_id, "playbook.due", cause="sweep"), 0)
    if mail := wake_mail(task.store, task.connection, task.clock.now()):
        task.send(mail, 0)
    wake_outreach(task)
    resend_overdue(task)


def _renew(task: Discovery, platform: PlatformStore, address: Address) -> None:
    """Keep channels open. A provider that lets none be opened costs promptness: changes are polled still."""
    try:
        renew_channels(task, platform, address)
    except ConnectorError as error:
        if error.kind == "config":
            raise
        log.warning("no push channel", extra={"connection": task.connection.id, "detail": error.detail})


def _may(task: Discovery, feature: Feature) -> bool:
    """Whether there is a feature and the consent covers it; what is lost without stands in the connection."""
    manifest, lacking = task.connector.manifest, task.connection.missing_scopes
    return feature in manifest.features and not any(
        need.serves(feature) and need.scope in lacking for need in manifest.scopes
    )


def _use(task: Discovery) -> None:
    """Read use, then judge by it. Once the past is read, one more full run dates the grants by it."""
    read = use.read_use(task) if _may(task, "activity") else "nothing"
    if read in {"days", "history"}:
        kind: WorkKind = "connection.full" if read == "history" else "score.run"
        use.tell(task, Work(task.store.tenant_id, kind, task.connection.id, cause="activity"))


def follow_operators(task: Discovery, platform: PlatformStore) -> bool:
    """Have the tenant's apps judged anew where operators published since; says whether they did.

    The versions are compared, not announced: a message that was lost is sent by the next poll again.
    """
    version, applied = platform.catalog.version(), task.store.catalog.applied()
    if version == (applied.operators if applied else 0):
        return False
    body = {"operators": str(version)}
    task.send(Work(task.store.tenant_id, "score.catalog", body=body, cause="operators"), 0)
    return True


def follow_incidents(task: Discovery, platform: PlatformStore) -> bool:
    """Have incidents that operators raised for all tenants raised here; says whether there are new ones."""
    if not incidents.unknown(task.store, platform.notices.all(), task.clock.now()):
        return False
    task.send(Work(task.store.tenant_id, "incident.follow", cause="operators"), 0)
    return True


def wake_outreach(task: Discovery) -> bool:
    """Have outreach look where something is due: a digest, the end of a snooze, another attempt."""
    due = task.store.alerts.state().due_at
    if due is not None and due > task.clock.now():
        return False
    task.send(Work(task.store.tenant_id, "outreach.due", cause="sweep"), 0)
    return True


def resend_overdue(task: Discovery) -> int:
    """Send again what the stream should have carried minutes ago; every message may come twice."""
    sent = 0
    for item, work in task.store.outbox.due(task.clock.now() - OUTBOX_OVERDUE):
        task.send(work, 0)
        task.store.outbox.delete(item)
        sent += 1
    return sent
