"""Telling people and systems: one message of a step a day at most, with how many it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.actors import RUN_ACTOR
from lantern.domain.audit import NOTHING, AuditEvent, change
from lantern.domain.playbooks.machine import RunTarget
from lantern.services.playbooks.steps import Comes, Context, Handler, Said, Waits
from lantern.services.playbooks.steps.act import ASK_AGAIN
from lantern.services.playbooks.steps.carrying import carry, full_until

QUIET: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Tell:
    """`action` is how the audit log calls it, `machine` whether it is for systems such as a tracker."""

    action: str
    machine: bool

    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        return {one.target_id: Waits(context.now) for one in targets}

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        last = context.run.told.get(context.step.id)
        # Whoever was here when it was told was in the message, whether or not we lived to note it.
        said: dict[str, Said] = {
            one.target_id: Comes("told") for one in targets if last is not None and last >= one.since
        }
        left = [one for one in targets if one.target_id not in said]
        if not left:
            return said
        until = self._holds(context, left, last) or full_until(context, machine=self.machine)
        if until is not None:
            return said | {one.target_id: Waits(until) for one in left}
        return said | self._tell(context, left)

    @staticmethod
    def _holds(context: Context, left: Sequence[RunTarget], last: datetime | None) -> datetime | None:
        """Until when the message waits: for a day after the last one, or for jobs that will end soon."""
        if last is not None and context.now < last + QUIET:
            return last + QUIET
        steps = {one.id: one.kind for one in context.run.book.steps}
        busy = any(one.phase == "waiting" and steps[one.step] == "act" for one in context.everyone)
        if busy and context.now < min(one.since for one in left) + QUIET:
            return context.now + ASK_AGAIN
        return None

    def _tell(self, context: Context, targets: Sequence[RunTarget]) -> dict[str, Said]:
        """One transaction: that it was told, its audit entry, and the messages themselves."""
        run, store, now = context.run, context.store, context.now
        told = replace(run, told={**run.told, context.step.id: now})
        detail = {"step": context.step.id, "targets": str(len(targets)), "first": targets[0].target_id}
        detail |= change(run.told.get(context.step.id, NOTHING), now)
        event = AuditEvent(f"{RUN_ACTOR}{run.id}", self.action, run.id, detail)
        unit = store.transact(now).put(store.playbooks.op(told)).audit(event)
        carry(context, unit, targets, machine=self.machine)
        unit.commit()
        return {one.target_id: Comes("told") for one in targets}


NOTIFY: Final[Handler] = _Tell("playbook.notified", machine=False)
TICKET: Final[Handler] = _Tell("playbook.ticket", machine=True)
