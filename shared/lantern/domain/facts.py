"""Stored records as the flat facts that rules read. A fact that is not known is None."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from lantern.domain import ids
from lantern.domain.apps import AppSummary
from lantern.domain.granting import Way, way_of
from lantern.domain.inventory import Bundle, Grant
from lantern.domain.people import PersonRecord
from lantern.domain.tenancy import Connection, Run
from lantern.domain.use import UseWindow, idle_days

EXPANSION_DAYS: Final = 30
"""For how long a grant that grew is told apart from one that always was so wide."""


@dataclass(frozen=True, slots=True)
class ScopeSetView:
    """A scope set as rules and risk see it; computed once per set."""

    scopes: frozenset[str]
    severity: str | None
    data_classes: tuple[str, ...]
    access: tuple[str, ...]
    restricted: tuple[str, ...]


def app_facts(row: AppSummary, baseline: datetime | None, now: datetime) -> dict[str, Any]:
    """Facts about an app. `baseline` is when the first complete inventory ended."""
    seen = row.first_seen
    return {
        "app.id": row.app_id,
        "app.name": row.name,
        "app.verdict": None if row.verdict == "unknown" else row.verdict,
        "app.confidence": row.confidence,
        "app.category": row.category,
        "app.vendor": row.vendor,
        "app.product": row.product,
        "app.risk": row.risk,
        "app.risk_level": row.risk_level,
        "app.status": row.status or "unreviewed",
        "app.lookalike_of": row.lookalike_of or "",
        "app.holders": row.holders,
        "app.first_seen_days": (now - seen).days if seen else None,
        "app.scope_severity": row.scope_severity,
        "app.is_new": None if baseline is None or seen is None else seen > baseline,
    }


def principal_facts(bundle: Bundle, person: PersonRecord | None = None) -> dict[str, Any]:
    """Facts about an account and the person behind it; `person` is None where it has no other account."""
    principal = bundle.principal
    return {
        "principal.id": principal.id,
        "principal.status": principal.status,
        "principal.admin": principal.admin,
        "principal.kind": principal.kind,
        "principal.departed": principal.departed,
        "person.id": principal.person_id,
        "person.departed": person.departed if person else principal.departed,
        "person.admin": person.admin if person else principal.admin,
    }


def grant_facts(
    bundle: Bundle,
    grant: Grant,
    views: Mapping[tuple[str, Way], ScopeSetView],
    last_use: Mapping[str, date] | None,
    window: UseWindow | None,
    now: datetime,
) -> dict[str, Any]:
    """Facts about a grant and its use.

    Args:
        bundle: the holder.
        grant: one of its grants.
        views: scope sets by id and the way they are held; one that is missing is unknown.
        last_use: last day of use by app id, for this holder.
        window: the window in which all use has been read.
        now: the current time.
    """
    way = way_of(bundle.principal.kind, grant.source)
    view = views.get((grant.scope_set, way))
    before = views.get((grant.prior_scope_set, way)) if grant.prior_scope_set else None
    added = _added(grant, before, view, now)
    return {
        "grant.id": ids.grant_id(bundle.principal.id, grant.app_id),
        "grant.scopes": view.scopes if view else None,
        "grant.scope_severity": view.severity if view else None,
        "grant.data_classes": view.data_classes if view else None,
        "grant.access": view.access if view else None,
        "grant.restricted_scopes": view.restricted if view else None,
        "grant.added_scopes": added,
        "grant.granted_days": (now.date() - grant.granted_on).days if grant.granted_on else None,
        "grant.first_seen_days": (now.date() - grant.first_seen).days,
        "activity.idle_days": idle_of(grant, (last_use or {}).get(grant.app_id), window, now),
        "activity.events_90d": None,
    }


def idle_of(grant: Grant, last: date | None, window: UseWindow | None, now: datetime) -> int | None:
    """Days without use; None where that is not known.

    A grant given inside the window cannot have been idle for longer than it exists. Of an installation no
    provider tells the use, so its silence says nothing; a visit gave no access that could lie idle.
    """
    if grant.source == "visit" or (last is None and grant.source == "installation"):
        return None
    idle = idle_days(last, window, now)
    if idle is None or last is not None or grant.granted_on is None:
        return idle
    return min(idle, (now.date() - grant.granted_on).days)


def _added(
    grant: Grant, before: ScopeSetView | None, after: ScopeSetView | None, now: datetime
) -> frozenset[str] | None:
    if grant.prior_scope_set is None or grant.expanded_on is None:
        return frozenset()
    if (now.date() - grant.expanded_on).days > EXPANSION_DAYS:
        return frozenset()
    return after.scopes - before.scopes if before and after else None


def connection_facts(connection: Connection, run: Run | None, now: datetime) -> dict[str, Any]:
    """Facts about a connection, from its last finished full run."""
    listed = run.coverage.listed if run else None
    unread = len(run.coverage.unread) if run else None
    last = connection.last_full_at
    return {
        "connection.id": connection.id,
        "connection.provider": connection.provider,
        "connection.unread_principals": unread,
        "connection.unread_percent": 100 * unread / listed if listed and unread is not None else None,
        "connection.status": connection.status,
        "connection.sync_age_hours": (now - last).total_seconds() / 3600 if last else None,
    }
