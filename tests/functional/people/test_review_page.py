"""The page of a reviewer: only what waits for them, in bulk, safe against scanners, strangers and leavers."""

import random
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain.campaigns import CampaignScope
from lantern.domain.errors import ForbiddenError
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.requests import AccessRequest
from lantern.domain.work import Work
from lantern.services import playbooks
from lantern.services.people.decide_page import decision
from lantern.services.people.deciding import decide_for
from lantern.services.people.links import make_link
from lantern.services.people.nudges import expire_due
from lantern.services.people.review_page import PAGE, review
from tests.functional.people.test_campaigns import begin, stored
from tests.functional.people.test_follow import holds
from tests.functional.people.test_follow import stored as question
from tests.functional.people.test_managers import line, silent
from tests.functional.people.test_nudges import ask as nudge
from tests.functional.people.test_question_page import SITE, Browser
from tests.functional.people.test_requests import ask, shop
from tests.support.company import DRIVE, Company

__all__ = ["line", "shop"]
RANDOM = random.Random(23).randbytes


def address(company: Company, purpose: Any, subject: str, native: str) -> str:
    """The address that somebody was sent."""
    now = company.bench.clock.now()
    person = company.person(native)
    return make_link(company.bench.store, SITE.base_url, purpose, subject, person, now=now, random=RANDOM)


def fields(body: str) -> list[str]:
    """The names of the grants on a page."""
    return sorted(set(re.findall(r'name="(d-gr_[^"]+)"', body)))


@pytest.fixture
def reviewed(line: Company) -> Company:
    """Managers review who has Otter: Alice and Bob are Mia's, the others Bob's."""
    line.bench.world.consent("alice", "otter", DRIVE, "openid")
    line.bench.full()
    begin(line, review_by="manager", reviewers=(line.person("bob"),))
    return line


def test_a_reviewer_sees_and_decides_on_their_own_only(reviewed: Company) -> None:
    """Looking writes nothing; a bulk decision is one POST; what is somebody else's is refused whole."""
    store = reviewed.bench.store
    before = [one.seq for one in store.audit.entries()]
    mias, bobs = address(reviewed, "review", "cam_1", "mia"), address(reviewed, "review", "cam_1", "bob")
    mia, bob = Browser(reviewed), Browser(reviewed)
    page = mia(mias, page=review)
    assert [one.seq for one in store.audit.entries()] == before
    assert page.status == 200
    assert "Alice" in page.body
    assert "Tom" not in page.body
    assert "<strong>2</strong> of 2 left" in page.body
    assert re.search(r"<li>Read[^<]*the person", page.body)
    assert not re.search(r"<(script|img|iframe|link)", page.body)
    alices, bobs_own = fields(page.body)[0], fields(page.body)[1]
    check = mia.check(page)
    foreign = next(one for one in fields(bob(bobs, page=review).body) if one not in (alices, bobs_own))
    assert mia(mias, {"check": check, foreign: "revoke"}, review).status == 404
    assert stored(reviewed).counts.undecided == 7
    assert mia(mias, {"check": check, alices: "later", "rest": ""}, review).status == 422
    sent = {"check": check, alices: "revoke", bobs_own: "later", "rest": "keep", "reason": "spring"}
    after = mia(mias, sent, review)
    assert (after.status, "2 decisions saved. Nothing is left" in after.body) == (200, True)
    mine = [one for one in store.campaigns.items("cam_1") if one.decision]
    assert {(one.by, one.reason) for one in mine} == {(reviewed.person("mia"), "spring")}
    assert {one.decision for one in mine} == {"keep", "revoke"}
    changed = mia(mias, {"check": mia.check(after), alices: "keep"}, review)
    assert changed.status == 200
    assert stored(reviewed).counts.keep == 2


def test_what_became_ones_own_meanwhile_is_decided_by_others(reviewed: Company) -> None:
    """Accounts are joined to people while reviews wait: nobody decides on their own then either."""
    store, now = reviewed.bench.store, reviewed.bench.clock.now()
    mine = next(one for one in store.campaigns.items("cam_1") if one.person_id == reviewed.person("alice"))
    stale = replace(mine, person_id="per_before", reviewers=(reviewed.person("alice"),))
    store.transact(now).put(store.campaigns.item_op(stale, stored(reviewed))).commit()
    url, browser = address(reviewed, "review", "cam_1", "alice"), Browser(reviewed)
    sent = {"check": browser.check(browser(url, page=review)), f"d-{mine.id}": "keep"}
    assert browser(url, sent, review).status == 403
    assert stored(reviewed).counts.keep == 0
    asked = question(reviewed, silent(reviewed)[0].id)
    with pytest.raises(ForbiddenError):
        decide_for(
            store,
            replace(asked, person_id="per_before"),
            keep=True,
            reason="x",
            by=reviewed.person("alice"),
            now=reviewed.bench.clock.now(),
        )


def test_strangers_leavers_and_latecomers_have_no_page(reviewed: Company) -> None:
    """Another browser's form, a link for something else, somebody who left, a review that is over."""
    bench, mias = reviewed.bench, address(reviewed, "review", "cam_1", "mia")
    mia, other = Browser(reviewed), Browser(reviewed)
    page = mia(mias, page=review)
    sent = {"check": mia.check(page), fields(page.body)[0]: "revoke"}
    assert other(mias, sent, review).status == 400
    assert mia(mias, sent, decision).status == 404
    bench.world.accounts["mia"].status = "suspended"
    bench.full()
    assert mia(mias, page=review).status == 403
    assert mia(mias, sent, review).status == 403
    bench.world.accounts["mia"].status = "active"
    bench.full()
    bench.clock.forward(days=7)
    assert mia(mias, page=review).status == 410
    assert mia(mias, sent, review).status == 410
    assert stored(reviewed).counts.undecided == 7


def test_many_grants_are_pages_of_few(line: Company) -> None:
    """Undecided ones first; the page says how many are left and which it is."""
    for number in range(PAGE + 3):
        line.bench.world.add(f"more{number}", "chess", manager="mia")
    line.bench.full()
    begin(line, review_by="manager", scope=CampaignScope(app_ids=(line.app("chess"),)))
    url, browser = address(line, "review", "cam_1", "mia"), Browser(line)
    first = browser(url, page=review)
    assert len(fields(first.body)) == PAGE
    assert "Page 1 of 2" in first.body
    sent = dict.fromkeys(fields(first.body), "later")
    second = browser(url, {"check": browser.check(first), "rest": "keep", **sent}, review)
    assert f"<strong>3</strong> of {PAGE + 3} left" in second.body
    assert second.body.index(">Later") < second.body.index("checked>Keep")


def test_an_approver_decides_on_a_page(shop: Company) -> None:
    """Who asks and why; a yes with condition and end; a second decision is shown the first."""
    made = ask(shop, by=shop.person("alice"))
    assert made is not None
    url, browser = address(shop, "request", made.id, "bob"), Browser(shop)
    page = browser(url, page=decision)
    for part in ("May Alice use", "meeting notes", "alice@example.com", "fireflies"):
        assert part in page.body
    check = browser.check(page)
    assert browser(url, {"check": check}, decision).status == 422
    late = {"check": check, "decision": "person", "until": "2020-01-01", "conditions": "<b>none</b>"}
    never = browser(url, {**late, "until": "9999-12-31"}, decision)
    assert (never.status, "year-month-day" in never.body) == (422, True)
    refused = browser(url, late, decision)
    assert (refused.status, "&lt;b&gt;none" in refused.body) == (422, True)
    last = (shop.bench.clock.now() + timedelta(days=30)).date()
    sent = {"check": check, "decision": "person", "until": last.isoformat(), "conditions": "no names"}
    assert "Approved: Otter." in browser(url, sent, decision).body
    found = stored_request(shop, made.id)
    assert (found.state, found.decided_by, found.conditions) == ("approved", shop.person("bob"), "no names")
    assert found.until is not None
    assert found.until.date() == last + timedelta(days=1)
    again = browser(url, {**sent, "decision": "decline"}, decision)
    assert "Approved: Otter." in again.body
    assert stored_request(shop, made.id) == found


def test_who_is_turned_to_as_a_manager_decides_for_that_person(shop: Company) -> None:
    """Who was named for the tool can say yes for everybody; a manager cannot, whatever is sent."""
    made = ask(shop, by=shop.person("alice"))
    assert made is not None
    shop.bench.world.add("mia", email="mia@example.com")
    shop.bench.full()
    url, browser = address(shop, "request", made.id, "mia"), Browser(shop)
    page = browser(url, page=decision)
    assert "everybody here" not in page.body
    sent = {"check": browser.check(page), "decision": "everyone"}
    assert browser(url, sent, decision).status == 422
    assert stored_request(shop, made.id).open
    owner = Browser(shop)
    assert "everybody here" in owner(address(shop, "request", made.id, "bob"), page=decision).body
    assert "for this person only" in browser(url, {**sent, "decision": "person"}, decision).body


def stored_request(company: Company, request_id: str) -> AccessRequest:
    """A request as it stands."""
    found = company.bench.store.requests.get(request_id)
    assert found is not None
    return found


def test_nobody_approves_their_own_by_a_link(shop: Company) -> None:
    """Not even with an address that was made for them; an unknown tool is for the person alone."""
    made = ask(shop, "Brand new", by=shop.person("alice"))
    assert made is not None
    own, browser = address(shop, "request", made.id, "alice"), Browser(shop)
    page = browser(own, page=decision)
    assert "everybody here" not in page.body
    sent = {"check": browser.check(page), "decision": "person"}
    assert browser(own, sent, decision).status == 403
    others, second = address(shop, "request", made.id, "bob"), Browser(shop)
    check = second.check(second(others, page=decision))
    assert second(others, {"check": check, "decision": "everyone"}, decision).status == 422
    assert stored_request(shop, made.id).open


def test_a_manager_decides_for_who_was_silent(line: Company) -> None:
    """All that waits for this person on one page; keeping needs a reason; nothing of anybody else's."""
    first, second = silent(line)[0], silent(line, "bob")[0]
    other = silent(line, "odd")[0]
    url, browser = address(line, "silence", line.person("mia"), "mia"), Browser(line)
    page = browser(url, page=decision)
    for part in ("Decide for colleagues", "Alice", "Bob", "What do you use Otter.ai for?"):
        assert part in page.body
    assert other.id not in page.body
    check = browser.check(page)
    one, two = f"d-{first.id}", f"d-{second.id}"
    assert browser(url, {"check": check, f"d-{other.id}": "revoke"}, decision).status == 404
    assert browser(url, {"check": check, one: "later"}, decision).status == 422
    without = browser(url, {"check": check, one: "revoke", two: "keep"}, decision)
    assert (without.status, "what it is used for" in without.body) == (422, True)
    assert question(line, first.id).job_id is None
    sent = {"check": check, one: "revoke", two: "keep", "reason": "minutes"}
    done = browser(url, sent, decision)
    assert "Alice: its access is being removed" in done.body
    assert "Bob may keep it until" in done.body
    assert "Nothing is left to decide" in done.body
    line.bench.settle()
    assert (holds(line), holds(line, "bob")) == (False, True)
    assert "it was decided already" in browser(url, {**sent, two: "revoke"}, decision).body
    line.bench.settle()
    assert holds(line, "bob")


def test_many_silent_people_are_few_messages(line: Company) -> None:
    """The first at once with its facts; the others in one message a day later; all on one page."""
    bench = line.bench
    for number in range(6):
        bench.world.add(f"team{number}", "otter", manager="mia")
    bench.full()
    for number in range(6):
        nudge(line, f"team{number}", kind="what_for")
    bench.settle()
    bench.clock.forward(days=7)
    bench.channels.email.sent.clear()
    expire_due(bench.store, bench.clock.now())
    bench.settle()
    (first,) = bench.channels.email.sent
    assert first.subject.startswith("No answer from team")
    bench.clock.forward(days=1, minutes=1)
    bench.do(Work(bench.store.tenant_id, "outreach.due"))
    assert len(bench.channels.email.sent) == 2
    assert bench.channels.email.sent[1].subject == "More colleagues have not answered about their tools"
    page = Browser(line)(address(line, "silence", line.person("mia"), "mia"), page=decision)
    assert page.body.count('value="revoke"') == 6


def test_nothing_leaves_the_list_of_many_undecided(line: Company) -> None:
    """Three hundred questions wait for one person, the oldest too; what is long over is tidied."""
    store, mia, now = line.bench.store, line.person("mia"), line.bench.clock.now
    first = silent(line)[0]
    asked = question(line, first.id)
    others = [replace(asked, id=f"ndg_{number:026}", rev=0) for number in range(300)]
    for one in others:
        put = store.nudges.silent_op(mia, one.id, now())
        store.transact(now()).put(store.nudges.op(one), put).commit()
        line.bench.clock.forward(seconds=1)
    url, browser = address(line, "silence", mia, "mia"), Browser(line)
    page = browser(url, page=decision)
    assert (page.body.count('value="revoke"'), "281 more" in page.body) == (20, True)
    sent = {"check": browser.check(page), f"d-{first.id}": "keep", "reason": "minutes"}
    assert "Alice may keep it until" in browser(url, sent, decision).body
    assert "it was decided already" in browser(url, sent, decision).body
    line.bench.clock.forward(days=31)
    url, browser = address(line, "silence", mia, "mia"), Browser(line)
    sent |= {"check": browser.check(browser(url, page=decision))}
    browser(url, sent, decision)
    assert set(store.nudges.silent(mia)) == {one.id for one in others}


def test_a_manager_approves_a_run_about_one_person(line: Company) -> None:
    """Told with a page; what was read is what is approved; not for several people, nor one's own."""
    bench = line.bench
    shipped = bench.knowledge.books.get("departed-employee")
    wide = replace(shipped, window=None, guards=replace(shipped.guards, max_percent=None, approve_above=0))

    def begun(about: About) -> PlaybookRun:
        now = bench.clock.now()
        started = playbooks.start(
            bench.store, wide, about=about, requested_by="key:a", now=now, random=RANDOM, reason="left us"
        )
        bench.settle()
        found = bench.store.playbooks.get(started.run.id)
        assert found is not None
        return found

    run = begun(About(person_id=line.person("alice")))
    assert run.approval == "waiting"
    (mail,) = [one for one in bench.channels.email.sent if "May we go on?" in one.subject]
    assert (mail.to, "/decide/" in mail.text) == ("mia@example.com", True)
    url, browser = address(line, "run", run.id, "mia"), Browser(line)
    page = browser(url, page=decision)
    for part in ("Alice", "left us", "Otter.ai", f'name="rev" value="{run.rev}"'):
        assert part in page.body
    sent = {"check": browser.check(page), "decision": "approve"}
    assert browser(url, {**sent, "rev": "x"}, decision).status == 422
    assert "changed meanwhile" in browser(url, {**sent, "rev": str(run.rev + 5)}, decision).body
    own, second = address(line, "run", run.id, "alice"), Browser(line)
    assert second(own, page=decision).status == 403
    assert "Approved." in browser(url, {**sent, "rev": str(run.rev)}, decision).body
    late = {**sent, "decision": "decline", "rev": str(run.rev)}
    assert "Approved." in browser(url, late, decision).body
    after = bench.store.playbooks.get(run.id)
    assert after is not None
    assert (after.approval, after.approved_by) == ("approved", line.person("mia"))
    bench.channels.email.sent.clear()
    several = begun_of(line)
    assert not [one for one in bench.channels.email.sent if "May we go on?" in one.subject]
    assert browser(address(line, "run", several.id, "mia"), page=decision).status == 410


def begun_of(company: Company) -> PlaybookRun:
    """A run about everybody who has Otter."""
    bench = company.bench
    shipped = bench.knowledge.books.get("stale-grant-clean-up")
    wide = replace(shipped, window=None, guards=replace(shipped.guards, max_percent=None))
    about = About(app_id=company.app("otter"))
    now = bench.clock.now()
    return playbooks.start(bench.store, wide, about=about, requested_by="key:a", now=now, random=RANDOM).run
