"""How often each method was called, and how it ended."""

import threading
from collections import defaultdict
from typing import Any

from .clock import Clock


class Counters:
    """Counts per method: calls, accepted, refused by quota, failed, by status, and the most at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Start from nothing."""
        with self._lock:
            self._methods: dict[str, dict[str, Any]] = defaultdict(
                lambda: {"calls": 0, "accepted": 0, "refused": 0, "failed": 0, "statuses": defaultdict(int)}
            )
            self._peak = 0

    def begin(self, method: str) -> None:
        """A request of `method` arrived."""
        with self._lock:
            row = self._methods[method]
            row["calls"] += 1
            row.setdefault("first_at", self._clock.monotonic())
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)

    def end(self, method: str, status: int, reason: str) -> None:
        """It was answered; status 0 means that the connection was dropped."""
        refused = status == 429 or reason in {"rateLimitExceeded", "quotaExceeded", "quota"}
        with self._lock:
            self._in_flight -= 1
            row = self._methods[method]
            row["last_at"] = self._clock.monotonic()
            row["statuses"][str(status)] += 1
            row["accepted" if 0 < status < 400 else "refused" if refused else "failed"] += 1

    def snapshot(self) -> dict[str, Any]:
        """The counts as JSON."""
        with self._lock:
            methods = {m: {**row, "statuses": dict(row["statuses"])} for m, row in self._methods.items()}
            return {"methods": methods, "peak_in_flight": self._peak}
