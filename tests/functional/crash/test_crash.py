"""A worker dies at any call it makes, and its message is delivered again: the end is the same.

Every call to the table and to the provider is a place to die: before the call has its effect, or after it
(the effect is there, the reply never came). A third way is a lost reply with a worker that lives: the SDK
sends a write again, so the table sees it twice.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.functional.crash.scenarios import SCENARIOS, Scenario, outcome
from tests.support.google_world import GoogleWorld
from tests.support.lab import Crash, Lab, make_lab

Mode = Literal["before", "after", "twice"]
READS = ("GET", "GetItem", "Query", "BatchGetItem")
MESSAGE = "message-that-comes-again"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture(scope="module")
def world() -> Iterator[GoogleWorld]:
    """The simulator."""
    with GoogleWorld.make().closing() as made:
        yield made


class Calls:
    """Counts a worker's calls, and ends it at one of them."""

    def __init__(self, at: int = 0, mode: Mode = "before") -> None:
        self.names: list[str] = []
        self._at = at
        self._mode = mode

    def table(self, name: str, _params: Any, run: Callable[[], Any]) -> Any:
        return self._call(name, run)

    def network(self, what: str, run: Callable[[], Any]) -> Any:
        return self._call(what, run)

    def _call(self, name: str, run: Callable[[], Any]) -> Any:
        self.names.append(name)
        if len(self.names) != self._at:
            return run()
        if self._mode == "before":
            raise Crash
        first = run()
        if self._mode == "after":
            raise Crash
        return run() or first


def prepared(world: GoogleWorld, knowledge: Knowledge, scenario: Scenario) -> tuple[Lab, Any]:
    """A new world, and the message."""
    world.begin(11, employees=4, grants_per_user=2, events_per_user_day=0)
    lab = make_lab(world, knowledge, 11)
    return lab, scenario.prepare(lab)


def carried_out(lab: Lab, work: Any, calls: Calls) -> None:
    """The message, again if its worker died, and everything that follows."""
    lab.dynamo.tap, lab.world.adapter.tap = calls.table, calls.network
    try:
        lab.do(work, MESSAGE)
    except Crash:
        lab.dynamo.tap = lab.world.adapter.tap = None
        # The dispatcher has it delivered again after a pause of seconds, long before a lease would expire.
        lab.clock.forward(seconds=8)
        lab.do(work, MESSAGE)
    lab.dynamo.tap = lab.world.adapter.tap = None
    lab.settle()


def places(names: list[str]) -> Iterator[tuple[int, Mode]]:
    """Every call and way to die there that differ: a read has no effect to have or not to have."""
    for at, name in enumerate(names, 1):
        yield at, "before"
        if name.split()[0] not in READS:
            yield at, "after"
            if "/" not in name:
                yield at, "twice"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_the_end_is_the_same(world: GoogleWorld, knowledge: Knowledge, scenario: Scenario) -> None:
    lab, work = prepared(world, knowledge, scenario)
    calls = Calls()
    carried_out(lab, work, calls)
    expected = outcome(lab)
    assert lab.store.audit.verify() is None

    wrong = {}
    for at, mode in places(calls.names):
        lab, work = prepared(world, knowledge, scenario)
        carried_out(lab, work, Calls(at, mode))
        found = outcome(lab)
        assert lab.store.audit.verify() is None
        if found != expected:
            parts = {k: (expected[k], found[k]) for k in expected if expected[k] != found[k]}
            wrong[at, mode, calls.names[at - 1]] = parts
    assert not wrong, "\n".join(f"{place}: {parts}" for place, parts in wrong.items())
