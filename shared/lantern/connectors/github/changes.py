"""What changed: the audit log where the plan has one, and web hooks that did not reach us.

GitHub does not deliver a web hook twice. Once an hour the list of failed deliveries of our app is read; those
about this installation are asked for and give the hints they would have given.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from lantern.connectors.github import audit, normalize
from lantern.connectors.github import cursor as cursors
from lantern.connectors.github.api import GithubApi, Page, segment
from lantern.connectors.github.cursor import Cursor
from lantern.connectors.github.lists import offered
from lantern.connectors.github.manifest import PUSHED
from lantern.connectors.github.push import hint_of, organisation_of
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.protocol import ChangePage, Hint
from lantern.connectors.resolution import CallError

log = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(minutes=55)
"""The list of deliveries is one for all organisations, and so is what may be asked of it."""
_DETAILS: Final = 50
_AUDIT: Final = ("requests", "audit")


@dataclass(frozen=True, slots=True)
class Feed:
    """Where changes are read: as the installation `api`, as our app `app`."""

    api: GithubApi
    app: GithubApi
    name: str
    organisation_id: str
    installation_id: int
    audited: bool


@dataclass(frozen=True, slots=True)
class _Missed:
    id: int
    guid: str
    event: str
    at: datetime


def changes(feed: Feed, text: str | None, now: datetime, halt: Halt) -> Iterator[ChangePage]:
    """What changed from a cursor (`cursor.dump`) to `now`, a page at a time. Hints are given once each.

    Raises:
        CallError: GitHub did not answer as documented.
        ValueError: the cursor is none of ours.
    """
    cursor = cursors.load(text) if text else cursors.start(now)
    people: dict[str, str | None] = {}
    try:
        while feed.audited and not halt.passed():
            page = _audit_page(feed, cursor, halt)
            if page is None:  # the plan has no audit log; should it have one soon, little is missed
                cursor = replace(cursor, settled=max(cursor.settled, now - cursors.LONGEST), page=None)
                break
            began = cursor.began or now
            fresh = [one for one in _entries(page) if cursors.digest(one.key) not in cursor.seen]
            hints = tuple(_hints(feed, fresh, people, halt))
            cursor = cursors.remember(cursor, ((one.key, one.at) for one in fresh))
            if page.following:
                cursor = replace(cursor, page=page.following, began=began)
                yield ChangePage(hints, (), cursors.dump(cursor), len(page.rows), last=False)
                continue
            cursor = cursors.settle(cursor, began)
            yield ChangePage(hints, (), cursors.dump(cursor), len(page.rows), last=False)
            break
        if halt.passed():
            return
        missed: tuple[Hint, ...] = ()
        if now - cursor.delivered >= LOOK_EVERY:
            cursor, missed = _deliveries(feed, cursor, now, halt)
        yield ChangePage(missed, (), cursors.dump(cursor), len(missed), last=True)
    except HaltedError:
        return


def _audit_page(feed: Feed, cursor: Cursor, halt: Halt) -> Page | None:
    """The page at which the reading stands; None where there is no audit log to read."""
    path = f"/orgs/{segment(feed.name)}/audit-log"
    since = cursor.settled.isoformat(timespec="seconds")
    params = {"phrase": f"created:>={since}", "include": "web", "order": "asc"}
    try:
        if cursor.page:
            try:
                return feed.api.page(cursor.page, halt, quotas=_AUDIT)
            except CallError as error:
                if error.status not in (400, 422):
                    raise
                log.warning("github audit log: the place was forgotten, reading the window again")
        return feed.api.page(path, halt, params=params, quotas=_AUDIT)
    except CallError as error:
        if offered(error):
            raise
        return None


def _entries(page: Page) -> Iterator[audit.Entry]:
    odd = 0
    for row in page.rows:
        try:
            found = audit.entry(row)
        except normalize.MalformedError:
            odd += 1  # it would block the feed for ever; the nightly read does not depend on it
            continue
        if found:
            yield found
    if odd:
        log.warning("github audit log: %d events of an unknown shape left out", odd)


def _hints(
    feed: Feed, entries: list[audit.Entry], people: dict[str, str | None], halt: Halt
) -> Iterator[Hint]:
    for one in entries:
        native_id = one.native_id or _person(feed, one.login or "", people, halt)
        if native_id is not None:
            yield Hint(native_id=native_id, event=one.name, event_id=one.key)


def _person(feed: Feed, login: str, people: dict[str, str | None], halt: Halt) -> str | None:
    """The id of an account that the log names by login; None where there is none of that name any more."""
    if login not in people:
        try:
            people[login] = normalize.account_id(feed.api.get(f"/users/{segment(login)}", "id", halt))
        except normalize.MalformedError as error:
            raise CallError(GARBLED, detail=f"users: {error}") from None
        except CallError as error:
            if error.reason != "not_found":
                raise
            people[login] = None
    return people[login]


def _deliveries(feed: Feed, cursor: Cursor, now: datetime, halt: Halt) -> tuple[Cursor, tuple[Hint, ...]]:
    """Hints of deliveries that failed since; at most so many at a time, the oldest first."""
    since = max(cursor.delivered, now - cursors.LONGEST) - cursors.OVERLAP
    missed = sorted(_missed(feed, since, halt), key=lambda one: (one.at, one.id))
    fresh = {one.guid: one for one in missed if cursors.digest(one.guid) not in cursor.seen}
    taken = list(fresh.values())[:_DETAILS]
    hints = []
    for one in taken:
        hint = _redeemed(feed, one, halt)
        if hint:
            hints.append(hint)
    cursor = cursors.remember(cursor, ((one.guid, one.at) for one in taken))
    reached = taken[-1].at if len(taken) < len(fresh) else now
    return replace(cursor, delivered=reached), tuple(hints)


def _missed(feed: Feed, since: datetime, halt: Halt) -> Iterator[_Missed]:
    """Failed deliveries about this installation; the list tells the newest first."""
    for page in feed.app.pages("/app/hook/deliveries", halt, params={"status": "failure"}):
        for row in page.rows:
            at, guid, event, number = (row.get(k) for k in ("delivered_at", "guid", "event", "id"))
            try:
                when = normalize.instant(at)
            except normalize.MalformedError:
                when = None
            if when is None or not isinstance(guid, str) or not isinstance(number, int):
                raise CallError(GARBLED, detail="a delivery without time or id")
            if when < since:
                return
            if row.get("installation_id") == feed.installation_id and event in PUSHED:
                yield _Missed(number, guid, str(event), when)


def _redeemed(feed: Feed, missed: _Missed, halt: Halt) -> Hint | None:
    """What a delivery would have hinted at."""
    try:
        body = feed.app.get(f"/app/hook/deliveries/{missed.id}", "request", halt)
    except CallError as error:
        if error.reason == "not_found":  # forgotten meanwhile
            return None
        raise
    request: Any = body["request"]
    payload = request.get("payload") if isinstance(request, Mapping) else None
    if not isinstance(payload, Mapping) or organisation_of(payload) != feed.organisation_id:
        return None
    return hint_of(missed.event, payload, missed.guid)
