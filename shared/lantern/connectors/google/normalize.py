"""Google's JSON as Lantern's records. Pure; whatever has not the documented shape is refused whole."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from lantern.connectors.protocol import Consent, Delegation, Hint, Use
from lantern.connectors.traffic import Traffic, country, network
from lantern.domain import ids
from lantern.domain.inventory import App, AppKind, ObservedGrant, Principal, PrincipalStatus

NAME_LIMIT: Final = 200
_API_LIMIT: Final = 40
_SIZE_DIGITS: Final = 15
"""An answer of more than a petabyte is no number of bytes."""
_PLACEHOLDER_PROFILE: Final = "105250506097979753968"  # Reports API reference, `actor.profileId`
_CHANGING: Final = frozenset({"authorize", "revoke"})
ORGANISATION: Final = "organisation"
"""The native id under which the organisation itself holds what may act as anyone."""
_DELEGATION: Final = {"AUTHORIZE_API_CLIENT_ACCESS": False, "REMOVE_API_CLIENT_ACCESS": True}
_ACCOUNT_EVENTS: Final = frozenset(
    {"DELETE_USER", "UNDELETE_USER", "SUSPEND_USER", "UNSUSPEND_USER", "ARCHIVE_USER", "UNARCHIVE_USER"}
    | {"GRANT_ADMIN_PRIVILEGE", "REVOKE_ADMIN_PRIVILEGE"}
)


class MalformedError(ValueError):
    """A part of an answer that is not as documented; the whole answer says nothing then."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an activity, with the key that is the same in every delivery of it.

    `network` and `country` are where whoever acted was, as far as Google tells.
    """

    key: str
    app: str
    name: str
    at: datetime
    email: str | None
    native_id: str | None
    parameters: Mapping[str, tuple[str, ...]]
    network: str | None = None
    country: str | None = None

    def first(self, name: str) -> str | None:
        """First value of a parameter."""
        return next(iter(self.parameters.get(name, ())), None)


def label(value: str) -> str:
    """A name chosen by strangers: control characters become spaces, and it has an end."""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value[:NAME_LIMIT])
    return clean.strip()


def principal(
    user: Mapping[str, Any], *, connection_id: str, organisation_id: str, deleted: bool = False
) -> Principal:
    """A `User` resource as a principal.

    Raises:
        MalformedError: it has no id.
    """
    native_id = _text(user, "id")
    identifier = ids.principal_id("google", organisation_id, native_id)
    email, name = user.get("primaryEmail"), user.get("name")
    full = name.get("fullName") if isinstance(name, dict) else None
    return Principal(
        id=identifier,
        connection_id=connection_id,
        native_id=native_id,
        kind="user",
        status=_status(user, deleted=deleted),
        person_id=ids.person_id(identifier),
        email=email.lower() if isinstance(email, str) else None,
        name=label(full) if isinstance(full, str) else None,
        admin=_admin(user),
        org_unit=user.get("orgUnitPath") if isinstance(user.get("orgUnitPath"), str) else None,
        last_login=_login(user.get("lastLoginTime")),
        aliases=_aliases(user),
        manager=_manager(user),
    )


def _aliases(user: Mapping[str, Any]) -> tuple[str, ...]:
    """Further addresses of the account, those that follow from domain aliases too."""
    listed = [user.get("aliases"), user.get("nonEditableAliases")]
    every = [one for part in listed if isinstance(part, list) for one in part]
    return tuple(sorted({one.lower() for one in every if isinstance(one, str)}))


def _manager(user: Mapping[str, Any]) -> str | None:
    """Whom `relations` name as the manager; empty where nobody, None where it is no address.

    Administrators enter anything there; the admin console asks for an address ("relations", users resource).
    """
    listed = user.get("relations")
    named = [
        one.get("value")
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, Mapping) and one.get("type") == "manager"
    ]
    if not named:
        return ""
    found = named[0]
    return found.strip().lower()[:NAME_LIMIT] if isinstance(found, str) and "@" in found else None


def _status(user: Mapping[str, Any], *, deleted: bool) -> PrincipalStatus:
    if deleted:
        return "deleted"
    if user.get("archived") is True:
        return "archived"
    return "suspended" if user.get("suspended") is True else "active"


def _admin(user: Mapping[str, Any]) -> bool | None:
    flags = [user.get("isAdmin"), user.get("isDelegatedAdmin")]
    return True if True in flags else False if False in flags else None


def _login(value: Any) -> date | None:
    if not isinstance(value, str):
        return None
    at = instant(value)
    return None if at.year <= 1970 else at.date()  # the epoch means "never"


def grants(answer: Mapping[str, Any]) -> tuple[ObservedGrant, ...]:
    """The grants of a `Tokens` resource, one per client, sorted by app id. `items` absent means none.

    Raises:
        MalformedError: a part has not the documented shape.
    """
    items = answer.get("items", [])
    if not isinstance(items, list):
        raise MalformedError("items is not a list")
    found: dict[str, ObservedGrant] = {}
    for item in items:
        grant = _grant(item)
        known = found.get(grant.app.id)
        found[grant.app.id] = ObservedGrant(grant.app, grant.scopes | known.scopes) if known else grant
    return tuple(found[key] for key in sorted(found))


def _grant(item: Any) -> ObservedGrant:
    if not isinstance(item, dict):
        raise MalformedError("a token is not an object")
    client = _text(item, "clientId")
    scopes = item.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise MalformedError("scopes is not a list of texts")
    name = item.get("displayText")
    kind: AppKind = (
        "anonymous"
        if item.get("anonymous") is True
        else "native"
        if item.get("nativeApp") is True
        else "oauth"
    )
    app = App(
        id=ids.app_id("google", client),
        provider="google",
        client_id=client,
        name=(label(name) if isinstance(name, str) else "") or label(client),
        kind=kind,
    )
    return ObservedGrant(app, frozenset(scopes))


def events(activity: Any) -> list[Event]:
    """The events of one `Activity` resource.

    Raises:
        MalformedError: it has not the documented shape.
    """
    if not isinstance(activity, dict) or not isinstance(activity.get("id"), dict):
        raise MalformedError("an activity has no id")
    head, actor = activity["id"], activity.get("actor")
    actor = actor if isinstance(actor, dict) else {}
    app, time, qualifier = (
        _text(head, "applicationName"),
        _text(head, "time"),
        str(head.get("uniqueQualifier")),
    )
    profile, email = actor.get("profileId"), actor.get("email")
    rows = activity.get("events", [])
    if not isinstance(rows, list):
        raise MalformedError("events is not a list")
    where = _where(activity)
    return [
        Event(
            key=f"{app}|{time}|{qualifier}|{index}",
            app=app,
            name=_text(row, "name"),
            at=instant(time),
            email=email.lower() if isinstance(email, str) else None,
            native_id=profile if isinstance(profile, str) and profile != _PLACEHOLDER_PROFILE else None,
            parameters=_parameters(row.get("parameters", [])),
            network=where[0],
            country=where[1],
        )
        for index, row in enumerate(rows)
    ]


def _where(activity: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Network and country of an activity (Reports API reference, `ipAddress`, `networkInfo`)."""
    info = activity.get("networkInfo")
    info = info if isinstance(info, dict) else {}
    systems = info.get("ipAsn")
    system = systems[0] if isinstance(systems, list) and systems else None
    return network(activity.get("ipAddress"), system), country(info.get("regionCode"))


def _parameters(rows: Any) -> dict[str, tuple[str, ...]]:
    """Parameters by name; nested messages are of no use to us and left out."""
    if not isinstance(rows, list):
        raise MalformedError("parameters is not a list")
    return {
        row["name"]: tuple(_values(row))
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("name"), str)
    }


def _values(row: Mapping[str, Any]) -> Iterable[str]:
    for key in ("value", "intValue", "boolValue"):
        if key in row:
            return (str(row[key]),)
    many = row.get("multiValue") or row.get("multiIntValue")
    return (str(value) for value in many) if isinstance(many, list) else ()


def instant(value: str) -> datetime:
    """An RFC 3339 time, aware, in UTC.

    Raises:
        MalformedError: it is none.
    """
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise MalformedError("not a time") from None
    if at.tzinfo is UTC:
        return at
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def hints(seen: Iterable[Event]) -> tuple[Hint, ...]:
    """What to read again: one hint per account, with the dates of the consents it gave."""
    folded: dict[str, Hint] = {}
    for event in sorted(seen, key=lambda e: e.at):
        hint = _hint(event)
        if hint is None:
            continue
        account = hint.native_id or hint.email or ""
        known = folded.get(account)
        dates = {**known.granted_at, **hint.granted_at} if known else hint.granted_at
        folded[account] = replace(hint, granted_at=dates)
    return tuple(folded.values())


def tells(event: Event) -> bool:
    """Whether the event has an effect: an account to read again, or a delegation."""
    return _hint(event) is not None


def _hint(event: Event) -> Hint | None:
    if event.app == "token" and event.name in _CHANGING and (event.native_id or event.email):
        client = event.first("client_id")
        dates = {client: event.at} if client and event.name == "authorize" else {}
        return Hint(event.email, event.native_id, dates, event.name, event.key)
    if event.app == "admin" and event.name in _DELEGATION and event.first("API_CLIENT_NAME"):
        return Hint(native_id=ORGANISATION, event=event.name.lower(), event_id=event.key)
    if event.app == "admin" and event.name in _ACCOUNT_EVENTS:
        email = event.first("USER_EMAIL")
        return Hint(email=email.lower(), event=event.name.lower(), event_id=event.key) if email else None
    return None


class UseCount:
    """Seen use, added up by account and client over many pages; `traffic` is what went to the clients."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self._found: dict[tuple[str, str], tuple[int, datetime]] = {}
        self._apis: dict[str, set[str]] = defaultdict(set)

    def add(self, seen: Iterable[Event]) -> None:
        """Count the `activity` events among these."""
        for event in seen:
            client = event.first("client_id")
            if event.app != "token" or event.name != "activity" or not client or not event.native_id:
                continue
            self.seen(event.native_id, client, event.at)
            api = event.first("api_name")
            if api:
                self._apis[client].add(label(api)[:_API_LIMIT].casefold())
            size = event.first("num_response_bytes") or ""
            self.traffic.add(
                client,
                event.at.date(),
                size=int(size) if size.isascii() and size.isdigit() and len(size) <= _SIZE_DIGITS else None,
                net=event.network,
                land=event.country,
            )

    def seen(self, native_id: str, client: str, at: datetime) -> None:
        """Count one use."""
        key = (native_id, client)
        count, last = self._found.get(key, (0, at))
        self._found[key] = (count + 1, max(last, at))

    def all(self) -> tuple[Use, ...]:
        """Everything counted so far."""
        return tuple(Use(*key, *counted) for key, counted in self._found.items())

    def apis(self) -> dict[str, frozenset[str]]:
        """Client id → the APIs it called."""
        return {client: frozenset(names) for client, names in self._apis.items()}


def consents(seen: Iterable[Event]) -> tuple[Consent, ...]:
    """Consents of accounts that have an id."""
    found = ((event, event.first("client_id")) for event in seen if event.app == "token")
    return tuple(
        Consent(event.native_id, client, event.at)
        for event, client in found
        if event.name == "authorize" and event.native_id and client
    )


def delegations(seen: Iterable[Event]) -> tuple[Delegation, ...]:
    """Domain-wide delegations given and taken back, oldest first."""
    found = []
    for event in sorted(seen, key=lambda e: e.at):
        client = event.first("API_CLIENT_NAME")
        if event.app != "admin" or event.name not in _DELEGATION or not client:
            continue
        scopes = _scopes(event.parameters.get("API_SCOPES", ()))
        found.append(Delegation(client, scopes, _DELEGATION[event.name], event.at, event.email))
    return tuple(found)


def _scopes(values: Sequence[str]) -> frozenset[str]:
    return frozenset(scope for value in values for scope in value.replace(",", " ").split())


def account_hint(body: Any, state: str, event_id: str) -> Hint | None:
    """What a message of a Directory channel says: its account may have changed; None for anything else.

    Directory API guide "Push notifications": the body is the account's id and address.
    """
    if not isinstance(body, dict) or body.get("kind") != "admin#directory#user":
        return None
    return Hint(native_id=_text(body, "id"), event=label(state)[:_API_LIMIT], event_id=event_id, account=True)


def _text(row: Any, name: str) -> str:
    value = row.get(name) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{name} is missing")
    return value
