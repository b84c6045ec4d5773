"""What each kind of step does: a module a kind, found by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from lantern.connectors.protocol import Clock
from lantern.domain.ids import RandomBytes
from lantern.domain.playbooks.machine import PlaybookRun, RunTarget
from lantern.domain.playbooks.model import Step, StepKind
from lantern.store.tenant import TenantStore


@dataclass(frozen=True, slots=True)
class Context:
    """What a step works with: the tenant's store, the run and all its targets, the step, time."""

    store: TenantStore
    run: PlaybookRun
    step: Step
    clock: Clock
    random: RandomBytes
    everyone: Sequence[RunTarget] = ()

    @property
    def now(self) -> datetime:
        """Current time."""
        return self.clock.now()


@dataclass(frozen=True, slots=True)
class Waits:
    """The step has begun for a target: it waits until `due` at most, for what `ref` names."""

    due: datetime | None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Comes:
    """What the step came to for a target."""

    answer: str
    detail: str = ""


Said = Waits | Comes


class Handler(Protocol):
    """A kind of step. Called again for the same targets after a crash, both find what was made."""

    def enter(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        """Begin the step for targets; what is said of each is stored at once, by target id."""
        ...

    def poll(self, context: Context, targets: Sequence[RunTarget]) -> Mapping[str, Said]:
        """What the step came to for targets that wait; those it says nothing of wait on."""
        ...


def handlers() -> Mapping[StepKind, Handler]:
    """The handler of every kind of step."""
    from lantern.services.playbooks.steps import act, nudge, telling, waiting

    return {
        "nudge": nudge.HANDLER,
        "wait": waiting.WAIT,
        "approve": waiting.APPROVE,
        "act": act.HANDLER,
        "verify": waiting.VERIFY,
        "notify": telling.NOTIFY,
        "ticket": telling.TICKET,
    }


SILENCE: Final = "silence"
