"""What the posture says, and that it says no more than the exports do."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from lantern.domain import ids
from lantern.domain.apps import AppView
from lantern.domain.exports.findings import Findings
from lantern.domain.exports.judge import judge_apps
from lantern.domain.exports.posture import Posture
from lantern.domain.exports.rows import AccountRow, AppRow, GrantRow, Permission
from lantern.domain.inventory import App
from lantern.domain.rules.vocabulary import problems_of_facts
from lantern.domain.tally import StoredTally
from lantern.services.scoring.assess import Around, judge
from lantern.services.scoring.knowledge import load_knowledge
from scripts.admin_cli.assess.knowledge import ExportKnowledge
from tests.unit.posture.support import DRIVE, READ, TODAY, app_of, census_of, held, posture

ADA, BEN = "ada@x.example", "ben@x.example"


def rules_of(found: Posture) -> dict[str, tuple[int, int]]:
    return {one.rule: (one.findings, one.unknown) for one in found.rules}


def test_apps_are_judged_with_reasons(known: ExportKnowledge) -> None:
    found = posture(
        known, held(ADA, "Perplexity", DRIVE), held(BEN, "Perplexity", READ), held(BEN, "Slack", "openid")
    )
    app = app_of(found, "Perplexity")
    assert (app.verdict, app.people, app.severity) == ("ai", 2, "critical")
    assert app.reasons[0].startswith("Read, change and delete every file")
    assert found.apps[0] is app
    counts = found.counts
    assert (counts.people, counts.people_with_ai, counts.apps, counts.ai_apps) == (2, 2, 2, 1)
    assert (counts.grants, counts.ai_grants) == (3, 3)
    assert [one.name for one in found.ai_apps] == ["Perplexity", "Slack"]


def test_what_is_not_told_stays_unknown(known: ExportKnowledge) -> None:
    found = posture(known, held(ADA, "Perplexity", DRIVE))
    app = app_of(found, "Perplexity")
    assert (app.stale, app.departed, app.admins, app.first_granted) == (None, None, None, None)
    assert (found.counts.leavers, found.counts.stale_grants) == (None, None)
    assert found.leavers == found.stale == ()
    assert rules_of(found)["stale-grant"] == (0, 1)
    assert rules_of(found)["departed-employee-grant"] == (0, 1)
    assert rules_of(found)["scope-expansion"] == (0, 1)
    assert rules_of(found)["new-third-party-app"] == (0, 1)
    assert rules_of(found)["ai-app-sensitive-scope"] == (1, 0)
    text = " ".join(found.limits)
    for word in ("still work there", "last use", "administrator", "access was given", "one moment"):
        assert word in text


def test_what_is_told_is_judged(known: ExportKnowledge) -> None:
    found = posture(
        known,
        AccountRow("google", "1", ADA, status="active", admin=False),
        AccountRow("google", "2", BEN, status="suspended", admin=False),
        AccountRow("google", "3", "eve@x.example", status="active", admin=True),
        held(ADA, "Perplexity", READ, granted_on=date(2025, 1, 1), last_used=date(2025, 6, 1)),
        held(BEN, "Perplexity", READ, granted_on=date(2025, 1, 1), last_used=date(2026, 3, 1)),
    )
    app = app_of(found, "Perplexity")
    assert (app.stale, app.departed, app.admins, app.first_granted) == (1, 1, 0, date(2025, 1, 1))
    assert "2 of 2 people hold it" in {factor.evidence for factor in app.factors}
    assert [(one.name, one.status, one.grants, one.ai_grants) for one in found.leavers] == [
        (BEN, "suspended", 1, 1)
    ]
    assert [(one.name, one.grants) for one in found.stale] == [("Perplexity", 1)]
    assert rules_of(found)["stale-grant"] == (1, 0)
    assert rules_of(found)["departed-employee-grant"] == (1, 0)
    left = next(one for one in found.findings if one.rule == "departed-employee-grant")
    assert (left.name, left.severity, left.certain, left.app_id) == (BEN, "high", True, None)
    assert not any("access was given" in limit or "No list of people" in limit for limit in found.limits)


def test_reach_counts_people_and_apps_by_data_and_access(known: ExportKnowledge) -> None:
    found = posture(
        known,
        held(ADA, "Perplexity", READ),
        held(BEN, "Perplexity", READ),
        held(ADA, "Claude", READ, DRIVE),
        held(ADA, "Mozilla Thunderbird", "https://mail.google.com/"),
    )
    cells = {(one.data_class, one.access): (one.people, one.apps) for one in found.reach}
    assert cells == {("files", "read"): (2, 2), ("files", "admin"): (1, 1)}


def test_organisation_wide_grants_reach_everybody(known: ExportKnowledge) -> None:
    rows = [
        AppRow("entra", "sp-1", "app-1", "Perplexity"),
        AccountRow("entra", "u-1", ADA, status="active"),
        AccountRow("entra", "u-2", BEN, status="active"),
        GrantRow("entra", None, "sp-1", frozenset({Permission("Mail.Read", "application")})),
    ]
    found = posture(known, *rows)
    app = app_of(found, "Perplexity")
    assert (app.whole_organisation, app.people, app.severity) == (True, 0, "critical")
    assert "2 of 2 people hold it" in {factor.evidence for factor in app.factors}
    assert found.reach[0].whole_organisation
    one_person = posture(
        known, *rows[:3], GrantRow("entra", "u-1", "sp-1", frozenset({Permission("Mail.Read", "delegated")}))
    )
    assert app_of(one_person, "Perplexity").severity == "high"


def test_unknown_permissions_are_listed_and_taken_as_risky(known: ExportKnowledge) -> None:
    found = posture(
        known, held(ADA, "Tool", "who.knows"), held(BEN, "Tool", "who.knows"), held(BEN, "Other", "who.knows")
    )
    (one,) = found.unknown_scopes
    assert (one.scope, one.assumed, one.apps, one.people) == ("who.knows", "high", 2, 3)
    assert found.counts.unknown_scopes == 1


def test_permissions_that_are_not_told_are_not_none(known: ExportKnowledge) -> None:
    untold = posture(known, held(ADA, "Perplexity")._replace(permissions=None))
    nothing = posture(known, held(ADA, "Perplexity"))
    assert app_of(untold, "Perplexity").reach is None
    assert app_of(nothing, "Perplexity").reach == ()
    assert app_of(untold, "Perplexity").risk > app_of(nothing, "Perplexity").risk
    assert any("not told" in limit for limit in untold.limits)


def test_parts_of_the_provider_itself_do_not_count_unless_held(known: ExportKnowledge) -> None:
    own = AppRow("entra", "sp-ms", "app-ms", "Office Home", platform=True)
    assert posture(known, own, held(ADA, "Tool")).counts.apps == 1
    grant = GrantRow("entra", "u-1", "sp-ms", frozenset())
    assert posture(known, own, grant).counts.apps == 1
    listed = AppRow("okta", "0oa1", "0oa1", "Otter.ai")
    app = app_of(posture(known, listed, held(ADA, "Tool")), "Otter.ai")
    assert (app.people, app.verdict) == (0, "ai")


def test_decisions_in_an_export_count(known: ExportKnowledge) -> None:
    scopes = frozenset({Permission("channels:history")})
    approved = AppRow("slack", "A1", "A1", "Otter.ai", status="approved", declared=scopes)
    found = posture(known, approved, GrantRow("slack", "U1", "A1", scopes))
    assert app_of(found, "Otter.ai").status == "approved"
    assert rules_of(found)["unsanctioned-ai-app"] == (0, 0)
    refused = posture(known, approved._replace(status="not_allowed"), GrantRow("slack", "U1", "A1", scopes))
    assert rules_of(refused)["restricted-app-in-use"] == (1, 0)
    alone = posture(known, approved)
    assert (alone.reach[0].data_class, alone.reach[0].people, alone.reach[0].apps) == ("chat", 0, 1)


def test_the_same_app_scores_as_it_would_when_connected(known: ExportKnowledge) -> None:
    found = posture(
        known,
        AccountRow("google", "1", ADA, status="active", admin=True),
        AccountRow("google", "2", BEN, status="suspended", admin=False),
        held(ADA, "Claude", READ, granted_on=date(2026, 3, 20), last_used=date(2025, 12, 1)),
        held(BEN, "Claude", DRIVE, granted_on=date(2026, 3, 21), last_used=date(2026, 3, 30)),
    )
    app = app_of(found, "Claude")
    sets = {"ss_1": frozenset({READ}), "ss_2": frozenset({DRIVE})}
    app_id = ids.app_id("google", "Claude")
    facts = App(app_id, "google", "Claude", "Claude", first_seen=datetime(2026, 3, 20, tzinfo=UTC))
    judged = judge(
        load_knowledge(known.directory),
        facts,
        AppView(app_id, facts, None, None),
        {"google": StoredTally(2, 1, 1, 1, tuple(sets))},
        sets,
        Around(datetime(2026, 3, 31, tzinfo=UTC), 1),
    )
    assert (app.risk, app.level, app.verdict) == (judged.row.risk, judged.row.risk_level, judged.row.verdict)
    assert {f.id: f.points for f in app.factors} == {
        f["id"]: f["points"] for f in judged.body["assessment"]["factors"]
    }


def test_facts_are_words_of_the_rules(known: ExportKnowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    census = census_of(
        [
            AccountRow("google", "1", ADA, status="archived", admin=True),
            held(ADA, "Claude", READ, "who.knows", granted_on=date(2026, 3, 20), last_used=TODAY),
            held(BEN, "Tool")._replace(permissions=None),
        ]
    )
    judged = dict(enumerate(judge_apps(census, known, TODAY, 2)))
    findings = Findings(census, judged, known, known.rules, TODAY)
    for one in census.grants():
        person = census.people[one.person]
        assert problems_of_facts(findings._grant_facts(one, person, 3, 4)) == []


def test_many_equal_rows_are_counted_not_kept(known: ExportKnowledge) -> None:
    found = posture(known, *(held(f"p{n}@x.example", "Perplexity", DRIVE) for n in range(2_000)))
    sensitive = next(one for one in found.findings if one.rule == "ai-app-sensitive-scope")
    assert sensitive.grants == 2_000
    assert len({one.rule for one in found.findings}) == len(found.findings) < 10
    assert replace(found).document()["format"] == 1


def test_ages_in_the_future_are_no_fault(known: ExportKnowledge) -> None:
    found = posture(known, held(ADA, "Claude", READ, granted_on=date(2030, 1, 1), last_used=date(2030, 1, 1)))
    assert app_of(found, "Claude").stale == 0
