"""Steps that wait: for time, for an approval, for what reading again shows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lantern.domain.playbooks.machine import RunTarget, deadline
from lantern.services.playbooks.steps import Comes, Context, Handler, Said, Waits
from lantern.services.remediation.watching import asset_gone, grant_gone

LOOK_AGAIN: Final = timedelta(hours=6)


class _Wait:
    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        due = deadline(context.step, context.now)
        return {one.target_id: Waits(due) for one in targets}

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        return {one.target_id: Comes("over") for one in targets if one.due_at and one.due_at <= context.now}


class _Approve(_Wait):
    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        run, now = context.run, context.now
        if run.approval in ("approved", "declined"):
            return {one.target_id: Comes(run.approval, f"by {run.approved_by}") for one in targets}
        return {one.target_id: Comes("silence") for one in targets if one.due_at and one.due_at <= now}


class _Verify:
    """Held against what is stored, which discovery keeps reading."""

    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        return {one.target_id: Waits(context.now) for one in targets}

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        said: dict[str, Said] = {}
        for one in targets:
            if _gone(context, one):
                said[one.target_id] = Comes("verified", "Read again: it is gone.")
            elif context.now >= deadline(context.step, one.since):
                said[one.target_id] = Comes("still_there", "Read again: it is still there.")
            else:
                said[one.target_id] = Waits(min(context.now + LOOK_AGAIN, deadline(context.step, one.since)))
        return said


def _gone(context: Context, one: RunTarget) -> bool:
    if one.kind == "grant":
        return grant_gone(context.store, one.target_id)
    if one.kind == "asset":
        return asset_gone(context.store, one.target_id, one.principal_id)
    # Whether sessions ended or an app is disabled shows in no inventory: what the act saw is what is known.
    return any(mark.answer in ("verified", "already_gone") for mark in one.trail)


WAIT: Final[Handler] = _Wait()
APPROVE: Final[Handler] = _Approve()
VERIFY: Final[Handler] = _Verify()
