"""What the remediation function does with messages about playbooks."""

from lantern.connectors.protocol import Deadline
from lantern.domain.playbooks.loading import Playbooks
from lantern.domain.work import Work
from lantern.services.playbooks.advance import Playing, advance
from lantern.services.playbooks.sweep import do_due


def play(task: Playing, work: Work, books: Playbooks, deadline: Deadline) -> None:
    """Carry one run on, or whatever is due in the tenant."""
    if work.kind == "playbook.run":
        advance(task, work.body["run_id"])
    else:
        do_due(task, books, deadline)
