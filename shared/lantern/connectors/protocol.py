"""What every provider connector offers, and the values it speaks in.

A connector reads and acts; it stores nothing and decides nothing. Whatever it cannot read is absent
from what it returns, never empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar, Final, Literal, Protocol

from lantern.domain.assets import AssetListing
from lantern.domain.inventory import Observation, Principal, Provider
from lantern.domain.use import PlaceKind

Feature = Literal[
    "grants",
    "applications",
    "assignments",
    "activity",
    "changes",
    "delegation",
    "assets",
    "extensions",
    "passwords",
    "mail",
    "push",
    "revoke",
    "apps",
    "sessions",
    "unassign",
    "agents",
    "messages",
]
"""What a connector can do.

`grants`, `applications`, `assignments`, `extensions`, `passwords`, `assets`: what it lists. `activity`,
`changes`, `delegation`, `mail`: what it reads of the past. `push`: it is told. `revoke`, `unassign`, `apps`,
`agents`, `sessions`: what it acts on. `messages`: it lets our bot write to people.
"""
ActionKind = Literal[
    "revoke_grant",
    "revoke_scopes",
    "disable_app",
    "enable_app",
    "approve_app",
    "restrict_app",
    "uninstall_app",
    "end_sessions",
    "delete_asset",
    "disable_asset",
]
ActionState = Literal["done", "pending", "already_done", "not_possible"]
ChannelPurpose = Literal["grants"]


@dataclass(frozen=True, slots=True)
class ScopeNeed:
    """A permission Lantern asks for: the feature it serves first and what is lost without it.

    `also` are further features that do not work without it.
    """

    scope: str
    feature: Feature
    lost_without: str
    required: bool = True
    also: tuple[Feature, ...] = ()

    def serves(self, feature: Feature) -> bool:
        """Whether a feature needs it."""
        return feature == self.feature or feature in self.also


@dataclass(frozen=True, slots=True)
class ActFact:
    """How a provider lets one kind of act be done.

    `scopes`: the permissions it takes, all of them. `everyone`: it touches the whole organisation, so that it
    needs an approval of its own. `undo`: how it can be taken back; None where it cannot. `assets`: the kinds
    of assets it is for; empty for all. `by_hand`: the kinds of apps and accounts for which the answer is what
    an administrator does, because no API does it; `*` for all.
    """

    scopes: frozenset[str]
    everyone: bool = False
    undo: str | None = None
    assets: frozenset[str] = frozenset()
    by_hand: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PushFact:
    """How a provider pushes.

    `channel`: each connection opens channels of its own, one per event, for `ttl_s` (None: until closed), and
    opens the next `renew_s` before that ends. `app`: all organisations come in at the one address that our
    app is registered with, `/webhooks/{provider}/events`.
    """

    kind: Literal["channel", "app"]
    events: tuple[str, ...]
    ttl_s: int | None = None
    renew_s: int = 0


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing a customer's administrator enters, where a provider is connected without a consent page.

    `secret` is never shown again. `pattern` is what the whole value must match, without anchors.
    """

    name: str
    label: str
    help: str
    secret: bool = False
    required: bool = True
    pattern: str = ".{1,4000}"


@dataclass(frozen=True, slots=True)
class Quota:
    """A provider's published limit: `calls` per `seconds`, shared by everything under `name`."""

    name: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """Facts about a provider as typed data: endpoints (by name), permissions, quotas.

    `history_days` is how long the provider remembers use: of what lies before, its silence says nothing.
    `apart` are permissions that no consent of ours asks for: an administrator gives each by hand, and only
    where its feature is wanted.
    """

    provider: Provider
    title: str
    endpoints: Mapping[str, str]
    scopes: tuple[ScopeNeed, ...]
    quotas: tuple[Quota, ...]
    access_token_lifetime_s: int
    features: frozenset[Feature]
    acts: Mapping[ActionKind, ActFact] = field(default_factory=lambda: _NO_ACTS)
    push: PushFact | None = None
    form: tuple[FormField, ...] = ()
    history_days: int = 180
    apart: tuple[ScopeNeed, ...] = ()


_NO_ACTS: Final[Mapping[ActionKind, ActFact]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Organisation:
    """The organisation behind a connection: immutable id, current name, and its domains."""

    id: str
    name: str
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the connection works now, and which permissions it has and lacks."""

    organisation: Organisation
    granted: frozenset[str]
    missing: tuple[ScopeNeed, ...]


@dataclass(frozen=True, slots=True)
class PrincipalPage:
    """One page of the listing of principals; `cursor` continues it, None after the last page."""

    principals: tuple[Principal, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Unread:
    """A bundle that could not be read: its grants are unknown. `reason` is a short stable word."""

    principal: Principal
    reason: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody said that this principal's bundle may have changed; it will be read again.

    `native_id` or `email` names the account as the source did. Dates learned on the way are kept in
    `granted_at` by client id. `account`: the account itself changed, so that it is asked for anew; a hint by
    address always is one.
    """

    email: str | None = None
    native_id: str | None = None
    granted_at: Mapping[str, datetime] = field(default_factory=dict)
    event: str = ""
    event_id: str | None = None
    account: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """Seen use of an app by an account (its native id): number of events and the latest instant."""

    native_id: str
    client_id: str
    events: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """An account (its native id) gave an app access, or more access, at this instant."""

    native_id: str
    client_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that the provider handed to an app on one day (UTC)."""

    client_id: str
    day: date
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an app was used from, and the first day (UTC) of that; never a full address.

    A network is an autonomous system (`AS64500`) or the front part of an address (`traffic.network`), a
    country is called as the provider calls it.
    """

    client_id: str
    kind: PlaceKind
    name: str
    day: date


@dataclass(frozen=True, slots=True)
class Delegation:
    """A domain-wide delegation (or its removal) that an administrator made."""

    client_id: str
    scopes: frozenset[str]
    removed: bool
    at: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of what changed: which bundles to read again, what was delegated.

    `cursor` continues after this page and may be stored once the page's effects are durable. `last` says
    that the feed has been read to the present.
    """

    hints: tuple[Hint, ...]
    delegations: tuple[Delegation, ...]
    cursor: str
    events: int
    last: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A part of a past window, folded: what was used, granted and delegated. Parts come in any order.

    `last` says that the whole window has been read; without it nothing may be concluded from silence.
    `apis` are the provider's APIs that each client (by its id) called, where the provider names them. `sent`
    and `places` tell bytes and places of use, where the provider counts and names those; of a client that was
    used from many places it is enough to name as many as are kept (`domain.use.KEPT`).
    """

    uses: tuple[Use, ...]
    consents: tuple[Consent, ...]
    delegations: tuple[Delegation, ...]
    events: int
    last: bool
    apis: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sent: tuple[Sent, ...] = ()
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """A push channel open at the provider; the secret is kept hashed elsewhere."""

    id: str
    resource_id: str
    purpose: ChannelPurpose
    expires_at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """What to open: where to deliver, under which id, with which secret, until when."""

    id: str
    address: str
    secret: str
    purpose: ChannelPurpose
    event: str
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Action:
    """One act on the provider, for one target. Doing it twice does it once.

    `native_id` names the account (none for acts on an app), `client_id` the app, `asset_id` the asset's
    native id; `scopes` are those to be taken away by `revoke_scopes`.
    """

    kind: ActionKind
    native_id: str = ""
    client_id: str = ""
    asset_id: str = ""
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What the provider said and what was observed; `observed_present` None where not re-read.

    `instructions` are the exact steps for the customer's administrator where no API does it.
    """

    state: ActionState
    observed_present: bool | None
    detail: str = ""
    remaining_access_s: int | None = None
    instructions: tuple[str, ...] = ()


class Clock(Protocol):
    """Time, injected: `now` is aware UTC; `monotonic` and `sleep` are seconds."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a worker must stop starting new work, on the monotonic clock."""

    clock: Clock
    at: float

    def passed(self) -> bool:
        """Whether it is time to stop."""
        return self.clock.monotonic() >= self.at


class BundleReader(Protocol):
    """Whatever can say what a principal holds."""

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """The bundles of these principals, in any order; stops quietly at the deadline."""
        ...


class Connector(Protocol):
    """One provider, for one connection, with credentials already in hand.

    Every method raises `ConnectorError` when the provider does not answer as documented.
    """

    manifest: ClassVar[Manifest]

    def check(self) -> Health:
        """Ask the provider who we are and what we may do."""
        ...

    def principals(self, cursor: str | None) -> PrincipalPage:
        """One page of all accounts, suspended and archived ones too."""
        ...

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """Read bundles at the quota's pace, in any order; stops quietly at the deadline.

        What is neither yielded as an observation nor as unread was not reached. An account that is asked for
        again by the same connector is read anew, never looked up in a list that was read before.
        """
        ...

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """Complete listings of what the organisation has beside grants; a kind that failed is absent."""
        ...

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names; None where the provider says there is none."""
        ...

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """What changed since `cursor`, with overlap; None starts at now minus the overlap."""
        ...

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """The use of a past window `[since, until)`, each event once."""
        ...

    def open_channel(self, request: ChannelRequest) -> Channel:
        """Open a push channel."""
        ...

    def close_channel(self, channel: Channel) -> None:
        """Close a push channel; one that is gone already is closed."""
        ...

    def act(self, action: Action) -> ActionResult:
        """Do one act, idempotently, then re-read and report what is there now."""
        ...

    def disconnect(self) -> None:
        """Give our own access back: revoke the token we hold. Already revoked is done."""
        ...
