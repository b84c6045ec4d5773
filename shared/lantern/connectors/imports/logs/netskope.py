"""Netskope: page and application events, as the REST API answers (JSON) or Skope IT exports them (CSV).

Field names: docs.netskope.com, "Page Events FAQs" (bytes uploaded: received from the end user's client, bytes
downloaded: received from the destination) and the REST API v2 events, `{"ok": 1, "result": [...]}`:
`timestamp` in seconds, `user`, `ur_normalized`, `url` without scheme, `domain`, `client_bytes`,
`server_bytes`, `action`. `hostname` is the person's device, not where they went.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from lantern.connectors.imports.formats import JsonFormat, Options, Rows, TableFormat
from lantern.connectors.imports.jsonstream import Element
from lantern.connectors.imports.logs.fields import refused, visit
from lantern.connectors.imports.table import Record
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow, VisitRow

TITLE: Final = "Netskope events"
_TIME: Final = ("timestamp", "starttime", "time", "timeutc", "date")
_USER: Final = ("user", "urnormalized", "username", "userkey")
_HOST: Final = ("url", "domain", "page", "dsthost")
_SENT: Final = ("clientbytes", "bytesuploaded")
_RECEIVED: Final = ("serverbytes", "bytesdownloaded")
_MARKS: Final = frozenset({"ur_normalized", "userkey", "traffic_type", "netskope_pop", "access_method"})


def _of_names(line: int, value: Mapping[str, Any]) -> VisitRow:
    def first(names: Sequence[str]) -> Any:
        return next((value[name] for name in names if value.get(name) not in (None, "")), None)

    host = first(_HOST)
    if not isinstance(host, str):
        raise ValueProblemError("neither url nor domain is there")
    user = first(_USER)
    return visit(
        line,
        at=first(_TIME),
        user=user if isinstance(user, str) else None,
        host=host,
        sent=first(_SENT),
        received=first(_RECEIVED),
        blocked=refused(str(value.get("action", ""))),
    )


def _is_json(element: Element) -> bool:
    value = element.value
    return len(_MARKS & value.keys()) >= 2 and any(name in value for name in _HOST)


def _read_json(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        if isinstance(element, BadRow):
            yield element
            continue
        plain = {name.replace("_", ""): value for name, value in element.value.items()}
        try:
            yield _of_names(element.line, plain)
        except ValueProblemError as problem:
            yield BadRow(element.line, str(problem))


def _is_table(columns: Sequence[str]) -> bool:
    has = set(columns)
    told = has & {*_SENT, *_RECEIVED}
    return bool(told and has & {"url", "domain"} and has & set(_USER) and has & set(_TIME))


def _read_table(found: Iterable[Record | BadRow], _columns: Sequence[str], _options: Options) -> Rows:
    for record in found:
        try:
            yield record if isinstance(record, BadRow) else _of_names(record.line, record.values)
        except ValueProblemError as problem:
            yield BadRow(record.line, str(problem))


FORMATS: Final = (
    JsonFormat(
        id="netskope-json",
        title=TITLE,
        expects="page or application events with timestamp, user, url and client_bytes",
        recognises=_is_json,
        read=_read_json,
        subject="visits",
    ),
    TableFormat(
        id="netskope-csv",
        title=TITLE,
        expects="columns timestamp, user, url or domain, client_bytes, server_bytes",
        columns=frozenset((*_TIME, *_USER, *_HOST, *_SENT, *_RECEIVED, "action")),
        recognises=_is_table,
        read=_read_table,
        subject="visits",
    ),
)
