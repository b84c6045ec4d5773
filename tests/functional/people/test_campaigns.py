"""Reviews: what they find, who decides, what silence does, and that nothing goes without brakes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.campaigns import Campaign, CampaignItem, CampaignScope
from lantern.domain.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from lantern.services.people import campaigns
from lantern.services.people.campaigns import Ruling
from lantern.services.remediation import approve
from tests.functional.people.test_follow import actions, holds
from tests.support.company import DRIVE, Company


def begin(company: Company, *, built: bool = True, **more: Any) -> Campaign:
    """A review of Otter, built."""
    bench = company.bench
    now = bench.clock.now()
    values: dict[str, Any] = {
        "scope": CampaignScope(app_ids=(company.app("otter"),)),
        "silence": "revoke",
        "review_by": "named",
        "reviewers": (company.person("bob"),),
        "due": now + timedelta(days=7),
    } | more
    made = campaigns.create(
        bench.store,
        Campaign(
            id="cam_1",
            name="Spring",
            state="building",
            created_by="key:it",
            created_at=now,
            next_at=now + campaigns.STALLED,
            **values,
        ),
        now,
    )
    if built:
        bench.settle()
    return stored(company) if built else made


@pytest.fixture
def crowd(company: Company) -> Company:
    """Twenty more people, who hold nothing: a handful of grants is a small part."""
    for number in range(20):
        company.bench.world.add(f"other{number}")
    company.bench.full()
    return company


def stored(company: Company) -> Campaign:
    """As it stands."""
    found = company.bench.store.campaigns.get("cam_1")
    assert found is not None
    return found


def rule(company: Company, decision: Any, *natives: str, by: str = "key:bob") -> Campaign:
    """Somebody decides on the grants of accounts."""
    items = {one.principal_id: one.id for one in company.bench.store.campaigns.items("cam_1")}
    rulings = [Ruling(items[company.principal(one)], decision, "r") for one in natives]
    return campaigns.decide(company.bench.store, "cam_1", rulings, by=by, now=company.bench.clock.now())


def test_a_review_from_beginning_to_jobs(crowd: Company) -> None:
    """Bulk decisions count once and may change; silence decides the rest; the job waits for approval."""
    bench = crowd.bench
    opened = begin(crowd)
    assert (opened.state, opened.counts.items) == ("open", 5)
    assert [one.to for one in bench.channels.email.sent] == ["bob@example.com"]
    assert rule(crowd, "revoke", "alice", "bob").counts.revoke == 2
    rule(crowd, "revoke", "alice")
    after = rule(crowd, "keep", "alice")
    assert (after.counts.keep, after.counts.revoke, after.counts.undecided) == (1, 1, 3)
    with pytest.raises(NotFoundError):
        campaigns.decide(bench.store, "cam_1", [Ruling("gr_x", "keep")], by="key:bob", now=bench.clock.now())
    bench.clock.forward(days=4)
    campaigns.sweep(bench.store, bench.clock.now())
    bench.settle()
    assert len(bench.channels.email.sent) == 2
    bench.clock.forward(days=3)
    campaigns.sweep(bench.store, bench.clock.now())
    with pytest.raises(ConflictError):
        rule(crowd, "keep", "bob")
    bench.settle()
    done = stored(crowd)
    assert (done.state, done.counts.keep, done.counts.revoke, done.counts.silent) == ("closed", 1, 4, 3)
    (job,) = bench.store.jobs.page(10).items
    assert (job.id,) == done.jobs
    assert (job.state, job.requested_by, job.counts.planned) == ("awaiting_approval", "key:it", 4)
    with pytest.raises(ForbiddenError):
        approve(bench.store, job.id, "key:it", bench.clock.now())
    assert holds(crowd, "bob")
    alice = next(one for one in bench.store.campaigns.items("cam_1") if one.decision == "keep")
    assert actions(crowd, alice.id) == ["campaign.decided"] * 2
    assert actions(crowd, "cam_1") == [
        *("campaign.created", "campaign.opened", "campaign.reminded", "campaign.closing", "campaign.closed")
    ]
    assert campaigns.finish(bench.store, "cam_1", bench.clock.now()) is None
    assert bench.store.audit.verify() is None


def test_finishing_goes_on_where_it_stopped(crowd: Company) -> None:
    """It died between the job and its own last word: carried on, there is still one job."""
    bench = crowd.bench
    open_ = begin(crowd)
    rule(crowd, "revoke", "alice", "bob")
    campaigns.close(bench.store, stored(crowd), by="key:it", now=bench.clock.now())
    gone = [one for one in bench.store.campaigns.items(open_.id) if one.decision == "revoke"]
    jobs, refused = campaigns._revoke(bench.store, stored(crowd), gone)
    assert (len(jobs), refused) == (1, ())
    bench.settle()
    assert (stored(crowd).state, stored(crowd).jobs) == ("closed", jobs)
    assert len(bench.store.jobs.page(10).items) == 1


def test_a_brake_stops_what_would_hit_too_many(company: Company) -> None:
    """Four of five people is more than a quarter: nothing is asked for, and the review says why."""
    bench = company.bench
    campaigns.close(bench.store, begin(company), by="key:it", now=bench.clock.now())
    bench.settle()
    assert (stored(company).refused, stored(company).jobs) == (("max_percent",), ())
    assert bench.store.jobs.page(10).items == ()


@pytest.mark.parametrize(("others", "refused"), [(1_800, "max_percent"), (3_000, "max_targets"), (1_600, "")])
def test_brakes_are_held_against_all_that_a_review_takes_away(
    company: Company, others: int, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many grants there are, they are one plan: parts of it, each below the brake, do not add up."""
    bench = company.bench
    begin(company)
    holders = {1_800: 451, 3_000: 501, 1_600: 399}[others]
    store, now = bench.store, bench.clock.now()
    run = store.runs.get(bench.connection_id, bench.connection.last_full_run or "")
    assert run is not None
    listed = replace(run, coverage=replace(run.coverage, listed=others))
    monkeypatch.setattr(store.runs, "get", lambda *_: listed)
    some = next(iter(store.bundles.all(bench.connection_id)))
    assert some.grants
    grant = next(one for one in some.grants if one.app_id == company.app("otter"))
    items = []
    for number in range(holders):
        principal = replace(
            some.principal,
            id=ids.principal_id("google", "C1", str(number)),
            native_id=str(number),
            kind="user",
        )
        store.bundles.put(replace(some, principal=principal, grants=(grant,), rev=0))
        item = ids.grant_id(principal.id, grant.app_id)
        items.append(
            CampaignItem(item, "cam_1", bench.connection_id, principal.id, "per_1", grant.app_id, "s")
        )
    campaign = replace(stored(company), closed_by="key:it", closed_at=now)
    found = campaigns._revoke(store, campaign, items)
    jobs = store.jobs.page(10).items
    assert found == ((), (refused,)) if refused else found == ((jobs[0].id,), ())
    assert [(one.state, one.counts.planned) for one in jobs] == (
        [] if refused else [("awaiting_approval", holders)]
    )


def test_what_is_gone_meanwhile_stops_nothing(crowd: Company) -> None:
    """Grants that went away during the review are left out of the job."""
    bench = crowd.bench
    begin(crowd)
    bench.world.accounts["bob"].grants.clear()
    bench.full()
    campaigns.close(bench.store, stored(crowd), by="key:it", now=bench.clock.now())
    bench.settle()
    (job,) = bench.store.jobs.page(10).items
    assert job.counts.planned == 4


def test_scopes(company: Company) -> None:
    """Kinds of data and apps narrow each other; nothing in particular is no scope."""
    bench = company.bench
    bench.world.consent("bob", "otter", DRIVE)
    bench.full()
    opened = begin(company, scope=CampaignScope(app_ids=(company.app("otter"),), data_classes=("files",)))
    (item,) = bench.store.campaigns.items("cam_1")
    assert (opened.counts.items, item.principal_id) == (1, company.principal("bob"))
    cancelled = campaigns.cancel(bench.store, opened, by="key:it", now=bench.clock.now())
    assert (cancelled.state, cancelled.jobs) == ("cancelled", ())
    with pytest.raises(InvalidInputError):
        begin(company, scope=CampaignScope())


def test_a_review_of_nothing_says_so(company: Company) -> None:
    """It does not stay open for ever."""
    empty = begin(company, scope=CampaignScope(org_units=("/nowhere",)))
    assert (empty.state, empty.problem) == ("cancelled", "No such grant is there.")
