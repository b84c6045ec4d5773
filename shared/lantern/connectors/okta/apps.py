"""The organisation's apps and who is assigned to them.

Calls that name an app have the smallest quota of all (100 a minute, those that name a person have 600),
so the way to learn who is assigned is chosen by what it costs there. One account costs one call, asked for by
its id. All accounts cost a call per app and 500 assignments, whatever their number: an organisation of 10,000
with 200 apps and 300,000 assignments takes 800 calls instead of 10,000. (`/users/{id}/appLinks` would cost
nothing there, but leaves out apps without a tile and says neither since when nor by which way.)
"""

import math
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from lantern.connectors.calls import Admission
from lantern.connectors.fanout import fan_out
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.okta import normalize
from lantern.connectors.okta.api import OktaApi, segment
from lantern.connectors.okta.normalize import CataloguedApp, MalformedError
from lantern.connectors.protocol import Clock, Deadline
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import App

APPS: Final = "/api/v1/apps"
_PAGE: Final = "200"
_ASSIGNMENTS_PAGE: Final = "500"
_FEW: Final = 5
"""So few accounts are asked for one by one, without looking how many apps there are."""
_AT_ONCE: Final = 10
_SHARE: Final = 0.75
"""The part of the time left that listing may take."""

Held = tuple[tuple[App, date | None], ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """An account's assignments; `as_of` is when the lists were begun, None: asked just now."""

    held: Held
    as_of: datetime | None


@dataclass(slots=True)
class _Lists:
    begun: datetime
    held: dict[str, list[tuple[App, date | None]]] = field(default_factory=lambda: defaultdict(list))
    told: set[str] = field(default_factory=set)


class Apps:
    """Apps and assignments of one organisation, listed when first asked for; safe for threads."""

    def __init__(self, api: OktaApi, clock: Clock, *, at_once: int) -> None:
        self._api = api
        self._clock = clock
        self._at_once = min(at_once, _AT_ONCE)
        self._lock = threading.Lock()
        self._apps: tuple[CataloguedApp, ...] | None = None
        self._lists: _Lists | None = None
        self._too_long = False
        self._warm = False
        self._expected = 0
        self._asked: set[str] = set()

    def expect(self, accounts: int, *, begin: bool) -> None:
        """So many (more) accounts were listed, and will be read; `begin`: a listing begins with them."""
        self._expected = accounts if begin else self._expected + accounts

    def all(self, halt: Halt) -> tuple[CataloguedApp, ...]:
        """Every app that people or machines can use, or could if it were active."""
        with self._lock:
            if self._apps is None:
                self._apps = tuple(self._list(halt))
            return self._apps

    def by_client(self, halt: Halt) -> Mapping[str, App]:
        """Every app by client id."""
        return {one.app.client_id: one.app for one in self.all(halt)}

    def by_native_id(self, halt: Halt) -> Mapping[str, App]:
        """Every app by Okta's id of it."""
        return {one.native_id: one.app for one in self.all(halt)}

    def find(self, client_id: str, halt: Halt) -> CataloguedApp | None:
        """The app of a client id; None where there is none."""
        return next((one for one in self.all(halt) if one.app.client_id == client_id), None)

    def group_names(self, entry: CataloguedApp, halt: Halt) -> list[str]:
        """Names of the groups that assign an app."""
        path = f"{APPS}/{segment(entry.native_id)}/groups"
        found = []
        for row in self._api.rows(path, halt, params={"expand": "group", "limit": _PAGE}):
            group = normalize.inner(normalize.inner(row, "_embedded"), "group")
            name = normalize.inner(group, "profile").get("name")
            if isinstance(name, str) and name:
                found.append(normalize.label(name))
        return found

    def lists_pay(self, accounts: list[str], halt: Halt) -> bool:
        """Whether to list every assignment before these accounts are asked for: where that is cheaper.

        Raises:
            CallError: the apps could not be listed.
        """
        fresh = [account for account in accounts if account not in self._asked]
        self._asked.update(fresh)
        reach = max(self._expected, len(self._asked))
        if self._lists is not None or self._too_long or reach <= _FEW or not fresh:
            return False
        return reach >= sum(one.usable for one in self.all(halt))

    def load(self, halt: Halt) -> None:
        """List every assignment. What takes too long is given up, and accounts are then asked for one by one.

        Otherwise a very large organisation would spend all the time of every message on lists.

        Raises:
            CallError: an app or its assignments could not be listed; then nobody's are known.
        """
        allowed = halt.left_s() * _SHARE
        until = Deadline(self._clock, self._clock.monotonic() + allowed) if allowed < math.inf else None
        part = Halt(self._clock, until, outer=halt)
        try:
            self._lists = self._list_assignments(part, allowed)
        except HaltedError:
            if halt.passed():
                raise
            self._too_long = True
        except CallError as error:
            if error.reason != "not_found":
                raise
            # An app was deleted since it was listed: what is listed now is there.
            self.forget()
            self._lists = self._list_assignments(part, allowed)

    def warm(self, halt: Halt) -> None:
        """List the apps for a reading that begins now: its first look at them is spared another list."""
        with self._lock:
            if self._apps is None:
                self._apps = tuple(self._list(halt))
                self._warm = True

    def renew(self) -> None:
        """List the apps anew when next asked, unless they were listed for just this look at them."""
        with self._lock:
            if not self._warm:
                self._apps = None
            self._warm = False

    def forget(self) -> None:
        """List the apps anew when next asked."""
        with self._lock:
            self._apps, self._warm = None, False

    def assigned(self, account: str, halt: Halt) -> Lookup:
        """The apps an account may sign in to: from the lists the first time, asked for anew after that."""
        lists = self._lists
        if lists is not None:
            with self._lock:
                first = account not in lists.told
                lists.told.add(account)
            if first:
                return Lookup(tuple(lists.held.get(account, ())), lists.begun)
        return Lookup(tuple(self._ask(account, halt)), None)

    def _list(self, halt: Halt) -> Iterator[CataloguedApp]:
        # Without this flag apps that were deactivated are left out of some organisations' answers.
        params = {"limit": _PAGE, "includeNonDeleted": "true"}
        for row in self._api.rows(APPS, halt, params=params):
            found = _app(row)
            if found is not None and row.get("status") != "DELETED":
                yield found

    def _ask(self, account: str, halt: Halt) -> Iterator[tuple[App, date | None]]:
        if '"' in account or "\\" in account:
            raise CallError(GARBLED, detail="an id that is none")
        params = {"filter": f'user.id eq "{account}"', "expand": f"user/{account}", "limit": _PAGE}
        for row in self._api.rows(APPS, halt, params=params):
            found = _app(row)
            if found is None or not found.usable:
                continue
            try:
                made = normalize.assigned(normalize.inner(normalize.inner(row, "_embedded"), "user"))
            except MalformedError as error:
                raise CallError(GARBLED, detail=f"apps of a user: {error}") from None
            if made is not None and made.user_id == account:
                yield found.app, made.since

    def _list_assignments(self, halt: Halt, allowed: float) -> _Lists:
        began = self._clock.monotonic()
        apps = [one for one in self.all(halt) if one.usable]
        lists = _Lists(self._clock.now())

        def work(one: CataloguedApp, admission: Admission) -> tuple[App, list[normalize.Assigned]]:
            try:
                rows = self._api.rows(
                    f"{APPS}/{segment(one.native_id)}/users",
                    halt,
                    params={"limit": _ASSIGNMENTS_PAGE},
                    admission=admission,
                )
                return one.app, [made for made in map(normalize.assigned, rows) if made is not None]
            except MalformedError as error:
                raise CallError(GARBLED, detail=f"users of an app: {error}") from None

        done = 0
        path = f"{APPS}/any/users"
        inner = halt.within()
        for made, people in fan_out(
            apps, lambda: self._api.admit(path, inner), work, halt=inner, cap=self._at_once
        ):
            done += 1
            if self._clock.monotonic() - began > allowed / 3 and done < len(apps) / 4:
                raise HaltedError  # it will not be done in time
            for person in people:
                lists.held[person.user_id].append((made, person.since))
        if done < len(apps):
            raise HaltedError
        return lists


def _app(row: Mapping[str, object]) -> CataloguedApp | None:
    try:
        return normalize.app(row)
    except MalformedError as error:
        raise CallError(GARBLED, detail=f"apps: {error}") from None
