"""Things that are done one after another, where none may keep the others from being done."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Apart:
    """What failed so far; everything else goes on."""

    failed: list[Exception] = field(default_factory=list)

    @contextmanager
    def one(self, what: str, named: str = "") -> Iterator[None]:
        """Do one thing inside: whatever it fails with is noted, by its type, and kept for the end."""
        try:
            yield
        except Exception as error:
            # The text of an unexpected error may hold anything: its type is enough to find it.
            log.error("left undone", extra={"what": what, "named": named, "error": type(error).__name__})
            self.failed.append(error)

    def over(self) -> None:
        """Raise the first failure, after all was tried: the message comes again."""
        if self.failed:
            raise self.failed[0]
