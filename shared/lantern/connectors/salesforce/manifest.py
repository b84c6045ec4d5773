"""Facts about Salesforce: endpoints, permissions, quotas, and what its statuses mean.

Sources: Object Reference for the Salesforce Platform (`OauthToken`, `LoginHistory`, `User`,
`ConnectedApplication`, `AppMenuItem`, `BotDefinition`: access rules, which fields can be filtered), REST API
Developer Guide (error bodies, `Sforce-Limit-Info`, queries), OAuth chapters of Salesforce Help (web server
flow, revocation).
"""

from types import MappingProxyType
from typing import Final

from lantern.connectors.protocol import ActFact, Manifest, Quota, ScopeNeed
from lantern.connectors.resolution import ErrorResolution, Row, StatusTable

VERSION: Final = "v62.0"
API: Final = "api"
REFRESH: Final = "refresh_token"
IDENTITY: Final = "id"
OAUTH_SCOPES: Final = (API, REFRESH, IDENTITY)
CUSTOMIZE: Final = "CustomizeApplication"
USERS: Final = "ManageUsers"
RIGHTS: Final = (CUSTOMIZE, USERS)
"""User permissions of whoever consents; what they may see, we may see."""

CALLS: Final = Quota("calls", 300, 60.0)
"""Salesforce limits a day, not a minute: this is our own pace. See `api.SHARE` for the day."""
DAY_SHARE: Final = 0.8
"""Of the organisation's daily requests, the rest of which is left to everybody else."""
SESSION_S: Final = 7200
"""An access token lives as long as a session; two hours unless the organisation chose otherwise."""
UNDISCLOSED: Final = "undisclosed"
"""Stands for the scopes of a token, which Salesforce does not tell; see content/scopes/salesforce.yaml."""
INSTALLED: Final = "installed"
PRE_APPROVED: Final = "installed_admin_approved"

MANIFEST: Final = Manifest(
    provider="salesforce",
    title="Salesforce",
    endpoints=MappingProxyType(
        {
            "authorize": "https://login.salesforce.com/services/oauth2/authorize",
            "token": "https://login.salesforce.com/services/oauth2/token",
            "revoke": "https://login.salesforce.com/services/oauth2/revoke",
            "issuer": "https://login.salesforce.com",
        }
    ),
    scopes=(
        ScopeNeed(API, "grants", "nothing can be read: every question goes through the API"),
        ScopeNeed(REFRESH, "grants", "our access ends with your session, after about two hours"),
        ScopeNeed(IDENTITY, "grants", "we cannot tell who gives consent, nor for which organisation"),
        ScopeNeed(
            CUSTOMIZE,
            "grants",
            "Salesforce shows you the tokens of your own apps only, so that everybody else's access stays "
            "unseen and cannot be revoked",
            also=("revoke", "changes", "assets"),
        ),
        ScopeNeed(
            USERS,
            "grants",
            "people cannot be listed completely, and the sign-ins of apps cannot be read",
            also=("activity", "changes"),
        ),
    ),
    quotas=(CALLS,),
    access_token_lifetime_s=SESSION_S,
    features=frozenset({"grants", "activity", "changes", "assets", "revoke"}),
    acts=MappingProxyType(
        {
            "revoke_grant": ActFact(
                frozenset({API, CUSTOMIZE}),
                undo="The person can give the app access again, unless it is blocked.",
            )
        }
    ),
)

CONSENT_REVOKED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Salesforce no longer accepts our access: the consent was revoked, or the person who gave it was "
    "deactivated or changed the password. Connect Salesforce again.",
    connection_wide=True,
)
RIGHT_MISSING: Final = ErrorResolution(
    "config",
    "forbidden",
    "The person who connected Salesforce lacks the permission “Customize Application” or “Manage Users”, so "
    "that Salesforce would show us a part as if it were all. Give both back, or connect again as somebody "
    "who has them.",
    connection_wide=True,
)
NOT_INSTALLED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Salesforce blocks apps that are not installed. In Setup → Connected Apps OAuth Usage, choose “Install” "
    "beside Lantern, or install our package, then connect again.",
    connection_wide=True,
)
FOREIGN_INSTANCE: Final = ErrorResolution(
    "config", "malformed", "The answer names an address that is not Salesforce's. Connect Salesforce again."
)
SHARE_USED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "Your organisation has used four fifths of its daily API requests at Salesforce. Lantern leaves the rest "
    "to your other systems and goes on by itself when requests are free again.",
    connection_wide=True,
)
_DAY_USED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "Your organisation's API requests at Salesforce are used up for now. Lantern goes on by itself.",
    connection_wide=True,
)
_API_OFF: Final = ErrorResolution(
    "config",
    "forbidden",
    "API access is switched off in Salesforce for this organisation or for the person who connected it. "
    "Allow it (permission “API Enabled”), or connect again as somebody who has it.",
    connection_wide=True,
)
_FORBIDDEN: Final = ErrorResolution(
    "config", "forbidden", "Salesforce does not let the person who gave consent do this."
)
_REFUSED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "Salesforce asks us to slow down.",
    retry=True,
    refusal="yes",
)
_FAILED: Final = ErrorResolution(
    "transient", "provider_error", "Salesforce had a problem answering.", retry=True
)

STATUSES: Final = StatusTable(
    rows=(
        # A session that ended is begun anew; only the token endpoint can say that consent is gone.
        Row(
            401,
            401,
            ErrorResolution(
                "transient",
                "provider_error",
                "Salesforce did not accept our access.",
                retry=True,
                stale_token=True,
            ),
        ),
        Row(403, 403, _DAY_USED, frozenset({"REQUEST_LIMIT_EXCEEDED"})),
        Row(403, 403, _API_OFF, frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"})),
        Row(403, 403, _FORBIDDEN),
        Row(404, 404, ErrorResolution("system", "not_found", "Salesforce does not know this.")),
        Row(410, 410, ErrorResolution("system", "not_found", "Salesforce does not know this any more.")),
        Row(408, 408, _FAILED),
        Row(429, 429, _REFUSED),
        Row(500, 599, _FAILED),
    ),
    otherwise=ErrorResolution("system", "provider_error", "Salesforce did not accept what we asked."),
)

CODE_SPENT: Final = ErrorResolution(
    "config", "forbidden", "This consent has expired or was used already. Please start again."
)
UNPROVEN: Final = ErrorResolution(
    "config",
    "malformed",
    "Salesforce's statement of who gave consent could not be verified. Please start again.",
)
_OUR_FAULT: Final = ErrorResolution(
    "system", "provider_error", "Salesforce did not accept our registration.", connection_wide=True
)
MUST_BE_INSTALLED: Final = "app_not_installed"
"""Our word for an `invalid_client` whose description says that the app must be installed."""

OAUTH_STATUSES: Final = StatusTable(
    rows=(
        Row(400, 401, NOT_INSTALLED, frozenset({MUST_BE_INSTALLED})),
        Row(400, 401, CONSENT_REVOKED, frozenset({"invalid_grant", "inactive_user", "inactive_org"})),
        Row(429, 429, _REFUSED),
        Row(408, 408, _FAILED),
        Row(500, 599, _FAILED),
    ),
    otherwise=_OUR_FAULT,
)
