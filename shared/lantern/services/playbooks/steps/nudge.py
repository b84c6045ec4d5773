"""Asking the person behind a target; the question, its caps and its expiry are those of every question."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, cast

from lantern.domain.actors import RUN_ACTOR
from lantern.domain.nudges import NudgeKind
from lantern.domain.playbooks.machine import RunTarget
from lantern.domain.playbooks.model import Step
from lantern.services.people.nudges import create_nudge
from lantern.services.playbooks.steps import Comes, Context, Handler, Said, Waits

ANSWERS: Final[Mapping[str, str]] = {
    "keep": "keep",
    "revoke": "revoke",
    "not_mine": "revoke",
    "switch": "revoke",
    "deleted": "done",
    "reconnected": "done",
    "acknowledged": "done",
    "rotated": "done",
}
"""What an answer of a person means to a playbook."""
_AFTER_DUE: Final = timedelta(minutes=1)


def kind_asked(step: Step) -> NudgeKind:
    """The question that a step asks."""
    return cast("NudgeKind", step.nudge)


class _Nudge:
    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        return {one.target_id: self._ask(context, one) for one in targets}

    def _ask(self, context: Context, one: RunTarget) -> Said:
        if one.kind != "grant" or not one.principal_id:
            return Comes("nobody", "There is nobody to ask.")
        run = context.run
        asked = create_nudge(
            context.store,
            kind=kind_asked(context.step),
            principal_id=one.principal_id,
            app_id=one.app_id,
            origin=f"{RUN_ACTOR}{run.id}.{context.step.id}",
            by=f"{RUN_ACTOR}{run.id}",
            now=context.now,
            random=context.random,
            silence="escalate",
            days=max(1, round(context.step.days)),
            note=run.reason,
        )
        if asked.nudge is None:
            return Comes("keep" if asked.refused == "excepted" else "nobody", str(asked.refused))
        return Waits(asked.nudge.next_at + _AFTER_DUE, asked.nudge.id)

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        said: dict[str, Said] = {}
        for one in targets:
            nudge = context.store.nudges.get(one.ref or "")
            if nudge is None or nudge.state == "withdrawn":
                said[one.target_id] = Comes("nobody", "The question was taken back.")
            elif nudge.answer is not None:
                said[one.target_id] = Comes(ANSWERS[nudge.answer], nudge.answer)
            elif nudge.state == "expired" or (nudge.due is not None and context.now >= nudge.due):
                said[one.target_id] = Comes("silence", "Nobody answered.")
            elif one.due_at is not None and one.due_at <= context.now:
                # It waited for room in the person's week, and its time to answer has only begun.
                said[one.target_id] = Waits(max(nudge.next_at, context.now) + _AFTER_DUE)
        return said


HANDLER: Final[Handler] = _Nudge()
