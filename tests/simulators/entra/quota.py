"""Graph's limits by app and tenant: units and reports' requests in any 10 seconds, writes in any 150.

"Microsoft Graph service-specific throttling limits", identity and access: tenants under 50 users have 3,500
units, under 500 users 5,000, larger ones 8,000; some reads cost more than one, `$select` takes one off,
`$expand` adds one, `$top` below 20 takes one off; nothing costs less than one.
"""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulators.google.clock import Clock

from .wire import GraphError

COSTS = {
    "users.list": 2, "users.get": 1, "users.grants": 2, "users.roles": 2, "users.memberOf": 2,
    "grants.list": 2,
    "apps.list": 1, "apps.roles": 2, "apps.assigned": 2, "grants.get": 2, "groups.members": 5,
    "users.delta": 2,
}  # fmt: skip
WINDOW_S = 10.0
WRITES, WRITES_S = 3000, 150.0
REPORTS = 5


@dataclass(slots=True)
class QuotaSettings:
    """`time_scale` divides the windows so that tests run faster; `units` None follows the tenant's size.

    Every `silent`th refusal has no Retry-After. `other_share` is what other calls of the same app take of
    every window, evenly and always served first.
    """

    enabled: bool = True
    time_scale: float = 1.0
    units: int | None = None
    silent: int = 3
    other_share: float = 0.0


class Quotas:
    """Sliding windows, exact to the unit; refused calls cost nothing."""

    def __init__(self, clock: Clock, settings: QuotaSettings | None = None) -> None:
        self.settings = settings or QuotaSettings()
        self._clock = clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget every past call."""
        self._windows: dict[tuple[str, ...], deque[tuple[float, int]]] = {}
        self._sums: dict[tuple[str, ...], int] = {}
        self.refused = 0
        self.spent = 0

    @staticmethod
    def cost(name: str, query: Mapping[str, str]) -> int:
        """The resource units of a call."""
        top = query.get("$top", "")
        cost = COSTS.get(name, 1) + ("$expand" in query) - ("$select" in query)
        cost -= top.isdigit() and int(top) < 20
        return max(1, cost)

    def units(self, users: int) -> int:
        """The units that a tenant of so many users has in ten seconds."""
        return self.settings.units or (3500 if users < 50 else 5000 if users < 500 else 8000)

    def spend(self, key: tuple[str, ...], cost: int, limit: int, window_s: float = WINDOW_S) -> None:
        """Spend, or refuse as Graph does."""
        if not self.settings.enabled:
            return
        with self._lock:
            now, span = self._clock.monotonic(), window_s / self.settings.time_scale
            calls = self._windows.setdefault(key, deque())
            while calls and calls[0][0] <= now - span:
                self._sums[key] -= calls.popleft()[1]
            used = self._sums.get(key, 0)
            if used + cost > limit * (1 - self.settings.other_share):
                self.refused += 1
                wait = max(1, round((calls[0][0] + span - now) * self.settings.time_scale)) if calls else 1
                silent = self.refused % self.settings.silent == 0
                headers = {} if silent else {"Retry-After": str(wait)}
                raise GraphError(429, "TooManyRequests", "Too many requests.", headers=headers)
            calls.append((now, cost))
            self._sums[key] = used + cost
            self.spent += cost
