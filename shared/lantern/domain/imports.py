"""Files that a tenant handed in: what became of each, and what in it could not be used."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from lantern.domain.inventory import Provider

ImportState = Literal["waiting", "reading", "done", "failed"]
MAX_BAD: Final = 200
"""How many bad rows are kept with their reasons; the others are only counted."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A row that could not be used."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What a file held and what storing it wrote. `bundles_written` is 0 where nothing was new."""

    rows: int = 0
    bad_rows: int = 0
    people: int = 0
    apps: int = 0
    grants: int = 0
    bundles_written: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One file. `digest` names its content; `connections` are those its people were stored under."""

    id: str
    state: ImportState
    format: str
    title: str
    size: int
    digest: str
    created_at: datetime
    created_by: str
    provider: Provider | None = None
    connections: tuple[str, ...] = ()
    counts: ImportCounts = field(default_factory=ImportCounts)
    bad: tuple[BadLine, ...] = ()
    error: str | None = None
    finished_at: datetime | None = None
    rev: int = 0

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in ("waiting", "reading")
