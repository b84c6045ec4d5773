"""What a person sees while something takes a while: a line per finished step, on a terminal a spinner too."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """Reports steps on a console."""

    console: Console
    clock: Callable[[], float] = field(default=time.monotonic)

    @contextmanager
    def step(self, title: str) -> Iterator[Report]:
        """Do a step; what it reports meanwhile is shown on a terminal only.

        Where the step fails the line says so and the error goes on.
        """
        started = self.clock()
        try:
            if self.console.is_terminal:
                with self.console.status(Text(title)) as spinner:
                    yield lambda text: spinner.update(Text(f"{title}: {text}"))
            else:
                yield lambda _text: None
        except BaseException:
            self._line("✗", title, started, "red")
            raise
        self._line("✓", title, started, "green")

    def say(self, text: str) -> None:
        """A line of what came of the step before it."""
        self.console.print(Text(f"    {text}", style="dim"), soft_wrap=True)

    def together(self, tasks: Mapping[str, Callable[[], Any]]) -> list[Any]:
        """Do several things at once, with a line for each when it is done; their results in order.

        Raises:
            Exception: that of the first in order that failed, after all have ended.
        """
        started = self.clock()
        with ThreadPoolExecutor(len(tasks)) as pool:
            running = {pool.submit(task): title for title, task in tasks.items()}
            waiting = self.console.status("") if self.console.is_terminal else nullcontext()
            with waiting as spinner:
                left = list(tasks)
                for done in as_completed(running):
                    left.remove(running[done])
                    if spinner is not None:
                        spinner.update(Text(", ".join(left)))
                    failed = done.exception() is not None
                    mark, style = ("✗", "red") if failed else ("✓", "green")
                    self._line(mark, running[done], started, style)
        return [one.result() for one in running]

    def _line(self, mark: str, title: str, started: float, style: str) -> None:
        took = f"{self.clock() - started:.1f} s"
        self.console.print(Text.assemble((f"{mark} ", style), title, (f"  {took}", "dim")), soft_wrap=True)


def make_console(*, errors: bool = False) -> Console:
    """A console that takes nothing in a text for markup; where it is no terminal, lines are 120 wide."""
    console = Console(stderr=errors, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 120
    return console
