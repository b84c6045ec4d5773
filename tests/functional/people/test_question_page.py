"""The page of a question, as browsers, mail scanners and strangers meet it."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from lantern.services.links import Site
from lantern.services.pages import Page
from lantern.services.people.links import make_link
from lantern.services.people.page import PeoplePages, question
from lantern.services.web import WebRequest
from lantern.store.platform import TenantEntry
from tests.functional.people.test_nudges import ask
from tests.support.company import DRIVE, Company

RANDOM = random.Random(71).randbytes
SITE = Site("https://lantern.example/dev")


class Browser:
    """One browser with a cookie jar."""

    def __init__(self, company: Company, site: Site = SITE) -> None:
        bench = company.bench
        if bench.platform.get_tenant(bench.store.tenant_id) is None:
            bench.platform.put_tenant(TenantEntry(bench.store.tenant_id, "Acme", "active", bench.clock.now()))
        self.tools = PeoplePages(
            site, bench.platform, lambda _: bench.store, bench.knowledge.scopes, bench.clock.now, RANDOM
        )
        self.cookies: dict[str, str] = {}

    def __call__(
        self, url: str, fields: dict[str, str] | None = None, page: Callable[..., Page] = question
    ) -> Page:
        token = url.rpartition("/")[2]
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = WebRequest(
            path=url.removeprefix("https://lantern.example/dev"),
            parameters={"token": token},
            query={},
            headers={"cookie": [jar]} if jar else {},
            body=urlencode(fields).encode() if fields is not None else b"",
            request_id="req-1",
        )
        answer = page(self.tools, request, "GET" if fields is None else "POST")
        if "Set-Cookie" in answer.headers:
            name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    @staticmethod
    def check(page: Page) -> str:
        """What the form of a page carries."""
        return re.findall(r'name="check" value="([0-9a-f]{64})"', page.body)[0]


def link(company: Company, nudge_id: str, purpose: Any = "nudge") -> str:
    """The address that was sent."""
    bench = company.bench
    return make_link(bench.store, SITE.base_url, purpose, nudge_id, now=bench.clock.now(), random=RANDOM)


@pytest.fixture
def asked(company: Company) -> tuple[Any, str]:
    """A question about a tool with a hostile name, and its address."""
    company.bench.world.consent("alice", "notion", DRIVE, "https://mail.google.com/", "openid")
    company.bench.full()
    nudge = ask(company, client="notion", note="<script>alert(2)</script>\u202e").nudge
    return nudge, link(company, nudge.id)


def test_a_link_scanner_changes_nothing(company: Company, asked: tuple[Any, str]) -> None:
    """Opening is looking: not one write, however often; every opener gets a form of its own."""
    nudge, url = asked
    store = company.bench.store
    before = (store.nudges.get(nudge.id), [e.seq for e in store.audit.entries()])
    first, second = Browser(company)(url), Browser(company)(url)
    assert (first.status, second.status) == (200, 200)
    assert Browser.check(first) != Browser.check(second)
    assert (store.nudges.get(nudge.id), [e.seq for e in store.audit.entries()]) == before


def test_what_the_page_says(company: Company, asked: tuple[Any, str]) -> None:
    """Plain words, hostile names inert, nothing that runs or loads, no answer by a link."""
    page = Browser(company)(asked[1])
    assert "Do you still need Notion &lt;img onerror=alert(1)&gt;?" in page.body
    assert "&lt;script&gt;alert(2)" in page.body
    assert "\u202e" not in page.body
    assert re.search(r"<li>Read[^<]*your", page.body)
    assert not re.search(r"<(script|img|iframe|link)", page.body)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("form-action 'self'; frame-ancestors 'none'")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Set-Cookie"].startswith("__Host-lantern-")
    assert "its access is removed" in page.body


def test_an_answer_is_confirmed_and_counts_once(company: Company, asked: tuple[Any, str]) -> None:
    """A reason is asked for where one is needed; a second answer is shown the first."""
    nudge, url = asked
    browser = Browser(company)
    check = Browser.check(browser(url))
    missing = browser(url, {"check": check, "answer": "keep", "reason": " "})
    assert missing.status == 422
    assert 'role="alert"' in missing.body
    assert browser(url, {"check": check, "answer": "<b>"}).status == 422
    check = Browser.check(browser(url))
    kept = browser(url, {"check": check, "answer": "keep", "reason": "meeting notes"})
    assert (kept.status, "We will not ask again before" in kept.body) == (200, True)
    late = browser(url, {"check": check, "answer": "revoke"})
    assert "that answer stands" in late.body
    found = company.bench.store.nudges.get(nudge.id)
    assert found is not None
    assert (found.answer, found.answered_via, found.reason) == ("keep", "page", "meeting notes")
    assert "Your answer: Keep it" in Browser(company)(url).body


def test_who_did_not_open_the_page_cannot_answer(company: Company, asked: tuple[Any, str]) -> None:
    """Another site, another browser, another question's form, a broken form, a wrong address."""
    nudge, url = asked
    mine, other = Browser(company), Browser(company)
    check = Browser.check(mine(url))
    sent = {"check": check, "answer": "revoke"}
    assert other(url, sent).status == 400
    other(url)
    assert other(url, sent).status == 400
    second = ask(company, client="otter").nudge
    elsewhere = link(company, second.id)
    assert mine(elsewhere, sent).status == 400
    assert mine(url, {"check": "é", "answer": "revoke"}).status == 400
    assert mine(url, {"answer": "revoke"}).status == 400
    assert mine(url[:-1] + ("A" if url[-1] != "A" else "B")).status == 404
    assert mine(f"https://lantern.example/dev/n/{'x' * 20}.{'y' * 43}").status == 404
    assert mine(link(company, nudge.person_id, "tools")).status == 404
    states = {one: company.bench.store.nudges.get(one) for one in (nudge.id, second.id)}
    assert all(one is not None and one.state == "sent" for one in states.values())


def test_an_ended_question_says_so(company: Company, asked: tuple[Any, str]) -> None:
    """After its time neither page nor form do anything; a paused tenant's pages are closed."""
    nudge, url = asked
    browser = Browser(company)
    check = Browser.check(browser(url))
    bench = company.bench
    tenant = bench.platform.get_tenant(bench.store.tenant_id)
    assert tenant is not None
    bench.clock.forward(days=7)
    assert browser(url).status == 410
    assert browser(url, {"check": check, "answer": "revoke"}).status == 410
    found = bench.store.nudges.get(nudge.id)
    assert found is not None
    assert found.answer is None
    bench.platform.put_tenant(replace(tenant, status="suspended"))
    assert browser(url).status == 403
