"""What the outreach function does with each kind of work message."""

from collections.abc import Callable, Mapping
from typing import Final

from lantern.domain.deliveries import is_due
from lantern.domain.work import Work, WorkKind
from lantern.services.outreach import alerting, deliver
from lantern.services.outreach.task import Outreach
from lantern.services.people.commands import command
from lantern.services.people.presses import press

SETTLE_S: Final = 60
"""After a change a second look: worklists follow the table with a moment's delay."""


def handle(task: Outreach, work: Work) -> None:
    """Do one message's work. Every kind looks at what is stored, so a repetition does nothing twice."""
    verbs: Mapping[WorkKind, Callable[[], object]] = {
        "outreach.findings": lambda: _changed(task, work),
        "outreach.due": lambda: sweep(task),
        "outreach.unsubscribe": lambda: alerting.unsubscribe(
            task, work.body["channel_id"], work.body["link"]
        ),
        "outreach.deliver": lambda: deliver.deliver(task, work.body["target_id"], work.body["delivery_id"]),
        "slack.command": lambda: command(task.store, task.clock, task.back, work),
        "nudge.press": lambda: press(task.store, task.clock, task.back, work),
    }
    verbs[work.kind]()


def _changed(task: Outreach, work: Work) -> None:
    """Findings changed: tell what matters now, and look once more when worklists have caught up."""
    named = [one for one in work.body.get("finding_ids", "").split(",") if one]
    sweep(task, named)
    task.send(Work(task.store.tenant_id, "outreach.due", cause="settle"), SETTLE_S)


def sweep(task: Outreach, finding_ids: list[str] | None = None) -> None:
    """Everything that is due in the tenant: quiet that ends, news, messages; then say when to look again."""
    state = task.store.alerts.state()
    try:
        passed = alerting.look(task, finding_ids or ())
    except Exception:
        # What is due is sent whatever is wrong with the findings; the message is delivered again.
        deliver.deliver_due(task)
        raise
    for made in sorted(passed.deliveries, key=deliver.people_first):
        # What is left at the deadline is on the worklist of what is due.
        if task.deadline.passed():
            break
        if is_due(made, task.clock.now()):
            deliver.attempt(task, made)
    deliver.deliver_due(task)
    following = task.store.deliveries.next_due()
    now = task.clock.now()
    wakes = [passed.wake, *([max(following, now)] if following is not None else [])]
    task.store.alerts.wake(min(wakes), state)
