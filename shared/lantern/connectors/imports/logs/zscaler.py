"""Zscaler Internet Access: the web log of a Nanolog Streaming Service feed, as CSV, tabs, or JSON.

Fields and their meaning: help.zscaler.com, "NSS Feed Output Format: Web Logs"; the feeds without a header
have the order of the vendor's sample there: time, login, proto, eurl, action, appname, appclass, reqsize,
respsize, ... ("Mon Jun 20 15:29:11 2022","new-gre","HTTP","ebay.com/","Blocked","Ebay","Consumer
Apps","72","14061", ...). JSON feeds wrap the record as {"sourcetype": "zscalernss-web", "event": {...}} and
name fields as the feed was told to; the names read here are those of the vendor's own integration templates.
Times carry no zone: the feed's zone has to be GMT, which is the default. A login that was obfuscated is a
number and names nobody.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from lantern.connectors.imports.formats import JsonFormat, LineFormat, Options, Rows, TableFormat
from lantern.connectors.imports.jsonstream import Element
from lantern.connectors.imports.logs.fields import refused, visit
from lantern.connectors.imports.table import Line, Record, rows
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow, VisitRow

TITLE: Final = "Zscaler web log"
_TIME: Final = ("epochtime", "time", "datetime")
_USER: Final = ("login", "elogin", "user", "username")
_HOST: Final = ("ehost", "host", "hostname", "eurl", "url")
_SENT: Final = ("reqsize", "requestsize")
_RECEIVED: Final = ("respsize", "responsesize")
_MARKS: Final = frozenset({"reqsize", "respsize", "requestsize", "responsesize", "urlsupercat", "urlcat"})
_FIRST: Final = re.compile(r'"?[A-Z][a-z]{2} [A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}"?[,\t]')
_LOGIN, _URL, _ACTION, _REQUEST, _RESPONSE = 1, 3, 4, 7, 8
_OBFUSCATED: Final = re.compile(r"\d{6,20}")


def _of_names(line: int, value: Mapping[str, Any]) -> VisitRow:
    def first(names: Sequence[str]) -> Any:
        return next((value[name] for name in names if value.get(name) not in (None, "", "None", "NA")), None)

    host = first(_HOST)
    if not isinstance(host, str):
        raise ValueProblemError("neither host nor url is there")
    return visit(
        line,
        at=first(_TIME),
        user=_login(first(_USER)),
        host=host,
        sent=first(_SENT),
        received=first(_RECEIVED),
        blocked=refused(str(value.get("action", ""))),
    )


def _login(value: Any) -> str | None:
    text = value if isinstance(value, str) else None
    return None if text is None or _OBFUSCATED.fullmatch(text) else text


# --- without a header -------------------------------------------------------------------------------


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line else ","


def _is_feed(lines: Sequence[str]) -> bool:
    return bool(_FIRST.match(lines[0])) and lines[0].count(_delimiter(lines[0])) >= _RESPONSE


def _read_lines(lines: Iterable[Line], _options: Options) -> Rows:
    source = iter(lines)
    first = next(source, None)
    if first is None:
        return
    for line, values in rows(chain((first,), source), _delimiter(first[1]), spaced=True):
        if isinstance(values, BadRow):
            yield values
        elif len(values) <= _RESPONSE:
            yield BadRow(line, f"{len(values)} values, but the feed has at least {_RESPONSE + 1}")
        else:
            try:
                yield visit(
                    line,
                    at=values[0],
                    user=_login(values[_LOGIN]),
                    host=values[_URL],
                    sent=values[_REQUEST],
                    received=values[_RESPONSE],
                    blocked=refused(values[_ACTION]),
                )
            except ValueProblemError as problem:
                yield BadRow(line, str(problem))


# --- with a header, and JSON ------------------------------------------------------------------------


def _is_table(columns: Sequence[str]) -> bool:
    has = set(columns)
    return (
        len(has & _MARKS) >= 2
        and bool(has & set(_TIME))
        and bool(has & set(_HOST))
        and bool(has & {"login", "elogin", "user"})
    )


def _read_table(found: Iterable[Record | BadRow], _columns: Sequence[str], _options: Options) -> Rows:
    for record in found:
        try:
            yield record if isinstance(record, BadRow) else _of_names(record.line, record.values)
        except ValueProblemError as problem:
            yield BadRow(record.line, str(problem))


def _event(element: Element) -> Mapping[str, Any]:
    event = element.value.get("event")
    return event if isinstance(event, dict) else element.value


def _is_json(element: Element) -> bool:
    if element.value.get("sourcetype") == "zscalernss-web":
        return True
    event = _event(element)
    return len(_MARKS & event.keys()) >= 2 and any(name in event for name in _USER)


def _read_json(found: Iterable[Element | BadRow], _options: Options) -> Rows:
    for element in found:
        try:
            yield element if isinstance(element, BadRow) else _of_names(element.line, _event(element))
        except ValueProblemError as problem:
            yield BadRow(element.line, str(problem))


FORMATS: Final = (
    LineFormat(
        id="zscaler-web",
        title=TITLE,
        expects="an NSS feed: time, login, proto, eurl, action, appname, appclass, reqsize, respsize",
        recognises=_is_feed,
        read=_read_lines,
    ),
    TableFormat(
        id="zscaler-web-csv",
        title=TITLE,
        expects="columns time, login, host or url, reqsize, respsize",
        columns=frozenset((*_TIME, *_USER, *_HOST, *_SENT, *_RECEIVED, *_MARKS, "action")),
        recognises=_is_table,
        read=_read_table,
        subject="visits",
    ),
    JsonFormat(
        id="zscaler-web-json",
        title=TITLE,
        expects='NSS records {"sourcetype": "zscalernss-web", "event": {...}}',
        recognises=_is_json,
        read=_read_json,
        subject="visits",
    ),
)
