"""`gam print users`: who there is, who is suspended or archived, who is an administrator."""

from collections.abc import Iterable, Sequence
from typing import Final

from lantern.connectors.imports import values
from lantern.connectors.imports.formats import Options, Rows, TableFormat
from lantern.connectors.imports.table import Record
from lantern.domain.exports.rows import AccountRow, BadRow
from lantern.domain.inventory import PrincipalStatus

_FACTS: Final = frozenset(
    {"suspended", "archived", "isadmin", "isenforcedin2sv", "orgunitpath", "lastlogintime"}
)


def _recognises(columns: Sequence[str]) -> bool:
    return "primaryemail" in columns and bool(_FACTS & set(columns)) and "clientid" not in columns


def _read(found: Iterable[Record | BadRow], columns: Sequence[str], _options: Options) -> Rows:
    told = bool({"suspended", "archived"} & set(columns))
    for record in found:
        if isinstance(record, BadRow):
            yield record
            continue
        email = values.text(record.get("primaryemail"))
        if email is None:
            yield BadRow(record.line, "the column primaryEmail is empty")
            continue
        yield AccountRow(
            provider="google",
            key=record.get("id") or email,
            email=email,
            name=values.text(record.get("name.fullname", "fullname", "name")),
            status=_status(record) if told else None,
            admin=values.truth(record.get("isadmin")),
        )


def _status(record: Record) -> PrincipalStatus:
    if values.truth(record.get("deletiontime")) is not None or record.get("deletiontime"):
        return "deleted"
    if values.truth(record.get("archived")):
        return "archived"
    return "suspended" if values.truth(record.get("suspended")) else "active"


FORMAT: Final = TableFormat(
    id="google-users",
    title="Google users CSV",
    expects="`gam print users`: primaryEmail with suspended, archived or isAdmin",
    columns=_FACTS | {"primaryemail", "id", "name.fullname"},
    recognises=_recognises,
    read=_read,
)
