"""Microsoft Graph: servicePrincipals, oauth2PermissionGrants, appRoleAssignments and users, as JSON.

One file may hold one kind or all of them, as pages (`{"value": [...]}`), lists or lines; each record is taken
for what its members say it is. Grants name service principals by object id, so without a file of service
principals an app has no name.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import JsonFormat, Options, Rows
from lantern.connectors.imports.jsonstream import Element
from lantern.domain.exports.rows import NO_ROLES, AccountRow, AppRow, BadRow, GrantRow, Permission, Row

_NO_ROLE: Final = "00000000-0000-0000-0000-000000000000"
_MICROSOFT: Final = frozenset(
    {"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"}
)
"""Tenants from which Microsoft publishes its own apps."""

Value = Mapping[str, Any]


def _is_grant(value: Value) -> bool:
    return "consentType" in value or ("scope" in value and "resourceId" in value)


def _is_assignment(value: Value) -> bool:
    return "appRoleId" in value and "principalId" in value


def _is_app(value: Value) -> bool:
    return "appId" in value and bool(
        {"servicePrincipalType", "appOwnerOrganizationId", "appRoles", "displayName", "appDisplayName"}
        & set(value)
    )


def _is_user(value: Value) -> bool:
    return "userPrincipalName" in value


def _grant(value: Value) -> Row:
    everyone = value.get("consentType") == "AllPrincipals"
    account = values.identifier(value.get("principalId"))
    if account is None and not everyone:
        raise values.ValueProblemError("the grant is one person's (consentType) and has no principalId")
    return GrantRow(
        provider="entra",
        account=None if everyone else account,
        app=_needed(value, "clientId"),
        permissions=values.permissions(value.get("scope") or "", "delegated", tenant_wide=everyone),
    )


def _assignment(value: Value) -> Row:
    """An app's own permission; or, of a person or group, that they were given an app to use."""
    client, resource = _needed(value, "principalId"), _needed(value, "resourceId")
    created = values.day(values.text(value.get("createdDateTime")))
    role = _needed(value, "appRoleId")
    kind = str(value.get("principalType") or "ServicePrincipal").casefold()
    if kind != "serviceprincipal":
        return GrantRow(
            provider="entra", account=client if kind == "user" else f"group:{client}", app=resource,
            app_name=values.text(value.get("resourceDisplayName")), permissions=frozenset(),
            granted_on=created,
        )  # fmt: skip
    held = () if role == _NO_ROLE else (Permission(role, "application", role_of=resource),)
    return GrantRow(
        provider="entra", account=None, app=client, permissions=frozenset(held),
        app_name=values.text(value.get("principalDisplayName")), granted_on=created,
    )  # fmt: skip


def _app(value: Value) -> Row:
    publisher = value.get("verifiedPublisher")
    owner = str(value.get("appOwnerOrganizationId") or "").casefold()
    stated = publisher if isinstance(publisher, dict) else {}
    verified = None if "verifiedPublisher" not in value else bool(stated.get("verifiedPublisherId"))
    ours = owner in _MICROSOFT
    client_id = _needed(value, "appId")
    return AppRow(
        provider="entra",
        # An application (`/applications`) has an id of its own, which no grant names.
        key=values.identifier(value.get("id")) or client_id,
        client_id=client_id,
        name=values.text(value.get("displayName")) or values.text(value.get("appDisplayName")),
        publisher=values.text(stated.get("displayName"))
        or values.text(value.get("publisherName"))
        or ("Microsoft" if ours else None),
        domains=values.addresses(value.get("homepage"), value.get("loginUrl"), value.get("replyUrls")),
        verified_publisher=True if ours else verified,
        roles=_roles(value),
        platform=ours,
    )


def _roles(value: Value) -> Mapping[str, str]:
    roles = value.get("appRoles")
    if not isinstance(roles, list) or not roles:
        return NO_ROLES
    pairs = ((role.get("id"), role.get("value")) for role in roles if isinstance(role, dict))
    return {key: name for key, name in pairs if isinstance(key, str) and isinstance(name, str) and name}


def _user(value: Value) -> Row:
    enabled = value.get("accountEnabled")
    return AccountRow(
        provider="entra",
        key=values.identifier(value.get("id")) or _needed(value, "userPrincipalName"),
        email=values.text(value.get("mail")) or values.text(value.get("userPrincipalName")),
        name=values.text(value.get("displayName")),
        status=None if not isinstance(enabled, bool) else "active" if enabled else "suspended",
    )


def _needed(value: Value, name: str) -> str:
    found = values.identifier(value.get(name))
    if found is None:
        raise values.ValueProblemError(f"{name} is missing")
    return found


_KINDS: Final[tuple[tuple[Callable[[Value], bool], Callable[[Value], Row]], ...]] = (
    (_is_assignment, _assignment),
    (_is_grant, _grant),
    (_is_app, _app),
    (_is_user, _user),
)


def _recognises(element: Element) -> bool:
    return any(is_one(element.value) for is_one, _ in _KINDS)


def _read(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        if isinstance(element, BadRow):
            yield element
        elif element.value.keys() - {"@odata.context", "@odata.count", "@odata.nextLink", "value"}:
            yield _row(element)


def _row(element: Element) -> Row | BadRow:
    make = next((make for is_one, make in _KINDS if is_one(element.value)), None)
    if make is None:
        what = "no service principal, permission grant, role assignment or user"
        return BadRow(element.line, f"the record is {what}")
    try:
        return make(element.value)
    except values.ValueProblemError as problem:
        return BadRow(element.line, str(problem))


FORMAT: Final = JsonFormat(
    id="graph",
    title="Microsoft Graph JSON",
    expects="pages of servicePrincipals, oauth2PermissionGrants, appRoleAssignments or users",
    recognises=_recognises,
    read=_read,
    cannot_say=("Delegated grants of Microsoft Graph have no dates: neither consent nor last use is known.",),
)
