"""What a run would do to each target: the steps it would pass, and what each is expected to come to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.connectors import manifests
from lantern.domain.inventory import Bundle
from lantern.domain.jobs import JobKind
from lantern.domain.playbooks.machine import Ahead, RunTarget
from lantern.domain.playbooks.model import END, Step
from lantern.services.people.nudges import refusal
from lantern.services.playbooks.requests import Asked
from lantern.services.playbooks.steps.act import kind_of
from lantern.services.playbooks.steps.nudge import kind_asked
from lantern.services.remediation.abilities import expected
from lantern.store.tenant import TenantStore

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would happen to one target, in order."""

    target: RunTarget
    steps: tuple[Ahead, ...]


def would_happen(store: TenantStore, asked: Asked, now: datetime) -> tuple[Foreseen, ...]:
    """The way of each target where nobody answers, the run is approved, and nobody does what is left by hand.

    Whoever cannot be asked is not asked; what a provider offers no API for is expected to be left to an
    administrator. Nothing is stored and no provider is asked.
    """
    sight = _Sight(store, asked, now)
    return tuple(Foreseen(one, sight.way(one)) for one in asked.targets)


class _Sight:
    """What is read once for all targets, and the way of each."""

    def __init__(self, store: TenantStore, asked: Asked, now: datetime) -> None:
        self._store, self._book, self._now = store, asked.run.book, now
        self._connections = {one.id: one for one in store.connections.list()}
        self._apps = {one: store.apps.get_facts(one) for one in {t.app_id for t in asked.targets} if one}
        self._bundles: dict[str, Bundle] = {}
        for connection_id in self._connections:
            wanted = sorted({t.principal_id for t in asked.targets if t.connection_id == connection_id})
            for first in range(0, len(wanted), _BATCH):
                some = [one for one in wanted[first : first + _BATCH] if one]
                self._bundles |= store.bundles.batch_get(connection_id, some)

    def way(self, target: RunTarget) -> tuple[Ahead, ...]:
        """The steps that a target would pass."""
        way, at = list[Ahead](), target.step
        while at != END:
            step = self._book.step(at)
            if not step.concerns(target.kind):
                at = step.next
                continue
            done = any(one.comes_to in ("verified", "already_gone") for one in way)
            answer = self._answer(step, target, done=done)
            way.append(Ahead(step.id, _words(step), answer))
            at = step.after(answer)
        return tuple(way)

    def _answer(self, step: Step, target: RunTarget, *, done: bool) -> str:
        match step.kind:
            case "nudge":
                return self._asked(step, target)
            case "approve":
                return "approved"
            case "act" if step.act is not None:
                return self._acted(step.act, target)
            case "verify":
                return "verified" if done else "still_there"
            case "wait":
                return "over"
            case _:
                return "told"

    def _asked(self, step: Step, target: RunTarget) -> str:
        bundle = self._bundles.get(target.principal_id)
        if target.kind != "grant" or bundle is None:
            return "nobody"
        refused = refusal(self._store, bundle, kind_asked(step), target.app_id, self._now)
        return "silence" if refused is None else "keep" if refused == "excepted" else "nobody"

    def _acted(self, act: JobKind, target: RunTarget) -> str:
        connection = self._connections.get(target.connection_id)
        if connection is None or connection.provider not in manifests.providers():
            return "failed"
        return expected(kind_of(self._store, act, target), connection, of=self._of(target))

    def _of(self, target: RunTarget) -> str:
        if target.kind == "asset":
            stored = self._store.assets.get(target.target_id)
            return stored.asset.kind if stored else ""
        if target.everyone and target.kind == "grant":
            return "organisation"
        app = self._apps.get(target.app_id)
        return app.kind if app else ""


def _words(step: Step) -> str:
    return f"{step.about} (at most {step.days:g} days)" if step.days else step.about
