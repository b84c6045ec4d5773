"""The two logs that tell who installed which app: the audit log (Enterprise), the integration log (else).

Both list the newest first. The audit log goes back to March 2018 and filters by action, the integration
log tells all of a workspace's past; so either, read whole, says what is installed now.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, Literal

from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED
from lantern.connectors.resolution import CallError
from lantern.connectors.slack import normalize
from lantern.connectors.slack.api import SlackApi, Tokens, rows
from lantern.connectors.slack.ledger import Entry
from lantern.connectors.slack.manifest import ADMIN, AUDIT, PLAN_WORDS

LogKind = Literal["audit", "integration"]
Page = list[Entry]

_AUDIT_PAGE: Final = "1000"  # at most 9,999
_LOG_PAGE: Final = 1000
_MOST_PAGES: Final = 10_000  # a listing that never ends is none
_ACTIONS: Final = ",".join((*normalize.INSTALL_ACTIONS, *normalize.ACCOUNT_ACTIONS))  # 30 may be named
_INSTALLS: Final = ",".join(normalize.INSTALL_ACTIONS)


def available(tokens: Tokens, granted: frozenset[str]) -> LogKind | None:
    """Which log the installation may read; None where none. Nothing known of permissions: it is tried."""
    wanted: tuple[LogKind, str] = ("audit", AUDIT) if tokens.enterprise else ("integration", ADMIN)
    kind, scope = wanted
    return kind if tokens.user and (not granted or scope in granted) else None


def closed(error: CallError) -> bool:
    """Whether it says that the plan or the consent does not open this to us, ever."""
    return bool(error.codes & (PLAN_WORDS | {"missing_scope"}))


class InstallLog:
    """One of the two logs, of one installation."""

    def __init__(self, api: SlackApi, tokens: Tokens, kind: LogKind) -> None:
        self._api = api
        self._team = tokens.team
        self.kind = kind

    def whole(self, halt: Halt, app_id: str | None = None) -> list[Entry]:
        """All installations and removals there ever were, of one app or of all; the oldest first."""
        if self.kind == "audit":
            about = {"entity": app_id} if app_id else {}
            pages = self._audit({"action": _INSTALLS, **about}, halt)
        else:
            # Old-style services have numbers for ids, apps do not.
            name = "service_id" if app_id and app_id.isdigit() else "app_id"
            pages = self._integration({name: app_id} if app_id else {}, None, halt)
        return _oldest_first(pages)

    def between(self, since: datetime, until: datetime, halt: Halt) -> list[Entry]:
        """What happened in `[since, until)`, accounts that changed included; the oldest first."""
        if self.kind == "audit":
            window = {"oldest": str(int(since.timestamp())), "latest": str(int(until.timestamp()))}
            pages = self._audit({"action": _ACTIONS, **window}, halt)
        else:
            pages = self._integration({}, since, halt)
        return [entry for entry in _oldest_first(pages) if since <= entry.at < until]

    def _audit(self, params: dict[str, str], halt: Halt) -> Iterator[Page]:
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            found, cursor = self._api.audit(halt, {"limit": _AUDIT_PAGE, **params, **more})
            yield _read(found, normalize.audited)

    def _integration(self, params: dict[str, str], since: datetime | None, halt: Halt) -> Iterator[Page]:
        for number in range(1, _MOST_PAGES):
            asked = {**params, "count": str(_LOG_PAGE), "page": str(number)}
            body = self._api.get("team.integrationLogs", halt, asked, whose="user")
            found, paging = rows(body, "logs"), body.get("paging")
            pages = paging.get("pages") if isinstance(paging, dict) else None
            if not isinstance(pages, int):
                raise CallError(GARBLED, detail="integration log: no paging")
            page = _read(found, lambda row: normalize.integration(row, self._team))
            yield page
            if number >= pages or (since and page and page[-1].at < since):
                return
        raise CallError(GARBLED, detail="integration log: no end")


def _oldest_first(pages: Iterator[Page]) -> list[Entry]:
    found = [entry for page in pages for entry in page]
    found.reverse()
    return found


def _read(found: list[Any], normal: Callable[[Any], Entry | None]) -> Page:
    try:
        return [entry for entry in map(normal, found) if entry is not None]
    except normalize.MalformedError as error:
        raise CallError(GARBLED, detail=f"log: {error}") from None
