"""Store what was read of principals: merge, write on the revision read, keep the indexes true."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from lantern.connectors.protocol import BundleReader, Deadline, Unread
from lantern.domain import inventory
from lantern.domain.errors import RevisionConflictError
from lantern.domain.inventory import App, Bundle, Cause, Merge, Observation, Principal
from lantern.domain.tenancy import Connection
from lantern.services.discovery.aftermath import Aftermath
from lantern.services.discovery.newcomers import Newcomers
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

BATCH = 100
_ATTEMPTS = 4
_SKEW: Final = timedelta(seconds=5)
"""How far apart the clocks of two workers may be."""


@dataclass(slots=True)
class Tally:
    """What a stretch of reading found and wrote."""

    read: int = 0
    grants: int = 0
    written: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)

    def count(self, bundle: Bundle) -> None:
        """Count one bundle that was written."""
        self.written += 1
        for delta in bundle.delta:
            match delta.kind:
                case "added":
                    self.added += 1
                case "removed":
                    self.removed += 1
                case "changed":
                    self.changed += 1


class BundleWriter:
    """Writes observations of one connection.

    In a run, footprints are rebuilt shard by shard when the run finishes; a single bundle (`indexed`)
    keeps its own footprint: additions before the bundle, removals after it, so that a crash leaves the
    index naming too many holders, never too few.
    """

    def __init__(
        self,
        store: TenantStore,
        connector: BundleReader,
        connection: Connection,
        *,
        cause: Cause,
        indexed: bool,
        baseline: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._connector = connector
        self._connection = connection
        self._cause: Cause = cause
        self._baseline = baseline
        self._clock = clock
        self._newcomers = Newcomers(store, connection.id)
        self._persons: dict[str, str] = {}
        self._seen_apps: set[str] = set()
        self._seen_sets: set[str] = set()
        self._after = Aftermath(store, connection, indexed=indexed)

    def refresh(
        self,
        principals: Iterable[Principal],
        deadline: Deadline,
        now: datetime,
        *,
        dates: Mapping[str, Mapping[str, date]] | None = None,
    ) -> Tally:
        """Read these principals again and store what changed.

        Revisions are read before the provider is asked, so that whatever is written in between makes
        the write fail rather than be lost. What the deadline cut off is in neither `reached` nor `unread`.

        Args:
            principals: accounts to read.
            deadline: when to stop starting reads.
            now: time of the writes.
            dates: per principal id, when its apps were granted, by app id.
        """
        tally = Tally()
        pending = list(principals)
        for attempt in range(_ATTEMPTS):
            again = [
                principal
                for chunk in _chunks(pending, BATCH)
                for principal in self._pass(chunk, deadline, now, dates or {}, tally)
            ]
            if not again:
                break
            log.info("bundles changed while being read", extra={"count": len(again), "attempt": attempt})
            pending = again
        else:
            tally.unread.update({p.id: "conflict" for p in pending})
            tally.reached.update(p.id for p in pending)
        self._after.flush()
        return tally

    def _pass(
        self,
        chunk: list[Principal],
        deadline: Deadline,
        now: datetime,
        dates: Mapping[str, Mapping[str, date]],
        tally: Tally,
    ) -> Iterator[Principal]:
        """Read and store one chunk; yields the principals whose bundle changed meanwhile."""
        started = self._clock()
        stored = self._store.bundles.batch_get(self._connection.id, [p.id for p in chunk])
        self._persons |= self._newcomers.meet(p for p in chunk if p.id not in stored)
        for outcome in self._connector.read(chunk, deadline):
            principal = outcome.principal
            if isinstance(outcome, Unread):
                tally.unread[principal.id] = outcome.reason
                tally.reached.add(principal.id)
                self._keep_known(principal, stored.get(principal.id), now)
                continue
            if _outdated(stored.get(principal.id), outcome, started):
                yield principal
                continue
            try:
                merged = self._write(stored.get(principal.id), outcome, now, dates.get(principal.id, {}))
            except RevisionConflictError:
                yield principal
                continue
            tally.read += 1
            tally.grants += len(outcome.grants or ())
            tally.reached.add(principal.id)
            if merged.bundle:
                tally.count(merged.bundle)

    def _keep_known(self, principal: Principal, stored: Bundle | None, now: datetime) -> None:
        """Record an account whose grants are unknown; what was known of them stays."""
        try:
            self._write(stored, Observation(principal, grants=None), now, {})
        except RevisionConflictError:
            log.info("unread bundle was written by another worker", extra={"principal": principal.id})

    def _write(
        self, stored: Bundle | None, seen: Observation, now: datetime, dates: Mapping[str, date]
    ) -> Merge:
        if stored is None and (person := self._persons.get(seen.principal.id)):
            seen = replace(seen, principal=replace(seen.principal, person_id=person))
        merged = inventory.merge(stored, seen, now=now, cause=self._cause, dates=dates)
        self._put_apps((grant.app for grant in seen.grants or ()), now)
        unfinished = self._after.finish_last(stored, now)
        if merged.bundle is None:
            return merged
        if unfinished:
            # Before it is overwritten: a bundle remembers only its last change.
            self._after.flush()
        self._put_scope_sets(merged.scope_sets)
        before = {d.app_id for d in merged.bundle.delta if d.kind == "added"}
        after = {d.app_id for d in merged.bundle.delta if d.kind == "removed"}
        self._after.footprint("add", seen.principal.id, before)
        written = self._store.bundles.put(merged.bundle)
        self._after.footprint("remove", seen.principal.id, after)
        if not self._baseline:
            # Of the first load `first_seen` says the same.
            self._after.note(written, now)
        return merged

    def _put_apps(self, apps: Iterable[App], now: datetime) -> None:
        fresh = [replace(app, first_seen=now) for app in apps if app.id not in self._seen_apps]
        if fresh:
            self._store.apps.put_all_facts(fresh)
            self._seen_apps.update(app.id for app in fresh)

    def _put_scope_sets(self, sets: Mapping[str, frozenset[str]]) -> None:
        fresh = {key: scopes for key, scopes in sets.items() if key not in self._seen_sets}
        if fresh:
            self._store.apps.put_scope_sets(fresh)
            self._seen_sets.update(fresh)


def _outdated(stored: Bundle | None, seen: Observation, started: datetime) -> bool:
    """Whether the bundle was written after the list was begun in which this account was looked up.

    What was written since may know more than the list; asked for again, the connector reads the account anew.
    """
    if seen.as_of is None or seen.as_of >= started or stored is None or stored.changed_at is None:
        return False
    return stored.changed_at >= seen.as_of - _SKEW


def _chunks(items: list[Principal], size: int) -> Iterator[list[Principal]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
