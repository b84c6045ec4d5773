"""The query options that the simulated Graph knows, and pages with absolute links; it refuses all else."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.simulators.google.wire import Request, Response, json_response

from .model import Json, shown
from .wire import bad

# Properties of Microsoft Graph v1.0 metadata that the generated rows have, by entity.
PROPERTIES: dict[str, frozenset[str]] = {
    "user": frozenset(
        [
            "id",
            "displayName",
            "userPrincipalName",
            "mail",
            "otherMails",
            "proxyAddresses",
            "accountEnabled",
            "userType",
            "department",
            "isResourceAccount",
            "identityParentId",
            "createdDateTime",
            "signInActivity",
            "signInSessionsValidFromDateTime",
            "deletedDateTime",
            "jobTitle",
            "givenName",
            "surname",
        ]
    ),
    "servicePrincipal": frozenset(
        [
            "id",
            "appId",
            "displayName",
            "appOwnerOrganizationId",
            "accountEnabled",
            "servicePrincipalType",
            "replyUrls",
            "homepage",
            "loginUrl",
            "verifiedPublisher",
            "preferredSingleSignOnMode",
            "servicePrincipalNames",
            "appRoles",
            "tags",
            "createdByAppId",
            "appRoleAssignmentRequired",
            "deletedDateTime",
            "oauth2PermissionScopes",
        ]
    ),
    "oAuth2PermissionGrant": frozenset(
        ["id", "clientId", "consentType", "principalId", "resourceId", "scope"]
    ),
    "appRoleAssignment": frozenset(
        [
            "id",
            "appRoleId",
            "createdDateTime",
            "deletedDateTime",
            "principalDisplayName",
            "principalId",
            "principalType",
            "resourceDisplayName",
            "resourceId",
        ]
    ),
    "directoryRole": frozenset(["id", "displayName", "description", "roleTemplateId"]),
    "organization": frozenset(["id", "displayName", "verifiedDomains", "tenantType"]),
    "directoryObject": frozenset(["id", "deletedDateTime"]),
    "signIn": frozenset(),
    "directoryAudit": frozenset(),
    "subscription": frozenset(),
}
PROPERTIES["agentIdentity"] = PROPERTIES["servicePrincipal"] | {"agentIdentityBlueprintId", "createdDateTime"}

Match = Callable[[Json], bool]
TOKEN_S = 3600.0


def options(request: Request, *allowed: str) -> dict[str, str]:
    """The query options of a call, all of which must be allowed."""
    odd = [name for name in request.query if name not in allowed]
    if odd:
        raise bad(f"The query option '{odd[0]}' is not allowed.", "Request_BadRequest")
    return request.query


def selected(entity: str, query: Mapping[str, str]) -> list[str] | None:
    """The properties to show; None for all. An unknown one is refused."""
    text = query.get("$select")
    if text is None:
        return None
    names = text.split(",")
    odd = [name for name in names if name not in PROPERTIES[entity]]
    if odd:
        raise bad(
            f"Could not find a property named '{odd[0]}' on type 'microsoft.graph.{entity}'.", "BadRequest"
        )
    return names


def project(row: Json, names: Sequence[str] | None) -> Json:
    """A row as it is answered: `id` and the type of a derived entity are always there."""
    if names is None:
        return {key: value for key, value in shown(row).items() if key != "signInActivity"}
    kept = {name: row.get(name) for name in names}
    kind = row.get("@odata.type")
    return {**({"@odata.type": kind} if kind else {}), "id": row["id"], **kept}


def filtered(query: Mapping[str, str], allowed: Mapping[str, Callable[[str], Match]]) -> Match:
    """The conjunction that `$filter` asks for; each part must match one of the allowed forms whole."""
    parts = [part for part in query.get("$filter", "").split(" and ") if part]
    tests: list[Match] = []
    for part in parts:
        for form, make in allowed.items():
            found = re.fullmatch(form, part)
            if found:
                tests.append(make(found[1]))
                break
        else:
            raise bad(f"Unsupported or invalid query filter clause '{part}'.")
    return lambda row: all(test(row) for test in tests)


def equals(name: str) -> dict[str, Callable[[str], Match]]:
    """`name eq 'value'`."""
    return {rf"{name} eq '([^']*)'": lambda value: lambda row: str(row.get(name)) == value}


def top(query: Mapping[str, str], most: int, usual: int) -> int:
    """The size of a page."""
    text = query.get("$top")
    if text is None:
        return usual
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise bad(f"Invalid page size specified: '{text}'. Must be between 1 and {most} inclusive.")
    return int(text)


def encode(value: Any) -> str:
    """An opaque token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decode(token: str) -> Any:
    """What is in a token; one that is none is refused."""
    try:
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raise bad("The token is invalid.", "Directory_BadPageToken") from None


def paged(
    request: Request,
    base: str,
    rows: Sequence[Json],
    *,
    entity: str,
    now: float,
    most: int = 999,
    usual: int = 100,
    names: Sequence[str] | None = None,
    more: Callable[[Json], Json] = lambda _: {},
) -> Response:
    """One page of `rows`. The link of the next holds the position; it is absolute, and good for an hour."""
    query = request.query
    start = 0
    if "$skiptoken" in query:
        start, expires = decode(query["$skiptoken"])
        if now > expires:
            raise bad("The specified page token value has expired.", "Directory_ExpiredPageToken")
    size = top(query, most, usual)
    if request.half_page:
        size = max(1, size // 2)
    names = names if names is not None else selected(entity, query)
    plain = entity in {"signIn", "directoryAudit", "subscription"}
    shown_rows = rows[start : start + size]
    value = [shown(row) if plain else {**project(row, names), **more(row)} for row in shown_rows]
    body: Json = {"@odata.context": f"{base}/v1.0/$metadata#{entity}", "value": value}
    if start + size < len(rows):
        again = {**query, "$skiptoken": encode([start + size, now + TOKEN_S])}
        body["@odata.nextLink"] = f"{base}{request.path}?{urlencode(again)}"
    return json_response(body)
