"""The whole CLI."""

from typing import Final

import typer

from scripts.admin_cli import (
    audits,
    catalogs,
    connectors,
    content,
    identify,
    incidents,
    keys,
    mails,
    queues,
    syncs,
    tenants,
)
from scripts.admin_cli.assess import command

_EPILOG: Final = (
    "Exit codes: 0 done · 1 it ran and the answer is bad, or the state does not allow it · "
    "2 the command line makes no sense · 3 the stage was not reached or does not let you in."
)

app = typer.Typer(
    name="admin",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold keys
    rich_markup_mode=None,
    help="Operate Lantern: tenants, keys, readings, queues, audit, catalog, providers. --json on every verb.",
    epilog=_EPILOG,
)
app.add_typer(tenants.app, name="tenant")
app.add_typer(keys.app, name="key")
app.add_typer(syncs.app, name="sync")
app.add_typer(queues.app, name="queue")
app.add_typer(connectors.app, name="connectors")
app.add_typer(mails.app, name="mail")
app.add_typer(audits.app, name="audit")
app.add_typer(incidents.app, name="incident")
identify.register(catalogs.app)
app.add_typer(catalogs.app, name="catalog")
app.add_typer(content.app, name="content")
app.command("assess")(command.assess)
