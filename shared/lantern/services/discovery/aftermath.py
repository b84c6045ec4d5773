"""What follows the write of a bundle: its footprint and its history, done again where a worker stopped."""

import logging
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

from lantern.domain import ids
from lantern.domain.errors import RevisionConflictError
from lantern.domain.history import ChangeEntry
from lantern.domain.inventory import Bundle
from lantern.domain.tenancy import Connection
from lantern.store.tenant import TenantStore

log = logging.getLogger(__name__)

REPAIR: Final = timedelta(hours=48)
"""For how long a change may have been stored without its history: two nightly runs meet every bundle."""
_ATTEMPTS: Final = 4


class Aftermath:
    """What follows the writes of a connection's bundles. `indexed`: footprints are kept bundle by bundle."""

    def __init__(self, store: TenantStore, connection: Connection, *, indexed: bool) -> None:
        self._store = store
        self._connection = connection
        self._indexed = indexed
        self._history: dict[tuple[int, date], list[ChangeEntry]] = {}

    def footprint(self, verb: Literal["add", "remove"], principal: str, apps: set[str]) -> None:
        """Keep the index of holders true where this writer keeps it at all."""
        if not self._indexed or not apps:
            return
        cid, shards = self._connection.id, self._connection.shards
        shard = ids.shard_of(principal, shards)
        if verb == "remove":
            self._store.footprints.remove(cid, shard, shards, principal, apps)
            # Another worker may have stored such a grant anew since we read the bundle.
            now = self._store.bundles.get(cid, principal)
            apps = {app for app in apps if now and now.grant(app)}
        if apps:
            self._store.footprints.add(cid, shard, shards, principal, apps)

    def note(self, bundle: Bundle, at: datetime) -> None:
        """Collect history."""
        if not bundle.delta:
            return
        shard = ids.shard_of(bundle.principal.id, self._connection.shards)
        self._history.setdefault((shard, at.date()), []).extend(
            ChangeEntry(
                at=at,
                principal_id=bundle.principal.id,
                rev=bundle.rev,
                app_id=delta.app_id,
                kind=delta.kind,
                before=delta.before,
                after=delta.after,
                cause=bundle.cause,
            )
            for delta in bundle.delta
        )

    def finish_last(self, stored: Bundle | None, now: datetime) -> bool:
        """Do again what follows a bundle's last write: its worker may have stopped before. All is idempotent.

        Returns:
            Whether there was something to note.
        """
        if stored is None or stored.changed_at is None or stored.changed_at < now - REPAIR:
            return False
        gone = {d.app_id for d in stored.delta if d.kind == "removed"}
        self.footprint("remove", stored.principal.id, gone)
        baseline = self._connection.baseline_at
        if stored.cause == "run" and (baseline is None or stored.changed_at <= baseline):
            return False
        self.note(stored, stored.changed_at)
        return bool(stored.delta)

    def flush(self) -> None:
        """Write the history that was collected."""
        # Under the day of the change: noted again tomorrow, it meets the entry noted today.
        for (shard, day), entries in self._history.items():
            self._store.history.append(self._connection.id, shard, day, entries)
        self._history.clear()


class Assigner:
    """Writes whose account a bundle is: our knowledge, not the provider's, so that nothing is read for it."""

    def __init__(self, store: TenantStore, connection: Connection) -> None:
        self._store = store
        self._connection = connection
        self._after = Aftermath(store, connection, indexed=True)

    def assign(self, principal_id: str, person_id: str, now: datetime) -> bool:
        """Store the person of an account; False where it is stored already, or the account is gone.

        What should have followed the last write is done first: a bundle remembers only its last change.
        """
        for _ in range(_ATTEMPTS):
            stored = self._store.bundles.get(self._connection.id, principal_id)
            if stored is None or stored.principal.person_id == person_id:
                return False
            if self._after.finish_last(stored, now):
                self._after.flush()
            principal = replace(stored.principal, person_id=person_id)
            try:
                self._store.bundles.put(replace(stored, principal=principal, cause="run", delta=()))
            except RevisionConflictError:
                continue
            return True
        log.info("a bundle keeps changing; the next joining writes its person", extra={"id": principal_id})
        return False
