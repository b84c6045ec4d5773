"""GitHub behind the connector protocol."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from lantern.connectors.github import changes as feeds
from lantern.connectors.github import keys, normalize
from lantern.connectors.github.actions import Actor
from lantern.connectors.github.api import GithubApi, client
from lantern.connectors.github.lists import Absent, Lists
from lantern.connectors.github.manifest import (
    ADMINISTRATION,
    APP,
    APP_STATUSES,
    AUDIT,
    GRAPHQL,
    MANIFEST,
    OTHER_ORGANISATION,
    REQUESTS,
    STATUSES,
    SUSPENDED,
    TOKENS,
)
from lantern.connectors.github.oauth import endpoints, installation_id
from lantern.connectors.github.reading import Reader
from lantern.connectors.github.tokens import AppStatement, InstallationTokens
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HaltedError
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
    Organisation,
    PrincipalPage,
    Unread,
)
from lantern.connectors.registry import Credentials, Io
from lantern.connectors.resolution import CallError, ErrorResolution
from lantern.domain.assets import AssetKind, AssetListing
from lantern.domain.inventory import Observation, Principal

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 120.0  # for calls that come without a deadline
_RECENT: Final = timedelta(days=1)
_NO_CHANNELS: Final = ErrorResolution(
    "system", "provider_error", "GitHub delivers to one address for all organisations."
)


@dataclass(frozen=True, slots=True)
class _Tools:
    """What works on the organisation once its name is known."""

    organisation: Organisation
    lists: Lists
    reader: Reader
    permissions: frozenset[str]


class GithubConnector:
    """One connected GitHub organisation. Safe for threads."""

    manifest: ClassVar[Manifest] = MANIFEST

    def __init__(self, credentials: Credentials, io: Io) -> None:
        at = endpoints(io)
        self._io = io
        self._base = at["api"].rstrip("/")
        self._web = at["web"]
        self._owner = normalize.Owner(credentials.connection_id, credentials.organisation_id)
        self._installation = installation_id(credentials.secret)
        statement = AppStatement(credentials.registration, io.clock)
        app = client(io, APP_STATUSES, "", (APP,), statement)
        self._app = GithubApi(app, self._base, ("app",))
        # What is no installation's: there a 404 does not say that ours is gone.
        self._hooks = GithubApi(client(io, STATUSES, "", (APP,), statement), self._base, ("app",))
        self._tokens = InstallationTokens(app, self._base, self._installation, io.clock)
        http = client(io, STATUSES, credentials.tenant, (REQUESTS, AUDIT, GRAPHQL), self._tokens)
        self._api = GithubApi(http, self._base)
        self._graph = GithubApi(http, self._base, ("graphql",))
        self._lock = threading.Lock()
        self._made: _Tools | None = None

    def check(self) -> Health:
        """Which organisation this is, and which permissions the installation holds and lacks."""
        halt = self._halt()
        granted = self._tokens.granted(halt)
        missing = tuple(need for need in MANIFEST.scopes if need.scope not in granted)
        return Health(self._organisation(halt), granted, missing)

    def principals(self, cursor: str | None) -> PrincipalPage:
        """One page of all accounts: the organisation itself, owners, members, outside collaborators."""
        halt = self._halt()
        return self._tools(halt).reader.principals(cursor, halt)

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """Read which apps, tokens of apps and seats these accounts hold.

        Raises:
            CallError: what would fail for all of them: the app uninstalled or suspended.
        """
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            reader = self._tools(halt).reader
        except HaltedError:
            return
        yield from reader.read(principals, halt)

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """Installed apps as automations; personal access tokens and SSH keys as keys."""
        halt = Halt(self._io.clock, deadline)
        kinds: tuple[AssetKind, ...] = ("automation", "api_key")
        for kind in kinds:
            if halt.passed():
                return
            try:
                listing = self._automations(halt) if kind == "automation" else self._keys(halt)
            except HaltedError:
                return
            except CallError as error:
                if error.resolution.connection_wide:
                    raise
                log.warning("github: %s not listed: %s", kind, error.reason)
                continue
            if listing is not None:
                yield listing

    def _automations(self, halt: Halt) -> AssetListing:
        listed = self._tools(halt).lists.installations(halt).value
        return AssetListing("automation", tuple(normalize.automation(one, self._owner) for one in listed))

    def _keys(self, halt: Halt) -> AssetListing | None:
        """Both sorts of keys, or nothing: half a listing would say that the other half is gone."""
        tools = self._tools(halt)
        if TOKENS not in tools.permissions:
            return None
        found = [keys.token_asset(one, self._owner) for one in tools.lists.personal_tokens(halt).value]
        try:
            listed = [c for c in tools.lists.credentials(halt).value if keys.token_app(c) is None]
        except Absent:
            listed = []
        people = {login.lower(): key for login, key in tools.lists.roster(halt).items()} if listed else {}
        found += [keys.key(one, self._owner, people.get(one.login.lower())) for one in listed]
        return AssetListing("api_key", tuple(found))

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names by its id: GitHub finds nobody by address."""
        if not hint.native_id:
            return None
        halt = self._halt()
        return self._tools(halt).reader.find(hint.native_id, halt)

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """The audit log since `cursor`, and web hooks that did not arrive; see `changes.changes`."""
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            tools = self._tools(halt)
        except HaltedError:
            return
        feed = feeds.Feed(
            self._api,
            self._hooks,
            tools.lists.name,
            self._owner.organisation_id,
            self._installation,
            audited=ADMINISTRATION in tools.permissions,
        )
        yield from feeds.changes(feed, cursor, self._io.clock.now(), halt)

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """The last use of seats and authorised tokens, where it falls into `[since, until)`.

        GitHub keeps no more than the last use of each; of installed apps it tells none. What is in use every
        day was last used after any window: so the window that ends by now takes in what came after it, or
        daily use would never be seen.
        """
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            tools = self._tools(halt)
            last = self._io.clock.now() - until < _RECENT
            uses = tuple(
                one
                for one in tools.reader.last_uses(halt)
                if since <= one.last_at and (last or one.last_at < until)
            )
        except HaltedError:
            return
        yield HistoryPage(uses, (), (), len(uses), last=True)

    def open_channel(self, request: ChannelRequest) -> Channel:  # noqa: ARG002 - there are none
        """GitHub has no channels: our app's web hook is set once, for all organisations."""
        raise CallError(_NO_CHANNELS, detail="no channels")

    def close_channel(self, channel: Channel) -> None:
        """There are none."""

    def act(self, action: Action) -> ActionResult:
        """Do one act and look again; what only a person may do comes back with the steps."""
        halt = self._halt()
        tools = self._tools(halt)
        return Actor(self._api, tools.lists, tools.reader, tools.permissions, self._web).act(action, halt)

    def disconnect(self) -> None:
        """Uninstall our own app from the organisation. Already uninstalled is done."""
        try:
            self._app.send("DELETE", f"/app/installations/{self._installation}", self._halt())
        except CallError as error:
            if error.status != 404:
                raise

    def _organisation(self, halt: Halt) -> Organisation:
        row = self._app.get(f"/app/installations/{self._installation}", "account", halt)
        if row.get("suspended_at") is not None:
            raise CallError(SUSPENDED, detail="installation suspended")
        try:
            identifier, name = normalize.account_id(row["account"]), normalize.login(row["account"])
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"installation: {error}") from None
        if identifier != self._owner.organisation_id:
            raise CallError(OTHER_ORGANISATION, detail="installation of another organisation")
        return Organisation(identifier, name)

    def _tools(self, halt: Halt) -> _Tools:
        with self._lock:
            if self._made is None:
                found, held = self._organisation(halt), self._tokens.held(halt)
                lists = Lists(self._api, found.name, self._io.clock)
                reader = Reader(self._api, self._graph, lists, self._owner, held, self._io.max_in_flight)
                self._made = _Tools(found, lists, reader, held)
            return self._made

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def connect(credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection."""
    return GithubConnector(credentials, io)
