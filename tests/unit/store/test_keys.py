"""Keys: all in the tenant's prefix, none reachable by a part that reaches across."""

import inspect
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain import ids
from lantern.domain.errors import NotFoundError
from lantern.store.keys import BUCKETS, Key, Keys, bucket_of, part, shard_name, shard_named

TENANT = "a" * 20
keys = Keys(TENANT)
SAMPLES: dict[str, Any] = {"shard": 3, "shards": 4, "number": 2, "bucket": 7, "rev": 9, "seq": 5}


def arguments(method: Any, text: str) -> dict[str, Any]:
    names = inspect.signature(method).parameters
    return {name: date(2026, 3, 14) if name == "day" else SAMPLES.get(name, text) for name in names}


METHODS = [name for name, _ in inspect.getmembers(keys, inspect.ismethod) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_every_key_starts_with_the_tenant(name: str) -> None:
    method = getattr(keys, name)
    made = method(**arguments(method, "x1"))

    assert (made.pk if isinstance(made, Key) else made).startswith(f"T#{TENANT}#")


def test_keys_of_different_kinds_never_meet() -> None:
    made = [method(**arguments(method, "x1")) for method in (getattr(keys, name) for name in METHODS)]
    whole = [key for key in made if isinstance(key, Key)]

    assert len(set(whole)) == len(whole)


@given(st.text(max_size=30))
def test_a_part_never_holds_a_separator(text: str) -> None:
    try:
        assert not set(part(text)) & set("#~ \n\x00")
    except NotFoundError:
        assert not text or not text.isascii() or set(text) & set("#~ ") or not text.isprintable()


@pytest.mark.parametrize("hostile", ["x#P", "", "x~1", "x y", "ü", "x\n", "x" * 201])
def test_an_id_that_no_id_looks_like_is_not_found(hostile: str) -> None:
    with pytest.raises(NotFoundError):
        keys.connection(hostile)


@pytest.mark.parametrize("tenant_id", ["", "a" * 19, "A" * 20, "a" * 20 + "#"])
def test_what_is_no_tenant_id_has_no_keys(tenant_id: str) -> None:
    with pytest.raises(ValueError, match="not a tenant id"):
        Keys(tenant_id)


def test_shard_names_sort_and_read_back() -> None:
    names = [shard_name(shard, 64) for shard in range(64)]

    assert names == sorted(names)
    assert [shard_named(name) for name in names] == [(shard, 64) for shard in range(64)]
    with pytest.raises(ValueError, match="no shard 4 of 4"):
        shard_name(4, 4)


def test_apps_spread_over_all_buckets() -> None:
    buckets = {bucket_of(ids.app_id("google", str(number))) for number in range(2_000)}

    assert buckets == set(range(BUCKETS))
