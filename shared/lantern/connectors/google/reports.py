"""The Reports API: changes as hints and delegations, past use, and push channels.

A busy organisation has a million token events a day and a few hundred that change something. Changes are
therefore asked for by event name, every few minutes and with overlap; everything is read once, when it is
old enough to be complete, for all users and without a filter, since calls with a filter have a tenth of the
quota.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from lantern.connectors.fanout import fan_out
from lantern.connectors.google import cursor as cursors
from lantern.connectors.google import normalize, seen
from lantern.connectors.google.api import FILTERED_QUERY, QUERY, GoogleApi
from lantern.connectors.google.cursor import FEEDS, Cursor, Walk
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.protocol import ChangePage, Channel, ChannelRequest, Consent, Delegation, HistoryPage
from lantern.connectors.resolution import CallError

log = logging.getLogger(__name__)

_ACTIVITIES: Final = "/admin/reports/v1/activity/users/all/applications/"
_PAGE: Final = "1000"
MAX_TTL_S: Final = 6 * 3600  # the maximum is not documented for Reports; six hours work
SHORT: Final = 12
"""A past window of so many pages is read page by page."""
PARTS: Final = 64
"""A longer one is cut into at most so many parts, since the pages of one part must follow one another."""
AT_ONCE: Final = 3
"""More would wait for one another: parsing weighs as much as waiting."""


@dataclass(frozen=True, slots=True)
class _Page:
    events: list[normalize.Event]
    following: str | None


@dataclass(frozen=True, slots=True)
class _Part:
    """`[start, end)` of one application's feed; `optional`: Google may not offer it to this organisation."""

    application: str
    start: datetime
    end: datetime
    optional: bool = False

    @property
    def walk(self) -> Walk:
        """The walk over it, at its first page."""
        return Walk(self.start, self.end, self.end)


def changes(api: GoogleApi, text: str | None, now: datetime, halt: Halt) -> Iterator[ChangePage]:
    """What changed from a cursor (`cursor.dump`) to `now`, a page at a time.

    Late events are caught by reading the last two hours again each time. Hints are given once each.

    Raises:
        CallError: Google did not answer as documented.
        ValueError: the cursor is none of ours.
    """
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # the feed and the cursor speak in ms
    cursor = cursors.load(text) if text else cursors.start(now)
    while not halt.passed() and now > cursor.settled:  # a clock may have gone back
        walk = cursor.walk or cursors.next_walk(cursor, now)
        application, event = FEEDS[walk.feed]
        try:
            page = _resume(api, application, walk, halt, event)
        except HaltedError:
            return
        fresh = [e for e in _once(page.events, set()) if cursors.digest(e.key) not in cursor.seen]
        telling = [e for e in fresh if normalize.tells(e)]
        cursor = _advance(cursor, walk, page, telling)
        last = cursor.walk is None and walk.end >= now
        yield ChangePage(
            hints=normalize.hints(telling),
            delegations=normalize.delegations(telling),
            cursor=cursors.dump(cursor),
            events=len(page.events),
            last=last,
        )
        if last:
            return


def _advance(cursor: Cursor, walk: Walk, page: _Page, fresh: list[normalize.Event]) -> Cursor:
    cursor = cursors.remember(cursor, fresh)
    if page.following:
        return replace(cursor, walk=replace(walk, page=page.following))
    if walk.feed + 1 < len(FEEDS):
        return replace(cursor, walk=replace(walk, feed=walk.feed + 1, page=None))
    return cursors.settle(cursor, walk)


def feed(
    api: GoogleApi, application: str, start: datetime, end: datetime, halt: Halt, event: str | None = None
) -> Iterator[list[normalize.Event]]:
    """The pages of one application's feed, newest first.

    Raises:
        CallError: Google did not answer as documented.
        HaltedError: told to stop.
    """
    walk: Walk | None = Walk(start, end, end)
    while walk:
        page = _resume(api, application, walk, halt, event)
        yield page.events
        walk = replace(walk, page=page.following) if page.following else None


def history(
    api: GoogleApi,
    since: datetime,
    until: datetime,
    halt: Halt,
    *,
    cap: int = 1,
    also: tuple[str, ...] = (),
) -> Iterator[HistoryPage]:
    """The feed of `[since, until)`, a part at a time, at most `cap` of them at once.

    `also` are further applications whose use is told. One that Google does not offer to the organisation (it
    answers 400 or 403, by edition) has no use to tell.

    Raises:
        CallError: Google did not answer as documented.
    """
    parts = [
        _Part("admin", since, until),
        *(_Part(application, since, until, optional=True) for application in also),
    ]
    whole = _Part("token", since, until)
    try:
        first = list(islice(_pages(api, whole, halt), SHORT))
    except HaltedError:
        return
    if first[-1].following:
        count = _parts(whole, first)
        step = (until - since) / count
        edges = [*(since + step * n for n in range(count)), until]
        parts += [_Part("token", *pair) for pair in pairwise(edges)]
    else:
        yield _folded(whole, first)

    def work(part: _Part, _: bool) -> HistoryPage | None:  # noqa: FBT001 - every call waits for its own turn
        try:
            return _folded(part, _pages(api, part, halt))
        except HaltedError:
            return None
        except CallError as error:
            if not part.optional or error.resolution.connection_wide or error.status not in (400, 403):
                raise
            log.warning("google reports: %s is not offered", part.application)
            return _folded(part, ())

    read = fan_out(parts, lambda: True, work, halt=halt, cap=min(cap, AT_ONCE), backlog=AT_ONCE)
    for done, page in enumerate(read, start=1):
        if page is None:
            return
        yield replace(page, last=done == len(parts))


def _parts(whole: _Part, first: list[_Page]) -> int:
    """Into how many parts to cut a window whose first pages these are: each about as long as they are.

    The feed tells the newest first; were it otherwise, parts would only be longer or shorter.
    """
    oldest = min((event.at for page in first for event in page.events), default=whole.start)
    covered = max(whole.end - oldest, timedelta(seconds=1))
    return min(PARTS, max(2, math.ceil((whole.end - whole.start) / covered)))


def _pages(api: GoogleApi, part: _Part, halt: Halt) -> Iterator[_Page]:
    walk: Walk | None = part.walk
    while walk:
        page = _resume(api, part.application, walk, halt)
        yield page
        walk = replace(walk, page=page.following) if page.following else None


def _folded(part: _Part, pages: Iterable[_Page]) -> HistoryPage:
    """What the pages of a part say, each event once."""
    counted: set[str] = set()
    uses, events = normalize.UseCount(), 0
    consents: list[Consent] = []
    delegations: list[Delegation] = []
    for page in pages:
        fresh = _once([e for e in page.events if part.start <= e.at < part.end], counted)
        uses.add(fresh)
        for event in fresh:
            one = seen.used(event)
            if one and event.native_id:
                uses.seen(event.native_id, one.app.client_id, event.at)
        consents += normalize.consents(fresh)
        delegations += normalize.delegations(fresh)
        events += len(page.events)
    return HistoryPage(
        uses.all(),
        tuple(consents),
        tuple(delegations),
        events,
        last=False,
        apis=uses.apis(),
        sent=uses.traffic.sent(),
        places=uses.traffic.places(),
    )


def _once(events: list[normalize.Event], counted: set[str]) -> list[normalize.Event]:
    """The events whose key was not met before; a listing may name one twice."""
    fresh = []
    for event in events:
        if event.key not in counted:
            counted.add(event.key)
            fresh.append(event)
    return fresh


def _resume(api: GoogleApi, application: str, walk: Walk, halt: Halt, event: str | None = None) -> _Page:
    """The page a walk stands at; a page token that has expired starts its feed again."""
    try:
        return _fetch(api, application, walk, halt, event)
    except CallError as error:
        if error.status != 400 or walk.page is None:
            raise
        log.warning("google reports: page token refused, reading the window again")
        return _fetch(api, application, replace(walk, page=None), halt, event)


def _fetch(api: GoogleApi, application: str, walk: Walk, halt: Halt, event: str | None) -> _Page:
    params = {
        "startTime": _rfc3339(walk.start),
        "endTime": _rfc3339(walk.end),
        "maxResults": _PAGE,
    }
    if event:
        params["eventName"] = event
    if walk.page:
        params["pageToken"] = walk.page
    quotas = FILTERED_QUERY if event else QUERY
    body = api.get(_ACTIVITIES + application, "admin#reports#activities", halt, params=params, quotas=quotas)
    rows, following = body.get("items", []), body.get("nextPageToken")
    if not isinstance(rows, list) or not isinstance(following, str | None):
        raise CallError(GARBLED, detail="activities.list")
    events: list[normalize.Event] = []
    odd = 0
    for row in rows:
        try:
            events.extend(normalize.events(row))
        except normalize.MalformedError:
            odd += 1  # it would block the feed for ever; the nightly read does not depend on it
    if odd:
        log.warning("google reports: %d activities of an unknown shape left out", odd)
    return _Page(events, following or None)


@dataclass(frozen=True, slots=True)
class _Watched:
    """Where a channel is opened and closed."""

    path: str
    params: Mapping[str, str]
    stop: str = "/admin/reports_v1/channels/stop"
    quotas: tuple[str, ...] = QUERY


def _watched(event: str) -> _Watched:
    """What the manifest calls `admin`, `users`, or an event name of the `token` application.

    A Directory channel tells one kind of event: `update` is the one that suspension comes as; that accounts
    were made and deleted is told by the `admin` channel.
    """
    if event == "admin":
        return _Watched(f"{_ACTIVITIES}admin/watch", {})
    if event == "users":
        return _Watched(
            "/admin/directory/v1/users/watch",
            {"customer": "my_customer", "event": "update"},
            "/admin/directory_v1/channels/stop",
        )
    return _Watched(f"{_ACTIVITIES}token/watch", {"eventName": event}, quotas=FILTERED_QUERY)


def watch(api: GoogleApi, request: ChannelRequest, now: Callable[[], datetime], halt: Halt) -> Channel:
    """Open a channel for one of the manifest's push events."""
    ttl = min(request.ttl_s, MAX_TTL_S)
    watched = _watched(request.event)
    body = api.send(
        "POST",
        watched.path,
        halt,
        params=watched.params,
        json={
            "id": request.id,
            "type": "web_hook",
            "address": request.address,
            "token": request.secret,
            "payload": True,
            "params": {"ttl": str(ttl)},
        },
        quotas=watched.quotas,
    ).body
    resource = body.get("resourceId") if isinstance(body, dict) else None
    if not isinstance(resource, str) or not resource:
        raise CallError(GARBLED, detail="watch: no resource id")
    return Channel(
        id=request.id,
        resource_id=resource,
        purpose=request.purpose,
        expires_at=_expiry(body.get("expiration")) or now() + timedelta(seconds=ttl),
        detail=request.event,
    )


def stop(api: GoogleApi, channel: Channel, halt: Halt) -> None:
    """Close a channel; one that Google does not know is closed."""
    try:
        api.send(
            "POST",
            _watched(channel.detail).stop,
            halt,
            json={"id": channel.id, "resourceId": channel.resource_id},
        )
    except CallError as error:
        if error.reason != "not_found":
            raise


def _expiry(value: object) -> datetime | None:
    text = str(value)
    return datetime.fromtimestamp(int(text) / 1000, UTC) if text.isdigit() else None


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
