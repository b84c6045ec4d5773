"""Delimited text → records by column name, with line numbers; a broken line never swallows the next ones."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lantern.domain.exports.rows import BadRow

MAX_LINE: Final = 1024 * 1024
MAX_COLUMNS: Final = 2_000
_MAX_FIELD: Final = 128 * 1024
_LOOKAHEAD: Final = 200
"""How many lines a quoted value may span; a quote that stays open longer is a broken quote."""
_DELIMITERS: Final = (",", ";", "\t", "|")
_PLAIN: Final = re.compile(r"[^0-9a-z.]+")

Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a table: its line number, and its values by the plain name of their column."""

    line: int
    values: Mapping[str, str]

    def get(self, *names: str) -> str:
        """The first of these columns that holds something; empty where none does."""
        for name in names:
            value = self.values.get(name)
            if value:
                return value
        return ""


def plain_name(column: str) -> str:
    """A column's name as it is compared: "Client ID", "client_id" and "clientId" are the same."""
    return _PLAIN.sub("", column.casefold())


def lines_of(text: Iterable[str]) -> Iterator[Line]:
    """Numbered lines without their ends, whichever ends they have; one that is too long is cut."""
    number, rest = 0, ""
    for piece in text:
        # A CR at the end may be the first half of CRLF.
        held = rest + piece
        keep = "\r" if held.endswith("\r") else ""
        parts = held[: len(held) - len(keep)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest = parts.pop()[: MAX_LINE + 1] + keep
        for part in parts:
            number += 1
            yield number, part[: MAX_LINE + 1]
    if rest:
        yield number + 1, rest.rstrip("\r")


def header_of(lines: Sequence[Line], known: Callable[[str], bool]) -> tuple[str, list[str]] | None:
    """The delimiter and the plain column names of a table; None where the first line is no header.

    Args:
        lines: the beginning of the file.
        known: whether a plain column name means something to anybody.
    """
    first = next((text for _, text in lines if text.strip() and not _declares(text)), None)
    if first is None or len(first) > MAX_LINE:
        return None
    best: tuple[int, str, list[str]] | None = None
    for delimiter in _declared(lines) or _DELIMITERS:
        try:
            names = [plain_name(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
        except csv.Error:
            continue
        found = sum(known(name) for name in dict.fromkeys(names))
        if found and (best is None or found > best[0]):
            best = (found, delimiter, names)
    return best[1:] if best else None


def records(lines: Iterable[Line], delimiter: str, columns: Sequence[str]) -> Iterator[Record | BadRow]:
    """Read the lines after the header as records."""
    seen_header = False
    width = len(columns)
    for line, values in rows(lines, delimiter):
        if isinstance(values, BadRow):
            yield values
        elif not seen_header:
            seen_header = True
        elif len(values) > width and any(value.strip() for value in values[width:]):
            yield BadRow(line, f"{len(values)} values, but the header names {width} columns")
        elif any(values):
            yield Record(line, _by_name(columns, values))


def _by_name(columns: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in zip(columns, values, strict=False):
        # Where two columns have one name the first that holds something counts.
        if value and name not in named:
            named[name] = value.strip()
    return named


def rows(
    lines: Iterable[Line], delimiter: str, *, spaced: bool = False
) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Split lines into values; a quoted value may span lines. `spaced`: a space may follow a delimiter."""
    waiting: list[Line] = []
    source = iter(lines)
    while True:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            return
        number, text = line
        if not text.strip() or (number == 1 and _declares(text)):
            continue
        if len(text) > MAX_LINE:
            yield number, BadRow(number, f"the line is longer than {MAX_LINE:,} characters")
            continue
        values = _split(text, delimiter, spaced=spaced)
        if values is None:
            values = _span(text, waiting, source, delimiter, spaced=spaced)
        yield number, values if values is not None else BadRow(number, "a quote is opened and never closed")


def _span(
    text: str, waiting: list[Line], source: Iterator[Line], delimiter: str, *, spaced: bool
) -> list[str] | None:
    """Take further lines until the quote is closed; where it never is, they are given back."""
    taken = 0
    size = len(text)
    while taken < _LOOKAHEAD and size <= _MAX_FIELD:
        if taken == len(waiting):
            more = next(source, None)
            if more is None:
                break
            waiting.append(more)
        text += "\n" + waiting[taken][1]
        size = len(text)
        closes = '"' in waiting[taken][1]
        taken += 1
        values = _split(text, delimiter, spaced=spaced) if closes else None
        if values is not None:
            del waiting[:taken]
            return values
    return None


def _split(text: str, delimiter: str, *, spaced: bool) -> list[str] | None:
    """The values of a line; None where a quote is still open."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=spaced), [])
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None
    try:
        return next(csv.reader([text], delimiter=delimiter, skipinitialspace=spaced), [])
    except csv.Error:
        return None


def _declares(text: str) -> bool:
    """Excel may write `sep=;` as the first line."""
    return text.strip().casefold().startswith("sep=")


def _declared(lines: Sequence[Line]) -> tuple[str, ...]:
    if lines and _declares(lines[0][1]):
        char = lines[0][1].strip()[4:5]
        return (char,) if char in _DELIMITERS else ()
    return ()
