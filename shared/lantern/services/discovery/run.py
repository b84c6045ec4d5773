"""A full run: one chain of messages that reads every bundle of a connection once.

It walks the provider's own listing page by page, so memory holds one page; then it walks the shards,
concludes who disappeared, rebuilds footprints, and finishes in one transaction with its audit entry
and the messages that follow. Before the deadline the chain hands itself on with its progress, which is
made durable every few pages: an unchanged organisation costs bookkeeping and nothing else.
"""

import base64
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from lantern.connectors.protocol import Hint
from lantern.domain import ids
from lantern.domain.audit import AuditEvent, change
from lantern.domain.errors import ConnectorError, LeaseLostError, RevisionConflictError, StorageError
from lantern.domain.inventory import Bundle
from lantern.domain.tenancy import Connection, Coverage, Lease, Run, RunCounts
from lantern.domain.work import Work
from lantern.services.discovery.bundles import BundleWriter, Tally
from lantern.services.discovery.context import Discovery

log = logging.getLogger(__name__)

CHAIN: Final = "full"
LEASE_TTL_S: Final = 960
ABANDON_AFTER: Final = timedelta(hours=20)
PRINCIPALS_PER_SHARD: Final = 320
SAVE_EVERY: Final = 1_500
"""Accounts between two savings of progress: what a crash makes the chain read again, at most."""
_PREFIX: Final = 4
_REBUILDS: Final = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run's chain stands; carried by nothing else.

    `opened_by` is the message that began the run: delivered again when the run is over, it begins no other.
    Who was listed is in `parts` cursors of their own, written once each (see `_visited_stream`).
    """

    run_id: str
    opened_by: str = ""
    phase: Literal["list", "finish"] = "list"
    page: str | None = None
    shard: int = 0
    listed: int = 0
    parts: int = 0


def full_run(task: Discovery, work: Work) -> Run | None:
    """Start or continue the connection's full run.

    Returns:
        The run as it stands when this message is done; None where another worker holds the chain.
    """
    store, connection = task.store, task.connection
    try:
        lease = store.leases.acquire(connection.id, CHAIN, task.message_id, LEASE_TTL_S, task.clock.now())
    except LeaseLostError:
        log.info("a full run is under way already", extra={"connection": connection.id})
        return None
    try:
        opened = _open(task, work)
        if opened is None:
            return None
        chain = _Chain(task, lease, *opened)
        chain.walk()
        return chain.run
    finally:
        # Also after a failure: this message may come again late, the next one must not find the door shut.
        store.leases.release(connection.id, CHAIN, lease)


def _open(task: Discovery, work: Work) -> tuple[Run, Progress] | None:
    """The unfinished run, or a new one; None for a late copy of a finished chain's message."""
    store, connection, now = task.store, task.connection, task.clock.now()
    raw = store.cursors.get(connection.id, CHAIN)
    if raw:
        progress = msgspec.json.decode(raw, type=Progress)
        run = store.runs.get(connection.id, progress.run_id)
        if run is None and progress.opened_by == task.message_id:
            return store.runs.put(_new_run(progress.run_id, task, work)), progress
        if run and run.state == "running" and now - run.started_at < ABANDON_AFTER:
            return run, progress
        if run and run.state == "running":
            store.runs.put(
                replace(
                    run,
                    state="failed",
                    finished_at=now,
                    error="The run did not finish within 20 hours.",
                    remedy="A new run has started. If this repeats, contact support.",
                )
            )
        if progress.opened_by == task.message_id:
            return None
    if "run_id" in work.body:
        return None
    # The progress first: a run that nobody could find would be running for ever.
    progress = Progress(ids.time_id("run", now, task.random), task.message_id)
    store.cursors.put(connection.id, CHAIN, msgspec.json.encode(progress).decode(), now)
    return store.runs.put(_new_run(progress.run_id, task, work)), progress


def _new_run(run_id: str, task: Discovery, work: Work) -> Run:
    return Run(run_id, task.connection.id, "full", "running", work.cause, task.clock.now())


class _Chain:
    """One message's stretch of a full run."""

    def __init__(self, task: Discovery, lease: Lease, run: Run, progress: Progress) -> None:
        self._task = task
        self._lease = lease
        self.run = run
        self._progress = progress
        self._pending = b""
        self._dates = task.store.use.consents(task.connection.id)
        self._writer = BundleWriter(
            task.store,
            task.connector,
            task.connection,
            cause="run",
            indexed=False,
            baseline=task.connection.last_full_run is None,
            clock=task.clock.now,
        )

    def walk(self) -> None:
        """Work until the run is finished or the deadline is near; then hand on."""
        while self._progress.phase == "list":
            if not self._page():
                return self._hand_on()
        return self._finish()

    def _page(self) -> bool:
        """Read one page of the listing; False when the deadline cut it short."""
        task, progress, now = self._task, self._progress, self._task.clock.now()
        page = task.connector.principals(progress.page)
        tally = self._writer.refresh(page.principals, task.deadline, now, dates=self._dates)
        if len(tally.reached) < len(page.principals):
            # The page is read again from its start: what was written is met as unchanged.
            return False
        self._count(tally)
        self._pending += b"".join(_prefix(p.id) for p in page.principals)
        self._progress = replace(
            progress,
            phase="list" if page.cursor else "finish",
            page=page.cursor,
            listed=progress.listed + len(page.principals),
        )
        if page.cursor is None or len(self._pending) >= SAVE_EVERY * _PREFIX:
            self._save()
        return not task.deadline.passed() or self._progress.phase == "finish"

    def _finish(self) -> None:
        """Walk the shards of what is stored: conclude disappearances, rebuild footprints, close the run."""
        task = self._task
        shards = _shards_for(self._progress.listed, task.connection.shards)
        visited = self._visited()
        while self._progress.shard < shards:
            if task.deadline.passed():
                return self._hand_on()
            if not self._close_shard(self._progress.shard, shards, visited):
                return self._hand_on()
            self._progress = replace(self._progress, shard=self._progress.shard + 1)
        return self._complete(shards)

    def _close_shard(self, shard: int, shards: int, visited: frozenset[bytes]) -> bool:
        """Close a shard; False when the deadline cut it short."""
        for _ in range(_REBUILDS):
            try:
                return self._rebuild(shard, shards, visited)
            except RevisionConflictError:
                log.info("footprints changed while being rebuilt", extra={"shard": shard})
        # They are derived: hints kept them true meanwhile, the next run compares again.
        return True

    def _rebuild(self, shard: int, shards: int, visited: frozenset[bytes]) -> bool:
        task, now = self._task, self._task.clock.now()
        pairs: dict[str, set[str]] = {}
        for bundle in task.store.bundles.shard(task.connection.id, shard, shards):
            kept = bundle
            if _prefix(bundle.principal.id) not in visited and bundle.principal.status != "deleted":
                looked = self._missing(bundle, now)
                if looked is None:
                    return False
                kept = looked
            for grant in kept.grants or ():
                pairs.setdefault(grant.app_id, set()).add(kept.principal.id)
        task.store.footprints.rebuild(
            task.connection.id, shard, shards, {app: frozenset(held) for app, held in pairs.items()}, now
        )
        return True

    def _missing(self, bundle: Bundle, now: datetime) -> Bundle | None:
        """An account that a complete listing did not name: read it by name before concluding anything.

        It may have joined while the listing went by; that nobody answers to its id proves nothing.
        None when the deadline came first.
        """
        known = bundle.principal
        found = self._task.connector.principal(Hint(native_id=known.native_id))
        tally = self._writer.refresh([found or known], self._task.deadline, now)
        if not tally.reached:
            return None
        self._count(tally)
        return self._task.store.bundles.get(self._task.connection.id, known.id) or bundle

    def _complete(self, shards: int) -> None:
        task, now = self._task, self._task.clock.now()
        run = self.run
        coverage = replace(run.coverage, listed=self._progress.listed)
        domains = self._domains()
        finished = replace(
            run,
            state="complete" if coverage.complete else "partial",
            finished_at=now,
            coverage=coverage,
            remedy=None if coverage.complete else "Unread accounts are read again by the next run.",
        )
        current = task.store.connections.get(task.connection.id) or task.connection
        store = task.store
        following = [
            Work(store.tenant_id, "score.run", run.connection_id, {"run_id": run.id}, cause=run.id),
        ]
        if "assets" in task.connector.manifest.features:
            following.append(Work(store.tenant_id, "connection.assets", run.connection_id, cause=run.id))
        if current.last_full_run is None:
            # Use is read after the inventory: an organisation sees its apps first, then how they are used.
            following += [
                Work(store.tenant_id, "connection.changes", run.connection_id, cause=run.id),
                Work(store.tenant_id, "connection.use", run.connection_id, cause=run.id),
            ]
        (
            store.transact(now)
            .put(store.runs.op(finished))
            .put(store.connections.op(_mark(current, finished, shards, domains, now)))
            .audit(
                AuditEvent(
                    actor="system",
                    action="run.finished",
                    subject=run.id,
                    detail={
                        "connection": run.connection_id,
                        "state": finished.state,
                        **change(run.state, finished.state),
                        "read": str(coverage.read),
                        "unread": str(len(coverage.unread)),
                        "added": str(run.counts.added),
                        "removed": str(run.counts.removed),
                    },
                )
            )
            .outbox(*following)
            .commit()
        )
        if shards != task.connection.shards:
            store.footprints.retire(task.connection.id, shards)
        self.run = finished

    def _domains(self) -> tuple[str, ...]:
        """The organisation's own domains, as the provider names them now; none where it does not."""
        try:
            named = self._task.connector.check().organisation.domains
        except ConnectorError as error:
            # The inventory is complete without them; the next run asks again.
            log.warning("domains not read: %s", error.kind)
            return ()
        return tuple(sorted({domain.casefold() for domain in named}))

    def _count(self, tally: Tally) -> None:
        counts, coverage = self.run.counts, self.run.coverage
        reasons = dict(coverage.reasons)
        for reason in tally.unread.values():
            reasons[reason] = reasons.get(reason, 0) + 1
        self.run = replace(
            self.run,
            coverage=Coverage(
                listed=coverage.listed,
                read=coverage.read + tally.read,
                unread=(*coverage.unread, *sorted(tally.unread)),
                reasons=reasons,
            ),
            counts=RunCounts(
                principals=counts.principals + len(tally.reached),
                grants=counts.grants + tally.grants,
                bundles_written=counts.bundles_written + tally.written,
                added=counts.added + tally.added,
                removed=counts.removed + tally.removed,
                changed=counts.changed + tally.changed,
            ),
        )

    def _save(self) -> None:
        """Make progress durable; the lease first, so that a worker that lost it writes nothing."""
        task, now, cid = self._task, self._task.clock.now(), self._task.connection.id
        self._lease = task.store.leases.renew(cid, CHAIN, self._lease, LEASE_TTL_S, now)
        self.run = task.store.runs.put(self.run)
        if self._pending:
            part = base64.b64encode(self._pending).decode()
            task.store.cursors.put(cid, _visited_stream(self._progress.parts), part, now)
            self._progress = replace(self._progress, parts=self._progress.parts + 1)
            self._pending = b""
        task.store.cursors.put(cid, CHAIN, msgspec.json.encode(self._progress).decode(), now)

    def _visited(self) -> frozenset[bytes]:
        """Prefixes of the ids that were listed."""
        cursors, cid = self._task.store.cursors, self._task.connection.id
        parts = [cursors.get(cid, _visited_stream(part)) for part in range(self._progress.parts)]
        if None in parts:
            raise StorageError("a part of the listing is missing")
        return frozenset(prefix for part in parts if part for prefix in _prefixes(base64.b64decode(part)))

    def _hand_on(self) -> None:
        self._save()
        task = self._task
        task.store.leases.release(task.connection.id, CHAIN, self._lease)
        task.send(
            Work(
                task.store.tenant_id,
                "connection.full",
                task.connection.id,
                {"run_id": self.run.id},
                hop=task.hop + 1,
                cause=self.run.cause,
            ),
            0,
        )


def _mark(
    connection: Connection, run: Run, shards: int, domains: tuple[str, ...], now: datetime
) -> Connection:
    return replace(
        connection,
        shards=shards,
        domains=domains or connection.domains,
        baseline_at=connection.baseline_at or now,
        last_full_run=run.id,
        last_full_at=now,
        status="active" if connection.status == "needs_attention" else connection.status,
        attention=None,
        remedy=None,
    )


def _shards_for(principals: int, current: int) -> int:
    """The power of two that keeps a shard near 320 principals; never fewer than there are."""
    shards = current
    while principals > shards * PRINCIPALS_PER_SHARD:
        shards *= 2
    return shards


def _visited_stream(part: int) -> str:
    """The cursor that holds a part of who was listed: prefixes of principal ids.

    4 bytes each: a clash (one in 400,000 for an account among 10,000) only delays the conclusion that an
    account disappeared. The next run writes over the parts of the last.
    """
    return f"{CHAIN}/{part}"


def _prefix(principal: str) -> bytes:
    return ids.pack_principal(principal)[:_PREFIX]


def _prefixes(raw: bytes) -> frozenset[bytes]:
    return frozenset(raw[i : i + _PREFIX] for i in range(0, len(raw), _PREFIX))
