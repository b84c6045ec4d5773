"""No run of a playbook exceeds its brakes, whatever happens to it and whenever its worker dies.

The whole engine over the table in memory: any brakes and window, any order of messages, sweeps, answers,
decisions, clocks that jump both ways, changes at the provider, and workers that die at any call to the table,
before or after it had its effect. What is held is what the provider was asked, at the moment it was.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import time
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lantern.connectors.protocol import Action, ActionResult
from lantern.domain.errors import LanternError
from lantern.domain.jobs import Guards
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.playbooks.model import Playbook, Window
from lantern.domain.work import Work
from lantern.services import playbooks
from lantern.services.people.nudges import answer_nudge
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content
from tests.support.company import Company, make_company
from tests.support.memory_table import MemoryDynamo

NAMES = ("stale-grant-clean-up", "abused-app", "unsanctioned-app", "vendor-incident")
EVENTS = (
    *("message", "message", "message", "again", "sweep", "sweep", "hours", "days", "back"),
    *("keep", "revoke", "approve", "own", "decline", "cancel", "gone", "crash", "crash", "crash"),
)


class Died(BaseException):
    """The worker is gone."""


class Watching:
    """A connector before which a judge stands: every act is held against the brakes before it is done."""

    def __init__(self, inner: Any, judge: Callable[[Action], None]) -> None:
        self._inner, self._judge = inner, judge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def act(self, action: Action) -> ActionResult:
        self._judge(action)
        result: ActionResult = self._inner.act(action)
        return result


class World:
    """A company, one run, and everything that may happen to it."""

    def __init__(self, knowledge: Knowledge, book: Playbook, seed: int) -> None:
        self.dynamo = MemoryDynamo()
        self.company: Company = make_company(knowledge, self.dynamo)
        self.bench = self.company.bench
        self.bench.clock.forward(hours=seed % 24)
        self.book = book
        self.random = Random(seed)
        self.acted: set[tuple[str, str]] = set()
        self.allowed = False
        self.wishes: set[str] = set()
        self.bench.wrap = lambda connector: Watching(connector, self.judge)
        self.last: Work | None = None
        self.run: PlaybookRun | None = None
        self.planned = 0

    def start(self) -> bool:
        """Begin; False where a brake forbids it."""
        about = About(app_id=self.company.app("otter"))
        tools: Any = {"about": about, "requested_by": "key:a", "random": self.random.randbytes}
        now = self.bench.clock.now()
        tried = playbooks.start(self.bench.store, self.book, dry_run=True, now=now, **tools)
        plan = tried.run.plan
        assert plan is not None
        guards = self.book.guards
        over = guards.max_targets is not None and plan.targets > guards.max_targets
        # Of the five accounts that the first run listed.
        share = 100 * len({t.principal_id for t in tried.targets if t.principal_id}) / 5
        over |= guards.max_percent is not None and plan.targets > 1 and share > guards.max_percent
        assert bool(plan.refused_by) == over
        try:
            self.run = playbooks.start(self.bench.store, self.book, now=now, **tools).run
        except LanternError:
            assert over
            return False
        assert not over
        self.planned = plan.targets
        return True

    def judge(self, action: Action) -> None:
        """What must be true whenever a provider is asked to do anything."""
        run = self.stored()
        guards = self.book.guards
        assert run.plan is not None
        key = (action.native_id, action.client_id)
        self.acted.add(key)
        assert len(self.acted) <= self.planned
        assert guards.max_targets is None or len(self.acted) <= guards.max_targets
        if self.bench.world.principal_id(action.native_id) in self.wishes:
            return  # who was asked gives it up: that goes at once
        strict = self.book.asks_approval or run.plan.everyone or self.planned > (guards.approve_above or 0)
        assert not strict or self.allowed, "acted without an approval"
        pid = self.bench.world.principal_id(action.native_id)
        jobs = [one for one in self.bench.store.jobs.page(50).items if one.state == "running"]
        made = [
            job
            for job in jobs
            if any(
                one.target_id.startswith(f"gr_{pid.removeprefix('pri_')}") or not action.native_id
                for one in self.bench.store.jobs.actions(job.id)
            )
        ]
        assert made
        for one in made:
            # What begins, begins inside the window; what has begun is finished.
            assert self.book.window is None or self.book.window.opens(one.created_at) is None

    def stored(self) -> PlaybookRun:
        """The run as it is, past every fault."""
        tap, self.dynamo.tap = self.dynamo.tap, None
        try:
            assert self.run is not None
            found = self.bench.store.playbooks.get(self.run.id)
            assert found is not None
            return found
        finally:
            self.dynamo.tap = tap

    def happens(self, event: str, number: int) -> None:
        """One thing; what is refused is refused."""
        bench, run = self.bench, self.run
        assert run is not None
        match event:
            case "message" | "again" | "crash":
                self._message(event, number)
            case "sweep":
                self._attempt(Work(bench.store.tenant_id, "playbook.due"))
            case "hours" | "days":
                bench.clock.forward(**{event: number % 9 + 1})
            case "back":
                bench.clock.forward(hours=-(number % 30))
            case "keep" | "revoke":
                open_ = bench.store.nudges.page("open", 9).items
                if open_:
                    nudge, now = open_[number % len(open_)], bench.clock.now()
                    with suppress(LanternError):
                        answer_nudge(
                            *(bench.store, nudge.id, event), reason="r", via="api", by="per_x", now=now
                        )
                        if event == "revoke":
                            self.wishes.add(nudge.principal_id)
            case "approve" | "own":
                with suppress(LanternError):
                    by = "key:a" if event == "own" else "key:b"
                    playbooks.approve(bench.store, run.id, by, bench.clock.now())
                    assert by == "key:b", "approved by who asked"
                    self.allowed = True
            case "decline" | "cancel":
                decide = playbooks.decline if event == "decline" else playbooks.cancel
                with suppress(LanternError):
                    decide(bench.store, run.id, "key:c", bench.clock.now())
            case "gone":
                names = sorted(bench.world.accounts)
                bench.world.accounts[names[number % len(names)]].grants.clear()

    def _message(self, event: str, number: int) -> None:
        bench = self.bench
        bench.drain_outbox()
        if event == "again" and self.last is not None:
            work = self.last
        elif bench.sent:
            work = bench.sent.pop(number % len(bench.sent))
        else:
            return
        self.last = work
        if event != "crash":
            self._attempt(work)
            return
        left = number % 40

        def tap(_name: str, _params: Any, go: Callable[[], Any]) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                if number % 2:
                    go()
                raise Died
            return go()

        self.dynamo.tap = tap
        self._attempt(work, "dying")
        self.dynamo.tap = None
        bench.clock.forward(seconds=number % 1_000)
        self._attempt(work, "dying")

    def _attempt(self, work: Work, message: str | None = None) -> None:
        try:
            self.bench.do(work, message)
        except (LanternError, Died):
            self.bench.send(work)

    def rest(self) -> None:
        """Nothing dies any more and time passes: every run ends, and says what became of everybody."""
        self.dynamo.tap = None
        bench, run = self.bench, self.stored()
        if run.approval == "waiting" and run.open:
            playbooks.decline(bench.store, run.id, "key:c", bench.clock.now())
        for _ in range(150):
            for _ in range(60):
                bench.drain_outbox()
                if not bench.sent:
                    break
                self._attempt(bench.sent.pop(0))
            run = self.stored()
            if not run.open and run.due_at is None:
                break
            # A window may be open for two hours a week: the sweeps of the quarter hours meet it.
            left = (run.due_at - bench.clock.now()).total_seconds() if run.due_at else 86_400
            bench.clock.forward(seconds=max(60, min(left + 60, 86_400)))
            self._attempt(Work(bench.store.tenant_id, "outreach.due"))
            self._attempt(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
        assert not run.open, run
        targets = list(bench.store.playbooks.targets(run.id))
        assert len(targets) == self.planned
        for one in targets:
            steps = [mark.step for mark in one.trail]
            assert len(steps) == len(set(steps)), "a step twice"
            assert one.phase == "over", one
        of_jobs = [
            action.target_id
            for job in bench.store.jobs.page(50).items
            for action in bench.store.jobs.actions(job.id)
        ]
        assert len(of_jobs) == len(set(of_jobs)), "a target in two jobs"
        assert bench.store.audit.verify() is None


@st.composite
def tried(draw: st.DrawFn) -> tuple[str, Guards, Window | None, int, list[tuple[str, int]]]:
    """A playbook with brakes at their edges, and what happens."""
    guards = Guards(
        draw(st.sampled_from((None, 4, 5, 6, 7))),
        draw(st.sampled_from((None, 79.9, 80.0, 99.9, 100.0))),
        draw(st.sampled_from((None, 0, 4, 5, 6, 500))),
    )
    window = None
    if draw(st.booleans()):
        start = draw(st.integers(0, 21))
        days = tuple(draw(st.lists(st.sampled_from(("mon", "wed", "sun")), min_size=1, unique=True)))
        window = Window(days, time(start), time(start + 2), draw(st.sampled_from(("UTC", "Europe/Berlin"))))
    events = draw(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 999)), max_size=40))
    return draw(st.sampled_from(NAMES)), guards, window, draw(st.integers(0, 999)), events


@cache
def knowledge() -> Knowledge:
    """What a release ships."""
    return load_knowledge(shipped_content())


Tried = tuple[str, Guards, Window | None, int, list[tuple[str, int]]]
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)
# Each example is a world of its own: what fails is reported as it was found.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def held(one: Tried) -> None:
    name, guards, window, seed, events = one
    book = replace(knowledge().books.get(name), guards=guards, window=window)
    world = World(knowledge(), book, seed)
    if not world.start():
        return
    for event, number in events:
        world.happens(event, number)
    world.rest()


@settings(max_examples=12, deadline=None, suppress_health_check=QUIET, phases=PHASES)
@given(one=tried())
def test_no_run_exceeds_its_brakes(one: Tried) -> None:
    held(one)


@pytest.mark.prove
@settings(max_examples=1_500, deadline=None, suppress_health_check=QUIET, phases=PHASES)
@given(one=tried())
def test_no_run_exceeds_its_brakes_however_long_one_tries(one: Tried) -> None:
    held(one)
