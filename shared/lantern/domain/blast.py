"""Blast radius: everything one vendor can reach, over all connections, in one record."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from lantern.domain.apps import AppSummary
from lantern.domain.inventory import GrantSource, Provider
from lantern.domain.scopes import severity_rank
from lantern.domain.tenancy import Connection, ConnectionStatus

_Wanted = Callable[[AppSummary], bool]
_ONLY_WHO: Final = frozenset({"identity"})
"""Signing in is no data that could travel on."""
MAX_NAMED: Final = 500
_WORDS: Final[Mapping[str, str]] = {
    "identity": "who people are",
    "directory": "the directory",
    "chat": "messages",
    "crm": "customer records",
    "hr": "personnel records",
    "device": "devices",
    "security": "security settings",
    "ai_content": "conversations with AI",
}


@dataclass(frozen=True, slots=True)
class AppReach:
    """What one app reaches at one connection, and who holds it there.

    `everyone`: it was given for the whole organisation. `accounts` counts holders that are accounts; `shared`
    those among them that are no single person's.
    """

    app_id: str
    accounts: int
    shared: int
    everyone: bool
    data: tuple[str, ...]
    access: tuple[str, ...]
    severity: str | None
    sources: tuple[GrantSource, ...]


@dataclass(frozen=True, slots=True)
class ConnectionReach:
    """What a vendor reaches at one connection. People are counted once, whatever accounts they have there.

    `privileged` counts administrators; None where one of the holders may be one.
    """

    connection_id: str
    provider: Provider
    people: int
    departed: int
    privileged: int | None
    apps: tuple[AppReach, ...]

    @property
    def data(self) -> tuple[str, ...]:
        """Kinds of data that any of the apps reaches here."""
        return tuple(sorted({kind for app in self.apps for kind in app.data}))


@dataclass(frozen=True, slots=True)
class VendorReach:
    """What a vendor reaches at all connections. People are counted once over all of them.

    `who_left` and `administrators` name them by person id, at most `MAX_NAMED` each.
    """

    id: str
    vendor: str
    people: int
    departed: int
    privileged: int | None
    connections: tuple[ConnectionReach, ...]
    who_left: tuple[str, ...] = ()
    administrators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadState:
    """How far a connection had been read when reaches were computed; None is not known."""

    connection_id: str
    listed: int | None
    unread: int | None


@dataclass(frozen=True, slots=True)
class ReachState:
    """When reaches were computed, and from what."""

    at: datetime
    connections: tuple[ReadState, ...]


# --- chains -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """One end of a chain: where the app is, and which data it reaches there beyond who people are."""

    connection_id: str
    provider: Provider
    data: tuple[str, ...]
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """The same product, or products of the same vendor, with data of several connections.

    What it reads at one it can bring to the others. Only apps that are joined by evidence count.
    """

    kind: Literal["product", "vendor"]
    name: str
    product_id: str | None
    links: tuple[Link, ...]
    sentence: str


def chains(
    vendor: str, reach: Iterable[ConnectionReach], rows: Mapping[str, AppSummary], names: Mapping[str, str]
) -> tuple[Chain, ...]:
    """The chains that a vendor makes; those of one product first.

    Args:
        vendor: its name.
        reach: what it reaches, by connection.
        rows: the apps list, by app id.
        names: connection id → how to call it.
    """
    parts = list(reach)
    products: dict[str, str] = {}
    for part in parts:
        for app in part.apps:
            row = rows.get(app.app_id)
            if row and row.product_evidence and row.product_id:
                products[row.product_id] = row.product or row.product_id
    found = []
    for product_id, name in sorted(products.items()):
        links = _links(parts, lambda row, wanted=product_id: row.product_id == wanted, rows)  # type: ignore[misc]
        if len(links) > 1:
            found.append(Chain("product", name, product_id, links, _said(name, links, names)))
    links = _links(parts, lambda _row: True, rows)
    if len(links) > 1 and not any({one.connection_id for one in links} == _places(chain) for chain in found):
        found.append(Chain("vendor", vendor, None, links, _said(f"Products of {vendor}", links, names)))
    return tuple(found)


def _places(chain: Chain) -> set[str]:
    return {link.connection_id for link in chain.links}


def _links(
    parts: Iterable[ConnectionReach], wanted: _Wanted, rows: Mapping[str, AppSummary]
) -> tuple[Link, ...]:
    links = []
    for part in parts:
        apps = []
        for app in part.apps:
            row = rows.get(app.app_id)
            if row and row.product_evidence and wanted(row) and set(app.data) - _ONLY_WHO:
                apps.append(app)
        if apps:
            data = {kind for app in apps for kind in app.data} - _ONLY_WHO
            links.append(
                Link(
                    part.connection_id,
                    part.provider,
                    tuple(sorted(data)),
                    tuple(sorted(app.app_id for app in apps)),
                )
            )
    return tuple(sorted(links, key=lambda one: one.connection_id))


def _said(name: str, links: Iterable[Link], names: Mapping[str, str]) -> str:
    ends = [f"{_listed(one.data)} at {names.get(one.connection_id, one.provider)}" for one in links]
    return f"{name} reaches {_and(ends)}: what is read at one place can be brought to another."


# --- in plain words -----------------------------------------------------------------------------------------


def exposure(reach: VendorReach, names: Mapping[str, str], unread: Sequence[str]) -> str:
    """Say in plain words what a vendor can reach.

    Args:
        reach: what it reaches.
        names: connection id → how to call it.
        unread: connections that could not be read completely.
    """
    held = [part for part in reach.connections if part.apps]
    if not held:
        said = f"Nobody gave {reach.vendor} access to anything, as far as it could be read."
        return said + _missing(unread, names)
    apps = len({app.app_id for part in held for app in part.apps})
    sentences = [
        f"{_count(reach.people, 'person holds', 'people hold')} {_count(apps, 'app', 'apps')} of"
        f" {reach.vendor} at {_count(len(held), 'connection', 'connections')}."
    ]
    ends = [
        f"{_listed(part.data)} at {names.get(part.connection_id, part.provider)}"
        for part in held
        if part.data
    ]
    if ends:
        sentences.append(f"It reaches {_and(ends)}.")
    everyone = [names.get(p.connection_id, p.provider) for p in held if any(a.everyone for a in p.apps)]
    if everyone:
        sentences.append(f"At {_and(everyone)} it was given access for the whole organisation.")
    sentences += _holders(reach, sum(app.shared for part in held for app in part.apps))
    return " ".join(sentences) + _missing(unread, names)


def _holders(reach: VendorReach, shared: int) -> list[str]:
    said = []
    if reach.privileged is None:
        said.append("It is not known how many of the holders are administrators.")
    elif reach.privileged:
        said.append(
            f"{_count(reach.privileged, 'holder is an administrator', 'holders are administrators')}."
        )
    if reach.departed:
        said.append(f"{_count(reach.departed, 'holder has', 'holders have')} left.")
    if shared:
        said.append(f"{_count(shared, 'grant is', 'grants are')} held by shared or service accounts.")
    return said


def _missing(unread: Sequence[str], names: Mapping[str, str]) -> str:
    if not unread:
        return ""
    return (
        f" More may be unseen: {_and([names.get(one, one) for one in unread])} could not be read completely."
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _listed(data: Iterable[str]) -> str:
    return _and([_WORDS.get(kind, kind) for kind in data])


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"


# --- completeness -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether a connection could be read, as far as it matters for a record over all of them."""

    connection_id: str
    provider: Provider
    status: ConnectionStatus
    last_full_at: datetime | None
    unread: int | None

    @property
    def complete(self) -> bool:
        """Whether everything there had been read by its last full run, and it is still being read."""
        return self.status == "active" and self.last_full_at is not None and self.unread == 0


def completeness(connections: Iterable[Connection], state: ReachState | None) -> tuple[Completeness, ...]:
    """How completely each connection was read when reaches were computed."""
    read = {one.connection_id: one for one in state.connections} if state else {}
    return tuple(
        Completeness(
            one.id,
            one.provider,
            one.status,
            one.last_full_at,
            read[one.id].unread if one.id in read else None,
        )
        for one in sorted(connections, key=lambda one: one.id)
    )


# --- counting -----------------------------------------------------------------------------------------------


def worst_of(severities: Iterable[str | None]) -> str | None:
    """The gravest of some severities; None where there is none."""
    known = [one for one in severities if one]
    return max(known, key=severity_rank) if known else None  # type: ignore[arg-type] # they come from scopes


@dataclass(slots=True)
class Heads:
    """People counted once each."""

    people: int = 0
    departed: int = 0
    privileged: int = 0
    unknown: bool = False
    who_left: list[str] = field(default_factory=list)
    who_administers: list[str] = field(default_factory=list)

    def count(self, person: str, *, departed: bool, admin: bool | None) -> None:
        """Count one person."""
        for told, named in ((departed, self.who_left), (admin, self.who_administers)):
            if told and len(named) < MAX_NAMED:
                named.append(person)
        self.people += 1
        self.departed += departed
        self.privileged += bool(admin)
        self.unknown |= admin is None

    @property
    def administrators(self) -> int | None:
        """How many are administrators; None where that is not known of somebody."""
        return None if self.unknown else self.privileged


class Seen:
    """What each person was counted for already."""

    def __init__(self) -> None:
        self._seen: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def first(self, person: str, vendor: str, place: str = "") -> bool:
        """Whether a person is met for the first time with a vendor, anywhere or at one place."""
        key = (vendor, place)
        if key in self._seen[person]:
            return False
        self._seen[person].add(key)
        return True

    def forget(self, person: str) -> None:
        """Forget a person who has no further account."""
        self._seen.pop(person, None)
