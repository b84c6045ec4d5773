"""A list of apps and people as anybody would write it: user, app, client_id, domain, scopes, dates."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import Options, Rows, TableFormat
from lantern.connectors.imports.table import Record
from lantern.domain.exports.rows import AccountRow, BadRow, GrantRow
from lantern.domain.inventory import PrincipalStatus, Provider

_ALIASES: Final = {
    "user": ("user", "useremail", "email", "emailaddress", "mail", "username", "userprincipalname", "upn",
             "owner", "account", "accountemail", "primaryemail", "employee", "person", "member"),
    "app": ("app", "appname", "application", "applicationname", "displaytext", "appdisplayname", "tool",
            "product", "integration", "name", "displayname", "clientname"),
    "client_id": ("clientid", "oauthclientid", "appid", "applicationid", "appclientid", "client"),
    "domain": ("domain", "domains", "url", "website", "homepage", "appdomain", "redirecturi"),
    "scopes": ("scopes", "scope", "permissions", "permission", "scopenames", "access"),
    "granted": ("grantedat", "granted", "grantedon", "authorizedat", "consentdate", "createdat", "created",
                "createddatetime", "date", "added", "connectedat", "firstseen"),
    "used": ("lastused", "lastusedat", "lastuse", "lastaccess", "lastaccessed", "lastactivity", "lastseen"),
    "publisher": ("publisher", "vendor", "developer", "publishername"),
    "status": ("userstatus", "accountstatus", "status", "employeestatus"),
    "suspended": ("suspended", "disabled", "leaver", "left"),
    "admin": ("admin", "isadmin", "administrator"),
    "provider": ("provider", "source", "platform", "idp"),
}  # fmt: skip
_PROVIDERS: Final[dict[str, Provider]] = {
    "google": "google", "googleworkspace": "google", "gsuite": "google", "workspace": "google",
    "entra": "entra", "entraid": "entra", "microsoft": "entra", "azuread": "entra", "azure": "entra",
    "m365": "entra", "office365": "entra", "microsoft365": "entra", "okta": "okta", "slack": "slack",
    "github": "github", "salesforce": "salesforce",
}  # fmt: skip
_STATUSES: Final[dict[str, PrincipalStatus]] = {
    "active": "active", "enabled": "active", "employed": "active", "suspended": "suspended",
    "disabled": "suspended", "inactive": "suspended", "blocked": "suspended", "archived": "archived",
    "deleted": "deleted", "deprovisioned": "deleted", "left": "deleted", "terminated": "deleted",
    "leaver": "deleted", "departed": "deleted",
}  # fmt: skip
_HINTS: Final[tuple[tuple[re.Pattern[str], Provider], ...]] = (
    (re.compile(r"googleapis\.com/auth|mail\.google\.com|apps\.googleusercontent\.com$"), "google"),
    (re.compile(r"graph\.microsoft\.com|^[A-Z][A-Za-z]+\.(?:Read|ReadWrite|Send|ReadBasic)\b"), "entra"),
    (re.compile(r"^okta\.[a-zA-Z.]+|^0oa[0-9A-Za-z]{15,20}$"), "okta"),
    (re.compile(r"^(?:channels|groups|im|mpim|files|users|chat|reactions|team|search):[a-z.:]+$"), "slack"),
    (re.compile(r"^(?:repo|admin:org|read:org|write:org|workflow|gist|user:email)$"), "github"),
)  # fmt: skip
_COLUMNS: Final = frozenset(name for names in _ALIASES.values() for name in names)


def recognises(columns: Sequence[str]) -> bool:
    """Whether a list with these plain columns says who holds which app."""
    return bool(_columns("user", columns)) and any(
        _columns(one, columns) for one in ("app", "client_id", "domain")
    )


def _columns(meaning: str, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in _ALIASES[meaning] if name in columns)


@dataclass(frozen=True, slots=True)
class _Picked:
    """Which columns hold what."""

    names: dict[str, tuple[str, ...]]
    told: frozenset[str]

    def of(self, record: Record, meaning: str) -> str:
        return record.get(*self.names[meaning])


def rows_of(record: Record, columns: Sequence[str], options: Options) -> Rows:
    """The rows of one line; `columns` are those that the list has."""
    try:
        yield from _rows(record, _pick(tuple(columns)), options)
    except values.ValueProblemError as problem:
        yield BadRow(record.line, str(problem))


@lru_cache(maxsize=256)
def _pick(columns: tuple[str, ...]) -> _Picked:
    names = {meaning: _columns(meaning, columns) for meaning in _ALIASES}
    return _Picked(names, frozenset(meaning for meaning, given in names.items() if given))


def _read(found: Iterable[Record | BadRow], columns: Sequence[str], options: Options) -> Rows:
    for record in found:
        if isinstance(record, BadRow):
            yield record
        else:
            yield from rows_of(record, columns, options)


def _rows(record: Record, picked: _Picked, options: Options) -> Rows:
    account = values.text(picked.of(record, "user"))
    client_id = values.text(picked.of(record, "client_id"))
    domains = values.addresses(picked.of(record, "domain"))
    name = values.text(picked.of(record, "app")) or (domains[0] if domains else client_id)
    if account is None:
        raise values.ValueProblemError("the user is empty")
    if name is None:
        raise values.ValueProblemError("the line names no app: app, client_id and domain are empty")
    scopes = values.permissions(picked.of(record, "scopes")) if "scopes" in picked.told else None
    provider = _provider(record, picked, options, client_id, picked.of(record, "scopes"))
    yield GrantRow(
        provider=provider,
        account=account,
        app=client_id or name.casefold(),
        permissions=scopes,
        client_id=client_id,
        app_name=name,
        domains=domains,
        publisher=values.text(picked.of(record, "publisher")),
        granted_on=values.day(picked.of(record, "granted")),
        last_used=values.day(picked.of(record, "used")),
    )
    status, admin = _status(record, picked), values.truth(picked.of(record, "admin"))
    if status or admin is not None:
        yield AccountRow(provider, account, account if "@" in account else None, status=status, admin=admin)


def _provider(
    record: Record, picked: _Picked, options: Options, client_id: str | None, scopes: str
) -> Provider:
    said = picked.of(record, "provider")
    if said:
        known = _PROVIDERS.get(re.sub(r"[^a-z0-9]", "", said.casefold()))
        if known:
            return known
    for word in (*values.words(scopes)[:3], *filter(None, [client_id])):
        for pattern, provider in _HINTS:
            if pattern.search(word):
                return provider
    return options.provider or "google"


def _status(record: Record, picked: _Picked) -> PrincipalStatus | None:
    gone = values.truth(picked.of(record, "suspended"))
    if gone:
        return "suspended"
    return _STATUSES.get(picked.of(record, "status").casefold(), "active" if gone is False else None)


FORMAT: Final = TableFormat(
    id="inventory-csv",
    title="CSV inventory",
    expects="columns user and app, client_id or domain; also scopes, granted_at, last_used",
    columns=_COLUMNS,
    recognises=recognises,
    read=_read,
)
