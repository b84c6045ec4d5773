"""Asking for a tool: what is seen at once, who decides by when, what an approval writes and when it ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain.apps import AppSummary
from lantern.domain.errors import ConflictError, ForbiddenError, InvalidInputError
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.requests import AccessRequest, Ruling
from lantern.services.people import requests
from lantern.services.people.tools_page import my_tools
from lantern.store.apps import summary_part
from tests.functional.people.test_follow import actions
from tests.functional.people.test_nudges import ask as nudge
from tests.functional.people.test_question_page import Browser, link
from tests.support.company import Company


def row(name: str, **more: Any) -> AppSummary:
    """An app of the list."""
    values: dict[str, Any] = {"holders": 1, "category": "ai_meeting", "risk": 50} | more
    return AppSummary(Company.app(name), "google", name, "oauth", "ai", 0.9, **values)


@pytest.fixture
def shop(company: Company) -> Company:
    """Fireflies is approved for meetings; Bob looks after Otter, Carol is told what waits too long."""
    store = company.bench.store
    company.bench.world.add("carol", email="carol@example.com")
    company.bench.full()
    for one in (
        row("otter"),
        row("fireflies", status="approved", risk=20),
        row("chess", category="ai_games"),
    ):
        store.apps.put_summary_part(summary_part(one.app_id), [one])
    owners = {company.app("otter"): company.person("bob")}
    policy = GuidancePolicy(owners=owners, escalate_to=(company.person("alice"), company.person("carol")))
    store.transact(company.bench.clock.now()).put(store.guidance.op(policy)).commit()
    return company


def ask(shop: Company, name: str = "Otter", by: str = "key:portal") -> AccessRequest | None:
    """Alice asks for a tool."""
    made, _ = requests.ask(
        shop.bench.store,
        person_id=shop.person("alice"),
        name=name,
        reason="meeting notes",
        by=by,
        now=shop.bench.clock.now(),
    )
    return made


def decide(shop: Company, request: AccessRequest, by: str = "key:it", **ruling: Any) -> AccessRequest:
    """Somebody decides."""
    given = Ruling(**({"approve": True} | ruling))
    return requests.decide(shop.bench.store, request, given, by=by, now=shop.bench.clock.now())


def mails(shop: Company) -> list[tuple[str, str]]:
    """Who got which mail since the last time."""
    shop.bench.settle()
    sent = [(one.to, one.subject) for one in shop.bench.channels.email.sent]
    shop.bench.channels.email.sent.clear()
    return sent


def test_an_alternative_is_seen_at_once(shop: Company) -> None:
    """What is approved needs no request; of the rest the person sees what is approved for the same work."""
    assert ask(shop, "Fireflies") is None
    made = ask(shop)
    assert made is not None
    assert made.alternatives == (shop.app("fireflies"),)
    assert made.reviewers == (shop.person("bob"),)
    again = ask(shop)
    assert again is not None
    assert again.id == made.id
    assert mails(shop) == [("bob@example.com", "Alice would like to use Otter")]
    unknown = ask(shop, "Tool X")
    assert unknown is not None
    assert (unknown.app_id, unknown.alternatives) == (None, ())
    with pytest.raises(InvalidInputError):
        ask(shop, " \u202e ")


def test_an_approval_for_a_person_is_an_exception(shop: Company) -> None:
    """Conditions and end travel to the person; who asked does not decide; what is decided stays."""
    store, now = shop.bench.store, shop.bench.clock.now()
    made = ask(shop)
    assert made is not None
    for own in ("key:portal", made.person_id):
        with pytest.raises(ForbiddenError):
            decide(shop, made, by=own)
    mails(shop)
    done = decide(shop, made, until=now + timedelta(days=30), conditions="no customer data")
    kept = store.exceptions.get(made.person_id, shop.app("otter"))
    assert kept is not None
    assert (kept.until, kept.conditions, kept.source) == (done.until, "no customer data", "request")
    assert mails(shop) == [("alice@example.com", "Otter: approved")]
    with pytest.raises(ConflictError):
        decide(shop, done, approve=False)
    assert actions(shop, made.id) == ["request.made", "request.decided"]


def test_an_approval_for_everyone_ends(shop: Company) -> None:
    """It is a decision about the app, and back in review at its end, unless somebody decided since."""
    store, clock = shop.bench.store, shop.bench.clock
    made = ask(shop)
    assert made is not None
    decide(shop, made, scope="everyone", until=clock.now() + timedelta(days=30))
    approved = store.apps.decision(shop.app("otter"))
    assert approved is not None
    assert approved.status == "approved"
    clock.forward(days=30)
    (ended,) = requests.sweep(store, clock.now())
    after = store.apps.decision(shop.app("otter"))
    assert after is not None
    assert (ended.state, after.status) == ("ended", "under_review")
    assert requests.sweep(store, clock.now()) == ()


def test_what_waits_is_escalated_and_lapses(shop: Company) -> None:
    """Two days, then the next in line; a month later it is over, and the person knows."""
    store, clock = shop.bench.store, shop.bench.clock
    made = ask(shop)
    assert made is not None
    mails(shop)
    clock.forward(hours=48)
    (late,) = requests.sweep(store, clock.now())
    assert late.open
    assert mails(shop) == [("carol@example.com", "Overdue: Alice would like to use Otter")]
    clock.forward(days=30)
    (lapsed,) = requests.sweep(store, clock.now())
    assert lapsed.state == "lapsed"
    assert mails(shop) == [("alice@example.com", "Otter: not decided")]
    assert actions(shop, made.id) == ["request.made", "request.escalated", "request.lapsed"]


def test_two_admins_at_once(shop: Company) -> None:
    """Both read the same revision; one decides, the other is told."""
    made = ask(shop)
    assert made is not None
    decide(shop, made)
    with pytest.raises(ConflictError):
        decide(shop, made, approve=False)


def test_the_page_of_ones_own_tools(shop: Company) -> None:
    """It shows tools and the directory, takes a request, and believes only the browser that opened it."""
    url = link(shop, shop.person("alice"), "tools")
    browser = Browser(shop)
    page = browser(url, page=my_tools)
    assert (page.status, "fireflies" in page.body) == (200, True)
    assert "Otter" in page.body
    sent = {"check": Browser.check(page), "name": "Otter", "reason": "notes <b>"}
    assert Browser(shop)(url, sent, page=my_tools).status == 400
    missing = browser(url, {**sent, "reason": ""}, page=my_tools)
    assert (missing.status, 'role="alert"' in missing.body) == (422, True)
    assert shop.bench.store.requests.page("waiting", 10).items == ()
    done = browser(url, sent, page=my_tools)
    assert "You asked for Otter. You will hear from us by" in done.body
    assert "Approved already, for the same kind of work" in done.body
    (made,) = shop.bench.store.requests.page("waiting", 10).items
    assert made.asked_by == shop.person("alice")
    assert (
        "approved already: you may use it" in browser(url, {**sent, "name": "Fireflies"}, page=my_tools).body
    )
    nudge_url = url.replace("/my/", "/n/")
    assert browser(nudge_url).status == 404
    shop.bench.clock.forward(days=30)
    assert browser(url, page=my_tools).status == 410


def test_a_leavers_pages_are_closed(shop: Company) -> None:
    """Neither what is approved here nor the form, and no answer to what they were asked before."""
    asked = nudge(shop).nudge
    tools, answer = link(shop, shop.person("alice"), "tools"), link(shop, asked.id)
    browser = Browser(shop)
    sent = {"check": Browser.check(browser(tools, page=my_tools)), "name": "Otter", "reason": "notes"}
    said = {"check": Browser.check(browser(answer)), "answer": "keep", "reason": "notes"}
    shop.bench.world.accounts["alice"].status = "suspended"
    shop.bench.full()
    assert browser(tools, page=my_tools).status == browser(tools, sent, page=my_tools).status == 403
    assert browser(answer).status == browser(answer, said).status == 403
    assert shop.bench.store.requests.page("waiting", 10).items == ()
    assert shop.bench.store.exceptions.get(shop.person("alice"), shop.app("otter")) is None


def test_a_look_alike_is_not_taken_for_what_it_looks_like(shop: Company) -> None:
    """Nobody is shown as asking for a tool whose name somebody else imitates."""
    store = shop.bench.store
    fake = replace(row("fake", lookalike_of="Otter.ai"), name="Real Otter")
    store.apps.put_summary_part(summary_part(fake.app_id), [fake])
    made = ask(shop, "Real Otter")
    assert made is not None
    assert made.app_id is None
