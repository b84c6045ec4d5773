"""Who asked does not approve: persons are told apart, whichever key or page they come by."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from lantern.domain.access import ApiKeyInfo
from lantern.domain.campaigns import Campaign, CampaignItem, CampaignScope
from lantern.domain.errors import ForbiddenError
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.jobs import Guards, Selector
from lantern.domain.playbooks.machine import About
from lantern.domain.requests import Ruling
from lantern.domain.rules.policy import OwnRule, RuleSettings, TenantPolicy
from lantern.domain.rules.vocabulary import Stage
from lantern.services import playbooks, remediation
from lantern.services.people import campaigns, requests
from lantern.services.playbooks.respond import Opened, respond
from tests.functional.playbooks.test_leaving import leave
from tests.functional.playbooks.test_runs import grant, run_of
from tests.support.company import Company

NOISE = Random(5).randbytes


@pytest.fixture
def keyed(company: Company) -> Company:
    """Keys `a` and `a2` are Alice's, `b` is Bob's, `m` a machine's."""
    at = company.bench.clock.now()
    for name, native in {"a": "alice", "a2": "alice", "b": "bob", "m": None}.items():
        person = company.person(native) if native else None
        company.bench.store.keys.put(
            ApiKeyInfo(name, name, frozenset({"remediate"}), at, "key:0", "last", person_id=person)
        )
    return company


def test_a_run_is_approved_by_another_person(keyed: Company) -> None:
    """The manager who holds the key does not approve by another key, nor on the page, which is not sent."""
    bench, store = keyed.bench, keyed.bench.store
    policy = GuidancePolicy(escalate_to=(keyed.person("alice"), keyed.person("bob")))
    store.transact(bench.clock.now()).put(store.guidance.op(policy)).commit()
    run = leave(keyed, "gone").run
    for who in ("key:a", "key:a2", keyed.person("alice")):
        with pytest.raises(ForbiddenError):
            playbooks.approve(store, run.id, who, bench.clock.now())
    bench.settle()
    assert [one.to for one in bench.channels.email.sent] == ["bob@example.com"]
    assert playbooks.approve(store, run.id, keyed.person("bob"), bench.clock.now()).approval == "approved"


def test_a_systems_key_starts_what_people_approve_on_a_page(keyed: Company) -> None:
    """Nobody can tell who holds a key without a person: it stands for itself."""
    bench = keyed.bench
    run = playbooks.start(
        bench.store,
        bench.knowledge.books.get("departed-employee"),
        about=About(person_id=keyed.person("gone")),
        requested_by="key:m",
        now=bench.clock.now(),
        random=NOISE,
    ).run
    with pytest.raises(ForbiddenError):
        playbooks.approve(bench.store, run.id, "key:m", bench.clock.now())
    playbooks.approve(bench.store, run.id, keyed.person("alice"), bench.clock.now())


@pytest.mark.parametrize("of_a_run", [False, True])
def test_a_job_is_approved_by_another_person(keyed: Company, of_a_run: bool) -> None:
    """Also where the run of a playbook asked for it: whoever asked for the run asked for the job."""
    bench = keyed.bench
    by = f"playbook:{leave(keyed, 'gone').run.id}" if of_a_run else "key:a"
    job = remediation.request_job(
        bench.store,
        requested_by=by,
        selector=Selector(grant_ids=(grant(keyed, "bob", "otter"),)),
        dry_run=False,
        guards=Guards(10, None, 0),
        now=bench.clock.now(),
        random=NOISE,
    )
    for who in ("key:a", "key:a2"):
        with pytest.raises(ForbiddenError):
            remediation.approve(bench.store, job.id, who, bench.clock.now())
    assert remediation.approve(bench.store, job.id, "key:b", bench.clock.now()).approved_by == "key:b"


def test_what_is_asked_in_slack_is_not_decided_by_ones_own_key(keyed: Company) -> None:
    """Nor the other way round, nor what is asked for somebody by their own key."""
    store, now = keyed.bench.store, keyed.bench.clock.now()
    alice, bob = keyed.person("alice"), keyed.person("bob")
    cases = [(alice, alice, "key:a"), (bob, "key:a", alice), (alice, "key:m", "key:a2")]
    for number, (person, asks, decides) in enumerate(cases):
        made, _ = requests.ask(store, person_id=person, name=f"Tool {number}", reason="r", by=asks, now=now)
        assert made is not None
        with pytest.raises(ForbiddenError):
            requests.decide(store, made, Ruling(approve=True), by=decides, now=now)
        assert requests.decide(store, made, Ruling(approve=False), by="key:9", now=now).state == "declined"


def test_nobody_reviews_their_own_access_by_key(keyed: Company) -> None:
    bench, store, now = keyed.bench, keyed.bench.store, keyed.bench.clock.now()
    campaign = Campaign(
        "cam_1", "Spring", "open", CampaignScope(app_ids=(keyed.app("otter"),)), "named", (), "revoke",
        "key:m", now, now + timedelta(days=3), None,
    )  # fmt: skip
    item = CampaignItem(
        grant(keyed, "alice", "otter"), "cam_1", bench.connection_id, keyed.principal("alice"),
        keyed.person("alice"), keyed.app("otter"), "s",
    )  # fmt: skip
    store.campaigns.plan_items([item], campaign)
    store.transact(now).put(store.campaigns.op(campaign)).commit()
    keep = [campaigns.Ruling(item.id, "keep")]
    with pytest.raises(ForbiddenError):
        campaigns.decide(store, "cam_1", keep, by="key:a", now=now)
    assert campaigns.decide(store, "cam_1", keep, by="key:b", now=now).counts.keep == 1


def test_who_wrote_an_own_rule_has_asked_for_what_it_starts(keyed: Company) -> None:
    """The author by any key or page, and whoever set it to enforce; a rule that is shipped has no author."""
    bench, store = keyed.bench, keyed.bench.store
    finding = next(one for one in bench.findings() if one.rule_id == "departed-employee-grant")
    now = bench.connection.connected_at + timedelta(days=2)
    policy = TenantPolicy(
        settings={finding.rule_id: RuleSettings(stage=Stage.ENFORCE, by="key:b")},
        own={finding.rule_id: OwnRule(finding.rule_id, {}, {}, "key:a", now)},
    )
    store.transact(now).put(store.policy.op(policy)).commit()
    rules = bench.knowledge.rules
    staged = replace(rules, rules=tuple(replace(one, stage=Stage.ENFORCE) for one in rules.rules))
    respond(
        *(store, bench.knowledge.books, staged, [Opened(finding, finding.first_seen)]),
        since=bench.connection.connected_at, now=now, random=bytes,
    )  # fmt: skip
    (run,) = store.playbooks.page(10).items
    assert (run.approval, run.behind) == ("waiting", ("key:a", "key:b"))
    for who in ("key:a", "key:a2", keyed.person("alice"), "key:b", keyed.person("bob")):
        with pytest.raises(ForbiddenError):
            playbooks.approve(store, run.id, who, now)
    playbooks.approve(store, run.id, "key:m", now)
    assert run_of(keyed, run).approved_by == "key:m"
