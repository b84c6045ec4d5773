"""Okta: `/api/v1/apps`, `/api/v1/users/{id}/grants` and `/api/v1/users`, as JSON."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import JsonFormat, Options, Rows
from lantern.connectors.imports.jsonstream import Element
from lantern.domain.exports.rows import AccountRow, AppRow, BadRow, GrantRow, Row
from lantern.domain.inventory import PrincipalStatus
from lantern.domain.scopes import Kind

_GONE: Final = frozenset({"revoked", "expired", "inactive"})
_STATUS: Final[Mapping[str, PrincipalStatus]] = {
    "deprovisioned": "deleted", "suspended": "suspended", "active": "active", "locked_out": "active",
    "password_expired": "active", "recovery": "active", "provisioned": "active", "staged": "active",
}  # fmt: skip
_GENERIC: Final = frozenset({"oidc_client", "template_saml_2_0", "bookmark", "okta_browser_plugin"})

Value = Mapping[str, Any]


def _is_grant(value: Value) -> bool:
    return "scopeId" in value and "clientId" in value


def _is_app(value: Value) -> bool:
    return "signOnMode" in value or ("label" in value and "status" in value and "id" in value)


def _is_user(value: Value) -> bool:
    return isinstance(value.get("profile"), dict) and "status" in value and "id" in value


def _grant(value: Value, _place: str) -> Row | None:
    if str(value.get("status") or "ACTIVE").casefold() in _GONE:
        return None
    account = values.identifier(value.get("userId"))
    scope = _scope(value)
    client = values.identifier(value.get("clientId"))
    if client is None or scope is None:
        raise values.ValueProblemError("the grant has no clientId or no scopeId")
    # A grant without a user is the app's own: it acts for itself, on the whole organisation.
    kind: Kind = "delegated" if account else "application"
    return GrantRow(
        provider="okta",
        account=account,
        app=client,
        permissions=values.permissions(scope, kind),
        client_id=client,
        granted_on=values.day(values.text(value.get("created"))),
    )


def _scope(value: Value) -> str | None:
    """The name of a scope; of a custom authorization server the id says nothing, the link's title does."""
    for path in (("_embedded", "scope", "name"), ("_links", "scope", "title")):
        found: Any = value
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if name_ := values.text(found):
            return name_
    return values.text(value.get("scopeId"))


def _app(value: Value, _place: str) -> Row:
    key = values.identifier(value.get("id"))
    if key is None:
        raise values.ValueProblemError("the app has no id")
    client = _inner(_inner(value, "credentials"), "oauthClient")
    settings = _inner(_inner(value, "settings"), "oauthClient")
    listed = values.text(value.get("name"))
    label = values.text(value.get("label"))
    return AppRow(
        provider="okta",
        key=key,
        client_id=values.text(client.get("client_id")) or key,
        name=label or listed,
        # Okta's own name of a catalogued integration ("slack") says who made it, whatever the label says.
        publisher=listed
        if listed and listed not in _GENERIC and not listed.startswith("template_")
        else None,
        domains=values.addresses(settings.get("client_uri"), settings.get("redirect_uris")),
    )


def _user(value: Value, _place: str) -> Row:
    profile = _inner(value, "profile")
    email = values.text(profile.get("email")) or values.text(profile.get("login"))
    name = " ".join(filter(None, (values.text(profile.get(one)) for one in ("firstName", "lastName"))))
    return AccountRow(
        provider="okta",
        key=values.identifier(value.get("id")) or str(email),
        email=email,
        name=name or None,
        status=_STATUS.get(str(value.get("status")).casefold()),
    )


def _inner(value: Value, name: str) -> Value:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


_KINDS: Final[tuple[tuple[Callable[[Value], bool], Callable[[Value, str], Row | None]], ...]] = (
    (_is_grant, _grant),
    (_is_user, _user),
    (_is_app, _app),
)


def _recognises(element: Element) -> bool:
    return any(is_one(element.value) for is_one, _ in _KINDS)


def _read(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        if isinstance(element, BadRow):
            yield element
            continue
        make = next((make for is_one, make in _KINDS if is_one(element.value)), None)
        if make is None:
            yield BadRow(element.line, "the record is no Okta app, grant or user")
            continue
        try:
            row = make(element.value, element.place)
        except values.ValueProblemError as problem:
            yield BadRow(element.line, str(problem))
        else:
            if row is not None:
                yield row


FORMAT: Final = JsonFormat(
    id="okta",
    title="Okta JSON",
    expects="lists of /api/v1/apps, /api/v1/users/{id}/grants or /api/v1/users",
    recognises=_recognises,
    read=_read,
    cannot_say=(
        "Okta's list of apps does not say who uses them: apps without grants are shown with nobody.",
        "Okta's grants do not say when an app was last used.",
    ),
)
