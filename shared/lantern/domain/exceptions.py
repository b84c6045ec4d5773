"""Permission for one person to keep one tool until a date, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lantern.domain import ids

ExceptionSource = Literal["nudge", "request", "campaign"]


@dataclass(frozen=True, slots=True)
class AccessException:
    """One person may use one app until `until`, when it is looked at again.

    `source_id` is the nudge, request or campaign item that led to it. `conditions` are what the person was
    asked to keep to.
    """

    id: str
    person_id: str
    app_id: str
    source: ExceptionSource
    source_id: str
    reason: str
    by: str
    at: datetime
    until: datetime
    conditions: str = ""
    rev: int = 0

    def holds(self, now: datetime) -> bool:
        """Whether it holds at `now`."""
        return now < self.until


def exception_id(person_id: str, app_id: str) -> str:
    """The id of the exception of a person for an app: there is one, and a later one replaces it."""
    return ids.derived_id("exc", person_id, app_id)
