"""Posture: bounded, monotone, without order; and driven by what people can do something about."""

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.apps import AppSummary
from lantern.domain.posture import DRIVERS, kept, posture
from lantern.domain.risk import level_of

TODAY = date(2026, 3, 1)
_ROWS = st.builds(
    lambda number, verdict, holders, risk, severity, status, imitates, abused, last: AppSummary(
        f"app_{number:013d}", "google", "x", "oauth", verdict, 0.9, holders,
        risk=risk, risk_level=None if risk is None else level_of(risk), scope_severity=severity,
        status=status, lookalike_of=imitates, abused=abused, last_used=last,
    ),
    st.integers(0, 10**9),
    st.sampled_from(("ai", "embedded_ai", "not_ai", "unknown")),
    st.integers(0, 5),
    st.none() | st.integers(0, 100),
    st.sampled_from((None, "low", "high", "critical")),
    st.sampled_from((None, "approved", "restricted", "under_review", "not_allowed")),
    st.sampled_from((None, "ChatGPT")),
    st.booleans(),
    st.sampled_from((None, date(2026, 2, 1), date(2025, 2, 1))),
)  # fmt: skip
_LISTS = st.lists(_ROWS, max_size=12)


@given(_LISTS, st.randoms(use_true_random=False))
def test_bounded_explained_and_without_order(rows, shuffler) -> None:
    found = posture(rows, TODAY)
    assert 0 <= found.score <= 100
    assert {one.id for one in found.drivers} == {one.id for one in DRIVERS}
    assert all(0 <= one.points <= one.max_points for one in found.drivers)
    assert all((one.remedy is None) == (one.count == 0) for one in found.drivers)
    assert abs(found.score - (100 - sum(one.points for one in found.drivers))) <= 0.51
    shuffler.shuffle(rows)
    assert posture(rows, TODAY) == found


@given(_LISTS, _ROWS)
def test_one_more_app_never_raises(rows, row) -> None:
    assert posture([*rows, row], TODAY).score <= posture(rows, TODAY).score


@given(_LISTS, _ROWS)
def test_approving_never_lowers_and_a_higher_risk_never_raises(rows, row) -> None:
    approved = replace(row, status="approved")
    assert posture([*rows, approved], TODAY).score >= posture([*rows, row], TODAY).score
    worse = replace(row, risk=100, risk_level="critical")
    if row.risk is not None:
        assert posture([*rows, worse], TODAY).score <= posture([*rows, row], TODAY).score


def test_nobody_has_nothing_to_fear() -> None:
    found = posture([], TODAY)
    assert (found.score, found.apps) == (100, 0)


def test_a_day_keeps_what_its_drivers_took() -> None:
    row = AppSummary("app_0", "google", "x", "oauth", "ai", 0.9, 3, risk=80, risk_level="critical")
    found = posture([row], TODAY)
    day = kept(found, datetime(2026, 3, 1, 5, tzinfo=UTC))
    assert (day.day, day.score, day.apps) == (TODAY, found.score, 1)
    assert sum(day.points.values()) > 0
