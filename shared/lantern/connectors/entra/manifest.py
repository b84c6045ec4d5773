"""Facts about Microsoft Entra ID: endpoints, permissions, quotas, and what the statuses of Graph mean.

Sources: Microsoft Graph v1.0 metadata (entities), "Microsoft Graph permissions reference", "Microsoft Graph
service-specific throttling limits" (identity: 3,500 resource units in 10 seconds for the smallest tenants;
reports: 5 requests in 10 seconds), "Microsoft Entra authentication and authorization error codes".
"""

from types import MappingProxyType
from typing import Final

from lantern.connectors.protocol import ActFact, Manifest, PushFact, Quota, ScopeNeed
from lantern.connectors.resolution import ErrorResolution, Row, StatusTable

DIRECTORY: Final = "Directory.Read.All"
USERS: Final = "User.Read.All"
AUDIT: Final = "AuditLog.Read.All"
AGENTS: Final = "AgentIdentity.Read.All"
CONSENTS: Final = "DelegatedPermissionGrant.ReadWrite.All"
ROLES: Final = "AppRoleAssignment.ReadWrite.All"
APPS: Final = "Application.ReadWrite.All"
AGENT_SWITCH: Final = "AgentIdentity.EnableDisable.All"
SESSIONS: Final = "User.RevokeSessions.All"
P1: Final = "Microsoft Entra ID P1"
"""No permission but a licence of the tenant, which is asked for and told like one."""

GRAPH: Final = "https://graph.microsoft.com"
GRAPH_APP_ID: Final = "00000003-0000-0000-c000-000000000000"

UNITS: Final = Quota("units", 3500, 10.0)
"""Resource units of the identity service. Larger tenants have 5,000 or 8,000; the least holds for all."""
REPORTS: Final = Quota("reports", 5, 10.0)
WRITES: Final = Quota("writes", 3000, 150.0)
RENEW_S: Final = 3 * 86_400
LIFE_S: Final = 41_760 * 60 - 3600
"""A subscription to users lives 41,760 minutes at most; an hour less, so that clocks may differ."""
MEMORY_DAYS: Final = 30
"""How long a tenant with P1 keeps its sign-in and audit logs."""

MANIFEST: Final = Manifest(
    provider="entra",
    title="Microsoft Entra ID",
    endpoints=MappingProxyType(
        {
            "graph": f"{GRAPH}/v1.0",
            "login": "https://login.microsoftonline.com",
            "issuer": "https://login.microsoftonline.com",
        }
    ),
    scopes=(
        ScopeNeed(
            DIRECTORY,
            "grants",
            "neither accounts nor apps nor their access can be listed",
            also=("applications", "assignments", "changes"),
        ),
        ScopeNeed(
            USERS,
            "push",
            "an account that is disabled or deleted is noticed after minutes instead of seconds",
            required=False,
        ),
        ScopeNeed(
            AUDIT,
            "activity",
            "grants have no dates, and unused access cannot be told from used",
            required=False,
        ),
        ScopeNeed(
            P1,
            "activity",
            "the tenant has no licence that lets apps read sign-ins, so unused access cannot be told from "
            "used, and when people last signed in is not known",
            required=False,
        ),
        ScopeNeed(AGENTS, "assets", "AI agents with an identity of their own are not listed", required=False),
        ScopeNeed(
            CONSENTS,
            "revoke",
            "the access that people gave to apps can only be revoked by hand",
            required=False,
        ),
        ScopeNeed(
            ROLES,
            "unassign",
            "permissions that apps hold for themselves, and people's assignment to apps, can only be taken "
            "away by hand",
            required=False,
        ),
        ScopeNeed(APPS, "apps", "apps can only be blocked by hand", required=False),
        ScopeNeed(AGENT_SWITCH, "agents", "AI agents can only be disabled by hand", required=False),
        ScopeNeed(SESSIONS, "sessions", "people can only be signed out by hand", required=False),
    ),
    quotas=(UNITS, REPORTS, WRITES),
    access_token_lifetime_s=5400,
    features=frozenset(
        {
            "grants",
            "applications",
            "assignments",
            "activity",
            "changes",
            "assets",
            "push",
            "revoke",
            "unassign",
            "apps",
            "agents",
            "sessions",
        }
    ),
    acts=MappingProxyType(
        {
            "revoke_grant": ActFact(frozenset({CONSENTS}), undo="The person can give the app access again."),
            "revoke_scopes": ActFact(frozenset({CONSENTS}), undo="The person can give the app access again."),
            "disable_app": ActFact(frozenset({APPS}), everyone=True, undo="Enable the app again."),
            "enable_app": ActFact(frozenset({APPS}), everyone=True, undo="Disable the app again."),
            "end_sessions": ActFact(frozenset({SESSIONS})),
            "disable_asset": ActFact(
                frozenset({AGENT_SWITCH}),
                undo="An administrator enables the agent identity again.",
                assets=frozenset({"agent"}),
            ),
        }
    ),
    push=PushFact("channel", ("users",), ttl_s=LIFE_S, renew_s=RENEW_S),
    history_days=MEMORY_DAYS,
)

CONSENT_REVOKED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Microsoft no longer accepts our access: Lantern was removed from your tenant or disabled there. Connect "
    "Microsoft Entra ID again.",
    connection_wide=True,
)
SCOPE_MISSING: Final = ErrorResolution(
    "config",
    "forbidden",
    "A permission that Lantern needs was not granted. Connect Microsoft Entra ID again.",
    connection_wide=True,
)
UNLICENSED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Your tenant no longer has the licence (Microsoft Entra ID P1) that records sign-ins for apps to read. "
    "Connect Microsoft Entra ID again so that Lantern goes on without them.",
)
_FORBIDDEN: Final = ErrorResolution("config", "forbidden", "Microsoft does not let Lantern do this.")
_REFUSED: Final = ErrorResolution(
    "rate_limited",
    "rate_limited",
    "Microsoft's limit for this tenant is used up.",
    retry=True,
    refusal="yes",
)
_FAILED: Final = ErrorResolution(
    "transient", "provider_error", "Microsoft had a problem answering.", retry=True
)

STATUSES: Final = StatusTable(
    rows=(
        # A refused token is fetched anew; only the token endpoint can say that consent is gone.
        Row(
            401,
            401,
            ErrorResolution(
                "transient",
                "provider_error",
                "Microsoft did not accept our access.",
                retry=True,
                stale_token=True,
            ),
        ),
        Row(403, 403, UNLICENSED, frozenset({"Authentication_RequestFromNonPremiumTenantOrB2CTenant"})),
        Row(403, 403, SCOPE_MISSING, frozenset({"Authorization_RequestDenied", "accessDenied"})),
        Row(403, 403, _FORBIDDEN),
        Row(404, 404, ErrorResolution("system", "not_found", "Microsoft does not know this.")),
        Row(410, 410, ErrorResolution("system", "not_found", "Microsoft does not know this any more.")),
        Row(408, 409, _FAILED),
        Row(423, 423, _FAILED),
        Row(429, 429, _REFUSED),
        Row(
            503,
            503,
            ErrorResolution(
                "transient",
                "provider_error",
                "Microsoft had a problem answering.",
                retry=True,
                refusal="maybe",
            ),
        ),
        Row(500, 599, _FAILED),
    ),
    otherwise=ErrorResolution("system", "provider_error", "Microsoft did not accept what we asked."),
)

CODE_SPENT: Final = ErrorResolution(
    "config", "forbidden", "This consent has expired or was used already. Please start again."
)
UNPROVEN: Final = ErrorResolution(
    "config",
    "malformed",
    "Microsoft's statement of who gave consent, or for which tenant, could not be verified. Please start "
    "again.",
)
_OUR_FAULT: Final = ErrorResolution(
    "system", "provider_error", "Microsoft did not accept our registration.", connection_wide=True
)
_GONE: Final = frozenset(
    {
        "unauthorized_client",
        "AADSTS700016",  # our app is not in this tenant
        "AADSTS7000229",  # our app has no service principal in this tenant
        "AADSTS7000112",  # our app is disabled in this tenant
        "AADSTS90002",  # there is no such tenant
    }
)

LOGIN_STATUSES: Final = StatusTable(
    rows=(
        Row(400, 401, CONSENT_REVOKED, _GONE),
        Row(400, 400, CODE_SPENT, frozenset({"invalid_grant"})),  # RFC 6749 section 5.2
        Row(429, 429, _REFUSED),
        Row(408, 408, _FAILED),
        Row(500, 599, _FAILED),
    ),
    otherwise=_OUR_FAULT,
)
