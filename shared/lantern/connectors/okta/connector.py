"""Okta behind the connector protocol."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Final

from lantern.connectors.halt import Halt, within
from lantern.connectors.http import HaltedError
from lantern.connectors.okta import assets, hooks, logs, normalize, oauth, people, secret
from lantern.connectors.okta.acts import Acts
from lantern.connectors.okta.ahead import Ahead, Roll
from lantern.connectors.okta.apps import Apps
from lantern.connectors.okta.bundles import Bundles
from lantern.connectors.okta.manifest import MANIFEST, ROLES
from lantern.connectors.okta.normalize import APPLICATION
from lantern.connectors.okta.people import Owner, People
from lantern.connectors.okta.tokens import REQUIRED, WANTED
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

_PATIENCE_S: Final = (
    180.0  # for calls that come without a deadline; a minute of it may pass waiting for quota
)


class OktaConnector:
    """One connected Okta organisation. Safe for threads."""

    manifest: ClassVar[Manifest] = MANIFEST

    def __init__(self, credentials: Credentials, io: Io) -> None:
        self._io = io
        self._secret = secret.load(credentials.secret)
        granted = (credentials.granted or WANTED) | REQUIRED
        self._tokens = oauth.access(self._secret, io, credentials.granted)
        self._api = oauth.api(self._secret, io, self._tokens, credentials.tenant)
        self._owner = Owner(credentials.connection_id, credentials.organisation_id)
        self._granted = granted
        self._people = People(self._api, self._owner, marks_admins=ROLES in credentials.granted)
        self._apps = Apps(self._api, io.clock, at_once=io.max_in_flight)
        self._roll = Roll(self._people.page)
        self._bundles = Bundles(
            self._api,
            self._people,
            self._apps,
            granted,
            io.max_in_flight,
            self._roll,
            Ahead(io.clock),
        )
        self._everybody = normalize.everybody(
            connection_id=credentials.connection_id, organisation_id=credentials.organisation_id
        )

    def check(self) -> Health:
        """Which organisation this is, and which permissions we hold and lack."""
        halt = self._halt()
        granted = oauth.held(self._api, self._tokens, halt)
        organisation = people.organisation(self._api, halt)
        missing = tuple(need for need in MANIFEST.scopes if need.scope not in granted)
        return Health(replace(organisation, domains=(self._secret.address,)), granted, missing)

    def principals(self, cursor: str | None) -> PrincipalPage:
        """One page of all accounts: the organisation itself first, then living, then deactivated ones."""
        if cursor is None and self._io.max_in_flight > 1:  # else one thing is done after the other
            self._warm(self._halt())
        page = self._roll.page(cursor, self._halt())
        self._apps.expect(len(page.principals), begin=cursor is None)
        if cursor is None and self._bundles.application_sources:
            return replace(page, principals=(self._everybody, *page.principals))
        return page

    def read(self, principals: Sequence[Principal], deadline: Deadline) -> Iterator[Observation | Unread]:
        """Read what these accounts consented to and may sign in to, as fast as the quotas allow.

        Raises:
            CallError: what would fail for all of them: access withdrawn, permission missing, outage.
        """
        return self._bundles.read(principals, Halt(self._io.clock, deadline))

    def assets(self, deadline: Deadline) -> Iterator[AssetListing]:
        """API tokens, and AI agents where Okta manages them."""
        halt = Halt(self._io.clock, deadline)
        return assets.listings(self._api, self._owner, self._granted, self._io.clock.now(), halt)

    def principal(self, hint: Hint) -> Principal | None:
        """The account a hint names. None is no proof that it is gone: `read` looks for that."""
        if hint.native_id == APPLICATION:
            return self._everybody
        key = hint.native_id or hint.email
        return self._people.find(key, self._halt()) if key else None

    def changes(self, cursor: str | None, deadline: Deadline) -> Iterator[ChangePage]:
        """Consents, assignments and changes of accounts since `cursor`; see `logs.changes`."""
        halt = Halt(self._io.clock, deadline)
        return logs.changes(self._api, cursor, self._io.clock.now(), halt)

    def history(self, since: datetime, until: datetime, deadline: Deadline) -> Iterator[HistoryPage]:
        """Sign-ins and consents of a past window."""
        halt = Halt(self._io.clock, deadline)

        def clients() -> Mapping[str, str]:
            return {one: app.client_id for one, app in self._apps.by_native_id(halt).items()}

        return logs.history(self._api, clients, since, until, halt, cap=self._io.max_in_flight)

    def open_channel(self, request: ChannelRequest) -> Channel:
        """Create an event hook and have it verified: our web hook must answer already."""
        return hooks.open_hook(self._api, request, self._io.clock, self._halt())

    def close_channel(self, channel: Channel) -> None:
        """Delete an event hook; one that is gone already is closed."""
        hooks.close_hook(self._api, channel.resource_id, self._halt())

    def act(self, action: Action) -> ActionResult:
        """Do one act and look again; what no API can do comes back with the steps for an administrator."""
        return Acts(self._api, self._apps, self._secret.client_id).do(action, self._halt())

    def disconnect(self) -> None:
        """Delete our API token, or revoke the client's; the client is the administrator's to delete."""
        oauth.give_back(self._secret, self._io, self._tokens, self._halt())

    def _warm(self, halt: Halt) -> None:
        """List administrators and apps beside the first page: whoever reads needs all three."""

        def run(work: Callable[[Halt], object]) -> None:
            try:
                work(halt)
            except (CallError, HaltedError) as error:
                # Whoever needs it asks again, and meets it too.
                log.warning("okta: a list is not read ahead: %s", type(error).__name__)

        for work in (self._people.administrators, self._apps.warm):
            threading.Thread(target=run, args=(work,), name="warm", daemon=True).start()

    def _halt(self) -> Halt:
        return within(self._io.clock, _PATIENCE_S)


def connect(credentials: Credentials, io: Io) -> Connector:
    """A connector for one connection."""
    return OktaConnector(credentials, io)
