"""Names and shapes that the parts of the simulated Microsoft share."""

import base64
import uuid
from dataclasses import dataclass, field
from typing import Any

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_ADMIN = "e8611ab8-c189-46e8-94e1-60213ab1f814"
APP_ADMIN = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
READERS = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
ROLE_NAMES = {
    GLOBAL_ADMIN: "Global Administrator",
    PRIVILEGED_ADMIN: "Privileged Role Administrator",
    APP_ADMIN: "Application Administrator",
    READERS: "Directory Readers",
}
NO_ROLE = "00000000-0000-0000-0000-000000000000"

OUR_ROLES = (
    "Directory.Read.All", "User.Read.All", "AuditLog.Read.All", "AgentIdentity.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All",
    "AgentIdentity.EnableDisable.All", "User.RevokeSessions.All",
)  # fmt: skip
GRAPH_ROLES = (
    *OUR_ROLES, "Mail.Read", "Mail.Send", "Files.Read.All", "Sites.FullControl.All", "User.ReadWrite.All",
    "Calendars.Read", "Chat.Read.All", "Group.Read.All",
)  # fmt: skip

Json = dict[str, Any]


def guid(*parts: object) -> str:
    """A guid that follows from its parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\x1f".join(str(part) for part in parts)))


def grant_id(client: str, resource: str, principal: str | None) -> str:
    """The id of a grant as Graph makes it: the guids of client, resource and principal."""
    raw = b"".join(uuid.UUID(one).bytes_le for one in (client, resource, principal) if one)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def shown(row: Json) -> Json:
    """A row without what only the simulator knows."""
    return {key: value for key, value in row.items() if not key.startswith("_")}


@dataclass(frozen=True, slots=True)
class AppRegistration:
    """The product's own registration; `thumbprint` (hex SHA-256) and `public_key` for assertions."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    name: str = "Lantern"
    roles: tuple[str, ...] = OUR_ROLES
    public_key: str = ""
    thumbprint: str = ""


@dataclass(slots=True)
class Tenant:
    """One tenant: rows are Graph's JSON by id; names with an underscore are the simulator's own."""

    id: str
    name: str
    domain: str
    spec: Json
    anchor: float
    p1: bool = True
    users: dict[str, Json] = field(default_factory=dict)
    deleted: dict[str, Json] = field(default_factory=dict)
    apps: dict[str, Json] = field(default_factory=dict)
    grants: dict[str, Json] = field(default_factory=dict)
    roles: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    sponsors: dict[str, list[str]] = field(default_factory=dict)
    owners: dict[str, list[str]] = field(default_factory=dict)
    managers: dict[str, str] = field(default_factory=dict)
    audits: list[Json] = field(default_factory=list)
    sign_ins: list[Json] | None = None
    subscriptions: dict[str, Json] = field(default_factory=dict)
    log: list[tuple[int, str, str]] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)
    seq: int = 0
    epoch: int = 0

    def app(self, app_id: str) -> Json | None:
        """The service principal of an app."""
        return next((row for row in self.apps.values() if row["appId"] == app_id), None)

    def user(self, key: str) -> Json | None:
        """A living user by id or sign-in name."""
        found = self.users.get(key)
        if found is None:
            wanted = key.lower()
            found = next((u for u in self.users.values() if u["userPrincipalName"].lower() == wanted), None)
        return found

    def roles_of(self, user_id: str) -> set[str]:
        """The directory roles (templates) of a user, through groups too."""
        inside = {user_id} | {group for group in self.groups if user_id in self.members.get(group, ())}
        return {role for role in ROLE_NAMES if inside & set(self.members.get(role, ()))}
