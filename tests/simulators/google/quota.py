"""Google's quotas: so many queries in any minute, per project and user.

The Admin SDK allows 2,400 queries a minute per user and project; `activities.list` calls that carry a
filter have 250 a minute of their own, whose documented refusal is 503 (Admin SDK "Quotas" pages).
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from .clock import Clock
from .wire import ApiError

REFUSALS = ("429", "403_rateLimitExceeded", "403_quotaExceeded", "503")


@dataclass(slots=True)
class QuotaSettings:
    """Limits per minute. `time_scale` divides the minute (and the service time) so that tests run faster.

    `other_share` is what another tool of the same project takes, unannounced, from `other_from` on
    (clock's monotonic seconds): it spends evenly and is always served first.
    """

    per_minute: int = 2400
    filtered_per_minute: int = 250
    chrome_per_minute: int = 600
    mail_per_minute: int = 3000
    time_scale: float = 1.0
    refusal: str = "429"
    other_share: float = 0.0
    other_from: float = 0.0
    count_refused: bool = False
    enabled: bool = True

    @property
    def window_s(self) -> float:
        """Real seconds in one quota minute."""
        return 60.0 / self.time_scale


class Quotas:
    """Sliding windows over accepted queries, exact to the call."""

    def __init__(self, clock: Clock, settings: QuotaSettings | None = None) -> None:
        self.settings = settings or QuotaSettings()
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], deque[float]] = {}

    def reset(self) -> None:
        """Forget every past call."""
        with self._lock:
            self._windows.clear()

    def spend(self, key: tuple[str, ...], *, filtered: bool = False, quota: str = "") -> None:
        """Count one query of `key` (project, user), or refuse it as Google does.

        `quota` names one beside the Admin SDK's: `chrome` or `mail`.
        """
        settings = self.settings
        if not settings.enabled:
            return
        if quota:
            limit = settings.chrome_per_minute if quota == "chrome" else settings.mail_per_minute
            with self._lock:
                if not self._take((quota, *key), limit, 0.0):
                    raise refusal("429", key[0])
            return
        with self._lock:
            if filtered and not self._take(("filtered", *key), settings.filtered_per_minute, 0.0):
                raise ApiError(503, "backendError", "Service unavailable. Please try again", rpc=True)
            if not self._take(key, settings.per_minute, self._others()):
                raise refusal(settings.refusal, key[0])

    def _others(self) -> float:
        settings = self.settings
        if not settings.other_share:
            return 0.0
        running = self._clock.monotonic() - settings.other_from
        ramp = min(1.0, max(0.0, running) / settings.window_s)
        return settings.other_share * settings.per_minute * ramp

    def _take(self, key: tuple[str, ...], limit: int, others: float) -> bool:
        now = self._clock.monotonic()
        calls = self._windows.setdefault(key, deque())
        horizon = now - self.settings.window_s
        while calls and calls[0] <= horizon:
            calls.popleft()
        accepted = len(calls) + others + 1 <= limit
        if accepted or self.settings.count_refused:
            calls.append(now)
        return accepted


def refusal(shape: str, project: str) -> ApiError:
    """A quota refusal in one of the shapes seen in the wild."""
    message = (
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
        f"'admin.googleapis.com' for consumer 'project_number:{project}'."
    )
    if shape == "403_quotaExceeded":
        return ApiError(403, "quotaExceeded", message, domain="usageLimits")
    if shape == "403_rateLimitExceeded":
        return ApiError(403, "rateLimitExceeded", message, domain="usageLimits")
    if shape == "503":
        return ApiError(503, "backendError", "Service unavailable. Please try again", rpc=True)
    info: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {"service": "admin.googleapis.com", "consumer": f"projects/{project}"},
    }
    return ApiError(429, "rateLimitExceeded", message, rpc=True, details=[info])
