"""Assets: a complete listing is what there is, and what it no longer has is gone, not forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lantern.domain import ids
from lantern.domain.assets import Asset
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import CID, NOW


def key(native_id: str, **changes: Any) -> Asset:
    found = Asset(ids.asset_id(CID, "api_key", native_id), CID, "api_key", native_id, f"Key {native_id}")
    return replace(found, **changes)


def listed(store: TenantStore) -> list[str]:
    return [one.asset.native_id for one in store.assets.page("api_key", CID, limit=10, cursor=None).items]


def test_a_listing_is_stored_once_and_an_unchanged_one_writes_nothing(store: TenantStore) -> None:
    first = store.assets.reconcile(CID, "api_key", [key("1"), key("2")], NOW)
    again = store.assets.reconcile(CID, "api_key", [key("2"), key("1")], NOW + timedelta(days=1))

    assert (len(first.added), first.changed, first.gone) == (2, (), ())
    assert (again.added, again.changed, again.gone) == ((), (), ())
    assert sorted(listed(store)) == ["1", "2"]
    stored = store.assets.get(key("1").id)
    assert stored is not None
    assert (stored.rev, stored.changed_at) == (1, NOW)


def test_what_is_missing_from_a_complete_listing_is_gone_and_may_come_back(store: TenantStore) -> None:
    later = NOW + timedelta(days=1)
    store.assets.reconcile(CID, "api_key", [key("1"), key("2")], NOW)

    missing = store.assets.reconcile(CID, "api_key", [key("1", state="disabled")], later)
    gone = store.assets.get(key("2").id)
    still = store.assets.reconcile(CID, "api_key", [key("1", state="disabled")], later)
    back = store.assets.reconcile(CID, "api_key", [key("1", state="disabled"), key("2")], later)

    assert (missing.changed, missing.gone) == ((key("1").id,), (key("2").id,))
    assert gone is not None
    assert gone.gone_at == later
    assert still.gone == ()
    assert back.changed == (key("2").id,)
    returned = store.assets.get(key("2").id)
    assert returned is not None
    assert (returned.gone_at, returned.first_seen) == (None, NOW)


def test_a_listing_of_one_kind_or_connection_says_nothing_of_another(store: TenantStore) -> None:
    agent = Asset(ids.asset_id(CID, "agent", "a"), CID, "agent", "a", "Agent")
    store.assets.reconcile(CID, "agent", [agent], NOW)
    store.assets.reconcile(CID, "api_key", [], NOW)
    other = replace(key("9"), connection_id="con_other", id=ids.asset_id("con_other", "api_key", "9"))
    store.assets.reconcile("con_other", "api_key", [other], NOW)
    store.assets.reconcile(CID, "api_key", [], NOW)

    for asset in (agent, other):
        kept = store.assets.get(asset.id)
        assert kept is not None
        assert kept.gone_at is None


def test_an_index_that_lags_behind_is_no_conflict(store: TenantStore, monkeypatch: Any) -> None:
    store.assets.reconcile(CID, "api_key", [key("1")], NOW)
    monkeypatch.setattr(type(store.assets), "_of", lambda *_: iter(()))
    changes = store.assets.reconcile(CID, "api_key", [key("1", name="Renamed")], NOW)
    assert changes.added == (key("1").id,)
    stored = store.assets.get(key("1").id)
    assert stored is not None
    assert (stored.asset.name, stored.rev, stored.first_seen) == ("Renamed", 2, NOW)
