"""`mail on|off|status`: headers of mail read for a connection."""

from collections.abc import Callable
from typing import Annotated

import typer

from lantern.domain.errors import ConflictError, NotFoundError
from lantern.domain.mail_reading import MailReading
from lantern.services import decisions_mail
from scripts.admin_cli.errors import CliError, bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.verbs import Desk, TenantId, verb

app = typer.Typer(no_args_is_help=True, help="Headers of mail, read for sign-ups: a choice of its own.")

ConnectionId = Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection whose mailboxes.")]


@verb(app, "on")
def on(desk: Desk, tenant: TenantId, connection: ConnectionId) -> None:
    """Have headers read. It is on once a call has shown that this is allowed; again looks again."""
    desk.registered(tenant)
    store, backend = desk.backend.tenant(tenant), desk.backend
    found = _done(
        lambda: decisions_mail.ask(store, connection, by=backend.operator, now=desk.now()), connection
    )
    _tell(desk, connection, found)


@verb(app, "off")
def off(desk: Desk, tenant: TenantId, connection: ConnectionId) -> None:
    """Have no more headers read, and what they hinted at taken out of the inventory."""
    desk.registered(tenant)
    store, backend = desk.backend.tenant(tenant), desk.backend
    found = _done(
        lambda: decisions_mail.end(store, connection, by=backend.operator, now=desk.now()), connection
    )
    _tell(desk, connection, found)


@verb(app, "status")
def status(desk: Desk, tenant: TenantId, connection: ConnectionId) -> None:
    """Show whether headers are read, what to allow at the provider, and how the last reading went."""
    desk.registered(tenant)
    store = desk.backend.tenant(tenant)
    _tell(desk, connection, _done(lambda: decisions_mail.standing(store, connection), connection))


def _done(decide: Callable[[], MailReading | None], connection: str) -> MailReading | None:
    try:
        return decide()
    except NotFoundError:
        remedy = "`sync status TENANT` lists the tenant's connections."
        raise bad_input("CONNECTION", f"there is no connection {inert(connection, 60)}.", remedy) from None
    except ConflictError as error:
        raise CliError(str(error), "`mail status TENANT CONNECTION` shows how it stands.") from None


def _tell(desk: Desk, connection: str, reading: MailReading | None) -> None:
    last = reading.last if reading else None
    data = {
        "connection_id": connection,
        "state": reading.state if reading else "never_asked",
        "client_id": reading.client_id if reading else None,
        "permission": reading.permission if reading else None,
        "note": reading.note if reading else None,
        "due_at": reading.due_at.isoformat() if reading and reading.due_at else None,
        "mailboxes": last.mailboxes if last else None,
        "unread": last.unread if last else None,
        "messages": last.messages if last else None,
        "hints": last.hints if last else None,
    }

    def show() -> None:
        desk.out.facts(
            [(key.replace("_", " "), str(value)) for key, value in data.items() if value is not None]
        )
        if last is not None:
            desk.out.line(f"The last reading began {ago(last.begun_at, desk.now())}.", "dim")

    desk.out.result(data, show)
