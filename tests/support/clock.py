"""Time that tests move by hand."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Starts at a fixed instant; `sleep` advances it at once."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The current time."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds

    def forward(self, **delta: float) -> None:
        """Move on by a timedelta's arguments."""
        self.sleep(timedelta(**delta).total_seconds())
