"""Carry a run on: every target through the steps it can pass now, each step's effect named by what it is for.

What is stored after each effect is enough to go on from: a message that comes twice, or after a crash, meets
the jobs and questions that were made. Targets move forward only, so one pass over the steps is all there is.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lantern.connectors.protocol import Clock
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import RevisionConflictError
from lantern.domain.ids import RandomBytes
from lantern.domain.playbooks import machine
from lantern.domain.playbooks.machine import PlaybookRun, RunTarget
from lantern.domain.playbooks.model import Step, StepKind
from lantern.services.playbooks.requests import CHAIN_OWNER
from lantern.services.playbooks.steps import Comes, Context, Handler, Said, handlers
from lantern.services.playbooks.stopping import stop
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

LEASE_TTL_S: Final = 960
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Playing:
    """One message's tools."""

    store: TenantStore
    clock: Clock
    random: RandomBytes
    message_id: str


def advance(task: Playing, run_id: str) -> PlaybookRun | None:
    """Do what can be done about a run now; one worker at a time.

    Returns:
        The run as it stands; None where it does not exist.

    Raises:
        LeaseLostError: another worker has it; what the message says may be new to that one, so come again.
    """
    store, now = task.store, task.clock.now()
    if store.playbooks.get(run_id) is None:
        return None
    lease = store.leases.acquire(CHAIN_OWNER, run_id, task.message_id, LEASE_TTL_S, now)
    try:
        run = store.playbooks.get(run_id)
        if run is None or run.state == "proposed":
            return run
        if run.state == "cancelled":
            return stop(store, run, now)
        return run if not run.open else _Pass(task, run).go()
    finally:
        store.leases.release(CHAIN_OWNER, run_id, lease)


class _Pass:
    """One pass over the steps of a run."""

    def __init__(self, task: Playing, run: PlaybookRun) -> None:
        self._task = task
        self._run = run
        self._targets = {one.target_id: one for one in task.store.playbooks.targets(run.id)}
        self._handlers: Mapping[StepKind, Handler] = handlers()
        self._before = dict(self._targets)

    def go(self) -> PlaybookRun:
        """Pass every step once, then note how the run stands."""
        for step in self._run.book.steps:
            if self._cancelled():
                return self._run
            self._leave_out(step)
            self._begin(step)
            self._hear(step)
        return self._note()

    def _at(self, step: Step, phase: str) -> list[RunTarget]:
        return [one for one in self._targets.values() if one.step == step.id and one.phase == phase]

    def _leave_out(self, step: Step) -> None:
        """Targets that the step has nothing to do with pass it; that needs no writing of its own."""
        for one in self._at(step, "ready"):
            if not step.concerns(one.kind):
                self._targets[one.target_id] = machine.passed_by(self._run.book, one, self._now())

    def _begin(self, step: Step) -> None:
        now, ready = self._now(), []
        acted = {one.target_id for one in self._targets.values() if _acted(self._run, one)}
        barred: dict[str, Said] = {}
        for one in self._at(step, "ready"):
            gate = machine.gate(self._run, step, now, len(acted - {one.target_id}), target=one)
            if gate.open:
                ready.append(one)
                acted |= {one.target_id} if step.kind == "act" else set()
            elif gate.never:
                barred[one.target_id] = Comes("skipped", f"It may not be done: {gate.why}.")
        if barred:
            self._store(barred)
        if ready:
            self._store(self._handlers[step.kind].enter(self._context(step), ready))

    def _hear(self, step: Step) -> None:
        waiting = self._at(step, "waiting")
        if waiting:
            self._store(self._handlers[step.kind].poll(self._context(step), waiting))

    def _store(self, said: Mapping[str, Said]) -> None:
        """Note what was said of each target, one write each and only where something changed."""
        for target_id, one in said.items():
            target = self._targets[target_id]
            if isinstance(one, Comes):
                changed = machine.moved(self._run.book, target, one.answer, self._now(), one.detail)
            else:
                changed = machine.entered(target, one.due, one.ref)
            if changed != target:
                self._targets[target_id] = self._task.store.playbooks.put_target(changed)

    def _note(self) -> PlaybookRun:
        """The run with its counts; what was decided meanwhile stays decided."""
        store, now = self._task.store, self._now()
        for target_id, one in self._targets.items():
            if one != self._before[target_id] and one.rev == self._before[target_id].rev:
                self._targets[target_id] = store.playbooks.put_target(one)
        for attempt in range(_ATTEMPTS):
            current = store.playbooks.get(self._run.id)
            if current is None or not current.open:
                return self._run if current is None else self._over(current)
            # Approved meanwhile, it is due at once: what is settled is the run as it was decided.
            settled = machine.settle(current, self._targets.values(), now)
            if settled == current:
                return current
            unit = store.transact(now).put(store.playbooks.op(settled))
            if settled.state == "done":
                counts = {name: str(count) for name, count in sorted(settled.counts.items())}
                told = {"for": settled.requested_by, **counts, **change(current.state, settled.state)}
                unit.audit(AuditEvent("system", "playbook.finished", settled.id, told))
            try:
                unit.commit()
            except RevisionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return replace(settled, rev=current.rev + 1)
        raise AssertionError("unreachable")

    def _cancelled(self) -> bool:
        """Whether the run was cancelled since; what was decided meanwhile holds from the next step on."""
        current = self._task.store.playbooks.get(self._run.id)
        if current is not None:
            self._run = current
        if not self._run.open:
            self._run = self._over(self._run)
        return not self._run.open

    def _over(self, run: PlaybookRun) -> PlaybookRun:
        """The run ended by a decision while we were at it: what we began meanwhile is ended with it."""
        return stop(self._task.store, run, self._now()) if run.state == "cancelled" else run

    def _context(self, step: Step) -> Context:
        everyone = tuple(self._targets.values())
        return Context(self._task.store, self._run, step, self._task.clock, self._task.random, everyone)

    def _now(self) -> datetime:
        return self._task.clock.now()


def _acted(run: PlaybookRun, target: RunTarget) -> bool:
    """Whether an act has begun for a target."""
    acts = {one.id for one in run.book.steps if one.kind == "act"}
    waits = target.phase == "waiting" and target.step in acts
    return waits or any(mark.step in acts for mark in target.trail)
