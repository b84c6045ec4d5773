"""Telling people and systems: one message of a step a day at most, with how many it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from lantern.domain.audit import AuditEvent
from lantern.domain.playbooks.machine import RunTarget
from lantern.services.playbooks.steps import Comes, Context, Handler, Said, Waits
from lantern.services.playbooks.steps.carrying import carry
from lantern.services.remediation.watching import RUN_ACTOR

QUIET: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Tell:
    """`action` is how the audit log calls it, `machine` whether it is for systems such as a tracker."""

    action: str
    machine: bool

    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        last = context.run.told.get(context.step.id)
        if last is not None and context.now < last + QUIET:
            return {one.target_id: Waits(last + QUIET) for one in targets}
        return self._tell(context, targets)

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        due = [one for one in targets if one.due_at is not None and one.due_at <= context.now]
        last = context.run.told.get(context.step.id)
        if due and last is not None and context.now < last + QUIET:
            # Told already, and we did not live to note it.
            return {one.target_id: Comes("told") for one in due}
        return self._tell(context, due) if due else {}

    def _tell(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        """One transaction: that it was told, its audit entry, and the messages themselves."""
        run, store, now = context.run, context.store, context.now
        told = replace(run, told={**run.told, context.step.id: now})
        detail = {"step": context.step.id, "targets": str(len(targets)), "first": targets[0].target_id}
        event = AuditEvent(f"{RUN_ACTOR}{run.id}", self.action, run.id, detail)
        unit = store.transact(now).put(store.playbooks.op(told)).audit(event)
        carry(context, unit, targets, machine=self.machine)
        unit.commit()
        return {one.target_id: Comes("told") for one in targets}


NOTIFY: Final[Handler] = _Tell("playbook.notified", machine=False)
TICKET: Final[Handler] = _Tell("playbook.ticket", machine=True)
