"""Waiting that takes no time: Lantern's clock and those of simulators leap together."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from lantern.runtime.clock import SystemClock
from tests.simulators.google.clock import Clock


@contextmanager
def leaping(*simulated: Clock) -> Iterator[None]:
    """Have whoever waits by Lantern's clock find that the time has passed, at these simulators too.

    A provider's pace is kept as it is in real time: what leaps is everybody's watch. The date stays, so that
    signatures of now are of now.
    """
    leapt = 0.0

    def sleep(_clock: SystemClock, seconds: float) -> None:
        nonlocal leapt
        leapt += seconds
        for one in simulated:
            one.advance(seconds)

    def monotonic(_clock: SystemClock) -> float:
        return time.monotonic() + leapt

    with mock.patch.multiple(SystemClock, sleep=sleep, monotonic=monotonic):
        yield
