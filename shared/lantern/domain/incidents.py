"""Incidents of vendors: what a vendor could reach here, for how long, and what was done about it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal

Source = Literal["tenant", "operators"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What operators tell all tenants about a vendor; `id` is the same everywhere."""

    id: str
    vendor_id: str
    occurred_at: datetime
    summary: str
    raised_at: datetime
    raised_by: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Exposure:
    """One app at one connection: since when it had access to what, and until when; None is still.

    `since` is the oldest grant. `dated` says how many of the grants a source dated: the others count from
    when they were first seen.
    """

    app_id: str
    connection_id: str
    accounts: int
    dated: int
    data: tuple[str, ...]
    since: date | None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as this tenant stands to it; `exposed` is as of when it was raised.

    `people` are persons over all connections. `reached`: whether the vendor held anything here at all.
    """

    id: str
    vendor_id: str
    vendor: str
    occurred_at: datetime
    summary: str
    source: Source
    raised_by: str
    raised_at: datetime
    people: int
    grants: int
    data: tuple[str, ...]
    chains: tuple[str, ...]
    exposed: tuple[Exposure, ...]
    unread: tuple[str, ...] = ()
    run_id: str | None = None
    url: str = ""
    rev: int = 0

    @property
    def reached(self) -> bool:
        """Whether the vendor could reach anything."""
        return self.grants > 0

    @property
    def since(self) -> date | None:
        """When the exposure began: the oldest grant of all."""
        return min((one.since for one in self.exposed if one.since), default=None)

    def window(self, ended: datetime | None) -> tuple[datetime | None, datetime | None]:
        """From when to when the vendor could reach data after the incident.

        It begins with the incident, or with the first grant where that is later; it ends when the last grant
        was revoked, and is open while that is None.
        """
        begun = self.since
        if begun is None:
            return None, None
        return max(self.occurred_at, datetime.combine(begun, time(), UTC)), ended


def began(dates: Iterable[tuple[date | None, date]]) -> tuple[date | None, int]:
    """The oldest of grants (dated by a source or None, first seen), and how many a source dated."""
    known = list(dates)
    return (
        min((granted or seen for granted, seen in known), default=None),
        sum(1 for granted, _ in known if granted),
    )
