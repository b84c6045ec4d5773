"""The platform table: registry, routes, and what happens once only."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from lantern.domain import ids
from lantern.domain.errors import ConflictError
from lantern.store.platform import ChannelRoute, KeyEntry, OrgRoute, PlatformStore, TenantEntry
from tests.contract.store.factories import NOW

A, B = "a" * 20, "b" * 20


def test_tenants_are_registered_and_listed_in_pages(platform: PlatformStore) -> None:
    entries = [
        TenantEntry(ids.new_tenant_id(lambda n, k=k: bytes([k]) * n), f"T{k}", "active", NOW)
        for k in range(5)
    ]
    for entry in entries:
        platform.put_tenant(entry)
    suspended = replace(entries[0], status="suspended")
    platform.put_tenant(suspended)

    found, cursor = [], None
    while True:
        page = platform.list_tenants(cursor, limit=2)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [suspended, *entries[1:]]
    assert platform.get_tenant(entries[0].id) == suspended
    assert platform.get_tenant(A) is None


def test_keys_are_found_by_id_and_revoked_by_their_tenant_only(platform: PlatformStore) -> None:
    key = KeyEntry("k1", A, frozenset({"read"}), "hash")
    platform.put_key(key)
    platform.put_key(key)
    with pytest.raises(ConflictError):
        platform.put_key(replace(key, tenant_id=B))

    assert platform.get_key("k1") == key
    assert platform.get_key("k2") is None
    assert not platform.revoke_key("k1", B)
    assert platform.get_key("k1") == key
    assert platform.revoke_key("k1", A)
    assert platform.get_key("k1") == replace(key, status="revoked")


def test_an_organisation_belongs_to_whoever_claimed_it_first(platform: PlatformStore) -> None:
    mine = OrgRoute("google", "C01", A, "con_1")
    theirs = OrgRoute("google", "C01", B, "con_2")

    assert platform.claim_org(mine) == mine
    assert platform.claim_org(mine) == mine
    assert platform.claim_org(theirs) == mine
    with pytest.raises(ConflictError):
        platform.move_org(theirs)
    moved = replace(mine, connection_id="con_9")
    platform.move_org(moved)
    assert platform.get_org("google", "C01") == moved
    assert not platform.release_org("google", "C01", B)
    assert platform.release_org("google", "C01", A)
    assert platform.get_org("google", "C01") is None
    assert platform.claim_org(theirs) == theirs


def test_channels_route_to_their_connection(platform: PlatformStore) -> None:
    route = ChannelRoute("ch_1", A, "con_1", "hash", NOW)
    platform.put_channel(route)

    assert platform.get_channel("ch_1") == route
    platform.delete_channel("ch_1")
    platform.delete_channel("ch_1")
    assert platform.get_channel("ch_1") is None


@pytest.mark.engine
def test_of_many_parallel_deliveries_one_is_the_first(platform: PlatformStore, engine: str) -> None:
    assert engine == "local"
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: platform.first_sight("google", "e1", 600, NOW), range(1_000)))

    assert seen.count(True) == 1


def test_only_the_first_of_deliveries_with_one_id_is_new(platform: PlatformStore) -> None:
    seen = [platform.first_sight("google", "e1", 600, NOW) for _ in range(20)]

    assert seen == [True] + [False] * 19
    assert not platform.first_sight("google", "e1", 600, NOW + timedelta(seconds=600))
    assert platform.first_sight("google", "e2", 600, NOW)
    assert platform.first_sight("okta", "e1", 600, NOW)
    # DynamoDB removes expired items late; an expired one counts as gone.
    assert platform.first_sight("google", "e1", 600, NOW + timedelta(seconds=601))
    platform.forget_sight("okta", "e1", NOW)
    assert [platform.first_sight("okta", "e1", 600, NOW) for _ in range(3)] == [True, False, False]


def test_a_consent_state_is_used_once_within_ten_minutes(platform: PlatformStore) -> None:
    value = {"provider": "google", "verifier": "v"}
    platform.put_state("h1", value, NOW)
    platform.put_state("h2", value, NOW)
    with pytest.raises(ConflictError):
        platform.put_state("h1", {"provider": "okta"}, NOW)

    assert platform.consume_state("h1", NOW + timedelta(seconds=599)) == value
    assert platform.consume_state("h1", NOW) is None
    assert platform.consume_state("h2", NOW + timedelta(seconds=600)) is None
    assert platform.consume_state("h3", NOW) is None


def test_requests_are_counted_per_key_and_window(platform: PlatformStore) -> None:
    assert [platform.count_request("k1", 7) for _ in range(3)] == [1, 2, 3]
    assert platform.count_request("k1", 8) == 1
    assert platform.count_request("k2", 7) == 1
