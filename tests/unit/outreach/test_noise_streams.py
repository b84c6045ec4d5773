"""Streams of findings through a channel over days, by the clock on the wall: the whole account adds up.

A pass runs whenever a finding changes and whenever the last decision asked for one, as the outreach function
does, with messages that now and then reach nobody. Zones are those with odd changes of the clock: at
midnight, by half an hour, on the southern hemisphere.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lantern.domain.alerts import AlertChannel, Ledger, QuietHours
from lantern.domain.noise import Concern, Decision, Notice, decide, in_quiet_hours, last_digest, untold
from lantern.domain.rules.vocabulary import Severity

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe"])
STARTS = st.sampled_from(
    [
        datetime(2026, 3, 27, 21, tzinfo=UTC),  # the week of summer time in Europe
        datetime(2026, 10, 24, 9, tzinfo=UTC),
        datetime(2026, 3, 7, 20, tzinfo=UTC),  # … in America
        datetime(2026, 10, 31, 20, tzinfo=UTC),
        datetime(2026, 4, 23, 12, tzinfo=UTC),  # … in Egypt, at midnight
        datetime(2026, 4, 4, 9, tzinfo=UTC),  # … at Lord Howe, by half an hour
    ]
)
TIMES = st.sampled_from([time(0), time(0, 30), time(1, 45), time(2, 15), time(2, 30), time(9), time(23, 59)])
CHANNELS = st.builds(
    lambda minimum, instant, digest, day, cap, at: AlertChannel(
        "chn_1", "teams", "t", minimum=minimum, instant=instant, digest=digest, digest_day=day,
        daily_cap=cap, digest_at=at,
    ),
    st.sampled_from(Severity), st.sampled_from(Severity), st.sampled_from(["none", "daily", "weekly"]),
    st.integers(0, 6), st.integers(1, 3), TIMES,
)  # fmt: skip
QUIETS = st.none() | st.builds(QuietHours, TIMES, TIMES, st.booleans()).filter(lambda q: q.start != q.end)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.integers(1, 30),
        st.sampled_from(["add", "add", "worse", "back", "gone"]),
        st.sampled_from(Severity),
        st.booleans(),
    ),
    min_size=3,
    max_size=25,
)
DAYS = 16


@dataclass
class World:
    """A channel, what is live, and every message with when it was sent and whether it arrived."""

    channel: AlertChannel
    quiet: QuietHours | None
    zone: ZoneInfo
    now: datetime
    ledger: Ledger = field(default_factory=lambda: Ledger("chn_1"))
    live: dict[str, Concern] = field(default_factory=dict)
    arrived: list[tuple[datetime, Notice, dict[str, int]]] = field(default_factory=list)
    wake: datetime | None = None

    def decide(self, at: datetime) -> Decision:
        return decide(self.live.values(), self.ledger, self.channel, self.quiet, at.astimezone(self.zone))

    def look(self, *, arrives: bool) -> None:
        before, decision = self.ledger, self.decide(self.now)
        self.ledger, self.wake = decision.ledger, decision.wake
        changed = {key: lvl for key, lvl in self.ledger.told.items() if before.told.get(key) != lvl}
        listed = {c.finding_id for n in decision.notices if n.kind == "critical" for c in n.concerns}
        assert sum(notice.kind != "critical" for notice in decision.notices) <= 1
        for notice in decision.notices:
            mine = {c.finding_id for c in notice.concerns}
            mine = mine if notice.kind == "critical" else changed.keys() - listed
            covers = {key: level for key, level in changed.items() if key in mine}
            # What it lists and counts is exactly what is known as told afterwards.
            assert len(covers) == len(notice.concerns) + notice.more
            if notice.kind != "critical":
                assert sum(count for _, count in notice.levels) == len(covers)
                assert Counter(covers[c.finding_id] % 10 for c in notice.concerns) <= Counter(
                    {level.rank: count for level, count in notice.levels}
                )
            if arrives:
                self.arrived.append((self.now, notice, covers))
            else:
                self.ledger = untold(self.ledger, covers, "digest" if notice.kind == "digest" else "alert")
                self.wake = self.now + timedelta(minutes=15)
                if notice.kind == "digest":
                    again = self.decide(self.now)
                    assert [n.kind for n in again.notices if n.kind != "critical"] == ["digest"], "sent anew"
        if arrives and decision.wake is not None:
            # Whoever looked in between would have had nothing to say: what could be said, was.
            span = (decision.wake - self.now) / 16
            for step in range(1, 16):
                early = self.decide(self.now + span * step)
                assert early.notices == (), (self.now + span * step, decision.wake)
        for one in self.live.values():
            if arrives and one.severity is Severity.CRITICAL:
                assert self.ledger.told[one.finding_id] == one.reopened * 10 + one.severity.rank, "at once"

    def change(self, number: int, verb: str, severity: Severity) -> None:
        key = f"fnd_{number}"
        known = self.live.get(key)
        if known is None:
            if verb in {"add", "back"}:
                self.live[key] = Concern(key, key, severity, f"app_{number % 4}")
        elif verb == "worse" and severity.rank > known.severity.rank:
            self.live[key] = replace(known, severity=severity)
        elif verb == "back":
            self.live[key] = replace(known, reopened=known.reopened + 1)
        elif verb == "gone":
            del self.live[key]


def play(world: World, events: list[tuple[int, int, str, Severity, bool]]) -> None:
    """Let it all happen, then let days pass with the passes that were asked for."""
    start = world.now
    for wait, number, verb, severity, arrives in events:
        until = world.now + timedelta(minutes=wait)
        while world.wake is not None and world.wake <= until:
            world.now = world.wake
            world.look(arrives=True)
        world.now = until
        world.change(number, verb, severity)
        world.look(arrives=arrives)
    world.look(arrives=True)
    looks = 0
    while world.wake is not None and world.wake < start + timedelta(days=DAYS):
        assert world.wake > world.now, "a wake is ahead"
        world.now, looks = world.wake, looks + 1
        world.look(arrives=True)
    assert looks <= DAYS * 12, "few looks for nothing"


@settings(max_examples=250, deadline=None)
@given(CHANNELS, QUIETS, ZONES, STARTS, EVENTS)
@example(  # ten past two for the second time, twenty minutes before quiet hours end for the second time
    AlertChannel("chn_1", "teams", "t", digest="none"),
    QuietHours(time(0), time(2, 30)),
    "Europe/Berlin",
    datetime(2026, 10, 24, 9, tzinfo=UTC),
    [(970, 1, "add", Severity.HIGH, True)],
)
@example(  # a critical message that reaches nobody gives no ordinary one back to the cap
    AlertChannel("chn_1", "teams", "t", digest="none", daily_cap=1),
    None,
    "UTC",
    datetime(2026, 3, 2, 9, tzinfo=UTC),
    [(1, 1, "add", Severity.CRITICAL, False)] + [(60, n, "add", Severity.HIGH, True) for n in (2, 3, 4)],
)
def test_every_critical_at_once_the_rest_within_caps_none_lost_none_doubled(
    channel, quiet, zone, start, events
):
    world = World(channel, quiet, ZoneInfo(zone), start)
    play(world, events)
    days, digests, seen = Counter(), [], Counter()
    for at, notice, covers in world.arrived:
        local = at.astimezone(world.zone)
        seen.update(covers.items())
        if notice.kind == "critical":
            assert {level % 10 for level in covers.values()} == {Severity.CRITICAL.rank}
            continue
        days[local.date()] += 1
        assert not in_quiet_hours(quiet, local)
        if notice.kind == "digest":
            digests.append(last_digest(channel, local))
        else:
            assert all(one.severity.rank >= channel.instant.rank for one in notice.concerns)
    assert max(days.values(), default=0) <= channel.daily_cap
    assert len(digests) == len(set(digests)), "one for each time a digest is due"
    wanted = {
        one.finding_id: one.reopened * 10 + one.severity.rank
        for one in world.live.values()
        if one.severity is Severity.CRITICAL
        or (
            one.severity.rank >= channel.minimum.rank
            and (channel.digest != "none" or one.severity.rank >= channel.instant.rank)
        )
    }
    # A finding may be gone and come anew, which is news again; one that stays is told once at each level.
    for key, level in wanted.items():
        assert seen[key, level] >= 1, "nothing is lost"
    gone = {f"fnd_{number}" for _, number, verb, _, _ in events if verb == "gone"}
    doubled = [key for (key, _), times in seen.items() if times > 1 and key not in gone]
    assert doubled == [], "nothing is doubled"
