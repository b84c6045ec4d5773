"""Slack's JSON as Lantern's records. Pure; whatever has not the documented shape is refused whole."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from lantern.connectors.slack.ledger import ChangeKind, Entry
from lantern.domain import ids
from lantern.domain.inventory import App, Principal

NAME_LIMIT: Final = 200
SLACKBOT: Final = "USLACKBOT"
NOBODY: Final = frozenset({"", "USLACKUSER", SLACKBOT})
"""Who acts where no member did: Slack itself (Audit Logs API reference, `actor`)."""

_CHANGES: Final[Mapping[str, ChangeKind]] = {
    "added": "added",
    "removed": "removed",
    "enabled": "enabled",
    "disabled": "disabled",
    "updated": "updated",
    "expanded": "expanded",
}
_APP_ACTIONS: Final[Mapping[str, ChangeKind]] = {
    "app_installed": "added",
    "app_scopes_expanded": "expanded",
    "app_resources_added": "touched",
    "app_resources_granted": "touched",
    "app_uninstalled": "removed",
    "app_approved": "touched",
    "app_restricted": "touched",
    "app_removed_from_whitelist": "touched",
    "bot_token_upgraded": "expanded",
}
ACCOUNT_ACTIONS: Final = (
    "user_created", "user_deactivated", "user_reactivated", "guest_created", "guest_deactivated",
    "guest_reactivated", "role_change_to_admin", "role_change_to_owner", "role_change_to_user",
    "role_change_to_guest", "user_email_updated",
)  # fmt: skip
INSTALL_ACTIONS: Final = tuple(_APP_ACTIONS)
_ROLES: Final = ("is_admin", "is_owner", "is_primary_owner")


class MalformedError(ValueError):
    """A part of an answer that is not as documented; the whole answer says nothing then."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose accounts these are. `enterprise`: ids are those of the organisation, not of one workspace."""

    connection_id: str
    organisation_id: str
    enterprise: bool


@dataclass(frozen=True, slots=True)
class Member:
    """One row of the members' list: the account, the workspaces it is in, and the app whose bot it is."""

    principal: Principal
    teams: frozenset[str]
    bot_of: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """An app on one of the lists of approved, restricted or requested apps.

    `permissions` is None where the list does not say. `by` is who decided or asked.
    """

    policy: Literal["approved", "restricted", "requested"]
    app: App
    permissions: frozenset[str] | None
    by: str | None
    at: datetime | None


def label(value: Any) -> str:
    """A name chosen by strangers: control characters become spaces, and it has an end; empty for no text."""
    if not isinstance(value, str):
        return ""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value[:NAME_LIMIT])
    return clean.strip()


def native_id(user: Mapping[str, Any], *, enterprise: bool) -> str:
    """The account's id: on an Enterprise organisation the one it has in the organisation.

    Raises:
        MalformedError: it has none.
    """
    inner = user.get("enterprise_user")
    if enterprise and isinstance(inner, dict) and isinstance(inner.get("id"), str) and inner["id"]:
        return str(inner["id"])
    return _text(user, "id")


def administers(user: Mapping[str, Any], *, enterprise: bool) -> bool | None:
    """Whether a `user` administers the workspace, or the organisation; None where Slack does not say."""
    inner = user.get("enterprise_user")
    source = inner if enterprise and isinstance(inner, dict) else user
    flags = [source.get(role) for role in _ROLES]
    return True if True in flags else False if False in flags else None


def owns(user: Mapping[str, Any]) -> bool:
    """Whether a `user` is an owner of its Enterprise organisation."""
    inner = user.get("enterprise_user")
    return isinstance(inner, dict) and True in (inner.get("is_owner"), inner.get("is_primary_owner"))


def member(user: Any, owner: Owner) -> Member:
    """A `user` object as an account.

    A deactivated member stays known to Slack and can be activated again: suspended. Guests are told by their
    organisational unit.

    Raises:
        MalformedError: it has no id.
    """
    if not isinstance(user, dict):
        raise MalformedError("a user is no object")
    native = native_id(user, enterprise=owner.enterprise)
    identifier = ids.principal_id("slack", owner.organisation_id, native)
    found = user.get("profile")
    profile: Mapping[str, Any] = found if isinstance(found, dict) else {}
    email = profile.get("email")
    machine = user.get("is_bot") is True or user.get("is_workflow_bot") is True or native == SLACKBOT
    account = Principal(
        id=identifier,
        connection_id=owner.connection_id,
        native_id=native,
        kind="service" if machine else "user",
        status="suspended" if user.get("deleted") is True else "active",
        person_id=ids.person_id(identifier),
        email=email.lower() if isinstance(email, str) and email else None,
        name=label(profile.get("real_name"))
        or label(user.get("real_name"))
        or label(user.get("name"))
        or None,
        admin=administers(user, enterprise=owner.enterprise),
        org_unit=_guest(user),
    )
    app = profile.get("api_app_id")
    working = machine and user.get("deleted") is not True and user.get("is_workflow_bot") is not True
    bot_of = app if working and isinstance(app, str) and app else None
    return Member(account, _teams(user), bot_of)


def _guest(user: Mapping[str, Any]) -> str | None:
    if user.get("is_ultra_restricted") is True:
        return "Guests (one channel)"
    return "Guests" if user.get("is_restricted") is True else None


def _teams(user: Mapping[str, Any]) -> frozenset[str]:
    inner = user.get("enterprise_user")
    teams = inner.get("teams") if isinstance(inner, dict) else None
    return (
        frozenset(team for team in teams if isinstance(team, str)) if isinstance(teams, list) else frozenset()
    )


def organisation(owner: Owner, name: str) -> Principal:
    """The organisation itself as a holder: what acts for all of it."""
    identifier = ids.principal_id("slack", owner.organisation_id, owner.organisation_id)
    return Principal(
        id=identifier,
        connection_id=owner.connection_id,
        native_id=owner.organisation_id,
        kind="organisation",
        status="active",
        person_id=ids.person_id(identifier),
        name=name or None,
    )


def application(app_id: str, name: str, known: App | None = None) -> App:
    """An app of which little is known; `known` is what a list said of it."""
    if known is not None:
        return known
    return App(ids.app_id("slack", app_id), "slack", app_id, label(name) or app_id)


def listed(row: Any, policy: Literal["approved", "restricted", "requested"]) -> Listed:
    """A row of `admin.apps.{approved,restricted,requests}.list`.

    Raises:
        MalformedError: it has not the documented shape.
    """
    if not isinstance(row, dict) or not isinstance(row.get("app"), dict):
        raise MalformedError("an app is missing")
    app = row["app"]
    identifier = _text(app, "id")
    resolved, user = row.get("last_resolved_by"), row.get("user")
    by = resolved.get("actor_id") if isinstance(resolved, dict) else None
    if policy == "requested":
        by = user.get("id") if isinstance(user, dict) else None
    verified = app.get("is_app_directory_approved")
    return Listed(
        policy,
        App(
            id=ids.app_id("slack", identifier),
            provider="slack",
            client_id=identifier,
            name=label(app.get("name")) or identifier,
            kind="integration" if app.get("is_internal") is True else "oauth",
            publisher=label(app.get("developer_name")) or None,
            domains=tuple(dict.fromkeys(filter(None, (host(app.get(key)) for key in _ADDRESSES)))),
            verified_publisher=verified if isinstance(verified, bool) else None,
        ),
        _permissions(row.get("scopes")),
        by if isinstance(by, str) and by not in NOBODY else None,
        instant(row.get("date_created" if policy == "requested" else "date_updated")),
    )


_ADDRESSES: Final = ("app_homepage_url", "privacy_policy_url")


def host(address: Any) -> str | None:
    """The host of an address."""
    try:
        return urlsplit(address).hostname if isinstance(address, str) else None
    except ValueError:
        return None


def scheme(address: Any) -> str | None:
    """How an address is spoken to, such as `https`."""
    try:
        return (urlsplit(address).scheme or None) if isinstance(address, str) else None
    except ValueError:
        return None


def _permissions(scopes: Any) -> frozenset[str] | None:
    if not isinstance(scopes, list):
        return None
    named = [scope.get("name") if isinstance(scope, dict) else scope for scope in scopes]
    found = frozenset(name for name in named if isinstance(name, str))
    if len(found) < len({str(name) for name in named}):
        raise MalformedError("a scope has no name")
    return found


def instant(value: Any) -> datetime | None:
    """Epoch seconds, as a number or as text; None where it is neither."""
    try:
        return datetime.fromtimestamp(float(value), UTC) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError, OSError):
        return None


def integration(row: Any, team: str) -> Entry | None:
    """A line of `team.integrationLogs`; None for a line about no app (an RSS feed's subscription, say).

    A line names an app (`app_id`), or one configuration of an old-style service (`service_id`).

    Raises:
        MalformedError: it has not the documented shape.
    """
    if not isinstance(row, dict):
        raise MalformedError("a line is no object")
    app, service = row.get("app_id"), row.get("service_id")
    at = instant(row.get("date"))
    if at is None:
        raise MalformedError("a line has no date")
    kind = _CHANGES.get(str(row.get("change_type")))
    identifier = str(app) if app else str(service) if service else ""
    if kind is None or not identifier or row.get("rss_feed") is True:
        return None
    scope, user = row.get("scope"), row.get("user_id")
    return Entry(
        key=f"{row.get('date')}|{identifier}|{user}|{kind}",
        at=at,
        kind=kind,
        app_id=identifier,
        app_name=label(row.get("app_type") if app else row.get("service_type")),
        user_id=user if isinstance(user, str) and user not in NOBODY else None,
        team=team,
        scopes=frozenset(filter(None, (part.strip() for part in scope.split(","))))
        if isinstance(scope, str) and scope
        else None,
        whole=not app,
    )


def audited(row: Any) -> Entry | None:
    """An entry of the audit log; None where it is about neither an app nor an account.

    Raises:
        MalformedError: it has not the documented shape.
    """
    if not isinstance(row, dict):
        raise MalformedError("an entry is no object")
    at, action, key = instant(row.get("date_create")), _text(row, "action"), _text(row, "id")
    if at is None:
        raise MalformedError("an entry has no date")
    entity, details = _object(row, "entity"), _object(row, "details")
    actor = _object(_object(row, "actor"), "user")
    user = actor.get("id")
    if action in ACCOUNT_ACTIONS:
        account = _object(entity, "user").get("id")
        if not isinstance(account, str) or not account:
            return None
        return Entry(key, at, "account", "", "", account, "", None)
    app = _object(entity, "app")
    identifier = app.get("id")
    if action not in _APP_ACTIONS or not isinstance(identifier, str) or not identifier:
        return None
    place = _object(_object(row, "context"), "location")
    team = place.get("id") if place.get("type") == "workspace" else ""
    return Entry(
        key=key,
        at=at,
        kind=_APP_ACTIONS[action],
        app_id=identifier,
        app_name=label(app.get("name")),
        user_id=user if isinstance(user, str) and user not in NOBODY else None,
        team=team if isinstance(team, str) else "",
        scopes=_audited_scopes(app, details),
        whole=action == "app_uninstalled",
    )


def _audited_scopes(app: Mapping[str, Any], details: Mapping[str, Any]) -> frozenset[str] | None:
    """What an entry says the app holds: the new permissions, else those of the app itself."""
    for source, names in ((details, ("new_scopes", "bot_scopes", "user_scopes")), (app, ("scopes",))):
        found = [source[name] for name in names if isinstance(source.get(name), list)]
        if found:
            return frozenset(scope for part in found for scope in part if isinstance(scope, str))
    return None


def _object(row: Any, name: str) -> Mapping[str, Any]:
    value = row.get(name) if isinstance(row, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{name} is missing")
    return value
