"""No false revocation, ever; and at rest the store says what the provider says.

Under any mix of refusals, errors, timeouts, cut bodies, outages, crashes, races and reordered, doubled and
lost messages a removal is stored only if the provider was without the grant at some instant between the start
of the read and the write. The provider is the simulator (in this process, without sockets), the connector and
services are the real ones, the table is the one in memory that passes the store's contract.

A failure prints its seed; `LANTERN_SEED=<seed>` runs that one alone.
"""

import os
from collections.abc import Iterator

import pytest

from lantern.connectors.google import connector
from lantern.domain.inventory import Observation
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from lantern.store import documents
from scripts.build.checkout import shipped_content
from tests.property.machine import Plan, execute, plan, shorten
from tests.support.google_world import GoogleWorld

STEPS_A_RUN = 250
RUNS = 5
GROUPS = 8
PROVED_RUNS = 10_000
PROVED_STEPS = 59
"""Fewer than `REST_EVERY`: a run comes to rest once, at its end."""


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


@pytest.fixture(scope="module")
def world() -> Iterator[GoogleWorld]:
    """The simulator; every run has an organisation of its own in it."""
    with GoogleWorld.make().closing() as made:
        yield made


def run(world: GoogleWorld, knowledge: Knowledge, seed: int, steps: int) -> tuple[int, int]:
    """One run; returns how many bundles and removals were written."""
    whole = plan(seed, steps)
    try:
        lab = execute(world, knowledge, seed, whole)
    except Exception as error:
        kind = type(error)

        def fails(shorter: Plan) -> bool:
            try:
                execute(world, knowledge, seed, shorter)
            except kind:
                return True
            except Exception:
                return False
            return False

        short = shorten(fails, whole) if os.environ.get("LANTERN_SEED") else whole[:0]
        pytest.fail(f"LANTERN_SEED={seed}: {type(error).__name__}: {error}\nshortest plan: {short}")
    return lab.writes, lab.removals


@pytest.mark.parametrize("group", range(GROUPS))
def test_ten_thousand_steps(world: GoogleWorld, knowledge: Knowledge, group: int) -> None:
    chosen = os.environ.get("LANTERN_SEED")
    seeds = [int(chosen)] if chosen else range(group * RUNS, (group + 1) * RUNS)
    totals = [run(world, knowledge, seed, STEPS_A_RUN) for seed in seeds]
    # The machine must have had something to get wrong.
    assert all(writes > 20 for writes, _ in totals)
    assert sum(removals for _, removals in totals) > 5


def all_runs(world: GoogleWorld, knowledge: Knowledge) -> None:
    """All of the ten thousand steps, until one fails."""
    for seed in range(RUNS * GROUPS):
        execute(world, knowledge, seed, plan(seed, STEPS_A_RUN))


def test_an_outage_read_as_nothing_granted_is_noticed(
    world: GoogleWorld, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof has teeth: one line that takes failure for emptiness is found."""
    monkeypatch.setattr(connector, "unread", lambda account, _error: Observation(account, ()))
    with pytest.raises(AssertionError, match="FALSE REVOCATION"):
        all_runs(world, knowledge)


def test_a_write_on_no_revision_is_noticed(
    world: GoogleWorld, knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the condition, a slow worker stores what the provider said before another one looked."""
    monkeypatch.setattr(documents, "_expect", lambda _rev: None)
    with pytest.raises(AssertionError):
        all_runs(world, knowledge)


@pytest.mark.prove
@pytest.mark.parametrize("group", range(100))
def test_ten_thousand_runs(world: GoogleWorld, knowledge: Knowledge, group: int) -> None:
    size = PROVED_RUNS // 100
    for seed in range(1_000_000 + group * size, 1_000_000 + (group + 1) * size):
        run(world, knowledge, seed, PROVED_STEPS)
