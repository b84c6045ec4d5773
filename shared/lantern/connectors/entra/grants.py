"""Apps and what they were given: Graph's service principals, consents and role assignments. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from lantern.connectors.entra.manifest import GRAPH_APP_ID
from lantern.connectors.entra.normalize import EVERYBODY, MalformedError, day, label, text, texts
from lantern.domain import ids
from lantern.domain.inventory import App, AppKind, ObservedGrant

_MOST_DOMAINS: Final = 20
MICROSOFT: Final = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"})
"""Tenants from which Microsoft publishes its own apps ("Verify first-party Microsoft applications")."""
_ADDRESSES: Final[Mapping[str, str]] = {
    "00000002-0000-0000-c000-000000000000": "https://graph.windows.net",
    "00000002-0000-0ff1-ce00-000000000000": "https://outlook.office365.com",
    "00000003-0000-0ff1-ce00-000000000000": "https://microsoft.sharepoint.com",
    "00000009-0000-0000-c000-000000000000": "https://analysis.windows.net",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013": "https://management.azure.com",
    "c5393580-f805-4401-95e8-94b7a6ef2fc2": "https://manage.office.com",
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093": "https://vault.azure.net",
    "e406a681-f3d4-42a8-90b6-c2b029497af1": "https://storage.azure.com",
}
"""The one address that stands for an API of Microsoft that has several, by app id."""
NO_ROLE: Final = "00000000-0000-0000-0000-000000000000"
"""The role of an assignment that names none: plain access."""
SIGN_IN: Final = "openid"


@dataclass(frozen=True, slots=True)
class Service:
    """A service principal: an app as it is present in the tenant.

    `roles` are the values of its application permissions by their id. `speaks` is what its permissions are
    called with: empty for Microsoft Graph, else an address or the app's id, ending in a slash.
    """

    id: str
    app: App
    enabled: bool | None
    for_apps: bool
    roles: Mapping[str, str] = field(repr=False)
    speaks: str


def service(row: Mapping[str, Any], *, organisation_id: str) -> Service:
    """A `servicePrincipal`.

    Raises:
        MalformedError: it has not the documented shape.
    """
    app_id = text(row, "appId")
    owner = str(row.get("appOwnerOrganizationId") or "").lower()
    verified = row.get("verifiedPublisher")
    stated = verified if isinstance(verified, Mapping) else {}
    microsoft = owner in MICROSOFT
    own = owner == organisation_id.lower()
    checked = True if microsoft else None if own else bool(stated.get("verifiedPublisherId"))
    app = App(
        id=ids.app_id("entra", app_id),
        provider="entra",
        client_id=app_id,
        name=label(row.get("displayName")) or app_id,
        kind=_kind(row),
        publisher=label(stated.get("displayName")) or ("Microsoft" if microsoft else None),
        domains=domains(row.get("homepage"), row.get("loginUrl"), row.get("replyUrls")),
        verified_publisher=checked,
    )
    roles = row.get("appRoles", [])
    if not isinstance(roles, list):
        raise MalformedError("appRoles is not a list")
    named = {
        role["id"]: role["value"]
        for role in roles
        if isinstance(role, Mapping) and isinstance(role.get("id"), str) and role.get("value")
    }
    return Service(
        id=text(row, "id"),
        app=app,
        enabled=row.get("accountEnabled") if isinstance(row.get("accountEnabled"), bool) else None,
        for_apps=any(
            "Application" in (role.get("allowedMemberTypes") or ())
            for role in roles
            if isinstance(role, Mapping)
        ),
        roles=named,
        speaks=_speaks(row, app_id, microsoft=microsoft),
    )


def _kind(row: Mapping[str, Any]) -> AppKind:
    told = str(row.get("@odata.type") or "").lower()
    if "agentidentity" in told:
        return "agent"
    if row.get("preferredSingleSignOnMode") in ("saml", "password", "linked"):
        return "sso"
    return "integration" if row.get("servicePrincipalType") == "ManagedIdentity" else "oauth"


def _speaks(row: Mapping[str, Any], app_id: str, *, microsoft: bool) -> str:
    """What tells the permissions of one API from those of another.

    Microsoft's APIs are known by their address. Anybody else's are known by their app only: a stranger's
    `Files.Read.All` says nothing about files in Microsoft 365.
    """
    if app_id == GRAPH_APP_ID:
        return ""
    if not microsoft:
        return f"app:{app_id}/"
    known = _ADDRESSES.get(app_id)
    hosts = sorted(
        f"https://{host}" for one in texts(row.get("servicePrincipalNames")) if (host := _host(one))
    )
    return f"{known or next(iter(hosts), f'api://{app_id}')}/"


def domains(*given: Any) -> tuple[str, ...]:
    """The hosts of addresses, without those of this machine."""
    found: list[str] = []
    for value in given:
        for one in value if isinstance(value, list) else [value]:
            host = _host(one)
            if host and "." in host and not host.startswith("127."):
                found.append(host)
    return tuple(dict.fromkeys(found))[:_MOST_DOMAINS]


def _host(address: Any) -> str | None:
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address.strip())
        return parts.hostname if parts.scheme == "https" else None
    except ValueError:
        return None


# -- grants -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Consent:
    """An `oAuth2PermissionGrant`: whose it is (None: everybody's), of which app, to which API, what."""

    id: str
    client: str
    resource: str
    principal: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """An `appRoleAssignment`: a role of `resource` given to a principal of type `kind` (User, Group, ...)."""

    id: str
    principal: str
    kind: str
    resource: str
    role: str
    created: date | None


def consent(row: Mapping[str, Any]) -> Consent:
    """One `oAuth2PermissionGrant`; its `scope` may begin with a space.

    Raises:
        MalformedError: it has not the documented shape.
    """
    everybody = text(row, "consentType") == EVERYBODY
    scope = row.get("scope")
    if not isinstance(scope, str | None):
        raise MalformedError("scope is not a text")
    return Consent(
        id=text(row, "id"),
        client=text(row, "clientId"),
        resource=text(row, "resourceId"),
        principal=None if everybody else text(row, "principalId"),
        scopes=tuple((scope or "").split()),
    )


def assignment(row: Mapping[str, Any]) -> Assignment:
    """One `appRoleAssignment`.

    Raises:
        MalformedError: it has not the documented shape.
    """
    return Assignment(
        id=text(row, "id"),
        principal=text(row, "principalId"),
        kind=text(row, "principalType"),
        resource=text(row, "resourceId"),
        role=text(row, "appRoleId"),
        created=day(row.get("createdDateTime")),
    )


def spoken(resource: Service, scopes: Iterable[str]) -> frozenset[str]:
    """Delegated permissions to one API in their full form; what OpenID Connect defines has no address."""
    plain = {"openid", "profile", "email", "offline_access"}
    return frozenset(one if one in plain else f"{resource.speaks}{one}" for one in scopes)


def role_text(resource: Service, role: str) -> str:
    """A role of an API as a permission; one that is not defined any more goes by its id."""
    return f"{resource.speaks}{resource.roles.get(role, role)}"


def consented(held: Iterable[Consent], services: Mapping[str, Service]) -> dict[str, ObservedGrant]:
    """Consents as grants, one per app, by app id."""
    found: dict[str, ObservedGrant] = {}
    for one in held:
        app = services[one.client].app
        scopes = spoken(services[one.resource], one.scopes)
        known = found.get(app.id)
        found[app.id] = ObservedGrant(app, scopes | known.scopes if known else scopes)
    return found


def user_grants(
    consents: Iterable[Consent], assigned: Iterable[Assignment], services: Mapping[str, Service]
) -> tuple[ObservedGrant, ...]:
    """What one account holds, sorted by app id: what it consented to, and where it may sign in beside."""
    found = consented(consents, services)
    for one in assigned:
        app = services[one.resource].app
        known = found.get(app.id)
        if known is None or known.source == "assignment":
            days = [d for d in (one.created, known.granted_on if known else None) if d]
            found[app.id] = ObservedGrant(
                app, frozenset({SIGN_IN}), granted_on=min(days, default=None), source="assignment"
            )
    return tuple(found[key] for key in sorted(found))


def app_grants(assigned: Iterable[Assignment], services: Mapping[str, Service]) -> tuple[ObservedGrant, ...]:
    """What apps may do on their own, one grant per app, sorted by app id; dated by the latest permission."""
    found: dict[str, ObservedGrant] = {}
    for one in assigned:
        app, resource = services[one.principal].app, services[one.resource]
        scopes = frozenset() if one.role == NO_ROLE else frozenset({role_text(resource, one.role)})
        known = found.get(app.id)
        days = [d for d in (one.created, known.granted_on if known else None) if d]
        found[app.id] = ObservedGrant(
            app,
            scopes | known.scopes if known else scopes,
            granted_on=max(days, default=None),
            source="application",
        )
    return tuple(found[key] for key in sorted(found))
