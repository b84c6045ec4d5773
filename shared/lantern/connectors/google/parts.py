"""The parts of a person's bundle beside OAuth grants: extensions, visits, apps in use, app passwords.

They come from lists of the whole organisation, read once when a run asks for the first bundles, and each
only where the consent covers it. A list that was not read, or not to its end, removes nothing: its source is
not named.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from lantern.connectors.google import extensions as chrome_extensions
from lantern.connectors.google import passwords, reports, seen
from lantern.connectors.google import sites as chrome_sites
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.extensions import Extensions
from lantern.connectors.google.listing import Listing
from lantern.connectors.google.manifest import AUDIT, CHROME, CHROME_DETAILS, SECURITY
from lantern.connectors.google.normalize import Event, MalformedError
from lantern.connectors.google.sites import Sites
from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.protocol import Clock, Deadline
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import GrantSource, ObservedGrant, Principal

log = logging.getLogger(__name__)

T = TypeVar("T")
_BUDGET_S: Final = 240.0
"""So long the lists of one message may take in all; grants are not kept waiting for longer."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an account holds beside OAuth grants, which sources that is all of, and as of when.

    `ended` are apps it is known not to hold, though their source was not read to its end.
    """

    grants: tuple[ObservedGrant, ...] = ()
    sources: frozenset[GrantSource] = frozenset()
    as_of: datetime | None = None
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Lists:
    """The lists of the organisation; None where not covered by the consent, or it did not come."""

    extensions: Extensions | None = None
    sites: Sites | None = None
    used: Listing | None = None

    def all(self) -> Iterable[tuple[GrantSource, Listing]]:
        if self.extensions:
            yield "extension", self.extensions.listing
        if self.sites:
            yield "visit", self.sites.listing
        if self.used:
            yield "use", self.used


@dataclass(slots=True)
class Parts:
    """The lists of one connector, and who has been looked up in them. Safe for threads.

    `begin` says that a run is reading bundles: only then are the lists worth their calls. An account that is
    asked for again is not looked up: by then somebody may have written what is newer than the lists.
    """

    admin: GoogleApi
    chrome: GoogleApi
    clock: Clock
    granted: frozenset[str]
    connection_id: str
    cap: int
    _running: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lists: _Lists | None = None
    _extensions: Extensions | None = None
    _sites: Sites | None = None
    _asked: set[str] = field(default_factory=set)
    _due: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """A run lists the accounts of the organisation."""
        self._running = True

    def passwords_changed(self, native_id: str) -> None:
        """We deleted an app password of this account: its next reading tells what is left."""
        self._due.add(native_id)

    def load(self, halt: Halt) -> None:
        """Read the lists, if a run needs them and they were not read."""
        if not self._running or self._lists is not None or halt.passed():
            return
        until = self.clock.monotonic() + min(halt.left_s(), _BUDGET_S)
        inner = Halt(self.clock, Deadline(self.clock, until))
        self._lists = _Lists(self.extensions(inner), self.sites(inner), self._used(inner))

    def extensions(self, halt: Halt) -> Extensions | None:
        """All extensions, read once; None where that is not covered or did not come."""
        if CHROME in self.granted and self._extensions is None:
            details = CHROME_DETAILS in self.granted
            self._extensions = _try(
                "extensions",
                lambda: chrome_extensions.read(
                    self.chrome, self.clock.now(), halt, details=details, cap=self.cap
                ),
            )
        return self._extensions

    def sites(self, halt: Halt) -> Sites | None:
        """All AI sites, read once; None where that is not covered or did not come."""
        if CHROME in self.granted and self._sites is None:
            self._sites = _try(
                "sites", lambda: chrome_sites.read(self.chrome, self.clock.now(), halt, cap=self.cap)
            )
        return self._sites

    def _used(self, halt: Halt) -> Listing | None:
        if AUDIT not in self.granted:
            return None
        now = self.clock.now()
        most = seen.PAGES_WEEKLY if seen.reads_on(self.connection_id, now) else seen.PAGES

        def pages(feed: str, since: datetime, until: datetime) -> Iterator[list[Event]]:
            return reports.feed(self.admin, feed, since, until, halt)

        return _try("use", lambda: seen.read(pages, now, most))

    def find(self, account: Principal, halt: Halt) -> Found:
        """What the lists say of an account, and its app passwords if it is its turn.

        Raises:
            HaltedError: told to stop.
        """
        with self._lock:
            first = account.native_id not in self._asked
            self._asked.add(account.native_id)
        grants: list[ObservedGrant] = []
        sources: set[GrantSource] = set()
        begun: list[datetime] = []
        ended: set[str] = set()
        for source, listing in self._lists.all() if first and self._lists else ():
            grants += listing.of(account.email, account.native_id)
            begun.append(listing.begun)
            if listing.complete:
                sources.add(source)
            else:
                ended |= listing.whole
        held = self._passwords(account, halt, turn=first and self._running)
        if held is not None:
            grants += held
            sources.add("password")
        ended.difference_update(grant.app.id for grant in grants)
        return Found(tuple(grants), frozenset(sources), min(begun, default=None), frozenset(ended))

    def _passwords(self, account: Principal, halt: Halt, *, turn: bool) -> tuple[ObservedGrant, ...] | None:
        turn = turn and passwords.is_turn(account.native_id, self.clock.now().date())
        if SECURITY not in self.granted or not (turn or account.native_id in self._due):
            return None
        try:
            return passwords.read(self.admin, account.native_id, halt)
        except MalformedError as error:
            log.warning("google: app passwords of an account are malformed: %s", error)
        except CallError as error:
            if error.resolution.connection_wide:
                raise
            log.warning("google: app passwords of an account did not come: %s", error.detail)
        return None


def _try(what: str, call: Callable[[], T]) -> T | None:
    """A list, or None where it did not come: the rest does without it, and nothing is concluded."""
    try:
        return call()
    except HaltedError:
        log.warning("google: there was no time for the list of %s", what)
    except CallError as error:
        log.warning("google: the list of %s did not come: %s", what, error.detail)
    return None
