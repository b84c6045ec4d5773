"""`connectors list|show|check`: which providers can be connected, and what connections lack."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from lantern.connectors import manifests
from lantern.domain.errors import InvalidInputError
from lantern.domain.tenancy import Connection
from lantern.services import connectors
from lantern.services.connectors import ConnectorFacts
from scripts.admin_cli.errors import bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.verbs import Desk, TenantId, verb

app = typer.Typer(no_args_is_help=True, help="Providers: what each can do, what connections lack.")

LATE_FULL: Final = timedelta(hours=36)
LATE_CHANGES: Final = timedelta(hours=1)

Provider = Annotated[
    str, typer.Argument(metavar="PROVIDER", help="A provider, as `connectors list` shows it.")
]


@verb(app, "list")
def listing(desk: Desk) -> None:
    """List every provider that can be connected."""
    found = connectors.all_connectors()
    rows = [
        (
            *(one.provider, one.title, one.onboarding, one.push or "asked only"),
            ", ".join(fact.feature for fact in one.features),
            ", ".join(act.kind for act in one.acts),
        )
        for one in found
    ]
    columns = ("provider", "name", "connected by", "pushes", "features", "acts")
    desk.out.result(
        {"data": [asdict(one) for one in found]}, lambda: desk.out.table(columns, rows, empty="No connector.")
    )


@verb(app, "show")
def show_one(desk: Desk, provider: Provider) -> None:
    """Show what a provider's permissions are for, what is lost without each, and what can be acted on."""
    try:
        facts = connectors.connector(provider)
    except InvalidInputError:
        known = ", ".join(manifests.providers())
        raise bad_input(
            "PROVIDER", f"There is no connector {inert(provider, 40)!r}.", f"Use {known}."
        ) from None
    desk.out.result(asdict(facts), lambda: _show(desk, facts))


def _show(desk: Desk, facts: ConnectorFacts) -> None:
    desk.out.facts(
        [
            ("provider", facts.title),
            ("connected by", facts.onboarding),
            ("pushes", facts.push or "asked only"),
        ]
    )
    desk.out.line("")
    rows = [
        (fact.feature, permission, "yes" if fact.required else "no", lost)
        for fact in facts.features
        for permission, lost in zip(fact.permissions, fact.lost, strict=True)
    ]
    desk.out.table(("feature", "permission", "required", "without it"), rows, empty="It takes no permission.")
    desk.out.line("")
    acts = [
        (
            act.kind,
            ", ".join(act.permissions),
            "everybody" if act.everyone else "one target",
            act.undo or "no way",
        )
        for act in facts.acts
    ]
    desk.out.table(("act", "permissions", "touches", "taken back by"), acts, empty="Nothing can be acted on.")


@verb(app, "check")
def check(desk: Desk, tenant: TenantId) -> None:
    """Check a tenant's connections: access, freshness, permissions that are missing. Exit code 1 if any is bad."""
    desk.registered(tenant)
    found = [_checked(desk, one) for one in desk.backend.tenant(tenant).connections.list() if not one.leaving]
    rows = [
        (one["id"], one["provider"], one["name"], "ok" if one["ok"] else "; ".join(one["problems"]))
        for one in found
    ]

    def show() -> None:
        desk.out.table(("connection", "provider", "name", "state"), rows, empty="No connection yet.")
        for one in found:
            for gap in one["gaps"]:
                desk.out.line(f"{one['id']} lacks {inert(gap['permission'])}: {inert(gap['lost'])}", "yellow")

    desk.out.result({"data": found}, show)
    if not all(one["ok"] for one in found):
        raise typer.Exit(1)


def _checked(desk: Desk, one: Connection) -> dict[str, Any]:
    now = desk.now()
    problems = []
    if one.status == "needs_attention":
        problems.append(f"{one.attention or 'needs attention'} {one.remedy or ''}".strip())
    if one.kind == "consent" and (one.last_full_at is None or now - one.last_full_at > LATE_FULL):
        problems.append(f"last read in full {ago(one.last_full_at, now)}")
    feed = "changes" in manifests.manifest(one.provider).features
    if (
        one.kind == "consent"
        and feed
        and (one.last_changes_at is None or now - one.last_changes_at > LATE_CHANGES)
    ):
        problems.append(f"changes last read {ago(one.last_changes_at, now)}")
    return {
        "id": one.id,
        "provider": one.provider,
        "name": one.name,
        "ok": not problems,
        "problems": problems,
        "gaps": [asdict(gap) for gap in connectors.gaps(one)],
    }
