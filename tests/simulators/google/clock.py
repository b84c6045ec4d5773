"""The simulator's clock: the only source of time, and the only place that waits."""

import threading
import time


class Clock:
    """Real time plus an offset that tests may move; or, when not running, only the moves.

    Args:
        start: epoch seconds the clock shows first; the real time when absent.
        running: False freezes the clock, so that only `advance` moves it and `sleep` returns at once.
    """

    def __init__(self, start: float | None = None, *, running: bool = True) -> None:
        self._base = time.time() if start is None else start
        self._origin = time.monotonic()
        self._offset = 0.0
        self._running = running
        self._stopped = threading.Event()

    def monotonic(self) -> float:
        """Seconds since the clock was made; never goes back unless `advance` is given a negative."""
        elapsed = time.monotonic() - self._origin if self._running else 0.0
        return elapsed + self._offset

    def now(self) -> float:
        """Epoch seconds as the simulated world sees them."""
        return self._base + self.monotonic()

    def now_ms(self) -> int:
        """Epoch milliseconds as the simulated world sees them."""
        return int(self.now() * 1000)

    def advance(self, seconds: float) -> float:
        """Move the clock and return the new epoch seconds."""
        self._offset += seconds
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Wait without spending CPU; returns early when the simulator stops."""
        if self._running and seconds > 0:
            self._stopped.wait(seconds)

    def stop(self) -> None:
        """Wake every sleeper for good."""
        self._stopped.set()
