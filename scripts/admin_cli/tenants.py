"""`tenant create|list|show|suspend|resume`."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lantern.domain import ids
from lantern.domain.tenancy import Connection
from lantern.services import tenants
from lantern.store.platform import TenantEntry
from scripts.admin_cli.terminal import ago
from scripts.admin_cli.verbs import Desk, TenantId, verb

app = typer.Typer(no_args_is_help=True, help="Customers: create, list, show, suspend, resume.")


def _registry(desk: Desk) -> Iterator[TenantEntry]:
    cursor: str | None = None
    while True:
        page = desk.backend.platform.list_tenants(cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _line(entry: TenantEntry) -> dict[str, Any]:
    return {
        "id": entry.id, "name": entry.name, "status": entry.status, "created_at": entry.created_at
    }  # fmt: skip


@verb(app, "create")
def create(desk: Desk, name: Annotated[str, typer.Argument(help="The organisation's name.")]) -> None:
    """Create a tenant that connects later; a consent at /connect/PROVIDER creates one by itself."""
    backend = desk.backend
    tenant_id = ids.new_tenant_id(desk.wiring.random)
    store = backend.tenant(tenant_id)
    tenant = tenants.create(store, backend.platform, name=name, by=backend.operator, now=desk.now())

    def show() -> None:
        desk.out.line(f"Created tenant {tenant.id}.")
        desk.out.line(f"Next: key issue {tenant.id} --name NAME --scope admin", "dim")

    desk.out.result({"id": tenant.id, "name": tenant.name, "status": tenant.status}, show)


@verb(app, "list")
def listing(desk: Desk) -> None:
    """List every tenant with its status."""
    entries = list(_registry(desk))
    rows = [(one.id, one.name, one.status, ago(one.created_at, desk.now())) for one in entries]
    columns = ("tenant", "name", "status", "created")
    desk.out.result(
        {"data": [_line(one) for one in entries]},
        lambda: desk.out.table(columns, rows, empty="No tenant yet."),
    )


@verb(app, "show")
def show_one(desk: Desk, tenant: TenantId) -> None:
    """Show a tenant, its connections and how fresh they are."""
    entry = desk.registered(tenant)
    store = desk.backend.tenant(tenant)
    record, connections, head = store.tenants.get(), store.connections.list(), store.audit.head()
    keys = [key for key in store.keys.list() if key.revoked_at is None]
    data = {
        **_line(entry),
        "record_status": record.status if record else None,
        "connections": [_connection(one) for one in connections],
        "active_keys": len(keys),
        "audit_entries": head.seq,
    }

    def show() -> None:
        desk.out.facts(
            [
                ("tenant", entry.id),
                ("name", entry.name),
                ("status", entry.status),
                ("created", entry.created_at.isoformat(timespec="seconds")),
                ("active keys", len(keys)),
                ("audit entries", head.seq),
            ]
        )
        if record is None or record.status != entry.status:
            verb_name = "resume" if entry.status == "active" else "suspend"
            desk.out.line(
                f"Its own record says {record.status if record else 'nothing'}: an act stopped half-way. "
                f"Finish it with: tenant {verb_name} {entry.id}",
                "yellow",
            )
        desk.out.line("")
        columns = ("connection", "provider", "name", "status", "last full run", "last changes", "remedy")
        rows = [
            (
                *(one.id, one.provider, one.name, one.status),
                *(ago(one.last_full_at, desk.now()), ago(one.last_changes_at, desk.now()), one.remedy),
            )
            for one in connections
        ]
        desk.out.table(columns, rows, empty="No connection yet.")

    desk.out.result(data, show)


@verb(app, "suspend")
def suspend(desk: Desk, tenant: TenantId) -> None:
    """Stop everything for a tenant; its data stays. API calls get 403 within a minute."""
    _turn(desk, tenant, "suspended")


@verb(app, "resume")
def resume(desk: Desk, tenant: TenantId) -> None:
    """Let a tenant go on; every connection is read anew."""
    _turn(desk, tenant, "active")


def _turn(desk: Desk, tenant_id: str, status: str) -> None:
    before = desk.registered(tenant_id)
    backend = desk.backend
    act = tenants.resume if status == "active" else tenants.suspend
    store = backend.tenant(tenant_id)
    known = store.tenants.get()
    done = act(store, backend.platform, by=backend.operator, now=desk.now())
    changed = before.status != status or known is None or known.status != status
    after = "Its connections are being read anew." if status == "active" else "Its data stays as it is."

    def show() -> None:
        if changed:
            desk.out.line(f"Tenant {tenant_id} is {done.status} now. {after}")
        else:
            desk.out.line(f"Tenant {tenant_id} was {done.status} already; nothing was changed.")

    desk.out.result({"id": tenant_id, "status": done.status, "changed": changed}, show)


def _connection(one: Connection) -> dict[str, Any]:
    return {
        "id": one.id,
        "provider": one.provider,
        "organisation_id": one.organisation_id,
        "name": one.name,
        "status": one.status,
        "attention": one.attention,
        "remedy": one.remedy,
        "connected_at": one.connected_at,
        "last_full_at": one.last_full_at,
        "last_changes_at": one.last_changes_at,
        "missing_scopes": sorted(one.missing_scopes),
    }
