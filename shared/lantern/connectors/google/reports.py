"""The Reports API: the audit feed as hints, uses and delegations; and push channels.

Read for all users and without filters, since calls with a filter have a tenth of the quota.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from lantern.connectors.google import cursor as cursors
from lantern.connectors.google import normalize
from lantern.connectors.google.api import FILTERED_QUERY, GoogleApi
from lantern.connectors.google.cursor import APPLICATIONS, Cursor, Walk
from lantern.connectors.halt import Halt
from lantern.connectors.http import GARBLED, HaltedError
from lantern.connectors.protocol import ActivityPage, Channel, ChannelRequest
from lantern.connectors.resolution import CallError

log = logging.getLogger(__name__)

_ACTIVITIES = "/admin/reports/v1/activity/users/all/applications/"
_PAGE = "1000"
MAX_TTL_S = 6 * 3600  # the maximum is not documented for Reports; six hours work


@dataclass(frozen=True, slots=True)
class _Page:
    events: list[normalize.Event]
    following: str | None


def changes(api: GoogleApi, text: str | None, now: datetime, halt: Halt) -> Iterator[ActivityPage]:
    """The feed from a cursor (`cursor.dump`) to `now`, a page at a time.

    Late events are caught by reading the last two hours again each time. Hints are given once each.
    Uses are counted when they are two hours old, so that they are counted once; therefore
    `complete_until` of the last page is two hours before `now`.

    Raises:
        CallError: Google did not answer as documented.
        ValueError: the cursor is none of ours.
    """
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # the feed and the cursor speak in ms
    cursor = cursors.load(text) if text else cursors.start(now)
    counted: set[str] = set()
    while not halt.passed() and now > cursor.settled:  # a clock may have gone back
        walk = cursor.walk or cursors.next_walk(cursor, now)
        try:
            page = _resume(api, walk, halt)
        except HaltedError:
            return
        telling = [e for e in page.events if e.name != "activity"]
        fresh = [e for e in _once(telling, set()) if cursors.digest(e.key) not in cursor.seen]
        due = _once([e for e in page.events if walk.start <= e.at < walk.settle], counted)
        cursor = _advance(cursor, walk, page, fresh)
        last = cursor.walk is None and walk.end >= now
        began = cursor.begin
        if last:
            cursor = replace(cursor, begin=cursor.settled)
        yield ActivityPage(
            hints=normalize.hints(fresh),
            uses=normalize.uses(due),
            delegations=normalize.delegations(fresh),
            cursor=cursors.dump(cursor),
            events=len(page.events),
            last=last,
            complete_from=began if last else None,
            complete_until=cursor.settled if last else None,
        )
        if last:
            return


def _advance(cursor: Cursor, walk: Walk, page: _Page, fresh: list[normalize.Event]) -> Cursor:
    cursor = cursors.remember(cursor, fresh)
    if page.following:
        return replace(cursor, walk=replace(walk, page=page.following))
    if walk.application + 1 < len(APPLICATIONS):
        return replace(cursor, walk=replace(walk, application=walk.application + 1, page=None))
    return cursors.settle(cursor, walk)


def history(api: GoogleApi, since: datetime, until: datetime, halt: Halt) -> Iterator[ActivityPage]:
    """The feed of `[since, until)`, a page at a time; its cursors are empty, so ask for small windows."""
    counted: set[str] = set()
    walk = Walk(since, until, until)
    while not halt.passed():
        try:
            page = _resume(api, walk, halt)
        except HaltedError:
            return
        events = _once([e for e in page.events if since <= e.at < until], counted)
        last = not page.following and walk.application + 1 == len(APPLICATIONS)
        yield ActivityPage(
            hints=normalize.hints(events),
            uses=normalize.uses(events),
            delegations=normalize.delegations(events),
            cursor="",
            events=len(page.events),
            last=last,
            complete_from=since if last else None,
            complete_until=until if last else None,
        )
        if last:
            return
        if page.following:
            walk = replace(walk, page=page.following)
        else:
            walk = replace(walk, application=walk.application + 1, page=None)


def _once(events: list[normalize.Event], counted: set[str]) -> list[normalize.Event]:
    """The events whose key was not met before; a listing may name one twice."""
    fresh = []
    for event in events:
        if event.key not in counted:
            counted.add(event.key)
            fresh.append(event)
    return fresh


def _resume(api: GoogleApi, walk: Walk, halt: Halt) -> _Page:
    """The page a walk stands at; a page token that has expired starts its application again."""
    try:
        return _fetch(api, walk, halt)
    except CallError as error:
        if error.status != 400 or walk.page is None:
            raise
        log.warning("google reports: page token refused, reading the window again")
        return _fetch(api, replace(walk, page=None), halt)


def _fetch(api: GoogleApi, walk: Walk, halt: Halt) -> _Page:
    params = {"startTime": _rfc3339(walk.start), "endTime": _rfc3339(walk.end), "maxResults": _PAGE}
    if walk.page:
        params["pageToken"] = walk.page
    path = _ACTIVITIES + APPLICATIONS[walk.application]
    body = api.get(path, "admin#reports#activities", halt, params=params)
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


def watch(api: GoogleApi, request: ChannelRequest, now: Callable[[], datetime], halt: Halt) -> Channel:
    """Open a channel for one event name of the `token` application."""
    ttl = min(request.ttl_s, MAX_TTL_S)
    body = api.send(
        "POST",
        f"{_ACTIVITIES}token/watch",
        halt,
        params={"eventName": request.event},
        json={
            "id": request.id,
            "type": "web_hook",
            "address": request.address,
            "token": request.secret,
            "payload": True,
            "params": {"ttl": str(ttl)},
        },
        quotas=FILTERED_QUERY,
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
            "/admin/reports_v1/channels/stop",
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
