"""When to speak and when to be quiet: the promises, for any history, and the cases people know."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from lantern.domain.alerts import AlertChannel, Ledger, QuietHours
from lantern.domain.noise import LINES, Concern, decide, in_quiet_hours, last_digest
from lantern.domain.rules.vocabulary import Severity

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=BERLIN)
NIGHT = QuietHours(time(20), time(8))
CHANNEL = AlertChannel("chn_1", "slack", "security", ("C12345678",), "con_1", created_at=MONDAY)


def concern(number, severity=Severity.HIGH, app="app_a", **more):
    return Concern(f"fnd_{number}", f"Finding {number}", severity, app, **more)


def after(delta):
    return (MONDAY.astimezone(UTC) + delta).astimezone(BERLIN)


SEVERITIES = st.sampled_from(Severity)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "add", "worse", "gone", "back", "taken"]),
        st.integers(0, 7),
        SEVERITIES,
        st.integers(1, 60 * 30),
    ),
    max_size=40,
)
CHANNELS = st.builds(
    lambda minimum, instant, digest, cap, hour: replace(
        CHANNEL, minimum=minimum, instant=instant, digest=digest, daily_cap=cap, digest_at=time(hour)
    ),
    SEVERITIES,
    SEVERITIES,
    st.sampled_from(["none", "daily", "weekly"]),
    st.integers(1, 3),
    st.integers(0, 23),
)
QUIETS = st.none() | st.builds(QuietHours, st.times(), st.times(), st.booleans())


def play(events, channel, quiet):
    """Run a history; yields what was live, what was decided, when."""
    live, ledger, minutes = {}, Ledger(channel.id), 0
    for verb, number, severity, wait in events:
        key = f"fnd_{number}"
        if verb == "wait":
            minutes += wait
        elif verb == "add" and key not in live:
            live[key] = concern(number, severity, f"app_{number % 3}")
        elif verb == "worse" and key in live:
            live[key] = replace(live[key], severity=max(live[key].severity, severity, key=lambda s: s.rank))
        elif verb == "gone":
            live.pop(key, None)
        elif verb == "back" and key in live:
            live[key] = replace(live[key], reopened=live[key].reopened + 1)
        elif verb == "taken" and key in live:
            live[key] = replace(live[key], taken_on=True)
        local = after(timedelta(minutes=minutes))
        decision = decide(live.values(), ledger, channel, quiet, local)
        yield dict(live), ledger, decision, local
        ledger = decision.ledger


@settings(max_examples=400, deadline=None)
@given(EVENTS, CHANNELS, QUIETS)
def test_nothing_critical_is_held_back_caps_hold_and_nothing_is_told_twice(events, channel, quiet):
    per_day, told = {}, {}
    for live, _, decision, local in play(events, channel, quiet):
        told = {key: level for key, level in told.items() if key in live}
        ordinary = [notice for notice in decision.notices if notice.kind != "critical"]
        for notice in decision.notices:
            for one in notice.concerns:
                level = (one.reopened, one.severity.rank)
                known = told.get(one.finding_id)
                assert known is None or level[0] > known[0] or level[1] > known[1]
                told[one.finding_id] = level
                assert live[one.finding_id] == one
        for one in live.values():
            if one.severity is Severity.CRITICAL:
                assert told[one.finding_id] == (one.reopened, one.severity.rank), "told at once, whatever"
        if ordinary:
            day = local.date()
            per_day[day] = per_day.get(day, 0) + len(ordinary)
            assert not in_quiet_hours(quiet, local)
            assert per_day[day] <= channel.daily_cap
            assert all(len(notice.concerns) <= LINES for notice in ordinary)
        assert decision.wake is None or decision.wake > local


@settings(max_examples=150, deadline=None)
@given(EVENTS, CHANNELS, QUIETS)
def test_what_is_held_back_is_told_in_the_end(events, channel, quiet):
    live, ledger, local = {}, Ledger(channel.id), MONDAY
    for live, _, decision, local in play(events, channel, quiet):  # noqa: B007 - the last one counts
        ledger = decision.ledger
    if channel.digest == "none" or (quiet and quiet.weekends and channel.digest == "weekly"):
        return
    looks = 0
    while looks < 400:
        looks += 1
        decision = decide(live.values(), ledger, channel, quiet, local)
        ledger = decision.ledger
        if decision.wake is None:
            break
        local = decision.wake.astimezone(UTC).astimezone(BERLIN)
    wanted = {
        one.finding_id
        for one in live.values()
        if one.severity is Severity.CRITICAL
        or (not one.taken_on and one.severity.rank >= channel.minimum.rank)
    }
    assert wanted <= set(ledger.told)


def test_one_message_for_all_that_is_new_grouped_by_app_with_a_line_for_the_rest():
    many = [concern(n, Severity.HIGH, f"app_{n % 4}") for n in range(26)]
    decision = decide(many, Ledger("chn_1"), CHANNEL, None, after(timedelta(minutes=5)))
    (notice,) = decision.notices
    assert (notice.kind, len(notice.concerns), notice.more) == ("instant", LINES, 14)
    assert notice.levels == ((Severity.HIGH, 26),)
    apps = [one.group_id for one in notice.concerns]
    assert apps == sorted(apps), "each app together"
    assert decide(many, decision.ledger, CHANNEL, None, after(timedelta(hours=3))).notices == ()


def test_quiet_hours_hold_all_but_what_is_critical():
    night = datetime(2026, 3, 2, 23, 0, tzinfo=BERLIN)
    live = [concern(1), concern(2, Severity.CRITICAL, "app_b")]
    decision = decide(live, Ledger("chn_1", digest_at=night), CHANNEL, NIGHT, night)
    assert [(n.kind, [c.finding_id for c in n.concerns]) for n in decision.notices] == [
        ("critical", ["fnd_2"])
    ]
    assert decision.wake == datetime(2026, 3, 3, 0, 0, tzinfo=BERLIN)
    morning = decide(live, decision.ledger, CHANNEL, NIGHT, datetime(2026, 3, 3, 8, 0, tzinfo=BERLIN))
    assert [n.kind for n in morning.notices] == ["instant"]


def test_the_digest_takes_what_is_below_and_comes_once_a_day():
    live = [concern(1, Severity.MEDIUM), concern(2, Severity.LOW)]
    before = decide(live, Ledger("chn_1"), CHANNEL, None, after(timedelta(minutes=30)))
    assert before.notices == ()
    assert before.wake == MONDAY.replace(hour=9)
    at_nine = decide(live, before.ledger, CHANNEL, None, MONDAY.replace(hour=9))
    assert [(n.kind, len(n.concerns)) for n in at_nine.notices] == [("digest", 1)]
    more = [*live, concern(3, Severity.MEDIUM)]
    assert decide(more, at_nine.ledger, CHANNEL, None, MONDAY.replace(hour=18)).notices == ()
    tomorrow = decide(more, at_nine.ledger, CHANNEL, None, MONDAY.replace(day=3, hour=9))
    assert [c.finding_id for c in tomorrow.notices[0].concerns] == ["fnd_3"]


def test_digests_follow_the_local_clock_over_the_change_to_summer_time():
    channel = replace(CHANNEL, created_at=None)
    saturday = datetime(2026, 3, 28, 12, 0, tzinfo=BERLIN)
    assert last_digest(channel, saturday) == datetime(2026, 3, 28, 8, 0, tzinfo=UTC)
    assert last_digest(channel, saturday + timedelta(days=1)) == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    weekly = replace(channel, digest="weekly", digest_day=4)
    assert last_digest(weekly, saturday).date().isoformat() == "2026-03-27"


def test_what_somebody_took_on_is_news_only_when_it_becomes_critical():
    taken = concern(1, taken_on=True)
    decision = decide([taken], Ledger("chn_1"), CHANNEL, None, MONDAY)
    assert decision.notices == ()
    worse = replace(taken, severity=Severity.CRITICAL)
    assert [n.kind for n in decide([worse], decision.ledger, CHANNEL, None, MONDAY).notices] == ["critical"]
