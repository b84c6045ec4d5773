"""Google Workspace behind the connector protocol."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Final

from lantern.connectors.calls import Admission
from lantern.connectors.fanout import fan_out
from lantern.connectors.google import (
    acts,
    delegation,
    directory,
    inventory,
    normalize,
    passwords,
    reports,
    seen,
    visits,
)
from lantern.connectors.google.api import GoogleApi
from lantern.connectors.google.manifest import AUDIT, CUSTOMER, MANIFEST, SCOPE_MISSING, STATUSES
from lantern.connectors.google.oauth import AccessTokens, endpoints, oauth_http, revoke
from lantern.connectors.google.parts import Parts
from lantern.connectors.halt import Halt, within
from lantern.connectors.http import HaltedError, HttpClient
from lantern.connectors.outage import Outage, unread
from lantern.connectors.protocol import (
    Action,
    ActionResult,
    ChangePage,
    Channel,
    ChannelRequest,
    Connector,
    Deadline,
    Delegation,
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


class GoogleConnector:
    """One connected Google Workspace organisation. Safe for threads."""

    manifest: ClassVar[Manifest] = MANIFEST

    def __init__(self, credentials: Credentials, io: Io) -> None:
        at = endpoints(io)
        self._io = io
        self._at = at
        self._owner = directory.Owner(credentials.connection_id, credentials.organisation_id)
        self._oauth = oauth_http(io)
        self._tokens = AccessTokens(
            self._oauth, at["token"], credentials.registration, credentials.secret, clock=io.clock
        )
        limiters = {q.name: io.limiters.get("google", credentials.tenant, q) for q in MANIFEST.quotas}
        http = HttpClient(
            io.session, STATUSES, clock=io.clock, random=io.random, limiters=limiters, auth=self._tokens
        )
        self._api = GoogleApi(http, at["admin"])
        self._granted = credentials.granted
        self._told: tuple[datetime, tuple[Delegation, ...]] | None = None
        self._parts = Parts(
            self._api,
            GoogleApi(http, at["chrome"]),
            io.clock,
            credentials.granted,
            credentials.connection_id,
            io.max_in_flight,
        )

    def check(self) -> Health:
        """Which organisation this is, and which permissions the consent holds and lacks."""
        halt = self._halt()
        granted = self._tokens.granted(halt)
        missing = tuple(need for need in MANIFEST.scopes if need.scope not in granted)
        if any(need.scope == CUSTOMER for need in missing):
            raise CallError(SCOPE_MISSING, detail="customer scope not granted")
        return Health(directory.organisation(self._api, halt), granted, missing)

    def principals(self, cursor: str | None) -> PrincipalPage:
        """One page of all accounts: recently deleted ones first, then active, suspended and archived.

        Before them all stands the organisation itself, where the audit log knows of domain-wide delegation.
        """
        self._parts.begin()
        halt = self._halt()
        page = directory.principals(self._api, self._owner, cursor, halt)
        if cursor is None and self._has_delegated(halt):
            return PrincipalPage((delegation.principal(self._owner), *page.principals), page.cursor)
        return page

    def _has_delegated(self, halt: Halt) -> bool:
        """Whether the log remembers any delegation; where it does not answer, `read` will say so."""
        if AUDIT not in self._granted:
            return False
        try:
            self._told = (self._io.clock.now(), self._delegations(halt))
            return bool(self._told[1])
        except CallError as error:
            log.warning("google: the log of delegations did not come: %s", error.detail)
            return True

    def _delegations(self, halt: Halt) -> tuple[Delegation, ...]:
        def pages(event: str, since: datetime, until: datetime) -> Iterator[list[normalize.Event]]:
            return reports.feed(self._api, "admin", since, until, halt, event)

        return delegation.read(pages, self._io.clock.now())

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """Read what these accounts gave to apps, as fast as the quota allows.

        Raises:
            CallError: what would fail for all of them: consent revoked, permission missing, outage.
        """
        halt = Halt(self._io.clock, deadline)
        roster = directory.roster(self._api, halt)
        people = [account for account in principals if account.kind != "organisation"]
        self._parts.load(halt)
        for account in people:
            if account.status == "deleted":
                seen = self._read_deleted(account, roster, halt)
                if seen is None:
                    return
                yield seen
        living = [account for account in people if account.status != "deleted"]

        def work(account: Principal, admission: Admission) -> Observation | Unread | None:
            return self._read_one(account, roster, halt, admission)

        outage = Outage("Google")
        for outcome in fan_out(
            living, lambda: self._api.admit(halt), work, halt=halt, cap=self._io.max_in_flight
        ):
            if outcome is not None:
                yield outcome
                outage.watch(outcome)
        # Last: an app that people gave access to has its name from them, the log knows its id alone.
        for account in principals:
            told = self._read_organisation(account, halt) if account.kind == "organisation" else None
            if told is not None:
                yield told

    def _read_organisation(self, account: Principal, halt: Halt) -> Observation | Unread | None:
        """What may act as anyone; None when told to stop first."""
        try:
            if halt.passed():
                return None
            # What the listing of accounts was told is good for one reading.
            told, self._told = self._told, None
            begun, found = told or (None, self._delegations(halt))
            return replace(delegation.observation(self._owner, found), as_of=begun)
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)

    def _read_one(
        self, account: Principal, roster: directory.Roster, halt: Halt, admission: Admission | None
    ) -> Observation | Unread | None:
        """One account's grants; None when told to stop first."""
        try:
            granted = normalize.grants(directory.tokens(self._api, account.native_id, halt, admission))
            found = self._parts.find(account, halt)
            return Observation(
                account,
                tuple(sorted((*granted, *found.grants), key=lambda grant: grant.app.id)),
                sources=found.sources | {"consent"},
                as_of=found.as_of,
                ended=found.ended,
            )
        except HaltedError:
            return None
        except normalize.MalformedError:
            return Unread(account, "malformed")
        except CallError as error:
            if error.reason == "not_found":
                return self._vanished(account, roster, halt)
            return unread(account, error)

    def _vanished(
        self, account: Principal, roster: directory.Roster, halt: Halt
    ) -> Observation | Unread | None:
        """Google knew no such account: believed only if the listings agree."""
        try:
            if roster.deleted(account.native_id):
                return _gone(account)
            known = directory.user(self._api, self._owner, account.native_id, halt)
            if known is None and roster.absent(account.native_id):
                return _gone(account)
            return Unread(account, "provider_error")
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)

    def _read_deleted(
        self, account: Principal, roster: directory.Roster, halt: Halt
    ) -> Observation | Unread | None:
        """An account that was listed as deleted, unless it was restored meanwhile."""
        try:
            if roster.deleted(account.native_id):
                return _gone(account)
            restored = directory.user(self._api, self._owner, account.native_id, halt)
        except HaltedError:
            return None
        except CallError as error:
            return unread(account, error)
        return self._read_one(restored or account, roster, halt, None)

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """Browser extensions with their risk, AI sites with what was sent there; see `inventory`."""
        halt = Halt(self._io.clock, deadline)
        owner = self._owner.connection_id
        yield from inventory.listings(self._parts.extensions(halt), self._parts.sites(halt), owner)

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names. None is no proof that it is gone: `read` looks for that."""
        key = hint.native_id or hint.email
        if not key:
            return None
        if key == normalize.ORGANISATION:
            return delegation.principal(self._owner) if AUDIT in self._granted else None
        return directory.user(self._api, self._owner, key, self._halt())

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """Consents, revocations and acts of administrators since `cursor`; see `reports.changes`."""
        halt = Halt(self._io.clock, deadline)
        return reports.changes(self._api, cursor, self._io.clock.now(), halt)

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """The feeds of a past window; one that did not reach its last page must be asked for again."""
        halt = Halt(self._io.clock, deadline)
        also = seen.FEEDS if AUDIT in self._granted else ()
        visited = self._visits(since, until, halt)
        if visited:
            yield visited
        yield from reports.history(self._api, since, until, halt, cap=self._io.max_in_flight, also=also)

    def _visits(self, since: datetime, until: datetime, halt: Halt) -> HistoryPage | None:
        """Visits of AI sites that fall into a window; None where none is known."""
        found = self._parts.sites(halt)
        if found is None or not found.visits:
            return None
        by_email = {
            account.email: account.native_id for account in self._accounts(halt) if account.email is not None
        }
        return visits.history(found, by_email, since, until, self._io.clock.now())

    def _accounts(self, halt: Halt) -> Iterator[Principal]:
        cursor: str | None = None
        while True:
            page = directory.principals(self._api, self._owner, cursor, halt)
            yield from page.principals
            cursor = page.cursor
            if cursor is None:
                return

    def open_channel(self, request: ChannelRequest) -> Channel:
        """Open a channel for what `request.event` names: `authorize`, `revoke`, `admin` or `users`."""
        return reports.watch(self._api, request, self._io.clock.now, self._halt())

    def close_channel(self, channel: Channel) -> None:
        """Close a channel; one that is gone already is closed."""
        reports.stop(self._api, channel, self._halt())

    def act(self, action: Action) -> ActionResult:
        """Do one act, or say how it is done by hand; see `acts`."""
        if action.kind == "revoke_grant" and passwords.is_password(action.client_id):
            self._parts.passwords_changed(action.native_id)
        return acts.act(self._api, action, self._halt())

    def disconnect(self) -> None:
        """Revoke our own consent; already revoked is done."""
        revoke(self._oauth, self._at["revoke"], self._tokens.refresh_token, self._halt())

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def _gone(account: Principal) -> Observation:
    return Observation(replace(account, status="deleted"), None, gone=True)


def connect(credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection."""
    return GoogleConnector(credentials, io)
