"""Slack behind the connector protocol."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import urlsplit

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
from lantern.connectors.resolution import CallError
from lantern.connectors.slack import acts, changes, directory, log, normalize
from lantern.connectors.slack.acts import Acting
from lantern.connectors.slack.api import SlackApi, Tokens, Whose, limiters_of
from lantern.connectors.slack.assets import Assets
from lantern.connectors.slack.directory import Directory, Place
from lantern.connectors.slack.log import InstallLog
from lantern.connectors.slack.manifest import (
    ADMIN,
    APPS,
    AUDIT,
    CONSENT_REVOKED,
    DEAD_WORDS,
    MANIFEST,
    UNCLEAR,
)
from lantern.connectors.slack.snapshot import Lists, Snapshot, organisational, personal
from lantern.domain.assets import AssetListing
from lantern.domain.inventory import Observation, Principal

_PATIENCE_S: Final = 120.0  # for calls that come without a deadline
_ACT_S: Final = 300.0  # an act lists all members before and after, at 20 pages a minute
_NOWHERE: Final = "https://slack.com"


class SlackConnector:
    """One connected Slack workspace or Enterprise organisation."""

    manifest: ClassVar[Manifest] = MANIFEST

    def __init__(self, credentials: Credentials, io: Io) -> None:
        self._io = io
        self._tokens = Tokens.load(credentials.secret)
        self._granted = credentials.granted
        self._organisation_id = credentials.organisation_id
        self._owner = normalize.Owner(
            credentials.connection_id, credentials.organisation_id, bool(self._tokens.enterprise)
        )
        self._api = SlackApi(io, limiters_of(io, credentials.tenant), self._tokens)
        self._directory = Directory(self._api, self._owner)
        kind = log.available(self._tokens, self._granted)
        self._log = InstallLog(self._api, self._tokens, kind) if kind else None
        listed = self._tokens.enterprise and self._tokens.user and self._may(APPS)
        self._lists = Lists(self._api, self._directory, self._tokens.enterprise) if listed else None
        self._snapshot: Snapshot | None = None
        self._listed: set[str] = set()

    def _may(self, scope: str) -> bool:
        """Whether the consent holds a permission; where nothing is known of it, it is tried."""
        return not self._granted or scope in self._granted

    def check(self) -> Health:
        """Which organisation this is, and which permissions both tokens hold and lack."""
        halt = self._halt()
        body, granted = self._who("bot", halt)
        if self._tokens.user:
            granted |= self._who("user", halt)[1]
        granted = granted or self._granted
        found = body.get("enterprise_id") if self._tokens.enterprise else body.get("team_id")
        if found != self._organisation_id:
            raise CallError(UNCLEAR, detail="the token belongs to another organisation")
        address = _address(body)
        name = normalize.label(body.get("team")) or self._organisation_id
        domains = (urlsplit(address).netloc,) if address != _NOWHERE else ()
        lacking = missing(granted)
        return Health(
            Organisation(self._organisation_id, name, domains),
            granted,
            tuple(need for need in MANIFEST.scopes if need.scope in lacking),
        )

    def _whole(self, halt: Halt) -> Principal:
        """The organisation as an account."""
        return normalize.organisation(self._owner, normalize.label(self._who("bot", halt)[0].get("team")))

    def _who(self, whose: Whose, halt: Halt) -> tuple[Any, frozenset[str]]:
        """The answer of `auth.test` and the permissions of the token (header `X-OAuth-Scopes`)."""
        reply = self._api.reply("auth.test", halt, whose=whose)
        scopes = reply.headers.get("X-OAuth-Scopes", "")
        return reply.body, frozenset(filter(None, (scope.strip() for scope in scopes.split(","))))

    def principals(self, cursor: str | None) -> PrincipalPage:
        """One page of all accounts: the organisation itself first, then members, guests and bots."""
        halt = self._halt()
        place = directory.load(cursor) if cursor else Place()
        found, following = self._directory.page(place, halt)
        rows = [member.principal for member in found]
        self._listed |= {row.native_id for row in rows}
        if cursor is None:
            rows.insert(0, self._whole(halt))
        return PrincipalPage(tuple(rows), following.dump() if following else None)

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """What these accounts installed, looked up in the organisation's log, and what acts for all of it.

        The log is read once for many accounts. Where Slack opens none to us, nothing is said of an
        account's grants.

        Raises:
            CallError: our access is gone.
        """
        halt = Halt(self._io.clock, deadline)
        if not principals or halt.passed():
            return
        snapshot, as_of = self._reading(principals)
        for account in principals:
            if halt.passed():
                return
            snapshot.answered.add(account.id)
            try:
                yield self._read_one(account, snapshot, as_of, halt)
            except HaltedError:
                return
            except CallError as error:
                if error.resolution.connection_wide:
                    raise
                reason = "provider_error" if error.reason == "not_found" else error.reason
                yield Unread(account, reason)

    def _reading(self, principals: Sequence[Principal]) -> tuple[Snapshot, datetime | None]:
        """The reading to look up in, and when it began if that was before this was asked for."""
        known = self._snapshot
        if known and not known.failed and not any(p.id in known.answered for p in principals):
            return known, known.began
        self._snapshot = self._fresh()
        return self._snapshot, None

    def _fresh(self) -> Snapshot:
        return Snapshot(self._io.clock.now(), self._log, self._lists, self._directory)

    def _read_one(
        self, account: Principal, snapshot: Snapshot, as_of: datetime | None, halt: Halt
    ) -> Observation:
        if account.kind == "organisation":
            grants, sources = organisational(snapshot, halt, enterprise=self._owner.enterprise)
            return Observation(account, grants, sources=sources, as_of=as_of)
        current = self._current(account, halt)
        if current is None:
            return Observation(account, (), gone=True)
        ledger = snapshot.ledger(halt)
        if ledger is None:
            return Observation(current, None)
        grants = personal(ledger, account.native_id)
        return Observation(current, grants, sources=frozenset({"installation"}), as_of=as_of)

    def _current(self, account: Principal, halt: Halt) -> Principal | None:
        """The account as it is: as just listed, else asked for; None where Slack says that there is none."""
        if account.native_id in self._listed:
            self._listed.discard(account.native_id)
            return account
        member = self._directory.find(account.native_id, halt)
        return member.principal if member else None

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """Decisions on apps, MCP servers and workflows: only an Enterprise organisation shows them."""
        if self._lists is None:
            return iter(())
        halt = Halt(self._io.clock, deadline)
        return Assets(self._api, self._owner, self._lists).listings(self._granted, halt)

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names; the organisation itself too. None where Slack knows none."""
        if hint.native_id == self._organisation_id:
            return self._whole(self._halt())
        member = None
        if hint.native_id:
            member = self._directory.find(hint.native_id, self._halt())
        elif hint.email:
            member = self._directory.by_email(hint.email, self._halt())
        return member.principal if member else None

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """What changed since `cursor`; see `changes.changes`. Nothing at all where Slack opens no log to us.

        Then too our access is tried, so that its end is noticed.

        Raises:
            CallError: our access is gone, or Slack did not answer as documented.
        """
        halt = Halt(self._io.clock, deadline)
        if halt.passed():
            return
        if self._log is None:
            self._api.get("auth.test", halt)
            return
        try:
            yield from changes.changes(self._log, self._organisation_id, cursor, self._io.clock.now(), halt)
        except CallError as error:
            if not log.closed(error):
                raise

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """Who installed what in a past window; see `changes.history`. Use is told by no log of Slack's."""
        if self._log is None:
            return iter(())
        return changes.history(self._log, since, until, Halt(self._io.clock, deadline))

    def open_channel(self, request: ChannelRequest) -> NoReturn:
        """Events come to the one address our app is registered with; there is nothing to open."""
        raise NotImplementedError("Slack pushes to the app's address")

    def close_channel(self, channel: Channel) -> None:
        """There is none to close."""

    def act(self, action: Action) -> ActionResult:
        """Do one act by API where Slack has one, else say how it is done by hand; then read what is there.

        Raises:
            CallError: Slack did not answer, or our access is gone.
            ValueError: no such act.
        """
        halt = within(self._io.clock, _ACT_S)
        body = self._api.get("auth.test", halt)
        acting = Acting(self._api, self._lists, self._tokens.enterprise, self._granted, _address(body))
        match action.kind:
            case "approve_app" | "restrict_app":
                return acts.decide(acting, action, halt)
            case "uninstall_app":
                return acts.uninstall(acting, action, self._fresh, halt)
            case "revoke_grant":
                return acts.revoke(acting, action, self._fresh(), halt, self._organisation_id)
        raise ValueError(f"Slack has no act {action.kind}")

    def disconnect(self) -> None:
        """Revoke our tokens; one that is dead already is done. The app stays listed until it is removed."""
        halt = self._halt()
        owners: tuple[Whose, ...] = ("user", "bot") if self._tokens.user else ("bot",)
        for whose in owners:
            try:
                body = self._api.get("auth.revoke", halt, whose=whose)
            except CallError as error:
                if not error.codes & DEAD_WORDS:
                    raise
                continue
            if body.get("revoked") is not True:
                raise CallError(GARBLED, detail="auth.revoke: not revoked")

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def missing(granted: frozenset[str]) -> frozenset[str]:
    """Permissions that were not granted. The audit log makes the integration log needless."""
    lacking = frozenset(need.scope for need in MANIFEST.scopes) - granted
    return lacking - {ADMIN} if AUDIT in granted else lacking


def _address(body: Any) -> str:
    """The workspace's address, without a slash at the end; Slack's own where it is not told."""
    url = body.get("url")
    parts = urlsplit(url) if isinstance(url, str) else None
    told = parts is not None and parts.scheme == "https" and parts.hostname
    return f"https://{parts.netloc}" if parts is not None and told else _NOWHERE


def connect(credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection. Makes no call yet."""
    try:
        return SlackConnector(credentials, io)
    except ValueError:
        raise CallError(CONSENT_REVOKED, detail="the stored tokens cannot be read") from None
