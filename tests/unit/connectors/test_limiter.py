"""The pace at which a quota is used, in a world where nothing but the clock of the test moves."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lantern.connectors.halt import Halt
from lantern.connectors.limiter import Limiter, Limiters, Pace
from lantern.connectors.protocol import Quota

QUOTA = Quota("queries", 2400, 60.0)


@dataclass
class Outcome:
    seconds: float
    sent: int
    refused: int
    in_flight: int
    times: list[float]


def simulate(
    calls: int, service_s: float, admits: Callable[[float], bool], *, seed: int = 1, listing_s: float = 0.0
) -> Outcome:
    """Send calls as threads would: as many in flight as it takes, each at its turn."""
    rng, pace = random.Random(seed), Pace(QUOTA)
    now, todo, done, refused, peak = listing_s, calls, 0, 0, 0
    flying: list[tuple[float, int, float, bool]] = []
    times: list[float] = []
    while done < calls:
        wait = pace.take(now) if todo and len(flying) < 100 else None
        if wait == 0.0:
            accepted = admits(now)
            took = service_s * rng.uniform(0.8, 1.2) if accepted else 0.05
            heapq.heappush(flying, (now + took, len(times), now, accepted))
            times.append(now)
            todo, peak = todo - 1, max(peak, len(flying))
            continue
        wake = now + wait if wait is not None else float("inf")
        if flying and flying[0][0] <= wake:
            now, _, sent_at, accepted = heapq.heappop(flying)
            if accepted:
                done += 1
                pace.answered(now, sent_at)
            else:
                refused, todo = refused + 1, todo + 1
                pace.refused(now, sent_at, jitter=rng.random())
        else:
            now = wake
    return Outcome(now, len(times), refused, peak, times)


def sliding(others: Callable[[float], float] = lambda now: 0.0) -> Callable[[float], bool]:
    """A quota over any sixty seconds, of which others take a part first."""
    window: deque[float] = deque()

    def admits(now: float) -> bool:
        while window and window[0] <= now - 60.0:
            window.popleft()
        if len(window) + others(now) + 1 > 2400:
            return False
        window.append(now)
        return True

    return admits


def by_the_minute(rate: float, since: float) -> Callable[[float], bool]:
    """A quota that starts anew with every minute, of which others spend `rate` a second."""
    used: dict[int, int] = {}

    def admits(now: float) -> bool:
        minute = int(now // 60)
        others = max(0.0, now - max(since, minute * 60.0)) * rate
        if used.get(minute, 0) + others + 1 > 2400:
            return False
        used[minute] = used.get(minute, 0) + 1
        return True

    return admits


def bucket(rate: float, since: float) -> Callable[[float], bool]:
    """A bucket of 2,400 refilled with 40 a second, out of which others take `rate`."""
    state = {"tokens": 2400.0, "at": 0.0}

    def admits(now: float) -> bool:
        gained = (now - state["at"]) * 40 - max(0.0, now - max(state["at"], since)) * rate
        state.update(tokens=min(2400.0, state["tokens"] + gained), at=now)
        if state["tokens"] < 1:
            return False
        state["tokens"] -= 1
        return True

    return admits


@pytest.mark.parametrize("service_s", [0.02, 0.05, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("calls", [1000, 10_000])
def test_alone_it_takes_the_quotas_time_and_is_never_refused(calls: int, service_s: float) -> None:
    seen = simulate(calls, service_s, sliding(), listing_s=2 * service_s)
    assert seen.refused == 0
    assert seen.seconds <= 1.05 * calls / 40


@pytest.mark.parametrize("service_s", [0.02, 0.5])
def test_no_window_of_a_minute_holds_more_than_the_quota(service_s: float) -> None:
    times = simulate(6000, service_s, sliding()).times
    most = max(sum(1 for t in times if at <= t < at + 60) for at in times[:: len(times) // 50])
    assert 0.95 * 2400 <= most <= 0.99 * 2400 + 1


def test_calls_in_flight_follow_latency() -> None:
    steady = {s: simulate(4000, s, sliding()).in_flight for s in (0.02, 2.0)}
    assert steady[2.0] >= 77  # 38.4 a second for 2 s each
    assert steady[0.02] <= 73  # the first burst, then one or two


SHARED = {
    "sliding window": lambda: sliding(lambda now: 1200 * min(1.0, max(0.0, (now - 60) / 60))),
    "half gone from the start": lambda: sliding(lambda now: 1200.0),
    "fixed minutes": lambda: by_the_minute(20.0, 60.0),
    "bucket": lambda: bucket(20.0, 60.0),
}


@pytest.mark.parametrize("service_s", [0.02, 0.5])
@pytest.mark.parametrize("world", sorted(SHARED))
def test_when_another_tool_takes_half_few_are_refused(world: str, service_s: float) -> None:
    seen = simulate(10_000, service_s, SHARED[world](), seed=7)
    assert seen.refused > 0
    assert seen.refused <= 0.01 * seen.sent
    assert seen.seconds <= 1.2 * 10_000 / 20


def test_the_rate_comes_back_when_the_other_tool_goes() -> None:
    seen = simulate(20_000, 0.1, sliding(lambda now: 1200.0 if 60 <= now < 180 else 0.0))
    late = [t for t in seen.times if t > seen.seconds - 60]
    assert len(late) > 0.9 * 2400


def test_retry_after_is_honoured_and_old_news_ignored() -> None:
    pace = Pace(QUOTA)
    assert pace.take(0.0) == 0.0
    pace.refused(1.0, 0.0, retry_after_s=30.0)
    rate = pace.rate
    pace.refused(1.1, 0.5, retry_after_s=90.0)  # sent before the first refusal came
    assert pace.rate == rate
    assert pace.take(1.5) == pytest.approx(29.5)
    assert pace.take(31.0) == 0.0
    assert pace.take(31.1) > 0  # one probe at a time
    pace.answered(31.4, 31.0)
    assert pace.take(33.0) == 0.0


def test_a_probe_that_is_refused_doubles_the_pause_and_keeps_the_rate() -> None:
    pace, now, pauses, rates = Pace(QUOTA), 0.0, [], set()
    for _ in range(8):
        assert pace.take(now) == 0.0
        pace.refused(now + 0.1, now, jitter=0.5)
        rates.add(pace.rate)
        pauses.append(pace.take(now + 0.1))
        now += 0.1 + pauses[-1] + 1e-6
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 32, 32])
    assert max(rates) - min(rates) < 0.001


def test_scattered_503s_do_not_slow_down_but_many_do() -> None:
    pace, now = Pace(QUOTA), 0.0
    full = pace.rate
    for number in range(1000):
        now += pace.take(now)
        now += 0.03
        (pace.suspected if number % 50 == 0 else pace.answered)(now, now - 0.02)
    assert pace.rate == full
    for _ in range(3):
        pace.suspected(now, now)
    assert pace.rate < full


class Wall:
    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_limiters_are_shared_by_provider_tenant_and_quota() -> None:
    limiters = Limiters(Wall(), lambda: 0.5)
    one = limiters.get("google", "a", QUOTA)
    assert limiters.get("google", "a", QUOTA) is one
    assert limiters.get("google", "b", QUOTA) is not one
    assert limiters.get("google", "a", Quota("filtered", 250, 60.0)) is not one


def test_a_limiter_waits_and_hears_when_told_to_stop() -> None:
    clock = Wall()
    limiter = Limiter(Quota("slow", 60, 60.0), clock, lambda: 0.5)
    halt = Halt(clock)
    given = [limiter.acquire(halt) for _ in range(10)]
    assert given == sorted(given)
    assert clock.at == pytest.approx(8.2 / 0.96, rel=0.01)  # a burst of 1.8, the rest at 0.96 a second
    halt.call()
    assert limiter.acquire(halt) is None
    assert limiter.tally.sent == 10


def test_the_provider_s_own_word_sets_the_rate_in_both_directions() -> None:
    pace = Pace(QUOTA)
    pace.take(0.0)
    pace.told(1.0, 10.0)
    assert pace.rate == pytest.approx(9.6)
    pace.told(2.0, 100.0)
    assert pace.rate == pytest.approx(96.0)
    pace.told(3.0, 0.0)
    assert pace.rate == pytest.approx(96.0)


def test_a_larger_quota_than_thought_may_be_begun_with_its_own_burst() -> None:
    """The first answer tells it; what was sent before counts, and nothing is caught up after a refusal."""

    def begun(pace: Pace) -> int:
        sent = 0
        while pace.take(0.0) == 0.0:
            sent += 1
        return sent

    small, large = Pace(Quota("small", 300, 60.0)), Pace(Quota("large", 1200, 60.0))
    some = begun(small)
    small.told(0.0, 20.0)
    assert some + begun(small) == begun(large) == 36
    refused = Pace(Quota("small", 300, 60.0))
    refused.take(0.0)
    refused.refused(0.0, 0.0, jitter=0.5)
    refused.told(0.0, 20.0)
    assert refused.take(1.0) == 0.0
    refused.answered(1.0, 1.0)
    assert refused.take(1.0) > 0.0


@pytest.mark.parametrize("seed", range(5))
def test_whoever_stalls_catches_up_and_no_window_sees_too_much(seed: int) -> None:
    """Batches of 20 in windows of ten seconds, sent by a process that now and then stands still."""
    pace, rng, now = Pace(Quota("units", 3500, 10.0)), random.Random(seed), 0.0
    sent: list[float] = []
    while now < 60.0:
        wait = pace.take(now, 20)
        if wait == 0.0:
            sent.append(now)
        now += wait or rng.choice([0.0] * 150 + [0.9])
    for at in sent:
        assert 20 * sum(at <= other < at + 10.3 for other in sent) <= 0.99 * 3500
    assert 20 * len(sent) >= 0.94 * 350 * 60, "what a stall left over is not lost"
    few = Pace(Quota("reports", 5, 10.0))
    now, told = 0.0, []
    while now < 100.0:
        wait = few.take(now)
        told += [now] if wait == 0.0 else []
        now += wait
    assert len(told) >= 45, "the last of few may be sent too"
    assert all(sum(at <= other < at + 10.0 for other in told) <= 5 for at in told)


def test_nothing_is_sent_while_none_are_left_and_a_probe_that_says_so_is_no_dead_end() -> None:
    pace = Pace(QUOTA)
    assert pace.take(0.0) == 0.0
    pace.told(0.0, 40.0, 20.0)
    assert pace.take(5.0) == pytest.approx(15.0)
    assert pace.take(20.0) == 0.0
    pace.refused(20.0, 20.0, retry_after_s=10.0)
    assert pace.take(30.0) == 0.0  # the probe
    pace.told(30.5, 40.0, 25.0)  # its own answer says that it was the last one
    pace.answered(30.5, 30.0)
    assert pace.take(40.0) == pytest.approx(15.5)
    assert pace.take(55.5) == 0.0
