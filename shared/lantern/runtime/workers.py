"""The isolated workers: one message in, its work done, or a time after which to try again.

A worker's environment belongs to one tenant. It checks that the message is that tenant's, and only then
opens the tenant's store and, where the work needs a provider, its token.
"""

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lantern.connectors.protocol import Connector, Deadline
from lantern.domain.errors import ConnectorError, LanternError, LeaseLostError
from lantern.domain.tenancy import Connection
from lantern.domain.work import Queue, Work
from lantern.runtime import settings as environment
from lantern.runtime import units, wiring, wiring_platform
from lantern.runtime.clock import CLOCK
from lantern.services.queue import parse_work
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

MARGIN_S: Final = 25
"""Left for finishing what is in hand after the deadline."""
BUSY_S: Final = 20
"""When to come back to what another worker is at."""
HINT_S: Final = 45
"""`hints` is work of at most 60 s."""


class WrongTenantError(LanternError):
    """A message reached an environment that belongs to another tenant."""


class Context(Protocol):
    """What Lambda tells a handler; `tenant_id` is there in tenant isolation mode."""

    tenant_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the function."""
        ...


Answer = dict[str, float] | None
Do = Callable[[Work, Context], object]


def run(service: str, do: Do, event: dict[str, Any], context: Context) -> Answer:
    """Do one message's work for the tenant this environment belongs to.

    Returns:
        None when done; `{"retry_after_s": n}` where the provider named a time to come back.

    Raises:
        WrongTenantError: the message is another tenant's.
        ConnectorError: the provider could not be asked; the message is delivered again.
    """
    wiring_platform.logging_once(service)
    work = parse_work(json.dumps(event))
    if context.tenant_id != work.tenant_id:
        raise WrongTenantError("the message belongs to another tenant")
    log.info("%s", work.kind, extra={"tenant_id": work.tenant_id, "connection_id": work.connection_id})
    try:
        with units.reported(service):
            do(work, context)
    except ConnectorError as error:
        log.warning("provider: %s %s", error.kind, error.detail or error.user_message)
        if error.retry_after_s is not None:
            return {"retry_after_s": error.retry_after_s}
        raise
    except LeaseLostError as error:
        # What the message says must reach a worker after the one that is at it now.
        log.info("busy: %s", error)
        return {"retry_after_s": BUSY_S}
    return None


def deadline(context: Context, queue: Queue) -> Deadline:
    """When work of this queue must stop starting new things."""
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN_S
    return Deadline(CLOCK, CLOCK.monotonic() + (min(left, HINT_S) if queue == "hints" else left))


def send(work: Work, delay_s: float = 0) -> None:
    """Enqueue a message."""
    wiring_platform.work_queue().send(work, int(delay_s))


@dataclass(frozen=True, slots=True)
class Providers:
    """Opens connectors for one tenant's connections, with the token unsealed in this process only."""

    tenant_id: str

    def connect(self, connection: Connection) -> Connector:
        """The connector of a connection.

        Raises:
            ConnectorError: there is no token, or it cannot be unsealed.
        """
        from lantern.connectors.registry import Credentials, connect
        from lantern.runtime import wiring_providers
        from lantern.services import vault

        store = wiring.tenant_store(self.tenant_id)
        sealed = store.secrets.get(connection.id)
        if sealed is None:
            raise ConnectorError("config", "There is no consent for this organisation any more.")
        key_id = wiring_platform.settings().secrets_key_id
        token = vault.open_(wiring.kms(self.tenant_id), key_id, self.tenant_id, connection.id, sealed)
        credentials = Credentials(
            tenant=self.tenant_id,
            connection_id=connection.id,
            organisation_id=connection.organisation_id,
            registration=wiring_providers.registration(connection.provider),
            secret=token,
            granted=connection.granted_scopes,
        )
        return connect(connection.provider, credentials, wiring_providers.provider_io(connection.provider))


def webhook_address(provider: str, channel_id: str) -> str:
    """The public address to which a provider pushes."""
    base = wiring_platform.settings().public_base_url
    if not base:
        raise environment.SettingsError("PUBLIC_BASE_URL is empty: providers cannot reach us")
    return f"{base}/webhooks/{provider}/{channel_id}"


def _disconnect(store: TenantStore, providers: Providers, work: Work) -> None:
    from lantern.services import connections

    tools = connections.Teardown(
        store=store,
        platform=wiring_platform.platform_store(),
        scheduler=wiring_platform.client("scheduler"),
        schedule_group=wiring_platform.settings().schedule_group,
        access=providers.connect,
    )
    connections.disconnect(tools, str(work.connection_id), CLOCK.now())


def _read_file(store: TenantStore, work: Work, context: Context) -> None:
    from lantern.runtime import wiring_imports
    from lantern.services.imports.run import Imports, read_import

    handed_in = Imports(
        store=store,
        clock=CLOCK,
        deadline=deadline(context, work.queue),
        send=send,
        hop=work.hop,
        drops=lambda: wiring_imports.drop_box(work.tenant_id),
        resolve=lambda: wiring_imports.resolver_for(store),
    )
    read_import(handed_in, work)


def discover(work: Work, context: Context) -> None:
    """What the discovery function does."""
    from lantern.services.discovery.context import Discovery
    from lantern.services.discovery.handle import handle, withdrawn
    from lantern.services.discovery.sweeping import sweep

    store = wiring.tenant_store(work.tenant_id)
    providers = Providers(work.tenant_id)
    if work.kind == "connection.disconnect":
        _disconnect(store, providers, work)
        return
    if work.kind == "import.read":
        _read_file(store, work, context)
        return
    connection = store.connections.get(work.connection_id or "")
    if connection is None or connection.leaving or connection.kind == "import":
        # What is still on the queue of a connection that is gone needs no token, and there is none; nor has
        # what came from a file.
        log.info("no such connection any more", extra={"connection": work.connection_id})
        return
    if work.kind == "connection.mail":
        # With the installation's own key, where it has one; the connection's token is not opened for it.
        read_mail(work, connection, deadline(context, work.queue))
        return
    try:
        connector = providers.connect(connection)
    except ConnectorError as error:
        if work.kind == "connection.changes":
            sweep(store, wiring_platform.platform_store(), send, CLOCK.now())
        withdrawn(store, connection, error, CLOCK.now())
        return
    task = Discovery(
        store=store,
        connection=connection,
        connector=connector,
        clock=CLOCK,
        deadline=deadline(context, work.queue),
        random=secrets.token_bytes,
        send=send,
        message_id=work.delivery,
        hop=work.hop,
    )
    handle(task, wiring_platform.platform_store(), webhook_address, work)


def read_mail(work: Work, connection: Connection, until: Deadline) -> None:
    """Follow a connection's choice to read headers of mail."""
    from lantern.connectors import mail
    from lantern.runtime import wiring_imports, wiring_providers
    from lantern.services.discovery.mail import MailTask, follow_mail

    store = wiring.tenant_store(work.tenant_id)

    def reader() -> mail.MailReader | None:
        registration = wiring_providers.mail_registration(connection.provider)
        if registration is None:
            return None
        io = wiring_providers.provider_io(connection.provider)
        return mail.reader(connection.provider, registration, work.tenant_id, io)

    task = MailTask(
        store=store,
        connection=connection,
        clock=CLOCK,
        deadline=until,
        send=send,
        message_id=work.delivery,
        reader=reader,
        recognise=lambda: wiring_imports.recogniser_for(store),
        hop=work.hop,
    )
    follow_mail(task)


def score(work: Work, _context: Context) -> None:
    """What the scoring function does."""
    from lantern.runtime.wiring_catalog import operator_catalog
    from lantern.services.people import handle as people
    from lantern.services.scoring.knowledge import load_knowledge
    from lantern.services.scoring.score import handle
    from lantern.services.scoring.task import Scoring

    knowledge = load_knowledge(wiring_platform.content_directory())
    if work.kind in people.KINDS:
        guiding = people.Guiding(wiring.tenant_store(work.tenant_id), knowledge.scopes, CLOCK.now)
        people.handle(guiding, work)
        return
    notices = wiring_platform.platform_store().notices.all
    handle(Scoring(wiring.tenant_store(work.tenant_id), knowledge, CLOCK, operator_catalog(), notices), work)


def remediate(work: Work, context: Context) -> None:
    """What the remediation function does."""
    from lantern.services.remediation.run import Remediation, run_job

    store = wiring.tenant_store(work.tenant_id)
    until = deadline(context, work.queue)
    if work.kind != "job.run":
        from lantern.services.playbooks.advance import Playing
        from lantern.services.playbooks.handle import play
        from lantern.services.playbooks_shipped import books_in

        books = books_in(wiring_platform.content_directory())
        play(Playing(store, CLOCK, secrets.token_bytes, work.delivery), work, books, until)
        return
    providers = Providers(work.tenant_id)
    task = Remediation(store, providers.connect, CLOCK, until, send, work.delivery)
    run_job(task, work)


def reach_out(work: Work, context: Context) -> None:
    """What the outreach function does."""
    from lantern.runtime import wiring_outreach
    from lantern.services.outreach.handle import handle

    handle(wiring_outreach.outreach(work.tenant_id, deadline(context, work.queue)), work)
