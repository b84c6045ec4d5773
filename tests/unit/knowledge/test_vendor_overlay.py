"""What operators say of vendors: how it is written, what it makes of a profile, what publishing tells."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lantern.domain.facts import vendor_facts
from lantern.domain.overlay import Published
from lantern.domain.vendor_changes import (
    TREATMENT,
    VendorChange,
    VendorSeen,
    follow,
    in_words,
    recent,
    said,
    told,
)
from lantern.domain.vendor_overlay import (
    FIELDS,
    VendorEdit,
    VendorLayer,
    VendorValueError,
    read_date,
    read_field,
    read_source,
    read_value,
)
from lantern.domain.vendors import Told, VendorProfile, trust
from lantern.services.reference import PublishedReference, Reference
from lantern.services.vendor_publishing import Author, Saying, VendorPlan, plan_saying, plan_taking_back

AT = datetime(2026, 3, 14, 9, tzinfo=UTC)
TODAY = AT.date()
PAGE = Told("https://openai.com/terms", "2026-03-10")
AUTHOR = Author("opr_x", AT, "seen")


@pytest.fixture(scope="session")
def reference(knowledge_dir: Path) -> Reference:
    return Reference(knowledge_dir)


@pytest.fixture
def shipped(reference: Reference) -> VendorProfile:
    found = reference.vendor_by_id("openai")
    assert found is not None
    return found


def saying(field: str, value: str, page: Told = PAGE) -> Saying:
    what = read_field(field)
    return Saying(what, read_value(what, value), page)


def say(reference: Reference, before: Published, field: str, value: str, page: Told = PAGE) -> VendorPlan:
    profile = reference.vendor_by_id("openai")
    assert profile is not None
    return plan_saying(before, reference, profile, saying(field, value, page), AUTHOR)


def effective(reference: Reference, published: Published) -> VendorProfile:
    found = PublishedReference(reference, VendorLayer(published.vendors), published.version).vendor("OpenAI")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("what", "text", "value"),
    [
        ("soc2", " YES ", "yes"),
        ("dpa", "no", "no"),
        ("iso42001", "Unknown", ""),
        ("retention", "90", "90 days"),
        ("retention", "0 days", "0 days"),
        ("data_locations", "eu,US, eu", "EU, US"),
        ("ownership", "Private,de", "private, DE"),
        ("ownership", "subsidiary, US, Acme, Inc.", "subsidiary, US, Acme, Inc."),
        (
            "incidents",
            "Breach:  Keys of all customers were taken",
            "breach: Keys of all customers were taken",
        ),
    ],
)
def test_values_are_read_into_the_words_of_a_profile(what: Any, text: str, value: str) -> None:
    assert read_value(what, text) == value
    if value:
        assert read_value(what, value) == value


@pytest.mark.parametrize(
    ("what", "text", "why"),
    [
        ("soc2", "maybe", "soc2 is yes, no or unknown"),
        ("retention", "3661", "0 to 3660"),
        ("retention", "forever", "a number of days"),
        ("retention", "-1", "a number of days"),
        ("retention", "٣", "a number of days"),
        ("data_locations", "Europe", "countries such as"),
        ("data_locations", "", "countries such as"),
        ("ownership", "US", "KIND, COUNTRY"),
        ("ownership", "sold, US", "public, private"),
        ("ownership", "private, USA", "two letters"),
        ("ownership", "subsidiary, US, " + "A" * 81, "KIND, COUNTRY"),
        ("ownership", "subsidiary, US, Ac\u202eme", "invisible"),
        ("incidents", "breach: short", "10 to 160"),
        ("incidents", "theft: Keys of all customers were taken", "breach, leak"),
        ("incidents", "unknown", "KIND: WHAT"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(what: Any, text: str, why: str) -> None:
    with pytest.raises(VendorValueError, match=why):
        read_value(what, text)


def test_fields_pages_and_dates_are_read_strictly() -> None:
    assert [read_field(name.replace("_", "-").upper()) for name in FIELDS] == list(FIELDS)
    with pytest.raises(VendorValueError, match="ownership, incidents"):
        read_field("revision")
    assert read_source(" https://a.example/x ") == "https://a.example/x"
    for wrong in (
        "http://a.example",
        "https://",
        "https://a b",
        "https://a.example/" + "x" * 300,
        "javascript:x",
    ):
        with pytest.raises(VendorValueError, match="https"):
            read_source(wrong)
    assert [read_date(one, TODAY) for one in ("2026-03", "2026-03-14", "2024-02-29")] == [
        "2026-03",
        "2026-03-14",
        "2024-02-29",
    ]
    for wrong in ("2026", "2026-13", "2026-02-30", "14.3.2026", "", "2026-3-1"):
        with pytest.raises(VendorValueError, match="a month or a day"):
            read_date(wrong, TODAY)
    for late in ("2026-03-15", "2026-04"):
        with pytest.raises(VendorValueError, match="still to come"):
            read_date(late, TODAY)


def test_everything_a_profile_says_can_be_said_anew(reference: Reference, shipped: VendorProfile) -> None:
    published = Published()
    for field, value in (
        ("trains_on_business_data", "yes"),
        ("iso42001", "no"),
        ("soc2", "unknown"),
        ("retention", "90 days"),
        ("data_locations", "unknown"),
        ("ownership", "subsidiary, CN, Big Holding"),
        ("incidents", "breach: Keys of all customers were taken"),
    ):
        made = say(reference, published, field, value)
        assert made.line is not None
        published = made.published
    now, before = effective(reference, published), said(shipped)
    assert said(now) == {
        name: text for name, text in before.items() if name not in ("soc2", "data_locations")
    } | {
        "trains_on_business_data": "yes",
        "iso42001": "no",
        "retention": "90 days",
        "ownership": "subsidiary, CN, Big Holding",
        "incidents": f"{len(shipped.incidents) + 1}, latest 2026-03",
    }
    assert now.ownership is not None
    assert (now.ownership.transfer, now.ownership.founded) == ("other", 2015)
    assert trust(now, TODAY).trains_on_business_data is True
    assert {told(now, name) for name in ("soc2", "data_locations", "retention")} == {PAGE}
    assert now.facts["trains_on_business_data"].date == "2026-03"
    assert now.revision != shipped.revision
    assert reference.vendor("OpenAI") == shipped, "what is shipped stays"
    # Other vendors, and all that is no vendor's profile, are as shipped.
    laid = PublishedReference(reference, VendorLayer(published.vendors), 7)
    assert laid.vendor("Anthropic") is reference.vendor("Anthropic")
    assert (laid.vendor("Nobody"), laid.vendor(None), laid.vendor_by_id("nobody")) == (None, None, None)
    assert laid.risk is reference.risk
    assert laid.abuse is reference.abuse
    assert laid.books is reference.books
    assert (laid.vendor_id("OpenAI"), laid.operators, reference.operators) == ("openai", 7, 0)
    assert laid.vendor("OpenAI") is laid.vendor_by_id("openai"), "it is laid over once"


def test_a_publication_keeps_old_and_new_value_source_and_date(reference: Reference) -> None:
    first = say(reference, Published(), "retention", "90")
    assert first.line is not None
    (edit,), (note,) = first.published.vendors, first.line.vendors
    assert (edit.id, edit.before, edit.after, edit.rev) == ("openai/retention", "30 days", "90 days", 1)
    assert (note.before, note.after, note.source, note.date) == ("30 days", "90 days", *_page(PAGE))
    assert (first.line.version, first.line.by, first.line.note) == (1, "opr_x", "seen")
    # Saying it again says nothing; saying it of a better page keeps what was before.
    assert say(reference, first.published, "retention", "90 days").line is None
    other = Told("https://openai.com/other", "2026-02")
    second = say(reference, first.published, "retention", "90", other)
    (edit,) = second.published.vendors
    assert (edit.before, edit.after, edit.source, edit.rev) == ("30 days", "90 days", other.source, 2)
    # Another value goes on from there.
    third = say(reference, second.published, "retention", "unknown")
    assert third.line is not None
    assert [(n.before, n.after) for n in third.line.vendors] == [("90 days", "")]
    # Taken back, the shipped page is named.
    profile = reference.vendor_by_id("openai")
    assert profile is not None
    assert profile.retention is not None
    back = plan_taking_back(third.published, reference, profile, third.published.vendors[0], AUTHOR)
    assert back.line is not None
    (note,) = back.line.vendors
    assert (note.before, note.after, note.source, note.taken_back) == (
        "",
        "30 days",
        profile.retention.source,
        True,
    )
    assert (back.published.vendors, back.published.version) == ((), 4)
    assert effective(reference, back.published).revision == profile.revision


def _page(page: Told) -> tuple[str, str]:
    return page.source, page.date


def test_what_the_profile_says_already_is_not_published(reference: Reference) -> None:
    assert say(reference, Published(), "soc2", "yes").line is None
    assert say(reference, Published(), "iso42001", "unknown").line is None
    leak = "leak: A bug in a Redis client showed chat titles and some payment data to other people"
    page = Told("https://openai.com/index/march-20-chatgpt-outage/", "2023-03")
    assert say(reference, Published(), "incidents", leak, page).line is None


def test_too_much_is_refused(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    one = say(reference, Published(), "soc2", "no").published
    monkeypatch.setattr("lantern.services.vendor_publishing.MAX_EDITS", 1)
    made = say(reference, one, "dpa", "no")
    assert (made.line, made.published) == (None, one)
    assert "2 are too many" in made.fault
    assert say(reference, one, "soc2", "unknown").line is not None


def test_what_an_older_release_published_is_read(reference: Reference) -> None:
    assert msgspec.json.decode(b'{"version": 3, "entries": []}', type=Published) == Published(3)
    made = say(reference, Published(3), "soc2", "no").published
    assert msgspec.json.decode(msgspec.json.encode(made), type=Published) == made


def test_who_knows_an_older_publication_has_nothing_to_tell(shipped: VendorProfile) -> None:
    edit = VendorEdit("openai", "retention", "90 days", *_page(PAGE), "30 days", "90 days", "opr_x", AT)
    after = VendorLayer([edit]).over(shipped, {})
    seen = follow(follow(None, shipped, TODAY), after, TODAY, 1)
    (change,) = seen.changes
    assert (change.before, change.after, change.source, change.date) == ("30 days", "90 days", *_page(PAGE))
    assert follow(seen, shipped, TODAY, 0) is seen
    assert [one.after for one in follow(seen, shipped, TODAY, 2).changes] == ["90 days", "30 days"]


def change(what: str, day: int, before: str = "no", after: str = "yes", **page: str) -> VendorChange:
    return VendorChange(what, before, after, date(2026, 3, day), **page)


def test_the_latest_change_is_told_in_one_line() -> None:
    page = {"source": PAGE.source, "date": PAGE.date}
    both = (change("dpa", 9), change("retention", 9, "", "30 days", **page), change("soc2", 12))
    assert in_words(both, TREATMENT) == (
        "retention: not known → 30 days and 1 more (2026-03-10, https://openai.com/terms)"
    )
    assert in_words((*both, change("dpa", 10, "yes", "")), TREATMENT) == "dpa: yes → not known and 2 more"
    assert in_words(both, ("ownership",)) == ""
    seen = VendorSeen("r", {}, (*both, change("ownership", 1)))
    assert [one.what for one in recent(seen, date(2026, 4, 5))] == ["dpa", "retention", "soc2"]


def test_rules_are_given_the_changes_or_know_of_none(shipped: VendorProfile) -> None:
    nobody_compared = vendor_facts("OpenAI", shipped, AT)
    assert nobody_compared["vendor.changed"] is None
    assert "vendor.treatment_change" not in nobody_compared
    facts = vendor_facts("OpenAI", shipped, AT, (change("ownership", 2, "private, US", "public, US"),))
    assert facts["vendor.changed"] == ("ownership",)
    assert facts["vendor.ownership_change"] == "ownership: private, US → public, US"
    assert facts["vendor.treatment_change"] == ""


def test_edits_of_one_vendor_are_the_same_in_any_order(shipped: VendorProfile) -> None:
    one = VendorEdit("openai", "soc2", "no", *_page(PAGE), "yes", "no", "opr_x", AT)
    two = replace(one, what="dpa")
    assert VendorLayer([one, two]).over(shipped, {}) == VendorLayer([two, one]).over(shipped, {})
    assert VendorLayer([replace(one, vendor_id="other")]).over(shipped, {}) is shipped
