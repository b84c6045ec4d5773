"""Graph's accounts and agents as Lantern's records. Pure; what is not as documented is refused whole."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from lantern.domain import ids
from lantern.domain.assets import Asset, Fact
from lantern.domain.inventory import Principal, PrincipalStatus

NAME_LIMIT: Final = 200
_MOST_ALIASES: Final = 20

EVERYBODY: Final = "AllPrincipals"
"""Native id of the pseudo-principal that holds what an administrator consented to for everyone."""
THEMSELVES: Final = "Applications"
"""Native id of the pseudo-principal that holds what apps may do on their own."""
PSEUDO: Final[Mapping[str, str]] = {
    EVERYBODY: "Everyone in the organisation",
    THEMSELVES: "Apps that act on their own",
}


class MalformedError(ValueError):
    """A part of an answer that is not as documented; the whole answer says nothing then."""


def label(value: Any) -> str:
    """A name chosen by strangers: control characters become spaces, and it has an end; empty for no text."""
    if not isinstance(value, str):
        return ""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value[:NAME_LIMIT])
    return clean.strip()


def text(row: Any, name: str) -> str:
    """A text that must be there.

    Raises:
        MalformedError: it is not.
    """
    value = row.get(name) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{name} is missing")
    return value


def instant(value: Any) -> datetime:
    """A time of Graph, aware, in UTC.

    Raises:
        MalformedError: it is none.
    """
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MalformedError("not a time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def day(value: Any) -> date | None:
    """The day of a time; None where there is none, or where it stands for "never"."""
    if value is None:
        return None
    at = instant(value)
    return None if at.year <= 1970 else at.date()


# -- accounts ---------------------------------------------------------------------------------------


def pseudo(native_id: str, *, connection_id: str, organisation_id: str) -> Principal:
    """One of the two principals that stand for the tenant as a whole."""
    identifier = ids.principal_id("entra", organisation_id, native_id)
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=native_id,
        kind="organisation",
        status="active",
        person_id=ids.person_id(identifier),
        name=PSEUDO[native_id],
    )


def principal(
    user: Mapping[str, Any],
    *,
    connection_id: str,
    organisation_id: str,
    admins: frozenset[str] | None,
    deleted: bool = False,
) -> Principal:
    """A `user` as a principal; `admins` are the ids of all administrators, None where that is not known.

    Raises:
        MalformedError: it has no id, or a property is not what it should be.
    """
    native_id = text(user, "id")
    identifier = ids.principal_id("entra", organisation_id, native_id)
    email, aliases = _addresses(user)
    seen = user.get("signInActivity")
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=native_id,
        kind="service" if user.get("identityParentId") else "shared" if _resource(user) else "user",
        status=_status(user, deleted=deleted),
        person_id=ids.person_id(identifier),
        email=email,
        name=label(user.get("displayName")) or None,
        admin=None if admins is None else native_id in admins,
        org_unit="Guests" if user.get("userType") == "Guest" else label(user.get("department")) or None,
        last_login=_last_login(seen) if isinstance(seen, Mapping) else None,
        aliases=aliases,
        manager=None if deleted else _manager(user),
    )


def _manager(user: Mapping[str, Any]) -> str:
    """The id of the manager, whom every reading of a living account asks for; empty where there is none."""
    found = user.get("manager")
    told = found.get("id") if isinstance(found, Mapping) else None
    return told if isinstance(told, str) else ""


def _resource(user: Mapping[str, Any]) -> bool:
    return user.get("isResourceAccount") is True


def _status(user: Mapping[str, Any], *, deleted: bool) -> PrincipalStatus:
    if deleted:
        return "deleted"
    return "suspended" if user.get("accountEnabled") is False else "active"


def _addresses(user: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """The account's address, and the others that the tenant gave it.

    `otherMails` is left out: people write into it themselves, and whoever wrote a colleague's address there
    would be taken for the colleague.
    """
    given = [user.get("mail"), user.get("userPrincipalName")]
    proxies = [one for one in texts(user.get("proxyAddresses")) if one[:5].lower() == "smtp:"]
    given += [one[5:] for one in proxies]
    found = [one.lower() for one in given if isinstance(one, str) and "@" in one]
    # The sign-in name of a guest is made up by the tenant and receives no mail.
    real = [one for one in dict.fromkeys(found) if "#ext#" not in one]
    name = user.get("userPrincipalName")
    email = user.get("mail")
    chosen = email.lower() if isinstance(email, str) and email else None
    if chosen is None and isinstance(name, str) and name:
        chosen = name.lower() if "#ext#" not in name.lower() else next(iter(real), name.lower())
    return chosen, tuple(one for one in real if one != chosen)[:_MOST_ALIASES]


def texts(value: Any) -> list[str]:
    """The texts of a list; none where it is no list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _last_login(seen: Mapping[str, Any]) -> date | None:
    days = [day(seen.get(name)) for name in ("lastSignInDateTime", "lastNonInteractiveSignInDateTime")]
    return max(filter(None, days), default=None)


# -- agents -----------------------------------------------------------------------------------------


def agent(
    row: Mapping[str, Any],
    *,
    connection_id: str,
    organisation_id: str,
    sponsors: Iterable[Mapping[str, Any]],
    owners: Iterable[Mapping[str, Any]],
) -> Asset:
    """An `agentIdentity` as an asset: whoever sponsors it answers for it, else whoever owns it.

    Raises:
        MalformedError: it has no id.
    """
    native_id = text(row, "id")
    people = [_person(one) for one in (*sponsors, *owners)]
    owner = next((person for person in people if person), None)
    facts: dict[str, Fact] = {
        "blueprint": label(row.get("agentIdentityBlueprintId")) or None,
        "sponsors": tuple(sorted({text(one, "id") for one in sponsors})),
    }
    created = row.get("createdDateTime")
    enabled = row.get("accountEnabled")
    return Asset(
        id=ids.asset_id(connection_id, "agent", native_id),
        connection_id=connection_id,
        kind="agent",
        native_id=native_id,
        name=label(row.get("displayName")) or native_id,
        state="disabled" if enabled is False else "active" if enabled is True else "unknown",
        owner=ids.principal_id("entra", organisation_id, owner) if owner else None,
        client_id=row.get("appId") if isinstance(row.get("appId"), str) else None,
        created_at=instant(created) if created else None,
        facts=facts,
    )


def _person(row: Mapping[str, Any]) -> str | None:
    told = str(row.get("@odata.type") or "#microsoft.graph.user").lower()
    return text(row, "id") if told.endswith(".user") else None
