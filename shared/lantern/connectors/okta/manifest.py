"""Facts about Okta: permissions, quotas, what it lets be done, and what its statuses mean.

Sources: Okta Management API 5.1 (paths, scopes, error codes), "Management rate limits" and "Rate limit best
practices" pages (limits a minute, headers), RFC 6749 section 5.2 and RFC 9449 section 8 (OAuth errors).
"""

from types import MappingProxyType
from typing import Final

from lantern.connectors.protocol import ActFact, FormField, Manifest, PushFact, Quota, ScopeNeed
from lantern.connectors.resolution import ErrorResolution, Row, StatusTable

ORG: Final = "okta.orgs.read"
USERS: Final = "okta.users.read"
APPS: Final = "okta.apps.read"
ROLES: Final = "okta.roles.read"
LOGS: Final = "okta.logs.read"
APP_GRANTS: Final = "okta.appGrants.read"
INTEGRATIONS: Final = "okta.oauthIntegrations.read"
API_TOKENS: Final = "okta.apiTokens.read"
AGENTS: Final = "okta.aiAgents.read"
HOOKS: Final = "okta.eventHooks.manage"
USERS_MANAGE: Final = "okta.users.manage"
APPS_MANAGE: Final = "okta.apps.manage"
APP_GRANTS_MANAGE: Final = "okta.appGrants.manage"
API_TOKENS_MANAGE: Final = "okta.apiTokens.manage"
AGENTS_MANAGE: Final = "okta.aiAgents.manage"

# Half of what an Enterprise organisation has: a token or client gets half of the limit unless an
# administrator says otherwise. The headers of the first answer say what it really is.
USER_LIST: Final = Quota("users", 300, 60.0)
ONE_USER: Final = Quota("user", 500, 60.0)
OF_USER: Final = Quota("grants", 300, 60.0)
APP_LIST: Final = Quota("apps", 50, 60.0)
ONE_APP: Final = Quota("app", 300, 60.0)
LOG: Final = Quota("logs", 25, 60.0)
OTHERS: Final = Quota("others", 300, 60.0)

CHANGES_EVENT: Final = "changes"
_BY_PERSON: Final = "The person can give the app access again, or an administrator can assign it again."

MANIFEST: Final = Manifest(
    provider="okta",
    title="Okta",
    # Every organisation has an address of its own, which is kept with its credentials; this one is a stand-in
    # that a local environment overrides.
    endpoints=MappingProxyType({"organisation": "https://organisation.okta.com"}),
    scopes=(
        ScopeNeed(ORG, "grants", "we cannot tell your organisation from others by its permanent id"),
        ScopeNeed(USERS, "grants", "employees cannot be listed, so no access can be found"),
        ScopeNeed(APPS, "assignments", "apps and who may sign in to them stay unseen", also=("grants",)),
        ScopeNeed(
            LOGS,
            "activity",
            "unused access cannot be told from used, and new consents are seen only by the nightly read",
            required=False,
            also=("changes",),
        ),
        ScopeNeed(
            APP_GRANTS,
            "applications",
            "the permissions that apps hold by themselves, without a person, stay unseen",
            required=False,
        ),
        ScopeNeed(
            INTEGRATIONS,
            "applications",
            "the API service integrations of vendors and their permissions stay unseen",
            required=False,
        ),
        ScopeNeed(API_TOKENS, "assets", "API tokens, their owners and last use stay unseen", required=False),
        ScopeNeed(AGENTS, "assets", "AI agents that are registered with Okta stay unseen", required=False),
        ScopeNeed(ROLES, "assignments", "administrators are not marked as such", required=False),
        ScopeNeed(
            HOOKS, "push", "changes are seen within a quarter of an hour instead of at once", required=False
        ),
        ScopeNeed(
            USERS_MANAGE,
            "revoke",
            "Lantern can neither revoke what people consented to nor end their sessions",
            required=False,
            also=("sessions",),
        ),
        ScopeNeed(
            APPS_MANAGE,
            "apps",
            "Lantern can neither deactivate apps nor take people's assignments away",
            required=False,
        ),
        ScopeNeed(
            APP_GRANTS_MANAGE,
            "revoke",
            "Lantern cannot take permissions away from apps that act by themselves",
            required=False,
        ),
        ScopeNeed(API_TOKENS_MANAGE, "revoke", "Lantern cannot revoke API tokens", required=False),
        ScopeNeed(AGENTS_MANAGE, "revoke", "Lantern cannot deactivate AI agents", required=False),
    ),
    quotas=(USER_LIST, ONE_USER, OF_USER, APP_LIST, ONE_APP, LOG, OTHERS),
    access_token_lifetime_s=3600,
    features=frozenset(
        (
            *("grants", "applications", "assignments", "activity", "changes", "assets", "push"),
            *("revoke", "apps", "sessions"),
        )
    ),
    acts=MappingProxyType(
        {
            "revoke_grant": ActFact(frozenset({USERS_MANAGE}), undo=_BY_PERSON),
            "revoke_scopes": ActFact(frozenset({USERS_MANAGE}), undo=_BY_PERSON),
            "disable_app": ActFact(
                frozenset({APPS_MANAGE}), everyone=True, undo="Activate the app again (act `enable_app`)."
            ),
            "enable_app": ActFact(
                frozenset({APPS_MANAGE}), everyone=True, undo="Deactivate the app again (act `disable_app`)."
            ),
            "end_sessions": ActFact(frozenset({USERS_MANAGE}), undo="The person signs in again."),
            "delete_asset": ActFact(frozenset({API_TOKENS_MANAGE}), assets=frozenset({"api_key"})),
            "disable_asset": ActFact(
                frozenset({AGENTS_MANAGE}),
                undo="An administrator can activate the agent again.",
                assets=frozenset({"agent"}),
            ),
        }
    ),
    push=PushFact("channel", (CHANGES_EVENT,)),
    history_days=90,  # System Log: "events are retained for 90 days"
    form=(
        FormField(
            "address",
            "Address of your Okta organisation",
            "For example acme.okta.com, acme.oktapreview.com, acme.okta-emea.com, or your custom domain.",
            pattern=r"[A-Za-z0-9./:-]{4,260}",
        ),
        FormField(
            "client_id",
            "Client ID of the API Services app",
            "Leave empty if you connect with an API token instead.",
            required=False,
            pattern=r"[A-Za-z0-9_-]{1,64}",
        ),
        FormField(
            "private_key",
            "Private key of the API Services app",
            "As JWK (JSON) or PEM; the one whose public half you saved in Okta.",
            secret=True,
            required=False,
            pattern=r"[\s\S]{1,4000}",
        ),
        FormField(
            "api_token",
            "API token",
            "Only without an API Services app: a token has every right of the administrator who made it.",
            secret=True,
            required=False,
            pattern=r"[A-Za-z0-9_-]{20,128}",
        ),
    ),
)

CONSENT_REVOKED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Okta no longer accepts our access: the app or token was deactivated or deleted, or its key was removed. "
    "Connect Okta again.",
    connection_wide=True,
)
_FORBIDDEN: Final = ErrorResolution(
    "config",
    "forbidden",
    "Okta does not let Lantern do this: the permission was not granted, or the app or token has no "
    "administrator role that covers it.",
)
_REFUSED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "Okta's rate limit for this organisation is used up.",
    retry=True,
    refusal="yes",
)
_FAILED: Final = ErrorResolution("transient", "provider_error", "Okta had a problem answering.", retry=True)
_UNPROVEN: Final = ErrorResolution(
    "transient", "provider_error", "Okta wants a newer proof of possession.", retry=True
)
_STALE: Final = ErrorResolution(
    "transient", "provider_error", "Okta did not accept our access.", retry=True, stale_token=True
)
_NOT_FOUND: Final = ErrorResolution("system", "not_found", "Okta does not know this.")
_ODD: Final = ErrorResolution("system", "provider_error", "Okta did not accept what we asked.")

NONCE: Final = "use_dpop_nonce"  # RFC 9449 section 8
_PROOF: Final = frozenset({"invalid_dpop_proof"})

_SHARED: Final = (
    Row(403, 403, _FORBIDDEN),
    Row(404, 404, _NOT_FOUND),
    Row(410, 410, _NOT_FOUND),
    Row(408, 408, _FAILED),
    Row(429, 429, _REFUSED),
    Row(500, 599, _FAILED),
)
STATUSES: Final = StatusTable(
    rows=(
        Row(400, 401, _UNPROVEN, frozenset({NONCE})),
        Row(400, 401, _STALE, _PROOF),
        # A refused access token is fetched anew; only the token endpoint can say that our access is gone.
        Row(401, 401, _STALE),
        *_SHARED,
    ),
    otherwise=_ODD,
)
TOKEN_HOLDER_STATUSES: Final = StatusTable(
    # E0000011 "Invalid token provided": an API token that was revoked or has expired (30 days unused).
    rows=(Row(401, 401, CONSENT_REVOKED, frozenset({"E0000011"})), Row(401, 401, _FAILED), *_SHARED),
    otherwise=_ODD,
)

NONCE_WANTED: Final = ErrorResolution(
    "transient", "provider_error", "Okta wants a newer proof of possession."
)
NOT_GRANTED: Final = ErrorResolution(
    "config",
    "forbidden",
    "A permission that Lantern needs is not granted to the API Services app. Grant it under Okta API Scopes.",
    connection_wide=True,
)
OAUTH_STATUSES: Final = StatusTable(
    rows=(
        Row(400, 401, NONCE_WANTED, frozenset({NONCE})),
        Row(400, 400, NOT_GRANTED, frozenset({"invalid_scope", "consent_required"})),
        Row(400, 401, CONSENT_REVOKED, frozenset({"invalid_client", "unauthorized_client", "invalid_grant"})),
        Row(401, 401, CONSENT_REVOKED),
        Row(403, 403, CONSENT_REVOKED, frozenset({"access_denied", "E0000006"})),
        Row(408, 408, _FAILED),
        Row(429, 429, _REFUSED),
        Row(500, 599, _FAILED),
    ),
    otherwise=ErrorResolution(
        "system", "provider_error", "Okta did not accept our request for access.", connection_wide=True
    ),
)
UNKNOWN_ORGANISATION: Final = ErrorResolution(
    "config", "forbidden", "Okta has no organisation at this address.", connection_wide=True
)
