"""What the organisation has as a whole, read once and looked up many times: the log, the lists, the bots."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Literal, TypeVar

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.resolution import CallError
from lantern.connectors.slack import ledger as ledgers
from lantern.connectors.slack import log as logs
from lantern.connectors.slack import normalize
from lantern.connectors.slack.api import SlackApi
from lantern.connectors.slack.directory import Directory
from lantern.connectors.slack.ledger import Holding, Ledger
from lantern.connectors.slack.log import InstallLog
from lantern.connectors.slack.normalize import Listed
from lantern.domain.inventory import GrantSource, ObservedGrant

T = TypeVar("T")
Policy = Literal["approved", "restricted", "requested"]

_LISTS: Final[dict[Policy, tuple[str, str, tuple[str, ...]]]] = {
    "approved": ("admin.apps.approved.list", "approved_apps", ("false", "true")),
    "restricted": ("admin.apps.restricted.list", "restricted_apps", ("false", "true")),
    "requested": ("admin.apps.requests.list", "app_requests", ("true",)),
}
"""Method, rows, and the values of `certified` that make the listing whole.

A list of decisions shows certified apps alone or none of them; a list of requests includes them or not.
"""
_PAGE: Final = "1000"


@dataclass(frozen=True, slots=True)
class Placed:
    """An app on a list, and where the list holds: the organisation's id or a workspace's."""

    place: str
    row: Listed


class _Once(Generic[T]):
    """A value read when first asked for; a failure is remembered too, not repeated per account."""

    def __init__(self, read: Callable[[Halt], T]) -> None:
        self._read = read
        self._value: list[T] = []
        self.error: CallError | None = None

    def __call__(self, halt: Halt) -> T:
        if self.error is not None:
            raise self.error
        if not self._value:
            try:
                self._value.append(self._read(halt))
            except CallError as error:
                self.error = error
                raise
        return self._value[0]


class Lists:
    """The lists of approved, restricted and requested apps, of the organisation and of each workspace."""

    def __init__(self, api: SlackApi, directory: Directory, enterprise: str) -> None:
        self._api = api
        self._directory = directory
        self._enterprise = enterprise

    def read(self, policy: Policy, halt: Halt) -> tuple[Placed, ...]:
        """All apps on one kind of list."""
        places = [("enterprise_id", self._enterprise)]
        places += [("team_id", team) for team in self._directory.teams(halt)]
        return tuple(found for key, place in places for found in self._of(policy, key, place, halt))

    def of_organisation(self, policy: Policy, halt: Halt) -> tuple[Placed, ...]:
        """The apps on the organisation's own list."""
        return tuple(self._of(policy, "enterprise_id", self._enterprise, halt))

    def _of(self, policy: Policy, key: str, place: str, halt: Halt) -> list[Placed]:
        method, rows, parts = _LISTS[policy]
        try:
            return [
                Placed(place, normalize.listed(row, policy))
                for certified in parts
                for row in self._api.pages(
                    method,
                    rows,
                    halt,
                    {key: place, "limit": _PAGE, "certified": certified},
                    whose="user",
                )
            ]
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"{method}: {error}") from None


class Snapshot:
    """One reading of the organisation, begun at `began`. Parts that may not be read are None, never empty."""

    def __init__(
        self, began: datetime, log: InstallLog | None, lists: Lists | None, directory: Directory
    ) -> None:
        self.began = began
        self.answered: set[str] = set()
        self.ledger = _Once(lambda halt: _ledger(log, halt))
        self.approved = _Once(lambda halt: _approved(lists, halt))
        self.bots = _Once(lambda halt: _bots(directory, halt))

    @property
    def failed(self) -> bool:
        """Whether a part could not be read: another reading may."""
        return any(part.error is not None for part in (self.ledger, self.approved, self.bots))


def _ledger(log: InstallLog | None, halt: Halt) -> Ledger | None:
    if log is None:
        return None
    try:
        return ledgers.fold(log.whole(halt))
    except CallError as error:
        if logs.closed(error):
            return None
        raise


def _approved(lists: Lists | None, halt: Halt) -> tuple[Placed, ...] | None:
    if lists is None:
        return None
    try:
        return lists.read("approved", halt)
    except CallError as error:
        if logs.closed(error):
            return None
        raise


def _bots(directory: Directory, halt: Halt) -> dict[str, str]:
    """App id → name of its bot, for every app whose bot is a member."""
    return {
        member.bot_of: member.principal.name or ""
        for member in directory.everybody(halt)
        if member.bot_of is not None
    }


def personal(ledger: Ledger, native_id: str) -> tuple[ObservedGrant, ...]:
    """What one person installed, and nobody took back."""
    held = ledger.of(native_id)
    return tuple(_granted(held[app_id], ledger) for app_id in sorted(held))


def _granted(holding: Holding, ledger: Ledger) -> ObservedGrant:
    app = normalize.application(holding.app_id, ledger.names.get(holding.app_id, holding.name))
    return ObservedGrant(app, holding.scopes, holding.at.date(), "installation")


def organisational(
    snapshot: Snapshot, halt: Halt, *, enterprise: bool
) -> tuple[tuple[ObservedGrant, ...], frozenset[GrantSource]]:
    """What acts for the whole organisation, and which sources that was read from completely.

    The log (`installation`) says what is installed: on an Enterprise organisation all of it, elsewhere
    what nobody in particular answers for. The list of approved apps (`consent`) says what may be
    installed at any time; one that the log saw uninstalled everywhere is left out. A bot among the
    members (`application`) proves its app where neither speaks of it; without a log its permissions are
    unknown and stand empty.
    """
    ledger, approved, bots = snapshot.ledger(halt), snapshot.approved(halt), snapshot.bots(halt)
    known = ledger.apps() if ledger else {}
    ended = ledger.ended if ledger else frozenset()
    found: dict[str, ObservedGrant] = {}
    for app_id, name in bots.items():
        held = known.get(app_id)
        app = normalize.application(app_id, name)
        scopes, at = (held.scopes, held.at.date()) if held else (frozenset[str](), None)
        found[app_id] = ObservedGrant(app, scopes, at, "application", told=held is not None)
    for placed in approved or ():
        row, app_id = placed.row, placed.row.app.client_id
        if app_id in ended and app_id not in bots:
            continue
        held, before = known.get(app_id), found.get(app_id)
        scopes = (row.permissions or frozenset()) | (before.scopes if before else frozenset())
        found[app_id] = ObservedGrant(row.app, scopes, held.at.date() if held else None, "consent")
    if ledger:
        everything = known if enterprise else ledger.of(None)
        for app_id, holding in everything.items():
            granted, before = _granted(holding, ledger), found.get(app_id)
            app = before.app if before else granted.app
            scopes = granted.scopes or (before.scopes if before else frozenset())
            found[app_id] = ObservedGrant(app, scopes, granted.granted_on, "installation")
    read: set[GrantSource] = {"application"}
    read |= {"installation"} if ledger is not None else set()
    read |= {"consent"} if approved is not None else set()
    return tuple(sorted(found.values(), key=lambda grant: grant.app.id)), frozenset(read)
