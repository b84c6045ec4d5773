"""When to speak and when to be quiet: what of the findings is told on a channel now. Pure.

Three promises: what is critical goes out at once, whatever the hour and the cap; other messages never exceed
the channel's cap a local day and keep out of quiet hours; nothing is told twice unless it came back or got
worse. What is held back stays news, and so is told later: by the digest, or when the hours or the day end.

Messages are few because they are many findings each: all that is news goes into one, grouped by what it is
about, and what does not fit is counted ("and 14 more").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final, Literal

from lantern.domain.alerts import AlertChannel, Ledger, QuietHours, is_news, told_at
from lantern.domain.rules.vocabulary import Severity

NoticeKind = Literal["critical", "instant", "digest"]

SPACING: Final = timedelta(minutes=30)
"""Between two messages of one channel that are not critical: what comes meanwhile goes into the next one."""
LINES: Final = 12
"""Findings that an ordinary message lists; the others it counts."""
CRITICAL_LINES: Final = 20
"""Findings that one message of critical ones lists; there are as many messages as that takes.

Each may be of an app of its own under a name of 80 wide characters, and all must fit: Slack takes 50 blocks,
Teams 28 kB.
"""
GROUP_LINES: Final = 5
"""Findings of one app in a row, under one heading."""


@dataclass(frozen=True, slots=True)
class Concern:
    """A finding as far as telling goes. `group_id` is the app, person or connection it is about.

    `taken_on`: somebody acknowledged it, so only its becoming critical is still news.
    """

    finding_id: str
    title: str
    severity: Severity
    group_id: str
    reopened: int = 0
    taken_on: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: what it lists, worst first and by group, and how many findings it only counts.

    `levels` counts all of them by severity, the worst first.
    """

    kind: NoticeKind
    concerns: tuple[Concern, ...]
    more: int = 0
    levels: tuple[tuple[Severity, int], ...] = ()

    def groups(self) -> tuple[tuple[str, tuple[Concern, ...]], ...]:
        """What it lists, by group, in pieces of a few lines each."""
        found: dict[str, list[Concern]] = {}
        for concern in self.concerns:
            found.setdefault(concern.group_id, []).append(concern)
        return tuple(
            (group_id, tuple(piece))
            for group_id, concerns in found.items()
            for piece in _pieces(concerns, GROUP_LINES)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What to tell now, what the ledger then says, and when to look again (None: nothing is held back)."""

    notices: tuple[Notice, ...]
    ledger: Ledger
    wake: datetime | None


def decide(
    live: Iterable[Concern], ledger: Ledger, channel: AlertChannel, quiet: QuietHours | None, local: datetime
) -> Decision:
    """What of the live findings a channel is told now.

    Args:
        live: findings that are open or acknowledged; what is not among them is forgotten.
        ledger: what the channel was told.
        channel: its wishes.
        quiet: the tenant's quiet hours.
        local: the time, aware, in the tenant's zone.
    """
    # Times of one zone compare by the clock on the wall, which repeats an hour in autumn: instants do not.
    now = local.astimezone(UTC)
    known = {concern.finding_id: concern for concern in live}
    ledger = replace(ledger, told={key: ledger.told[key] for key in ledger.told if key in known})
    ledger = of_day(ledger, local.date())
    news = sorted(
        (concern for concern in known.values() if _matters(concern, ledger.told, channel)),
        key=lambda concern: (-concern.severity.rank, concern.group_id, concern.finding_id),
    )
    critical = [concern for concern in news if concern.severity is Severity.CRITICAL]
    ordinary = [concern for concern in news if concern.severity is not Severity.CRITICAL]
    notices = [Notice("critical", tuple(piece)) for piece in _pieces(_grouped(critical), CRITICAL_LINES)]
    ledger = told(ledger, critical)
    if not in_quiet_hours(quiet, local):
        said, ledger = _ordinary(ordinary, ledger, channel, local)
        notices += said
    held = [concern for concern in ordinary if _matters(concern, ledger.told, channel)]
    return Decision(tuple(notices), ledger, _wake(held, ledger, channel, quiet, now, local))


def of_day(ledger: Ledger, today: date) -> Ledger:
    """The ledger as of a local day: on a new one nothing was sent yet."""
    day = today.isoformat()
    return replace(ledger, day=day, count=0) if day > ledger.day else ledger


def spent(ledger: Ledger) -> Ledger:
    """The ledger with one more message of its day."""
    return replace(ledger, count=ledger.count + 1)


def _matters(concern: Concern, known: Mapping[str, int], channel: AlertChannel) -> bool:
    if not is_news(known.get(concern.finding_id), concern.severity, concern.reopened):
        return False
    if concern.severity is Severity.CRITICAL:
        return True
    if channel.digest == "none" and concern.severity.rank < channel.instant.rank:
        return False
    return not concern.taken_on and concern.severity.rank >= channel.minimum.rank


def _ordinary(
    news: Sequence[Concern], ledger: Ledger, channel: AlertChannel, local: datetime
) -> tuple[list[Notice], Ledger]:
    """The one message that is not critical, if there is to be one now."""
    now = local.astimezone(UTC)
    if ledger.count >= channel.daily_cap:
        return [], ledger
    if _digest_waits(ledger, channel, local):
        done = replace(ledger, digest_at=now)
        return ([_notice("digest", news)], _spend(done, news, now)) if news else ([], done)
    urgent = [concern for concern in news if concern.severity.rank >= channel.instant.rank]
    kept = 1 if _digest_follows(channel, local) else 0
    rested = ledger.instant_at is None or ledger.instant_at + SPACING <= now
    if not urgent or not rested or ledger.count + kept >= channel.daily_cap:
        return [], ledger
    return [_notice("instant", urgent)], _spend(ledger, urgent, now)


def _digest_waits(ledger: Ledger, channel: AlertChannel, local: datetime) -> bool:
    """Whether a digest's time has come that was not seen to."""
    scheduled = last_digest(channel, local)
    return scheduled is not None and (ledger.digest_at is None or ledger.digest_at < scheduled)


def _notice(kind: NoticeKind, news: Sequence[Concern]) -> Notice:
    listed = tuple(islice(_grouped(news), LINES))
    counted = Counter(concern.severity for concern in news)
    levels = tuple((level, counted[level]) for level in reversed(Severity) if counted[level])
    return Notice(kind, listed, len(news) - len(listed), levels)


def _grouped(news: Sequence[Concern]) -> list[Concern]:
    """The same, each group together where its worst one stands."""
    groups: dict[str, list[Concern]] = {}
    for concern in news:
        groups.setdefault(concern.group_id, []).append(concern)
    return [concern for group in groups.values() for concern in group]


def told(ledger: Ledger, concerns: Iterable[Concern]) -> Ledger:
    """The ledger after findings were told."""
    added = {one.finding_id: told_at(one.severity, one.reopened) for one in concerns}
    return replace(ledger, told={**ledger.told, **added}) if added else ledger


def untold(ledger: Ledger, covered: Mapping[str, int], purpose: str) -> Ledger:
    """The ledger after a message reached nobody: what it covered is news again, and counts in no cap.

    Args:
        ledger: what the channel was told.
        covered: what the message told, as `Ledger.told` packs it; what was told again since stays told.
        purpose: of the message; the digest that was lost may be sent anew.
    """
    kept = {key: level for key, level in ledger.told.items() if covered.get(key) != level}
    ordinary = any(level % 10 < Severity.CRITICAL.rank for level in covered.values())
    return replace(
        ledger,
        told=kept,
        count=max(0, ledger.count - 1) if ordinary else ledger.count,
        digest_at=None if purpose == "digest" else ledger.digest_at,
    )


def _spend(ledger: Ledger, concerns: Sequence[Concern], now: datetime) -> Ledger:
    return replace(told(ledger, concerns), count=ledger.count + 1, instant_at=now)


def _pieces(concerns: Sequence[Concern], size: int) -> Iterable[Sequence[Concern]]:
    return (concerns[start : start + size] for start in range(0, len(concerns), size))


# --- time -------------------------------------------------------------------------------------------


def in_quiet_hours(quiet: QuietHours | None, local: datetime) -> bool:
    """Whether people are to be left alone at a local time."""
    if quiet is None:
        return False
    if quiet.weekends and local.weekday() >= 5:
        return True
    at = local.timetz().replace(tzinfo=None)
    if quiet.start <= quiet.end:
        return quiet.start <= at < quiet.end
    return at >= quiet.start or at < quiet.end


def last_digest(channel: AlertChannel, local: datetime) -> datetime | None:
    """The latest instant (UTC) up to `local` at which a digest was to be sent; None without digests.

    A channel's first digest is the first one after it was made. A time that the change to summer time leaves
    out comes an hour later on the wall, and one that exists twice is the first.
    """
    if channel.digest == "none":
        return None
    now, day = local.astimezone(UTC), local.date()
    if channel.digest == "weekly":
        day -= timedelta(days=(day.weekday() - channel.digest_day) % 7)
    found = _at(day, channel.digest_at, local)
    if found > now:
        found = _at(day - _step(channel), channel.digest_at, local)
    return found if channel.created_at is None or found >= channel.created_at else None


def _digest_follows(channel: AlertChannel, local: datetime) -> bool:
    """Whether a digest is still to come on this local day."""
    if channel.digest == "none" or (channel.digest == "weekly" and local.weekday() != channel.digest_day):
        return False
    return _at(local.date(), channel.digest_at, local) > local.astimezone(UTC)


def _at(day: date, at: time, local: datetime, fold: int = 0) -> datetime:
    """The instant (UTC) of a time on the wall, in the zone of `local`."""
    return datetime.combine(day, at.replace(fold=fold), local.tzinfo).astimezone(UTC)


def _step(channel: AlertChannel) -> timedelta:
    return timedelta(days=7 if channel.digest == "weekly" else 1)


def _wake(
    held: Sequence[Concern],
    ledger: Ledger,
    channel: AlertChannel,
    quiet: QuietHours | None,
    now: datetime,
    local: datetime,
) -> datetime | None:
    """When something that is held back may be told: the earliest of what holds it."""
    if not held:
        return None
    today = local.date()
    times: list[datetime] = []
    if channel.digest != "none":
        ahead = (channel.digest_day - today.weekday()) % 7 if channel.digest == "weekly" else 0
        first = today + timedelta(days=ahead)
        times += [_at(first + step, channel.digest_at, local) for step in (timedelta(0), _step(channel))]
    urgent = any(one.severity.rank >= channel.instant.rank for one in held)
    if urgent or _digest_waits(ledger, channel, local):
        # The cap ends at midnight, as a weekend does; a time that comes twice may end quiet hours twice.
        ends = [(today + timedelta(days=1), time())]
        ends += [(today + timedelta(days=days), quiet.end) for days in (0, 1)] if quiet is not None else []
        times += [_at(day, at, local, fold) for day, at in ends for fold in (0, 1)]
        times += [ledger.instant_at + SPACING] if ledger.instant_at is not None else []
    return min(found for found in times if found > now)
