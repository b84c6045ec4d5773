"""As many threads as the work asks for, and none left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from lantern.connectors.fanout import fan_out
from lantern.connectors.halt import Halt


class Wall:
    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Gauge:
    """Counts how many are inside at once; everybody waits until `wanted` are, or nobody else can come."""

    def __init__(self, wanted: int) -> None:
        self.inside = self.peak = 0
        self._wanted = wanted
        self._changed = threading.Condition()

    def enter(self, item: int, admission: str) -> int:
        with self._changed:
            self.inside += 1
            self.peak = max(self.peak, self.inside)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.peak >= self._wanted, 5)
            self.inside -= 1
        return item


def ours() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "fan-out"]


@pytest.fixture(autouse=True)
def nothing_left_behind():
    yield
    for thread in ours():
        thread.join(5)
    assert ours() == []


def test_threads_grow_to_what_is_in_flight_and_no_further() -> None:
    gauge = Gauge(wanted=20)
    results = list(fan_out(range(60), lambda: "go", gauge.enter, halt=Halt(Wall()), cap=20))
    assert sorted(results) == list(range(60))
    assert gauge.peak == 20


def test_fast_work_needs_few_threads() -> None:
    admitted = threading.Semaphore(0)
    names = set()

    def admit() -> str:
        admitted.acquire()
        return "go"

    def work(item: int, admission: str) -> int:
        names.add(threading.get_ident())
        return item

    results = []
    admitted.release()
    for result in fan_out(range(200), admit, work, halt=Halt(Wall()), cap=50):
        results.append(result)
        admitted.release()
    for _ in range(10):
        admitted.release()
    assert sorted(results) == list(range(200))
    assert len(names) < 25


@pytest.mark.parametrize("broken", [0, 5, 59])
def test_the_first_error_stops_all_and_is_raised(broken: int) -> None:
    def work(item: int, admission: str) -> int:
        if item == broken:
            raise KeyError("broken")
        return item

    for _ in range(50):
        halt = Halt(Wall())
        with pytest.raises(KeyError, match="broken"):
            list(fan_out(range(60), lambda: "go", work, halt=halt, cap=8))
        assert halt.passed()


def test_a_consumer_that_goes_away_stops_the_crew() -> None:
    done = []
    results = fan_out(range(10_000), lambda: "go", lambda i, _: done.append(i) or i, halt=Halt(Wall()), cap=8)
    next(results)
    results.close()
    assert ours() == []
    assert len(done) < 10_000


def test_no_admission_ends_quietly() -> None:
    left = iter(range(7))
    admitted = list(fan_out(range(100), lambda: next(left, None), lambda i, a: a, halt=Halt(Wall()), cap=4))
    assert sorted(admitted) == list(range(7))


@pytest.mark.parametrize(("items", "cap"), [(range(5), 1), (range(1), 50), (range(0), 50)])
def test_small_work_is_done_in_order_without_threads(items: range, cap: int) -> None:
    here = threading.get_ident()
    results = list(
        fan_out(items, lambda: "go", lambda i, _: (i, threading.get_ident()), halt=Halt(Wall()), cap=cap)
    )
    assert results == [(i, here) for i in items]


def test_an_iterator_is_asked_as_work_goes_on_and_may_wait() -> None:
    """What comes next need not be there when the work begins."""
    came = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert came.wait(5), "the first result was not seen before the second item came"
        yield 2
        yield 3

    found = []
    for result in fan_out(items(), lambda: True, lambda item, _: item * 10, halt=Halt(Wall()), cap=4):
        found.append(result)
        came.set()
    assert sorted(found) == [10, 20, 30]
    assert list(fan_out(iter([1, 2]), lambda: True, lambda item, _: item, halt=Halt(Wall()), cap=1)) == [1, 2]


def test_stopped_before_it_began() -> None:
    halt = Halt(Wall())
    halt.call()
    assert list(fan_out(range(9), lambda: "go", lambda i, _: i, halt=halt, cap=4)) == []
