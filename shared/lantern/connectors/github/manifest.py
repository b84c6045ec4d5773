"""Facts about GitHub: endpoints, permissions, quotas, and what its statuses mean.

Sources: GitHub's OpenAPI and GraphQL descriptions, "Permissions required for GitHub Apps", "Rate limits
for the REST API" (5,000 requests an hour for an installation; 1,750 an hour for the audit log), "Best
practices for using the REST API" (what to wait for).
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from lantern.connectors.protocol import ActFact, Manifest, PushFact, Quota, ScopeNeed
from lantern.connectors.resolution import ErrorResolution, Row, StatusTable

API_VERSION: Final = "2022-11-28"

MEMBERS: Final = "members:read"
ADMINISTRATION: Final = "organization_administration:read"
ADMINISTRATION_WRITE: Final = "organization_administration:write"
TOKENS: Final = "organization_personal_access_tokens:read"
TOKENS_WRITE: Final = "organization_personal_access_tokens:write"
REQUESTED: Final = "organization_personal_access_token_requests:read"
SEATS: Final = "organization_copilot_seat_management:read"
SEATS_WRITE: Final = "organization_copilot_seat_management:write"

REQUESTS: Final = Quota("requests", 5000, 3600.0)
AUDIT: Final = Quota("audit", 1750, 3600.0)
GRAPHQL: Final = Quota("graphql", 5000, 3600.0)
APP: Final = Quota("app", 5000, 3600.0)
"""What our app may ask for itself: one quota for all organisations."""

PUSHED: Final = (
    "github_app_authorization",
    "installation",
    "installation_repositories",
    "installation_target",
    "member",
    "organization",
    "personal_access_token_request",
    "ping",
    "push",
    "repository",
)
"""The events our app is registered for."""

MANIFEST: Final = Manifest(
    provider="github",
    title="GitHub",
    endpoints=MappingProxyType(
        {
            "api": "https://api.github.com",
            "web": "https://github.com",
            "token": "https://github.com/login/oauth/access_token",
            "issuer": "https://github.com/login/oauth",
        }
    ),
    scopes=(
        ScopeNeed(MEMBERS, "grants", "members cannot be listed, so nobody's access can be found"),
        ScopeNeed(
            ADMINISTRATION,
            "applications",
            "installed apps, credentials authorised for single sign-on and the audit log stay unseen",
        ),
        ScopeNeed(
            TOKENS,
            "assets",
            "fine-grained personal access tokens, SSH keys and authorised tokens stay unseen",
            required=False,
        ),
        ScopeNeed(SEATS, "assignments", "Copilot seats and their use stay unseen", required=False),
        ScopeNeed(
            REQUESTED,
            "push",
            "requests for personal access tokens are not noticed when they are made",
            required=False,
        ),
        ScopeNeed(
            ADMINISTRATION_WRITE,
            "revoke",
            "credentials authorised for single sign-on can be seen but not revoked",
            required=False,
        ),
        ScopeNeed(
            TOKENS_WRITE,
            "revoke",
            "fine-grained personal access tokens can be seen but not revoked",
            required=False,
        ),
        ScopeNeed(SEATS_WRITE, "revoke", "Copilot seats can be seen but not cancelled", required=False),
    ),
    quotas=(REQUESTS, AUDIT, GRAPHQL, APP),
    access_token_lifetime_s=3600,
    features=frozenset(
        {"grants", "applications", "assignments", "assets", "activity", "changes", "push", "revoke"}
    ),
    acts=MappingProxyType(
        {
            "revoke_grant": ActFact(
                frozenset({ADMINISTRATION_WRITE}),
                undo="The person authorises the credential again, or an owner assigns the seat again.",
            ),
            "delete_asset": ActFact(frozenset({TOKENS_WRITE}), assets=frozenset({"api_key"})),
            "uninstall_app": ActFact(
                frozenset(),
                everyone=True,
                undo="An owner of the organisation installs the app again.",
                by_hand=frozenset({"*"}),
            ),
        }
    ),
    push=PushFact("app", PUSHED),
)

PRIMARY: Final = "primary_rate_limit"
SECONDARY: Final = "secondary_rate_limit"
ABOUT_THIS: Final = "about_this"
"""The body names the section of the documentation about this very call: proxies and outages do not."""

INSTALLATION_GONE: Final = ErrorResolution(
    "config",
    "forbidden",
    "Lantern's app is not installed in this GitHub organisation any more. Connect GitHub again.",
    connection_wide=True,
)
SUSPENDED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Lantern's app is suspended in this GitHub organisation. Unsuspend it there, or connect GitHub again.",
    connection_wide=True,
)
OTHER_ORGANISATION: Final = ErrorResolution(
    "config",
    "forbidden",
    "The installation belongs to another GitHub organisation than it did. Connect GitHub again.",
    connection_wide=True,
)
FORBIDDEN: Final = ErrorResolution(
    "config",
    "forbidden",
    "GitHub does not let Lantern's app do this: a permission was not granted, or the organisation's plan "
    "does not have it. Accept the app's permissions in the organisation's settings, or connect GitHub again.",
)
_REFUSED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "GitHub's rate limit for this organisation is used up.",
    retry=True,
    refusal="yes",
)
_FAILED: Final = ErrorResolution("transient", "provider_error", "GitHub had a problem answering.", retry=True)
_OUR_FAULT: Final = ErrorResolution(
    "system", "provider_error", "GitHub did not accept our registration.", connection_wide=True
)
_NOT_FOUND: Final = ErrorResolution("system", "not_found", "GitHub does not know this.")
_LIMITED: Final = frozenset({PRIMARY, SECONDARY})

_COMMON: Final = (
    Row(403, 403, _REFUSED, _LIMITED),
    Row(429, 429, _REFUSED),
    Row(408, 408, _FAILED),
)
_ENDING: Final = (
    Row(410, 410, _NOT_FOUND),
    Row(500, 599, _FAILED),
)
_ODD: Final = ErrorResolution("system", "provider_error", "GitHub did not accept what we asked.")

STATUSES: Final = StatusTable(
    rows=(
        *_COMMON,
        # A refused token is fetched anew; only the token endpoint can say that the installation is gone.
        Row(
            401,
            401,
            ErrorResolution(
                "transient",
                "provider_error",
                "GitHub did not accept our access.",
                retry=True,
                stale_token=True,
            ),
        ),
        Row(403, 403, FORBIDDEN),
        Row(404, 404, _NOT_FOUND),
        *_ENDING,
    ),
    otherwise=_ODD,
)

APP_STATUSES: Final = StatusTable(
    rows=(
        *_COMMON,
        Row(401, 401, replace(_OUR_FAULT, retry=True, stale_token=True)),
        Row(403, 403, SUSPENDED, frozenset({ABOUT_THIS})),
        Row(403, 403, _FAILED),
        Row(404, 404, INSTALLATION_GONE, frozenset({ABOUT_THIS})),
        Row(404, 404, _FAILED),
        *_ENDING,
    ),
    otherwise=_ODD,
)
"""What statuses mean where our app asks for itself, about one installation."""

CODE_SPENT: Final = ErrorResolution(
    "config", "forbidden", "This consent has expired or was used already. Please start again."
)
OAUTH_STATUSES: Final = StatusTable(
    rows=(Row(429, 429, _REFUSED), Row(408, 408, _FAILED), Row(500, 599, _FAILED)), otherwise=_OUR_FAULT
)
OUR_FAULT: Final = _OUR_FAULT
