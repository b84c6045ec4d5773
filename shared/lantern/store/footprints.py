"""Footprints: which principals hold an app, derived from bundles.

One item per bucket of apps and shard of principals. A run rebuilds a shard from its bundles and writes
only the items that differ from what is stored, whatever made them differ. Between runs, additions are
written before the bundle and removals after it, so that a footprint may name a principal too many for
a moment, but none too few.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.errors import RevisionConflictError
from lantern.domain.packed import decode_holders, encode_holders
from lantern.store.bundles import BundleRepository
from lantern.store.documents import Doc, Documents, Page
from lantern.store.keys import BUCKETS, Key, bucket_of, shard_named
from lantern.store.records import Records

_ATTEMPTS: Final = 8
Holders = dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class ShardState:
    """When a shard was last read completely, and by which run."""

    shard: int
    shards: int
    run_id: str
    at: datetime
    principals: int = 0


class FootprintRepository:
    """Who holds which app, per connection."""

    def __init__(self, documents: Documents, bundles: BundleRepository) -> None:
        self._documents = documents
        self._bundles = bundles
        self._keys = documents.keys
        self._states = Records(documents, "shard", ShardState)

    # --- reads ----------------------------------------------------------------------------------
    def holders(self, cid: str, app_id: str) -> tuple[str, ...]:
        """Ids of the principals that hold an app, in order. One query."""
        bucket = self._documents.query(self._keys.bucket(cid, bucket_of(app_id)))
        held: set[str] = set()
        for doc in bucket:
            held |= decode_holders(doc.body).get(app_id, frozenset())
        return tuple(sorted(held))

    def holders_of_all(self, cid: str, app_ids: Iterable[str], shards: int) -> frozenset[str]:
        """Ids of the principals that hold any of some apps. One request for each 100 buckets and shards."""
        wanted = set(app_ids)
        buckets = {bucket_of(app_id) for app_id in wanted}
        keys = [
            self._keys.footprint(cid, bucket, shard, shards) for bucket in buckets for shard in range(shards)
        ]
        held: set[str] = set()
        for doc in self._documents.batch_get(keys).values() if keys else ():
            for app_id, principals in decode_holders(doc.body).items():
                if app_id in wanted:
                    held |= principals
        return frozenset(held)

    def holders_page(self, cid: str, app_id: str, limit: int, cursor: str | None = None) -> Page[str]:
        """Some of the holders in order; the cursor is the last principal id of the page before."""
        rest = [pid for pid in self.holders(cid, app_id) if cursor is None or pid > cursor]
        page = tuple(rest[:limit])
        return Page(page, page[-1] if len(rest) > limit else None)

    def counts(self, cid: str, app_ids: Iterable[str]) -> dict[str, int]:
        """How many principals hold each app; one query per bucket concerned, 100 at most."""
        buckets: dict[int, set[str]] = defaultdict(set)
        for app_id in app_ids:
            buckets[bucket_of(app_id)].add(app_id)
        held: dict[str, set[str]] = {app_id: set() for wanted in buckets.values() for app_id in wanted}
        for bucket, wanted in buckets.items():
            for doc in self._documents.query(self._keys.bucket(cid, bucket)):
                for app_id, principals in decode_holders(doc.body).items():
                    if app_id in wanted:
                        held[app_id] |= principals
        return {app_id: len(principals) for app_id, principals in held.items()}

    # --- writes ---------------------------------------------------------------------------------
    def rebuild(
        self, cid: str, shard: int, shards: int, pairs: Mapping[str, frozenset[str]], now: datetime
    ) -> int:
        """Make a shard's footprints say exactly `pairs` (app id → principal ids).

        One read of the shard's items; only those that differ are written.

        Args:
            cid: the connection.
            shard: which shard.
            shards: of how many.
            pairs: everything the shard's bundles hold.
            now: unused by the items themselves; kept for symmetry with other writers.

        Returns:
            How many items were written or removed.

        Raises:
            RevisionConflictError: another writer changed an item meanwhile; rebuild again from the bundles.
        """
        del now
        wanted: dict[int, Holders] = defaultdict(dict)
        for app_id, principals in pairs.items():
            if principals:
                wanted[bucket_of(app_id)][app_id] = principals
        keys = {bucket: self._keys.footprint(cid, bucket, shard, shards) for bucket in range(BUCKETS)}
        stored = self._documents.batch_get(keys.values())
        written = 0
        held = {key: decode_holders(doc.body) for key, doc in stored.items()}
        surplus = {
            (app_id, pid)
            for key in keys.values()
            for app_id, principals in held.get(key, {}).items()
            for pid in principals - pairs.get(app_id, frozenset())
        }
        for app_id, pid in self._still_held(cid, surplus):
            bucket = wanted[bucket_of(app_id)]
            bucket[app_id] = bucket.get(app_id, frozenset()) | {pid}
        for number, key in keys.items():
            written += self._replace(key, stored.get(key), wanted.get(number, {}))
        return written

    def _still_held(self, cid: str, pairs: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those (app, principal) pairs that the bundles say now.

        `pairs` of a rebuild are some seconds old; a grant that a hint stored meanwhile must not lose
        its footprint.
        """
        bundles = self._bundles.batch_get(cid, {pid for _, pid in pairs})
        return [(app_id, pid) for app_id, pid in pairs if pid in bundles and bundles[pid].grant(app_id)]

    def add(self, cid: str, shard: int, shards: int, pid: str, app_ids: Iterable[str]) -> int:
        """Say that a principal holds apps; returns how many items were written."""
        return self._each(cid, shard, shards, app_ids, lambda held: held | {pid})

    def remove(self, cid: str, shard: int, shards: int, pid: str, app_ids: Iterable[str]) -> int:
        """Say that a principal does not hold apps any more; returns how many items were written."""
        return self._each(cid, shard, shards, app_ids, lambda held: held - {pid})

    def retire(self, cid: str, shards: int) -> int:
        """Remove what was written when there were fewer shards; once, after a run that doubled them.

        Returns:
            How many items were removed.
        """
        old = [
            doc.key
            for bucket in range(BUCKETS)
            for doc in self._documents.query(self._keys.bucket(cid, bucket))
            if shard_named(doc.key.sk)[1] != shards
        ]
        states = self._documents.query(self._keys.shard_states(cid))
        old += [doc.key for doc in states if shard_named(doc.key.sk)[1] != shards]
        self._documents.write_all(deletes=old)
        return len(old)

    # --- freshness ------------------------------------------------------------------------------
    def put_state(self, cid: str, state: ShardState) -> None:
        """Remember that a shard was read completely."""
        key = self._keys.shard_state(cid, state.shard, state.shards)
        self._documents.put(self._states.doc(key, state), None)

    def states(self, cid: str) -> tuple[ShardState, ...]:
        """The freshness of all shards of a connection."""
        return tuple(self._states.all(self._keys.shard_states(cid)))

    # --- parts ----------------------------------------------------------------------------------
    def _each(
        self,
        cid: str,
        shard: int,
        shards: int,
        app_ids: Iterable[str],
        change: Callable[[frozenset[str]], frozenset[str]],
    ) -> int:
        buckets: dict[int, list[str]] = defaultdict(list)
        for app_id in app_ids:
            buckets[bucket_of(app_id)].append(app_id)
        return sum(
            self._change(self._keys.footprint(cid, bucket, shard, shards), apps, change)
            for bucket, apps in buckets.items()
        )

    def _change(self, key: Key, apps: list[str], change: Callable[[frozenset[str]], frozenset[str]]) -> int:
        for attempt in range(_ATTEMPTS):
            doc = self._documents.get(key, consistent=True)
            held: Holders = decode_holders(doc.body) if doc else {}
            for app_id in apps:
                held[app_id] = change(held.get(app_id, frozenset()))
            try:
                return self._replace(key, doc, held)
            except RevisionConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def _replace(self, key: Key, doc: Doc | None, holders: Mapping[str, frozenset[str]]) -> int:
        """Write a footprint where it differs; 1 if something was written."""
        if doc is None and not any(holders.values()):
            return 0
        # An item that became empty stays: a revision that starts anew could hide a concurrent write.
        body, digest = encode_holders(holders)
        if doc is not None and doc.digest == digest:
            return 0
        rev = doc.rev if doc else 0
        self._documents.put(Doc(key, "footprint", body, rev=rev + 1, digest=digest), rev)
        return 1
