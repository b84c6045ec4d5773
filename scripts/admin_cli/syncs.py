"""`sync run|status`."""

from typing import Annotated, Any

import typer

from lantern.domain.tenancy import Connection, Run
from lantern.services import decisions_connections
from lantern.store.tenant import TenantStore
from scripts.admin_cli.errors import CliError, bad_input
from scripts.admin_cli.terminal import ago, inert, span
from scripts.admin_cli.verbs import Desk, TenantId, verb

app = typer.Typer(no_args_is_help=True, help="Reading of connections: start it, see how it goes.")

ConnectionId = Annotated[
    str | None, typer.Argument(metavar="[CONNECTION]", help="One connection; all of them where left out.")
]


def _chosen(store: TenantStore, connection_id: str | None) -> list[Connection]:
    found = store.connections.list()
    if connection_id is None:
        return list(found)
    chosen = [one for one in found if one.id == connection_id]
    if not chosen:
        remedy = "`sync status TENANT` lists the tenant's connections."
        raise bad_input("CONNECTION", f"the tenant has no connection {inert(connection_id, 60)}.", remedy)
    return chosen


@verb(app, "run")
def run(desk: Desk, tenant: TenantId, connection: ConnectionId = None) -> None:
    """Put a full reading on the queue. A reading that is under way already is not doubled."""
    entry = desk.registered(tenant)
    if entry.status != "active":
        raise CliError(
            f"The tenant is {entry.status}: a reading would be dropped.",
            f"`tenant resume {tenant}` lets it go on, and reads everything anew by itself.",
        )
    backend = desk.backend
    store = backend.tenant(tenant)
    chosen = _chosen(store, connection)
    ready = [one for one in chosen if one.status in ("active", "needs_attention") and one.kind == "consent"]
    if not ready:
        raise CliError(
            "There is no connection that could be read.",
            "Have an administrator connect one: GET /connect/PROVIDER, or POST /v1/connections.",
        )
    for one in ready:
        decisions_connections.sync(store, backend.queue, one.id, by=backend.operator, now=desk.now())
    data = {"enqueued": [one.id for one in ready], "left_out": [o.id for o in chosen if o not in ready]}

    def show() -> None:
        desk.out.line(f"A full reading is on the queue for {', '.join(one.id for one in ready)}.")
        desk.out.line(f"See how it goes: sync status {tenant}", "dim")

    desk.out.result(data, show)


@verb(app, "status")
def status(desk: Desk, tenant: TenantId, connection: ConnectionId = None) -> None:
    """Show each connection's latest runs: what was read, what could not be, and the remedy."""
    entry = desk.registered(tenant)
    store = desk.backend.tenant(tenant)
    found = [(one, store.runs.list(one.id, 5).items) for one in _chosen(store, connection)]
    data = {
        "tenant_status": entry.status,
        "data": [
            {
                "connection_id": one.id,
                "provider": one.provider,
                "status": one.status,
                "attention": one.attention,
                "remedy": one.remedy,
                "last_full_at": one.last_full_at,
                "last_changes_at": one.last_changes_at,
                "runs": [_run(item) for item in runs],
            }
            for one, runs in found
        ],
    }

    def show() -> None:
        if entry.status != "active":
            desk.out.line(f"The tenant is {entry.status}: nothing runs.", "yellow")
        for one, runs in found:
            _show(desk, one, runs)
        if not found:
            desk.out.line("No connection yet.")

    desk.out.result(data, show)


def _show(desk: Desk, one: Connection, runs: tuple[Run, ...]) -> None:
    now = desk.now()
    desk.out.line(f"{one.id}  {one.provider}  {inert(one.name)}  {one.status}", "bold")
    if one.attention:
        desk.out.line(f"{inert(one.attention)} {inert(one.remedy or '')}", "yellow")
    rows = [
        (
            *(item.id, item.kind, item.state, ago(item.started_at, now), _took(item)),
            *(item.counts.principals, item.counts.grants, _coverage(item), item.error or item.remedy),
        )
        for item in runs
    ]
    columns = ("run", "kind", "state", "started", "took", "accounts", "grants", "read", "why")
    desk.out.table(columns, rows, empty="It was never read.")
    desk.out.line("")


def _took(item: Run) -> str:
    return span(item.finished_at - item.started_at) if item.finished_at else "under way"


def _coverage(item: Run) -> str:
    coverage = item.coverage
    listed = "?" if coverage.listed is None else str(coverage.listed)
    unread = f", {len(coverage.unread)} unread" if coverage.unread else ""
    return f"{coverage.read}/{listed}{unread}"


def _run(item: Run) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "state": item.state,
        "cause": item.cause,
        "started_at": item.started_at,
        "finished_at": item.finished_at,
        "principals": item.counts.principals,
        "grants": item.counts.grants,
        "listed": item.coverage.listed,
        "read": item.coverage.read,
        "unread": len(item.coverage.unread),
        "reasons": item.coverage.reasons,
        "error": item.error,
        "remedy": item.remedy,
    }
