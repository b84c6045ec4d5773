"""Graph's directory audits: what consents, roles and accounts were changed, by whom and when. Pure.

The events say what they say in properties whose values are JSON in JSON, and in one case a text of no
standard at all. Whatever cannot be understood hints at nothing: the lists are what counts.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lantern.connectors.entra.normalize import EVERYBODY, THEMSELVES, MalformedError, instant, text
from lantern.connectors.protocol import Hint

CONSENT: Final = "consent to application"
_DELEGATED: Final = frozenset({"add delegated permission grant", "remove delegated permission grant"})
_ROLES: Final = frozenset(
    {"add app role assignment to service principal", "remove app role assignment from service principal"}
)
_PEOPLE: Final = frozenset(
    {
        "add app role assignment grant to user",
        "remove app role assignment from user",
        "add member to role",
        "remove member from role",
    }
)
_ROW: Final = re.compile(r"\[([^\[\]]*)\]")
_PAIR: Final = re.compile(r"(\w+):(.*?)(?=,\s*\w+:|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Audit:
    """One event: what was done, to what (`targets`), by whom (an account's id), with which properties."""

    id: str
    at: datetime
    what: str
    by: str | None
    targets: tuple[Mapping[str, Any], ...]
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """One consent as an event tells it; `principal` None is everybody."""

    client: str
    principal: str | None
    scopes: frozenset[str]


def audit(row: Mapping[str, Any]) -> Audit:
    """A `directoryAudit`.

    Raises:
        MalformedError: it has not the documented shape.
    """
    targets = row.get("targetResources")
    found = tuple(one for one in targets if isinstance(one, dict)) if isinstance(targets, list) else ()
    initiated = row.get("initiatedBy")
    user = initiated.get("user") if isinstance(initiated, Mapping) else None
    by = user.get("id") if isinstance(user, Mapping) else None
    return Audit(
        id=text(row, "id"),
        at=instant(row.get("activityDateTime")),
        what=text(row, "activityDisplayName").strip().rstrip(".").casefold(),
        by=by if isinstance(by, str) and by else None,
        targets=found,
        properties=_properties(found),
    )


def _properties(targets: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """New values by name, else old ones (of what was removed); the first target that has one counts."""
    found: dict[str, str] = {}
    for target in targets:
        rows = target.get("modifiedProperties")
        for row in rows if isinstance(rows, list) else ():
            name = row.get("displayName") if isinstance(row, Mapping) else None
            if not isinstance(name, str):
                continue
            value = plain(row.get("newValue")) or plain(row.get("oldValue"))
            if value:
                found.setdefault(name, value)
    return found


def plain(value: Any) -> str:
    """A property's value: a text, which is JSON of a text, as often as not."""
    if not isinstance(value, str):
        return ""
    try:
        inner = json.loads(value)
    except (ValueError, RecursionError):
        return value.strip()
    return inner.strip() if isinstance(inner, str) else value.strip()


def permissions(value: str) -> tuple[Given, ...]:
    """What `ConsentAction.Permissions` says was given: the rows after the arrow.

    They look like `[] => [[Id: …, ClientId: …, PrincipalId: …, ResourceId: …, ConsentType: Principal, Scope:
    a b, CreatedDateTime: ]]; `. Rows without a client are left out, and so are those that stood before.
    """
    before, arrow, after = value.rpartition("=>")
    known = set(_rows(before)) if arrow else set()
    return tuple(one for one in _rows(after) if one not in known)


def _rows(value: str) -> list[Given]:
    found = []
    for row in _ROW.findall(value):
        pairs = {name.casefold(): said.strip() for name, said in _PAIR.findall(row)}
        client = pairs.get("clientid", "")
        if not client:
            continue
        everybody = pairs.get("consenttype", "").casefold() == EVERYBODY.casefold()
        principal = pairs.get("principalid") or None
        scopes = frozenset(pairs.get("scope", "").split())
        found.append(Given(client, None if everybody else principal, scopes))
    return found


def given(event: Audit) -> tuple[Given, ...]:
    """The consents that an event is about, whether given or taken away."""
    if event.what == CONSENT:
        rows = permissions(event.properties.get("ConsentAction.Permissions", ""))
        if rows:
            return rows
        client = _target(event, "serviceprincipal", 0)
        everybody = event.properties.get("ConsentContext.OnBehalfOfAll", "").casefold() == "true"
        return (Given(client, None if everybody else event.by, frozenset()),) if client else ()
    if event.what in _DELEGATED:
        # The first target is the API, the second the app.
        client = event.properties.get("ServicePrincipal.ObjectID") or _target(event, "serviceprincipal", 1)
        kind = event.properties.get("DelegatedPermissionGrant.ConsentType", "").casefold()
        named = _target(event, "user", 0) or event.by
        scopes = frozenset(event.properties.get("DelegatedPermissionGrant.Scope", "").split())
        return (Given(client, named if kind == "principal" else None, scopes),) if client else ()
    return ()


def gives(event: Audit) -> bool:
    """Whether the event is about access that was given, so that its time is the time of the consent."""
    return event.what == CONSENT or event.what.startswith("add ")


def role_client(event: Audit) -> str | None:
    """The app (its object id) that an event gave a role or took one from: the target is the API."""
    return event.properties.get("ServicePrincipal.ObjectID") if event.what in _ROLES else None


def tells(event: Audit) -> bool:
    """Whether the event makes something to be read again."""
    return bool(given(event)) or event.what in _ROLES or (event.what in _PEOPLE and bool(_accounts(event)))


def hints(events: Iterable[Audit], client_of: Mapping[str, str]) -> tuple[Hint, ...]:
    """What to read again: one hint per account, with dates.

    Args:
        events: in any order.
        client_of: the app id of each service principal (object id) that the events name.
    """
    found: dict[str, Hint] = {}
    for event in sorted(events, key=lambda one: one.at):
        for account, client in _touched(event):
            dates = {client_of[client]: event.at} if gives(event) and client in client_of else {}
            known = found.get(account)
            found[account] = Hint(
                native_id=account,
                granted_at={**known.granted_at, **dates} if known else dates,
                event=event.what,
                event_id=event.id,
            )
    return tuple(found.values())


def _touched(event: Audit) -> list[tuple[str, str]]:
    """Native ids of principals, each with the object id of the app it is about (empty for none)."""
    pairs = [(one.principal or EVERYBODY, one.client) for one in given(event)]
    if event.what in _ROLES:
        pairs.append((THEMSELVES, role_client(event) or ""))
    if event.what in _PEOPLE:
        pairs += [(account, "") for account in _accounts(event)]
    if event.properties.get("ConsentContext.IsAppOnly", "").casefold() == "true":
        pairs.append((THEMSELVES, _target(event, "serviceprincipal", 0)))
    return pairs


def clients(events: Iterable[Audit]) -> frozenset[str]:
    """The object ids of all apps that events name."""
    return frozenset(client for event in events for _, client in _touched(event) if client)


def _accounts(event: Audit) -> list[str]:
    named = [one for one in event.targets if str(one.get("type") or "").casefold() == "user"]
    return [one["id"] for one in named if isinstance(one.get("id"), str) and one["id"]]


def _target(event: Audit, kind: str, position: int) -> str:
    """The id of a target of a type, by its position among those."""
    named = [one for one in event.targets if str(one.get("type") or "").casefold() == kind]
    found = named[position].get("id") if len(named) > position else None
    return found if isinstance(found, str) else ""


def readable(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Audit], int]:
    """The events of a page, and how many of its rows are none: they would block the feed for ever."""
    found, odd = [], 0
    for row in rows:
        try:
            found.append(audit(row))
        except MalformedError:
            odd += 1
    return found, odd
