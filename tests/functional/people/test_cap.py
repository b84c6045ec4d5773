"""Whoever asks, nobody gets more questions in seven days than the cap, and no channel more than its day."""

import contextlib
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lantern.domain.alerts import AlertChannel
from lantern.domain.campaigns import CampaignScope
from lantern.domain.errors import ConflictError
from lantern.domain.guidance import GuidancePolicy
from lantern.domain.nudges import ANSWERS, NudgeAnswer
from lantern.domain.playbooks.machine import About
from lantern.domain.work import Work
from lantern.services import incidents, playbooks
from lantern.services.people.nudges import answer_nudge
from lantern.services.scoring.knowledge import Knowledge
from tests.functional.people.test_campaigns import begin
from tests.functional.people.test_nudges import ask
from tests.support.company import Company, make_company
from tests.support.memory_table import MemoryDynamo

WEEK = timedelta(days=7)
KINDS = ("still_need", "what_for", "use_instead", "fewer_scopes", "rotate")
BOOKS = ("stale-grant-clean-up", "unsanctioned-app", "over-scoped-app", "restricted-app", "vendor-incident")
STEP = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(("alice", "bob")), st.sampled_from(KINDS)),
    st.tuples(st.just("play"), st.sampled_from(BOOKS), st.sampled_from(("otter", "notion", "third"))),
    st.tuples(st.just("incident"), st.just(""), st.just("")),
    st.tuples(st.just("review"), st.just(""), st.sampled_from(("otter", "notion"))),
    st.tuples(st.just("answer"), st.just(""), st.sampled_from(("keep", "done"))),
    st.tuples(st.just("pass"), st.sampled_from(("1", "20", "50", "170")), st.just("")),
)


def play(company: Company, book: str, about: About, seed: random.Random) -> None:
    """A run of a playbook, approved at once by somebody else."""
    bench = company.bench
    shipped = bench.knowledge.books.get(book)
    wide = replace(shipped, window=None, guards=replace(shipped.guards, max_percent=None))
    now = bench.clock.now()
    asked = playbooks.start(
        bench.store, wide, about=about, requested_by="key:a", now=now, random=seed.randbytes
    )
    bench.settle()
    run = bench.store.playbooks.get(asked.run.id)
    if run is not None and run.open and run.approval == "waiting":
        playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())


def act(company: Company, step: tuple[str, str, str], seed: random.Random) -> None:
    """One thing that happens in the organisation."""
    what, one, other = step
    bench = company.bench
    if what == "ask":
        ask(company, one, seed.choice(("otter", "notion")) if one == "alice" else "otter", kind=other)
    elif what == "play":
        play(company, one, About(app_id=company.app(other)), seed)
    elif what == "incident":
        row = next(one for one in bench.store.apps.summary() if one.app_id == company.app("otter"))
        vendor = bench.knowledge.reference.vendor_id(row.vendor or "")
        raised: Any = incidents.raise_incident(
            bench.store, bench.knowledge.reference, bench.knowledge.books,
            vendor_id=vendor, occurred_at=bench.clock.now(), summary="leak", by="key:a", dry_run=False,
            now=bench.clock.now(), random=seed.randbytes,
        )  # fmt: skip
        if raised.asked:
            playbooks.approve(bench.store, raised.asked.run.id, "key:b", bench.clock.now())
    elif what == "review" and bench.store.campaigns.get("cam_1") is None:
        begin(company, scope=CampaignScope(app_ids=(company.app(other),)))
    elif what == "answer":
        for nudge in bench.store.nudges.page("open", 1).items:
            takes = ANSWERS[nudge.kind]
            wanted = ("keep" if other == "keep" else "not_mine", "not_mine", *takes)
            said = next(one for one in wanted if one in takes)
            answer_nudge(
                bench.store,
                nudge.id,
                cast("NudgeAnswer", said),
                reason="r",
                via="page",
                by=nudge.person_id,
                now=bench.clock.now(),
            )
    elif what == "pass":
        bench.clock.forward(hours=int(one))


def settle(company: Company) -> None:
    """Everything that is due, of people and of playbooks, and what follows."""
    tenant = company.bench.store.tenant_id
    company.bench.settle()
    for kind in ("people.due", "playbook.due", "outreach.due"):
        company.bench.do(Work(tenant, kind))
        company.bench.settle()


def most(times: list[datetime], span: timedelta) -> int:
    """The most of these times within any such span."""
    return max((sum(start <= one < start + span for one in times) for start in times), default=0)


BUSY = [
    ("ask", "alice", "what_for"),
    ("play", "unsanctioned-app", "otter"),
    ("review", "", "otter"),
    ("incident", "", ""),
    ("answer", "", "keep"),
    ("play", "vendor-incident", "notion"),
    ("pass", "170", ""),
    ("play", "restricted-app", "third"),
    ("pass", "50", ""),
    ("pass", "170", ""),
]
"""Everybody at once, twice: somebody has to wait."""


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEP, min_size=4, max_size=14), cap=st.integers(1, 3), number=st.integers(0, 99))
@example(steps=BUSY, cap=1, number=1)
def test_nobody_is_asked_more_than_the_cap(
    knowledge: Knowledge, steps: list[tuple[str, str, str]], cap: int, number: int
) -> None:
    """The API, playbooks, incidents and reviews in any order, over weeks: counted by what was sent."""
    company = make_company(knowledge, MemoryDynamo())
    bench, seed = company.bench, random.Random(number)
    now = bench.clock.now()
    channel = AlertChannel("chn_a", "email", "IT", ("it@example.com",), daily_cap=1, created_at=now)
    store = bench.store
    store.transact(now).put(
        store.guidance.op(GuidancePolicy(weekly_nudges=cap)), store.alerts.channel_op(channel)
    ).commit()
    for step in steps:
        with contextlib.suppress(ConflictError):  # a brake, or the same at the same time
            act(company, step, seed)
        settle(company)
    asked: dict[str, list[datetime]] = {}
    told: list[datetime] = []
    for mail in bench.channels.email.sent:
        if "/n/" in mail.text:
            asked.setdefault(mail.to, []).append(mail.at)
        elif mail.to == "it@example.com" and "A playbook of your organisation" in mail.text:
            told.append(mail.at)
    assert all(most(times, WEEK) <= cap for times in asked.values()), asked
    days = [at.date() for at in told]
    assert len(days) == len(set(days))
