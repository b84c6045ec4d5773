"""Whether a channel to people works, and when one that does not is tried again. Pure.

A channel that refuses a message is not written to by every pass: what is news stays news, and one message
tries again after a while, or as soon as something critical is there that was not tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

ChannelState = Literal["untried", "working", "failing", "broken"]

PROBES: Final = (timedelta(minutes=15), timedelta(hours=1))
"""After the first message that reached nobody, and after each further one."""
TOLD_AGAIN: Final = timedelta(days=1)
"""Other channels are told at most so often that one is broken."""
KEPT: Final = 200
"""Critical findings that are remembered as tried."""


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """What became of a channel's last messages.

    Attributes:
        channel_id: whose it is.
        sent_at: when a message last arrived.
        since: since when none does; None while they do.
        detail: what was said last, a short stable word; empty while messages arrive.
        lost: messages in a row that reached nobody.
        probe_at: when the channel is tried again; None while messages are tried as they come.
        tried: critical findings that it did not take; others are tried at once.
        told_at: when the other channels were told.
    """

    channel_id: str
    sent_at: datetime | None = None
    since: datetime | None = None
    detail: str = ""
    lost: int = 0
    probe_at: datetime | None = None
    tried: tuple[str, ...] = ()
    told_at: datetime | None = None
    rev: int = 0

    @property
    def state(self) -> ChannelState:
        """`failing`: a message is tried again; `broken`: a message was given up, and reached nobody."""
        if self.lost:
            return "broken"
        if self.since is not None:
            return "failing"
        return "working" if self.sent_at is not None else "untried"

    def open_to(self, critical: Iterable[str], now: datetime) -> bool:
        """Whether a message may be written now.

        Args:
            critical: critical findings that are news to the channel.
            now: the time.
        """
        if self.probe_at is None or self.probe_at <= now:
            return True
        return not set(critical) <= set(self.tried)


def arrived(health: ChannelHealth, now: datetime) -> ChannelHealth:
    """After a message arrived; who was told that it is broken stays known."""
    return ChannelHealth(health.channel_id, now, told_at=health.told_at, rev=health.rev)


def failed(health: ChannelHealth, detail: str, now: datetime) -> ChannelHealth:
    """After an attempt that did not work, whether or not it is made again."""
    return replace(health, since=health.since or now, detail=detail)


def given_up(health: ChannelHealth, detail: str, critical: Iterable[str], now: datetime) -> ChannelHealth:
    """After a message that reached nobody and will not be tried again; `critical` are findings it told of."""
    wait = PROBES[min(health.lost, len(PROBES) - 1)]
    tried = dict.fromkeys((*health.tried, *critical))
    return replace(
        failed(health, detail, now),
        lost=health.lost + 1,
        probe_at=now + wait,
        tried=tuple(tried)[-KEPT:],
    )


def worth_telling(health: ChannelHealth, now: datetime) -> bool:
    """Whether the other channels are to be told that this one is broken."""
    return health.state == "broken" and (health.told_at is None or health.told_at + TOLD_AGAIN <= now)
