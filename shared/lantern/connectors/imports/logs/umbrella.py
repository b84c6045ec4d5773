"""Cisco Umbrella: DNS and web (proxy) logs as they lie in the S3 bucket, CSV without a header.

Order of columns: docs.umbrella.com, "DNS Log Formats" (timestamp, most granular identity, identities,
internal IP, external IP, action, query type, response code, domain, categories; from version 3 on also the
type of the identity, identity types, blocked categories) and "Web Log Formats" (timestamp, policy identity
label, internal client IP, external client IP, destination IP, content type, action, URL, referer, user
agent, status code, request size, response size, ..., identity type in column 22, identities in column 24).
Versions 1 to 11 and later only append columns. Times are UTC. Version 11 may have a header, which is skipped.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Final

from lantern.connectors.imports.formats import LineFormat, Options, Rows
from lantern.connectors.imports.logs.fields import address_in, refused, visit
from lantern.connectors.imports.table import Line, rows
from lantern.connectors.imports.values import ValueProblemError
from lantern.domain.exports.rows import BadRow, VisitRow

_TIME: Final = re.compile(r'"?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"?\s*,')
_HEADER: Final = re.compile(r'"?timestamp"?\s*,\s*"?(?:most granular|policy) identity', re.IGNORECASE)
_VERDICTS: Final = frozenset({"allowed", "blocked", "proxied", "allow", "block"})
_DNS_COLUMNS: Final = 10
_WEB_COLUMNS: Final = 13
_PEOPLE: Final = ("ad user", "user", "saml", "directory", "roaming user", "g suite", "email")


def _first(lines: Sequence[str]) -> list[str]:
    data = [line for line in lines if not _HEADER.match(line)]
    if not data or not _TIME.match(data[0]):
        return []
    return next(csv.reader([data[0]], skipinitialspace=True), [])


def _is_dns(lines: Sequence[str]) -> bool:
    values = _first(lines)
    return len(values) >= _DNS_COLUMNS - 1 and values[5].casefold() in _VERDICTS and "(" in values[6]


def _is_web(lines: Sequence[str]) -> bool:
    values = _first(lines)
    return len(values) >= _WEB_COLUMNS and values[6].casefold() in _VERDICTS and "://" in values[7]


def _user(identity: str, identities: str, kind: str) -> str | None:
    """Whoever of the identities is a person; networks, sites and computers are not."""
    known = address_in(identity, identities)
    if known is not None:
        return known
    if kind and not kind.casefold().startswith(_PEOPLE):
        return None
    return identity


def _at(values: Sequence[str], column: int) -> str:
    return values[column] if column < len(values) else ""


def _of_dns(line: int, values: Sequence[str]) -> VisitRow:
    user = _user(values[1], values[2], _at(values, 10))
    return visit(line, at=values[0], user=user, host=values[8], blocked=refused(values[5]))


def _of_web(line: int, values: Sequence[str]) -> VisitRow:
    user = _user(values[1], _at(values, 23), _at(values, 21))
    return visit(
        line,
        at=values[0],
        user=user,
        host=values[7],
        sent=values[11],
        received=values[12],
        blocked=refused(values[6]),
    )


def _read_dns(lines: Iterable[Line], _options: Options) -> Rows:
    for line, values in _data(lines):
        if isinstance(values, BadRow):
            yield values
        elif len(values) < _DNS_COLUMNS - 1:
            yield BadRow(line, f"{len(values)} values, but a DNS log has at least {_DNS_COLUMNS}")
        else:
            try:
                yield _of_dns(line, values)
            except ValueProblemError as problem:
                yield BadRow(line, str(problem))


def _read_web(lines: Iterable[Line], _options: Options) -> Rows:
    for line, values in _data(lines):
        if isinstance(values, BadRow):
            yield values
        elif len(values) < _WEB_COLUMNS:
            yield BadRow(line, f"{len(values)} values, but a web log has at least {_WEB_COLUMNS}")
        else:
            try:
                yield _of_web(line, values)
            except ValueProblemError as problem:
                yield BadRow(line, str(problem))


def _data(lines: Iterable[Line]) -> Iterable[tuple[int, list[str] | BadRow]]:
    return rows((one for one in lines if not _HEADER.match(one[1])), ",", spaced=True)


FORMATS: Final = (
    LineFormat(
        id="umbrella-dns",
        title="Cisco Umbrella DNS log",
        expects="CSV without a header: timestamp, identity, identities, two addresses, action and so on",
        recognises=_is_dns,
        read=_read_dns,
        cannot_say=("A DNS log tells which names were asked for, not how much went there.",),
    ),
    LineFormat(
        id="umbrella-web",
        title="Cisco Umbrella web log",
        expects="CSV without a header: timestamp, identity, addresses, content type, action, URL and so on",
        recognises=_is_web,
        read=_read_web,
    ),
)
