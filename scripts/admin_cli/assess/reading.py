"""Read export files into a census, with a progress bar; what cannot be read is kept with file and line."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lantern.connectors.imports.formats import Options, read
from lantern.connectors.imports.text import UnreadableError
from lantern.domain.exports.census import Census
from lantern.domain.exports.posture import Source
from lantern.domain.exports.rows import AnyRow, BadRow, VisitRow
from lantern.domain.visit_targets import resolver
from lantern.domain.visits import Visits
from scripts.admin_cli.assess.knowledge import knowledge
from scripts.admin_cli.terminal import inert

CHUNK: Final = 256 * 1024
MAX_BAD: Final = 100_000
"""How many bad rows are kept with their reasons; the others are only counted."""
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A row that could not be used."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Intake:
    """What came of reading the files. `visits` is what logs of the web say; None where none was given."""

    day: date
    census: Census = field(default_factory=Census)
    visits: Visits | None = None
    sources: list[Source] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether at least one file gave at least one row."""
        return any(source.rows for source in self.sources)

    @property
    def faultless(self) -> bool:
        """Whether every file was read to its end without a bad row."""
        return all(source.problem is None and not source.bad for source in self.sources)

    def take(self, row: AnyRow) -> str | None:
        """Take one row; returns why it cannot be believed, None where it was counted."""
        if not isinstance(row, VisitRow):
            self.census.add(row)
            return None
        if self.visits is None:
            known = knowledge()
            self.visits = Visits(resolver(known.catalog, known.registrable), self.day)
        return self.visits.add(row)

    def close(self) -> None:
        """Join everything that was read."""
        for row in self.visits.rows() if self.visits else ():
            self.census.add(row)
        self.census.close()


def take_in(paths: list[Path], options: Options, day: date, *, progress: Console | None) -> Intake:
    """Read every file as of a day; one that cannot be read does not stop the others."""
    intake = Intake(day)
    with _bar(progress) as bar:
        for path in paths:
            name = "standard input" if str(path) == STDIN else path.name
            task = _task(bar, path, name)
            intake.sources.append(_source(path, name, options, intake, bar, task))
    intake.close()
    return intake


def _source(
    path: Path, name: str, options: Options, intake: Intake, bar: Progress | None, task: TaskID | None
) -> Source:
    rows = bad = 0
    form = None
    problem: str | None = None
    try:
        with _open(path) as stream:
            reading = read(_chunks(stream, bar, task), options)
            form = reading.format
            for row in reading.rows:
                fault = row if isinstance(row, BadRow) else _disbelieved(intake, row)
                if fault is None:
                    rows += 1
                    continue
                bad += 1
                if len(intake.bad) < MAX_BAD:
                    intake.bad.append(BadLine(name, fault.line, fault.reason))
    except UnreadableError as error:
        problem = str(error)
    except OSError as error:
        problem = f"The file cannot be opened: {error.strerror or error}."
    if form is None:
        return Source(name, None, "not recognised", rows, bad, problem)
    return Source(name, form.id, form.title, rows, bad, problem, form.cannot_say)


def _disbelieved(intake: Intake, row: AnyRow) -> BadRow | None:
    reason = intake.take(row)
    return BadRow(row.line, reason) if reason is not None and isinstance(row, VisitRow) else None


def _open(path: Path) -> AbstractContextManager[BinaryIO]:
    if str(path) == STDIN:
        return nullcontext(sys.stdin.buffer)
    return path.open("rb")


def _chunks(stream: BinaryIO, bar: Progress | None, task: TaskID | None) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk
        if bar is not None and task is not None:
            bar.advance(task, len(chunk))


def _bar(console: Console | None) -> AbstractContextManager[Progress | None]:
    if console is None or not console.is_terminal:
        return nullcontext(None)
    columns = (
        TextColumn("reading {task.description}", markup=False), BarColumn(), DownloadColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    return Progress(*columns, console=console, transient=True)


def _task(bar: Progress | None, path: Path, name: str) -> TaskID | None:
    if bar is None:
        return None
    total = path.stat().st_size if path.is_file() else None
    return bar.add_task(inert(name, 40), total=total)
