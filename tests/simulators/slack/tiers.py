"""Slack's limits: so many calls of a method a minute, per workspace (docs, "Rate limits").

Slack allows bursts of unstated size; here a method may use its minute at once. The audit log's limit is
counted for the organisation over all apps: `others` is what they take of it.
"""

import math
import threading
from collections import deque
from dataclasses import dataclass

from tests.simulators.google.clock import Clock

from .wire import SlackError

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100}
# Tiers as the reference page of each method names them.
METHODS = {
    "auth.test": 4, "auth.revoke": 3, "auth.teams.list": 2, "oauth.v2.access": 4, "team.info": 3,
    "team.integrationLogs": 2, "users.list": 2, "users.info": 4, "users.lookupByEmail": 3,
    "admin.apps.approved.list": 2, "admin.apps.restricted.list": 2, "admin.apps.requests.list": 2,
    "admin.apps.approve": 2, "admin.apps.restrict": 2, "admin.apps.uninstall": 2,
    "admin.apps.mcp.servers.list": 3, "admin.apps.mcp.servers.permissions.list": 3,
    "chat.postMessage": 4, "conversations.open": 3,
    "admin.functions.list": 2, "admin.workflows.search": 2, "audit": 3,
}  # fmt: skip


@dataclass(slots=True)
class TierSettings:
    """`time_scale` divides the minute so that tests run faster."""

    enabled: bool = True
    time_scale: float = 1.0
    others: int = 0


class Tiers:
    """Sliding windows over accepted calls."""

    def __init__(self, clock: Clock, settings: TierSettings | None = None) -> None:
        self.settings = settings or TierSettings()
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def spend(self, method: str, place: str) -> None:
        """Count one call, or refuse it with 429 and how long to wait."""
        if not self.settings.enabled:
            return
        window = 60.0 / self.settings.time_scale
        limit = PER_MINUTE[METHODS[method]] - (self.settings.others if method == "audit" else 0)
        with self._lock:
            now = self._clock.monotonic()
            calls = self._calls.setdefault((method, place), deque())
            while calls and calls[0] <= now - window:
                calls.popleft()
            if len(calls) >= limit:
                left = (calls[0] + window - now) if calls else window
                raise SlackError("ratelimited", 429, headers={"Retry-After": str(max(1, math.ceil(left)))})
            calls.append(now)

    def reset(self) -> None:
        """Forget every past call."""
        with self._lock:
            self._calls.clear()
