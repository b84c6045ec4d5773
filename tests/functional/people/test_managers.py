"""Whom people report to, and who is turned to: silence, late requests and reviews reach somebody."""

from dataclasses import replace
from typing import Any

import pytest

from lantern.domain.campaigns import CampaignScope
from lantern.domain.errors import ConflictError, ForbiddenError
from lantern.domain.guidance import GuidancePolicy
from lantern.services.people import campaigns
from lantern.services.people.deciding import decide_for
from lantern.services.people.managers import Manager, Managers, manager_of
from lantern.services.people.nudges import expire_due
from tests.functional.people.test_campaigns import begin
from tests.functional.people.test_follow import actions, holds, stored
from tests.functional.people.test_nudges import ask
from tests.support.company import Company


@pytest.fixture
def line(company: Company) -> Company:
    """Alice reports to Mia by address, Bob to Mia by id; Mia to nobody; who was Tom's manager left."""
    world = company.bench.world
    world.add("mia", email="mia@example.com", name="Mia", manager="")
    world.add("tom", "otter", email="tom@example.com", name="Tom", manager="gone")
    world.add("odd", "otter", manager="somebody@elsewhere.example")
    world.accounts["alice"].manager = "Mia@example.com"
    world.accounts["bob"].manager = "mia"
    company.bench.full()
    return company


def policy(company: Company, **more: Any) -> None:
    """Set how people are guided."""
    store = company.bench.store
    wanted = replace(GuidancePolicy(**more), rev=store.guidance.get().rev)
    store.transact(company.bench.clock.now()).put(store.guidance.op(wanted)).commit()


def test_a_manager_is_known_or_it_is_said_that_not(line: Company) -> None:
    """By address or id; named nobody; left; not told; somebody not known here. All at once the same."""
    store, mia = line.bench.store, line.person("mia")
    wanted = {
        "alice": Manager("known", mia),
        "bob": Manager("known", mia),
        "mia": Manager("none"),
        "tom": Manager("left", line.person("gone")),
        "odd": Manager("unknown"),
        "desk": Manager("unknown"),
    }
    everybody = Managers(store)
    for native, manager in wanted.items():
        assert manager_of(store, line.person(native)) == manager, native
        assert everybody.of(line.person(native)) == manager, native


def silent(company: Company, native: str = "alice", **more: Any) -> Any:
    """A question that nobody answers in its week; what was sent because of that."""
    bench = company.bench
    nudge = ask(company, native, kind="what_for", **more).nudge
    bench.settle()
    bench.channels.email.sent.clear()
    bench.clock.forward(days=7)
    expire_due(bench.store, bench.clock.now())
    bench.settle()
    return nudge, list(bench.channels.email.sent)


def test_silence_reaches_the_manager_with_the_facts(line: Company) -> None:
    """Who, which tool, what was asked, and a page to decide on; the log says who was told."""
    policy(line, escalate_to=(line.person("bob"),))
    nudge, (mail,) = silent(line, note="new here")
    assert (mail.to, mail.subject) == ("mia@example.com", "No answer from Alice about Otter.ai")
    for part in (
        "What do you use Otter.ai for?",
        "Who: Alice",
        "new here",
        "/decide/",
        "names you as their manager",
    ):
        assert part in mail.text
    assert "your account" not in mail.text
    (entry,) = [e for e in line.bench.store.audit.entries() if e.action == "nudge.escalated"]
    assert (entry.detail["told"], entry.detail["to"]) == ("manager", line.person("mia"))
    assert nudge.id == entry.subject


def test_who_is_next_where_there_is_no_manager(line: Company) -> None:
    """The owner of the tool; else whom the tenant named; else nobody, and the log says so."""
    policy(line, owners={line.app("otter"): line.person("bob")}, escalate_to=(line.person("mia"),))
    assert [one.to for one in silent(line, "tom")[1]] == ["bob@example.com"]
    policy(line, escalate_to=(line.person("mia"), line.person("gone")))
    assert [one.to for one in silent(line, "odd")[1]] == ["mia@example.com"]
    policy(line)
    nudge, sent = silent(line, "odd", origin="key:again")
    assert sent == []
    (entry,) = [e for e in line.bench.store.audit.entries() if e.subject == nudge.id][-1:]
    assert (entry.action, entry.detail["told"]) == ("nudge.escalated", "nobody")


def test_somebody_decides_for_who_was_silent_once(line: Company) -> None:
    """Kept is an exception, removed is a job; the person themselves cannot, and the first decision counts."""
    store, now = line.bench.store, line.bench.clock.now
    mia, nudge = line.person("mia"), silent(line)[0]
    with pytest.raises(ForbiddenError):
        decide_for(store, stored(line, nudge.id), keep=True, reason="x", by=line.person("alice"), now=now())
    decide_for(store, stored(line, nudge.id), keep=True, reason="minutes", by=mia, now=now())
    allowed = store.exceptions.get(line.person("alice"), line.app("otter"))
    assert allowed is not None
    assert (allowed.by, allowed.reason) == (mia, "minutes")
    with pytest.raises(ConflictError):
        decide_for(store, stored(line, nudge.id), keep=False, reason="", by=mia, now=now())
    other = silent(line, "bob")[0]
    decide_for(store, stored(line, other.id), keep=False, reason="", by=mia, now=now())
    line.bench.settle()
    assert (holds(line), holds(line, "bob")) == (True, False)
    assert actions(line, nudge.id)[-1] == "nudge.decided"


def test_of_two_who_decide_at_once_one_decides(line: Company) -> None:
    """Kept while somebody else has it removed: what was kept is not taken away, and there is no job."""
    store, mia = line.bench.store, line.person("mia")
    read = stored(line, silent(line)[0].id)
    decide_for(store, read, keep=True, reason="minutes", by=mia, now=line.bench.clock.now())
    with pytest.raises(ConflictError):
        decide_for(store, read, keep=False, reason="", by=line.person("bob"), now=line.bench.clock.now())
    line.bench.settle()
    assert holds(line)
    assert store.jobs.page(10).items == ()
    late = stored(line, silent(line, "bob")[0].id)
    line.bench.clock.forward(days=3)
    removed = decide_for(store, late, keep=False, reason="", by=mia, now=line.bench.clock.now())
    job = store.jobs.get(removed.job_id or "")
    assert job is not None
    assert job.created_at == line.bench.clock.now()
    requested = [one for one in store.audit.entries() if one.action == "job.requested"]
    assert [one.at for one in requested] == [line.bench.clock.now()]


def test_managers_review_their_people(line: Company) -> None:
    """The manager decides; the named where that one left or is not known; nobody on their own."""
    line.bench.world.consent("mia", "otter", "openid")
    line.bench.full()
    bob, mia = line.person("bob"), line.person("mia")
    begin(line, review_by="manager", reviewers=(bob, line.person("gone")))
    items = {one.person_id: one.reviewers for one in line.bench.store.campaigns.items("cam_1")}
    assert items[line.person("alice")] == (mia,)
    assert items[bob] == (mia,)
    assert items[mia] == items[line.person("tom")] == items[line.person("odd")] == (bob,)


def test_a_team_or_some_people_are_a_scope(line: Company) -> None:
    """Who reports to somebody, and persons by name; in every list that is sent."""
    scope = CampaignScope(manager_ids=(line.person("mia"),), app_ids=(line.app("otter"),))
    begin(line, scope=scope)
    found = {one.person_id for one in line.bench.store.campaigns.items("cam_1")}
    assert found == {line.person("alice"), line.person("bob")}
    only = CampaignScope(person_ids=(line.person("tom"),))
    assert not only.empty
    bundle = line.bench.store.bundles.get(line.bench.connection_id, line.principal("tom"))
    assert bundle is not None
    (grant,) = bundle.grants or ()
    assert only.holds(bundle, grant, None, ())
    assert not replace(only, person_ids=(line.person("bob"),)).holds(bundle, grant, None, ())


def test_however_many_reviewers_each_is_told_once_a_round(line: Company) -> None:
    """Thirty managers: told by two messages of work; the work repeated tells nobody again."""
    bench = line.bench
    for number in range(30):
        bench.world.add(f"boss{number}", email=f"boss{number}@example.com", manager="")
        bench.world.add(f"report{number}", "otter", manager=f"boss{number}")
    bench.full()
    bench.channels.email.sent.clear()
    begin(line, review_by="manager", reviewers=())
    told = [one.to for one in bench.channels.email.sent]
    assert len(told) == len(set(told)) == 31
    assert campaigns.tell_reviewers(bench.store, "cam_1", "", bench.clock.now()) == 0
    bench.settle()
    assert len(bench.channels.email.sent) == 31
    assert bench.channels.email.sent[0].text.count("/review/") == 1
