"""Facts about Slack: endpoints, permissions, limits per method, and what its error words mean.

Sources: docs.slack.dev method reference pages (scopes, tiers, errors), "Rate limits" (tiers 1 to 4: about
1, 20, 50 and 100 calls a minute, per method and workspace), "Audit Logs API" (tier 3, counted over all apps
of the organisation).
"""

from types import MappingProxyType
from typing import Final

from lantern.connectors.protocol import ActFact, Manifest, PushFact, Quota, ScopeNeed
from lantern.connectors.resolution import ErrorResolution, Row, StatusTable

USERS: Final = "users:read"
EMAIL: Final = "users:read.email"
CHAT: Final = "chat:write"
COMMANDS: Final = "commands"
ADMIN: Final = "admin"
APPS: Final = "admin.apps:read"
APPS_WRITE: Final = "admin.apps:write"
AUDIT: Final = "auditlogs:read"
WORKFLOWS: Final = "admin.workflows:read"

BOT_SCOPES: Final = (USERS, EMAIL, CHAT, COMMANDS)
WORKSPACE_SCOPES: Final = (ADMIN,)
"""User permissions asked of a workspace. `admin`, of the classic kind, alone opens the integration log."""
ENTERPRISE_SCOPES: Final = (APPS, APPS_WRITE, AUDIT, WORKFLOWS)
"""User permissions asked of an Enterprise organisation; Slack refuses them to anything else."""

TIERS: Final = MappingProxyType({1: 1, 2: 20, 3: 50, 4: 100})
METHODS: Final = MappingProxyType(
    {
        "auth.test": 4,
        "auth.revoke": 3,
        "auth.teams.list": 2,
        "team.integrationLogs": 2,
        "users.list": 2,
        "users.info": 4,
        "users.lookupByEmail": 3,
        "admin.apps.approved.list": 2,
        "admin.apps.restricted.list": 2,
        "admin.apps.requests.list": 2,
        "admin.apps.approve": 2,
        "admin.apps.restrict": 2,
        "admin.apps.uninstall": 2,
        "admin.apps.mcp.servers.list": 3,
        "admin.apps.mcp.servers.permissions.list": 3,
        "admin.functions.list": 2,
        "admin.workflows.search": 2,
    }
)
"""The tier of each method we call; each has a limit of its own."""
AUDIT_QUOTA: Final = "audit"

_ENTERPRISE: Final = "only on Slack's Enterprise plan, installed on the organisation by an org owner: "
_API_RULES: Final = (
    "from the first decision made by API, Slack turns off its own page for app approval: all later decisions "
    "are made here"
)

MANIFEST: Final = Manifest(
    provider="slack",
    title="Slack",
    endpoints=MappingProxyType(
        {
            "api": "https://slack.com/api",
            "audit": "https://api.slack.com/audit/v1",
            "authorize": "https://slack.com/oauth/v2/authorize",
        }
    ),
    scopes=(
        ScopeNeed(USERS, "grants", "members and bots cannot be listed, so no app can be found"),
        ScopeNeed(
            EMAIL,
            "grants",
            "members cannot be recognised as the people they are at your other providers",
            required=False,
        ),
        ScopeNeed(
            CHAT,
            "messages",
            "alerts and questions to people cannot be sent by Slack",
            required=False,
        ),
        ScopeNeed(
            COMMANDS,
            "messages",
            "people cannot ask for a tool by typing /lantern",
            required=False,
        ),
        ScopeNeed(
            ADMIN,
            "grants",
            "on a paid plan the integration log stays closed: who added which app, with which permissions "
            "and when, stays unknown; only apps with a bot are seen",
            required=False,
        ),
        ScopeNeed(
            AUDIT,
            "grants",
            _ENTERPRISE
            + "who installed which app and when stays unknown; changes are seen by the nightly read only",
            required=False,
        ),
        ScopeNeed(
            APPS,
            "assets",
            _ENTERPRISE + "apps approved, restricted and asked for stay unknown, and so do MCP servers",
            required=False,
        ),
        ScopeNeed(
            APPS_WRITE,
            "apps",
            _ENTERPRISE + "apps cannot be approved, restricted or uninstalled from here",
            required=False,
        ),
        ScopeNeed(
            WORKFLOWS, "assets", _ENTERPRISE + "workflows and the apps they call stay unseen", required=False
        ),
    ),
    quotas=(
        *(Quota(method, TIERS[tier], 60.0) for method, tier in METHODS.items()),
        Quota(AUDIT_QUOTA, TIERS[3], 60.0),
    ),
    access_token_lifetime_s=0,  # tokens live until they are revoked: rotation is off
    features=frozenset({"grants", "changes", "assets", "push", "apps", "messages"}),
    acts=MappingProxyType(
        {
            "approve_app": ActFact(
                frozenset({APPS_WRITE, APPS}),
                everyone=True,
                undo=f"Restrict the app. Mind that {_API_RULES}.",
            ),
            "restrict_app": ActFact(
                frozenset({APPS_WRITE, APPS}),
                everyone=True,
                undo="Approve the app. What is installed already stays until it is uninstalled. Mind that "
                f"{_API_RULES}.",
            ),
            "uninstall_app": ActFact(frozenset({APPS_WRITE, APPS}), everyone=True),
            "revoke_grant": ActFact(
                frozenset(), undo="The person can install the app again.", by_hand=frozenset({"*"})
            ),
        }
    ),
    push=PushFact(
        "app",
        (
            "app_uninstalled", "tokens_revoked", "team_join", "user_change", "app_requested",
            "app_rate_limited",
        ),
    ),
)  # fmt: skip

CONSENT_REVOKED: Final = ErrorResolution(
    "config",
    "forbidden",
    "Slack no longer accepts our access: Lantern was removed, or the person who installed it was "
    "deactivated. Connect Slack again.",
    connection_wide=True,
)
SCOPE_MISSING: Final = ErrorResolution(
    "config",
    "forbidden",
    "A permission that Lantern needs was not granted. Connect Slack again and accept all of them.",
)
NOT_IN_PLAN: Final = ErrorResolution("config", "forbidden", "This Slack plan does not offer this.")
_FORBIDDEN: Final = ErrorResolution(
    "config", "forbidden", "Slack does not let the person who installed Lantern do this."
)
_REFUSED: Final = ErrorResolution(
    "rate_limited", "rate_limited", "Slack's limit for this is used up.", retry=True, refusal="yes"
)
_FAILED: Final = ErrorResolution("transient", "provider_error", "Slack had a problem answering.", retry=True)
_UNKNOWN: Final = ErrorResolution("system", "not_found", "Slack does not know this.")
STALE_CURSOR: Final = ErrorResolution(
    "transient", "provider_error", "Slack no longer knows where the listing stood.", retry=False
)
UNCLEAR: Final = ErrorResolution("system", "provider_error", "Slack did not accept what we asked.")

DEAD_WORDS: Final = frozenset(
    {"token_revoked", "account_inactive", "invalid_auth", "not_authed", "token_expired"}
)
PLAN_WORDS: Final = frozenset(
    {
        "paid_only", "paid_teams_only", "plan_upgrade_required", "feature_not_enabled", "not_an_enterprise",
        "enterprise_only", "method_not_supported_for_channel_type", "app_management_app_not_installed_on_org",
    }
)  # fmt: skip
_FORBIDDEN_WORDS: Final = frozenset(
    {
        "no_permission", "not_allowed", "not_allowed_token_type", "not_an_admin", "permission_denied",
        "restricted_action", "access_denied", "accesslimited", "user_not_visible", "team_access_not_granted",
        "enterprise_is_restricted", "team_is_restricted", "user_is_restricted", "ekm_access_denied",
    }
)  # fmt: skip
_UNKNOWN_WORDS: Final = frozenset({"user_not_found", "users_not_found", "app_not_found", "invalid_app_id"})
_FAILED_WORDS: Final = frozenset(
    {
        "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org",
        "org_login_required", "server_error",
    }
)  # fmt: skip


def _said(resolution: ErrorResolution, words: frozenset[str]) -> Row:
    """Slack says the same words under 200 (Web API) and under 4xx (Audit Logs API)."""
    return Row(200, 499, resolution, words)


_WORDS: Final = (
    _said(CONSENT_REVOKED, DEAD_WORDS),
    _said(SCOPE_MISSING, frozenset({"missing_scope"})),
    _said(NOT_IN_PLAN, PLAN_WORDS),
    _said(_FORBIDDEN, _FORBIDDEN_WORDS),
    _said(_UNKNOWN, _UNKNOWN_WORDS),
    _said(STALE_CURSOR, frozenset({"invalid_cursor"})),
    _said(_REFUSED, frozenset({"ratelimited", "rate_limited"})),
    _said(_FAILED, _FAILED_WORDS),
)
_HTTP: Final = (
    # Slack names what is wrong with a token; a 401 without a word comes from something in between.
    Row(401, 401, _FAILED),
    Row(403, 403, _FORBIDDEN),
    Row(408, 408, _FAILED),
    Row(429, 429, _REFUSED),
    Row(500, 599, _FAILED),
)

STATUSES: Final = StatusTable(rows=(*_WORDS, *_HTTP), otherwise=UNCLEAR)

CODE_SPENT: Final = ErrorResolution(
    "config", "forbidden", "This consent has expired or was used already. Please start again."
)
NOT_ORGANISATION: Final = ErrorResolution(
    "config",
    "forbidden",
    "Lantern was installed on one workspace. Start again and choose the whole organisation, at the top.",
)
UNPROVEN: Final = ErrorResolution(
    "config", "malformed", "Slack's answer does not say who gave consent. Please start again."
)
_OUR_FAULT: Final = ErrorResolution(
    "system", "provider_error", "Slack did not accept our registration.", connection_wide=True
)

OAUTH_STATUSES: Final = StatusTable(
    rows=(
        _said(CODE_SPENT, frozenset({"invalid_code", "code_already_used", "code_expired"})),
        _said(
            _OUR_FAULT,
            frozenset({"invalid_client_id", "bad_client_secret", "bad_redirect_uri", "invalid_team"}),
        ),
        *_WORDS,
        *_HTTP,
    ),
    otherwise=_OUR_FAULT,
)
