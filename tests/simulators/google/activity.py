"""The audit log of one organisation.

Three sources are merged, newest first: what happened and is stored; the `authorize` events of generated
grants; and the `activity` events of their use, made for the minute that is asked for from the seed alone,
so that a million events a day cost nothing until somebody reads them.
"""

import heapq
import zlib
from array import array
from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from .model import RETENTION_S, App, User, digest, mix, signed
from .organisation import Organisation
from .scopes import product_buckets

MINUTE_MS = 60_000
HOURS = (2, 1, 1, 1, 1, 2, 6, 20, 55, 90, 100, 95, 70, 85, 100, 95, 85, 60, 30, 15, 10, 8, 5, 3)
"""Use by hour of the day (UTC), relative."""
_HOUR_SUM = sum(HOURS)
WEEKDAYS = (1.3, 1.3, 1.3, 1.3, 1.3, 0.25, 0.25)

METHODS = {
    "GMAIL": ("gmail", "gmail.users.messages.list"),
    "DRIVE": ("drive", "drive.files.list"),
    "CALENDAR": ("calendar", "calendar.events.list"),
    "CONTACTS": ("people", "people.people.connections.list"),
    "GSUITE_ADMIN": ("admin", "directory.users.list"),
    "IDENTITY": ("oauth2", "oauth2.userinfo.get"),
    "OTHER": ("oauth2", "oauth2.tokeninfo"),
}


@dataclass(slots=True)
class LagSettings:
    """How late activities become visible in listings, and how many are listed twice.

    Every activity waits `base_s`; a `late_fraction` of them waits up to `late_max_s` more.
    """

    base_s: float = 0.0
    late_fraction: float = 0.0
    late_max_s: float = 0.0
    duplicate_rate: float = 0.0


class Entry(NamedTuple):
    """One activity in the log, not yet written out. Order: time, then qualifier."""

    time_ms: int
    qualifier: int
    kind: str
    ref: int
    user_id: str
    item: dict[str, Any] | None = None
    visible_ms: int | None = None

    @property
    def key(self) -> tuple[int, int]:
        """What listings are ordered by."""
        return (self.time_ms, self.qualifier)


def iso(time_ms: int) -> str:
    """RFC 3339 with milliseconds, as the Reports API writes it."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


class ActivityLog:
    """Writes and lists the activities of an organisation."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        self.lag = LagSettings()
        self.stored: dict[str, list[Entry]] = {}
        self._count = 0
        self._authorized: list[tuple[int, int, int]] | None = None
        self._minute = lru_cache(maxsize=256)(self._make_minute)
        self._per_minute = org.spec.events_per_user_day * len(org.users) / 1440

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self,
        application: str,
        user: User | None,
        name: str,
        parameters: Sequence[dict[str, Any]],
        at: float,
        *,
        type_: str = "auth",
        lag_s: float | None = None,
    ) -> dict[str, Any]:
        """Store an activity and return it as the Reports API shows it. `lag_s` overrides the settings."""
        self._count += 1
        time_ms = int(at * 1000)
        qualifier = signed(mix(self.org.spec.seed, 11, self._count, time_ms))
        event = {"type": type_, "name": name, "parameters": list(parameters)}
        item = self._item(application, time_ms, qualifier, user, event)
        visible = None if lag_s is None else time_ms + int(lag_s * 1000)
        self.keep(Entry(time_ms, qualifier, name, 0, user.id if user else "", item, visible))
        return item

    def keep(self, entry: Entry) -> None:
        """File an activity that is already written out."""
        assert entry.item is not None
        application = entry.item["id"]["applicationName"]
        insort(self.stored.setdefault(application, []), entry, key=lambda e: e.key)

    def resume(self, count: int) -> None:
        """Go on numbering after `count` activities that were kept."""
        self._count = max(self._count, count)

    def token_event(
        self, name: str, user: User, app: App, scopes: Sequence[str], at: float, *, lag_s: float | None = None
    ) -> dict[str, Any]:
        """Store `authorize`, `revoke` or `activity` of a user's grant."""
        parameters = token_parameters(name, app, scopes, 0)
        return self.add("token", user, name, parameters, at, lag_s=lag_s)

    def delegation(
        self, granted: bool, admin: User, client: str, scopes: Sequence[str], at: float
    ) -> dict[str, Any]:
        """Store a change of domain-wide delegation, as the `admin` application reports it."""
        name = "AUTHORIZE_API_CLIENT_ACCESS" if granted else "REMOVE_API_CLIENT_ACCESS"
        parameters: list[dict[str, Any]] = [
            {"name": "DOMAIN_NAME", "value": self.org.domain},
            {"name": "API_CLIENT_NAME", "value": client},
            {"name": "API_SCOPES", "multiValue": list(scopes)},
        ]
        return self.add("admin", admin, name, parameters, at, type_="DOMAIN_SETTINGS")

    # -- reading ---------------------------------------------------------------------------------

    def entries(
        self, application: str, newest: tuple[int, int], oldest_ms: int, event_name: str | None
    ) -> Iterator[Entry]:
        """Entries with key at most `newest`, newest first, down to `oldest_ms`; visibility is not judged."""
        sources = [self._stored(application, newest)]
        if application == "token" and event_name in (None, "authorize"):
            sources.append(self._authorizations(newest))
        if application == "token" and event_name in (None, "activity"):
            sources.append(self._uses(newest, oldest_ms))
        if application == "login" and event_name in (None, "login_success"):
            sources.append(self._logins(newest))
        for entry in heapq.merge(*sources, key=lambda e: e.key, reverse=True):
            if entry.time_ms < oldest_ms:
                return
            if event_name is None or entry.kind == event_name:
                yield entry

    def visible_ms(self, entry: Entry) -> int:
        """When the entry appears in listings."""
        if entry.visible_ms is not None:
            return entry.visible_ms
        lag = self.lag
        late = 0.0
        if lag.late_fraction and _fraction(entry, 21) < lag.late_fraction:
            late = _fraction(entry, 22) * lag.late_max_s
        return entry.time_ms + int((lag.base_s + late) * 1000)

    def copies(self, entry: Entry) -> int:
        """How many times a listing shows the entry."""
        return 2 if self.lag.duplicate_rate and _fraction(entry, 23) < self.lag.duplicate_rate else 1

    def write(self, entry: Entry) -> dict[str, Any]:
        """The entry as the Reports API shows it."""
        if entry.item is not None:
            return entry.item
        if entry.kind == "login_success":
            event = {
                "type": "login",
                "name": "login_success",
                "parameters": [
                    {"name": "login_type", "value": "google_password"},
                    {"name": "is_suspicious", "boolValue": False},
                ],
            }
            user = self.org.users[entry.ref]
            return self._item("login", entry.time_ms, entry.qualifier, user, event)
        table = self.org.grants
        user, app = self.org.users[table.owner(entry.ref)], table.apps[table.app[entry.ref]]
        scopes = app.scope_sets[table.scope_set[entry.ref]]
        parameters = token_parameters(entry.kind, app, scopes, entry.qualifier)
        event = {"type": "auth", "name": entry.kind, "parameters": parameters}
        return self._item("token", entry.time_ms, entry.qualifier, user, event)

    def _stored(self, application: str, newest: tuple[int, int]) -> Iterator[Entry]:
        entries = self.stored.get(application, [])
        position = bisect_right(entries, newest, key=lambda e: e.key)
        return iter(entries[:position][::-1])

    def _authorizations(self, newest: tuple[int, int]) -> Iterator[Entry]:
        """`authorize` events of the grants that the generator made, within the retention time."""
        table, org = self.org.grants, self.org
        if self._authorized is None:
            oldest = int(org.anchor - RETENTION_S)
            recent = array("I", (f for f in range(table.generated) if table.granted[f] >= oldest))
            self._authorized = sorted(self._authorize_key(flat) for flat in recent)
        position = bisect_right(self._authorized, (*newest, 1 << 62))
        for at in range(position - 1, -1, -1):
            time_ms, qualifier, flat = self._authorized[at]
            yield Entry(time_ms, qualifier, "authorize", flat, org.users[table.owner(flat)].id)

    def _authorize_key(self, flat: int) -> tuple[int, int, int]:
        bits = mix(self.org.spec.seed, 12, flat)
        return (self.org.grants.granted[flat] * 1000 + bits % 1000, signed(bits), flat)

    def _logins(self, newest: tuple[int, int]) -> Iterator[Entry]:
        rows = sorted(
            (int(user.last_login_at * 1000), signed(mix(self.org.spec.seed, 13, user.index)), user.index)
            for user in self.org.users
            if user.last_login_at is not None and user.index >= 0
        )
        for time_ms, qualifier, index in reversed(rows[: bisect_right(rows, (*newest, 1 << 62))]):
            yield Entry(time_ms, qualifier, "login_success", index, self.org.users[index].id)

    def _uses(self, newest: tuple[int, int], oldest_ms: int) -> Iterator[Entry]:
        table, users = self.org.grants, self.org.users
        if not table.generated or self._per_minute <= 0:
            return
        for minute in range(newest[0] // MINUTE_MS, oldest_ms // MINUTE_MS - 1, -1):
            for time_ms, qualifier, flat in self._minute(minute):
                if (time_ms, qualifier) > newest or not self._was_used(flat, time_ms / 1000):
                    continue
                yield Entry(time_ms, qualifier, "activity", flat, users[table.owner(flat)].id)

    def _was_used(self, flat: int, at: float) -> bool:
        table = self.org.grants
        if not table.granted[flat] <= at <= (table.used_until[flat] or at):
            return False
        if at >= table.ended.get(flat, at + 1):
            return False
        left = self.org.users[table.owner(flat)].inactive_from
        return left is None or at < left

    def _make_minute(self, minute: int) -> list[tuple[int, int, int]]:
        """The uses offered in one minute, newest first: (time, qualifier, grant number)."""
        hour = minute // 60
        share = HOURS[hour % 24] / _HOUR_SUM * 24 * WEEKDAYS[(hour // 24 + 3) % 7]
        expected = self._per_minute * share
        bits = mix(self.org.spec.seed, 14, minute)
        count = int(expected + (bits >> 11) / (1 << 53))
        if not count:
            return []
        rng, total, start = Random(bits), self.org.grants.generated, minute * MINUTE_MS
        rows = [
            (start + int(rng.random() * MINUTE_MS), signed(rng.getrandbits(64)), int(rng.random() * total))
            for _ in range(count)
        ]
        rows.sort(reverse=True)
        return rows

    def _item(
        self, application: str, time_ms: int, qualifier: int, user: User | None, event: dict[str, Any]
    ) -> dict[str, Any]:
        bits = mix(qualifier, 15)
        actor: dict[str, Any] = {"callerType": "USER"}
        if user is not None:
            actor |= {"email": user.email, "profileId": user.id}
        return {
            "kind": "admin#reports#activity",
            "id": {
                "time": iso(time_ms),
                "uniqueQualifier": str(qualifier),
                "applicationName": application,
                "customerId": self.org.customer_id,
            },
            "etag": f'"{digest(str(time_ms), str(qualifier))[:27]}"',
            "actor": actor,
            "ipAddress": f"203.0.113.{bits % 254 + 1}",
            "networkInfo": network_info(event),
            "events": [event],
        }


def _fraction(entry: Entry, salt: int) -> float:
    return (mix(entry.qualifier, entry.time_ms, salt) >> 11) / (1 << 53)


def network_info(event: dict[str, Any]) -> dict[str, Any]:
    """Where an app calls from: its own autonomous system (of those for private use) and region."""
    client = next((row.get("value") for row in event["parameters"] if row["name"] == "client_id"), None)
    home = zlib.crc32(str(client).encode())
    return {"ipAsn": [64512 + home % 1000], "regionCode": ("US", "IE", "DE", "SG")[home % 4]}


def token_parameters(name: str, app: App, scopes: Sequence[str], salt: int) -> list[dict[str, Any]]:
    """The parameters of a `token` event, in the shape of recorded ones."""
    parameters: list[dict[str, Any]] = [
        {"name": "client_id", "value": app.client_id},
        {"name": "app_name", "value": app.name},
    ]
    if name == "activity":
        scope = scopes[mix(salt, 16) % len(scopes)] if scopes else ""
        api, method = METHODS.get(product_buckets(scope)[0], METHODS["OTHER"])
        size = str(mix(salt, 17) % 200_000)
    else:
        api, method, size = "token", "oauth", "0"
    parameters += [
        {"name": "api_name", "value": api},
        {"name": "method_name", "value": method},
        {"name": "num_response_bytes", "intValue": size},
        {"name": "client_type", "value": app.client_type},
    ]
    if name != "activity":
        data = [
            {
                "parameter": [
                    {"name": "scope_name", "value": scope},
                    {"name": "product_bucket", "multiValue": product_buckets(scope)},
                ]
            }
            for scope in scopes
        ]
        parameters.append({"name": "scope_data", "multiMessageValue": data})
        parameters.append({"name": "scope", "multiValue": list(scopes)})
    return parameters
