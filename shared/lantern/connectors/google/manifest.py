"""Facts about Google Workspace: endpoints, permissions, quotas, and what its statuses mean.

Sources: Admin SDK, Chrome Management and Gmail discovery documents (paths, scopes), Admin SDK "Limits and
quotas" pages (2,400 queries a minute; 250 for `activities.list` with a filter, refused with 503), Google
Identity OpenID document. For Chrome Management no limit is published: its quota is what the Chrome Policy
API, of the same family, allows one user of a project (10 queries a second).
"""

from types import MappingProxyType
from typing import Final

from lantern.connectors.protocol import ActFact, Manifest, PushFact, Quota, ScopeNeed
from lantern.connectors.resolution import ErrorResolution, Row, StatusTable

AUTH: Final = "https://www.googleapis.com/auth/"
EMAIL: Final = AUTH + "userinfo.email"
USERS: Final = AUTH + "admin.directory.user.readonly"
SECURITY: Final = AUTH + "admin.directory.user.security"
AUDIT: Final = AUTH + "admin.reports.audit.readonly"
CUSTOMER: Final = AUTH + "admin.directory.customer.readonly"
CHROME: Final = AUTH + "chrome.management.reports.readonly"
CHROME_DETAILS: Final = AUTH + "chrome.management.appdetails.readonly"
MAIL_HEADERS: Final = AUTH + "gmail.metadata"
"""Not part of the consent: see `mail`."""

QUERIES: Final = Quota("queries", 2400, 60.0)
FILTERED: Final = Quota("filtered", 250, 60.0)
CHROME_QUERIES: Final = Quota("chrome", 600, 60.0)
MAIL_UNITS: Final = Quota("mail", 250, 1.0)
"""Quota units a second of one mailbox (Gmail API "Usage limits"); a call of ours is taken to cost five."""
MAILBOXES: Final = Quota("mailboxes", 6_000, 60.0)
"""Calls to all mailboxes of an organisation together. Google allows a project 1,200,000 units a minute, which
is 240,000 such calls for all organisations; ours is a pace that leaves others theirs."""
UNDO: Final = "The person can give the app access again."

_BY_HAND: Final = frozenset({"organisation", "extension", "sso", "web"})
"""No API takes these away: delegations, extensions, assignments to SAML apps, sites that are visited."""
MANIFEST: Final = Manifest(
    provider="google",
    title="Google Workspace",
    endpoints=MappingProxyType(
        {
            "admin": "https://admin.googleapis.com",
            "chrome": "https://chromemanagement.googleapis.com",
            "gmail": "https://gmail.googleapis.com",
            "authorize": "https://accounts.google.com/o/oauth2/v2/auth",
            "token": "https://oauth2.googleapis.com/token",
            "revoke": "https://oauth2.googleapis.com/revoke",
            "jwks": "https://www.googleapis.com/oauth2/v3/certs",
            "issuer": "https://accounts.google.com",
        }
    ),
    scopes=(
        ScopeNeed("openid", "grants", "we cannot tell who gives consent"),
        ScopeNeed(EMAIL, "grants", "we cannot name the administrator who gave consent"),
        ScopeNeed(
            CUSTOMER,
            "grants",
            "we cannot tell your organisation from others by its permanent id (customerId)",
        ),
        ScopeNeed(USERS, "grants", "employees cannot be listed, so no grant can be found"),
        ScopeNeed(
            SECURITY, "grants", "the access that employees gave to apps can neither be read nor revoked"
        ),
        ScopeNeed(
            AUDIT,
            "activity",
            "grants have no dates, unused access cannot be told from used, new consents are seen only by the "
            "nightly read, and domain-wide delegation, sign-ins by SAML and use of Gemini stay unseen",
            required=False,
            also=("changes", "delegation", "push"),
        ),
        ScopeNeed(
            CHROME,
            "extensions",
            "browser extensions and visits to AI sites in managed Chrome stay unseen",
            required=False,
            also=("assets",),
        ),
        ScopeNeed(
            CHROME_DETAILS,
            "extensions",
            "of browser extensions we see what they may do, but not on which websites",
            required=False,
        ),
    ),
    apart=(
        ScopeNeed(
            MAIL_HEADERS,
            "mail",
            "accounts that people made with a password, outside managed Chrome, stay unseen",
            required=False,
        ),
    ),
    quotas=(QUERIES, FILTERED, CHROME_QUERIES),
    access_token_lifetime_s=3600,
    features=frozenset(
        {
            "grants",
            "activity",
            "changes",
            "delegation",
            "push",
            "revoke",
            "extensions",
            "passwords",
            "sessions",
            "apps",
            "assets",
            "mail",
        }
    ),
    acts=MappingProxyType(
        {
            "revoke_grant": ActFact(frozenset({SECURITY}), undo=UNDO, by_hand=_BY_HAND),
            "end_sessions": ActFact(frozenset({SECURITY}), undo="The person signs in again."),
            # No API does these: the answer is what to do by hand.
            "disable_app": ActFact(
                frozenset(),
                everyone=True,
                undo="Set the app to another access again.",
                by_hand=frozenset({"*"}),
            ),
            "restrict_app": ActFact(
                frozenset(),
                everyone=True,
                undo="Set the app to another access again.",
                by_hand=frozenset({"*"}),
            ),
            "uninstall_app": ActFact(
                frozenset(), everyone=True, undo="Allow the extension again.", by_hand=frozenset({"*"})
            ),
        }
    ),
    push=PushFact("channel", ("authorize", "revoke", "admin", "users"), ttl_s=6 * 3600, renew_s=3600),
)

CONSENT_REVOKED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Google no longer accepts our access: the consent was revoked, or the administrator who gave it was "
    "suspended or changed the password. Connect Google Workspace again.",
    connection_wide=True,
)
SCOPE_MISSING: Final = ErrorResolution(
    "config",
    "forbidden",
    "A permission that Lantern needs was not granted. Connect Google Workspace again and tick every box.",
    connection_wide=True,
)
_FORBIDDEN: Final = ErrorResolution(
    "config", "forbidden", "Google does not let the administrator who gave consent do this."
)
_REFUSED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "Google's quota for this organisation is used up.",
    retry=True,
    refusal="yes",
)
_FAILED: Final = ErrorResolution("transient", "provider_error", "Google had a problem answering.", retry=True)

STATUSES: Final = StatusTable(
    rows=(
        # A refused token is fetched anew; only the token endpoint can say that consent is gone.
        Row(
            401,
            401,
            ErrorResolution(
                "transient",
                "provider_error",
                "Google did not accept our access.",
                retry=True,
                stale_token=True,
            ),
        ),
        Row(
            403,
            403,
            _REFUSED,
            frozenset(
                {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"}
                | {"RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"}
            ),
        ),
        Row(
            403,
            403,
            SCOPE_MISSING,
            frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}),
        ),
        Row(403, 403, _FORBIDDEN),
        Row(404, 404, ErrorResolution("system", "not_found", "Google does not know this.")),
        Row(410, 410, ErrorResolution("system", "not_found", "Google does not know this any more.")),
        Row(408, 408, _FAILED),
        Row(429, 429, _REFUSED),
        # 503 is also the documented refusal of the filter quota.
        Row(
            503,
            503,
            ErrorResolution(
                "transient", "provider_error", "Google had a problem answering.", retry=True, refusal="maybe"
            ),
        ),
        Row(500, 599, _FAILED),
    ),
    otherwise=ErrorResolution("system", "provider_error", "Google did not accept what we asked."),
)

CODE_SPENT: Final = ErrorResolution(
    "config", "forbidden", "This consent has expired or was used already. Please start again."
)
UNPROVEN: Final = ErrorResolution(
    "config", "malformed", "Google's statement of who gave consent could not be verified. Please start again."
)
_OUR_FAULT: Final = ErrorResolution(
    "system", "provider_error", "Google did not accept our registration.", connection_wide=True
)

OAUTH_STATUSES: Final = StatusTable(
    rows=(
        Row(400, 400, CONSENT_REVOKED, frozenset({"invalid_grant"})),  # RFC 6749 section 5.2
        Row(429, 429, _REFUSED),
        Row(408, 408, _FAILED),
        Row(500, 599, _FAILED),
    ),
    otherwise=_OUR_FAULT,
)

NOT_DELEGATED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Google does not let Lantern's service account read mail headers: the domain-wide delegation is missing, "
    "was removed, or does not take effect yet.",
    connection_wide=True,
)
NO_MAILBOX: Final = ErrorResolution(
    "config", "forbidden", "Google does not let this account's mailbox be read."
)
DELEGATED_STATUSES: Final = StatusTable(
    rows=(
        # The service account is not delegated to, or not for this scope.
        Row(400, 403, NOT_DELEGATED, frozenset({"unauthorized_client", "access_denied", "invalid_scope"})),
        # The person cannot sign in or is not one of the organisation's.
        Row(400, 400, NO_MAILBOX, frozenset({"invalid_grant"})),
        Row(429, 429, _REFUSED),
        Row(408, 408, _FAILED),
        Row(500, 599, _FAILED),
    ),
    otherwise=_OUR_FAULT,
)
"""What the token endpoint says to a service account that speaks in somebody's name."""
GMAIL_STATUSES: Final = StatusTable(
    rows=(
        Row(
            401,
            401,
            ErrorResolution(
                "transient", "provider_error", "Google did not accept our access.", retry=True,
                stale_token=True,
            ),
        ),
        *(row for row in STATUSES.rows if row.first != 401 and row.resolution is not SCOPE_MISSING),
        # "Mail service not enabled": an account without Gmail.
        Row(400, 400, NO_MAILBOX, frozenset({"failedPrecondition", "FAILED_PRECONDITION"})),
    ),
    otherwise=STATUSES.otherwise,
)  # fmt: skip
