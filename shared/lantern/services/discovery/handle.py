"""What the discovery function does with each kind of work message."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from lantern.connectors.protocol import Feature
from lantern.domain.errors import ConnectorError
from lantern.domain.tenancy import Connection
from lantern.domain.work import Work, WorkKind
from lantern.services.connections import needs_attention
from lantern.services.discovery import assets, feeds, hints, run, use
from lantern.services.discovery.channels import Address, renew_channels
from lantern.services.discovery.context import Discovery
from lantern.services.discovery.mail import wake_mail
from lantern.services.discovery.sweeping import sweep
from lantern.store.platform import PlatformStore
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

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
    """The quarter-hourly message also does whatever is due in its tenant, first: the provider may be down."""
    sweep(task.store, platform, task.send, task.clock.now())
    if _may(task, "changes"):
        feeds.poll_changes(task)
    if _may(task, "push"):
        _renew(task, platform, address)
    if _may(task, "activity") and use.use_is_due(task):
        task.send(Work(task.store.tenant_id, "connection.use", task.connection.id), 0)
    if mail := wake_mail(task.store, task.connection, task.clock.now()):
        task.send(mail, 0)


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
