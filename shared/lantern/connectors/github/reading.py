"""Who is here, and what everybody holds: read from lists of the whole organisation, or person by person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from lantern.connectors.fanout import fan_out
from lantern.connectors.github import keys, normalize
from lantern.connectors.github.addresses import addresses
from lantern.connectors.github.api import GithubApi, Page
from lantern.connectors.github.keys import Credential
from lantern.connectors.github.lists import OUTSIDE, ROLES, Absent, Lists
from lantern.connectors.github.manifest import SEATS
from lantern.connectors.github.normalize import ORGANISATION, MalformedError, Owner, Seat
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.protocol import PrincipalPage, Unread, Use
from lantern.connectors.resolution import CallError
from lantern.domain.inventory import GrantSource, Observation, ObservedGrant, Principal

FEW: Final = 20
"""So many accounts are asked about one by one; for more, the lists of the whole organisation cost less."""
_AT_ONCE: Final = 8
_PARTS: Final = (*ROLES, OUTSIDE)


@dataclass(frozen=True, slots=True)
class _Held:
    """What the organisation's lists say: seats by account, credentials by login in lower case.

    None is a source that was not read, since it is not to be had here.
    """

    seats: dict[str, Seat] | None
    credentials: dict[str, list[Credential]] | None
    as_of: datetime


class Reader:
    """Reads one organisation for one connection; safe for threads."""

    def __init__(
        self,
        api: GithubApi,
        graph: GithubApi,
        lists: Lists,
        owner: Owner,
        permissions: frozenset[str],
        cap: int,
    ) -> None:
        self._api = api
        self._graph = graph
        self._lists = lists
        self._owner = owner
        self._permissions = permissions
        self._cap = min(cap, _AT_ONCE)
        self._listed: set[str] = set()
        self._read: set[str] = set()
        self._held: _Held | None = None

    def principals(self, cursor: str | None, halt: Halt) -> PrincipalPage:
        """A page of all accounts: the organisation and its owners first, then members, then outsiders."""
        part, _, following = (cursor or f"{_PARTS[0]}|").partition("|")
        if part not in _PARTS:
            raise ValueError("not a cursor of this listing")
        page = self._lists.members(part, following or None, halt)
        mail = addresses(self._graph, self._lists.name, _nodes(page.rows), halt)
        rows = tuple(self._principal(row, part, mail) for row in page.rows)
        self._listed.update(row.native_id for row in rows)
        if cursor is None:
            rows = (normalize.organisation(self._owner, self._lists.name), *rows)
        return PrincipalPage(rows, _onward(part, page))

    def _principal(self, row: Mapping[str, Any], part: str, mail: Mapping[str, tuple[str, ...]]) -> Principal:
        try:
            return normalize.principal(
                row,
                self._owner,
                admin=part == "admin",
                outside=part == OUTSIDE,
                addresses=mail.get(normalize.account_id(row), ()),
            )
        except MalformedError as error:
            raise CallError(GARBLED, detail=f"members: {error}") from None

    def find(self, native_id: str, halt: Halt) -> Principal | None:
        """The account of this id; None where it is not of this organisation."""
        if native_id == ORGANISATION:
            return normalize.organisation(self._owner, self._lists.name)
        if not native_id.isascii() or not native_id.isdigit():
            return None
        try:
            row = self._api.get(f"/user/{native_id}", "login", halt)
            name = normalize.login(row)
            if normalize.account_id(row) != native_id:
                raise CallError(GARBLED, detail="another account than asked for")
        except MalformedError as error:
            raise CallError(GARBLED, detail=f"user: {error}") from None
        except CallError as error:
            if error.reason != "not_found":
                raise
            # A 404 alone proves nothing: proxies and outages say 404 too. The lists do.
            if native_id in self._lists.roster(halt).values():
                raise CallError(GARBLED, detail="unknown, and listed") from None
            return None
        role = self._lists.membership(name, halt)
        if role is None and native_id in self._lists.roster(halt).values():
            role = OUTSIDE
        if role is None:
            return None
        return self._principal(row, role, addresses(self._graph, self._lists.name, _nodes([row]), halt))

    def read(self, principals: Sequence[Principal], halt: Halt) -> Iterator[Observation | Unread]:
        """What these accounts hold, in any order.

        Raises:
            CallError: what would fail for all of them.
        """
        people = [one for one in principals if one.native_id != ORGANISATION]
        for one in principals:
            if one.native_id == ORGANISATION:
                seen = self._guarded(one, partial(self._organisation, one, halt))
                if seen is None:
                    return
                yield seen
        fresh = [one for one in people if one.native_id in self._listed and one.native_id not in self._read]
        again = [one for one in people if one.native_id not in self._listed or one.native_id in self._read]
        self._read.update(one.native_id for one in people)
        if len(fresh) > FEW:
            yield from self._look_up(fresh, halt)
            fresh = []
        if fresh or again:
            yield from self._ask(fresh, again, halt)

    def last_uses(self, halt: Halt) -> Iterator[Use]:
        """When seats and authorised tokens of apps were last used, as far as GitHub tells."""
        held = self._held = self._held or self._lists_of_all(halt)
        for seat in (held.seats or {}).values():
            if seat.last_used_at:
                yield Use(seat.native_id, normalize.COPILOT.client_id, 1, seat.last_used_at)
        used = [
            (login, client, one.last_used_at)
            for login, mine in (held.credentials or {}).items()
            for one in mine
            if (client := keys.token_app(one)) and one.last_used_at
        ]
        people = {login.lower(): key for login, key in self._lists.roster(halt).items()} if used else {}
        for login, client, at in used:
            if login in people:
                yield Use(people[login], client, 1, at)

    def _organisation(self, account: Principal, halt: Halt) -> Observation:
        listed = self._lists.installations(halt).value
        grants = [normalize.installed(one, self._lists.about(one.slug, halt)) for one in listed]
        return Observation(account, normalize.sorted_grants(grants))

    def _look_up(self, people: Sequence[Principal], halt: Halt) -> Iterator[Observation | Unread]:
        """Accounts that were just listed, looked up in the organisation's lists."""
        if halt.passed():
            return
        try:
            held = self._held = self._held or self._lists_of_all(halt)
        except HaltedError:
            return
        except CallError as error:
            yield from (_unread(one, error) for one in people)
            return
        for one in people:
            seat = held.seats.get(one.native_id) if held.seats is not None else None
            mine = None if held.credentials is None else held.credentials.get((one.name or "").lower(), [])
            sources = _sources(seat=held.seats is not None, credential=mine is not None)
            yield Observation(one, _grants(seat, mine or []), sources=sources, as_of=held.as_of)

    def _lists_of_all(self, halt: Halt) -> _Held:
        seats: dict[str, Seat] | None = None
        credentials: dict[str, list[Credential]] | None = None
        moments = []
        if SEATS in self._permissions:
            try:
                dated = self._lists.seats(halt)
                seats = dated.value
                moments.append(dated.as_of)
            except Absent:
                seats = None
        try:
            listed = self._lists.credentials(halt)
            moments.append(listed.as_of)
            credentials = {}
            for one in listed.value:
                credentials.setdefault(one.login.lower(), []).append(one)
        except Absent:
            credentials = None
        return _Held(seats, credentials, min(moments, default=self._lists.now()))

    def _ask(
        self, fresh: Sequence[Principal], again: Sequence[Principal], halt: Halt
    ) -> Iterator[Observation | Unread]:
        """Accounts one by one; those that were not just listed are looked for first."""
        first: Page | None = None
        if halt.passed():
            return
        if SEATS in self._permissions:
            try:
                first = self._lists.first_seats(halt)
            except Absent:
                first = None
            except HaltedError:
                return
            except CallError as error:
                yield from (_unread(one, error) for one in (*fresh, *again))
                return
        known = {one.native_id for one in fresh}

        def work(account: Principal, _: bool) -> Observation | Unread | None:  # noqa: FBT001 - see `fan_out`
            found = account.native_id in known
            return self._guarded(account, partial(self._person, account, first, halt, found=found))

        for outcome in fan_out((*fresh, *again), lambda: True, work, halt=halt, cap=self._cap):
            if outcome is not None:
                yield outcome

    def _person(self, account: Principal, first: Page | None, halt: Halt, *, found: bool) -> Observation:
        """One account, asked for just now."""
        present = account if found else self.find(account.native_id, halt)
        if present is None:
            return Observation(replace(account, status="deleted"), None, gone=True)
        seat, certain = self._seat(present, first, halt)
        try:
            mine = self._lists.credentials(halt, login=present.name or "").value
        except Absent:
            mine = None
        sources = _sources(seat=certain, credential=mine is not None)
        return Observation(present, _grants(seat, mine or []), sources=sources)

    def _seat(self, account: Principal, first: Page | None, halt: Halt) -> tuple[Seat | None, bool]:
        """A person's seat, and whether its absence is certain."""
        if first is None:
            return None, False
        if first.following is None:
            for row in first.rows:
                try:
                    one = normalize.seat(row)
                except MalformedError as error:
                    raise CallError(GARBLED, detail=f"seats: {error}") from None
                if one and one.native_id == account.native_id:
                    return one, True
            return None, True
        one = self._lists.seat(account.name or "", halt)
        return one, one is not None

    def _guarded(self, account: Principal, read: Callable[[], Observation]) -> Observation | Unread | None:
        """The outcome of reading one account; None when told to stop first."""
        try:
            return read()
        except HaltedError:
            return None
        except CallError as error:
            return _unread(account, error)


def _nodes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["node_id"] for row in rows if isinstance(row.get("node_id"), str)]


def _onward(part: str, page: Page) -> str | None:
    if page.following:
        return f"{part}|{page.following}"
    at = _PARTS.index(part) + 1
    return f"{_PARTS[at]}|" if at < len(_PARTS) else None


def _sources(*, seat: bool, credential: bool) -> frozenset[GrantSource]:
    named: tuple[tuple[GrantSource, bool], ...] = (("seat", seat), ("credential", credential))
    return frozenset(source for source, read in named if read)


def _grants(seat: Seat | None, credentials: Sequence[Credential]) -> tuple[ObservedGrant, ...]:
    seated = [normalize.seated(seat)] if seat else []
    return normalize.sorted_grants(seated, keys.authorised(credentials))


def _unread(account: Principal, error: CallError) -> Unread:
    if error.resolution.connection_wide:
        raise error
    return Unread(account, "provider_error" if error.reason == "not_found" else error.reason)
