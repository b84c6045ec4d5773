"""Bundles: written on their revision, read by shard, cut when large, own writes recognised."""

import base64
from dataclasses import replace

import pytest

from lantern.domain import ids
from lantern.domain.errors import InvalidInputError, RevisionConflictError, StorageError
from lantern.domain.inventory import Bundle, Grant
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


def test_pages_are_complete_and_their_cursors_name_no_partition(store: TenantStore) -> None:
    organisation = Organisation()
    stored = {b.principal.id: store.bundles.put(b) for b in (organisation.bundle(n, 2) for n in range(11))}

    found, cursor = [], None
    while True:
        page = store.bundles.page(CID, 4, cursor)
        assert len(page.items) <= 4
        found += page.items
        if page.cursor is None:
            break
        cursor = page.cursor
        assert store.tenant_id.encode() not in base64.urlsafe_b64decode(cursor)

    assert found == [stored[pid] for pid in sorted(stored)]


@pytest.mark.parametrize("cursor", ["", "x", "bm9wZQ==", "WzFd", "e30=", "é"])
def test_a_foreign_cursor_is_refused(store: TenantStore, cursor: str) -> None:
    with pytest.raises(InvalidInputError):
        store.bundles.page(CID, 4, cursor)


def test_batch_get_finds_what_exists(store: TenantStore) -> None:
    organisation = Organisation()
    stored = [store.bundles.put(organisation.bundle(n, 1)) for n in range(120)]
    absent = organisation.bundle(999, 1).principal.id

    found = store.bundles.batch_get(CID, [absent, *(b.principal.id for b in stored)])

    assert found == {b.principal.id: b for b in stored}


def test_a_removed_bundle_is_gone_and_removing_it_again_is_done(store: TenantStore) -> None:
    bundle = store.bundles.put(Organisation().bundle(1, 3))

    store.bundles.delete(CID, bundle.principal.id)
    store.bundles.delete(CID, bundle.principal.id)

    assert store.bundles.get(CID, bundle.principal.id) is None


def huge(bundle: Bundle, grants: int) -> Bundle:
    names = sorted(ids.app_id("google", f"tenant-wide-{n}") for n in range(grants))
    day = bundle.changed_at.date() if bundle.changed_at else None
    assert day is not None
    held = tuple(Grant(name, ids.scope_set_id(frozenset({name[-2:]})), day) for name in names)
    return replace(bundle, grants=held, delta=())


def test_a_bundle_too_large_for_one_item_is_cut_and_switched_whole(store: TenantStore, table: str) -> None:
    small = Organisation().bundle(1, 3)
    other = store.bundles.put(Organisation(seed=9).bundle(2, 3))
    pid = small.principal.id

    def parts() -> list[str]:
        docs = store.documents.query(store.documents.keys.bundles(CID))
        return [doc.key.sk for doc in docs if doc.kind == "bundle_part"]

    big = store.bundles.put(huge(small, 40_000))
    assert store.bundles.get(CID, pid) == big
    assert len(parts()) > 1
    assert sorted(b.principal.id for b in store.bundles.all(CID)) == sorted([pid, other.principal.id])
    assert [b for b in store.bundles.all(CID) if b.principal.id == pid] == [big]
    assert [b.principal.id for b in store.bundles.page(CID, 10).items] == sorted([pid, other.principal.id])

    smaller = store.bundles.put(huge(big, 39_900))
    assert store.bundles.get(CID, pid) == smaller
    assert all(f"~{smaller.rev:08d}~" in name for name in parts())

    tiny = store.bundles.put(replace(smaller, grants=small.grants))
    assert store.bundles.get(CID, pid) == tiny
    assert parts() == []
    store.bundles.put(huge(tiny, 40_000))
    store.bundles.delete(CID, pid)
    assert parts() == []


def test_a_crash_before_the_switch_leaves_the_old_bundle(store: TenantStore) -> None:
    bundle = store.bundles.put(Organisation().bundle(1, 3))
    documents, real = store.documents, store.documents.put
    documents.put = raising  # type: ignore[method-assign] # the crash
    with pytest.raises(StorageError):
        store.bundles.put(huge(bundle, 40_000))
    documents.put = real  # type: ignore[method-assign] # back again

    assert store.bundles.get(CID, bundle.principal.id) == bundle
    assert list(store.bundles.all(CID)) == [bundle]
    again = store.bundles.put(huge(bundle, 40_000))
    assert store.bundles.get(CID, bundle.principal.id) == again


def raising(*_: object) -> None:
    raise StorageError("crash")
