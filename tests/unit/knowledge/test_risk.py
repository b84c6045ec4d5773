"""The risk score: its promises as properties, its order on plain cases, its worked example in the docs."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.abuse import KnownAbuse
from lantern.domain.identification import Identification
from lantern.domain.lookalike import LookAlike
from lantern.domain.risk import (
    DEFAULT,
    WEIGHT_NAMES,
    Assessment,
    GrantInput,
    RiskInput,
    Weights,
    assess,
    assess_grant,
    grant_scores,
    level_of,
    pack_shares,
    reweighed,
)
from lantern.domain.scopes import SEVERITIES, ScopeClass
from lantern.domain.use_change import UseChange
from lantern.domain.vendors import VendorTrust

_CLASSES = ("mail", "files", "calendar", "identity", "directory", "code", None)
_STATUSES = ("approved", "restricted", "under_review", "not_allowed", "unreviewed")
_IMITATION = LookAlike("chatgpt", "ChatGPT", "OpenAI", "ChatGPT", "homoglyph", 0.95, "Looks like ChatGPT.")


def _scope(data_class, severity: str, name: str = "s") -> ScopeClass:
    known = data_class is not None
    return ScopeClass(
        "google", name, data_class, "read", severity, None, f"Read {data_class}", known, "table"
    )


_scopes = st.builds(_scope, st.sampled_from(_CLASSES), st.sampled_from(SEVERITIES), st.sampled_from("abc"))
_counts = st.none() | st.integers(0, 3000)
_found = st.builds(
    Identification,
    st.sampled_from(("ai", "embedded_ai", "not_ai", "unknown")),
    st.floats(0, 0.99),
    st.just("Vendor"),
)
_tri = st.none() | st.booleans()
_incidents = st.lists(
    st.tuples(st.just("Something happened (2023-03)"), st.sampled_from((0.4, 0.7, 1.0)), st.integers(0, 9)),
    max_size=3,
).map(tuple)
_vendors = st.builds(
    VendorTrust,
    st.just("r1"),
    *(_tri for _ in range(6)),
    _incidents,
    st.none() | st.just("US"),
    st.none() | st.sampled_from(("adequate", "partly", "other")),
    st.none() | st.integers(0, 60),
)
_abuse = st.just(
    KnownAbuse("x", 0.5, "name", "Its name is that of X, which was abused.", "https://x.example")
)
_changes = st.builds(
    UseChange, st.sampled_from(("steady", "spike", "woke")), st.integers(0, 999), st.integers(0, 99)
)
_apps = st.builds(
    RiskInput,
    identification=_found,
    scopes=st.none() | st.lists(_scopes, max_size=6).map(tuple),
    holders=st.integers(0, 20000),
    org_size=st.none() | st.integers(0, 20000),
    privileged_holders=_counts,
    stale_holders=_counts,
    departed_holders=_counts,
    connections=st.integers(0, 8),
    verified_publisher=st.none() | st.booleans(),
    look_alike=st.none() | st.just(_IMITATION),
    status=st.sampled_from(_STATUSES),
    age_days=st.none() | st.integers(0, 400),
    personal_holders=_counts,
    vendor=st.none() | _vendors,
    abuse=st.none() | _abuse,
    unused=st.none() | st.lists(_scopes, max_size=3).map(tuple),
    use_change=st.none() | _changes,
)
_weights = st.just(DEFAULT) | st.builds(Weights, *(st.floats(0, 100) for _ in WEIGHT_NAMES))
_grants = st.builds(
    GrantInput, _apps, st.none() | st.lists(_scopes, max_size=6).map(tuple), *(_tri for _ in range(5))
)


def _points(assessment: Assessment) -> float:
    return sum(factor.points for factor in assessment.factors)


@given(_apps, _weights)
def test_bounded_and_explained(app: RiskInput, weights: Weights) -> None:
    found = assess(app, weights)
    assert 0 <= found.score <= 100
    assert found.level == level_of(found.score)
    assert {factor.id for factor in found.factors} == set(WEIGHT_NAMES)
    assert all(0 <= factor.points <= factor.max_points for factor in found.factors)
    assert all(factor.evidence and (factor.remedy or not factor.points) for factor in found.factors)
    assert abs(min(100, _points(found)) - found.score) <= 0.51


@given(_apps, _weights, _scopes)
def test_adding_a_scope_never_lowers(app: RiskInput, weights: Weights, scope: ScopeClass) -> None:
    scopes = app.scopes or ()
    before = assess(replace(app, scopes=scopes), weights)
    assert assess(replace(app, scopes=(*scopes, scope)), weights).score >= before.score


@given(
    _apps,
    _weights,
    st.integers(1, 50),
    st.sampled_from((None, "privileged_holders", "departed_holders", "stale_holders", "personal_holders")),
)
def test_adding_a_holder_never_lowers(app: RiskInput, weights: Weights, more: int, kind: str | None) -> None:
    grown = replace(app, holders=app.holders + more)
    if kind and getattr(app, kind) is not None:
        grown = replace(grown, **{kind: getattr(app, kind) + more})
    assert assess(grown, weights).score >= assess(app, weights).score


@given(_apps, _weights)
def test_approving_never_raises_and_forbidding_never_lowers(app: RiskInput, weights: Weights) -> None:
    assert assess(replace(app, status="approved"), weights).score <= assess(app, weights).score
    assert assess(replace(app, status="not_allowed"), weights).score >= assess(app, weights).score


@given(_apps, _weights)
def test_not_knowing_is_never_better_than_knowing_good(app: RiskInput, weights: Weights) -> None:
    good = {
        "privileged_holders": 0,
        "stale_holders": 0,
        "departed_holders": 0,
        "verified_publisher": True,
        "age_days": 400,
        "org_size": 10**9,
        "scopes": (),
        "identification": Identification("not_ai", 0.99, "Vendor"),
        "personal_holders": 0,
        "unused": (),
        "use_change": UseChange("steady", 10, 10),
        "vendor": VendorTrust("r", False, False, True, True, True, True, (), "DE", "adequate", 20),
    }
    for name, value in good.items():
        unknown = Identification("unknown", 0.0) if name == "identification" else None
        known_good = assess(replace(app, **{name: value}), weights)
        assert assess(replace(app, **{name: unknown}), weights).score >= known_good.score, name


@given(_apps, _weights, _vendors)
def test_not_knowing_a_fact_of_the_vendor_is_between_good_and_bad(
    app: RiskInput, weights: Weights, vendor: VendorTrust
) -> None:
    answers = {
        "trains_on_business_data": (False, True),
        "trains_on_consumer_data": (False, True),
        "audited": (True, False),
        "iso42001": (True, False),
        "dpa": (True, False),
        "subprocessors_published": (True, False),
        "transfer": ("adequate", "other"),
        "years": (30, 0),
    }
    for name, (good, bad) in answers.items():
        low, middle, high = (
            assess(replace(app, vendor=replace(vendor, **{name: value})), weights).score
            for value in (good, None, bad)
        )
        assert low <= middle <= high, name
    worse = replace(vendor, incidents=(*vendor.incidents, ("A breach (2025-01)", 1.0, 0)))
    before = assess(replace(app, vendor=vendor), weights).score
    assert assess(replace(app, vendor=worse), weights).score >= before


@given(_apps, _weights)
def test_known_abuse_and_unused_permissions_never_lower(app: RiskInput, weights: Weights) -> None:
    report = KnownAbuse("x", 0.9, "id", "Reported.", "https://x.example")
    honest, abused = assess(replace(app, abuse=None), weights), assess(replace(app, abuse=report), weights)
    assert abused.score >= honest.score
    unknown = assess(replace(app, unused=None), weights)
    assert assess(app, weights).score >= unknown.score == assess(replace(app, unused=()), weights).score


@given(_apps, _weights, _weights)
def test_packed_shares_give_the_score_of_any_weights(app: RiskInput, old: Weights, new: Weights) -> None:
    assert reweighed(pack_shares(assess(app, old)), new) == assess(app, new).score


# --- grants -------------------------------------------------------------------------------------------------


@given(_grants, _weights)
def test_the_risk_of_a_grant_is_bounded_and_explained(grant: GrantInput, weights: Weights) -> None:
    found = assess_grant(grant, weights)
    assert 0 <= found.score <= 100
    assert len({factor.id for factor in found.factors}) == len(found.factors) == 17
    assert all(factor.evidence and (factor.remedy or not factor.points) for factor in found.factors)
    assert abs(min(100, _points(found)) - found.score) <= 0.51


@given(_grants, _weights, _scopes, st.randoms(use_true_random=False))
def test_a_grant_keeps_what_holds_for_apps(
    grant: GrantInput, weights: Weights, scope: ScopeClass, shuffler: random.Random
) -> None:
    scopes = list(grant.scopes or ())
    before = assess_grant(replace(grant, scopes=tuple(scopes)), weights)
    assert assess_grant(replace(grant, scopes=(*scopes, scope)), weights).score >= before.score
    shuffler.shuffle(scopes)
    assert assess_grant(replace(grant, scopes=tuple(scopes)), weights) == before
    approved = replace(grant, app=replace(grant.app, status="approved"))
    assert assess_grant(approved, weights).score <= assess_grant(grant, weights).score
    for name in ("admin", "departed", "stale", "personal", "grew"):
        low, middle, high = (
            assess_grant(replace(grant, **{name: value}), weights).score for value in (False, None, True)
        )
        assert low <= middle <= high, name
    nothing, unknown = (assess_grant(replace(grant, scopes=value), weights) for value in ((), None))
    assert unknown.score >= nothing.score


@given(_grants, _weights)
def test_many_grants_score_as_each_alone(grant: GrantInput, weights: Weights) -> None:
    kinds = [(grant.admin, grant.departed, grant.stale, grant.personal, grant.grew), (None,) * 5]
    alone = [
        assess_grant(grant, weights).score,
        assess_grant(GrantInput(grant.app, grant.scopes, *kinds[1]), weights).score,
    ]
    assert grant_scores(grant.app, grant.scopes, kinds, weights) == alone


def test_an_administrators_grant_of_everything_is_worse_than_a_sign_in() -> None:
    wide = GrantInput(_example(), (_scope("mail", "critical"),), True, False, False, False, False)
    narrow = GrantInput(_example(), (_scope("identity", "low"),), False, False, False, False, False)
    assert assess_grant(wide).level in {"high", "critical"}
    assert assess_grant(narrow).level == "low"


@given(_apps, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(app: RiskInput, shuffler: random.Random) -> None:
    scopes = list(app.scopes or ())
    shuffled = scopes + scopes[:1]
    shuffler.shuffle(shuffled)
    assert assess(replace(app, scopes=tuple(shuffled))) == assess(replace(app, scopes=tuple(scopes)))


@given(_apps)
def test_a_look_alike_is_worse(app: RiskInput) -> None:
    honest, imitation = assess(replace(app, look_alike=None)), assess(replace(app, look_alike=_IMITATION))
    assert imitation.score >= min(100, honest.score + 25)


def test_the_fingerprint_covers_facts_entry_and_weights() -> None:
    app = _example()
    changed = {
        assess(app).fingerprint,
        assess(replace(app, holders=41)).fingerprint,
        assess(replace(app, identification=replace(app.identification, entry_revision="r2"))).fingerprint,
        assess(app, Weights(reach=41)).fingerprint,
        assess(replace(app, scopes=(app.scopes or ())[:1])).fingerprint,
    }
    assert len(changed) == 5
    assert assess(replace(app)).fingerprint == assess(app).fingerprint


def test_growing_older_changes_nothing_once_it_is_not_new() -> None:
    app = replace(_example(), age_days=30)
    assert assess(app) == assess(replace(app, age_days=400))
    assert assess(replace(app, age_days=3)).fingerprint != assess(app).fingerprint


def test_what_is_new_grows_older_week_by_week() -> None:
    ages = [assess(replace(_example(), age_days=day)) for day in range(31)]
    assert ages[0] == ages[6] != ages[7] == ages[13], "a night changes no judgement by itself"
    assert len({one.fingerprint for one in ages}) == 6
    points = [sum(f.points for f in one.factors if f.id == "newness") for one in ages]
    assert points == sorted(points, reverse=True)
    assert (points[0], points[30]) == (3, 0)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight people"):
        Weights(people=weight)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="holders must not be negative"):
        assess(replace(_example(), holders=-1))


def _example() -> RiskInput:
    """The app of docs/risk.md."""
    return RiskInput(
        identification=Identification("ai", 0.93, "Otter.ai", "Otter.ai", "otter-ai", "ai_meeting"),
        scopes=(
            ScopeClass("google", "calendar.events", "calendar", "write", "medium", "sensitive",
                       "Read and change events of all calendars", True, "table"),
            ScopeClass("google", "drive.readonly", "files", "read", "high", "restricted",
                       "Read every file in the person's Drive", True, "table"),
            ScopeClass("google", "contacts.readonly", "contacts", "read", "medium", "sensitive",
                       "Read all contacts", True, "table"),
        ),
        holders=40,
        org_size=250,
        privileged_holders=1,
        stale_holders=12,
        departed_holders=2,
        age_days=200,
    )  # fmt: skip


def test_plain_cases_come_out_in_a_sensible_order() -> None:
    base = _example()
    sign_in = replace(
        base, scopes=(_scope("identity", "low"),), privileged_holders=0, stale_holders=0, departed_holders=0,
        identification=Identification("not_ai", 0.96, "Doodle"), verified_publisher=True,
    )  # fmt: skip
    takeover = replace(base, scopes=(_scope("directory", "critical"),))
    levels = [assess(app).level for app in (replace(sign_in, status="approved"), base, takeover)]
    assert levels == ["low", "high", "critical"]
    assert assess(sign_in).score < assess(base).score < assess(takeover).score
    assert assess(replace(sign_in, look_alike=_IMITATION)).level in {"high", "critical"}


def worked_example() -> str:
    """The table of docs/risk.md."""
    found = assess(_example())
    rows = [
        f"| {one.title} | {one.points:g} of {one.max_points:g} | {one.evidence} |" for one in found.factors
    ]
    total = f"**{found.score}** ({found.level})"
    return "\n".join(["| Factor | Points | Evidence |", "|---|---|---|", *rows, f"| **Score** | {total} | |"])


def test_the_documented_example_is_the_real_one() -> None:
    document = Path(__file__).parents[3] / "docs" / "risk.md"
    assert worked_example() in document.read_text(encoding="utf-8")
