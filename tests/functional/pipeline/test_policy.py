"""Rules as a tenant has them: settings, own rules, previews, and the rules that look at wholes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.assets import Asset
from lantern.domain.findings import Finding, FindingStatus
from lantern.domain.previews import Preview
from lantern.domain.rules.authoring import compile_page
from lantern.domain.rules.policy import OWN_PREFIX, RuleSettings
from lantern.domain.rules.vocabulary import Severity, Stage
from lantern.domain.vendor_changes import said
from lantern.domain.work import Work
from lantern.services.connections import needs_attention
from lantern.services.policy import previews, rules
from lantern.services.policy.rules import Author, Compiled
from lantern.services.scoring import following
from tests.functional.api.world import rule_page
from tests.support.tenant import Bench

CHATGPT = "chatgpt-client"
DRIVE = "https://www.googleapis.com/auth/drive"
MAIL = "https://mail.google.com/"
STALE = "ai-app-sensitive-scope"


@pytest.fixture
def org(bench: Bench) -> Bench:
    """Three people with ChatGPT, one of them with another tool too."""
    for person in ("u001", "u002", "u003"):
        bench.world.add(person)
        bench.world.consent(person, CHATGPT, "openid", DRIVE)
    bench.world.names[CHATGPT] = "ChatGPT"
    bench.world.consent("u001", "mailer", MAIL)
    bench.full()
    return bench


def author(bench: Bench) -> Author:
    return Author("key:a", bench.clock.now())


def anything(_rev: int) -> None:
    """Whoever asks here has read the latest."""


def set_(bench: Bench, rule_id: str, **settings: Any) -> None:
    wanted = RuleSettings(**settings)
    rules.set_settings(bench.store, bench.knowledge.rules, rule_id, wanted, author(bench), anything)


def page(rule_id: str) -> Compiled:
    raw = rule_page(rule_id)
    return Compiled(raw, compile_page(raw, "page"))


def holding(bench: Bench, rule: str) -> list[Finding]:
    return [f for f in bench.findings(rule) if f.holds and f.status is not FindingStatus.RESOLVED]


def answer(bench: Bench, asked: Preview) -> Preview:
    bench.settle()
    found = bench.store.policy.preview(asked.id)
    assert found is not None
    assert found.state == "done", found
    return found


def test_a_rule_that_is_off_lets_go_and_comes_back(org: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    org.do(Work(org.store.tenant_id, "score.policy"))
    before = {f.id: f.rev for f in org.findings() if f.rule_id != STALE}
    evaluated: list[tuple[str, ...]] = []
    plain = following.sweep

    def sweep(task: Any, *rest: Any) -> Any:
        evaluated.append(tuple(rule.id for rule in task.knowledge.rules.rules))
        return plain(task, *rest)

    monkeypatch.setattr(following, "sweep", sweep)
    assert [f.severity for f in holding(org, STALE)] == [Severity.CRITICAL]
    set_(org, STALE, stage=Stage.OFF)
    org.settle()
    assert holding(org, STALE) == []
    # No other rule changed: nothing was evaluated, and no finding of another rule was written.
    assert evaluated == []
    set_(org, STALE, severity=Severity.LOW)
    org.settle()
    assert [f.severity for f in holding(org, STALE)] == [Severity.LOW]
    assert evaluated == [(STALE,)]
    assert {f.id: f.rev for f in org.findings() if f.rule_id != STALE} == before
    # What a run concludes is under the same policy.
    org.clock.forward(days=1)
    org.full()
    assert [f.severity for f in holding(org, STALE)] == [Severity.LOW]
    actions = [e.action for e in org.store.audit.entries()]
    assert actions.count("rule.set") == 2


def test_what_a_preview_says_is_what_happens(org: Bench) -> None:
    org.do(Work(org.store.tenant_id, "score.policy"))
    before, shipped = {f.id: f for f in org.findings()}, org.knowledge.rules
    own = page(f"{OWN_PREFIX}mail")
    asked = previews.of_rule(org.store, own, author(org), lambda n: b"\x01" * n)
    said_ = answer(org, asked).now
    assert said_ is not None
    assert (said_.opens, said_.resolves, said_.items, said_.severities) == (1, 0, 1, {"medium": 1})
    assert said_.acts == {}
    assert {f.id: f for f in org.findings()} == before
    assert org.store.policy.get().own == {}
    rules.create(org.store, shipped, own, author(org))
    org.settle()
    (found,) = holding(org, own.id)
    assert found.id == said_.samples[0].finding_id
    assert found.title == said_.samples[0].title == "mailer reads mail and nobody decided about it"

    wanted = RuleSettings(params={"holders": 2})
    asked = previews.of_settings(org.store, shipped, own.id, wanted, author(org), lambda n: b"\x02" * n)
    said_ = answer(org, asked).now
    assert said_ is not None
    assert (said_.opens, said_.resolves, said_.items) == (0, 1, 0)
    set_(org, own.id, params={"holders": 2})
    org.settle()
    assert holding(org, own.id) == []

    off = RuleSettings(stage=Stage.OFF)
    asked = previews.of_settings(org.store, shipped, STALE, off, author(org), lambda n: b"\x03" * n)
    said_ = answer(org, asked).now
    assert said_ is not None
    assert (said_.resolves, said_.unchanged) == (1, 0)
    kept = RuleSettings(severity=Severity.INFO)
    asked = previews.of_settings(org.store, shipped, STALE, kept, author(org), lambda n: b"\x04" * n)
    said_ = answer(org, asked).now
    assert said_ is not None
    assert (said_.changes, said_.items, said_.acts) == (1, 3, {"reduce-scopes": 3})
    rules.remove(org.store, shipped, own.id, author(org), anything)
    org.settle()
    assert [f.status for f in org.findings(own.id)] == [FindingStatus.RESOLVED]


def test_whatever_a_rule_looks_at_saving_does_what_the_preview_said(org: Bench) -> None:
    """Grants, apps, assets, people and connections: opened, changed and resolved, finding by finding."""
    keys = [key(org, number, owner=None) for number in range(3)]
    org.store.assets.reconcile(org.connection_id, "api_key", keys, org.clock.now())
    org.do(Work(org.store.tenant_id, "score.whole"))
    org.do(Work(org.store.tenant_id, "score.policy"))
    org.settle()
    proposals: list[tuple[str, dict[str, Any]]] = [
        (STALE, {"params": {"level": "critical"}, "severity": Severity.MEDIUM}),
        (STALE, {"stage": Stage.OFF}),
        (STALE, {"stage": Stage.ENFORCE}),
        ("unsanctioned-ai-app", {"params": {"holders": 50}}),
        ("unsanctioned-ai-app", {"stage": Stage.ENFORCE}),
        ("api-key-old", {"params": {"days": 700}}),
        ("api-key-old", {"params": {"days": 30}, "severity": Severity.CRITICAL}),
        ("api-key-no-expiry", {"stage": Stage.OFF}),
        ("many-ai-apps", {"params": {"apps": 3}}),
        ("missing-permissions", {"severity": Severity.HIGH}),
    ]
    kinds = set()
    for number, (rule_id, settings) in enumerate(proposals):
        asked = previews.of_settings(
            org.store, org.knowledge.rules, rule_id, RuleSettings(**settings), author(org),
            lambda n, number=number: bytes([number + 16]) * n,
        )  # fmt: skip
        told = answer(org, asked).now
        assert told is not None
        before = {f.id: f for f in org.findings(rule_id)}
        set_(org, rule_id, **settings)
        org.settle()
        after = {f.id: f for f in org.findings(rule_id)}
        became = {name: kind for name, one in after.items() if (kind := _became(before.get(name), one))}
        assert {one.finding_id: one.change for one in told.samples} == became, (rule_id, settings)
        counts = [list(became.values()).count(kind) for kind in ("opens", "reopens", "changes", "resolves")]
        assert counts == [told.opens, told.reopens, told.changes, told.resolves]
        live = [f for f in after.values() if f.holds and f.status is not FindingStatus.RESOLVED]
        listed = sum(len(f.affected and f.open_items) or (not f.affected) for f in live)
        assert (told.items, sum(told.severities.values())) == (listed, len(live)), (rule_id, settings)
        kinds |= set(became.values())
    assert kinds >= {"reopens", "changes", "resolves"}


def _became(before: Finding | None, after: Finding) -> str | None:
    """What happened to a finding, told from what is stored."""
    if before is None:
        return "opens"
    if before.rev == after.rev:
        return None
    was, is_ = before.status is FindingStatus.RESOLVED, after.status is FindingStatus.RESOLVED
    return ("reopens" if was else "resolves") if was != is_ else "changes"


def test_a_rule_is_replayed_over_what_happened(org: Bench) -> None:
    org.clock.forward(days=3)
    org.world.consent("u002", "mailer", MAIL)
    org.world.consent("u003", "notes", "openid")
    org.full()
    org.clock.forward(days=3)
    del org.world.accounts["u002"].grants["mailer"]
    org.full()
    raw = rule_page(f"{OWN_PREFIX}grants") | {
        "subject": "grant",
        "title": "{app.name} reads mail",
        "params": {},
        "where": {"field": "grant.data_classes", "contains": "mail"},
        "tests": [
            {"name": "mail", "given": {"grant": {"data_classes": ["mail"]}}, "expect": True},
            {"name": "files", "given": {"grant": {"data_classes": ["files"]}}, "expect": False},
            {"name": "not classed", "given": {"grant": {"data_classes": None}}, "expect": "unknown"},
        ],
    }
    own = Compiled(raw, compile_page(raw, "page"))
    asked = previews.of_rule(org.store, own, author(org), lambda n: b"\x05" * n)
    past = answer(org, asked).history
    assert past is not None
    assert (past.replayed, past.changes, past.fires, past.lets_go, past.unknown) == (True, 3, 1, 1, 0)
    added, removed = sorted(past.samples, key=lambda one: one.at)
    assert list(past.days) == [f"{added.at:%Y-%m-%d}"]
    assert (added.kind, added.fires, added.severity, removed.kind, removed.fires) == (
        "added", True, "medium", "removed", False,
    )  # fmt: skip
    who = ids.principal_id("google", org.world.organisation, "u002")
    assert {added.principal_id, removed.principal_id} == {who}
    # Of what has no history the answer says so.
    asked = previews.of_settings(
        org.store, org.knowledge.rules, "api-key-old", RuleSettings(), author(org), lambda n: b"\x06" * n
    )
    none = answer(org, asked).history
    assert none is not None
    assert (none.replayed, none.fires) == (False, 0)
    assert "not kept" in none.why


def key(bench: Bench, number: int, **about: Any) -> Asset:
    cid = bench.connection_id
    about = {"created_at": bench.clock.now() - timedelta(days=500), **about}
    return Asset(
        ids.asset_id(cid, "api_key", f"k{number}"), cid, "api_key", f"k{number}", f"Key {number}", **about
    )


def test_assets_of_a_connection_are_one_finding_and_leave_it_when_gone(org: Bench) -> None:
    leaver = ids.principal_id("google", org.world.organisation, "u002")
    keys = [key(org, 1), key(org, 2, owner=leaver), key(org, 3, created_at=None)]
    org.store.assets.reconcile(org.connection_id, "api_key", keys, org.clock.now())
    whole = Work(org.store.tenant_id, "score.whole")
    org.do(whole)
    (old,) = holding(org, "api-key-old")
    assert (old.group.kind, old.group.id) == ("connection", org.connection_id)
    assert old.open_assets == {keys[0].id, keys[1].id}
    assert holding(org, "api-key-of-leaver") == []
    revs = {f.id: f.rev for f in org.findings()}
    org.do(whole)
    assert {f.id: f.rev for f in org.findings()} == revs

    org.world.accounts["u002"].status = "suspended"
    org.full()
    assert holding(org, "api-key-of-leaver")[0].open_assets == {keys[1].id}
    # A date that is told no more is unknown: the key stays where it was. One that is gone leaves.
    org.store.assets.reconcile(
        org.connection_id, "api_key", [replace(keys[0], created_at=None)], org.clock.now()
    )
    org.do(whole)
    assert holding(org, "api-key-old")[0].open_assets == {keys[0].id}
    assert holding(org, "api-key-of-leaver") == []


def test_a_connection_that_stops_working_is_told_at_once(org: Bench) -> None:
    needs_attention(org.store, org.connection, "Withdrawn.", "Connect again.", org.clock.now())
    org.settle()
    assert [f.severity for f in holding(org, "connection-needs-attention")] == [Severity.HIGH]
    org.clock.forward(days=1)
    org.full()
    assert holding(org, "connection-needs-attention") == []


def test_a_vendor_that_says_otherwise_than_before_is_told(org: Bench) -> None:
    changed = "vendor-policy-changed"
    assert holding(org, changed) == []
    profile = org.knowledge.reference.vendor("OpenAI")
    assert profile is not None
    seen, rev = org.store.vendors_seen.get()
    assert seen[profile.id].says == said(profile)
    before = replace(seen[profile.id], revision="old", says={**said(profile), "retention": "1 days"})
    org.store.vendors_seen.put({**seen, profile.id: before}, rev)
    asked = previews.of_settings(
        org.store, org.knowledge.rules, changed, RuleSettings(severity=Severity.LOW), author(org),
        lambda n: b"\x07" * n,
    )  # fmt: skip
    told = answer(org, asked).now
    assert told is not None
    assert (told.opens, org.store.vendors_seen.get()[0][profile.id].revision) == (1, "old")
    org.do(Work(org.store.tenant_id, "score.whole"))
    (found,) = holding(org, changed)
    now = profile.retention
    assert now is not None
    assert found.title == (
        f"OpenAI changed how it treats data: retention: 1 days → {now.days} days ({now.date}, {now.source})"
    )
    (note,) = org.store.vendors_seen.get()[0][profile.id].changes
    assert (note.what, note.before) == ("retention", "1 days")
    org.clock.forward(days=40)
    org.do(Work(org.store.tenant_id, "score.whole"))
    assert holding(org, changed) == []


def test_people_with_many_tools_are_counted_over_their_accounts(org: Bench) -> None:
    set_(org, "many-ai-apps", params={"apps": 3})
    for number, name in enumerate(("Otter.ai", "Claude", "Perplexity")):
        client = f"tool-{number}"
        org.world.names[client] = name
        org.world.consent("u003", client, "openid")
    org.full()
    (found,) = holding(org, "many-ai-apps")
    assert found.group.id == org.bundle("u003").principal.person_id
