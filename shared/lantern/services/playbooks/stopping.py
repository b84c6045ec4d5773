"""A cancelled run: its jobs are cancelled, its questions taken back, and its targets ended."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from lantern.domain.actors import RUN_ACTOR
from lantern.domain.errors import ConflictError
from lantern.domain.playbooks import machine
from lantern.domain.playbooks.machine import PlaybookRun, RunTarget
from lantern.services.people.nudges import withdraw_nudge
from lantern.services.remediation import requests
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

AGAIN: Final = timedelta(minutes=15)
"""When to look again at what a provider was being asked while the run was cancelled."""
PATIENCE: Final = timedelta(days=1)
_STOPPED: Final = "The run was cancelled."


def stop(store: TenantStore, run: PlaybookRun, now: datetime) -> PlaybookRun:
    """End what a cancelled run left open; it stays due until nothing is. Safe to repeat.

    What was done before stays done and is told as such; a target that a provider is being asked about at
    this moment waits for the answer.

    Raises:
        RevisionConflictError: another worker is at it.
    """
    targets = list(store.playbooks.targets(run.id))
    _call_off(store, run, targets, now)
    ended = [_ended(store, run, one, now) for one in targets]
    for before, after in zip(targets, ended, strict=True):
        if after != before:
            store.playbooks.put_target(after)
    busy = any(one.phase != "over" for one in ended)
    settled = replace(run, counts=machine.counted(ended), due_at=now + AGAIN if busy else None)
    if settled != run:
        store.transact(now).put(store.playbooks.op(settled)).commit()
        settled = replace(settled, rev=run.rev + 1)
    return settled


def _call_off(store: TenantStore, run: PlaybookRun, targets: Iterable[RunTarget], now: datetime) -> None:
    """Cancel open jobs, and take back the questions that this very run asked."""
    by, kinds = run.cancelled_by or "system", _kinds(run)
    waiting = [one for one in targets if one.phase == "waiting" and one.ref]
    for ref in sorted({one.ref or "" for one in waiting if kinds[one.step] == "act"}):
        job = store.jobs.get(ref)
        if job is not None and job.open:
            _unless_over(partial(requests.cancel, store, ref, by, now))
    for ref in sorted({one.ref or "" for one in waiting if kinds[one.step] == "nudge"}):
        nudge = store.nudges.get(ref)
        if nudge is not None and nudge.open and nudge.origin.startswith(f"{RUN_ACTOR}{run.id}."):
            _unless_over(partial(withdraw_nudge, store, ref, by=by, now=now))


def _ended(store: TenantStore, run: PlaybookRun, one: RunTarget, now: datetime) -> RunTarget:
    if one.phase == "over":
        return one
    action = None
    if one.phase == "waiting" and one.ref and _kinds(run)[one.step] == "act":
        action = store.jobs.action(one.ref, one.target_id)
    if action is None or action.state == "planned":
        return machine.ended(one, "cancelled", now, _STOPPED)
    asked = action.state == "applied" and action.asking
    if asked and now - (run.finished_at or now) < PATIENCE:
        return replace(one, due_at=now + AGAIN)
    return machine.ended(one, action.state, now, action.detail or _STOPPED)


def _kinds(run: PlaybookRun) -> Mapping[str, str]:
    return {one.id: one.kind for one in run.book.steps}


def _unless_over(do: Callable[[], object]) -> None:
    try:
        do()
    except ConflictError:
        log.info("it was over already")
