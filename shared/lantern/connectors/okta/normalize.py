"""Okta's JSON as Lantern's records. Pure; whatever has not the documented shape is refused whole."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from lantern.domain import ids
from lantern.domain.assets import Asset, AssetState
from lantern.domain.inventory import App, AppKind, GrantSource, ObservedGrant, Principal, PrincipalStatus

NAME_LIMIT: Final = 200
_MOST_DOMAINS: Final = 10
SIGN_IN: Final = frozenset({"openid"})
APPLICATION: Final = "application"
"""Native id of the pseudo-account that holds what apps may do by themselves."""

_STATUSES: Final[Mapping[str, PrincipalStatus]] = {
    "ACTIVE": "active",
    # The person works here and cannot sign in just now, or has not yet done so for the first time.
    "LOCKED_OUT": "active",
    "PASSWORD_EXPIRED": "active",
    "PROVISIONED": "active",
    "RECOVERY": "active",
    "STAGED": "active",
    "SUSPENDED": "suspended",
    # Deactivated. The account is still there, can be activated again, and may have left things behind.
    "DEPROVISIONED": "archived",
}
# Assignments that do not (or no longer) let a person in (`AppUserStatus`).
_NO_ACCESS: Final = frozenset(
    {"DEPROVISIONED", "IMPORTED", "INACTIVE", "MATCHED", "REVOKED", "SUSPENDED", "UNASSIGNED"}
)
# Okta's own surfaces, which everybody has.
_HOUSEHOLD: Final = frozenset({"okta_enduser", "okta_browser_plugin", "saasure", "okta_flow_sso"})
_USER_ID: Final = re.compile(r"00u[A-Za-z0-9]{17}")
_GENERIC: Final = frozenset({"oidc_client", "bookmark", "scaleft"})


class MalformedError(ValueError):
    """A part of an answer that is not as documented; the whole answer says nothing then."""


@dataclass(frozen=True, slots=True)
class CataloguedApp:
    """An app of the organisation: its record, Okta's id, whether it is active, and has an OAuth client."""

    app: App
    native_id: str
    usable: bool
    has_client: bool


@dataclass(frozen=True, slots=True)
class Consented:
    """One scope of one client, as one row of a listing of grants says."""

    grant_id: str
    client_id: str
    scope: str
    title: str | None
    granted_on: date | None


def label(value: str) -> str:
    """A name chosen by strangers: control characters become spaces, and it has an end."""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value[:NAME_LIMIT])
    return clean.strip()


def principal(
    row: Mapping[str, Any], *, connection_id: str, organisation_id: str, admin: bool | None
) -> Principal:
    """A user.

    Raises:
        MalformedError: it has no id, or a status that is not documented.
    """
    native_id, status = text(row, "id"), _STATUSES.get(text(row, "status"))
    if status is None:
        raise MalformedError("a user of unknown status")
    profile = inner(row, "profile")
    email, login = _word(profile, "email"), _word(profile, "login")
    names = filter(None, (_word(profile, "firstName"), _word(profile, "lastName")))
    name = _word(profile, "displayName") or " ".join(names)
    identifier = ids.principal_id("okta", organisation_id, native_id)
    address = (email or login or "").lower()
    also = (login or "").lower()
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=native_id,
        kind="user",
        status=status,
        person_id=ids.person_id(identifier),
        email=address if "@" in address else None,
        name=label(name) or None,
        admin=admin,
        org_unit=_word(profile, "department"),
        last_login=day(row.get("lastLogin")),
        aliases=(also,) if "@" in also and also != address else (),
        manager=_manager(profile),
    )


def _manager(profile: Mapping[str, Any]) -> str | None:
    """Whom the profile names as the manager; empty where nobody, None where it is neither id nor address.

    `managerId` and `manager` are free text that HR systems fill: Okta's own id, an address, a number, a name.
    """
    told = [one.strip() for one in (_word(profile, "managerId"), _word(profile, "manager")) if one]
    if not told:
        return ""
    ids_ = [one for one in told if _USER_ID.fullmatch(one)]
    return next(iter(ids_ + [one.lower() for one in told if "@" in one]), None)


def everybody(*, connection_id: str, organisation_id: str) -> Principal:
    """The pseudo-account of the organisation itself: what apps may do without a person."""
    identifier = ids.principal_id("okta", organisation_id, APPLICATION)
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=APPLICATION,
        kind="organisation",
        status="active",
        person_id=ids.person_id(identifier),
        name="Apps that act by themselves",
    )


def app(row: Mapping[str, Any]) -> CataloguedApp | None:
    """An app; None for Okta's own surfaces and for bookmarks, which let nobody in.

    Raises:
        MalformedError: it has no id.
    """
    native_id, name = text(row, "id"), _word(row, "name") or ""
    mode = _word(row, "signOnMode")
    if name in _HOUSEHOLD or mode == "BOOKMARK":
        return None
    settings = inner(row, "settings")
    own = _word(inner(inner(row, "credentials"), "oauthClient"), "client_id")
    client = own or native_id
    generic = not name or name in _GENERIC or name.startswith("template_")
    return CataloguedApp(
        App(
            id=ids.app_id("okta", client),
            provider="okta",
            client_id=client,
            name=label(_word(row, "label") or name) or label(client),
            kind=_kind(settings),
            # The catalogue's name of an integration ("slack") says who made it, whatever the label says.
            publisher=None if generic else label(name),
            domains=_addresses(settings),
        ),
        native_id,
        usable=_word(row, "status") == "ACTIVE",
        has_client=own is not None,
    )


def _kind(settings: Mapping[str, Any]) -> AppKind:
    return "oauth" if _word(inner(settings, "oauthClient"), "application_type") == "service" else "sso"


def _addresses(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses that the settings name: of the app itself, and where it lets people come back to."""
    client, signing, own = (inner(settings, part) for part in ("oauthClient", "signOn", "app"))
    values: list[Any] = [client.get("client_uri"), own.get("url"), own.get("loginURL"), own.get("siteURL")]
    values += [signing.get("ssoAcsUrl"), signing.get("destination")]
    values += client.get("redirect_uris") or []
    found = (value for value in values if isinstance(value, str) and value.startswith("https://"))
    return tuple(dict.fromkeys(found))[:_MOST_DOMAINS]


def integration(row: Mapping[str, Any]) -> ObservedGrant:
    """An API service integration: a vendor's client with permissions of its own.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    native_id, kind = text(row, "id"), _word(row, "type")
    scopes = row.get("grantedScopes", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise MalformedError("grantedScopes is not a list of texts")
    made = App(
        id=ids.app_id("okta", native_id),
        provider="okta",
        client_id=native_id,
        name=label(_word(row, "name") or kind or native_id),
        kind="integration",
        publisher=label(kind) if kind else None,
    )
    created = day(row.get("createdAt") or row.get("created"))
    return ObservedGrant(made, frozenset(scopes), created, "installation")


def consented(rows: Iterable[Mapping[str, Any]]) -> tuple[Consented, ...]:
    """The standing grants of a listing, one per scope.

    Raises:
        MalformedError: a row has not the documented shape.
    """
    return tuple(_consented(row) for row in rows if _word(row, "status") != "REVOKED")


def _consented(row: Mapping[str, Any]) -> Consented:
    links = inner(row, "_links")
    scope = (
        # Of a custom authorization server the id says nothing ("scp142…"): the name is embedded or linked.
        _word(inner(inner(row, "_embedded"), "scope"), "name")
        or _word(inner(links, "scope"), "title")
        or text(row, "scopeId")
    )
    title = _word(inner(links, "client"), "title") or _word(inner(links, "app"), "title")
    return Consented(text(row, "id"), text(row, "clientId"), scope, title, day(row.get("created")))


def grants(
    given: Iterable[Consented],
    assigned: Iterable[tuple[App, date | None]],
    apps: Mapping[str, App],
    source: GrantSource = "consent",
) -> tuple[ObservedGrant, ...]:
    """One grant per app, sorted by app id: what was consented to, and where people may sign in.

    Args:
        given: scopes granted, row by row.
        assigned: apps with the day they were assigned.
        apps: the organisation's apps by client id.
        source: what `given` rests on.
    """
    rows = tuple(given)
    titles = {one.client_id: one.title for one in rows if one.title}
    found: dict[str, ObservedGrant] = {}
    for made, day_ in assigned:
        found[made.id] = ObservedGrant(made, SIGN_IN, day_, "assignment")
    for one in rows:
        made = apps.get(one.client_id) or _unlisted(one.client_id, titles.get(one.client_id))
        known = found.get(made.id)
        scopes = frozenset({one.scope}) | (known.scopes if known else frozenset())
        days = [one.granted_on, known.granted_on if known and known.source == source else None]
        found[made.id] = ObservedGrant(made, scopes, min(filter(None, days), default=None), source)
    return tuple(found[key] for key in sorted(found))


def _unlisted(client_id: str, title: str | None) -> App:
    """A client that is in no list of apps: its title is all there is."""
    name = label(title or "") or label(client_id)
    return App(ids.app_id("okta", client_id), "okta", client_id, name, "oauth")


@dataclass(frozen=True, slots=True)
class Assigned:
    """A person's assignment to an app: `group` where it comes by a group. `since` is when it was made."""

    user_id: str
    group: bool
    since: date | None


def assigned(row: Mapping[str, Any]) -> Assigned | None:
    """An assignment; None where it lets nobody in.

    Raises:
        MalformedError: it names nobody.
    """
    user_id = text(row, "id")
    if _word(row, "status") in _NO_ACCESS:
        return None
    return Assigned(user_id, _word(row, "scope") == "GROUP", day(row.get("created")))


def api_token(row: Mapping[str, Any], *, connection_id: str, organisation_id: str, now: datetime) -> Asset:
    """An API token. Each use moves its end 30 days on, which is what `lastUpdated` dates.

    Raises:
        MalformedError: it has no id.
    """
    native_id, owner = text(row, "id"), _word(row, "userId")
    created, used, ends = (instant(row.get(key)) for key in ("created", "lastUpdated", "expiresAt"))
    state: AssetState = "expired" if ends and ends <= now else "active"
    network = _word(inner(row, "network"), "connection")
    return Asset(
        id=ids.asset_id(connection_id, "api_key", native_id),
        connection_id=connection_id,
        kind="api_key",
        native_id=native_id,
        name=label(_word(row, "name") or native_id),
        state=state,
        owner=ids.principal_id("okta", organisation_id, owner) if owner else None,
        created_at=created,
        last_used_at=used if used != created else None,
        expires_at=ends,
        facts={"made_with": _word(row, "clientName"), "network": network},
    )


def agent(row: Mapping[str, Any], *, connection_id: str) -> Asset:
    """An AI agent that is registered with Okta.

    Raises:
        MalformedError: it has no id.
    """
    native_id, profile = text(row, "id"), inner(row, "profile")
    status = _word(row, "status")
    state: AssetState = "active" if status == "ACTIVE" else "disabled" if status else "unknown"
    return Asset(
        id=ids.asset_id(connection_id, "agent", native_id),
        connection_id=connection_id,
        kind="agent",
        native_id=native_id,
        name=label(_word(profile, "name") or native_id),
        state=state,
        client_id=_word(row, "appId"),
        created_at=instant(row.get("created")),
        facts={"description": label(_word(profile, "description") or "") or None, "status": status},
    )


def instant(value: Any) -> datetime | None:
    """An ISO 8601 time, aware, in UTC; None where there is none.

    Raises:
        MalformedError: it is no time.
    """
    if not isinstance(value, str) or not value:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise MalformedError("not a time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def day(value: Any) -> date | None:
    """The day of an ISO 8601 time."""
    at = instant(value)
    return at.date() if at else None


def inner(row: Any, name: str) -> Mapping[str, Any]:
    """An object within an object; empty where there is none."""
    found = row.get(name) if isinstance(row, Mapping) else None
    return found if isinstance(found, dict) else {}


def first(targets: Any, kind: str) -> Mapping[str, Any]:
    """The first of a log event's targets that is of this type; empty where there is none."""
    rows: Sequence[Any] = targets if isinstance(targets, list) else ()
    return next((row for row in rows if isinstance(row, dict) and row.get("type") == kind), {})


def text(row: Any, name: str) -> str:
    """A text that must be there.

    Raises:
        MalformedError: it is not.
    """
    value = _word(row, name)
    if value is None:
        raise MalformedError(f"{name} is missing")
    return value


def _word(row: Any, name: str) -> str | None:
    value = row.get(name) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) and value else None
