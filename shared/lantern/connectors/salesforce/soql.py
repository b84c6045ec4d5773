"""Queries as text. Whatever comes from elsewhere goes through `text` or `at`, never into a query as it is."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

ON_TOKENS: Final = "UserId, AppName, AppMenuItemId, CreatedDate, LastUsedDate"
"""Neither `AccessToken` (it is the refresh token in the clear) nor `DeleteToken`: both open something."""
USER_FIELDS: Final = (
    "Id, Name, Username, Email, FederationIdentifier, IsActive, UserType, Department, LastLoginDate, "
    "Profile.UserLicense.Name"
)
INTERNAL: Final = ("Standard", "CsnOnly", "AutomatedProcess", "CloudIntegrationUser")
"""User types that work for the organisation; others are its customers, partners and visitors of its sites."""
SIGN_INS: Final = ("Remote Access 2.0", "Remote Access Client")
"""Login types of apps that come with OAuth."""


def text(value: str) -> str:
    """A string literal (SOQL reference, "Quoted String Escape Sequences")."""
    clean = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{clean}'"


def at(value: datetime) -> str:
    """A time literal, in UTC, to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def among(values: Iterable[str]) -> str:
    """The list of an `IN`."""
    return f"({', '.join(text(value) for value in values)})"


def select(fields: str, table: str, *conditions: str, tail: str = "") -> str:
    """A query; values in the conditions are literals made by `text`, `at` or `among`."""
    parts = ["SELECT", fields, "FROM", table]
    if conditions:
        parts += ["WHERE", " AND ".join(conditions)]
    return " ".join([*parts, tail]).rstrip()


_STAFF: Final = f"UserType IN {among(INTERNAL)}"


def tokens(where: str, fields: str = ON_TOKENS) -> str:
    """OAuth tokens for which a condition holds."""
    return select(fields, "OauthToken", where)


def counted(where: str) -> str:
    """How many tokens there are for which a condition holds."""
    return select("COUNT()", "OauthToken", where)


def users_after(native_id: str, limit: int) -> str:
    """The next accounts by id; paging by key, since a query's own pages expire while a run goes on."""
    after = [f"Id > {text(native_id)}"] if native_id else []
    return select(USER_FIELDS, "User", _STAFF, *after, tail=f"ORDER BY Id LIMIT {limit}")


def user(field: str, value: str) -> str:
    """The accounts whose id or address is this."""
    return select(USER_FIELDS, "User", f"{field} = {text(value)}", _STAFF)


def users_changed(since: datetime) -> str:
    """Accounts that somebody changed; signing in does not count."""
    return select("Id, IsActive, LastModifiedDate", "User", f"LastModifiedDate >= {at(since)}", _STAFF)


def sign_ins(since: datetime, until: datetime) -> str:
    """Sign-ins of apps in `[since, until)`."""
    return select(
        "UserId, Application, LoginTime, Status",
        "LoginHistory",
        f"LoginTime >= {at(since)}",
        f"LoginTime < {at(until)}",
        f"LoginType IN {among(SIGN_INS)}",
    )


RIGHTS_QUERY: Final = (
    "SELECT PermissionsCustomizeApplication, PermissionsManageUsers FROM UserPermissionAccess"
)
ORGANISATION: Final = "SELECT Id, Name FROM Organization"
ADMINS: Final = (
    "SELECT AssigneeId FROM PermissionSetAssignment WHERE PermissionSet.PermissionsManageUsers = true"
)
"""A profile is a permission set too, so that this names everybody who may."""
CONNECTED_APPS: Final = (
    "SELECT Id, Name, OptionsAllowAdminApprovedUsersOnly, CreatedDate FROM ConnectedApplication"
)
MENU: Final = "SELECT Id, Label, ApplicationId FROM AppMenuItem WHERE Type = 'ConnectedApplication'"
AGENTS: Final = (
    "SELECT Id, MasterLabel, DeveloperName, Type, AgentType, BotUserId, CreatedDate FROM BotDefinition"
)
ACTIVE_AGENTS: Final = "SELECT BotDefinitionId FROM BotVersion WHERE Status = 'Active'"
