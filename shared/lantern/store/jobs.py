"""Jobs, with a worklist of open ones, and what became of each of their targets."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from lantern.domain.jobs import ActionRecord, Job
from lantern.store.documents import Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.nudges import worklist_key
from lantern.store.records import Versioned

JOB_DAYS: Final = 400


class JobRepository:
    """Remediation jobs of a tenant; job ids are time ids."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._jobs = Versioned(documents, "job", Job)
        self._actions = Versioned(documents, "action", ActionRecord)
        self._keys = documents.keys

    def get(self, job_id: str) -> Job | None:
        """A job."""
        return self._jobs.get(self._keys.job(job_id), consistent=True)

    def put(self, job: Job) -> Job:
        """Write on `job.rev`; raises `RevisionConflictError`."""
        return self._jobs.put(
            self._keys.job(job.id), job, index=self._index(job), ttl=ttl(job.created_at, JOB_DAYS)
        )

    def op(self, job: Job) -> Put:
        """The same write for a transaction."""
        return self._jobs.op(
            self._keys.job(job.id), job, index=self._index(job), ttl=ttl(job.created_at, JOB_DAYS)
        )

    def page(self, limit: int, cursor: str | None = None, *, only_open: bool = False) -> Page[Job]:
        """Jobs, newest first."""
        pk = self._keys.open_jobs() if only_open else self._keys.jobs()
        return self._jobs.page(pk, limit=limit, cursor=cursor, index=only_open, reverse=True)

    def action(self, job_id: str, target_id: str) -> ActionRecord | None:
        """What became of one target."""
        return self._actions.get(self._keys.action(job_id, target_id), consistent=True)

    def actions(self, job_id: str) -> Iterator[ActionRecord]:
        """What became of every target, in the order of their ids, page by page as consumed."""
        return self._actions.all(self._keys.actions(job_id), consistent=True)

    def actions_page(self, job_id: str, limit: int, cursor: str | None = None) -> Page[ActionRecord]:
        """Some of a job's targets, in the order of their ids."""
        return self._actions.page(self._keys.actions(job_id), limit=limit, cursor=cursor)

    def put_action(self, action: ActionRecord) -> ActionRecord:
        """Write on `action.rev`; raises `RevisionConflictError`."""
        key = self._keys.action(action.job_id, action.target_id)
        return self._actions.put(key, action, index=self._left(action), ttl=ttl(action.at, JOB_DAYS))

    def action_op(self, action: ActionRecord) -> Put:
        """The same write for a transaction."""
        key = self._keys.action(action.job_id, action.target_id)
        return self._actions.op(key, action, index=self._left(action), ttl=ttl(action.at, JOB_DAYS))

    def left_to_people(self, before: datetime, limit: int = 50) -> tuple[ActionRecord, ...]:
        """Actions left to people or to be read again, not looked at since `before`, longest ago first.

        They come from the index, which may be behind: read one again before changing it.
        """
        page = self._actions.page(self._keys.manual_actions(), limit=limit, index=True)
        return tuple(one for one in page.items if one.at <= before)

    def _left(self, action: ActionRecord) -> Key | None:
        if not action.left:
            return None
        name = f"{worklist_key(action.at, action.job_id)}#{action.target_id}"
        return Key(self._keys.manual_actions(), name)

    def plan_actions(self, actions: Iterable[ActionRecord]) -> None:
        """Write the targets of a job that nothing has been done for yet, 25 a call.

        Only for the one worker that plans the job, before it is approved: it overwrites.
        """
        self._documents.write_all(
            self._actions.op(
                self._keys.action(action.job_id, action.target_id), action, ttl=ttl(action.at, JOB_DAYS)
            ).doc
            for action in actions
        )

    def _index(self, job: Job) -> Key | None:
        return Key(self._keys.open_jobs(), job.id) if job.open else None
