"""Time that runs faster: every limit and lifetime keeps its length, tests wait a fraction of it."""

import time

from tests.simulators.google.clock import Clock


class ScaledClock(Clock):
    """Real time, run faster by a factor from the moment it is made."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def monotonic(self) -> float:
        return (time.monotonic() - self._origin) * self.factor + self._offset

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / self.factor)
