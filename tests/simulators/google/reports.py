"""Admin SDK Reports API: activities.list, activities.watch, channels.stop."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .access import Caller, Gate
from .activity import Entry
from .directory import page_size
from .filters import condition, matches_filters
from .model import RETENTION_S, digest
from .partial import parse_mask, select
from .push import DIRECTORY, Channel, Pusher
from .wire import ApiError, Request, Response, bad_request, invalid_input, json_response, not_authorized
from .world import World

WATCHED = frozenset(
    """access_transparency admin calendar chat drive gcp gplus groups groups_enterprise jamboard login meet
    mobile rules saml token user_accounts context_aware_access chrome data_studio keep classroom""".split()  # noqa: SIM905 - a table
)
LISTED = WATCHED | frozenset(
    """gmail vault gemini_in_workspace_apps assignments cloud_search tasks data_migration meet_hardware
    directory_sync ldap profile access_evaluation admin_data_action contacts takeout graduation voice
    chrome_sync workspace_studio gemini_notebook""".split()  # noqa: SIM905 - a table
)
"""Applications of `activities.list` and `.watch`; a test holds both against the discovery document."""

FILTERS = ("eventName", "filters", "actorIpAddress", "orgUnitID", "groupIdFilter")
SCAN_LIMIT = 200_000
"""A filtered listing looks at so many entries, then answers a short page with a token."""
GMAIL_RANGE_S = 30 * 86400
MAX_TTL_S = 6 * 3600
USER_TTL_S = 2 * 86400
"""Directory channels live two days at most (Directory API guide "Push notifications")."""
USER_EVENTS = frozenset({"add", "delete", "makeAdmin", "undelete", "update"})
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)")


@dataclass(slots=True, frozen=True)
class Cursor:
    """Where a listing goes on: at this entry, of which so many copies were listed already."""

    newest: tuple[int, int]
    copies: int
    horizon_ms: int


class Reports:
    """The Reports methods."""

    def __init__(self, world: World, gate: Gate, pusher: Pusher) -> None:
        self._world = world
        self._gate = gate
        self._pusher = pusher

    def list_activities(self, request: Request, key: str, application: str) -> Response:
        """`activities.list`, newest first."""
        query = request.query
        filtered = key != "all" or any(query.get(name) for name in FILTERS)
        caller = self._gate.admit(request, "reports.activities.list", filtered=filtered)
        if application not in LISTED:
            raise invalid_input("applicationName")
        _check_customer(caller, query)
        size = page_size(query, default=1000, most=1000)
        if request.half_page:
            size = max(1, size // 2)
        with self._world.lock:
            user_id = self._user_id(caller, key)
            items, token = self._page(caller, application, user_id, query, size)
        answer: dict[str, Any] = {
            "kind": "admin#reports#activities",
            "etag": f'"{digest(*(item["etag"] for item in items))}"',
        }
        if items:
            answer["items"] = items
        if token:
            answer["nextPageToken"] = token
        if fields := query.get("fields"):
            answer = select(answer, parse_mask(fields))
        return json_response(answer)

    def _user_id(self, caller: Caller, key: str) -> str | None:
        if key == "all":
            return None
        # "Must not be a deleted user": those are named by id only.
        user = caller.org.find(key, deleted=key.isdigit())
        if user is None:
            raise bad_request("Bad Request: userKey", "invalid")
        return user.id

    def _page(
        self, caller: Caller, application: str, user_id: str | None, query: dict[str, str], size: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        now_ms = self._world.clock.now_ms()
        oldest_ms, cursor = self._range(application, query, now_ms)
        log, matches = caller.org.log, _matcher(query)
        items: list[dict[str, Any]] = []
        seen, skip = 0, cursor.copies
        for entry in log.entries(application, cursor.newest, oldest_ms, query.get("eventName")):
            seen += 1
            if seen > SCAN_LIMIT:
                return items, _token(entry, 0, cursor.horizon_ms, query)
            if log.visible_ms(entry) > cursor.horizon_ms or (user_id and entry.user_id != user_id):
                continue
            item = log.write(entry)
            if not matches(item):
                continue
            first, skip = (skip if entry.key == cursor.newest else 0), 0
            for copy in range(first, log.copies(entry)):
                if len(items) == size:
                    return items, _token(entry, copy, cursor.horizon_ms, query)
                items.append(item)
        return items, None

    def _range(self, application: str, query: dict[str, str], now_ms: int) -> tuple[int, Cursor]:
        start, end = _time(query, "startTime"), _time(query, "endTime")
        if application == "gmail" and (
            start is None or end is None or end - start > GMAIL_RANGE_S * 1000
        ):  # fmt: skip
            raise bad_request("Start time and end time must be at most 30 days apart.", "invalid")
        if start is not None and (start > now_ms or (end is not None and start > end)):
            raise bad_request("Start time must be before end time and now.", "invalid")
        oldest = max(start or 0, now_ms - RETENTION_S * 1000)
        if query.get("pageToken"):
            return oldest, _cursor(query)
        newest = min(end if end is not None else now_ms, now_ms)
        return oldest, Cursor((newest, 1 << 63), 0, now_ms)

    # -- push ------------------------------------------------------------------------------------

    def watch(self, request: Request, key: str, application: str) -> Response:
        """`activities.watch`: opens a push channel."""
        caller = self._gate.admit(request, "reports.activities.watch")
        if application not in WATCHED:
            raise invalid_input("applicationName")
        _check_customer(caller, request.query)
        body = request.json()
        with self._world.lock:
            user_id = self._user_id(caller, key)
            channel = self._channel(caller, application, key, user_id, request.query, body)
        self._pusher.open(channel)
        return json_response(channel.resource())

    def _channel(
        self,
        caller: Caller,
        application: str,
        key: str,
        user_id: str | None,
        query: dict[str, str],
        body: dict[str, Any],
    ) -> Channel:
        name, address = body.get("id"), body.get("address")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9\-_+/=]{1,64}", name):
            raise ApiError(
                400, "channelIdInvalid", "Channel id must match [A-Za-z0-9\\-_\\+/=]+", domain="push"
            )
        if body.get("type") != "web_hook":
            raise ApiError(400, "channelTypeUnknown", "Unknown channel type", domain="push")
        if not isinstance(address, str) or not self._pusher.accepts(address):
            text = f"WebHook callback must be HTTPS: {address}"
            raise ApiError(400, "webhookUrlNotHttps", text, domain="push")
        token = body.get("token") or ""
        if len(token) > 256:
            raise ApiError(400, "channelTokenTooLong", "Channel token too long", domain="push")
        event = query.get("eventName")
        path = f"/admin/reports/v1/activity/users/{key}/applications/{application}"
        suffix = f"&eventName={event}" if event else ""
        return Channel(
            id=name,
            address=address,
            token=token,
            payload=bool(body.get("payload", False)),
            customer_id=caller.org.customer_id,
            application=application,
            user_id=user_id,
            event_name=event,
            filters=query.get("filters", ""),
            owner=(caller.token.project, caller.user.id),
            expires_at=self._expiry(body),
            resource_id=digest(caller.org.customer_id, path, suffix, query.get("filters", ""))[:27],
            resource_uri=f"https://admin.googleapis.com{path}?alt=json{suffix}",
        )

    def watch_users(self, request: Request) -> Response:
        """`users.watch` of the Directory API: one kind of event a channel."""
        caller = self._gate.admit(request, "directory.users.watch")
        query = request.query
        if query.get("event") not in USER_EVENTS:
            raise invalid_input("event")
        if query.get("customer") not in {"my_customer", caller.org.customer_id} and (
            query.get("domain") != caller.org.domain
        ):
            raise bad_request("Bad Request")
        with self._world.lock:
            channel = self._channel(
                caller, DIRECTORY, "all", None, {"eventName": query["event"]}, request.json()
            )
        channel.resource_uri = f"https://admin.googleapis.com/admin/directory/v1/users?event={query['event']}"
        channel.expires_at = self._expiry(request.json(), most=USER_TTL_S, usual=2 * 3600)
        self._pusher.open(channel)
        return json_response(channel.resource())

    def _expiry(self, body: dict[str, Any], *, most: int = MAX_TTL_S, usual: int = MAX_TTL_S) -> float:
        now = self._world.clock.now()
        asked = body.get("expiration") is not None or "ttl" in (body.get("params") or {})
        lifetimes = [float(most if asked else usual)]
        try:
            ttl = (body.get("params") or {}).get("ttl")
            if ttl is not None:
                lifetimes.append(float(int(ttl)))
            if body.get("expiration") is not None:
                lifetimes.append(int(body["expiration"]) / 1000 - now)
        except (TypeError, ValueError):
            raise invalid_input("expiration") from None
        lifetime = min(lifetimes)
        if lifetime <= 0:
            raise ApiError(400, "channelExpirationInvalid", "Invalid channel expiration", domain="push")
        return now + lifetime

    def stop(self, request: Request) -> Response:
        """`channels.stop`; 204, or 404 when the caller has no such channel."""
        return self._stop(request, "reports.channels.stop", directory=False)

    def stop_users(self, request: Request) -> Response:
        """`channels.stop` of the Directory API, which knows only its own channels."""
        return self._stop(request, "directory.channels.stop", directory=True)

    def _stop(self, request: Request, method: str, *, directory: bool) -> Response:
        caller = self._gate.admit(request, method)
        body = request.json()
        owner = (caller.token.project, caller.user.id)
        name = str(body.get("id"))
        known = self._pusher.channels.get(name)
        here = known is None or (known.application == DIRECTORY) == directory
        if not here or not self._pusher.close(name, str(body.get("resourceId")), owner):
            text = f"Channel '{name}' not found for project '{owner[0]}'"
            raise ApiError(404, "notFound", text)
        return Response(204)


def _matcher(query: dict[str, str]) -> Callable[[dict[str, Any]], bool]:
    filters, address = query.get("filters", ""), query.get("actorIpAddress")
    for unsupported in ("orgUnitID", "groupIdFilter"):
        if query.get(unsupported):
            raise invalid_input(unsupported)
    for part in filter(None, filters.split(",")):
        condition(part)

    def matches(item: dict[str, Any]) -> bool:
        return (not address or item.get("ipAddress") == address) and (
            not filters or matches_filters(item, filters)
        )

    return matches


def _check_customer(caller: Caller, query: dict[str, str]) -> None:
    if query.get("customerId", "my_customer") not in {"my_customer", caller.org.customer_id}:
        raise not_authorized()


def _time(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not TIME.fullmatch(text):
        raise invalid_input(name)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise invalid_input(name) from None


def _query_digest(query: dict[str, str]) -> str:
    names = ("startTime", "endTime", "customerId", *FILTERS)
    return digest(*(query.get(name, "") for name in names))[:12]


def _token(entry: Entry, copies: int, horizon_ms: int, query: dict[str, str]) -> str:
    value = [entry.time_ms, entry.qualifier, copies, horizon_ms, _query_digest(query)]
    return "A:" + base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _cursor(query: dict[str, str]) -> Cursor:
    try:
        value = json.loads(base64.urlsafe_b64decode(query["pageToken"].removeprefix("A:")))
        time_ms, qualifier, copies, horizon_ms, made_for = value
    except (ValueError, TypeError, binascii.Error):
        raise invalid_input("pageToken") from None
    if made_for != _query_digest(query):
        raise invalid_input("pageToken")
    return Cursor((int(time_ms), int(qualifier)), int(copies), int(horizon_ms))
