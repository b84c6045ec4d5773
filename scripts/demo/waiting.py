"""Waiting with an end: whatever is waited for has a deadline, and its failure says what was awaited."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scripts.instance.progress import Report

T = TypeVar("T")

PAUSE_S = 0.4


class DemoFailedError(RuntimeError):
    """The demo cannot go on; the message says what it was waiting for or what was wrong."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Waits, and tells how it stands."""

    report: Report
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(
        self,
        what: str,
        seconds: float,
        look: Callable[[], tuple[T | None, str]],
        *,
        pause_s: float = PAUSE_S,
    ) -> T:
        """The first thing that `look` finds; it also says how it stands.

        Raises:
            DemoFailedError: nothing was found in time.
        """
        deadline = self.clock() + seconds
        while True:
            found, standing = look()
            self.report(standing)
            if found is not None:
                return found
            if self.clock() > deadline:
                raise DemoFailedError(
                    f"gave up after {seconds:.0f} s waiting for {what} (last seen: {standing})"
                )
            self.sleep(pause_s)


def tail(log: Path, lines: int = 40) -> str:
    """The last lines of a log that say something went wrong; all last lines where none does."""
    try:
        everything = log.read_text(errors="replace").splitlines()[-2_000:]
    except FileNotFoundError:
        return f"({log} does not exist)"
    telling = [
        line
        for line in everything
        if any(word in line for word in ("ERROR", "Traceback", "WARNING", "Error"))
    ]
    return "\n".join((telling or everything)[-lines:])
