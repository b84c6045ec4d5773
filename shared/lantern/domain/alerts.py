"""What a tenant wants to be told, where, and when: settings, channels, and what was told already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lantern.domain.errors import InvalidInputError
from lantern.domain.messages import Address
from lantern.domain.rules.vocabulary import Severity

PeopleChannel = Literal["slack", "teams", "email"]
Rhythm = Literal["none", "daily", "weekly"]

CHANNEL: Final = "chn"
"""Prefix of the ids of channels."""
DEFAULT_CAP: Final = 5
MAX_CAP: Final = 50
MAX_CHANNELS: Final = 20
MAX_RECIPIENTS: Final = 20


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When people are left alone, local time; `start` after `end` goes over midnight. Ends are exclusive."""

    start: time
    end: time
    weekends: bool = False
    """Saturday and Sunday are quiet as a whole."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """A tenant's own: time zone, quiet hours, language, and where its people look at findings."""

    time_zone: str = "UTC"
    quiet_hours: QuietHours | None = None
    language: str = "en"
    console_url: str = ""
    rev: int = 0

    @property
    def zone(self) -> ZoneInfo:
        """The time zone.

        Raises:
            InvalidInputError: there is no such zone.
        """
        return zone_named(self.time_zone)


def zone_named(name: str) -> ZoneInfo:
    """A time zone of the IANA database.

    Raises:
        InvalidInputError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError("time_zone", 'Name a zone as IANA does, such as "Europe/Berlin".') from error


@dataclass(frozen=True, slots=True)
class AlertChannel:
    """One way to people.

    Attributes:
        id: `chn_…`.
        kind: which channel.
        name: what people call it.
        to: Slack channel id, or e-mail addresses; empty for Teams, whose sealed secret is its address.
        connection_id: the Slack connection whose bot speaks; else empty.
        minimum: findings below are never told here.
        instant: findings from here on are told at once, those below in digests.
        digest: how often what was not told at once is told.
        digest_at: local time of the digest.
        digest_day: day of a weekly digest, Monday is 0.
        daily_cap: messages a local day, critical ones apart: those always go out.
        unsubscribed: e-mail addresses among `to` that no longer want any.
        links: the token of each e-mail address by which its reader unsubscribes.
    """

    id: str
    kind: PeopleChannel
    name: str
    to: tuple[str, ...] = ()
    connection_id: str = ""
    minimum: Severity = Severity.MEDIUM
    instant: Severity = Severity.HIGH
    digest: Rhythm = "daily"
    digest_at: time = time(9)
    digest_day: int = 0
    daily_cap: int = DEFAULT_CAP
    enabled: bool = True
    created_at: datetime | None = None
    unsubscribed: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    rev: int = 0

    def addresses(self) -> tuple[Address, ...]:
        """Where a message goes: one address, or one per recipient of an e-mail."""
        if self.kind == "teams":
            return (Address("teams", "", self.id),)
        if self.kind == "slack":
            return tuple(Address("slack", to, self.connection_id) for to in self.to)
        return tuple(Address("email", to) for to in self.to if to not in self.unsubscribed)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one channel was told, so that nothing is told twice and caps hold.

    Attributes:
        channel_id: whose it is.
        told: finding id → severity rank and reopening it was told at, as `told_at` packs them.
        by: finding id → number of the message that told it, so that the message need not list them.
        last: number of the last message.
        day: local day that `count` counts, ISO.
        count: messages of that day, critical ones apart.
        instant_at: when something was last told at once.
        digest_at: up to when digests are done.
    """

    channel_id: str
    told: Mapping[str, int] = field(default_factory=dict)
    by: Mapping[str, int] = field(default_factory=dict)
    last: int = 0
    day: str = ""
    count: int = 0
    instant_at: datetime | None = None
    digest_at: datetime | None = None
    rev: int = 0

    def covered(self, wave: int) -> Mapping[str, int]:
        """What a message told, as `told` has it: without what was told again since, or is over."""
        return {key: level for key, level in self.told.items() if self.by.get(key, 0) == wave}


@dataclass(frozen=True, slots=True)
class OutreachState:
    """When outreach must look again at the latest; each connection's quarter-hourly message asks for it."""

    due_at: datetime | None = None
    rev: int = 0


def told_at(severity: Severity, reopened: int) -> int:
    """Severity and reopening as one number of `Ledger.told`."""
    return reopened * 10 + severity.rank


def is_news(told: int | None, severity: Severity, reopened: int) -> bool:
    """Whether a finding is worth telling: never told, came back, or worse than when it was told."""
    if told is None:
        return True
    return reopened > told // 10 or severity.rank > told % 10
