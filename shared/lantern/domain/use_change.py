"""Whether the use of an app changed: a spike over its own past, or an app that slept and woke."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

ChangeKind = Literal["steady", "spike", "woke"]
LEAST_WEEKS: Final = 5
_SPIKE_FACTOR: Final = 4
_SPIKE_EVENTS: Final = 50
_ASLEEP_WEEKS: Final = 4


@dataclass(frozen=True, slots=True)
class UseChange:
    """How the last complete week compares with those before it; events are counted by the provider."""

    kind: ChangeKind
    last_week: int
    usual_week: int


def use_change(weeks: Sequence[int]) -> UseChange | None:
    """Compare the last week with those before; None with fewer than five complete weeks.

    Args:
        weeks: events a week, oldest first, every week known completely.
    """
    if len(weeks) < LEAST_WEEKS:
        return None
    last, before = weeks[-1], weeks[:-1]
    usual = int(median(before))
    if last >= _SPIKE_EVENTS and last > _SPIKE_FACTOR * max(usual, max(before) // 2, 1):
        return UseChange("spike", last, usual)
    if last > 0 and any(before) and not any(before[-_ASLEEP_WEEKS:]):
        return UseChange("woke", last, usual)
    return UseChange("steady", last, usual)
