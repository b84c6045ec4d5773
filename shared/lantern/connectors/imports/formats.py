"""What a file is, and the reader for it.

A format is a module with a `FORMAT`: how to recognise it from the file's beginning, and how to turn records
into rows. Formats are asked in the order of `_MODULES`; the special come before the general.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import chain, islice
from typing import Final, Literal

from lantern.connectors.imports.jsonstream import Element, elements, looks_like_json
from lantern.connectors.imports.table import Line, Record, header_of, lines_of, records
from lantern.connectors.imports.text import UnreadableError, text_of
from lantern.domain.exports.rows import AnyRow, BadRow
from lantern.domain.inventory import Provider

_MODULES: Final = (
    "gam_tokens", "google_users", "graph", "okta", "google_tokens", "slack", "logs.zscaler", "logs.netskope",
    "logs.umbrella", "logs.squid", "logs.cloudflare", "logs.plain", "inventory_csv", "inventory_json",
)  # fmt: skip
_SAMPLE_LINES: Final = 5
_SAMPLE_ELEMENTS: Final = 3

Rows = Iterator[AnyRow | BadRow]
Subject = Literal["access", "visits"]
"""What a file is about: who gave which app what, or who went where on the web."""


@dataclass(frozen=True, slots=True)
class Options:
    """What whoever hands in a file knows about it: `provider` for a list that does not tell."""

    provider: Provider | None = None


@dataclass(frozen=True, slots=True)
class TableFormat:
    """A delimited format. `recognises` is asked about the plain column names."""

    id: str
    title: str
    expects: str
    columns: frozenset[str]
    recognises: Callable[[Sequence[str]], bool]
    read: Callable[[Iterable[Record | BadRow], Sequence[str], Options], Rows]
    cannot_say: tuple[str, ...] = ()
    subject: Subject = "access"
    shape: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """A JSON format. `recognises` is asked about single records from the beginning."""

    id: str
    title: str
    expects: str
    recognises: Callable[[Element], bool]
    read: Callable[[Iterable[Element | BadRow], Options], Rows]
    cannot_say: tuple[str, ...] = ()
    subject: Subject = "access"
    shape: Literal["json"] = "json"


@dataclass(frozen=True, slots=True)
class LineFormat:
    """Lines without a header: columns have their place. `recognises` is asked about the first lines."""

    id: str
    title: str
    expects: str
    recognises: Callable[[Sequence[str]], bool]
    read: Callable[[Iterable[Line], Options], Rows]
    cannot_say: tuple[str, ...] = ()
    subject: Subject = "visits"
    shape: Literal["lines"] = "lines"


Format = TableFormat | JsonFormat | LineFormat


class UnrecognisedError(UnreadableError):
    """No format fits; `expected` lists, one sentence each, what would have."""

    def __init__(self, seen: str, expected: Sequence[str]) -> None:
        super().__init__(f"{seen} Expected one of: {'; '.join(expected)}.")
        self.seen = seen
        self.expected = tuple(expected)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was recognised: its format, and its rows as they are read."""

    format: Format
    rows: Rows = field(repr=False)


@cache
def formats() -> tuple[Format, ...]:
    """Every format there is; a module may have several shapes of one."""
    modules = (import_module(f"{__package__}.{name}") for name in _MODULES)
    return tuple(
        found
        for module in modules
        for found in (module.FORMATS if hasattr(module, "FORMATS") else (module.FORMAT,))
    )


def read(
    chunks: Iterable[bytes],
    options: Options | None = None,
    limit: int | None = None,
    subject: Subject | None = None,
) -> Reading:
    """Recognise a file and begin to read it.

    Args:
        chunks: the file.
        options: what is known about it.
        limit: how many bytes it may hold when unpacked.
        subject: what it must be about, where that is known.

    Raises:
        UnrecognisedError: nothing here reads such a file.
        UnreadableError: it is damaged. While rows are taken it is raised too, where the fault shows late.
    """
    pieces = text_of(chunks, limit)
    sample = next((piece for piece in pieces if piece.strip("\ufeff \t\r\n")), "")
    text = chain((sample,), pieces)
    chosen = options or Options()
    found = _json(text, chosen, subject) if looks_like_json(sample) else _lines(text, chosen, subject)
    if subject not in (None, found.format.subject):
        raise UnrecognisedError(f"This is {found.format.title}.", _expected(subject))
    return found


def _json(text: Iterable[str], options: Options, subject: Subject | None) -> Reading:
    found = elements(text)
    first = list(islice(found, _SAMPLE_ELEMENTS))
    samples = [one for one in first if isinstance(one, Element)]
    for candidate in formats():
        if candidate.shape == "json" and any(map(candidate.recognises, samples)):
            return Reading(candidate, candidate.read(chain(first, found), options))
    if not samples:
        raise UnrecognisedError("This is JSON without a single record.", _expected(subject, "json"))
    names = ", ".join(sorted(map(str, samples[0].value))[:8])
    raise UnrecognisedError(
        f"This is JSON whose records hold {names or 'nothing'}.", _expected(subject, "json")
    )


def _lines(text: Iterable[str], options: Options, subject: Subject | None) -> Reading:
    lines = lines_of(text)
    first: list[Line] = list(islice(lines, _SAMPLE_LINES))
    shown = [line for _, line in first if line.strip()]
    for candidate in formats():
        if candidate.shape == "lines" and shown and candidate.recognises(shown):
            return Reading(candidate, candidate.read(chain(first, lines), options))
    found = _table(first, lines, options)
    if found is not None:
        return found
    if not shown:
        raise UnrecognisedError("This file is empty.", _expected(subject))
    raise UnrecognisedError(f"The first line is {shown[0][:80]!r}.", _expected(subject, "table", "lines"))


def _table(first: Sequence[Line], lines: Iterable[Line], options: Options) -> Reading | None:
    tables = [one for one in formats() if one.shape == "table"]
    known = frozenset[str]().union(*(one.columns for one in tables))
    header = header_of(first, lambda name: name in known)
    if header is None:
        return None
    delimiter, columns = header
    for candidate in tables:
        if candidate.recognises(columns):
            found = records(chain(first, lines), delimiter, columns)
            return Reading(candidate, candidate.read(found, columns, options))
    return None


def _expected(subject: Subject | None, *shapes: str) -> list[str]:
    return [
        f"{one.title} ({one.expects})"
        for one in formats()
        if subject in (None, one.subject) and (not shapes or one.shape in shapes)
    ]
