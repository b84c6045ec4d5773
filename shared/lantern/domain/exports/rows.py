"""What one line of an export states, whatever format it came in.

A row says only what the export says: a fact that is absent is None and stays unknown. Rows of one
organisation may come from several files in any order; `census` joins them.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final, NamedTuple

from lantern.domain.apps import AppStatus
from lantern.domain.inventory import AppKind, PrincipalKind, PrincipalStatus, Provider
from lantern.domain.scopes import Kind

NO_ROLES: Final[Mapping[str, str]] = MappingProxyType({})


class Permission(NamedTuple):
    """One permission as granted.

    `role_of` names the app (by its key) that defines it: `scope` is then the id of one of that app's roles,
    whose name is known once that app's row is there.
    """

    scope: str
    kind: Kind | None = None
    tenant_wide: bool = False
    role_of: str | None = None


class AccountRow(NamedTuple):
    """An account. `key` is how grants of the same provider name it; `email` is a second way to name it."""

    provider: Provider
    key: str
    email: str | None = None
    name: str | None = None
    status: PrincipalStatus | None = None
    admin: bool | None = None
    kind: PrincipalKind = "user"


class AppRow(NamedTuple):
    """An app.

    `key` is how grants of the same provider name it, `client_id` what the catalog knows it by.
    `declared` is what it may do by its own registration. `roles` are names of the permissions that it
    defines for others, by id. `platform` marks a part of the provider itself.
    """

    provider: Provider
    key: str
    client_id: str | None = None
    name: str | None = None
    publisher: str | None = None
    domains: tuple[str, ...] = ()
    verified_publisher: bool | None = None
    kind: AppKind = "oauth"
    status: AppStatus | None = None
    declared: frozenset[Permission] | None = None
    roles: Mapping[str, str] = NO_ROLES
    platform: bool = False


class GrantRow(NamedTuple):
    """An app's access.

    `account` is whose data it is, None for the whole organisation; `account_alias` is a second name of that
    account. `permissions` None means that the export does not tell them.
    """

    provider: Provider
    account: str | None
    app: str
    permissions: frozenset[Permission] | None
    client_id: str | None = None
    app_name: str | None = None
    account_alias: str | None = None
    domains: tuple[str, ...] = ()
    publisher: str | None = None
    kind: AppKind = "oauth"
    granted_on: date | None = None
    last_used: date | None = None


class BadRow(NamedTuple):
    """A line that could not be used, and why; the rest of the file was read all the same."""

    line: int
    reason: str


class VisitRow(NamedTuple):
    """One line of a log of the web: somebody went somewhere.

    `host` is a name or an address as it was asked for, lower case, ASCII. `user` is an e-mail address or a
    name, None where the log names nobody. Bytes are None where the log does not tell them. `blocked`: the
    gateway refused it, so nobody arrived.
    """

    line: int
    day: date
    user: str | None
    host: str
    bytes_out: int | None = None
    bytes_in: int | None = None
    blocked: bool = False


Row = AccountRow | AppRow | GrantRow
AnyRow = Row | VisitRow
