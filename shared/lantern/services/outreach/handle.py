"""What the outreach function does with each kind of work message."""

from collections.abc import Callable, Mapping

from lantern.domain.work import Work, WorkKind
from lantern.services.outreach import deliver
from lantern.services.outreach.task import Outreach
from lantern.services.people.presses import press


def handle(task: Outreach, work: Work) -> None:
    """Do one message's work. Every kind looks at what is stored, so a repetition does nothing twice."""
    verbs: Mapping[WorkKind, Callable[[], object]] = {
        "outreach.findings": lambda: deliver.deliver_due(task),
        "outreach.due": lambda: deliver.deliver_due(task),
        "outreach.deliver": lambda: deliver.deliver(task, work.body["target_id"], work.body["delivery_id"]),
        "nudge.press": lambda: press(task.store, task.clock, task.back, work),
    }
    verbs[work.kind]()
