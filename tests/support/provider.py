"""A provider in memory behind the connector protocol: grants, an audit feed, and failures on demand.

For tests of what services do with a connector. The connector itself is tested against the simulator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from lantern.connectors.protocol import (
    Action,
    ActionResult,
    ChangePage,
    Channel,
    ChannelRequest,
    Consent,
    Deadline,
    Health,
    Hint,
    HistoryPage,
    Manifest,
    Organisation,
    PrincipalPage,
    Unread,
    Use,
)
from lantern.connectors.traffic import Traffic
from lantern.domain import ids
from lantern.domain.assets import Asset, AssetKind, AssetListing
from lantern.domain.errors import ConnectorError
from lantern.domain.inventory import App, Observation, ObservedGrant, Principal
from tests.support.clock import FakeClock

ORGANISATION = "C0example"
DOMAIN = "example.com"
MANIFEST = Manifest(
    "google", "Memory", {}, (), (), 3600, frozenset({"grants", "activity", "changes", "push", "revoke"})
)


@dataclass
class Account:
    """One account and its grants: client id → scopes."""

    native_id: str
    status: str = "active"
    admin: bool = False
    grants: dict[str, frozenset[str]] = field(default_factory=dict)
    email: str | None = None
    aliases: tuple[str, ...] = ()
    kind: str = "user"
    name: str | None = None
    manager: str | None = None


@dataclass
class Event:
    """A token event."""

    at: datetime
    native_id: str
    client_id: str
    name: str
    api: str = ""
    size: int | None = None
    network: str | None = None
    country: str | None = None


class MemoryProvider:
    """The world behind the connector."""

    def __init__(self, clock: FakeClock, provider: str = "google", organisation: str = ORGANISATION) -> None:
        self.clock = clock
        self.provider = provider
        self.organisation = organisation
        self.domains: tuple[str, ...] = (DOMAIN,) if provider == "google" else ()
        self.facts: dict[str, dict[str, Any]] = {}
        self.accounts: dict[str, Account] = {}
        self.names: dict[str, str] = {}
        self.events: list[Event] = []
        self.failing: dict[str, str] = {}
        self.revoked: list[tuple[str, str]] = []
        self.channels: dict[str, ChannelRequest] = {}
        self.assets: dict[str, Asset] = {}
        self.signed_out: list[str] = []
        self.disabled: set[str] = set()
        self.access_gone = False
        self.page_size = 4

    def add(
        self, native_id: str, *clients: str, status: str = "active", admin: bool = False, **more: Any
    ) -> Account:
        """Create an account with grants; it has an address of its own unless `email` says another."""
        more.setdefault("email", f"{native_id}@{DOMAIN}")
        account = self.accounts.setdefault(native_id, Account(native_id, status, admin, **more))
        for client in clients:
            self.consent(native_id, client, "openid")
        return account

    def consent(self, native_id: str, client: str, *scopes: str) -> None:
        """Grant a client access."""
        self.accounts[native_id].grants[client] = frozenset(scopes)
        self.events.append(Event(self.clock.now(), native_id, client, "authorize"))

    def use(
        self,
        native_id: str,
        client: str,
        *,
        days_ago: float = 0,
        api: str = "",
        size: int | None = None,
        network: str | None = None,
        country: str | None = None,
    ) -> None:
        """Record use, of one of the provider's APIs, of so many bytes and from there."""
        at = self.clock.now() - timedelta(days=days_ago)
        self.events.append(Event(at, native_id, client, "activity", api, size, network, country))

    def principal_id(self, native_id: str) -> str:
        """The id of an account."""
        return ids.principal_id(self.provider, self.organisation, native_id)

    def own(self, connection_id: str, kind: AssetKind, native_id: str, owner: str | None) -> Asset:
        """An asset that an account owns."""
        asset = Asset(
            ids.asset_id(connection_id, kind, native_id),
            connection_id,
            kind,
            native_id,
            f"The {kind} {native_id}",
            owner=self.principal_id(owner) if owner else None,
        )
        self.assets[native_id] = asset
        return asset

    def connector(self, connection_id: str) -> "MemoryConnector":
        """A connector to this world."""
        return MemoryConnector(self, connection_id)

    def truth(self) -> dict[str, dict[str, frozenset[str]]]:
        """Grants by principal id and app id."""
        return {
            self.principal_id(a.native_id): {
                ids.app_id(self.provider, client): scopes for client, scopes in a.grants.items()
            }
            for a in self.accounts.values()
        }


class MemoryConnector:
    """`lantern.connectors.protocol.Connector` over `MemoryProvider`."""

    def __init__(self, world: MemoryProvider, connection_id: str) -> None:
        self.world = world
        more = {"assets"} if world.assets else set()
        self.manifest = replace(MANIFEST, provider=world.provider, features=MANIFEST.features | more)
        self._connection = connection_id

    def _guard(self) -> None:
        if self.world.access_gone:
            raise ConnectorError("config", "Access to the organisation was withdrawn.")

    def _principal(self, account: Account) -> Principal:
        pid = self.world.principal_id(account.native_id)
        return Principal(
            id=pid,
            connection_id=self._connection,
            native_id=account.native_id,
            kind=account.kind,
            status=account.status,
            person_id=ids.person_id(pid),
            email=account.email,
            name=account.name,
            admin=account.admin,
            aliases=account.aliases,
            manager=account.manager,
        )

    def check(self) -> Health:
        self._guard()
        world = self.world
        return Health(Organisation(world.organisation, "Example", world.domains), frozenset(), ())

    def principals(self, cursor: str | None) -> PrincipalPage:
        self._guard()
        accounts = sorted(self.world.accounts.values(), key=lambda a: a.native_id)
        start = int(cursor or 0)
        page = accounts[start : start + self.world.page_size]
        more = start + self.world.page_size < len(accounts)
        following = str(start + self.world.page_size) if more else None
        return PrincipalPage(tuple(map(self._principal, page)), following)

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        self._guard()
        for principal in principals:
            if deadline.passed():
                return
            account = self.world.accounts.get(principal.native_id)
            if principal.native_id in self.world.failing:
                yield Unread(principal, self.world.failing[principal.native_id])
            elif account is None:
                yield Observation(replace(principal, status="deleted"), grants=(), gone=True)
            else:
                yield Observation(self._principal(account), tuple(self._grants(account)))

    def _grants(self, account: Account) -> Iterator[ObservedGrant]:
        for client, scopes in account.grants.items():
            name = self.world.names.get(client, client)
            provider, facts = self.world.provider, self.world.facts.get(client, {})
            yield ObservedGrant(App(ids.app_id(provider, client), provider, client, name, **facts), scopes)

    def principal(self, hint: Hint) -> Principal | None:
        self._guard()
        account = self.world.accounts.get(hint.native_id or "")
        return self._principal(account) if account else None

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        self._guard()
        since = datetime.fromisoformat(cursor) if cursor else self.world.clock.now() - timedelta(hours=2)
        until = self.world.clock.now()
        events = [e for e in self.world.events if since <= e.at <= until]
        hints = tuple(
            Hint(native_id=e.native_id, event=e.name, granted_at={e.client_id: e.at})
            for e in events
            if e.name in ("authorize", "revoke")
        )
        yield ChangePage(hints, (), until.isoformat(), len(events), last=True)

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        self._guard()
        events = [e for e in self.world.events if since <= e.at < until]
        uses = tuple(Use(e.native_id, e.client_id, 1, e.at) for e in events if e.name == "activity")
        consents = tuple(Consent(e.native_id, e.client_id, e.at) for e in events if e.name == "authorize")
        apis: dict[str, set[str]] = {}
        for e in events:
            if e.name == "activity" and e.api:
                apis.setdefault(e.client_id, set()).add(e.api)
        called = {client: frozenset(names) for client, names in apis.items()}
        traffic = Traffic()
        for e in events:
            if e.name == "activity":
                traffic.add(e.client_id, e.at.date(), size=e.size, net=e.network, land=e.country)
        sent, places = traffic.sent(), traffic.places()
        yield HistoryPage(uses, consents, (), len(events), last=True, apis=called, sent=sent, places=places)

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        self._guard()
        for kind in sorted({one.kind for one in self.world.assets.values()} | {"api_key", "agent"}):
            yield AssetListing(kind, tuple(one for one in self.world.assets.values() if one.kind == kind))

    def open_channel(self, request: ChannelRequest) -> Channel:
        self._guard()
        self.world.channels[request.id] = request
        expires = self.world.clock.now() + timedelta(seconds=request.ttl_s)
        return Channel(request.id, f"res-{request.id}", "grants", expires)

    def close_channel(self, channel: Channel) -> None:
        self.world.channels.pop(channel.id, None)

    def act(self, action: Action) -> ActionResult:
        self._guard()
        world = self.world
        match action.kind:
            case "end_sessions":
                world.signed_out.append(action.native_id)
                return ActionResult("done", None, "No provider lists sessions.")
            case "disable_app" | "enable_app" if world.provider == "google":
                return ActionResult("not_possible", None, instructions=by_hand(action.client_id))
            case "disable_app":
                before = action.client_id in world.disabled
                world.disabled.add(action.client_id)
                return ActionResult("already_done" if before else "done", observed_present=False)
            case "disable_asset":
                asset = world.assets[action.asset_id]
                world.assets[action.asset_id] = replace(asset, state="disabled")
                return ActionResult("done", observed_present=False)
            case "delete_asset":
                found = world.assets.pop(action.asset_id, None)
                return ActionResult("done" if found else "already_done", observed_present=False)
        account = world.accounts.get(action.native_id)
        if account is None or action.client_id not in account.grants:
            return ActionResult("already_done", observed_present=False)
        if world.facts.get(action.client_id, {}).get("kind") in ("extension", "sso"):
            steps = by_hand(action.client_id)
            return ActionResult("not_possible", observed_present=True, instructions=steps)
        del account.grants[action.client_id]
        world.revoked.append((action.native_id, action.client_id))
        return ActionResult("done", observed_present=False, remaining_access_s=3600)


def by_hand(client: str) -> tuple[str, ...]:
    """What an administrator does."""
    return (f"Open https://admin.example.com/apps/{client}", "Block it for everybody.")
