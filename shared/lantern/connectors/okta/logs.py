"""The System Log: what changed since, and who signed in to what in the past.

Asked without `until` and oldest first, the log is a feed without end: a next link comes with every page, even
with an empty one, which is where we stop and what we go on from later. Asked with both ends it is a window in
order of time, to which late events may still be added; the past is therefore read once it has settled.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from lantern.connectors.fanout import fan_out
from lantern.connectors.halt import Halt
from lantern.connectors.http import HaltedError
from lantern.connectors.okta import cursor as cursors
from lantern.connectors.okta import events as reading
from lantern.connectors.okta.api import OktaApi, Page
from lantern.connectors.okta.cursor import Cursor
from lantern.connectors.okta.events import Event
from lantern.connectors.okta.normalize import MalformedError
from lantern.connectors.protocol import ChangePage, Consent, HistoryPage, Use
from lantern.connectors.resolution import CallError

log = logging.getLogger(__name__)

_LOGS: Final = "/api/v1/logs"
_PAGE: Final = "1000"
_AT_ONCE: Final = 3
_PARTS: Final = 6
_SHORTEST_PART: Final = timedelta(hours=12)
_MOST_LOOKUPS: Final = 20
"""Consents without a name that are looked into per page; the nightly read finds the others."""
_BEFORE, _AFTER = timedelta(hours=12), timedelta(minutes=5)

_CHANGES_FILTER: Final = " or ".join(
    [
        *(f'eventType eq "{kind}"' for kind in sorted(reading.WATCHED)),
        *(f'eventType sw "{kind}"' for kind in reading.REVOKED),
    ]
)
_USE_FILTER: Final = " or ".join(
    [
        f'(eventType eq "{reading.SIGN_ON}" and outcome.result eq "SUCCESS")',
        *(f'eventType eq "{kind}"' for kind in sorted(reading.GRANTED)),
    ]
)


def changes(api: OktaApi, text: str | None, now: datetime, halt: Halt) -> Iterator[ChangePage]:
    """What changed from a cursor (`cursor.dump`) on, a page at a time. Each event has its effect once.

    Raises:
        CallError: Okta did not answer as documented.
        ValueError: the cursor is none of ours.
    """
    cursor = cursors.load(text) if text else cursors.start(now)
    while not halt.passed():
        try:
            page = _poll(api, cursor, halt)
            read = _events(page.rows)
            fresh = [e for e in _once(read) if cursors.digest(e.uuid) not in cursor.seen]
            telling = _named(api, [e for e in fresh if e.tells], halt)
        except HaltedError:
            return
        cursor = cursors.advance(cursor, page.following, telling)
        last = not page.rows or page.following is None
        yield ChangePage(reading.hints(telling), (), cursors.dump(cursor), len(page.rows), last)
        if last:
            return


def _poll(api: OktaApi, cursor: Cursor, halt: Halt) -> Page:
    """The page a cursor stands at; a link that is no longer accepted is replaced by the overlap."""
    if cursor.place:
        try:
            return api.page(cursor.place, halt)
        except CallError as error:
            if error.status not in (400, 404, 410):
                raise
            log.warning("okta log: link refused, reading from the last event again")
    since = _iso(cursor.since - cursors.OVERLAP)
    params = {"since": since, "sortOrder": "ASCENDING", "limit": _PAGE, "filter": _CHANGES_FILTER}
    return api.page(_LOGS, halt, params=params)


def _named(api: OktaApi, found: list[Event], halt: Halt) -> list[Event]:
    """The events, consents that run as the system put down to whoever had that session."""
    named: list[Event] = []
    looked: dict[str, str | None] = {}
    for seen in found:
        if not seen.nameless or not seen.session:
            named.append(seen)
            continue
        if seen.session not in looked and len(looked) < _MOST_LOOKUPS:
            looked[seen.session] = _whose(api, seen.session, seen.at, halt)
        named.append(replace(seen, user_id=looked.get(seen.session)))
    return named


def _whose(api: OktaApi, session: str, at: datetime, halt: Halt) -> str | None:
    """The one person who acted in a session; None where there was nobody, or several."""
    quoted = session.replace("\\", "\\\\").replace('"', '\\"')
    params = {
        "since": _iso(at - _BEFORE),
        "until": _iso(at + _AFTER),
        "filter": f'authenticationContext.externalSessionId eq "{quoted}" and actor.type eq "User"',
        "limit": "100",
    }
    people = {
        actor.get("id")
        for row in api.page(_LOGS, halt, params=params).rows
        if isinstance(actor := row.get("actor"), dict) and actor.get("type") == "User"
    }
    found = next(iter(people)) if len(people) == 1 else None
    return found if isinstance(found, str) and found else None


def history(
    api: OktaApi,
    clients: Callable[[], Mapping[str, str]],
    since: datetime,
    until: datetime,
    halt: Halt,
    *,
    cap: int,
) -> Iterator[HistoryPage]:
    """Sign-ins and consents of `[since, until)`, a part at a time; `clients`: client ids by app id.

    Raises:
        CallError: Okta did not answer as documented.
    """
    if halt.passed():
        return
    try:
        known = clients()
    except HaltedError:
        return
    count = max(1, min(_PARTS, (until - since) // _SHORTEST_PART))
    step = (until - since) / count
    parts = list(pairwise([*(since + step * n for n in range(count)), until]))

    def work(part: tuple[datetime, datetime], _: bool) -> HistoryPage | None:  # noqa: FBT001 - nothing to admit
        try:
            return _folded(api, known, *part, halt)
        except HaltedError:
            return None

    for done, page in enumerate(
        fan_out(parts, lambda: True, work, halt=halt, cap=min(cap, _AT_ONCE)), start=1
    ):
        if page is None:
            return
        yield replace(page, last=done == len(parts))


def _folded(
    api: OktaApi, clients: Mapping[str, str], since: datetime, until: datetime, halt: Halt
) -> HistoryPage:
    uses, read, seen = reading.UseCount(clients), 0, set[str]()
    consents: list[Consent] = []
    params = {"since": _iso(since), "until": _iso(until), "limit": _PAGE, "filter": _USE_FILTER}
    page: Page | None = api.page(_LOGS, halt, params=params)
    while page is not None:
        read += len(page.rows)
        fresh = [e for e in _events(page.rows) if since <= e.at < until and e.uuid not in seen]
        fresh = _once(fresh)
        seen.update(e.uuid for e in fresh)
        uses.add(fresh)
        consents += reading.consents(fresh)
        page = api.page(page.following, halt) if page.rows and page.following else None
    counted = tuple(Use(*key, *value) for key, value in uses.found.items())
    return HistoryPage(counted, tuple(consents), (), read, last=False, places=uses.traffic.places())


def _events(rows: Iterable[Mapping[str, Any]]) -> list[Event]:
    found, odd = [], 0
    for row in rows:
        try:
            found.append(reading.event(row))
        except MalformedError:
            odd += 1  # it would block the feed for ever; the nightly read does not depend on it
    if odd:
        log.warning("okta log: %d events of an unknown shape left out", odd)
    return found


def _once(found: list[Event]) -> list[Event]:
    return list({e.uuid: e for e in found}.values())


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
