"""A playbook at run time: read from compiled data, kept with every run of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from lantern.domain.jobs import Guards, JobKind

FORMAT: Final = 1
"""Version of the compiled form."""
END: Final = "end"
"""Where a way through a playbook ends; no step is called so."""
StepKind = Literal["nudge", "wait", "approve", "act", "verify", "notify", "ticket"]
TargetKind = Literal["grant", "app", "account", "asset"]
Subject = Literal["grants", "app", "accounts", "assets"]
"""What a run gathers of what it is about."""

ANSWERS: Final[Mapping[StepKind, tuple[str, ...]]] = {
    "nudge": ("keep", "revoke", "done", "silence", "nobody"),
    "wait": (),
    "approve": ("approved", "declined", "silence"),
    "act": ("verified", "applied", "already_gone", "manual", "failed", "skipped"),
    "verify": ("verified", "still_there"),
    "notify": (),
    "ticket": (),
}
"""What a step may come to, beside having nothing to do with a target; every answer goes somewhere.

`nobody`: there is no person to ask. `silence`: the time for an answer is over. `applied`: the provider did
it, and shows nothing by which that could be verified.
"""
WISH: Final = "revoke"
"""The answer by which whoever holds access wants it taken away."""
ACTS_ON: Final[Mapping[JobKind, TargetKind]] = {
    "revoke_grants": "grant",
    "disable_app": "app",
    "restrict_app": "app",
    "uninstall_app": "app",
    "end_sessions": "account",
    "delete_asset": "asset",
    "disable_asset": "asset",
}
"""Which targets an act of a playbook is for; the others pass its step by."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Window:
    """When acts may begin: on these days from `start` to before `end`, by the clocks of a time zone."""

    days: tuple[str, ...]
    start: time
    end: time
    time_zone: str = "UTC"

    def opens(self, now: datetime) -> datetime | None:
        """When acts may begin; None means now.

        The clock on the wall says it, whichever way it was put: an hour that comes twice is open twice, and
        a clock put forward over the end closes. One put forward over the start opens at the next moment of
        the window that there is.
        """
        # UTC needs no database of time zones.
        zone = UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone)
        here = now.astimezone(zone)
        if self._holds(here):
            return None
        starts = (
            datetime.combine((here + timedelta(days=ahead)).date(), self.start, zone).replace(fold=fold)
            for ahead in range(15)
            for fold in (0, 1)
        )
        moments = {one.astimezone(UTC) for one in starts}
        later = [one for one in moments if one > now and self._holds(one.astimezone(zone))]
        if not later:
            raise ValueError("a window without a day never opens")
        return min(later).astimezone(now.tzinfo)

    def _holds(self, here: datetime) -> bool:
        return DAYS[here.weekday()] in self.days and self.start <= here.time() < self.end


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `days` is how long it waits at most; `goes` says where each answer leads.

    `says` holds the words of a step that tells somebody something; `act` is what a step does.
    """

    id: str
    kind: StepKind
    about: str
    next: str
    days: float = 0
    act: JobKind | None = None
    nudge: str | None = None
    says: str = ""
    goes: Mapping[str, str] = field(default_factory=dict)
    only: tuple[TargetKind, ...] = ()

    def concerns(self, kind: TargetKind) -> bool:
        """Whether the step has anything to do with a target of this kind."""
        if self.act is not None:
            return ACTS_ON[self.act] == kind
        return not self.only or kind in self.only

    def after(self, answer: str) -> str:
        """The step that follows an answer."""
        return self.goes.get(answer, self.next)


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook. `version` is a digest of everything but its tests.

    `responds_to` are words of rules that it answers. Where `if_returns` names another playbook, that one is
    put up for approval as soon as access comes back within `watch_days` of being revoked.
    """

    id: str
    version: str
    title: str
    about: str
    gathers: tuple[Subject, ...]
    steps: tuple[Step, ...]
    guards: Guards
    window: Window | None = None
    responds_to: tuple[str, ...] = ()
    watch_days: int = 30
    if_returns: str | None = None
    max_open: int = 10

    def step(self, step_id: str) -> Step:
        """A step by its id.

        Raises:
            KeyError: it has none.
        """
        for one in self.steps:
            if one.id == step_id:
                return one
        raise KeyError(step_id)

    @property
    def asks_approval(self) -> bool:
        """Whether a step of it waits for an approval, whatever its size."""
        return any(one.kind == "approve" for one in self.steps)
