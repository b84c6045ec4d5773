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
        message = f"There is no connector {inert(provider, 40)!r}."
        raise bad_input("PROVIDER", message, f"Use {', '.join(manifests.providers())}.") from None
    desk.out.result(asdict(facts), lambda: _show(desk, facts))


def _show(desk: Desk, facts: ConnectorFacts) -> None:
    pushes = facts.push or "asked only"
    desk.out.facts([("provider", facts.title), ("connected by", facts.onboarding), ("pushes", pushes)])
    desk.out.line("")
    lost: dict[str, str] = {}
    served: dict[str, list[str]] = {}
    for fact in facts.features:
        for permission, sentence in zip(fact.permissions, fact.lost, strict=True):
            lost[permission] = sentence
            served.setdefault(permission, []).append(fact.feature)
    rows = [(permission, ", ".join(served[permission]), said) for permission, said in sorted(lost.items())]
    desk.out.table(("permission", "serves", "without it"), rows, empty="It takes no permission.")
    desk.out.line("")
    acts = [
        (
            *(act.kind, ", ".join(act.permissions)),
            *("everybody" if act.everyone else "one target", act.undo or "no way"),
        )
        for act in facts.acts
    ]
    columns = ("act", "permissions", "touches", "taken back by")
    desk.out.table(columns, acts, empty="Nothing can be acted on.")


@verb(app, "check")
def check(desk: Desk, tenant: TenantId) -> None:
    """Check a tenant's connections: access, freshness, missing permissions. Exit code 1 if any is bad."""
    desk.registered(tenant)
    connected = desk.backend.tenant(tenant).connections.list()
    found = [_checked(desk, one) for one in connected if not one.leaving]
    rows = [
        (one["id"], one["provider"], one["name"], "ok" if one["ok"] else "; ".join(one["problems"]))
        for one in found
    ]

    def show() -> None:
        desk.out.table(("connection", "provider", "name", "state"), rows, empty="No connection yet.")
        for one in found:
            for gap in one["gaps"]:
                line = f"{one['id']} lacks {inert(gap['permission'])}: {inert(gap['lost'])}"
                desk.out.line(line, "yellow")

    desk.out.result({"data": found}, show)
    if not all(one["ok"] for one in found):
        raise typer.Exit(1)


def _checked(desk: Desk, one: Connection) -> dict[str, Any]:
    gaps = connectors.gaps(one)
    problems = []
    if one.status == "needs_attention":
        problems.append(f"{one.attention or 'needs attention'} {one.remedy or ''}".strip())
    if one.kind == "consent":
        problems += _late(desk, one, follows=not any("changes" in gap.features for gap in gaps))
    return {
        "id": one.id,
        "provider": one.provider,
        "name": one.name,
        "ok": not problems,
        "problems": problems,
        "gaps": [asdict(gap) for gap in gaps],
    }


def _late(desk: Desk, one: Connection, *, follows: bool) -> list[str]:
    now, late = desk.now(), []
    if one.last_full_at is None or now - one.last_full_at > LATE_FULL:
        late.append(f"last read in full {ago(one.last_full_at, now)}")
    follows = follows and "changes" in manifests.manifest(one.provider).features
    if follows and (one.last_changes_at is None or now - one.last_changes_at > LATE_CHANGES):
        late.append(f"changes last read {ago(one.last_changes_at, now)}")
    return late
