"""GitHub's JSON as Lantern's records. Pure; whatever has not the documented shape is refused whole."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lantern.domain import ids
from lantern.domain.assets import Asset, Fact
from lantern.domain.inventory import App, ObservedGrant, Principal

ORGANISATION: Final = "organisation"
"""Native id of the account that stands for the organisation itself; GitHub's own ids are numbers."""
OUTSIDE: Final = "Outside collaborators"
NAME_LIMIT: Final = 200

COPILOT: Final = App(
    id=ids.app_id("github", "copilot"),
    provider="github",
    client_id="copilot",
    name="GitHub Copilot",
    kind="seat",
    publisher="GitHub",
)
_SEAT_SCOPES: Final = frozenset({"copilot"})


class MalformedError(ValueError):
    """A part of an answer that is not as documented; the whole answer says nothing then."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose accounts these are."""

    connection_id: str
    organisation_id: str

    def principal_id(self, native_id: str) -> str:
        """The principal id of an account here."""
        return ids.principal_id("github", self.organisation_id, native_id)


@dataclass(frozen=True, slots=True)
class Installation:
    """An app installed in the organisation; `permissions` as `name:level`, `at` when it was installed."""

    id: int
    app_id: int
    slug: str
    permissions: frozenset[str]
    selection: str
    suspended: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Seat:
    """A Copilot seat: whose, since when, last used, and the day it ends (text) if it was cancelled."""

    native_id: str
    at: datetime | None
    last_used_at: datetime | None
    editor: str
    ends: str | None
    team: str | None


def label(value: object) -> str:
    """A name chosen by strangers: control characters become spaces, and it has an end."""
    text = value if isinstance(value, str) else ""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text[:NAME_LIMIT])
    return clean.strip()


def account_id(row: Any) -> str:
    """The immutable id of an account.

    Raises:
        MalformedError: it has none.
    """
    return str(number_of(row, "id"))


def login(row: Any) -> str:
    """The name an account has at present.

    Raises:
        MalformedError: it has none.
    """
    return text_of(row, "login")


def principal(
    row: Mapping[str, Any],
    owner: Owner,
    *,
    admin: bool | None,
    outside: bool = False,
    addresses: tuple[str, ...] = (),
) -> Principal:
    """A `Simple User` as a principal; its name is the login, which may change.

    Raises:
        MalformedError: it has no id or no login.
    """
    native_id = account_id(row)
    identifier = owner.principal_id(native_id)
    return Principal(
        id=identifier,
        connection_id=owner.connection_id,
        native_id=native_id,
        kind="service" if row.get("type") == "Bot" else "user",
        status="active",
        person_id=ids.person_id(identifier),
        email=addresses[0] if addresses else None,
        name=login(row),
        admin=admin,
        org_unit=OUTSIDE if outside else None,
        aliases=addresses[1:],
    )


def organisation(owner: Owner, name: str) -> Principal:
    """The account that stands for the organisation: it holds what is installed for all."""
    identifier = owner.principal_id(ORGANISATION)
    return Principal(
        id=identifier,
        connection_id=owner.connection_id,
        native_id=ORGANISATION,
        kind="organisation",
        status="active",
        person_id=ids.person_id(identifier),
        name=label(name),
    )


def installation(row: Any) -> Installation:
    """An `Installation` resource.

    Raises:
        MalformedError: it has not the documented shape.
    """
    held = row.get("permissions") if isinstance(row, Mapping) else None
    if not isinstance(held, Mapping) or not all(isinstance(level, str) for level in held.values()):
        raise MalformedError("permissions is not an object of texts")
    return Installation(
        id=number_of(row, "id"),
        app_id=number_of(row, "app_id"),
        slug=text_of(row, "app_slug"),
        permissions=frozenset(f"{name}:{level}" for name, level in held.items()),
        selection=label(row.get("repository_selection")),
        suspended=row.get("suspended_at") is not None,
        at=instant(row.get("created_at")),
    )


def installed(one: Installation, about: Mapping[str, Any] | None) -> ObservedGrant:
    """An installation as a grant of the organisation; `about` is the app's public page, where it has one."""
    page = about or {}
    owner, home = page.get("owner"), page.get("external_url")
    maker = owner.get("login") or owner.get("slug") if isinstance(owner, Mapping) else None
    client = str(one.app_id)
    app = App(
        id=ids.app_id("github", client),
        provider="github",
        client_id=client,
        name=label(page.get("name")) or label(one.slug),
        kind="integration",
        publisher=label(maker) or None,
        domains=(label(home),) if isinstance(home, str) and home.startswith("https://") else (),
    )
    day = one.at.date() if one.at else None
    return ObservedGrant(app, one.permissions, granted_on=day, source="installation")


def automation(one: Installation, owner: Owner) -> Asset:
    """An installation as something that acts by itself, with what a grant has no place for."""
    native_id = str(one.id)
    facts: dict[str, Fact] = {"repositories": one.selection, "scopes": tuple(sorted(one.permissions))}
    return Asset(
        id=ids.asset_id(owner.connection_id, "automation", native_id),
        connection_id=owner.connection_id,
        kind="automation",
        native_id=native_id,
        name=label(one.slug),
        state="disabled" if one.suspended else "active",
        owner=owner.principal_id(ORGANISATION),
        client_id=str(one.app_id),
        created_at=one.at,
        facts=facts,
    )


def seat(row: Any) -> Seat | None:
    """A `Copilot Business Seat Detail`; None where its account was deleted (GitHub then names nobody).

    Raises:
        MalformedError: it has not the documented shape.
    """
    if not isinstance(row, Mapping) or "created_at" not in row or "assignee" not in row:
        raise MalformedError("not a seat")
    if row["assignee"] is None:
        return None
    team = row.get("assigning_team")
    ends = row.get("pending_cancellation_date")
    return Seat(
        native_id=account_id(row["assignee"]),
        at=instant(row["created_at"]),
        last_used_at=instant(row.get("last_activity_at")),
        editor=label(row.get("last_activity_editor")),
        ends=ends if isinstance(ends, str) and ends else None,
        team=label(team.get("name")) if isinstance(team, Mapping) else None,
    )


def seated(one: Seat) -> ObservedGrant:
    """A seat as a grant."""
    return ObservedGrant(COPILOT, _SEAT_SCOPES, one.at.date() if one.at else None, "seat")


def instant(value: object) -> datetime | None:
    """A time as GitHub writes it (ISO 8601, any offset), in UTC; None where there is none.

    Raises:
        MalformedError: it is something else.
    """
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise MalformedError("not a time")
    return at.astimezone(UTC)


def sorted_grants(*parts: Sequence[ObservedGrant]) -> tuple[ObservedGrant, ...]:
    """Grants of one account in a stable order."""
    return tuple(sorted((grant for part in parts for grant in part), key=lambda grant: grant.app.id))


def text_of(row: Any, name: str) -> str:
    """A text that is not empty.

    Raises:
        MalformedError: there is none.
    """
    value = row.get(name) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{name} is missing")
    return value


def number_of(row: Any, name: str) -> int:
    """A whole number.

    Raises:
        MalformedError: there is none.
    """
    value = row.get(name) if isinstance(row, Mapping) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedError(f"{name} is missing")
    return value
