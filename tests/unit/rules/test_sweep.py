"""A whole inventory: what fires, what clears, and what a partial or unknown view must leave alone."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lantern.domain.findings import EventKind, FindingStatus
from lantern.domain.rules.model import load_rules
from lantern.domain.rules.sweep import Sweep, desired_grants
from lantern.domain.rules.vocabulary import Severity
from scripts.build.compile_rules import compile_pages
from tests.unit.rules.support import NOW, sure

RULES = load_rules(json.dumps(compile_pages()))
LATER = NOW + timedelta(days=1)
AI = {
    "app.id": "app1",
    "app.name": "Otter",
    "app.verdict": "ai",
    "app.kind": "oauth",
    "app.confidence": 0.9,
    "app.status": "unreviewed",
    "app.holders": 2,
    "app.scope_severity": "critical",
    "app.lookalike_of": "",
    "app.is_new": False,
    "app.first_seen_days": 400,
}
GRANT = {
    "grant.scope_severity": "critical",
    "grant.added_scopes": (),
    "grant.first_seen_days": 200,
    "activity.idle_days": 3,
    "principal.departed": False,
    "principal.kind": "user",
    "principal.admin": False,
    "person.id": "per1",
    "connection.id": "con1",
}


def run(apps=(AI,), grants=None, existing=(), now=NOW, covers=None):
    """Sweep one inventory; grants are {id: (app id, changed facts)}."""
    sweep = Sweep(RULES, existing, covers)
    for app in apps:
        sweep.see_app(app)
    for grant_id, (app_id, changes) in (grants or {}).items():
        sweep.see_grant(app_id, grant_id, {**GRANT, **changes})
    return {change.finding.rule_id: change for change in sweep.results(now)}


TWO = {"g1": ("app1", {}), "g2": ("app1", {"principal.departed": True})}


def findings(changes):
    return [change.finding for change in changes.values()]


def test_an_inventory_opens_one_finding_per_rule_and_group():
    found = run(grants=TWO)

    assert sorted(found) == ["ai-app-sensitive-scope", "departed-employee-grant", "unsanctioned-ai-app"]
    sensitive = found["ai-app-sensitive-scope"].finding
    assert (sensitive.open_grants, sensitive.severity) == ({"g1", "g2"}, Severity.CRITICAL)
    assert (sensitive.group.kind, sensitive.group.id) == ("app", "app1")
    left = found["departed-employee-grant"].finding
    assert (left.group.kind, left.group.id, left.open_grants) == ("person", "per1", {"g2"})
    assert found["unsanctioned-ai-app"].finding.title == "AI app Otter is in use without approval"


def test_an_unchanged_inventory_changes_nothing():
    assert run(grants=TWO, existing=findings(run(grants=TWO)), now=LATER) == {}


def test_what_is_gone_is_resolved():
    first = findings(run(grants=TWO))

    again = run(grants={"g1": TWO["g1"]}, existing=first, now=LATER)

    assert sorted(again) == ["ai-app-sensitive-scope", "departed-employee-grant"]
    assert again["departed-employee-grant"].finding.status is FindingStatus.RESOLVED
    assert again["ai-app-sensitive-scope"].events[0].grants == ("g2",)


def test_unknown_facts_resolve_nothing():
    first = findings(run(grants=TWO))
    nothing = dict.fromkeys(GRANT)
    blind = {name: None for name in AI if name not in ("app.id", "app.name")} | {"app.id": "app1"}

    again = run(
        apps=[{**blind, "app.name": "Otter"}],
        grants={"g1": ("app1", nothing), "g2": ("app1", nothing)},
        existing=first,
        now=LATER,
    )

    assert again == {}


def test_apps_not_looked_at_are_unknown_not_clear():
    first = findings(run(grants=TWO))
    whole = [finding for finding in first if finding.rule_id == "unsanctioned-ai-app"]

    assert run(apps=(), existing=whole, now=LATER) == {}
    decided = run(apps=[{**AI, "app.status": "approved"}], existing=whole, now=LATER)
    assert decided["unsanctioned-ai-app"].finding.status is FindingStatus.RESOLVED


def test_a_sweep_of_one_connection_leaves_the_grants_of_others_alone():
    first = findings(run(grants=TWO))

    again = run(existing=first, now=LATER, covers=lambda grant_id: grant_id == "g2")

    assert again["ai-app-sensitive-scope"].finding.open_grants == {"g1"}
    assert again["ai-app-sensitive-scope"].finding.status is FindingStatus.OPEN


def test_findings_of_other_rules_are_left_alone():
    first = findings(run(grants=TWO))
    sweep = Sweep(load_rules(json.dumps({"format": 1, "revision": "r", "rules": []})), first)

    assert list(sweep.results(LATER)) == []


def test_a_grant_whose_person_is_unknown_is_counted_not_filed():
    first = findings(run(grants=TWO))
    sweep = Sweep(RULES, first)
    sweep.see_app(AI)
    for grant_id, (app_id, changes) in TWO.items():
        sweep.see_grant(app_id, grant_id, {**GRANT, **changes, "person.id": None})

    assert list(sweep.results(LATER)) == []
    assert sweep.unfiled == 1


def test_connections_and_titles_of_changed_apps():
    sweep = Sweep(RULES)
    sweep.see_connection(
        {
            "connection.id": "con1",
            "connection.status": "active",
            "connection.unread_principals": 3,
            "connection.unread_percent": 12.0,
        }
    )
    (change,) = sweep.results(NOW)
    assert (change.finding.rule_id, change.finding.severity) == ("unread-bundles", Severity.HIGH)
    assert change.events[0].kind is EventKind.OPENED

    first = findings(run(grants=TWO))
    renamed = run(apps=[{**AI, "app.name": "Otter 2"}], grants=TWO, existing=first, now=LATER)
    assert {change.events for change in renamed.values()} == {()}
    assert renamed["ai-app-sensitive-scope"].finding.title == "AI app Otter 2 can reach sensitive data"


def test_an_app_must_be_seen_before_its_grants():
    with pytest.raises(KeyError):
        Sweep(RULES).see_grant("app9", "g1", GRANT)


def test_one_principal_is_evaluated_to_the_same_record():
    departed = RULES.get("departed-employee-grant")
    assert departed is not None

    wanted = desired_grants(departed, {**AI, **GRANT}, {"g2": sure(Severity.HIGH)})
    unknown = desired_grants(departed, {**GRANT, "person.id": None}, {})

    assert wanted is not None
    assert wanted.finding_id == run(grants=TWO)["departed-employee-grant"].finding.id
    assert unknown is None
