"""Stored records as the flat facts that rules read. A fact that is not known is None."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from lantern.domain import ids
from lantern.domain.apps import AppNotes, AppSummary
from lantern.domain.assets import Asset, Fact
from lantern.domain.granting import Way, way_of
from lantern.domain.inventory import Bundle, Grant
from lantern.domain.people import PersonRecord
from lantern.domain.scopes import SEVERITIES as LEVELS
from lantern.domain.tally import SHARED
from lantern.domain.tenancy import Connection, Run
from lantern.domain.use import UseWindow, idle_days
from lantern.domain.vendor_changes import TREATMENT, VendorChange, in_words
from lantern.domain.vendors import FACTS, VendorProfile, months_since

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
    severities: Mapping[str, str] = field(default_factory=dict)
    """How sensitive each scope is."""
    admin: str = "none"
    """Most sensitive of the scopes that administer the organisation."""


@dataclass(frozen=True, slots=True)
class Chained:
    """What a product or vendor behind an app brings together over several connections."""

    connections: int = 1
    data_classes: tuple[str, ...] = ()


def app_facts(
    row: AppSummary, baseline: datetime | None, now: datetime, chained: Chained | None = None
) -> dict[str, Any]:
    """Facts about an app.

    Args:
        row: its row of the apps list.
        baseline: when the first complete inventory ended.
        now: the current time.
        chained: what it is part of; None where that is not known.
    """
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
        "app.kind": row.kind,
        "app.provider": row.provider,
        "app.abused": row.abused,
        "app.connections": len(row.connections),
        "app.last_used_days": _since(row.last_used, now),
        "app.chain_connections": chained.connections if chained else None,
        "app.chain_data_classes": chained.data_classes if chained else None,
        **_noted(row.noted, row, now),
    }


def _noted(noted: AppNotes | None, row: AppSummary, now: datetime) -> dict[str, Any]:
    """What judging noted for the rules; unknown for an app that was not judged since it is noted."""
    if noted is None:
        return {}
    return {
        "app.publisher_verified": noted.verified,
        # Without scopes that anybody has classed, what it reaches is not known to be nothing.
        "app.data_classes": noted.data if row.scope_severity is not None else None,
        "app.access": noted.access if row.scope_severity is not None else None,
        "app.anomalies": noted.anomalies,
        "app.odd_accounts": noted.odd_accounts,
        "app.unused_scopes": noted.unused,
        "app.unused_severity": noted.unused_severity,
        "app.bytes_sent": noted.sent,
        "app.status_days": (now - noted.decided_at).days if noted.decided_at else None,
        "app.exception_ended": noted.exception_until is not None and noted.exception_until <= now,
        "app.exception_ended_days": (now - noted.exception_until).days if noted.exception_until else None,
        "app.approval_ended": noted.approval_ended_at is not None,
        "app.approval_ended_days": (now - noted.approval_ended_at).days if noted.approval_ended_at else None,
    }


def _since(day: date | None, now: datetime) -> int | None:
    return None if day is None else (now.date() - day).days


def vendor_facts(
    name: str | None,
    profile: VendorProfile | None,
    now: datetime,
    changed: tuple[VendorChange, ...] | None = None,
) -> dict[str, Any]:
    """Facts about the vendor of an app.

    Args:
        name: as the catalog calls it; None where the app belongs to none that is known.
        profile: what is publicly known of it; without one all of that is unknown.
        now: the current time.
        changed: what changed in the profile lately; None where nobody compared.
    """
    if profile is None:
        return {"vendor.name": name}
    owner, latest = profile.ownership, max((one.month for one in profile.incidents), default=None)
    zero = profile.holds("zero_retention")
    return {
        "vendor.name": name,
        "vendor.id": profile.id,
        **{f"vendor.{one}": profile.holds(one) for one in FACTS},
        "vendor.retention_days": profile.retention.days if profile.retention else None,
        "vendor.retention_stated": profile.retention is not None or zero is True,
        "vendor.owner": owner.kind if owner else None,
        "vendor.country": owner.country if owner else None,
        "vendor.transfer": owner.transfer if owner else None,
        "vendor.incidents": len(profile.incidents),
        "vendor.incident_months": months_since(latest, now.date()) if latest else None,
        **_changes(changed),
    }


def _changes(changed: tuple[VendorChange, ...] | None) -> dict[str, Any]:
    if changed is None:
        return {"vendor.changed": None}
    return {
        "vendor.changed": tuple(sorted({one.what for one in changed})),
        "vendor.treatment_change": in_words(changed, TREATMENT),
        "vendor.ownership_change": in_words(changed, ("ownership",)),
    }


def principal_facts(
    bundle: Bundle, person: PersonRecord | None, now: datetime, *, personal: bool | None = None
) -> dict[str, Any]:
    """Facts about an account and the person behind it.

    Args:
        bundle: the account.
        person: who is behind it; None where there is no other account of theirs.
        now: the current time.
        personal: whether its address is a private one.
    """
    principal = bundle.principal
    return {
        "principal.id": principal.id,
        "principal.status": principal.status,
        "principal.admin": principal.admin,
        "principal.kind": principal.kind,
        "principal.departed": principal.departed,
        "principal.personal": personal,
        "principal.shared": principal.kind in SHARED,
        "principal.login_days": (now.date() - principal.last_login).days if principal.last_login else None,
        "person.id": principal.person_id,
        "person.departed": person.departed if person else principal.departed,
        "person.admin": person.admin if person else principal.admin,
        "person.accounts": len(person.accounts) if person else 1,
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
    last = (last_use or {}).get(grant.app_id)
    return {
        "grant.id": ids.grant_id(bundle.principal.id, grant.app_id),
        "grant.scopes": view.scopes if view else None,
        "grant.scope_severity": view.severity if view else None,
        "grant.data_classes": view.data_classes if view else None,
        "grant.access": view.access if view else None,
        "grant.restricted_scopes": view.restricted if view else None,
        "grant.admin_severity": view.admin if view else None,
        "grant.added_scopes": added,
        "grant.added_scope_severity": _worst(added, view),
        "grant.source": grant.source,
        "grant.granted_days": (now.date() - grant.granted_on).days if grant.granted_on else None,
        "grant.first_seen_days": (now.date() - grant.first_seen).days,
        "activity.idle_days": idle_of(grant, last, window, now),
        "activity.never_used": never_used(grant, last, window),
    }


def idle_of(grant: Grant, last: date | None, window: UseWindow | None, now: datetime) -> int | None:
    """Days without use; None where that is not known.

    A grant given inside the window cannot have been idle for longer than it exists. Of an installation no
    provider tells the use, so its silence says nothing; a visit or a message gave no access that could lie
    idle.
    """
    if grant.source in ("visit", "mail") or (last is None and grant.source == "installation"):
        return None
    idle = idle_days(last, window, now)
    if idle is None or last is not None or grant.granted_on is None:
        return idle
    return min(idle, (now.date() - grant.granted_on).days)


def never_used(grant: Grant, last: date | None, window: UseWindow | None) -> bool | None:
    """Whether a grant was never used since it is there; None where its whole life was not read.

    As with idleness, nobody tells the use of installations; a visit or a message gave no access.
    """
    if grant.source in ("installation", "visit", "mail"):
        return None
    if last is not None:
        return False
    begun = min(grant.granted_on or grant.first_seen, grant.first_seen)
    if window is None or window.complete_from.date() > begun:
        return None
    return True


def _worst(scopes: frozenset[str] | None, view: ScopeSetView | None) -> str | None:
    """The gravest of some scopes of a set; `none` where there is no scope, None where one is not classed."""
    if scopes is None or view is None or not scopes <= view.severities.keys():
        return "none" if scopes is not None and not scopes else None
    return max((view.severities[one] for one in scopes), key=LEVELS.index, default="none")


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
    return {
        "connection.id": connection.id,
        "connection.provider": connection.provider,
        "connection.unread_principals": unread,
        "connection.unread_percent": 100 * unread / listed if listed and unread is not None else None,
        "connection.status": connection.status,
        "connection.kind": connection.kind,
        "connection.missing_scopes": len(connection.missing_scopes),
        "connection.connected_days": (now - connection.connected_at).days,
        "connection.changes_age_hours": _hours(connection.last_changes_at, now),
        "connection.sync_age_hours": _hours(connection.last_full_at, now),
    }


def _hours(at: datetime | None, now: datetime) -> float | None:
    return (now - at).total_seconds() / 3600 if at else None


def asset_facts(
    asset: Asset, first_seen: datetime, now: datetime, *, owner_departed: bool | None
) -> dict[str, Any]:
    """Facts about an asset. `owner_departed` is None where nobody is named or the account is not known."""
    told, ends = asset.facts, asset.expires_at
    permissions = told.get("permissions", told.get("scopes"))
    return {
        "asset.id": asset.id,
        "asset.name": asset.name,
        "asset.kind": asset.kind,
        "asset.state": None if asset.state == "unknown" else asset.state,
        "asset.owned": asset.owner is not None,
        "asset.owner_departed": owner_departed,
        "asset.age_days": (now - asset.created_at).days if asset.created_at else None,
        "asset.first_seen_days": (now - first_seen).days,
        "asset.idle_days": (now - asset.last_used_at).days if asset.last_used_at else None,
        # Only credentials are told with their end, or with none.
        "asset.expires": ends is not None if asset.kind == "api_key" or ends else None,
        "asset.expires_in_days": (ends - now).days if ends else None,
        "asset.permissions": permissions if isinstance(permissions, tuple) else None,
        "asset.transport": _transport(told.get("transport")),
        "asset.by_policy": _flag(told.get("by_policy")),
        "asset.installations": _count(told.get("installations")),
        "asset.people": _count(told.get("people")),
        "asset.visits": _count(told.get("visits")),
        "asset.transfers": _count(told.get("transfers")),
    }


def _transport(scheme: Fact) -> str | None:
    if not isinstance(scheme, str) or not scheme:
        return None
    return scheme if scheme in ("https", "http") else "local" if scheme in ("stdio", "file") else "other"


def _flag(value: Fact) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(value: Fact) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
