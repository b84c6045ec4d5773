"""Salesforce behind the connector protocol."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Final

from lantern.connectors.halt import Halt, within
from lantern.connectors.http import GARBLED, HaltedError, HttpClient
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
from lantern.connectors.resolution import CallError
from lantern.connectors.salesforce import acts, feeds, normalize, soql
from lantern.connectors.salesforce.access import AccessTokens, endpoints, oauth_http, revoke, unpack
from lantern.connectors.salesforce.api import Row, SalesforceApi
from lantern.connectors.salesforce.held import AT_ONCE, Held, Tokens
from lantern.connectors.salesforce.manifest import CUSTOMIZE, MANIFEST, RIGHT_MISSING, RIGHTS, STATUSES
from lantern.connectors.salesforce.oauth import rights
from lantern.domain.assets import AssetListing
from lantern.domain.inventory import Observation, Principal

_PATIENCE_S: Final = 120.0  # for calls that come without a deadline
_PAGE: Final = 1_000
_SURE_S: Final = 300.0
"""For how long a permission that was there is taken to be there still."""


class SalesforceConnector:
    """One connected Salesforce organisation."""

    manifest: ClassVar[Manifest] = MANIFEST

    def __init__(self, credentials: Credentials, io: Io) -> None:
        at = endpoints(io)
        self._io = io
        self._at = at
        self._connection_id = credentials.connection_id
        self._organisation_id = credentials.organisation_id
        self._oauth = oauth_http(io)
        self._access = AccessTokens(
            self._oauth, at["token"], credentials.registration, unpack(credentials.secret), io.clock
        )
        limiters = {q.name: io.limiters.get("salesforce", credentials.tenant, q) for q in MANIFEST.quotas}
        http = HttpClient(
            io.session, STATUSES, clock=io.clock, random=io.random, limiters=limiters, auth=self._access
        )
        self._api = SalesforceApi(http, self._access, io.clock)
        self._sure_until = float("-inf")
        self._admins: frozenset[str] | None = None
        self._admins_asked = False

    def check(self) -> Health:
        """Which organisation this is, which scopes the consent holds, and what its giver may still do."""
        halt = self._halt()
        granted = self._access.granted(halt) | rights(self._api, halt)
        missing = tuple(need for need in MANIFEST.scopes if need.scope not in granted)
        rows = self._api.rows(soql.ORGANISATION, halt)
        if len(rows) != 1 or not isinstance(rows[0].get("Id"), str):
            raise CallError(GARBLED, detail="Organization: not one row")
        name = rows[0].get("Name")
        return Health(
            Organisation(
                normalize.canonical(rows[0]["Id"]), normalize.label(name) if isinstance(name, str) else ""
            ),
            granted,
            missing,
        )

    def principals(self, cursor: str | None) -> PrincipalPage:
        """One page of all accounts of the organisation's own people and machines, itself first.

        Accounts of customers, partners and visitors of its sites are left out: they are not its staff.
        """
        halt = self._halt()
        self._must_see_all(halt)
        rows = self._api.rows(soql.users_after(cursor or "", _PAGE), halt)
        found = [self._principal(row, halt) for row in rows]
        first = () if cursor else (normalize.organisation(self._organisation_id, self._connection_id),)
        following = found[-1].native_id if len(rows) >= _PAGE else None
        return PrincipalPage((*first, *found), following)

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """Read what these accounts gave to apps, a hundred at a time, and what is installed for all.

        Raises:
            CallError: what would fail for all of them: consent or permission gone, requests used up, outage.
        """
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            self._must_see_all(halt)
            yield from self._read(principals, halt)
        except HaltedError:
            return

    def _read(self, principals: Sequence[Principal], halt: Halt) -> Iterator[Observation | Unread]:
        for one in principals:
            if one.kind == "organisation":
                yield self._installed(one, halt)
        people = {one.native_id: one for one in principals if one.kind != "organisation"}
        tokens = self._tokens()
        for start in range(0, len(people), AT_ONCE):
            if halt.passed():
                return
            for part in tokens.of(list(people)[start : start + AT_ONCE], halt):
                if part.of_one:
                    # Who has just lost the permission is shown the own tokens only, which looks the same.
                    self._must_see_all(halt, again=True)
                yield from _observed(part, people)

    def _installed(self, account: Principal, halt: Halt) -> Observation | Unread:
        try:
            apps, menu = self._api.rows(soql.CONNECTED_APPS, halt), self._api.rows(soql.MENU, halt)
            return Observation(account, normalize.installations(apps, menu))
        except normalize.MalformedError:
            return Unread(account, "malformed")
        except CallError as error:
            return _unread(account, error)

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """Agents (Agentforce and bots); none is said where the organisation has no such feature."""
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            rows = self._optional_rows(soql.AGENTS, halt)
            if rows is None:
                return
            active = self._optional_rows(soql.ACTIVE_AGENTS, halt)
            in_service = (
                None
                if active is None
                else frozenset(
                    normalize.canonical(row["BotDefinitionId"])
                    for row in active
                    if isinstance(row.get("BotDefinitionId"), str)
                )
            )
            found = normalize.agents(
                rows, in_service, connection_id=self._connection_id, organisation_id=self._organisation_id
            )
        except HaltedError:
            return
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"BotDefinition: {error}") from None
        yield AssetListing("agent", found)

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names; several may have one address: then it names none."""
        field, value = ("Id", hint.native_id) if hint.native_id else ("Email", hint.email)
        if not value or value == self._organisation_id:
            return normalize.organisation(self._organisation_id, self._connection_id) if value else None
        halt = self._halt()
        rows = self._api.rows(soql.user(field, value), halt)
        return self._principal(rows[0], halt) if len(rows) == 1 else None

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """New tokens and changed accounts since `cursor`; see `feeds.changes`."""
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            self._must_see_all(halt)
        except HaltedError:
            return
        yield from feeds.changes(self._api, self._tokens(), cursor, self._io.clock.now(), halt)

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """Sign-ins of apps and last uses of tokens; see `feeds.history`."""
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        try:
            self._must_see_all(halt)
        except HaltedError:
            return
        yield from feeds.history(self._api, self._tokens(), since, until, halt)

    def open_channel(self, request: ChannelRequest) -> Channel:
        """Salesforce pushes nothing without a paid add-on."""
        raise NotImplementedError(f"no channel for {request.event}")

    def close_channel(self, channel: Channel) -> None:
        """There are none to close."""

    def act(self, action: Action) -> ActionResult:
        """Revoke a grant and look again; everything else is done in Setup, by the steps given."""
        halt = self._halt()
        if action.kind != "revoke_grant" or action.native_id == self._organisation_id:
            kind = "uninstall_app" if action.kind == "revoke_grant" else action.kind
            return acts.by_hand(self._api, Action(kind, client_id=action.client_id), halt)
        self._must_see_all(halt, again=True)
        try:
            return acts.revoke_grant(self._api, self._oauth, action, halt)
        except CallError as error:
            if error.reason == "forbidden" and not error.resolution.connection_wide:
                return ActionResult("not_possible", None, error.user_message)
            raise

    def disconnect(self) -> None:
        """Revoke our own consent; already revoked is done."""
        revoke(self._oauth, self._at["revoke"], self._access.refresh_token, self._halt())

    def _must_see_all(self, halt: Halt, *, again: bool = False) -> None:
        """Raise unless we are shown what belongs to others; else a part would pass for all."""
        now = self._io.clock.monotonic()
        if not again and now < self._sure_until:
            return
        held = rights(self._api, halt)
        if not held.issuperset(RIGHTS):
            lacking = CUSTOMIZE if CUSTOMIZE not in held else RIGHTS[1]
            raise CallError(RIGHT_MISSING, detail=f"permission lost: {lacking}")
        self._sure_until = now + _SURE_S

    def _principal(self, row: Row, halt: Halt) -> Principal:
        try:
            return normalize.principal(
                row,
                connection_id=self._connection_id,
                organisation_id=self._organisation_id,
                admins=self._who_administers(halt),
            )
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"User: {error}") from None

    def _who_administers(self, halt: Halt) -> frozenset[str] | None:
        if not self._admins_asked:
            rows = self._optional_rows(soql.ADMINS, halt)
            found = None if rows is None else [row.get("AssigneeId") for row in rows]
            self._admins = (
                None if found is None else frozenset(normalize.canonical(str(one)) for one in found)
            )
            self._admins_asked = True
        return self._admins

    def _optional_rows(self, query: str, halt: Halt) -> list[Row] | None:
        """Rows of a table that an organisation may lack or keep from us; None where it does."""
        try:
            return self._api.rows(query, halt)
        except CallError as error:
            if error.resolution.connection_wide or not error.codes & _LACKING:
                raise
            return None

    def _tokens(self) -> Tokens:
        return Tokens(self._api, self._io.clock.now)

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


_LACKING: Final = frozenset({"INVALID_TYPE", "INVALID_FIELD", "INSUFFICIENT_ACCESS"})


def _observed(part: Held, people: dict[str, Principal]) -> Iterator[Observation | Unread]:
    if isinstance(part.tokens, CallError):
        for native_id in part.accounts:
            yield _unread(people[native_id], part.tokens)
        return
    by_account: dict[str, list[normalize.Token]] = {native_id: [] for native_id in part.accounts}
    for one in part.tokens:
        if one.native_id in by_account:
            by_account[one.native_id].append(one)
    for native_id, held in by_account.items():
        yield Observation(people[native_id], normalize.grants(held))


def _unread(account: Principal, error: CallError) -> Unread:
    if error.resolution.connection_wide:
        raise error
    return Unread(account, "provider_error" if error.reason == "not_found" else error.reason)


def connect(credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection."""
    return SalesforceConnector(credentials, io)
