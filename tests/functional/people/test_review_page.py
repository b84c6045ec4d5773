"""The page of a reviewer: only what waits for them, in bulk, safe against scanners, strangers and leavers."""

import random
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain.campaigns import CampaignScope
from lantern.domain.requests import AccessRequest
from lantern.services.people.decide_page import decision
from lantern.services.people.links import make_link
from lantern.services.people.review_page import PAGE, review
from tests.functional.people.conftest import DRIVE, Company
from tests.functional.people.test_campaigns import begin, stored
from tests.functional.people.test_follow import holds
from tests.functional.people.test_follow import stored as question
from tests.functional.people.test_managers import line, silent
from tests.functional.people.test_question_page import SITE, Browser
from tests.functional.people.test_requests import ask, shop

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
    assert second.body.index("Decide later") < second.body.index("checked> Keep")


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
    """The facts and two answers; one of them needs a reason; afterwards the page says what was decided."""
    nudge = silent(line)[0]
    url, browser = address(line, "silence", nudge.id, "mia"), Browser(line)
    page = browser(url, page=decision)
    assert "May Alice keep Otter.ai?" in page.body
    check = browser.check(page)
    assert browser(url, {"check": check, "decision": "keep", "reason": " "}, decision).status == 422
    assert "is being removed" in browser(url, {"check": check, "decision": "revoke"}, decision).body
    line.bench.settle()
    assert not holds(line)
    assert question(line, nudge.id).job_id is not None
    assert "is being removed" in browser(url, page=decision).body
    assert replace(question(line, nudge.id), rev=0).answer is None
