"""How fast a provider may be asked: as fast as its quota allows, and no faster.

`Pace` is the decision (pure: it is told the time); `Limiter` waits for it among threads; `Limiters`
hands out one limiter per provider, tenant and quota, shared by everything in the process.
"""

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lantern.connectors.halt import Halt
from lantern.connectors.protocol import Clock, Quota

Random = Callable[[], float]
"""Source of uniform numbers in [0, 1), injected."""

_WHOLE = 1.0 - 1e-6  # a wait computed in floats may end a hair early, the more so long after the clock began


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a quota is approached; shares are of the quota, seconds are the provider's.

    `share` is the steady rate and `burst` what may be caught up at once (`catch_up_s` of it, where that is
    more). No window of the quota's length sees more than `share + burst` of it, not even one that is longer
    by `jitter` of it: calls that were let go evenly may arrive bunched. A refusal cuts the rate by `cut` and
    pauses for `pause_s`, doubled up to `pause_max_s` while single probes are refused too. Then the rate grows
    by `fast` a second, but by `slow` within `near` of the rate that was refused last.
    """

    share: float = 0.96
    burst: float = 0.03
    catch_up_s: float = 1.2
    jitter: float = 0.03
    floor: float = 0.02
    cut: float = 0.7
    fast: float = 0.01
    slow: float = 0.0005
    near: float = 0.1
    pause_s: float = 1.0
    pause_max_s: float = 32.0
    probe_poll_s: float = 0.1
    suspicion: float = 2.0
    forget: float = 0.8


class Pace:
    """The rate at which one quota is used: token bucket, additive increase, multiplicative decrease.

    Not safe for threads. All times are seconds on one monotonic clock.
    """

    def __init__(self, quota: Quota, tuning: Tuning | None = None) -> None:
        self._tuning = tuning or Tuning()
        self._full = quota.calls / quota.seconds
        self._seconds = quota.seconds
        self._tokens = max(1.0, self._tuning.burst * quota.calls)
        self._burst = max(self._tokens, self._tuning.catch_up_s * self._full)
        self._log: deque[tuple[float, int]] = deque()
        self._spent = 0
        self._at: float | None = None
        self._ceiling: float | None = None
        self._paused_until = float("-inf")
        self._spent_until = float("-inf")
        self._reacted_at = float("-inf")
        self._pauses = 0
        self._probing = False
        self._probe_out = False
        self._suspicion = 0.0
        self.rate = self._tuning.share * self._full

    def take(self, now: float, cost: int = 1) -> float:
        """Take the right to one call: 0.0 when it may go now, else seconds to wait before asking again.

        A call that costs more than what may be caught up at once is given when that much is there, and what
        comes after it waits the longer.
        """
        self._advance(now)
        held = max(self._paused_until, self._spent_until)
        if now < held:
            return held - now
        if self._probe_out:
            return self._tuning.probe_poll_s
        needed = min(float(cost), self._burst)
        if self._tokens < needed * _WHOLE:
            return (needed - self._tokens) / self.rate
        full = self._until_window_has(now, cost)
        if full > 0:
            return full
        self._log.append((now, cost))
        self._spent += cost
        self._tokens = max(needed - cost, self._tokens - cost)
        self._probe_out = self._probing
        return 0.0

    def _until_window_has(self, now: float, cost: int) -> float:
        """Seconds until so much may be sent without any window seeing too much."""
        tuning, log = self._tuning, self._log
        span = self._seconds * (1 + tuning.jitter)
        while log and log[0][0] <= now - span:
            self._spent -= log.popleft()[1]
        # Of few calls, which are whole, the last may be sent too.
        most = math.ceil((tuning.share + tuning.burst) * self._full * self._seconds)
        over = self._spent + cost - most
        for at, one in log:
            if over <= 0:
                break
            over -= one
            if over <= 0:
                return at + span - now
        return 0.0

    def answered(self, now: float, sent_at: float) -> None:
        """A call sent at `sent_at` ended without a refusal."""
        self._suspicion *= self._tuning.forget
        if self._probing and sent_at >= self._paused_until:
            self._probing = self._probe_out = False
            self._pauses = 0
            self._at = now

    def suspected(self, now: float, sent_at: float, *, jitter: float = 0.5) -> None:
        """An answer that may or may not be a refusal (503): believed when it comes in numbers."""
        self._suspicion += 1.0
        if self._suspicion >= self._tuning.suspicion or self._probing:
            self.refused(now, sent_at, jitter=jitter)
        else:
            self.answered(now, sent_at)

    def refused(
        self, now: float, sent_at: float, *, retry_after_s: float | None = None, jitter: float = 0.5
    ) -> None:
        """A call sent at `sent_at` was refused for lack of quota; `jitter` is uniform in [0, 1)."""
        tuning = self._tuning
        if sent_at < self._reacted_at:  # sent before we slowed down: this is old news
            return
        if not self._probing:
            self._advance(now)
            self._ceiling = self.rate
            self.rate = max(tuning.floor * self._full, self.rate * tuning.cut)
        pause = min(tuning.pause_max_s, tuning.pause_s * 2**self._pauses) * (0.5 + jitter)
        self._pauses += 1
        self._paused_until = now + max(pause, retry_after_s or 0.0)
        self._at = self._paused_until
        self._reacted_at = now
        self._tokens = 1.0
        self._probing, self._probe_out = True, False

    def told(self, now: float, full: float, reset_s: float | None = None) -> None:
        """The provider says how many calls a second are allowed; `reset_s`: none are left till then."""
        if full > 0 and full != self._full:
            self._advance(now)
            scale, self._full = full / self._full, full
            owed = self._burst - self._tokens  # what was taken stays taken, whatever the quota is
            self._burst = max(1.0, self._burst * scale)
            # After a refusal nothing is caught up at once.
            self._tokens = min(self._tokens if self._probing else self._burst - owed, self._burst)
            self.rate = min(self._tuning.share * full, self.rate * scale)
            self._ceiling = None if self._ceiling is None else self._ceiling * scale
        if reset_s is not None:
            # Not the pause of a refusal: that one ends with a probe, which may bring this very news.
            self._spent_until = max(self._spent_until, now + reset_s)

    def _advance(self, now: float) -> None:
        elapsed = max(0.0, now - (now if self._at is None else self._at))
        self._at = now if self._at is None else max(self._at, now)
        self._tokens = min(self._burst, self._tokens + elapsed * self.rate)
        near = (
            self._ceiling is not None and abs(self.rate - self._ceiling) <= self._tuning.near * self._ceiling
        )
        growth = self._tuning.slow if near else self._tuning.fast
        self.rate = min(self._tuning.share * self._full, self.rate + elapsed * growth * self._full)


@dataclass(slots=True)
class Tally:
    """What became of the calls under one limiter: how much of the quota was taken, how many were refused."""

    sent: int = 0
    refused: int = 0


class Limiter:
    """One quota's pace, shared by threads: one of them sleeps for the next call, the others queue."""

    def __init__(self, quota: Quota, clock: Clock, random: Random, tuning: Tuning | None = None) -> None:
        self._pace = Pace(quota, tuning)
        self._clock = clock
        self._random = random
        self._state = threading.Lock()
        self._turnstile = threading.Lock()
        self.tally = Tally()

    @property
    def rate(self) -> float:
        """Calls a second allowed at the moment."""
        return self._pace.rate

    def acquire(self, halt: Halt, cost: int = 1) -> float | None:
        """Wait for the right to one call; the time it was given, or None when told to stop first.

        `cost` is what the call takes of the quota. It is waited for as a whole: after a refusal one call at a
        time is let through, and one that took its share bit by bit would wait for itself.
        """
        with self._turnstile:
            while not halt.passed():
                with self._state:
                    now = self._clock.monotonic()
                    wait = self._pace.take(now, cost)
                    if wait <= 0.0:
                        self.tally.sent += cost
                        return now
                halt.sleep(wait)
        return None

    def answered(self, sent_at: float) -> None:
        """The call ended, not refused."""
        with self._state:
            self._pace.answered(self._clock.monotonic(), sent_at)

    def suspected(self, sent_at: float) -> None:
        """The call ended in a way that may be a refusal."""
        with self._state:
            self._pace.suspected(self._clock.monotonic(), sent_at, jitter=self._random())

    def told(self, full: float, reset_s: float | None) -> None:
        """The provider says how many calls a second are allowed, or that none are left for `reset_s`."""
        with self._state:
            self._pace.told(self._clock.monotonic(), full, reset_s)

    def refused(self, sent_at: float, retry_after_s: float | None) -> None:
        """The call was refused for lack of quota."""
        with self._state:
            self.tally.refused += 1
            self._pace.refused(
                self._clock.monotonic(), sent_at, retry_after_s=retry_after_s, jitter=self._random()
            )


@dataclass(slots=True)
class Limiters:
    """All limiters of a process, by (provider, tenant, quota name). Keep one for the process's life."""

    clock: Clock
    random: Random
    tuning: Tuning | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[tuple[str, str, str], Limiter] = field(default_factory=dict)

    def get(self, provider: str, tenant: str, quota: Quota) -> Limiter:
        """The limiter of this quota, made when first asked for."""
        key = (provider, tenant, quota.name)
        with self._lock:
            if key not in self._known:
                self._known[key] = Limiter(quota, self.clock, self.random, self.tuning)
            return self._known[key]
