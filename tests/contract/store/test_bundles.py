"""Bundles: written on their revision, read by shard, cut when large, own writes recognised."""

from dataclasses import replace

import pytest

from lantern.domain import ids
from lantern.domain.errors import RevisionConflictError
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import CID, Organisation


def test_a_stored_bundle_reads_back_as_it_was_with_its_revision(store: TenantStore) -> None:
    bundle = Organisation().bundle(1)

    stored = store.bundles.put(bundle)

    assert stored == replace(bundle, rev=1)
    assert store.bundles.get(CID, bundle.principal.id) == stored
    second = store.bundles.put(replace(stored, cause="hint", delta=()))
    assert second.rev == 2
    assert store.bundles.get(CID, bundle.principal.id) == second


def test_a_write_on_an_old_revision_is_refused(store: TenantStore) -> None:
    bundle = Organisation().bundle(1, grants=3)
    first = store.bundles.put(bundle)
    store.bundles.put(replace(first, cause="hint"))

    with pytest.raises(RevisionConflictError):
        store.bundles.put(replace(first, grants=()))
    with pytest.raises(RevisionConflictError):
        store.bundles.put(replace(bundle, grants=()))


def test_the_shards_together_are_all_bundles_in_order(store: TenantStore) -> None:
    organisation = Organisation()
    stored = {b.principal.id: store.bundles.put(b) for b in (organisation.bundle(n, 3) for n in range(40))}

    by_shard = [list(store.bundles.shard(CID, shard, 4)) for shard in range(4)]

    assert [b for part in by_shard for b in part] == [stored[pid] for pid in sorted(stored)]
    for shard, part in enumerate(by_shard):
        assert {ids.shard_of(b.principal.id, 4) for b in part} == {shard}
    assert list(store.bundles.all(CID)) == [stored[pid] for pid in sorted(stored)]
