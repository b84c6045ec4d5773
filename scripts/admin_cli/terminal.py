"""What reaches the operator's terminal: tables for people, JSON for programs, nothing that can bite."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_LIMIT: Final = 200
_MARKS: Final = 2
"""Combining marks kept in a row: enough for every script in use, too few to paint over other lines."""


def inert(value: object, limit: int = _LIMIT) -> str:
    """Text from outside as one harmless line: no control, direction or other invisible characters."""
    kept: list[str] = []
    marks = 0
    for char in str(value)[: limit * 4]:
        category = unicodedata.category(char)
        marks = marks + 1 if category.startswith("M") else 0
        if char.isspace():
            kept.append(" ")
        elif not category.startswith("C") and marks <= _MARKS:
            kept.append(char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago something was, in the largest unit that fits."""
    if at is None:
        return "never"
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def span(length: timedelta) -> str:
    """A length of time in one unit."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@dataclass(frozen=True, slots=True)
class Output:
    """Where results and remarks go.

    Results go to standard output: JSON with `as_json`, else as `show` draws them. Remarks go to standard
    error and are left out with `as_json`.
    """

    as_json: bool
    console: Console = field(default_factory=lambda: _console(errors=False))
    errors: Console = field(default_factory=lambda: _console(errors=True))

    def result(self, data: object, show: Callable[[], None]) -> None:
        """Print a result, once per command."""
        if self.as_json:
            print(json.dumps(data, indent=2, default=_plain))
        else:
            show()

    def line(self, text: str, style: str | None = None) -> None:
        """One line for people; long lines are left to the terminal, so that they can be copied whole."""
        self.console.print(Text(text, style=style or ""), soft_wrap=True)

    def remark(self, text: str) -> None:
        """A remark for people."""
        if not self.as_json:
            self.errors.print(Text(text, style="dim"), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
        """A table of values from outside, or `empty` where there is no row; the first column is never cut."""
        cells = [[inert("-" if cell is None else cell) for cell in row] for row in rows]
        if not cells:
            self.line(empty)
            return
        drawn = Table(box=None, header_style="bold", pad_edge=False)
        for index, name in enumerate(columns):
            whole = max(len(row[0]) for row in cells) if index == 0 else None
            drawn.add_column(name, overflow="fold", min_width=whole)
        for row in cells:
            drawn.add_row(*map(Text, row))
        self.console.print(drawn)

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values, one a line."""
        drawn = Table.grid(padding=(0, 2))
        for name, value in pairs:
            drawn.add_row(Text(name, style="bold"), Text(inert("-" if value is None else value)))
        self.console.print(drawn)

    def failure(self, message: str, remedy: str, code: int) -> None:
        """Say why the command ends, and what to do."""
        if self.as_json:
            error = {"message": inert(message, 1_000), "remedy": inert(remedy, 1_000), "exit_code": code}
            print(json.dumps({"error": error}, indent=2))
            return
        self.errors.print(Text(inert(message, 1_000), style="bold red"), soft_wrap=True)
        self.errors.print(Text(inert(remedy, 1_000)), soft_wrap=True)


def _console(*, errors: bool) -> Console:
    """A console that takes nothing in a text for markup, and folds nothing that goes to a file."""
    console = Console(highlight=False, markup=False, emoji=False, stderr=errors)
    if not console.is_terminal:
        console.width = 240
    return console


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)
