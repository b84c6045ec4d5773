"""Reading ahead: accounts that were listed are read in that order, before they are asked for.

A tenant's units are counted in windows of ten seconds: whoever waits for an answer before asking on,
between pages or chunks of accounts, loses what the window had left. So while accounts are handed out, the
next pages are listed and their accounts read, at the quota's pace. At most `MOST` accounts are held; when
nobody has asked for `IDLE_S`, or the deadline is there, it ends, and accounts are read when asked for.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.protocol import Clock, PrincipalPage, Unread
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import Observation, Principal

log = logging.getLogger(__name__)

MOST: Final = 1_000
IDLE_S: Final = 30.0
_LISTED: Final = 400
"""So many listed accounts wait to be read, before the next page is listed."""
_LOOK_S: Final = 0.2

Outcome = Observation | Unread
Turn = Callable[[str | None, Halt], PrincipalPage]
Finish = Callable[[PrincipalPage, Halt], PrincipalPage]
ReadChunks = Callable[[Iterable[list[Principal]], Halt], Iterator[Outcome | None]]


class Ahead:
    """The listing of a tenant's accounts, turned over and read ahead of whoever walks through it.

    Args:
        turn: lists one page, as far as it takes to read its accounts.
        finish: says the rest of a page, before it is handed out.
        read: reads chunks of accounts as they come, as fast as the quota allows.
        clock: time.
        size: accounts of a chunk.
        warm: lists that reading needs, which are begun at once, side by side.
    """

    def __init__(
        self,
        turn: Turn,
        finish: Finish,
        read: ReadChunks,
        clock: Clock,
        size: int,
        warm: Sequence[Callable[[Halt], object]] = (),
    ) -> None:
        self._turn = turn
        self._finish = finish
        self._read = read
        self._clock = clock
        self._size = size
        self._warm = warm
        self._turning = threading.Lock()
        self._state = threading.Condition()
        self._pages: dict[str, PrincipalPage] = {}
        self._end: str | None = None
        self._coming: deque[Principal] = deque()
        self._under_way: set[str] = set()
        self._ready: dict[str, Outcome] = {}
        self._halt: Halt | None = None
        self._listing = self._running = False
        self._asked_at = 0.0

    def page(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        """One page; what was turned over ahead is not asked for again."""
        return self._finish(self._next(cursor, halt), halt)

    def _next(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        with self._turning:
            page = self._pages.pop(cursor, None) if cursor else None
            if page is not None:
                return page
            page = self._turn(cursor, halt)
            with self._state:
                if cursor is None or cursor != self._end:
                    self._forget()
                self._see(page)
            return page

    def _forget(self) -> None:
        """Another listing begins."""
        if self._halt is not None:
            self._halt.call()
        self._pages.clear()
        self._coming.clear()
        self._under_way, self._ready = set(), {}
        self._running = self._listing = False

    def _see(self, page: PrincipalPage) -> None:
        self._end = page.cursor
        self._coming.extend(
            one for one in page.principals if one.kind != "organisation" and one.status != "deleted"
        )
        self._state.notify_all()

    def begin(self, accounts: Sequence[Principal], halt: Halt) -> None:
        """Read on from these accounts if they come next in the listing; without any, from what comes next."""
        with self._state:
            self._asked_at = self._clock.monotonic()
            begun = self._coming[0].id == accounts[0].id if self._coming and accounts else not accounts
            if self._running or not begun or not (self._coming or self._end):
                return
            self._halt = halt.within()
            self._running = self._listing = True
            works = [self._list, self._work, *(self._warmed(one) for one in self._warm)]
            threads = [threading.Thread(target=run, args=(self._halt,), daemon=True) for run in works]
        for thread in threads:
            thread.start()

    def _warmed(self, work: Callable[[Halt], object]) -> Callable[[Halt], None]:
        def run(halt: Halt) -> None:
            try:
                work(halt)
            except (CallError, HaltedError) as error:
                # Whoever needs it asks again.
                log.warning("entra: a list is not read ahead: %s", type(error).__name__)

        return run

    def take(self, accounts: Sequence[Principal], halt: Halt) -> Iterator[Outcome]:
        """What was read of these, as it comes; accounts of which nothing comes are left out."""
        wanted = {one.id for one in accounts}
        while wanted and not halt.passed():
            with self._state:
                self._asked_at = self._clock.monotonic()
                found = [self._ready.pop(one) for one in wanted & self._ready.keys()]
                if not found:
                    if not wanted & self._under_way and not (self._running and self._awaited(wanted)):
                        return
                    self._state.wait(_LOOK_S)
                self._state.notify_all()
            for outcome in found:
                wanted.discard(outcome.principal.id)
                yield outcome

    def _awaited(self, wanted: set[str]) -> bool:
        """Whether these will be read without anything being taken before."""
        room = len(self._under_way) + len(self._ready) < MOST
        return room and any(one.id in wanted for one in self._coming)

    def skip(self, accounts: Iterable[Principal]) -> None:
        """These are read otherwise."""
        gone = {one.id for one in accounts}
        with self._state:
            if self._coming and gone:
                self._coming = deque(one for one in self._coming if one.id not in gone)

    # -- the threads -------------------------------------------------------------------------------

    def _list(self, halt: Halt) -> None:
        try:
            while self._wait(halt, lambda: len(self._coming) < _LISTED):
                with self._turning:
                    cursor = self._end
                    if cursor is None or halt.passed():
                        return
                    page = self._turn(cursor, halt)
                    with self._state:
                        self._pages[cursor] = page
                        self._see(page)
        except (CallError, HaltedError) as error:
            log.warning("entra: the listing is not read ahead: %s", type(error).__name__)
        finally:
            with self._state:
                if halt is self._halt:
                    self._listing = False
                self._state.notify_all()

    def _work(self, halt: Halt) -> None:
        try:
            for outcome in self._read(self._chunks(halt), halt):
                with self._state:
                    if outcome is None or halt is not self._halt:
                        break
                    self._under_way.discard(outcome.principal.id)
                    self._ready[outcome.principal.id] = outcome
                    self._state.notify_all()
        except (CallError, HaltedError) as error:
            # Whoever asks for the accounts that are left meets it too.
            log.warning("entra: accounts are not read ahead: %s", type(error).__name__)
        finally:
            with self._state:
                if halt is self._halt:
                    self._running = False
                    self._under_way.clear()
                self._state.notify_all()
            halt.call()

    def _chunks(self, halt: Halt) -> Iterator[list[Principal]]:
        while self._wait(halt, self._next_is_there):
            with self._state:
                count = min(self._size, len(self._coming))
                chunk = [self._coming.popleft() for _ in range(count)]
                self._under_way.update(one.id for one in chunk)
            if not chunk:
                return
            yield chunk

    def _next_is_there(self) -> bool:
        enough = len(self._coming) >= self._size or not self._listing
        return enough and len(self._under_way) + len(self._ready) < MOST

    def _wait(self, halt: Halt, until: Callable[[], bool]) -> bool:
        """Wait until something holds; False when it is time to end."""
        with self._state:
            while not halt.passed() and self._clock.monotonic() - self._asked_at < IDLE_S:
                if until():
                    return True
                self._state.wait(_LOOK_S)
        return False
