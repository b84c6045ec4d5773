"""Okta's rate limits: so many calls a minute per group of endpoints, in fixed minutes, and so many at once.

Which endpoints are counted together and how many they are allowed: "Management rate limits" page, Workforce
Identity; concurrency: "Additional rate limits" page.
"""

import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.simulators.google.clock import Clock

from .wire import OktaError

BUCKETS = (
    ("app", re.compile(r"/api/v1/apps/[^/]+"), None),
    ("apps", re.compile(r"/api/v1/apps(/.*)?"), None),
    ("users", re.compile(r"/api/v1/users"), None),
    ("user", re.compile(r"/api/v1/users/[^/]+"), "GET"),
    ("grants", re.compile(r"/api/v1/users/.*"), None),
    ("logs", re.compile(r"/api/v1/logs"), None),
)
LIMITS = {"app": 500, "apps": 100, "users": 600, "user": 2000, "grants": 1200, "logs": 120, "others": 1200}


@dataclass(slots=True)
class QuotaSettings:
    """`limits` a minute by bucket (what is absent is not limited); `at_once` calls in flight.

    `other_share` is what another tool takes of each bucket, evenly and always served first.
    """

    limits: dict[str, int] = field(default_factory=lambda: dict(LIMITS))
    at_once: int = 75
    other_share: float = 0.0
    enabled: bool = True


class Quotas:
    """Fixed minutes: each begins with the first call after the last one ended."""

    def __init__(self, clock: Clock, settings: QuotaSettings | None = None) -> None:
        self.settings = settings or QuotaSettings()
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}
        self.in_flight = 0

    def reset(self) -> None:
        """Forget every past call."""
        with self._lock:
            self._windows.clear()

    def begin(self, method: str, path: str) -> Mapping[str, str]:
        """Count one call and say what is left, or refuse it."""
        if not self.settings.enabled:
            return {}
        with self._lock:
            if self.in_flight >= self.settings.at_once:
                raise OktaError(
                    429, "E0000047", headers={"X-Rate-Limit-Limit": "0", "X-Rate-Limit-Remaining": "0"}
                )
            name = bucket(method, path)
            limit = self.settings.limits.get(name, 10_000)
            now = self._clock.now()
            began, used = self._windows.get(name, (now, 0))
            if now >= began + 60:
                began, used = now, 0
            others = int(self.settings.other_share * limit * (now - began) / 60)
            headers = {
                "X-Rate-Limit-Limit": str(limit),
                "X-Rate-Limit-Remaining": str(max(0, limit - used - others - 1)),
                "X-Rate-Limit-Reset": str(math.ceil(began + 60)),
            }
            self._windows[name] = (began, used + 1)
            if used + others >= limit:
                raise OktaError(429, "E0000047", headers=headers)
            self.in_flight += 1
            return headers

    def end(self) -> None:
        """A call that was let in was answered."""
        if self.settings.enabled:
            with self._lock:
                self.in_flight = max(0, self.in_flight - 1)


def bucket(method: str, path: str) -> str:
    """The bucket that a call is counted in."""
    return next(
        (name for name, pattern, only in BUCKETS if pattern.fullmatch(path) and only in (None, method)),
        "others",
    )
