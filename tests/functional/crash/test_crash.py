"""A worker dies at any call it makes, and its message is delivered again: the end is the same.

Every call to the table and to the provider is a place to die: before the call has its effect, or after it
(the effect is there, the reply never came). A third way is a lost reply with a worker that lives: the SDK
sends a write again, so the table sees it twice.

The message is carried out once. At each of its calls this process forks, and the worker dies in the copy:
what came before need not be done again for every place. `make test` lets it die at every fourth
place of the long messages and at every one of the others; `make prove` at every place of all.
"""

import os
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from lantern.domain.errors import LeaseLostError, RevisionConflictError
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.functional.crash import playing
from tests.functional.crash.scenarios import SCENARIOS, Scenario, outcome
from tests.support.audited import audited
from tests.support.google_world import GoogleWorld
from tests.support.lab import Crash, Lab, make_lab

Mode = Literal["before", "after", "twice"]
LONG = ("first_run", "later_run", "changes", "use", "revoke")
PLAYED = tuple(make.__name__ for make in playing.PLAYED if make is not playing.webhook_delivery)
EVERY = dict.fromkeys(LONG, 4) | dict.fromkeys(PLAYED, 4)
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
    """Notes a worker's calls; at each one copies of this process go on with a worker that dies there.

    Args:
        every: At which places: all (1), or each second, third … one.

    Attributes:
        names: the calls so far.
        found: how it ended by call number, way to die, and the call's name: an outcome, or why there is none.
        report: in a copy, where to write the end to; `None` in the process that began.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._places = 0
        self.names: list[str] = []
        self.found: dict[tuple[int, Mode, str], Any] = {}
        self.report: int | None = None

    def table(self, name: str, _params: Any, run: Callable[[], Any]) -> Any:
        return self._call(name, run)

    def network(self, what: str, run: Callable[[], Any]) -> Any:
        return self._call(what, run)

    def _call(self, name: str, run: Callable[[], Any]) -> Any:
        if self.report is not None:
            return run()
        self.names.append(name)
        for mode in ways(name):
            self._places += 1
            if self._places % self._every == 0 and self._copied((len(self.names), mode, name)):
                return _dying(mode, run)
        return run()

    def _copied(self, place: tuple[int, Mode, str]) -> bool:
        """Fork; true in the copy, and in the original what the copy reported is kept."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self.report = writer
            return True
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        self.found[place] = pickle.loads(said) if status == 0 else f"the copy ended with {status}"
        return False

    def tell(self, end: Callable[[], Any]) -> None:
        """In a copy: report the end, and be gone without a trace."""
        assert self.report is not None
        try:
            try:
                said = end()
            except BaseException:
                said = traceback.format_exc()
            with os.fdopen(self.report, "wb") as pipe:
                pipe.write(pickle.dumps(said))
            os._exit(0)
        finally:
            os._exit(1)


def _dying(mode: Mode, run: Callable[[], Any]) -> Any:
    if mode == "before":
        raise Crash
    first = run()
    if mode == "after":
        raise Crash
    return run() or first


def ways(name: str) -> Iterator[Mode]:
    """The ways to die at a call that differ: a read has no effect to have or not to have."""
    yield "before"
    if name.split(maxsplit=1)[0] not in READS:
        yield "after"
        if "/" not in name:
            yield "twice"


def prepared(world: GoogleWorld, knowledge: Knowledge, scenario: Scenario) -> tuple[Lab, Any]:
    """A new world, and the message."""
    world.begin(11, employees=4, grants_per_user=2, events_per_user_day=0)
    lab = make_lab(world, knowledge, 11)
    return lab, scenario.prepare(lab)


def carried_out(lab: Lab, scenario: Scenario, work: Any, calls: Calls) -> dict[str, Any]:
    """The message, again if its worker died, and everything that follows; returns what is true then."""
    lab.dynamo.tap, lab.world.adapter.tap = calls.table, calls.network
    try:
        lab.do(work, MESSAGE)
    except Crash:
        lab.dynamo.tap = lab.world.adapter.tap = None
        # The dispatcher has it delivered again after a pause of seconds, long before a lease would expire.
        lab.clock.forward(seconds=8)
        try:
            lab.do(work, MESSAGE)
        except (LeaseLostError, RevisionConflictError):
            # What it held when it died is held for half a minute: the message comes once more.
            lab.clock.forward(seconds=32)
            lab.do(work, MESSAGE)
    lab.dynamo.tap = lab.world.adapter.tap = None
    scenario.after(lab)
    assert lab.store.audit.verify() is None
    assert audited(lab.store.audit.entries())
    return outcome(lab)


# Newer Pythons warn of copies of processes with threads; the copies here use none, and wait for none.
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@forks
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_the_end_is_the_same(world: GoogleWorld, knowledge: Knowledge, scenario: Scenario) -> None:
    same_end(world, knowledge, scenario, Calls(EVERY.get(scenario.name, 1)))


@forks
@pytest.mark.prove
@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name in LONG + PLAYED], ids=lambda s: s.name)
def test_the_end_is_the_same_wherever_it_dies(
    world: GoogleWorld, knowledge: Knowledge, scenario: Scenario
) -> None:
    same_end(world, knowledge, scenario, Calls(1))


def same_end(world: GoogleWorld, knowledge: Knowledge, scenario: Scenario, calls: Calls) -> None:
    """Every death that `calls` makes, after which all is as without one."""
    lab, work = prepared(world, knowledge, scenario)
    try:
        expected = carried_out(lab, scenario, work, calls)
    except BaseException:
        if calls.report is not None:
            calls.tell(traceback.format_exc)
        raise
    if calls.report is not None:
        calls.tell(lambda: expected)

    wrong = {}
    assert len(calls.found) > 5
    for place, found in calls.found.items():
        if isinstance(found, str):
            wrong[place] = found
        elif found != expected:
            wrong[place] = {k: (expected[k], found[k]) for k in expected if expected[k] != found[k]}
    assert not wrong, "\n".join(f"{place}: {parts}" for place, parts in wrong.items())
