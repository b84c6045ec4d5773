"""Runs of playbooks and their targets, access that is watched after it was revoked, incidents."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.incidents import Incident
from lantern.domain.playbooks.machine import PlaybookRun, RunTarget
from lantern.store.documents import Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.nudges import worklist_key
from lantern.store.records import Versioned

RUN_DAYS: Final = 400
_SWEEP: Final = 100


class PlaybookRepository:
    """Runs of a tenant, with a sparse worklist of those that something is due for; run ids are time ids."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._keys = documents.keys
        self._runs = Versioned(documents, "playbook_run", PlaybookRun)
        self._targets = Versioned(documents, "run_target", RunTarget)

    def get(self, run_id: str) -> PlaybookRun | None:
        """A run; strongly consistent."""
        return self._runs.get(self._keys.playbook_run(run_id), consistent=True)

    def op(self, run: PlaybookRun) -> Put:
        """The write of a run on its revision, for a transaction."""
        index = None
        if run.due_at is not None:
            index = Key(self._keys.playbooks_due(), worklist_key(run.due_at, run.id))
        key = self._keys.playbook_run(run.id)
        return self._runs.op(key, run, index=index, ttl=ttl(run.created_at, RUN_DAYS))

    def page(self, limit: int, cursor: str | None = None) -> Page[PlaybookRun]:
        """Runs, newest first."""
        return self._runs.page(self._keys.playbook_runs(), limit=limit, cursor=cursor, reverse=True)

    def due(self, now: datetime) -> tuple[PlaybookRun, ...]:
        """Runs for which something is due by `now`, longest overdue first, at most 100 a sweep.

        They come from the index, which may be behind: read one again before acting on it.
        """
        page = self._runs.page(self._keys.playbooks_due(), limit=_SWEEP, index=True)
        return tuple(one for one in page.items if one.due_at is not None and one.due_at <= now)

    # --- targets --------------------------------------------------------------------------------
    def targets(self, run_id: str) -> Iterator[RunTarget]:
        """Every target of a run in the order of their ids; strongly consistent."""
        return self._targets.all(self._keys.run_targets(run_id), consistent=True)

    def targets_page(self, run_id: str, limit: int, cursor: str | None = None) -> Page[RunTarget]:
        """Some targets of a run."""
        return self._targets.page(self._keys.run_targets(run_id), limit=limit, cursor=cursor)

    def put_target(self, target: RunTarget) -> RunTarget:
        """Write on `target.rev`; raises `RevisionConflictError`."""
        key = self._keys.run_target(target.run_id, target.target_id)
        return self._targets.put(key, target, ttl=ttl(target.since, RUN_DAYS))

    def plan_targets(self, run_id: str, targets: Iterable[RunTarget]) -> None:
        """Make these the targets of a run that has not begun, 25 a call; an earlier plan is forgotten."""
        planned = {one.target_id: one for one in targets}
        left = [one.target_id for one in self.targets(run_id) if one.target_id not in planned]
        self._documents.write_all(
            (
                self._targets.op(
                    self._keys.run_target(run_id, one.target_id), one, ttl=ttl(one.since, RUN_DAYS)
                ).doc
                for one in planned.values()
            ),
            (self._keys.run_target(run_id, target_id) for target_id in left),
        )


@dataclass(frozen=True, slots=True)
class Watch:
    """A grant that a job revoked: should it come back before `until`, that is told.

    `then` names the playbook that is put up for approval, `run_id` the run that the job belonged to.
    """

    grant_id: str
    job_id: str
    revoked_at: datetime
    until: datetime
    look_at: datetime
    run_id: str | None = None
    then: str | None = None
    returned_at: datetime | None = None
    rev: int = 0


class WatchRepository:
    """Revoked grants that are watched, with a sparse worklist of when to look."""

    def __init__(self, documents: Documents) -> None:
        self._keys = documents.keys
        self._documents = documents
        self._records = Versioned(documents, "watch", Watch)

    def get(self, grant_id: str) -> Watch | None:
        """What is watched of a grant; strongly consistent."""
        return self._records.get(self._keys.watch(grant_id), consistent=True)

    def batch_get(self, grant_ids: Iterable[str]) -> dict[str, Watch]:
        """What is watched of some grants."""
        found = self._documents.batch_get(self._keys.watch(one) for one in grant_ids)
        return {doc.key.sk: self._records.decode(doc) for doc in found.values()}

    def op(self, watch: Watch) -> Put:
        """The write on its revision; one whose grant came back is watched no more."""
        index = None
        if watch.returned_at is None:
            index = Key(self._keys.watches_due(), worklist_key(watch.look_at, watch.grant_id))
        return self._records.op(self._keys.watch(watch.grant_id), watch, index=index, ttl=ttl(watch.until, 1))

    def due(self, now: datetime) -> tuple[Watch, ...]:
        """Grants to look at by `now`, longest overdue first, at most 100 a sweep."""
        page = self._records.page(self._keys.watches_due(), limit=_SWEEP, index=True)
        return tuple(one for one in page.items if one.look_at <= now)


class IncidentRepository:
    """Incidents of vendors."""

    def __init__(self, documents: Documents) -> None:
        self._keys = documents.keys
        self._records = Versioned(documents, "incident", Incident)

    def get(self, incident_id: str) -> Incident | None:
        """An incident; strongly consistent."""
        return self._records.get(self._keys.incident(incident_id), consistent=True)

    def op(self, incident: Incident) -> Put:
        """The write on its revision, for a transaction."""
        return self._records.op(self._keys.incident(incident.id), incident)

    def page(self, limit: int, cursor: str | None = None) -> Page[Incident]:
        """Incidents, in the order of their ids."""
        return self._records.page(self._keys.incidents(), limit=limit, cursor=cursor, reverse=True)
