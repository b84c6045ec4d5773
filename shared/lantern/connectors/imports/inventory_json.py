"""The CSV inventory's columns as JSON records: an inventory feed of a system that writes JSON."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lantern.connectors.imports import inventory_csv
from lantern.connectors.imports.formats import JsonFormat, Options, Rows
from lantern.connectors.imports.jsonstream import Element
from lantern.connectors.imports.table import Record, plain_name
from lantern.domain.exports.rows import BadRow

_MAX_FIELDS: Final = 100


def _recognises(element: Element) -> bool:
    return inventory_csv.recognises([plain_name(name) for name in list(element.value)[:_MAX_FIELDS]])


def _read(found: Iterable[Element | BadRow], options: Options) -> Rows:
    for element in found:
        if isinstance(element, BadRow):
            yield element
            continue
        record = Record(element.line, _texts(element.value))
        yield from inventory_csv.rows_of(record, list(record.values), options)


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    """The record as a line of a table would have it; a list of scopes or domains is written out."""
    found: dict[str, str] = {}
    for name, given in list(value.items())[:_MAX_FIELDS]:
        if isinstance(given, bool):
            text = "true" if given else "false"
        elif isinstance(given, list):
            text = " ".join(one for one in given if isinstance(one, str))
        elif isinstance(given, str | int | float):
            text = str(given).strip()
        else:
            continue
        found.setdefault(plain_name(name), text)
    return found


FORMAT: Final = JsonFormat(
    id="inventory-json",
    title="JSON inventory",
    expects="records with user and app, client_id or domain; also scopes, granted_at, last_used",
    recognises=_recognises,
    read=_read,
)
