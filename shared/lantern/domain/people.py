"""Which accounts belong to one human being: joined by addresses the organisation owns, never by names.

An address joins where it lies in a domain that the organisation's own directory holds, and only accounts of
people. What is computed depends on the accounts, on who bore an address before, and on nothing else: the
order in which accounts come does not matter, and computing it again changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from lantern.domain import ids
from lantern.domain.inventory import Principal, Provider
from lantern.domain.tenancy import Connection

TRUST: Final[tuple[Provider, ...]] = ("google", "entra", "okta")
"""Directories, those first that are believed first about who works here."""
_LAST: Final = 1 << 30


def normal(address: str | None) -> str | None:
    """An address in the one form in which addresses are compared; None where it is none.

    Nothing is guessed: a dot or a `+tag` makes another address, unless the provider lists it as an alias.
    """
    local, at, host = (address or "").strip().casefold().rpartition("@")
    host = host.rstrip(".")
    return f"{local}@{host}" if at and local and "." in host and "@" not in local else None


@dataclass(frozen=True, slots=True)
class Account:
    """What joining reads of a principal: `primary`, and `addresses` with primary and aliases, all normal."""

    id: str
    connection_id: str
    person_id: str
    human: bool
    departed: bool
    admin: bool | None = None
    primary: str | None = None
    addresses: frozenset[str] = frozenset()


def account(principal: Principal) -> Account:
    """A principal as joining reads it."""
    primary = normal(principal.email)
    every = {normal(alias) for alias in principal.aliases} | {primary}
    return Account(
        id=principal.id,
        connection_id=principal.connection_id,
        person_id=principal.person_id,
        human=principal.kind == "user",
        departed=principal.departed,
        admin=principal.admin,
        primary=primary,
        addresses=frozenset(one for one in every if one),
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """What joining stands on.

    `own` are the domains of the organisation. `order` is connection id → its place in the order in which they
    were connected. `trust` is connection id → how far a directory is believed about who left, 0 most; other
    connections are not in it.
    """

    own: frozenset[str] = frozenset()
    order: Mapping[str, int] = field(default_factory=dict)
    trust: Mapping[str, int] = field(default_factory=dict)


def ground(
    connections: Iterable[Connection],
    accounts: Iterable[Account],
    consumer_domains: Collection[str],
    trust: Sequence[Provider] = TRUST,
) -> Ground:
    """What the tenant's connections give joining to stand on.

    Domains stay the organisation's own when their directory is disconnected; about who left only a directory
    that is still read is believed. What came from a file proves neither.
    """
    ordered = sorted(connections, key=lambda one: (one.connected_at, one.id))
    directories = {c.id: c for c in ordered if c.kind == "consent" and c.provider in trust}
    own = {domain.casefold().rstrip(".") for c in directories.values() for domain in c.domains}
    for one in accounts:
        # Google admits a user to a domain only once the organisation has proven that the domain is its own:
        # https://support.google.com/a/answer/60216
        at = directories.get(one.connection_id)
        if at and at.provider == "google" and one.human and not one.departed and one.primary:
            own.add(one.primary.rpartition("@")[2])
    return Ground(
        own=frozenset(own) - frozenset(consumer_domains),
        order={c.id: place for place, c in enumerate(ordered)},
        trust={c.id: trust.index(c.provider) for c in directories.values() if not c.leaving},
    )


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose an address is, and at which connections somebody bears it."""

    person_id: str
    connections: frozenset[str]


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person of several accounts: (connection id, principal id) each, in order.

    `departed`: the directory that is believed most says so. `admin`: an administrator somewhere.
    """

    person_id: str
    accounts: tuple[tuple[str, str], ...]
    departed: bool
    admin: bool | None


@dataclass(frozen=True, slots=True)
class Joined:
    """Everybody: principal id → person id; who bears which address; persons of more than one account."""

    persons: Mapping[str, str]
    addresses: Mapping[str, Bearer]
    records: Mapping[str, PersonRecord]


Remembered = Callable[[str], str | None]
"""The person who bore an address when accounts were joined last."""


def join(accounts: Iterable[Account], on: Ground, remembered: Remembered) -> Joined:
    """Say which accounts are one person's.

    Args:
        accounts: all accounts of the tenant, those of people and the others.
        on: what joining stands on.
        remembered: the outcome of the last time.
    """
    known = {one.id: one for one in accounts}
    bearers = _bearers(known.values(), on.own)
    links = _Links()
    owned: dict[str, str] = {}
    for address in sorted(bearers):
        chosen = _of_address(address, bearers[address], on, remembered(address), links)
        if chosen:
            owned[address] = chosen[0].id
    groups: dict[str, list[Account]] = defaultdict(list)
    for one in known.values():
        groups[links.head(one.id)].append(one)
    addresses: dict[str, list[str]] = defaultdict(list)
    for address, pid in owned.items():
        addresses[links.head(pid)].append(address)
    names = _named(groups, addresses, on, remembered)
    persons = {one.id: names[head] for head, group in groups.items() for one in group}
    return Joined(
        persons=persons,
        addresses={
            address: Bearer(persons[pid], frozenset(one.connection_id for one in bearers[address]))
            for address, pid in owned.items()
        },
        records={
            names[head]: record(names[head], group, on) for head, group in groups.items() if len(group) > 1
        },
    )


def record(person_id: str, group: Iterable[Account], on: Ground) -> PersonRecord:
    """The record of a person with these accounts."""
    members = sorted(group, key=lambda one: (one.connection_id, one.id))
    told = [one.admin for one in members]
    return PersonRecord(
        person_id=person_id,
        accounts=tuple((one.connection_id, one.id) for one in members),
        departed=left(members, on),
        admin=True if True in told else None if None in told else False,
    )


def left(members: Iterable[Account], on: Ground) -> bool:
    """Whether a person left: by the directory that is believed most, or else by every account."""
    ranked = sorted(members, key=lambda one: on.trust.get(one.connection_id, _LAST))
    first = on.trust.get(ranked[0].connection_id, _LAST)
    return all(one.departed for one in ranked if on.trust.get(one.connection_id, _LAST) == first)


def _bearers(accounts: Iterable[Account], own: frozenset[str]) -> dict[str, list[Account]]:
    """Who bears each address of the organisation; one that is also a mailbox of several is nobody's."""
    found: dict[str, list[Account]] = defaultdict(list)
    shared: set[str] = set()
    for one in accounts:
        for address in one.addresses:
            if address.rpartition("@")[2] not in own:
                continue
            if one.human:
                found[address].append(one)
            elif not one.departed:
                shared.add(address)
    return {address: group for address, group in found.items() if address not in shared}


class _Links:
    """Accounts that belong together; a group is named by its smallest id."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def head(self, one: str) -> str:
        """The smallest id of the group."""
        path = []
        while (above := self._above.get(one, one)) != one:
            path.append(one)
            one = above
        for step in path:
            self._above[step] = one
        return one

    def tie(self, group: Sequence[Account]) -> None:
        """Put accounts into one group."""
        for one, other in pairwise(group):
            low, high = sorted((self.head(one.id), self.head(other.id)))
            self._above[high] = low


def _of_address(
    address: str, bearers: Iterable[Account], on: Ground, last: str | None, links: _Links
) -> list[Account]:
    """Tie those together who share an address; returns whose it is now.

    At one connection an address has one bearer. Where it went from an account that is gone to a living one,
    those that are gone stay with whom they were: the newcomer is somebody else.
    """
    living, gone = _by_connection(bearers, departed=False), _by_connection(bearers, departed=True)
    now = [one for _, group in sorted(living.items()) for one in _bearing(address, group, last)]
    past = [one for _, group in sorted(gone.items()) for one in group]
    if living.keys() & gone.keys():
        anchors = {one.person_id: one for one in reversed(now) if one.connection_id in on.trust}
        for one in past:
            if one.person_id in anchors:
                links.tie((anchors[one.person_id], one))
        for group in _by_person(past):
            links.tie(group)
        links.tie(now)
        return now
    alone = [one for _, group in sorted(gone.items()) for one in _last_of(group, last)]
    links.tie([*now, *alone])
    return now or alone


def _by_connection(bearers: Iterable[Account], *, departed: bool) -> dict[str, list[Account]]:
    found: dict[str, list[Account]] = defaultdict(list)
    for one in sorted(bearers, key=lambda one: one.id):
        if one.departed is departed:
            found[one.connection_id].append(one)
    return found


def _by_person(accounts: Iterable[Account]) -> Iterable[list[Account]]:
    found: dict[str, list[Account]] = defaultdict(list)
    for one in accounts:
        found[one.person_id].append(one)
    return found.values()


def _bearing(address: str, group: Sequence[Account], last: str | None) -> Sequence[Account]:
    """Who of a connection's living accounts bears an address: one, or those of whom the provider says so.

    Two with the same address stay apart; it stays with the person who had it, and else is nobody's.
    """
    if len(group) == 1 or sum(one.primary == address for one in group) == 1:
        return group
    return _last_of(group, last)


def _last_of(group: Sequence[Account], last: str | None) -> Sequence[Account]:
    """The only one, or those of the person who had the address the last time: they stay one person."""
    return group if len(group) == 1 else [one for one in group if one.person_id == last]


def _named(
    groups: Mapping[str, Sequence[Account]],
    addresses: Mapping[str, Sequence[str]],
    on: Ground,
    remembered: Remembered,
) -> dict[str, str]:
    """A person id for every group: the one its members had, that of the account known first before others.

    An id made from an account is never given to a group without that account, so no two groups share one.
    """

    def place(one: Account) -> tuple[int, str]:
        return on.order.get(one.connection_id, _LAST), one.id

    maker = {ids.person_id(one.id): (head, place(one)) for head, group in groups.items() for one in group}
    names: dict[str, str] = {}
    taken: set[str] = set()
    for head, group in sorted(groups.items(), key=lambda pair: min(map(place, pair[1]))):
        before = {name for address in addresses.get(head, ()) if (name := remembered(address))}
        tiers = (before, {one.person_id for one in group})
        usable = [
            sorted(name for name in tier if name not in taken and maker.get(name, (head,))[0] == head)
            for tier in tiers
        ]
        own = ids.person_id(min(group, key=place).id)
        chosen = next(
            (min(tier, key=lambda name: maker.get(name, ("", (-1, name)))[1]) for tier in usable if tier), own
        )
        names[head] = chosen
        taken.add(chosen)
    return names
