"""One small good sample of every format, and a way to read bytes."""

import json
from typing import Any

from lantern.connectors.imports.formats import Options, Reading, read
from lantern.domain.exports.rows import BadRow, Row

DRIVE = "https://www.googleapis.com/auth/drive.readonly"
MAIL = "https://www.googleapis.com/auth/gmail.modify"
GAM = (
    "user,clientId,displayText,anonymous,nativeApp,userKey,scopes\n"
    f"ada@x.example,1.apps.googleusercontent.com,ChatGPT,False,False,101,{DRIVE} openid\n"
    f"ben@x.example,1.apps.googleusercontent.com,ChatGPT,False,True,102,{MAIL}\n"
)
USERS = (
    "primaryEmail,id,suspended,archived,isAdmin\n"
    "ada@x.example,101,False,False,True\nben@x.example,102,True,False,False\n"
)
TOKEN = {
    "kind": "admin#directory#token", "clientId": "1.apps.googleusercontent.com", "displayText": "ChatGPT",
    "userKey": "101", "anonymous": False, "nativeApp": False, "scopes": [DRIVE, "openid"],
}  # fmt: skip
TOKENS = {"kind": "admin#directory#tokenList", "etag": "x", "items": [TOKEN]}
PRINCIPAL = {
    "id": "sp-1", "appId": "e0476654-c1d5-430b-ab80-70cbd947616a", "displayName": "ChatGPT",
    "servicePrincipalType": "Application", "appOwnerOrganizationId": "other", "homepage": "https://chatgpt.com",
    "verifiedPublisher": {"displayName": "OpenAI", "verifiedPublisherId": "1"}, "appRoles": [],
}  # fmt: skip
MSGRAPH = {
    "id": "sp-graph", "appId": "00000003-0000-0000-c000-000000000000", "displayName": "Microsoft Graph",
    "servicePrincipalType": "Application", "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
    "appRoles": [{"id": "role-1", "value": "Mail.Read"}],
}  # fmt: skip
PERMISSION = {
    "id": "g", "clientId": "sp-1", "consentType": "Principal", "principalId": "u-1", "resourceId": "sp-graph",
    "scope": " Files.Read.All Mail.Read",
}  # fmt: skip
ASSIGNMENT = {
    "id": "a", "appRoleId": "role-1", "principalId": "sp-1", "principalType": "ServicePrincipal",
    "principalDisplayName": "ChatGPT", "resourceId": "sp-graph", "createdDateTime": "2025-11-03T09:12:00Z",
}  # fmt: skip
MSUSER = {"id": "u-1", "userPrincipalName": "ada@x.example", "accountEnabled": False, "displayName": "Ada"}
OKTA_APP = {
    "id": "0oa1", "name": "oidc_client", "label": "Otter.ai", "status": "ACTIVE",
    "signOnMode": "OPENID_CONNECT",
    "credentials": {"oauthClient": {"client_id": "0oa1"}},
    "settings": {"oauthClient": {"redirect_uris": ["https://otter.ai/callback"]}},
}  # fmt: skip
OKTA_GRANT = {
    "id": "oag1", "status": "ACTIVE", "scopeId": "okta.users.read", "clientId": "0oa1", "userId": "00u1",
    "created": "2026-01-02T03:04:05.000Z",
}  # fmt: skip
OKTA_USER = {"id": "00u1", "status": "SUSPENDED", "profile": {"login": "ada@x.example", "firstName": "Ada"}}
SLACK_APP = {
    "app": {"id": "A1", "name": "Otter.ai", "app_homepage_url": "https://otter.ai",
            "is_app_directory_approved": True},
    "scopes": [{"name": "channels:history", "token_type": "bot"}], "date_updated": 1574296707,
}  # fmt: skip
SLACK_LOG = {
    "app_id": "A2", "app_type": "ChatGPT", "user_id": "U1", "user_name": "ada", "date": "1392163200",
    "change_type": "added", "scope": "channels:history,chat:write",
}  # fmt: skip
CSV = (
    "user,app,client_id,domain,scopes,granted_at,last_used\n"
    f"ada@x.example,ChatGPT,,chatgpt.com,{DRIVE},2025-01-02,2025-06-01\n"
)

SAMPLES: dict[str, tuple[str, str]] = {
    "gam": ("gam-tokens", GAM),
    "gam users": ("google-users", USERS),
    "tokens page": ("google-tokens", json.dumps(TOKENS)),
    "tokens list": ("google-tokens", json.dumps([TOKEN, TOKEN], indent=2)),
    "tokens lines": ("google-tokens", json.dumps(TOKEN) + "\n" + json.dumps(TOKEN) + "\n"),
    "tokens by user": ("google-tokens", json.dumps({"ada@x.example": {"items": [TOKEN]}})),
    "tokens by user, flat": ("google-tokens", json.dumps({"ada@x.example": [TOKEN], "ben@x.example": []})),
    "service principals": ("graph", json.dumps({"@odata.context": "x", "value": [MSGRAPH, PRINCIPAL]})),
    "permission grants": ("graph", json.dumps({"value": [PERMISSION]})),
    "role assignments": ("graph", json.dumps([ASSIGNMENT])),
    "graph users": ("graph", json.dumps({"value": [MSUSER]})),
    "graph in one": (
        "graph", json.dumps({"servicePrincipals": [PRINCIPAL], "oauth2PermissionGrants": [PERMISSION]}),
    ),
    "graph pages": ("graph", json.dumps({"value": [MSGRAPH]}) + json.dumps({"value": [PRINCIPAL]})),
    "okta apps": ("okta", json.dumps([OKTA_APP])),
    "okta grants": ("okta", json.dumps([OKTA_GRANT])),
    "okta users": ("okta", json.dumps([OKTA_USER])),
    "slack approved": ("slack", json.dumps({"ok": True, "approved_apps": [SLACK_APP]})),
    "slack restricted": ("slack", json.dumps({"ok": True, "restricted_apps": [SLACK_APP]})),
    "slack log": ("slack", json.dumps({"ok": True, "logs": [SLACK_LOG], "paging": {"count": 1}})),
    "inventory": ("inventory-csv", CSV),
}  # fmt: skip


def reading(content: str | bytes, options: Options | None = None) -> Reading:
    """A file in chunks of odd sizes."""
    raw = content.encode() if isinstance(content, str) else content
    return read((raw[at : at + 777] for at in range(0, len(raw), 777)), options)


def rows(content: str | bytes | Any, options: Options | None = None) -> list[Row]:
    """The good rows of a file that has no bad ones."""
    found = everything(content, options)
    assert not [one for one in found if isinstance(one, BadRow)]
    return [one for one in found if not isinstance(one, BadRow)]


def everything(content: str | bytes | Any, options: Options | None = None) -> list[Row | BadRow]:
    """All rows of a file; what is no text is written as JSON."""
    return list(reading(content if isinstance(content, str | bytes) else json.dumps(content), options).rows)


def bad(content: str | bytes | Any) -> list[BadRow]:
    """The bad rows of a file."""
    return [one for one in everything(content) if isinstance(one, BadRow)]
