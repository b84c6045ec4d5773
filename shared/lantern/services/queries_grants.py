"""Read models of grants: by principal, by app, by finding, one; at most two requests each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from lantern.domain import ids
from lantern.domain.errors import NotFoundError
from lantern.domain.inventory import Bundle, Grant
from lantern.services import queries_findings
from lantern.services.queries_apps import holders
from lantern.store.documents import Page
from lantern.store.tenant import TenantStore

MAX_ROWS = 50
"""Grants a page: their apps and scope sets fit into one batch of 100 items."""


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant as it is listed; None is what this listing does not know."""

    grant_id: str
    principal_id: str
    app_id: str
    connection_id: str | None = None
    email: str | None = None
    app_name: str | None = None
    scope_set: str | None = None
    scopes: frozenset[str] | None = None
    granted_on: date | None = None
    first_seen: date | None = None
    prior_scope_set: str | None = None
    expanded_on: date | None = None


def by_principal(
    store: TenantStore, connection_id: str, principal_id: str, after: str | None, limit: int
) -> Page[GrantRow]:
    """Grants of an account with names and permissions, in the order of their app ids.

    Raises:
        NotFoundError: no such account at this connection.
    """
    bundle = store.bundles.get(connection_id, principal_id)
    if bundle is None:
        raise NotFoundError("principal", principal_id)
    limit = min(limit, MAX_ROWS)
    left = [grant for grant in bundle.grants or () if after is None or grant.app_id > after]
    chosen = left[:limit]
    rows = _named(store, [_row(bundle, grant) for grant in chosen])
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


def by_finding(store: TenantStore, finding_id: str, after: str | None, limit: int) -> Page[GrantRow]:
    """Grants that a finding is about now, in the order of their ids; without permissions.

    Raises:
        NotFoundError: no such finding.
    """
    found = queries_findings.one(store, finding_id)
    limit = min(limit, MAX_ROWS)
    left = [grant_id for grant_id in sorted(found.open_grants) if after is None or grant_id > after]
    rows = _named(store, [row for grant_id in left[:limit] if (row := _bare(grant_id)) is not None])
    return Page(rows, left[limit - 1] if len(left) > limit else None)


def one(store: TenantStore, grant_id: str, connection_id: str | None = None) -> GrantRow:
    """One grant; with `connection_id` its app's name and its permissions too.

    Raises:
        NotFoundError: nobody holds it.
    """
    parts = ids.split_grant_id(grant_id)
    if parts is None:
        raise NotFoundError("grant", grant_id)
    principal_id, app_id = parts
    if connection_id is None:
        bundle = store.bundles.find([found.id for found in store.connections.list()], principal_id)
    else:
        bundle = store.bundles.get(connection_id, principal_id)
    grant = bundle.grant(app_id) if bundle else None
    if bundle is None or grant is None:
        raise NotFoundError("grant", grant_id)
    row = _row(bundle, grant)
    return row if connection_id is None else _named(store, [row])[0]


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
        granted_on=grant.granted_on,
        first_seen=grant.first_seen,
        prior_scope_set=grant.prior_scope_set,
        expanded_on=grant.expanded_on,
    )


def _named(store: TenantStore, rows: Iterable[GrantRow]) -> tuple[GrantRow, ...]:
    """The rows with the names of their apps and, where the set is known, the permissions."""
    rows = tuple(rows)
    if not rows:
        return ()
    names, sets = _names_and_sets(
        store, {row.app_id for row in rows}, {row.scope_set for row in rows if row.scope_set is not None}
    )
    return tuple(
        replace(
            row,
            app_name=names.get(row.app_id),
            scopes=sets.get(row.scope_set) if row.scope_set is not None else None,
        )
        for row in rows
    )


def _names_and_sets(
    store: TenantStore, app_ids: Iterable[str], set_ids: Iterable[str]
) -> tuple[Mapping[str, str], Mapping[str, frozenset[str]]]:
    facts, sets = store.apps.facts_and_scope_sets(app_ids, set_ids)
    return {app_id: app.name for app_id, app in facts.items()}, sets
