"""Asking people: whom, how often, what they may answer, what silence does."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lantern.domain import nudges
from lantern.domain.errors import ConflictError, InvalidInputError, NotFoundError
from lantern.domain.nudges import Ledger
from lantern.services.people.nudges import answer_nudge, create_nudge, expire_due, withdraw_nudge
from tests.support.clock import FakeClock
from tests.support.company import Company

RANDOM = random.Random(5).randbytes


def ask(company: Company, native: str = "alice", client: str = "otter", **more: Any) -> Any:
    """Ask somebody whether they still need something."""
    given = {"kind": "still_need", "origin": "key:k", "by": "key_1"} | more
    return create_nudge(
        company.bench.store,
        principal_id=company.principal(native),
        app_id=company.app(client) if client else "",
        now=company.bench.clock.now(),
        random=RANDOM,
        **given,
    )


def reply(company: Company, nudge_id: str, said: Any, **more: Any) -> Any:
    """Answer as the person does on the page."""
    return answer_nudge(
        company.bench.store, nudge_id, said, via="page", by="per_1", now=company.bench.clock.now(), **more
    )


def test_who_is_asked(company: Company) -> None:
    """Leavers, shared and service accounts never; the others once per tool and question."""
    refused = {native: ask(company, native).refused for native in ("gone", "desk", "robot")}
    assert refused == {"gone": "left", "desk": "shared_account", "robot": "service_account"}
    first = ask(company)
    assert first.created
    assert first.nudge.state == "sent"
    again = ask(company, origin="key:other")
    assert (again.created, again.nudge.id) == (False, first.nudge.id)
    assert ask(company, "alice", "otter", kind="what_for").created
    with pytest.raises(NotFoundError):
        ask(company, client="nothing")


def test_a_kept_tool_is_an_exception_until_its_review(company: Company) -> None:
    """Keeping takes a reason; the same answer again is nothing new, another one is refused."""
    store, clock = company.bench.store, company.bench.clock
    nudge = ask(company).nudge
    with pytest.raises(InvalidInputError):
        reply(company, nudge.id, "keep", reason="  ")
    with pytest.raises(InvalidInputError):
        reply(company, nudge.id, "rotated")
    answered = reply(company, nudge.id, "keep", reason="notes of\n interviews")
    assert reply(company, nudge.id, "keep", reason="again") == answered
    with pytest.raises(ConflictError):
        reply(company, nudge.id, "revoke")
    kept = store.exceptions.get(company.person("alice"), company.app("otter"))
    assert kept is not None
    assert (kept.reason, kept.until - kept.at) == ("notes of interviews", timedelta(days=90))
    assert ask(company).refused == "excepted"
    clock.forward(days=91)
    assert ask(company).created
    said = [one.action for one in store.audit.entries() if one.subject == nudge.id]
    assert said == ["nudge.created", "nudge.sent", "nudge.answered"]
    assert all("interviews" not in str(one.detail) for one in store.audit.entries())


def test_silence_and_lateness(company: Company) -> None:
    """When the time is up the question ends, whoever comes first; an answer after that is too late."""
    store, clock = company.bench.store, company.bench.clock
    nudge = ask(company, days=3).nudge
    company.bench.settle()
    assert expire_due(store, clock.now()) == ()
    clock.forward(days=3)
    with pytest.raises(ConflictError):
        reply(company, nudge.id, "keep", reason="late")
    (ended,) = expire_due(store, clock.now())
    assert ended.sent_via == "email"
    assert (ended.state, ended.silence) == ("expired", "revoke")
    assert expire_due(store, clock.now()) == ()
    other = ask(company).nudge
    assert other.id != nudge.id
    assert withdraw_nudge(store, other.id, by="key_1", now=clock.now()).state == "withdrawn"


def test_what_was_allowed_meanwhile_is_not_taken_away(company: Company) -> None:
    """One question is kept with a reason, another about the same tool is silent: the exception holds."""
    store, clock = company.bench.store, company.bench.clock
    kept, silent = ask(company, kind="what_for").nudge, ask(company, days=3).nudge
    company.bench.settle()
    reply(company, kept.id, "keep", reason="notes")
    clock.forward(days=3)
    (ended,) = expire_due(store, clock.now())
    assert (ended.id, ended.state) == (silent.id, "withdrawn")


def test_the_week_has_an_end(company: Company) -> None:
    """A third question in a week waits; it goes out when there is room, or never where it is moot."""
    store, clock = company.bench.store, company.bench.clock
    states = [ask(company, client=one).nudge.state for one in ("otter", "notion", "third", "fourth")]
    assert states == ["sent", "sent", "queued", "queued"]
    company.bench.settle()
    company.bench.world.accounts["alice"].grants.pop("third")
    clock.forward(days=6, hours=23)
    assert expire_due(store, clock.now()) == ()
    company.bench.full()
    clock.forward(hours=1)
    moved = expire_due(store, clock.now())
    assert sorted(one.state for one in moved) == ["expired", "expired", "sent", "withdrawn"]
    company.bench.settle()
    assert all(one.next_at > clock.now() for one in store.nudges.page("open", 10).items)


def test_a_step_asks_once(company: Company) -> None:
    """A message that comes twice asks once, even after the answer."""
    step = {"origin": "playbook:run_1.ask", "by": "playbook"}
    first = ask(company, **step)
    reply(company, first.nudge.id, "revoke")
    again = ask(company, **step)
    assert (again.created, again.nudge.id, again.nudge.state) == (False, first.nudge.id, "answered")
    assert again.nudge.owned


@settings(max_examples=60, deadline=None)
@given(
    cap=st.integers(1, 4),
    gaps=st.lists(st.integers(0, 5 * 24 * 60), max_size=40),
    jumps=st.lists(st.integers(-60, 60), max_size=40),
)
def test_the_cap_is_never_exceeded(cap: int, gaps: list[int], jumps: list[int]) -> None:
    """Whenever somebody tries to ask, and though the clock jumps: no seven days hold more than the cap."""
    ledger, sent, clock = Ledger("per_1"), [], FakeClock()
    now = clock.now()
    for gap, jump in zip(gaps, jumps + [0] * len(gaps), strict=False):
        now += timedelta(minutes=gap + jump)
        at = nudges.room(ledger, now, cap)
        assert at >= now
        if at == now:
            ledger = nudges.counted(ledger, now)
            sent.append(now)
        else:
            assert nudges.room(ledger, at, cap) == at
    for start in sent:
        assert sum(start <= one < start + nudges.WEEK for one in sent) <= cap
