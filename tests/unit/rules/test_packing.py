"""Findings as bytes: whatever is packed comes back, and a long list costs little more than its accounts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain import ids
from lantern.domain.columns import CodecError
from lantern.domain.findings import Affected, Desired, Finding, GrantState, Group, packing, reconcile
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
APPS = [ids.app_id("google", f"client-{n}") for n in range(5)]


def grant(person: int, app: int = 0) -> str:
    return ids.grant_id(ids.principal_id("google", "C0", str(person)), APPS[app])


def finding(names: list[str], subject: Subject = Subject.GRANT) -> Finding:
    wanted = Desired(
        "stale-grant",
        "1",
        subject,
        Group(GroupBy.APP, APPS[0]),
        "Otter keeps access",
        dict.fromkeys(names, Grade(Severity.LOW, certain=True)),
    )
    found, _ = reconcile(None, wanted, NOW)
    assert found is not None
    return found


@given(
    st.dictionaries(
        st.one_of(
            st.tuples(st.integers(0, 40), st.integers(0, 4)).map(lambda pair: grant(*pair)),
            st.integers(0, 9).map(lambda n: ids.asset_id("con_1", "api_key", str(n))),
            st.sampled_from(["g1", "gr_odd", ""]),
        ),
        st.tuples(st.sampled_from(Severity), st.integers(0, 400), st.none() | st.integers(0, 10**12)),
        max_size=30,
    )
)
def test_what_is_packed_comes_back(listed: dict[str, tuple[Severity, int, int | None]]) -> None:
    affected = tuple(
        Affected(
            name,
            severity,
            NOW - timedelta(days=days),
            GrantState.OPEN if ended is None else GrantState.RESOLVED,
            None if ended is None else NOW + timedelta(microseconds=ended),
        )
        for name, (severity, days, ended) in sorted(listed.items())
    )
    one = replace(finding(["x"]), affected=affected)
    assert packing.unpack(packing.pack(one)) == one
    assert packing.head(packing.pack(one)) == replace(one, affected=())


def test_a_long_list_costs_its_accounts_and_little_more() -> None:
    one = finding([grant(person) for person in range(10_000)])
    packed = packing.pack(one)
    assert len(packed) < 10_000 * 11, "10 bytes of each account; an item holds 400 kB"
    assert packing.unpack(packed) == one
    assets = finding([ids.asset_id("con_1", "api_key", str(n)) for n in range(500)], Subject.ASSET)
    assert len(packing.pack(assets)) < 500 * 11 + 600


def test_damage_is_found() -> None:
    packed = packing.pack(finding([grant(1), grant(2)]))
    for broken in (b"", b"{}", packed[:-3], bytes((9,)) + packed[1:]):
        with pytest.raises(CodecError):
            packing.unpack(broken)
