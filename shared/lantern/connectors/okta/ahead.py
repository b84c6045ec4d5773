"""Reading grants ahead while assignments are being listed.

The two have quotas of their own, and nothing can be said of an account before both are known. Listing takes
minutes, during which the grants of accounts that come next are read, so that both quotas are used all the
time.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from lantern.connectors.calls import Admission
from lantern.connectors.fanout import fan_out
from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.okta.normalize import APPLICATION, Consented, MalformedError
from lantern.connectors.protocol import Clock, PrincipalPage
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import Principal

R = TypeVar("R")

_MOST: Final = 10_000
"""So many accounts are read ahead, at most."""
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """What an account consented to, and when that was asked."""

    given: tuple[Consented, ...]
    at: datetime


class Roll:
    """The listing of accounts, which can be turned over ahead of whoever walks through it."""

    def __init__(self, turn: Callable[[str | None, Halt], PrincipalPage]) -> None:
        self._turn = turn
        self._pages: dict[str, PrincipalPage] = {}
        self._end: str | None = None
        self._coming: deque[Principal] = deque()

    def page(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        """One page; a page that was turned over before is not asked for again."""
        page = self._pages.pop(cursor, None) if cursor else None
        if page is None:
            page = self._turn(cursor, halt)
            self._pages.clear()
            self._coming.clear()
            self._see(page)
        return page

    def coming(self, halt: Halt) -> list[Principal]:
        """Accounts that will probably be asked for next."""
        while len(self._coming) < _BATCH and self._end is not None:
            cursor = self._end
            page = self._pages[cursor] = self._turn(cursor, halt)
            self._see(page)
        return [self._coming.popleft() for _ in range(min(_BATCH, len(self._coming)))]

    def _see(self, page: PrincipalPage) -> None:
        self._end = page.cursor
        self._coming.extend(one for one in page.principals if one.native_id != APPLICATION)


class Loading(Generic[R]):
    """Work in a thread of its own, while something else is done."""

    def __init__(self, work: Callable[[], R]) -> None:
        self._work = work
        self._done: list[R] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="assignments", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._done.append(self._work())
        except BaseException as error:  # raised where it is waited for
            self._error = error

    def under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def wait(self) -> R:
        """Wait for the end; what the work returned, or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._done[0]


class Ahead:
    """Grants that were read before they were asked for; each is given out once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def take(self, native_id: str) -> Kept | None:
        """What was read of this account, if it was."""
        return self._kept.pop(native_id, None)

    def has(self, native_id: str) -> bool:
        """Whether this account was read."""
        return native_id in self._kept

    def fetch(
        self,
        accounts: Sequence[Principal],
        admit: Callable[[], Admission | None],
        ask: Callable[[str, Admission | None], tuple[Consented, ...]],
        halt: Halt,
        cap: int,
    ) -> bool:
        """Read these accounts; what fails is left to be asked for in its turn. Whether to go on.

        Raises:
            CallError: what would fail for all of them.
        """

        def work(account: Principal, admission: Admission) -> tuple[str, Kept | None]:
            at, kept = self._clock.now(), None
            try:
                kept = Kept(ask(account.native_id, admission), at)
            except (HaltedError, MalformedError):
                pass
            except CallError as error:
                if error.resolution.connection_wide:
                    raise
            return account.native_id, kept

        found = fan_out(accounts, admit, work, halt=halt, cap=cap)
        got = {native_id: kept for native_id, kept in found if kept is not None}
        self._kept.update(got)
        return bool(got) and len(self._kept) < _MOST
