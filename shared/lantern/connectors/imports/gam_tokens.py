"""`gam all users print tokens`: one line a person and app.

Newer versions write the scopes into one column, separated by spaces; older ones write their number there and
the scopes into `scopes.0`, `scopes.1` and so on.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import Options, Rows, TableFormat
from lantern.connectors.imports.table import Record
from lantern.domain.exports.rows import BadRow, GrantRow, Permission
from lantern.domain.inventory import AppKind

_USER: Final = ("user", "primaryemail", "email", "owner")
_APP: Final = ("displaytext", "appname")
_COLUMNS: Final = frozenset(
    {*_USER, *_APP, "clientid", "userkey", "anonymous", "nativeapp", "scopes", "scopes.0"}
)


def _recognises(columns: Sequence[str]) -> bool:
    named = set(columns)
    return "clientid" in named and "displaytext" in named and bool(named & {*_USER, "userkey"})


def _read(found: Iterable[Record | BadRow], columns: Sequence[str], _options: Options) -> Rows:
    numbered = tuple(name for name in columns if name.startswith("scopes.") and name[7:].isdigit())
    told = bool(numbered) or "scopes" in columns
    for record in found:
        if isinstance(record, BadRow):
            yield record
            continue
        account = record.get(*_USER) or record.get("userkey")
        client_id = record.get("clientid")
        if client_id or record.get(*_APP):
            yield _grant(record, account, client_id, numbered, told=told)
        elif not account:
            yield BadRow(record.line, "neither a user nor a clientId")
        # A person without apps has a line without an app.


def _grant(
    record: Record, account: str, client_id: str, numbered: Sequence[str], *, told: bool
) -> GrantRow | BadRow:
    if not account:
        return BadRow(record.line, "the column user is empty")
    name = values.text(record.get(*_APP))
    alias = record.get("userkey")
    return GrantRow(
        provider="google",
        account=account[: values.MAX_TEXT],
        app=(client_id or str(name))[: values.MAX_TEXT],
        permissions=_scopes(record, numbered) if told else None,
        client_id=values.text(client_id),
        app_name=name,
        account_alias=alias if alias and alias != account else None,
        kind=app_kind(
            anonymous=values.truth(record.get("anonymous")), native=values.truth(record.get("nativeapp"))
        ),
    )


def _scopes(record: Record, numbered: Sequence[str]) -> frozenset[Permission]:
    written = record.get("scopes")
    if numbered and (not written or written.isdigit()):
        return values.permissions(tuple(filter(None, map(record.get, numbered))))
    return values.permissions(written)


def app_kind(*, anonymous: bool | None, native: bool | None) -> AppKind:
    """The kind of app by Google's two flags."""
    return "anonymous" if anonymous else "native" if native else "oauth"


FORMAT: Final = TableFormat(
    id="gam-tokens",
    title="GAM tokens CSV",
    expects="`gam all users print tokens`: user, clientId, displayText, scopes",
    columns=_COLUMNS,
    recognises=_recognises,
    read=_read,
    cannot_say=(
        "Google's list of tokens has no dates: when access was given and last used is not known.",
        "It has no homepage or publisher of an app, and does not say whether Google verified it.",
    ),
)
