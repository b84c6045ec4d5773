"""Credentials and tokens of people, in GitHub's JSON, as Lantern's records. Pure, as `normalize`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lantern.connectors.github.normalize import (
    MalformedError,
    Owner,
    account_id,
    instant,
    label,
    login,
    number_of,
    text_of,
)
from lantern.domain import ids
from lantern.domain.assets import Asset, Fact
from lantern.domain.inventory import App, ObservedGrant

# GitHub lists the tokens of apps that people authorised for single sign-on, and does not name the apps.
_TOKEN_APPS: Final[Mapping[str, App]] = {
    "OAuth app token": App(
        id=ids.app_id("github", "sso-oauth-app-token"),
        provider="github",
        client_id="sso-oauth-app-token",
        name="OAuth apps that GitHub does not name",
    ),
    "GitHub app token": App(
        id=ids.app_id("github", "sso-github-app-token"),
        provider="github",
        client_id="sso-github-app-token",
        name="GitHub Apps that GitHub does not name",
        kind="integration",
    ),
}
TOKEN_TYPES: Final[Mapping[str, str]] = {app.client_id: kind for kind, app in _TOKEN_APPS.items()}
"""Which type of credential each of these apps stands for, by client id."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that a person authorised for single sign-on."""

    id: int
    login: str
    type: str
    at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None
    scopes: frozenset[str]
    name: str
    hint: str


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A fine-grained personal access token that reaches the organisation."""

    id: int
    owner: str
    name: str
    scopes: frozenset[str]
    selection: str
    expired: bool
    at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None


def credential(row: Any) -> Credential:
    """A `Credential Authorization` resource.

    Raises:
        MalformedError: it has not the documented shape.
    """
    held = row.get("scopes") or [] if isinstance(row, Mapping) else None
    if not isinstance(held, list) or not all(isinstance(scope, str) for scope in held):
        raise MalformedError("scopes is not a list of texts")
    title = label(row.get("authorized_credential_note")) or label(row.get("authorized_credential_title"))
    return Credential(
        id=number_of(row, "credential_id"),
        login=login(row),
        type=text_of(row, "credential_type"),
        at=instant(row.get("credential_authorized_at")),
        last_used_at=instant(row.get("credential_accessed_at")),
        expires_at=instant(row.get("authorized_credential_expires_at")),
        scopes=frozenset(held),
        name=title,
        hint=label(row.get("token_last_eight")) or label(row.get("fingerprint")),
    )


def authorised(credentials: Iterable[Credential]) -> tuple[ObservedGrant, ...]:
    """The app tokens among one person's credentials as grants: one for each type."""
    found: dict[str, ObservedGrant] = {}
    for one in credentials:
        app = _TOKEN_APPS.get(one.type)
        if app is None:
            continue
        known = found.get(app.id)
        days = [day for day in (known and known.granted_on, one.at and one.at.date()) if day]
        scopes = one.scopes | (known.scopes if known else frozenset())
        found[app.id] = ObservedGrant(app, scopes, min(days, default=None), "credential")
    return tuple(found.values())


def token_app(one: Credential) -> str | None:
    """The client id of the app that a credential is a token of; None for what belongs to no app."""
    app = _TOKEN_APPS.get(one.type)
    return app.client_id if app else None


def key(one: Credential, owner: Owner, native_id: str | None) -> Asset:
    """A personal token or SSH key that was authorised for single sign-on, as an asset of its owner."""
    name = f"sso:{one.id}"
    facts: dict[str, Fact] = {"type": one.type, "hint": one.hint}
    if one.type != "SSH key":
        facts["scopes"] = tuple(sorted(one.scopes))
    return Asset(
        id=ids.asset_id(owner.connection_id, "api_key", name),
        connection_id=owner.connection_id,
        kind="api_key",
        native_id=name,
        name=one.name or f"{one.type} of {one.login}",
        state="active",
        owner=owner.principal_id(native_id) if native_id else None,
        created_at=one.at,
        last_used_at=one.last_used_at,
        expires_at=one.expires_at,
        facts=facts,
    )


def personal_token(row: Any) -> PersonalToken:
    """An `Organization Programmatic Access Grant` resource.

    Raises:
        MalformedError: it has not the documented shape.
    """
    held = row.get("permissions") if isinstance(row, Mapping) else None
    if not isinstance(held, Mapping) or not all(isinstance(part, Mapping) for part in held.values()):
        raise MalformedError("permissions is not an object of objects")
    return PersonalToken(
        id=number_of(row, "id"),
        owner=account_id(row.get("owner")),
        name=label(row.get("token_name")),
        scopes=frozenset(f"{name}:{level}" for part in held.values() for name, level in part.items()),
        selection=label(row.get("repository_selection")),
        expired=row.get("token_expired") is True,
        at=instant(row.get("access_granted_at")),
        last_used_at=instant(row.get("token_last_used_at")),
        expires_at=instant(row.get("token_expires_at")),
    )


def token_asset(one: PersonalToken, owner: Owner) -> Asset:
    """A fine-grained personal access token as an asset of its owner."""
    name = f"pat:{one.id}"
    facts: dict[str, Fact] = {
        "type": "fine-grained personal access token",
        "repositories": one.selection,
        "scopes": tuple(sorted(one.scopes)),
    }
    return Asset(
        id=ids.asset_id(owner.connection_id, "api_key", name),
        connection_id=owner.connection_id,
        kind="api_key",
        native_id=name,
        name=one.name or name,
        state="expired" if one.expired else "active",
        owner=owner.principal_id(one.owner),
        created_at=one.at,
        last_used_at=one.last_used_at,
        expires_at=one.expires_at,
        facts=facts,
    )
