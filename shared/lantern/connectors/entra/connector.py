"""Microsoft Entra ID behind the connector protocol."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Final

from lantern.connectors.entra import directory
from lantern.connectors.entra.access import Reader
from lantern.connectors.entra.acts import Acts
from lantern.connectors.entra.agents import agents
from lantern.connectors.entra.ahead import Ahead
from lantern.connectors.entra.api import BATCH, GraphApi, codes
from lantern.connectors.entra.feeds import Feeds
from lantern.connectors.entra.licence import granted_with_licence
from lantern.connectors.entra.manifest import (
    AGENTS,
    APPS,
    AUDIT,
    DIRECTORY,
    MANIFEST,
    P1,
    SCOPE_MISSING,
    STATUSES,
    USERS,
)
from lantern.connectors.entra.normalize import PSEUDO
from lantern.connectors.entra.subscriptions import Subscriptions
from lantern.connectors.entra.tokens import AppTokens, login_http
from lantern.connectors.entra.withdrawal import withdraw
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import HaltedError, HttpClient
from lantern.connectors.protocol import (
    Action,
    ActionResult,
    ChangePage,
    Channel,
    ChannelRequest,
    Connector,
    Deadline,
    Health,
    Hint,
    HistoryPage,
    Manifest,
    PrincipalPage,
    Unread,
)
from lantern.connectors.registry import Credentials, Io
from lantern.connectors.resolution import CallError
from lantern.domain.assets import AssetListing
from lantern.domain.inventory import Observation, Principal

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 120.0  # for calls that come without a deadline


class EntraConnector:
    """One connected tenant. Safe for threads."""

    manifest: ClassVar[Manifest] = MANIFEST

    def __init__(self, credentials: Credentials, io: Io) -> None:
        at = {**MANIFEST.endpoints, **io.endpoints}
        self._io = io
        self._credentials = credentials
        self._tenant = credentials.organisation_id
        self._tokens = AppTokens(
            login_http(io), at["login"], credentials.registration, self._tenant, io.clock
        )
        limiters = {q.name: io.limiters.get("entra", credentials.tenant, q) for q in MANIFEST.quotas}
        http = HttpClient(
            io.session,
            STATUSES,
            clock=io.clock,
            random=io.random,
            limiters=limiters,
            auth=self._tokens,
            codes=codes,
        )
        self._api = GraphApi(http, at["graph"], limiters)
        granted = credentials.granted
        owner = directory.Owner(credentials.connection_id, self._tenant)
        self._owner = owner
        self._accounts = directory.Accounts(self._api, owner, activity={AUDIT, P1} <= granted)
        services = directory.Services(self._api, self._tenant)
        self._reader = Reader(self._api, self._accounts, services, io.max_in_flight, io.clock.now)
        self._turn = self._accounts.page
        if io.max_in_flight > 1:  # else one thing is done after the other
            warm = (self._accounts.admins, services.all)
            listed, flagged = self._accounts.listed, self._accounts.flagged
            self._reader.ahead = Ahead(listed, flagged, self._reader.read_ahead, io.clock, BATCH // 2, warm)
            self._turn = self._reader.ahead.page
        self._subscriptions = Subscriptions(
            self._api, credentials.registration.client_id, io.clock.now, allowed=USERS in granted
        )
        self._feeds = Feeds(self._api, services, self._subscriptions, audited=AUDIT in granted)
        self._acts = Acts(self._api, self._reader, services, granted, io.clock.now)

    def check(self) -> Health:
        """Which tenant this is, and which permissions (and licence) there are and are not."""
        halt = self._halt()
        granted = granted_with_licence(self._api, self._tokens.roles(halt), halt)
        missing = tuple(need for need in MANIFEST.scopes if need.scope not in granted)
        if any(need.scope == DIRECTORY for need in missing):
            raise CallError(SCOPE_MISSING, detail="Directory.Read.All is not granted")
        return Health(directory.organisation(self._api, self._tenant, halt), granted, missing)

    def principals(self, cursor: str | None) -> PrincipalPage:
        """A page of all accounts: the tenant as a whole, then deleted ones, then members and guests."""
        page = self._turn(cursor, self._halt())
        self._reader.listed.update(one.native_id for one in page.principals if one.native_id not in PSEUDO)
        return page

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """Read what these accounts gave to apps and may sign in to, as fast as the quota allows.

        Raises:
            CallError: what would fail for all of them: consent revoked, permission missing, outage.
        """
        return self._reader.read(principals, Halt(self._io.clock, deadline))

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """AI agents with an identity of their own, where that may be read; see `agents.agents`."""
        if AGENTS not in self._credentials.granted:
            return
        try:
            listing = agents(self._api, self._owner, Halt(self._io.clock, deadline))
        except HaltedError:
            return
        except CallError as error:
            if error.resolution.connection_wide:
                raise
            log.warning("entra agents: the listing is left out: %s", error.reason)
            return
        yield listing

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names. None is no proof that it is gone: `read` looks for that."""
        key = hint.native_id or hint.email
        return self._accounts.find(key, self._halt()) if key else None

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """Changed consents, accounts, apps and roles since `cursor`; see `feeds.Feeds.changes`."""
        return self._feeds.changes(cursor, self._io.clock.now(), Halt(self._io.clock, deadline))

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """Interactive sign-ins, and consents, of a past window."""
        return self._feeds.history(since, until, Halt(self._io.clock, deadline))

    def open_channel(self, request: ChannelRequest) -> Channel:
        """Subscribe to changes of accounts (`request.event` is `users`)."""
        return self._subscriptions.open(request, self._halt())

    def close_channel(self, channel: Channel) -> None:
        """Unsubscribe; what is gone already is closed."""
        self._subscriptions.close(channel, self._halt())

    def act(self, action: Action) -> ActionResult:
        """Do one act and read again; see `acts.Acts`."""
        return self._acts.act(action, self._halt())

    def disconnect(self) -> None:
        """Leave the tenant as far as we may, and use no token any more; see `withdrawal.withdraw`."""
        try:
            if APPS in self._credentials.granted:
                withdraw(self._api, self._credentials.registration.client_id, self._halt())
        except CallError as error:
            if error.resolution.kind != "config":
                raise
        self._tokens.end()

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def connect(credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection."""
    return EntraConnector(credentials, io)
