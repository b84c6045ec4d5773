"""Whom a permission reaches depends on how it is held, through tallies, rules and the view of a grant."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, get_args

import pytest

from lantern.domain import ids
from lantern.domain.facts import grant_facts
from lantern.domain.granting import GRANTS, Way, by_scope, way_of, widest
from lantern.domain.inventory import Bundle, Grant, GrantSource, Principal, PrincipalKind
from lantern.domain.scopes import severity_rank
from lantern.domain.tally import AppTally, stored, total
from lantern.services.scoring.assess import views
from lantern.services.scoring.knowledge import Knowledge, load_knowledge
from scripts.build.checkout import shipped_content

NOW = datetime(2026, 3, 4, tzinfo=UTC)
APP = ids.app_id("entra", "app")
MAIL = {"mail": frozenset({"Mail.Read"}), "both": frozenset({"Mail.Read", "openid"})}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge(shipped_content())


def bundle(kind: PrincipalKind, source: GrantSource, scope_set: str = "mail") -> Bundle:
    principal = Principal("pri_1", "con_1", "native", kind, "active", "per_1")
    return Bundle(principal, (Grant(APP, scope_set, date(2026, 1, 1), source=source),))


def tallied(*bundles: Bundle) -> AppTally:
    tally = AppTally()
    for one in bundles:
        for grant in one.grants or ():
            tally.count(one, grant, None, None)
    return tally


@pytest.mark.parametrize(
    ("kind", "source", "way"),
    [
        ("user", "consent", "person"),
        ("user", "assignment", "person"),
        ("organisation", "consent", "everyone"),
        ("organisation", "application", "application"),
        ("service", "application", "application"),
        ("shared", "consent", "person"),
    ],
)
def test_the_way_follows_from_holder_and_source(kind: PrincipalKind, source: GrantSource, way: Way) -> None:
    assert way_of(kind, source) == way


def test_what_is_held_for_all_weighs_more_than_what_one_person_gave(knowledge: Knowledge) -> None:
    told = {way: knowledge.of_set("entra", MAIL["mail"], way)[0] for way in get_args(Way)}
    assert [told[way].severity for way in ("person", "everyone", "application")] == [
        "high",
        "critical",
        "critical",
    ]
    assert "the person's" in told["person"].sentence
    assert "everyone's" in told["application"].sentence
    google = "https://www.googleapis.com/auth/drive.readonly"
    one, all_ = (knowledge.of_set("google", frozenset({google}), way)[0] for way in ("person", "everyone"))
    assert severity_rank(all_.severity) == severity_rank(one.severity) + 1, "domain-wide delegation"


def test_a_tally_remembers_the_widest_way_of_each_set() -> None:
    person, everyone = bundle("user", "consent"), bundle("organisation", "consent")
    own = bundle("organisation", "application", "both")
    assert tallied(person).wide == {}
    for order in ((person, everyone, own), (own, everyone, person)):
        kept = stored(tallied(*order))
        assert kept.wide == {"both": "application", "mail": "everyone"}
    elsewhere = stored(tallied(bundle("organisation", "application")))
    assert total([kept, elsewhere]).wide == {"both": "application", "mail": "application"}
    assert widest(()) == "person"


def test_a_scope_of_several_sets_counts_as_it_is_held_most_widely() -> None:
    held = by_scope(["mail", "both", "gone"], {"both": "application"}, MAIL)
    assert held == dict.fromkeys(["Mail.Read", "openid"], GRANTS["application"])
    assert by_scope(["mail"], {}, MAIL) == {"Mail.Read": GRANTS["person"]}


@pytest.mark.parametrize(
    ("kind", "source", "severity"),
    [
        ("user", "consent", "high"),
        ("organisation", "consent", "critical"),
        ("organisation", "application", "critical"),
    ],
)
def test_rules_see_a_set_as_this_grant_holds_it(
    knowledge: Knowledge, kind: PrincipalKind, source: GrantSource, severity: str
) -> None:
    held = {("mail", "person"), ("mail", "everyone"), ("mail", "application")}
    seen = views(knowledge, "entra", held, MAIL)  # type: ignore[arg-type]
    one = bundle(kind, source)
    facts: dict[str, Any] = grant_facts(one, one.grants[0], seen, None, None, NOW)  # type: ignore[index]
    assert facts["grant.scope_severity"] == severity
    assert facts["grant.scopes"] == MAIL["mail"]
    grown = replace(one.grants[0], scope_set="both", prior_scope_set="mail", expanded_on=NOW.date())  # type: ignore[index]
    both = views(knowledge, "entra", held | {("both", way_of(kind, source))}, MAIL)  # type: ignore[arg-type]
    assert grant_facts(one, grown, both, None, None, NOW)["grant.added_scopes"] == {"openid"}
