"""Packed records: what goes in comes out, old bytes stay readable, sizes hold, damage is noticed."""

import statistics
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lantern.domain import codec, ids, packed
from lantern.domain.columns import CodecError, day_number, day_of, gaps, sums
from lantern.domain.history import ChangeEntry
from lantern.domain.inventory import (
    Bundle,
    Cause,
    DeltaKind,
    Grant,
    GrantSource,
    PrincipalKind,
    PrincipalStatus,
)
from lantern.domain.use import UseRow
from lantern.store.sizing import item_size, read_units
from tests.contract.store.factories import CID, Organisation
from tests.unit.store.golden.make import sample_v2, sample_v3
from tests.unit.store.strategies import app_ids, bundles, changes, few_apps, principal_ids, uses

GOLDEN = Path(__file__).parent / "golden"


def decoded(raw: bytes, like: Bundle) -> Bundle:
    return codec.decode(
        raw,
        principal_id=like.principal.id,
        connection_id=like.principal.connection_id,
        rev=like.rev,
        cause=like.cause,
    )


@given(bundles())
def test_a_bundle_survives_the_round_trip(bundle: Bundle) -> None:
    assert decoded(codec.encode(bundle), bundle) == bundle


def test_unknown_grants_stay_unknown_and_none_stay_none() -> None:
    bundle = Organisation().bundle(1, grants=0)
    unknown = replace(bundle, grants=None)

    assert decoded(codec.encode(bundle), bundle).grants == ()
    assert decoded(codec.encode(unknown), unknown).grants is None
    assert codec.digest(bundle) != codec.digest(unknown)


def test_a_bundle_with_more_apps_than_16_bits_count_survives() -> None:
    bundle = Organisation().bundle(1, grants=0)
    names = (ids.unpack_app(number.to_bytes(8, "big")) for number in range(40_000))
    grants = tuple(Grant(name, "ss_012345678g", date(2026, 1, 1)) for name in names)
    big = replace(bundle, grants=grants)

    assert decoded(codec.encode(big), big) == big


@given(bundles(), st.integers(1, 100))
def test_the_digest_covers_the_inventory_and_nothing_else(bundle: Bundle, rev: int) -> None:
    rewritten = replace(bundle, rev=rev, cause="act", delta=(), changed_at=None)
    reordered = replace(bundle, grants=bundle.grants and tuple(reversed(bundle.grants)))
    renamed = replace(bundle, principal=replace(bundle.principal, native_id=bundle.principal.native_id + "x"))

    assert codec.digest(rewritten) == codec.digest(bundle) == codec.digest(reordered)
    assert codec.digest(renamed) != codec.digest(bundle)


def test_every_word_of_the_vocabularies_has_a_position() -> None:
    assert set(codec._KINDS) == set(get_args(PrincipalKind))
    assert set(codec._SOURCES) == set(get_args(GrantSource))
    assert set(codec._STATUSES) == set(get_args(PrincipalStatus))
    assert set(codec._DELTAS) == set(packed._DELTAS) == set(get_args(DeltaKind))
    assert set(packed._CAUSES) == set(get_args(Cause))


def test_bytes_of_version_1_stay_readable() -> None:
    bundle = Organisation(seed=5).bundle(1, grants=12)
    path = GOLDEN / "bundle_v1.bin"

    assert decoded(path.read_bytes(), bundle) == bundle


def test_bytes_of_version_2_stay_readable() -> None:
    bundle = sample_v2()
    path = GOLDEN / "bundle_v2.bin"

    assert decoded(path.read_bytes(), bundle) == bundle


def test_bytes_of_version_3_stay_readable() -> None:
    bundle = sample_v3()
    path = GOLDEN / "bundle_v3.bin"

    assert decoded(path.read_bytes(), bundle) == bundle
    unnamed = replace(bundle, principal=replace(bundle.principal, manager=None))
    nobody = replace(bundle, principal=replace(bundle.principal, manager=""))
    assert len({codec.digest(one) for one in (bundle, unnamed, nobody)}) == 3


def test_a_digest_of_before_managers_stays() -> None:
    assert codec.digest(sample_v2()).hex() == "313319267b20e362"


def test_footprint_bytes_of_version_1_stay_readable() -> None:
    organisation = Organisation(seed=5)
    holders: dict[str, frozenset[str]] = {}
    for bundle in (organisation.bundle(number, grants=5) for number in range(6)):
        for grant in bundle.grants or ():
            holders[grant.app_id] = holders.get(grant.app_id, frozenset()) | {bundle.principal.id}

    assert packed.decode_holders((GOLDEN / "holders_v1.bin").read_bytes()) == holders


def test_change_and_use_bytes_of_version_1_stay_readable() -> None:
    bundle = replace(Organisation(seed=5).bundle(1, grants=4), rev=3)
    entries = tuple(
        ChangeEntry(
            at=bundle.changed_at,
            principal_id=bundle.principal.id,
            rev=3,
            app_id=delta.app_id,
            kind=delta.kind,
            before=delta.before,
            after=delta.after,
            cause=bundle.cause,
        )
        for delta in bundle.delta
        if bundle.changed_at
    )
    rows = tuple(
        UseRow(bundle.principal.id, grant.app_id, number * 1000, date(2026, 3, 1 + number))
        for number, grant in enumerate(bundle.grants or ())
    )

    assert packed.decode_changes((GOLDEN / "changes_v1.bin").read_bytes()) == entries
    assert packed.decode_use((GOLDEN / "use_v1.bin").read_bytes()) == rows


@settings(max_examples=60)
@given(bundles(), st.data())
def test_damaged_bytes_raise_and_never_become_another_bundle(bundle: Bundle, data: st.DataObject) -> None:
    raw = codec.encode(bundle)
    cut = data.draw(st.integers(0, len(raw) - 1))

    with pytest.raises(CodecError):
        decoded(raw[:cut], bundle)
    with pytest.raises(CodecError):
        decoded(bytes([99]) + raw[1:], bundle)


def test_days_out_of_range_are_refused() -> None:
    bundle = Organisation().bundle(1, grants=1)
    (grant,) = bundle.grants or ()

    with pytest.raises(ValueError, match="1999-12-31"):
        codec.encode(replace(bundle, grants=(replace(grant, granted_on=date(1999, 12, 31)),)))


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2179, 6, 4)) | st.none())
def test_days_are_numbers_and_back(day: date | None) -> None:
    assert day_of(day_number(day)) == day


@given(st.lists(st.integers(0, 10**6)))
def test_gaps_are_undone_by_sums(positions: list[int]) -> None:
    assert sums(gaps(positions)) == positions


@given(st.dictionaries(few_apps | app_ids, st.frozensets(principal_ids, max_size=8), max_size=12))
def test_footprints_survive_the_round_trip_without_empty_apps(holders: dict[str, frozenset[str]]) -> None:
    raw, digest = packed.encode_holders(holders)

    assert packed.decode_holders(raw) == {app: held for app, held in holders.items() if held}
    assert packed.encode_holders(packed.decode_holders(raw)) == (raw, digest)


@given(st.lists(changes, max_size=30))
def test_changes_survive_the_round_trip(entries: list[ChangeEntry]) -> None:
    assert packed.decode_changes(packed.encode_changes(entries)) == tuple(entries)


@given(st.lists(uses, max_size=30))
def test_use_survives_the_round_trip(rows: list[UseRow]) -> None:
    assert packed.decode_use(packed.encode_use(rows)) == tuple(rows)


@given(st.lists(uses, max_size=30))
def test_grouped_use_adds_events_and_keeps_the_latest_day(rows: list[UseRow]) -> None:
    merged = packed.grouped(rows)

    assert sum(row.events for row in merged.values()) == sum(row.events for row in rows)
    for (pid, app_id), row in merged.items():
        assert row.last_day == max(r.last_day for r in rows if (r.principal_id, r.app_id) == (pid, app_id))


def test_seventy_grants_fit_and_ten_thousand_people_are_swept_in_under_2000_read_units() -> None:
    sizes, packed_grants = [], []
    for apps, sets in ((400, 300), (3_000, 1_500), (10_000, 4_000)):
        organisation = Organisation(seed=3, apps=apps, scope_sets=sets)
        for bundle in (organisation.bundle(number) for number in range(60)):
            item = {
                "pk": {"S": "T#" + "a" * 20 + f"#C#{CID}#P"},
                "sk": {"S": bundle.principal.id},
                "kind": {"S": "bundle"},
                "rev": {"N": "12"},
                "cause": {"S": "run"},
                "digest": {"B": codec.digest(bundle)},
                "body": {"B": codec.encode(bundle)},
            }
            sizes.append(item_size(item))
            nobody = replace(bundle.principal, native_id="", email=None, name=None, org_unit=None)
            packed_grants.append(len(codec.encode(replace(bundle, principal=nobody))))

    assert statistics.mean(packed_grants) <= 1_250
    assert 1_300 <= statistics.mean(sizes) <= 1_500
    assert read_units(round(statistics.mean(sizes) * 10_000)) < 2_000
