"""The tables that can be queried: their fields, which of these can be filtered, and who sees which rows.

Filter properties and access rules as in the Object Reference (`OauthToken`, `LoginHistory`, `User`,
`ConnectedApplication`, `AppMenuItem`, `BotDefinition`, `BotVersion`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .model import Person, World

Values = dict[str, Any]


def when(at: float | None) -> datetime | None:
    """An instant of the world."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` gives those the caller sees. `stops_at`: no query returns more, and none says so."""

    fields: frozenset[str]
    unfilterable: frozenset[str]
    rows: Callable[[World, Person], Iterable[Values]]
    page: int = 2_000
    stops_at: int | None = None


def _tokens(world: World, caller: Person) -> Iterable[Values]:
    everybody = "CustomizeApplication" in caller.permissions
    for token in world.tokens:
        if everybody or token.user_id == caller.id:
            yield {
                "Id": None,
                "UserId": token.user_id,
                "AppName": token.app_name,
                "AppMenuItemId": token.menu_id,
                "CreatedDate": when(token.created),
                "LastUsedDate": when(token.last_used),
                "UseCount": token.uses,
                "DeleteToken": token.delete_token,
                "AccessToken": token.access_token,
            }


def _users(world: World, caller: Person) -> Iterable[Values]:
    everybody = "ManageUsers" in caller.permissions
    for person in world.people.values():
        if everybody or person.id == caller.id:
            yield {
                "Id": person.id,
                "Name": person.name,
                "Username": person.email,
                "Email": person.email,
                "FederationIdentifier": person.federation,
                "IsActive": person.active,
                "UserType": person.user_type,
                "Department": person.department,
                "LastLoginDate": when(person.last_login),
                "LastModifiedDate": when(person.modified),
                "Profile.UserLicense.Name": person.licence,
            }


def _logins(world: World, caller: Person) -> Iterable[Values]:
    everybody = "ManageUsers" in caller.permissions
    for one in world.sign_ins:
        if everybody or one.user_id == caller.id:
            yield {
                "UserId": one.user_id,
                "Application": one.application,
                "LoginTime": when(round(one.at, 3)),
                "LoginType": one.kind,
                "Status": one.status,
            }


def _rights(_: World, caller: Person) -> Iterable[Values]:
    yield {
        f"Permissions{name}": name in caller.permissions
        for name in ("CustomizeApplication", "ManageUsers", "ViewSetup")
    }


def _organisation(world: World, _: Person) -> Iterable[Values]:
    yield {"Id": world.organisation_id, "Name": world.spec.name, "IsSandbox": False}


def _assignments(world: World, _: Person) -> Iterable[Values]:
    for person in world.people.values():
        yield {
            "AssigneeId": person.id,
            "PermissionSet.PermissionsManageUsers": "ManageUsers" in person.permissions,
        }


def _apps(world: World, _: Person) -> Iterable[Values]:
    for app in world.apps.values():
        if app.menu_id:
            yield {
                "Id": app.application_id,
                "Name": app.name,
                "OptionsAllowAdminApprovedUsersOnly": app.approved_only,
                "CreatedDate": when(round(app.created, 3)),
            }


def _menu(world: World, _: Person) -> Iterable[Values]:
    for app in world.apps.values():
        if app.menu_id:
            # The reference: "the 15-character ID".
            yield {
                "Id": app.menu_id,
                "Label": app.name,
                "ApplicationId": app.application_id[:15],
                "Type": "ConnectedApplication",
            }


def _agents(world: World, _: Person) -> Iterable[Values]:
    for agent in world.agents:
        yield {
            "Id": agent.id,
            "MasterLabel": agent.label,
            "DeveloperName": agent.label.replace(" ", "_"),
            "Type": agent.type,
            "AgentType": agent.agent_type,
            "BotUserId": agent.user_id,
            "CreatedDate": when(round(agent.created, 3)),
        }


def _versions(world: World, _: Person) -> Iterable[Values]:
    for agent in world.agents:
        yield {"BotDefinitionId": agent.id, "Status": "Active" if agent.active else "Inactive"}


def _fields(text: str) -> frozenset[str]:
    return frozenset(text.split())


TABLES: dict[str, Table] = {
    "OauthToken": Table(
        _fields(
            "Id UserId AppName AppMenuItemId CreatedDate LastUsedDate UseCount DeleteToken AccessToken "
            "RequestToken"
        ),
        frozenset(),
        _tokens,
        page=500,
        stops_at=2_500,
    ),
    "User": Table(
        _fields(
            "Id Name Username Email FederationIdentifier IsActive UserType Department LastLoginDate "
            "LastModifiedDate Profile.UserLicense.Name"
        ),
        frozenset(),
        _users,
    ),
    "LoginHistory": Table(
        _fields("UserId Application LoginTime LoginType Status"), frozenset({"Application"}), _logins
    ),
    "UserPermissionAccess": Table(
        _fields("PermissionsCustomizeApplication PermissionsManageUsers PermissionsViewSetup"),
        frozenset({"PermissionsCustomizeApplication"}),
        _rights,
    ),
    "Organization": Table(_fields("Id Name IsSandbox"), frozenset(), _organisation),
    "PermissionSetAssignment": Table(
        _fields("AssigneeId PermissionSet.PermissionsManageUsers"), frozenset(), _assignments
    ),
    "ConnectedApplication": Table(
        _fields("Id Name OptionsAllowAdminApprovedUsersOnly CreatedDate"), frozenset(), _apps
    ),
    "AppMenuItem": Table(_fields("Id Label ApplicationId Type"), frozenset(), _menu),
    "BotDefinition": Table(
        _fields("Id MasterLabel DeveloperName Type AgentType BotUserId CreatedDate"), frozenset(), _agents
    ),
    "BotVersion": Table(_fields("BotDefinitionId Status"), frozenset(), _versions),
}
