"""Files that a tenant handed in: what became of each, and what in it could not be used."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from lantern.domain.inventory import Provider
from lantern.domain.visits import Candidate, VisitCounts

ImportState = Literal["uploading", "waiting", "reading", "done", "failed"]
"""`uploading`: there is an address to send the file to, and nothing has come yet."""
ImportKind = Literal["export", "inventory", "logs"]
"""What a file was handed in as: an export of a provider, a feed of an inventory, a log of the web."""
SOURCE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
"""Name of a feed: what one source says is kept apart from what others say."""
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
    """One file. `digest` names its content; `connections` are those its people were stored under.

    `dropped`: it was sent to the bucket, and is not kept among the tenant's items. Of a log `visits` says
    what became of its lines, `parts` how far it has been stored, and `same_as` which import had counted it
    before.
    """

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
    kind: ImportKind = "export"
    source: str = ""
    dropped: bool = False
    media_type: str = ""
    visits: VisitCounts | None = None
    candidates: tuple[Candidate, ...] = ()
    parts: int = 0
    same_as: str | None = None

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in ("uploading", "waiting", "reading")
