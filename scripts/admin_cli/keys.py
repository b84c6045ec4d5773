"""`key issue|list|revoke`."""

from typing import Annotated, Any, Final, cast

import typer

from lantern.domain.access import ApiKeyInfo
from lantern.domain.apikeys import SCOPES, Scope
from lantern.services import keys
from scripts.admin_cli.errors import bad_input
from scripts.admin_cli.terminal import ago, inert
from scripts.admin_cli.verbs import Desk, TenantId, verb

app = typer.Typer(no_args_is_help=True, help="API keys of a tenant: issue, list, revoke.")

_NAME_LIMIT: Final = 100


def _scopes(given: list[str]) -> frozenset[Scope]:
    for scope in given:
        if scope not in SCOPES:
            remedy = f"Use one or more of: {', '.join(SCOPES)}."
            raise bad_input("--scope", f"{inert(scope, 40)!r} is no scope.", remedy)
    return frozenset(cast("list[Scope]", given))


@verb(app, "issue")
def issue(
    desk: Desk,
    tenant: TenantId,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    scope: Annotated[list[str], typer.Option("--scope", help=f"May be repeated: {', '.join(SCOPES)}.")],
    person: Annotated[str | None, typer.Option("--person", help="Who holds it: a person's id.")] = None,
) -> None:
    """Issue an API key. It is shown this once and stored nowhere."""
    scopes, name = _scopes(scope), " ".join(name.split())
    if not 0 < len(name) <= _NAME_LIMIT:
        raise bad_input("--name", "is empty or too long.", f"A name has 1 to {_NAME_LIMIT} characters.")
    desk.registered(tenant)
    backend = desk.backend
    info, text = keys.issue(
        backend.tenant(tenant),
        backend.platform,
        environment=backend.stage,
        name=name,
        scopes=scopes,
        by=backend.operator,
        now=desk.now(),
        random=desk.wiring.random,
        person_id=person,
    )

    def show() -> None:
        desk.out.line(text, "bold")
        desk.out.remark(f"This is {info.id}. It is shown this once: hand it over now, on a safe way.")

    desk.out.result({**_fields(info), "key": text}, show)


@verb(app, "list")
def listing(desk: Desk, tenant: TenantId) -> None:
    """List a tenant's keys, revoked ones too; never their text."""
    desk.registered(tenant)
    found = desk.backend.tenant(tenant).keys.list()
    rows = [
        (
            *(one.id, one.name, one.person_id or "", " ".join(sorted(one.scopes)), f"…{one.last4}"),
            *(ago(one.created_at, desk.now()), ago(one.revoked_at, desk.now()) if one.revoked_at else "no"),
        )
        for one in found
    ]
    columns = ("key", "name", "person", "scopes", "ends in", "created", "revoked")
    desk.out.result(
        {"data": [_fields(one) for one in found]},
        lambda: desk.out.table(columns, rows, empty="This tenant has no key."),
    )


@verb(app, "revoke")
def revoke(
    desk: Desk,
    tenant: TenantId,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key's id, as `key list` shows it.")],
) -> None:
    """End a key. It stops working within 60 seconds; doing it twice does it once."""
    if key.startswith("lnt_"):
        remedy = (
            "Give its id instead (`key list`); and treat the text as leaked: it is in your shell's history."
        )
        raise bad_input("KEY", "this is the text of a key, not its id.", remedy)
    desk.registered(tenant)
    backend = desk.backend
    info = keys.revoke(backend.tenant(tenant), backend.platform, key, by=backend.operator, now=desk.now())
    desk.out.result(
        _fields(info),
        lambda: desk.out.line(
            f"Key {info.id} ({inert(info.name)}) is revoked; within 60 s it stops working."
        ),
    )


def _fields(info: ApiKeyInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "scopes": sorted(info.scopes),
        "last4": info.last4,
        "created_at": info.created_at,
        "created_by": info.created_by,
        "revoked_at": info.revoked_at,
        "person_id": info.person_id,
    }
