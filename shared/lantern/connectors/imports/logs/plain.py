"""A log as anybody would write it: CSV with time, user, host, and how many bytes went out and came in."""

from collections.abc import Iterable, Sequence
from typing import Final

from lantern.connectors.imports.formats import Options, Rows, TableFormat
from lantern.connectors.imports.logs.fields import refused, visit
from lantern.connectors.imports.table import Record
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow

_ALIASES: Final = {
    "time": ("time", "timestamp", "datetime", "eventtime", "epochtime"),
    "user": ("user", "username", "useremail", "email", "login", "upn"),
    "host": ("host", "hostname", "desthost", "destinationhost", "destination", "fqdn", "url", "domain"),
    "sent": ("bytesout", "bytessent", "sentbytes", "uploadbytes", "outbytes"),
    "received": ("bytesin", "bytesreceived", "receivedbytes", "downloadbytes", "inbytes"),
    "action": ("action", "verdict", "decision"),
}
_ACCESS: Final = frozenset({"app", "appname", "application", "clientid", "appid", "scopes", "scope"})
"""Columns of a list of who holds which app: no log has them."""


def _recognises(columns: Sequence[str]) -> bool:
    has = set(columns)
    return not has & _ACCESS and all(has & set(_ALIASES[one]) for one in ("time", "user", "host"))


def _read(found: Iterable[Record | BadRow], _columns: Sequence[str], _options: Options) -> Rows:
    for record in found:
        if isinstance(record, BadRow):
            yield record
            continue
        try:
            yield visit(
                record.line,
                at=record.get(*_ALIASES["time"]),
                user=record.get(*_ALIASES["user"]),
                host=record.get(*_ALIASES["host"]),
                sent=record.get(*_ALIASES["sent"]),
                received=record.get(*_ALIASES["received"]),
                blocked=refused(record.get(*_ALIASES["action"])),
            )
        except ValueProblemError as problem:
            yield BadRow(record.line, str(problem))


FORMAT: Final = TableFormat(
    id="log-csv",
    title="CSV log",
    expects="columns time, user, host; also bytes_out, bytes_in, action",
    columns=frozenset(name for names in _ALIASES.values() for name in names),
    recognises=_recognises,
    read=_read,
    subject="visits",
)
