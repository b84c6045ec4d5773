"""Read models of grants: by principal, by app, by finding, one; at most two requests each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from lantern.domain import ids
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.inventory import Bundle, Grant, GrantSource
from lantern.domain.rules.vocabulary import Subject
from lantern.domain.tenancy import Connection
from lantern.services import queries_findings
from lantern.services.queries_apps import holders
from lantern.store.documents import Page
from lantern.store.joined import Surroundings
from lantern.store.tenant import TenantStore

_INSTEAD: Final[Mapping[Subject, str]] = {
    Subject.ASSET: "This finding lists assets: ask GET /v1/assets?finding_id= for them.",
    Subject.APP: "This finding is about an app as a whole: ask by app_id for who holds it.",
    Subject.PERSON: "This finding is about a person as a whole: ask by principal_id for what they hold.",
}
MAX_ROWS = 45
"""Grants a page: with their apps, scope sets and use they fit into one batch of 100 items."""


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant as it is listed; None is what this listing does not know.

    `use_known_from`: since when every use was read. With `last_used` None it says that there was none since.
    """

    grant_id: str
    principal_id: str
    app_id: str
    connection_id: str | None = None
    email: str | None = None
    app_name: str | None = None
    scope_set: str | None = None
    scopes: frozenset[str] | None = None
    source: GrantSource | None = None
    granted_on: date | None = None
    first_seen: date | None = None
    prior_scope_set: str | None = None
    expanded_on: date | None = None
    last_used: date | None = None
    use_known_from: datetime | None = None


def by_principal(
    store: TenantStore, connection_id: str, principal_id: str, after: str | None, limit: int
) -> Page[GrantRow]:
    """Grants of an account with names and permissions, in the order of their app ids.

    Raises:
        NotFoundError: no such account at this connection.
    """
    bundle, connection = store.joined.bundle(connection_id, principal_id)
    if bundle is None or connection is None:
        raise NotFoundError("principal", principal_id)
    limit = min(limit, MAX_ROWS)
    left = [grant for grant in bundle.grants or () if after is None or grant.app_id > after]
    chosen = left[:limit]
    rows = _described(store, connection, [_row(bundle, grant) for grant in chosen])
    return Page(rows, chosen[-1].app_id if len(left) > limit else None)


def by_app(
    store: TenantStore, connection_id: str, app_id: str, after: str | None, limit: int
) -> Page[GrantRow]:
    """Grants of an app at a connection, in the order of their principals; without permissions.

    Raises:
        NotFoundError: no such connection or no such app.
    """
    page = holders(store, connection_id, app_id, after, limit)
    rows = tuple(_row(Bundle(holder.principal, None), holder.grant) for holder in page.items)
    return Page(rows, page.cursor)


def by_finding(
    store: TenantStore, finding_id: str, connection_id: str | None, after: str | None, limit: int
) -> Page[GrantRow]:
    """Grants that a finding is about now, in the order of their ids.

    With `connection_id` those held there, with holder, dates and use; without it ids and names of apps.

    Raises:
        NotFoundError: no such finding, or no such connection.
        InvalidInputError: the finding lists no grants.
    """
    if connection_id is None:
        found, connection = queries_findings.one(store, finding_id), None
    else:
        found, connection = store.joined.finding(finding_id, connection_id)
        if found is None:
            raise NotFoundError("finding", finding_id)
        if connection is None:
            raise NotFoundError("connection", connection_id)
    if found.subject is not Subject.GRANT:
        raise InvalidInputError("finding_id", _INSTEAD.get(found.subject, "This finding lists no grants."))
    limit = min(limit, MAX_ROWS)
    left = [grant_id for grant_id in sorted(found.open_grants) if after is None or grant_id > after]
    bare = [row for grant_id in left[:limit] if (row := _bare(grant_id)) is not None]
    rows = _named(store, bare) if connection is None else _held(store, connection, bare)
    return Page(rows, left[limit - 1] if len(left) > limit else None)


def one(store: TenantStore, grant_id: str, connection_id: str | None = None) -> GrantRow:
    """One grant; with `connection_id` its app's name, its permissions and its use too.

    Raises:
        NotFoundError: nobody holds it.
    """
    parts = ids.split_grant_id(grant_id)
    if parts is None:
        raise NotFoundError("grant", grant_id)
    principal_id, app_id = parts
    connection: Connection | None = None
    if connection_id is None:
        bundle = store.bundles.find([found.id for found in store.connections.list()], principal_id)
    else:
        bundle, connection = store.joined.bundle(connection_id, principal_id)
    grant = bundle.grant(app_id) if bundle else None
    if bundle is None or grant is None:
        raise NotFoundError("grant", grant_id)
    row = _row(bundle, grant)
    return row if connection is None else _described(store, connection, [row])[0]


def scope_set(store: TenantStore, scope_set_id: str) -> frozenset[str]:
    """The permissions of a scope set.

    Raises:
        NotFoundError: no such set.
    """
    found = store.apps.scope_sets([scope_set_id])
    if scope_set_id not in found:
        raise NotFoundError("scope_set", scope_set_id)
    return found[scope_set_id]


def _bare(grant_id: str) -> GrantRow | None:
    parts = ids.split_grant_id(grant_id)
    return GrantRow(grant_id, *parts) if parts else None


def _row(bundle: Bundle, grant: Grant) -> GrantRow:
    return GrantRow(
        grant_id=ids.grant_id(bundle.principal.id, grant.app_id),
        principal_id=bundle.principal.id,
        app_id=grant.app_id,
        connection_id=bundle.principal.connection_id,
        email=bundle.principal.email,
        scope_set=grant.scope_set,
        source=grant.source,
        granted_on=grant.granted_on,
        first_seen=grant.first_seen,
        prior_scope_set=grant.prior_scope_set,
        expanded_on=grant.expanded_on,
    )


def _named(store: TenantStore, rows: Sequence[GrantRow]) -> tuple[GrantRow, ...]:
    facts = store.apps.batch_facts({row.app_id for row in rows}) if rows else {}
    return tuple(
        replace(row, app_name=facts[row.app_id].name if row.app_id in facts else None) for row in rows
    )


def _described(store: TenantStore, connection: Connection, rows: Sequence[GrantRow]) -> tuple[GrantRow, ...]:
    """The rows with the names of their apps, their permissions and their use."""
    if not rows:
        return ()
    around = store.joined.surroundings(
        connection,
        apps={row.app_id for row in rows},
        scope_sets={row.scope_set for row in rows if row.scope_set is not None},
        users={row.principal_id for row in rows},
    )
    return tuple(_with(row, around) for row in rows)


def _held(store: TenantStore, connection: Connection, rows: Sequence[GrantRow]) -> tuple[GrantRow, ...]:
    """Of bare rows those held at the connection, with what their bundles say, and their use."""
    principals = {row.principal_id for row in rows}
    around = store.joined.surroundings(
        connection, apps={row.app_id for row in rows}, bundles=principals, users=principals
    )
    held = []
    for row in rows:
        bundle = around.bundles.get(row.principal_id)
        grant = bundle.grant(row.app_id) if bundle else None
        if bundle and grant:
            held.append(_with(_row(bundle, grant), around))
    return tuple(held)


def _with(row: GrantRow, around: Surroundings) -> GrantRow:
    app = around.apps.get(row.app_id)
    return replace(
        row,
        app_name=app.name if app else None,
        scopes=around.scope_sets.get(row.scope_set) if row.scope_set is not None else None,
        last_used=around.last_use.get(row.principal_id, {}).get(row.app_id),
        use_known_from=around.window.complete_from if around.window else None,
    )
