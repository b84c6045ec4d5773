"""Vendors, frameworks and abuse reports: the shipped data, and the functions that read it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.accounts import account_kind, is_personal
from lantern.domain.compliance import ComplianceFacts, relevance
from lantern.domain.privilege import ApiUse, untouched
from lantern.domain.privilege import unused as unused_of
from lantern.domain.scopes import ScopeClass
from lantern.domain.use_change import use_change
from lantern.domain.vendors import FACTS, trust
from lantern.services.domains import registrable_domain
from lantern.services.reference import Reference, ReferenceDataError
from scripts.build import compile_vendors
from scripts.build.sources import SourceError

TODAY = date(2026, 3, 1)


@pytest.fixture(scope="session")
def reference(knowledge_dir: Path) -> Reference:
    return Reference(knowledge_dir)


# --- vendors ------------------------------------------------------------------------------------------------


def test_the_best_known_vendors_have_a_profile(reference: Reference) -> None:
    entries = compile_vendors.read_entries()
    assert len(entries) >= 150
    for vendor, entry in entries.items():
        profile = reference.vendor(vendor)
        assert profile is not None
        assert reference.vendor_by_id(profile.id) == profile
        assert entry.told() or entry.owner, f"{vendor}: says nothing"


def test_every_fact_has_a_page_and_a_month_that_is_past(reference: Reference) -> None:
    this_month = f"{datetime.now(UTC):%Y-%m}"
    for vendor in compile_vendors.read_entries():
        profile = reference.vendor(vendor)
        assert profile is not None
        told = [*profile.facts.values(), profile.retention, profile.ownership]
        for one in filter(None, told):
            assert one.source.startswith("https://")
            assert "2020-01" <= one.date <= this_month
        assert all(one.month <= this_month for one in profile.incidents)


def test_openai_is_told_apart_by_plan(reference: Reference) -> None:
    profile = reference.vendor("OpenAI")
    assert profile is not None
    found = trust(profile, TODAY)
    assert (found.trains_on_business_data, found.trains_on_consumer_data) == (False, True)
    assert found.audited
    assert any("2023-03" in what for what, _, _ in found.incidents)
    assert (found.country, found.transfer) == ("US", "partly")


def test_trust_changes_with_the_year_and_not_with_the_day(reference: Reference) -> None:
    profile = reference.vendor("OpenAI")
    assert profile is not None
    assert trust(profile, date(2026, 5, 2)) == trust(profile, date(2026, 5, 30))
    assert trust(profile, date(2026, 5, 2)) != trust(profile, date(2027, 5, 2))


def test_a_vendor_that_the_catalog_does_not_know_is_refused(tmp_path: Path, knowledge_dir: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "vendors:\n  Nobody at All:\n    soc2: [yes, 'https://nobody.example/', 2024-01]\n"
    )
    with pytest.raises(SourceError, match="Nobody at All"):
        compile_vendors.compile_to(knowledge_dir, tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        "soc2: [yes, nowhere, 2024-01]",
        "soc2: [perhaps, 'https://openai.com/', 2024-01]",
        "soc2: [yes, 'https://openai.com/', 2024-13]",
        "soc9: [yes, 'https://openai.com/', 2024-01]",
        "owner: {kind: private, country: USA, page: 'https://openai.com/', date: 2024-01}",
    ],
)
def test_what_is_no_fact_is_refused(tmp_path: Path, entry: str) -> None:
    (tmp_path / "x.yaml").write_text(f"vendors:\n  OpenAI:\n    {entry}\n")
    with pytest.raises(SourceError, match="OpenAI"):
        compile_vendors.read_entries(tmp_path)


def test_files_of_another_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match="cannot be read"):
        Reference(tmp_path).vendor("OpenAI")
    (tmp_path / "vendors.json").write_text('{"format": 99, "vendors": []}')
    with pytest.raises(ReferenceDataError, match="format 99"):
        Reference(tmp_path).vendor("OpenAI")


# --- frameworks ---------------------------------------------------------------------------------------------


def _found(reference: Reference, facts: ComplianceFacts) -> dict[str, str]:
    return {one.framework: one.relevance for one in relevance(reference.risk.frameworks, facts)}


def test_frameworks_follow_what_an_app_is_and_reaches(reference: Reference) -> None:
    reads_mail = ComplianceFacts("ai", frozenset({"mail"}), frozenset({"read"}), "ai_assistant")
    assert set(_found(reference, reads_mail).values()) == {"yes"}
    nothing = ComplianceFacts("not_ai", frozenset(), frozenset(), "storage_files")
    assert set(_found(reference, nothing).values()) == {"no"}
    code = _found(
        reference, ComplianceFacts("not_ai", frozenset({"code"}), frozenset({"write"}), "developer")
    )
    assert (code["soc2"], code["gdpr"], code["hipaa"], code["eu_ai_act"]) == ("yes", "no", "no", "no")


def test_what_is_not_known_is_possible_and_never_absent(reference: Reference) -> None:
    assert set(_found(reference, ComplianceFacts("unknown", None, None)).values()) == {"possible"}


def test_gaps_are_told_where_the_framework_matters(reference: Reference) -> None:
    profile = reference.vendor("OpenAI")
    facts = ComplianceFacts("ai", frozenset({"mail"}), frozenset({"read"}), "ai_assistant", profile)
    for found in relevance(reference.risk.frameworks, facts):
        for reason in found.reasons:
            assert reason.says
            assert reason.refs
        gaps = [one.says for one in found.reasons if one.kind == "gap"]
        if found.framework == "soc2":
            assert gaps == []
    unknown = ComplianceFacts("ai", frozenset({"mail"}), frozenset({"read"}), "ai_assistant")
    soc2 = next(one for one in relevance(reference.risk.frameworks, unknown) if one.framework == "soc2")
    assert any("SOC 2" in one.says for one in soc2.reasons if one.kind == "gap")


# --- abuse and accounts -------------------------------------------------------------------------------------


def test_an_id_is_certain_and_a_name_counts_less(reference: Reference) -> None:
    by_id = reference.abuse.match("entra", "FF8D92DC-3d82-41d6-bcbd-b9174d163620", "Whatever")
    by_name = reference.abuse.match("google", "1.apps", "PerfectData  software")
    assert by_id is not None
    assert by_name is not None
    assert (by_id.by, by_name.by, by_id.report) == ("id", "name", by_name.report)
    assert by_id.confidence > by_name.confidence
    assert reference.abuse.match("google", "ff8d92dc-3d82-41d6-bcbd-b9174d163620", "Whatever") is None
    assert reference.abuse.match("entra", "x", "eM Client for Business") is None


@pytest.mark.parametrize(
    ("email", "own", "kind"),
    [
        ("a@gmail.com", None, "consumer"),
        ("A@GMAIL.COM.", None, "consumer"),
        ("a@acme.example", None, None),
        ("a@acme.com", frozenset({"acme.com"}), "own"),
        ("a@mail.acme.com", frozenset({"acme.com"}), "own"),
        ("a@partner.com", frozenset({"acme.com"}), "outside"),
        ("a@gmail.com", frozenset({"gmail.com"}), "own"),
        ("nobody", None, None),
        (None, None, None),
    ],
)
def test_whose_account_it_is(reference: Reference, email, own, kind) -> None:
    found = account_kind(email, reference.risk.consumer_domains, own, registrable_domain)
    assert found == kind
    assert is_personal(found) == (kind in ("consumer", "outside"))


# --- use ----------------------------------------------------------------------------------------------------


def _scope(data_class: str | None, name: str) -> ScopeClass:
    return ScopeClass("google", name, data_class, "read", "high", None, name, data_class is not None, "table")


NOW = datetime(2026, 3, 1, tzinfo=UTC)
REACHES = {"gmail": ("mail",), "drive": ("files",), "oauth2": ("identity",)}
GRANTED = (_scope("mail", "m"), _scope("files", "f"), _scope("identity", "i"), _scope(None, "u"))


def _use(*apis: str, reported: tuple[str, ...] = ("gmail", "drive", "oauth2"), days: int = 90) -> ApiUse:
    return ApiUse(frozenset(apis), frozenset(reported), NOW - timedelta(days=days), NOW)


def unused(granted, use, reaches):
    return unused_of(granted, untouched(use, reaches))


def test_what_is_held_and_never_seen_is_unused(reference: Reference) -> None:
    assert [one.scope for one in unused(GRANTED, _use("gmail"), REACHES) or ()] == ["f"]
    assert unused(GRANTED, _use("gmail", "drive"), REACHES) == ()


@pytest.mark.parametrize(
    ("granted", "use"),
    [
        (GRANTED, None),
        (None, _use("gmail")),
        (GRANTED, _use()),
        (GRANTED, _use("gmail", days=30)),
        (GRANTED, _use("gmail", "something-new")),
    ],
)
def test_where_use_is_not_known_nothing_is_unused(granted, use) -> None:
    assert unused(granted, use, REACHES) is None


def test_of_an_api_that_is_never_reported_silence_says_nothing() -> None:
    assert unused(GRANTED, _use("gmail", reported=("gmail",)), REACHES) == ()


@pytest.mark.parametrize(
    ("weeks", "kind"),
    [
        ([10, 12, 9, 11, 10], "steady"),
        ([10, 12, 9, 11, 400], "spike"),
        ([0, 1, 0, 1, 5], "steady"),
        ([30, 0, 0, 0, 0, 4], "woke"),
        ([0, 0, 0, 0, 0], "steady"),
        ([10, 500, 9, 11, 400], "steady"),
    ],
)
def test_how_use_changed(weeks: list[int], kind: str) -> None:
    found = use_change(weeks)
    assert found is not None
    assert found.kind == kind


@given(st.lists(st.integers(0, 10_000), max_size=4))
def test_a_few_weeks_tell_nothing(weeks: list[int]) -> None:
    assert use_change(weeks) is None


def test_facts_are_sentences() -> None:
    assert all(sentence[0].isupper() for sentence in FACTS.values())
