"""A full read of an Entra tenant in computed time: what the pace and the time before the first account cost.

The real read is measured by `make bench`; on a busy machine it tells of the machine too.
"""

import pytest

from lantern.connectors.entra.api import BATCH
from lantern.connectors.entra.manifest import UNITS
from lantern.connectors.limiter import Pace

PAGE = 120
ACCOUNTS = 8_000
LISTS = 45
"""Units of the tenant's lists, read beside."""


def full_read(service: float, before: int) -> tuple[float, float]:
    """Seconds of a read whose first page is there after so many calls, and what its units take at least."""
    pace, now, units, end = Pace(UNITS), 0.0, 0, 0.0

    def take(at: float, cost: int) -> float:
        while (wait := pace.take(at, cost)) > 0:
            at += wait
        return at

    for _ in range(LISTS):
        now, units = take(now, 1), units + 1
    listed, there, left = before * service, 0, ACCOUNTS
    now = max(now, listed)
    turned = 0
    while left:
        while turned < ACCOUNTS and listed + turned // PAGE * service <= now:
            now, units = take(now, 2), units + 2
            there += min(PAGE, ACCOUNTS - turned)
            turned += PAGE
        some = min(BATCH // 2, left)
        if there < some:
            now = listed + turned // PAGE * service
            continue
        now, units = take(now, 2 * some), units + 2 * some
        there, left, end = there - some, left - some, now + service
    return end, units / UNITS.calls * UNITS.seconds


@pytest.mark.parametrize("service", [0.02, 0.1, 0.5])
def test_a_full_read_takes_hardly_longer_than_the_quota(service: float) -> None:
    """Before the first account: who was deleted, then the first page of who lives."""
    took, least = full_read(service, before=2)
    assert took <= 1.05 * least


def test_three_calls_more_before_the_first_account_would_be_too_many() -> None:
    took, least = full_read(0.5, before=5)
    assert took > 1.05 * least
