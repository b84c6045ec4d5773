"""Risk through the pipeline: what people set and weigh, kinds of grants, writing only what changed."""

from datetime import timedelta

import pytest

from lantern.domain import ids
from lantern.domain.risk import StoredWeights
from lantern.domain.work import Work
from lantern.services import queries_apps, risk
from tests.support.tenant import Bench

CHATGPT, DRIVE = "chatgpt-client", "https://www.googleapis.com/auth/drive"
APP = ids.app_id("google", CHATGPT)


@pytest.fixture
def org(bench: Bench) -> Bench:
    """Ten people with Slack; two of them, one an administrator, gave ChatGPT their Drive."""
    for number in range(10):
        bench.world.add(f"u{number:03}", "slack-client", admin=number == 1)
    bench.world.names |= {CHATGPT: "ChatGPT", "slack-client": "Slack"}
    for person in ("u001", "u002"):
        bench.world.consent(person, CHATGPT, "openid", DRIVE)
    bench.world.consent("u003", CHATGPT, "openid")
    bench.full()
    return bench


def _row(bench: Bench):
    return next(row for row in bench.store.apps.summary() if row.app_id == APP)


def _revisions(bench: Bench) -> dict[str, int]:
    return {v.app_id: v.risk.rev for v in bench.store.apps.all_views() if v.risk}


def test_a_risk_that_people_set_holds_until_it_ends(org: Bench) -> None:
    computed = _row(org).risk
    now = org.clock.now()
    risk.override(
        org.store, queries_apps.app(org.store, APP), score=3, note="n", until=now + timedelta(days=10),
        by="key:a", now=now,
    )  # fmt: skip
    org.settle()
    row = _row(org)
    assert (row.risk, row.risk_level, row.risk_computed) == (3, "low", computed)
    assert row.at(now + timedelta(days=11)).risk == computed
    org.clock.forward(days=11)
    org.full()
    row = _row(org)
    assert row.risk_computed is None
    assert row.override_until is None
    assert row.risk > 3


def test_taking_it_back_makes_the_computed_one_hold(org: Bench) -> None:
    computed, now = _row(org).risk, org.clock.now()
    view = queries_apps.app(org.store, APP)
    risk.override(org.store, view, score=99, note="n", until=now + timedelta(days=10), by="key:a", now=now)
    org.settle()
    assert _row(org).risk == 99
    risk.take_back(org.store, queries_apps.app(org.store, APP), by="key:a", now=org.clock.now())
    org.settle()
    assert _row(org).risk == computed


def test_weights_score_again_as_the_preview_said(org: Bench) -> None:
    values = {"reach": 90.0, "stale": 0.0}
    said = risk.preview(org.store, StoredWeights(values, "", org.clock.now()).weights(), org.clock.now())
    risk.set_weights(org.store, None, values, by="key:a", now=org.clock.now())
    org.settle()
    after = {row.app_id: row.risk for row in org.store.apps.summary()}
    assert said.changed == len(said.changes) > 0
    assert all(after[change.row.app_id] == change.score for change in said.changes)
    assert risk.preview(org.store, org.store.risk.weights(), org.clock.now()).changed == 0


def test_what_did_not_change_is_not_written(org: Bench) -> None:
    before = _revisions(org)
    org.do(Work(org.store.tenant_id, "score.run", org.connection_id))
    assert _revisions(org) == before
    org.world.consent("u004", CHATGPT, "openid")
    org.clock.forward(hours=1)
    org.full()
    changed = {app for app, rev in _revisions(org).items() if rev != before[app]}
    assert changed == {APP}


def test_grants_that_are_alike_are_counted_and_weighed_apart(org: Bench) -> None:
    body = org.store.apps.risk(APP).body
    groups = body["grants"]
    assert sum(group["holders"] for group in groups) == 3
    assert [group["score"] for group in groups] == sorted((g["score"] for g in groups), reverse=True)
    worst, mildest = groups[0], groups[-1]
    assert worst["flags"][0] == "1"
    assert worst["scope_set"] == ids.scope_set_id(frozenset({"openid", DRIVE}))
    assert mildest["scope_set"] == ids.scope_set_id(frozenset({"openid"}))
    assert worst["score"] > mildest["score"]
    assert body["data"] == ["files", "identity"]


def test_the_risk_of_one_grant_is_that_of_its_kind(org: Bench) -> None:
    grant = ids.grant_id(org.bundle("u001").principal.id, APP)
    reference = org.knowledge.reference
    found = risk.grant_risk(org.store, reference, grant, org.connection_id, org.clock.now())
    assert found.assessment.score == org.store.apps.risk(APP).body["grants"][0]["score"]
    assert {one.id for one in found.assessment.factors} >= {"reach", "privileged", "status", "training"}


def test_known_abuse_is_found_by_name(org: Bench) -> None:
    org.world.names["backup-client"] = "PerfectData Software"
    org.world.consent("u005", "backup-client", "https://mail.google.com/")
    org.clock.forward(hours=1)
    org.full()
    row = next(row for row in org.store.apps.summary() if row.name == "PerfectData Software")
    assert row.abused
    assert row.risk_level in {"high", "critical"}
    drivers = {one.id: one for one in risk.posture_now(org.store, 1, org.clock.now())[0].drivers}
    assert drivers["impostors"].apps == (row.app_id,)


def _read_use(bench: Bench) -> None:
    bench.do(Work(bench.store.tenant_id, "connection.use", bench.connection_id))
    bench.full()


def test_a_permission_that_is_never_used_is_told_once_that_is_known(bench: Bench) -> None:
    mail = "https://mail.google.com/"
    for person in ("u001", "u002"):
        bench.world.add(person)
        bench.world.consent(person, CHATGPT, "openid", DRIVE, mail)
    bench.world.names[CHATGPT] = "ChatGPT"
    bench.world.consent("u001", "mailer", mail)
    bench.world.events.clear()
    bench.full()
    assert bench.store.apps.risk(APP).body["unused"] is None
    for _ in range(10):
        for day in range(7):
            bench.clock.forward(days=1)
            if day < 5:
                bench.world.use("u001", CHATGPT, days_ago=0.5, api="drive")
                bench.world.use("u001", "mailer", days_ago=0.5, api="gmail")
        _read_use(bench)
    body = bench.store.apps.risk(APP).body
    assert body["unused"] == [mail]
    factors = {one["id"]: one for one in body["assessment"]["factors"]}
    assert factors["unused"]["points"] > 0
    assert factors["anomaly"]["evidence"] == "Its use is as usual: 5 events in the last week"
    grant = ids.grant_id(bench.bundle("u002").principal.id, APP)
    found = risk.grant_risk(
        bench.store, bench.knowledge.reference, grant, bench.connection_id, bench.clock.now()
    )
    assert any(one.id == "unused" and one.points > 0 for one in found.assessment.factors)


def test_a_spike_of_use_is_told(bench: Bench) -> None:
    bench.world.add("u001", CHATGPT)
    bench.world.names[CHATGPT] = "ChatGPT"
    bench.full()
    for week in range(8):
        for _ in range(7):
            bench.clock.forward(days=1)
            for _ in range(60 if week == 6 else 1):
                bench.world.use("u001", CHATGPT, days_ago=0.5, api="drive")
        _read_use(bench)
        evidence = {f["id"]: f["evidence"] for f in bench.store.apps.risk(APP).body["assessment"]["factors"]}
        if evidence["anomaly"].startswith("Its use rose"):
            return
    raise AssertionError(evidence["anomaly"])
