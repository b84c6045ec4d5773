"""Do many calls at once: as many threads as pace times latency asks for (Little's law), no more."""

import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Generic, TypeVar

from lantern.connectors.halt import Halt

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")

_BACKLOG = 256


class _Crew(Generic[T, A, R]):
    """Threads that take items in turn. One always waits for admission; when it gets it, another comes."""

    def __init__(
        self,
        items: Iterable[T],
        admit: Callable[[], A | None],
        work: Callable[[T, A], R],
        cap: int,
        halt: Halt,
        backlog: int,
    ) -> None:
        self._items = iter(items)
        self._left = len(items) if isinstance(items, Sized) else math.inf
        self._source = threading.Lock()
        self._admit = admit
        self._work = work
        self._cap = cap
        self._halt = halt
        self._lock = threading.Lock()
        self._alive = 0
        self._waiting = 0
        self.results: queue.Queue[R | BaseException | None] = queue.Queue(backlog)

    def ensure_waiter(self) -> bool:
        """Start a thread unless one is waiting already, nothing is left to do, or the crew is full.

        Whether one was started.
        """
        with self._lock:
            if self._waiting or not self._left or self._alive >= self._cap or self._halt.passed():
                return False
            self._alive += 1
            self._waiting += 1
        try:
            threading.Thread(target=self._run, name="fan-out", daemon=True).start()
        except RuntimeError:  # no more threads to be had: those we have must do
            with self._lock:
                self._alive -= 1
                self._waiting -= 1
                if not self._alive:
                    raise
            return False
        return True

    def _run(self) -> None:
        waiting = True  # whoever started us counted us
        try:
            while True:
                if not waiting:
                    with self._lock:
                        self._waiting += 1
                    waiting = True
                taken = self._take()
                with self._lock:
                    self._waiting -= 1
                waiting = False
                if taken is None:
                    return
                self.ensure_waiter()
                self.results.put(self._work(*taken))
        except BaseException as error:
            self._halt.call()
            self.results.put(error)
        finally:
            with self._lock:
                self._waiting -= waiting
                self._alive -= 1
                last = not self._alive
            if last:
                self.results.put(None)

    def _take(self) -> tuple[T, A] | None:
        with self._source:  # an iterator serves one at a time, and may wait for what comes
            if not self._left or self._halt.passed():
                return None
            try:
                item = next(self._items)
            except StopIteration:
                self._left = 0
                return None
            self._left -= 1
        admission = self._admit()
        return None if admission is None else (item, admission)

    def drain(self) -> None:
        """Stop, and wait for calls in flight."""
        self._halt.call()
        while self.results.get() is not None:
            pass


def fan_out(
    items: Iterable[T],
    admit: Callable[[], A | None],
    work: Callable[[T, A], R],
    *,
    halt: Halt,
    cap: int,
    backlog: int = _BACKLOG,
) -> Iterator[R]:
    """Apply `work` to every item, each after its `admit`, and yield results as they come.

    Stops quietly when `admit` says None. The first exception of `work` stops everything and is raised.
    With a cap of 1, or a single item, all happens in the caller's thread, in order.

    Args:
        items: what to do; an iterator may wait for what comes, it is asked by one thread at a time.
        admit: waits for the right to do one more; None to stop.
        work: does one, with its admission.
        halt: stops the crew; it is called when the consumer goes away.
        cap: most threads at once.
        backlog: most results that wait for the consumer; threads pause beyond it.
    """
    if cap <= 1 or (isinstance(items, Sized) and len(items) <= 1):
        for item in items:
            admission = None if halt.passed() else admit()
            if admission is None:
                return
            yield work(item, admission)
        return
    crew = _Crew(items, admit, work, cap, halt, backlog)
    finished = not crew.ensure_waiter()
    try:
        while not finished:
            result = crew.results.get()
            if result is None:
                finished = True
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        if not finished:
            crew.drain()
