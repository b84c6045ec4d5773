"""From what a step has to tell to the messages that carry it."""

from collections.abc import Sequence

from lantern.domain.playbooks.machine import RunTarget
from lantern.services.playbooks.steps import Context
from lantern.store.work import UnitOfWork


def carry(context: Context, unit: UnitOfWork, targets: Sequence[RunTarget], *, machine: bool) -> None:
    """Add the messages of a step to its transaction."""
