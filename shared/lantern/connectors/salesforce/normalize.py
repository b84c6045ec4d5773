"""Salesforce's rows as Lantern's records. Pure; whatever has not the documented shape is refused whole."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lantern.connectors.salesforce.manifest import INSTALLED, PRE_APPROVED, UNDISCLOSED
from lantern.domain import ids
from lantern.domain.assets import Asset, AssetState
from lantern.domain.inventory import App, ObservedGrant, Principal, PrincipalKind

NAME_LIMIT: Final = 200
UNNAMED: Final = "App without a name"
BY_NAME: Final = "name:"
"""Begins the client id of an app that is not installed: it has no id, only the name it gives itself."""
_MACHINES: Final = frozenset({"AutomatedProcess", "CloudIntegrationUser"})
_INTEGRATION: Final = (
    "Salesforce Integration"  # the licence "Salesforce Integration" is for API-only accounts
)
_DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
Row = Mapping[str, Any]


class MalformedError(ValueError):
    """A row that is not as documented."""


@dataclass(frozen=True, slots=True)
class Token:
    """One OAuth token: whose, which app's, since when, and when it was used last."""

    native_id: str
    client_id: str
    name: str
    created: datetime | None
    last_used: datetime | None


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in of an app for an account, by the name the app had."""

    native_id: str
    application: str
    at: datetime
    succeeded: bool


def label(value: str) -> str:
    """A name chosen by strangers: control characters become spaces, and it has an end."""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value[:NAME_LIMIT])
    return clean.strip()


def canonical(native_id: str) -> str:
    """An id in its form of 18 characters, which holds without regard to case; the API gives either."""
    if len(native_id) != 15 or not native_id.isascii() or not native_id.isalnum():
        return native_id
    parts = (native_id[i : i + 5] for i in (0, 5, 10))
    return native_id + "".join(
        _DIGITS[sum(1 << place for place, c in enumerate(part) if c.isupper())] for part in parts
    )


def instant(value: Any) -> datetime:
    """A time such as `2026-11-20T10:11:12.000+0000`, in UTC.

    Raises:
        MalformedError: it is none.
    """
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MalformedError("not a time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def principal(
    row: Row, *, connection_id: str, organisation_id: str, admins: frozenset[str] | None
) -> Principal:
    """A `User` as a principal; `admins` are the ids of those who may manage users, None where not known.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    native_id = canonical(_text(row, "Id"))
    identifier = ids.principal_id("salesforce", organisation_id, native_id)
    active = row.get("IsActive")
    if not isinstance(active, bool):
        raise MalformedError("IsActive is missing")
    email, name = _optional(row, "Email"), _optional(row, "Name")
    federated = _optional(row, "FederationIdentifier")
    last = row.get("LastLoginDate")
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=native_id,
        kind=_kind(row),
        status="active" if active else "suspended",
        person_id=ids.person_id(identifier),
        email=email.lower() if email else None,
        name=label(name) if name else None,
        admin=None if admins is None else native_id in admins,
        org_unit=_optional(row, "Department"),
        last_login=instant(last).date() if last is not None else None,
        aliases=(federated.lower(),)
        if federated and "@" in federated and federated.lower() != (email or "").lower()
        else (),
    )


def organisation(organisation_id: str, connection_id: str) -> Principal:
    """The organisation itself, which holds what was installed for all."""
    identifier = ids.principal_id("salesforce", organisation_id, organisation_id)
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=organisation_id,
        kind="organisation",
        status="active",
        person_id=ids.person_id(identifier),
    )


def _kind(row: Row) -> PrincipalKind:
    profile = row.get("Profile")
    licence = profile.get("UserLicense") if isinstance(profile, dict) else None
    named = licence.get("Name") if isinstance(licence, dict) else None
    return "service" if row.get("UserType") in _MACHINES or named == _INTEGRATION else "user"


def client_of(menu_item: str | None, name: str | None) -> str:
    """What an app is known by: its id in the organisation's menu of apps, which only installed ones have."""
    return canonical(menu_item) if menu_item else BY_NAME + (name or "")


def token(row: Row) -> Token:
    """A row of `OauthToken`.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    name = _optional(row, "AppName")
    return Token(
        native_id=canonical(_text(row, "UserId")),
        client_id=client_of(_optional(row, "AppMenuItemId"), name),
        name=label(name or "") or UNNAMED,
        created=_time(row, "CreatedDate"),
        last_used=_time(row, "LastUsedDate"),
    )


def grants(tokens: Iterable[Token]) -> tuple[ObservedGrant, ...]:
    """What tokens of one account come to: one grant per app, given when the oldest that still lives was."""
    found: dict[str, list[Token]] = defaultdict(list)
    for one in tokens:
        found[one.client_id].append(one)
    made = [_grant(client, held) for client, held in found.items()]
    return tuple(sorted(made, key=lambda g: g.app.id))


def _grant(client_id: str, held: list[Token]) -> ObservedGrant:
    created = [one.created for one in held if one.created]
    return ObservedGrant(
        app=_app(client_id, min(one.name for one in held)),
        scopes=frozenset({UNDISCLOSED}),
        granted_on=min(created).date() if created else None,
    )


def installations(apps: Iterable[Row], menu: Iterable[Row]) -> tuple[ObservedGrant, ...]:
    """Installed apps, as the organisation's grants; those that are in no menu cannot be told from others.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    items = {canonical(_text(row, "ApplicationId")): canonical(_text(row, "Id")) for row in menu}
    found = []
    for row in apps:
        client = items.get(canonical(_text(row, "Id")))
        if client is None:
            continue
        approved = row.get("OptionsAllowAdminApprovedUsersOnly") is True
        created = _time(row, "CreatedDate")
        found.append(
            ObservedGrant(
                app=_app(client, label(_text(row, "Name")) or UNNAMED),
                scopes=frozenset({PRE_APPROVED if approved else INSTALLED}),
                granted_on=created.date() if created else None,
                source="installation",
            )
        )
    return tuple(sorted(found, key=lambda g: g.app.id))


def _app(client_id: str, name: str) -> App:
    return App(ids.app_id("salesforce", client_id), "salesforce", client_id, name)


def clients_by_label(menu: Iterable[Row]) -> dict[str, str | None]:
    """Name of an app → its client id; None where several installed apps have that name."""
    found: dict[str, str | None] = {}
    for row in menu:
        name, client = label(_text(row, "Label")), canonical(_text(row, "Id"))
        found[name] = client if found.get(name, client) == client else None
    return found


def sign_in(row: Row) -> SignIn | None:
    """A row of `LoginHistory`; None where it names no app.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    application = _optional(row, "Application")
    if not application:
        return None
    return SignIn(
        canonical(_text(row, "UserId")),
        application,
        instant(row.get("LoginTime")),
        row.get("Status") == "Success",
    )


def agents(
    rows: Iterable[Row], active: frozenset[str] | None, *, connection_id: str, organisation_id: str
) -> tuple[Asset, ...]:
    """Agents and bots; `active` are the ids of those with a version in service, None where not known.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    found = []
    for row in rows:
        native_id = canonical(_text(row, "Id"))
        state: AssetState = "unknown" if active is None else "active" if native_id in active else "disabled"
        user = _optional(row, "BotUserId")
        found.append(
            Asset(
                id=ids.asset_id(connection_id, "agent", native_id),
                connection_id=connection_id,
                kind="agent",
                native_id=native_id,
                name=label(_optional(row, "MasterLabel") or _text(row, "DeveloperName")),
                state=state,
                owner=ids.principal_id("salesforce", organisation_id, canonical(user)) if user else None,
                created_at=_time(row, "CreatedDate"),
                facts={"type": _optional(row, "Type"), "agent_type": _optional(row, "AgentType")},
            )
        )
    return tuple(sorted(found, key=lambda asset: asset.id))


def _time(row: Row, name: str) -> datetime | None:
    value = row.get(name)
    return None if value is None else instant(value)


def _text(row: Any, name: str) -> str:
    value = row.get(name) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{name} is missing")
    return value


def _optional(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise MalformedError(f"{name} is no text")
    return value or None
