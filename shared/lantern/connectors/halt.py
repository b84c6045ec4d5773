"""When to stop: at a deadline, or as soon as whoever wanted the result has gone."""

from lantern.connectors.protocol import Clock, Deadline

_SLICE_S = 0.5


def within(clock: Clock, seconds: float) -> "Halt":
    """A halt so many seconds from now."""
    return Halt(clock, Deadline(clock, clock.monotonic() + seconds))


class Halt:
    """A deadline that can also be called early; shared by the threads of one read.

    `outer` is heard too: work within a larger work stops with it, and can be called off by itself.
    """

    def __init__(
        self, clock: Clock, deadline: Deadline | None = None, *, outer: "Halt | None" = None
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._outer = outer
        self._called = False

    def within(self) -> "Halt":
        """A halt of its own for a part of the work."""
        return Halt(self._clock, self._deadline, outer=self)

    def call(self) -> None:
        """Stop now."""
        self._called = True

    def passed(self) -> bool:
        """Whether it is time to stop."""
        if self._called or (self._outer is not None and self._outer.passed()):
            return True
        return self._deadline is not None and self._deadline.passed()

    def left_s(self) -> float:
        """Seconds until the deadline; infinite where there is none, never negative."""
        if self._called or (self._outer is not None and self._outer.passed()):
            return 0.0
        return max(0.0, self._deadline.at - self._clock.monotonic()) if self._deadline else float("inf")

    def sleep(self, seconds: float) -> bool:
        """Wait, in slices so that a call to stop is heard; False when stopped before the end."""
        until = self._clock.monotonic() + seconds
        while not self.passed():
            left = until - self._clock.monotonic()
            if left <= 0:
                return True
            self._clock.sleep(min(left, _SLICE_S))
        return False
