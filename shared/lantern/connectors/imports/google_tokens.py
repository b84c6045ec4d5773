"""Google's `tokens.list` as JSON: pages, a list of tokens, JSON lines, or one object with tokens by user."""

from collections.abc import Iterable
from typing import Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import JsonFormat, Options, Rows
from lantern.connectors.imports.gam_tokens import app_kind
from lantern.connectors.imports.jsonstream import Element
from lantern.domain.exports.rows import BadRow, GrantRow

_USERS: Final = ("user", "userEmail", "primaryEmail", "email")


def _recognises(element: Element) -> bool:
    value = element.value
    kind = str(value.get("kind") or "")
    return (
        kind.startswith("admin#directory#token")
        or ("clientId" in value and ("displayText" in value or "userKey" in value))
        or str(element.page.get("kind") or "").startswith("admin#directory#token")
    )


def _read(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        if isinstance(element, BadRow):
            yield element
        elif str(element.value.get("kind")) != "admin#directory#tokenList":
            # A page without tokens holds no list at all, and is met as a record.
            yield _grant(element)


def _grant(element: Element) -> GrantRow | BadRow:
    value = element.value
    named = [values.identifier(place.get(name)) for place in (value, element.page) for name in _USERS]
    by_place = element.place if "@" in element.place else None
    key = values.identifier(value.get("userKey"))
    account = next(filter(None, (*named, by_place, key)), None)
    client_id, name = values.identifier(value.get("clientId")), values.text(value.get("displayText"))
    app = client_id or name
    if app is None:
        return BadRow(element.line, "the token names no clientId")
    if account is None:
        return BadRow(element.line, "the token names no user (userKey)")
    scopes = value.get("scopes")
    return GrantRow(
        provider="google",
        account=account,
        app=app,
        permissions=values.permissions(scopes if scopes is not None else ""),
        client_id=client_id,
        app_name=name,
        account_alias=key if key != account else None,
        kind=app_kind(
            anonymous=values.truth(value.get("anonymous")), native=values.truth(value.get("nativeApp"))
        ),
    )


FORMAT: Final = JsonFormat(
    id="google-tokens",
    title="Google tokens JSON",
    expects="answers of tokens.list: items with clientId, displayText, userKey, scopes",
    recognises=_recognises,
    read=_read,
    cannot_say=(
        "Google's list of tokens has no dates: when access was given and last used is not known.",
        "It has no homepage or publisher of an app, and does not say whether Google verified it.",
    ),
)
