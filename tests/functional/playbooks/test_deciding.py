"""Several who decide at once, and runs that are cancelled wherever they are."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from lantern.domain.errors import ConflictError, LanternError, LeaseLostError
from lantern.domain.jobs import Guards, Selector
from lantern.domain.nudges import Nudge
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.work import Work
from lantern.services import playbooks, remediation
from lantern.services.people.nudges import create_nudge
from tests.functional.playbooks.test_runs import run_of, start, sweep
from tests.support.company import Company
from tests.support.memory_table import MemoryDynamo

NOISE = Random(3).randbytes
DECIDE: dict[str, Callable[..., PlaybookRun]] = {
    "approve": playbooks.approve,
    "decline": playbooks.decline,
    "cancel": playbooks.cancel,
}
LEFT = {
    "approve": ("running", "approved"),
    "decline": ("running", "declined"),
    "cancel": ("cancelled", "waiting"),
}


@dataclass
class Meeting:
    """A company whose table lets somebody in between."""

    company: Company
    dynamo: MemoryDynamo

    def while_writing(self, do: Callable[[], Any], other: Callable[[], Any]) -> tuple[list[str], list[str]]:
        """`other` decides wholly just before the first write of `do`; who came through, and who did not."""
        won, lost = list[str](), list[str]()

        def attempt(name: str, act: Callable[[], Any]) -> None:
            try:
                act()
            except LanternError:
                lost.append(name)
            else:
                won.append(name)

        def tap(name: str, _params: Any, run: Callable[[], Any]) -> Any:
            if name in ("TransactWriteItems", "BatchWriteItem", "PutItem"):
                self.dynamo.tap = None
                attempt("other", other)
            return run()

        self.dynamo.tap = tap
        attempt("one", do)
        self.dynamo.tap = None
        return won, lost


@pytest.fixture
def meeting(company: Company, dynamo: MemoryDynamo) -> Meeting:
    return Meeting(company, dynamo)


@pytest.mark.parametrize("second", sorted(DECIDE))
@pytest.mark.parametrize("first", sorted(DECIDE))
def test_of_two_decisions_at_the_same_moment_one_holds(meeting: Meeting, first: str, second: str) -> None:
    company, bench = meeting.company, meeting.company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter"))).run
    bench.settle()
    rev, now = run_of(company, run).rev, bench.clock.now()
    won, lost = meeting.while_writing(
        lambda: DECIDE[first](bench.store, run.id, "key:b", now, rev=rev),
        lambda: DECIDE[second](bench.store, run.id, "key:c", now, rev=rev),
    )
    assert (won, lost) == (["other"], ["one"])
    decided = run_of(company, run)
    assert (decided.state, decided.approval) == LEFT[second]
    log = [one for one in bench.store.audit.entries() if one.subject == run.id]
    assert [one.actor for one in log] == ["key:a", "key:c"]
    bench.settle()
    assert bool(bench.world.revoked) == (second == "approve")


@pytest.mark.parametrize("second", ["approve", "cancel"])
def test_a_proposal_that_two_approve_is_planned_once(meeting: Meeting, second: str) -> None:
    company, bench = meeting.company, meeting.company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter")), propose=True).run
    now = bench.clock.now()
    won, lost = meeting.while_writing(
        lambda: playbooks.approve(bench.store, run.id, "key:b", now),
        lambda: DECIDE[second](bench.store, run.id, "key:c", now),
    )
    assert len(won) == len(lost) == 1
    bench.settle()
    targets = list(bench.store.playbooks.targets(run.id))
    assert len(targets) == (6 if run_of(company, run).state != "cancelled" else 0)
    assert len(bench.world.revoked) == len(set(bench.world.revoked))
    log = [one.action for one in bench.store.audit.entries() if one.subject == run.id]
    assert log.count("playbook.started") + log.count("playbook.cancelled") == 1
    # Whoever plans late touches nothing of what is under way.
    with pytest.raises(LanternError):
        playbooks.approve(bench.store, run.id, "key:d", now)
    assert list(bench.store.playbooks.targets(run.id)) == targets


@pytest.mark.parametrize("second", ["approve", "cancel"])
def test_of_two_who_decide_about_a_job_one_holds(meeting: Meeting, second: str) -> None:
    company, bench = meeting.company, meeting.company.bench
    now = bench.clock.now()
    tried = start(company, "abused-app", About(app_id=company.app("otter")), dry_run=True)
    grants = tuple(one.target_id for one in tried.targets if one.kind == "grant")
    job = remediation.request_job(
        bench.store, requested_by="key:a", selector=Selector(grant_ids=grants), dry_run=False,
        guards=Guards(10, None, 0), now=now, random=NOISE,
    )  # fmt: skip
    act = {"approve": remediation.approve, "cancel": remediation.cancel}
    won, lost = meeting.while_writing(
        lambda: remediation.approve(bench.store, job.id, "key:b", now),
        lambda: act[second](bench.store, job.id, "key:c", now),
    )
    assert (won, lost) == (["other"], ["one"])
    bench.settle()
    assert len(bench.world.revoked) == (5 if second == "approve" else 0)


def test_a_plan_of_before_a_crash_leaves_no_target_behind(meeting: Meeting) -> None:
    """Who approved died after the targets were written; when it is approved again one of them has gone."""
    company, bench = meeting.company, meeting.company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter")), propose=True).run

    class Died(BaseException):
        pass

    def tap(name: str, _params: Any, go: Callable[[], Any]) -> Any:
        if name == "TransactWriteItems":
            raise Died
        return go()

    meeting.dynamo.tap = tap
    with pytest.raises(Died):
        playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    meeting.dynamo.tap = None
    assert len(list(bench.store.playbooks.targets(run.id))) == 6
    bench.world.accounts["bob"].grants.clear()
    bench.full()
    bench.clock.forward(seconds=40)
    begun = playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    assert begun.plan is not None
    assert len(list(bench.store.playbooks.targets(run.id))) == begun.plan.targets == 5


# --- cancelling -------------------------------------------------------------------------------------


STEPS = 9
"""Messages after which a run of the clean-up is over, its approval given at once."""


@pytest.mark.parametrize("after", range(STEPS))
def test_a_run_is_cancelled_wherever_it_is(company: Company, after: int) -> None:
    """After any number of messages: nothing more is done, and every target says what became of it."""
    bench = company.bench
    run = start(company, "stale-grant-clean-up", About(app_id=company.app("otter"))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    for number in range(after):
        bench.drain_outbox()
        if not bench.sent:
            bench.clock.forward(days=5)
            bench.send(Work(bench.store.tenant_id, "connection.changes", bench.connection_id))
        bench.do(bench.sent.pop(0), f"m{number}")
    if not run_of(company, run).open:
        return
    revoked = list(bench.world.revoked)
    playbooks.cancel(bench.store, run.id, "key:c", bench.clock.now())
    bench.settle()
    over = run_of(company, run)
    assert (over.state, over.due_at) == ("cancelled", None)
    assert bench.world.revoked == revoked
    targets = list(bench.store.playbooks.targets(run.id))
    assert {one.phase for one in targets} == {"over"}
    gone = {company.principal(native) for native, _ in revoked}
    for one in targets:
        last = one.trail[-1].answer
        assert (last == "verified") == (one.principal_id in gone), one
        assert last in ("verified", "cancelled", "keep")
    assert sum(over.counts.values()) == len(targets)
    assert not [job for job in bench.store.jobs.page(9).items if job.open]
    assert not bench.store.nudges.page("open", 9).items
    bench.clock.forward(days=40)
    sweep(company)
    assert bench.world.revoked == revoked


def test_a_cancel_that_comes_while_a_worker_makes_the_job_stops_the_job(meeting: Meeting) -> None:
    """Its own message finds the run taken; whoever has it ends what it began, and the message comes again."""
    company, bench = meeting.company, meeting.company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter"))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.sent.clear()
    bench.drain_outbox()
    work = Work(bench.store.tenant_id, "playbook.run", body={"run_id": run.id})
    seen: list[str] = []

    def tap(name: str, params: Any, go: Callable[[], Any]) -> Any:
        answer = go()
        if name == "BatchWriteItem" and not seen:
            seen.append("")
            meeting.dynamo.tap = None
            playbooks.cancel(bench.store, run.id, "key:c", bench.clock.now())
            with pytest.raises(LeaseLostError):
                bench.do(work, "the message of the cancel")
        return answer

    meeting.dynamo.tap = tap
    bench.do(work, "the worker")
    meeting.dynamo.tap = None
    assert seen
    assert run_of(company, run).due_at is None
    bench.sent.clear()
    bench.settle()
    assert not [job for job in bench.store.jobs.page(9).items if job.open]
    assert not bench.world.revoked


def test_a_cancel_whose_message_is_lost_is_swept_up(company: Company) -> None:
    bench = company.bench
    run = start(company, "stale-grant-clean-up", About(app_id=company.app("otter"))).run
    bench.settle()
    playbooks.cancel(bench.store, run.id, "key:c", bench.clock.now())
    for item, _ in list(bench.store.outbox.due(bench.clock.now())):
        bench.store.outbox.delete(item)
    bench.clock.forward(minutes=20)
    sweep(company)
    assert run_of(company, run).due_at is None
    assert not bench.store.nudges.page("open", 9).items


def test_a_cancelled_run_leaves_the_questions_of_others_alone(company: Company) -> None:
    bench = company.bench
    theirs = create_nudge(
        bench.store, kind="still_need", principal_id=company.principal("bob"), app_id=company.app("otter"),
        origin="key:x", by="key:x", now=bench.clock.now(), random=NOISE,
    ).nudge  # fmt: skip
    assert theirs is not None
    run = start(company, "stale-grant-clean-up", About(app_id=company.app("otter"))).run
    bench.settle()
    playbooks.cancel(bench.store, run.id, "key:c", bench.clock.now())
    bench.settle()
    open_: list[Nudge] = list(bench.store.nudges.page("open", 9).items)
    assert [one.id for one in open_] == [theirs.id]


def test_what_is_declined_is_never_done_and_the_run_ends(company: Company) -> None:
    """No step of it waits for an approval; its size does, and that everybody feels it."""
    bench = company.bench
    book = bench.knowledge.books.get("abused-app")
    run = playbooks.start(
        bench.store, replace(book, steps=book.steps[1:]), about=About(app_id=company.app("otter")),
        requested_by="key:a", now=bench.clock.now(), random=NOISE,
    ).run  # fmt: skip
    bench.settle()
    assert run_of(company, run).state == "running"
    playbooks.decline(bench.store, run.id, "key:b", bench.clock.now())
    for _ in range(6):
        bench.settle()
        bench.clock.forward(days=1)
        sweep(company)
    assert run_of(company, run).state == "done"
    assert not bench.world.revoked
    assert not bench.store.jobs.page(9).items
    with pytest.raises(ConflictError):
        playbooks.cancel(bench.store, run.id, "key:c", bench.clock.now())


def test_an_account_that_is_gone_with_its_connection_is_left_out(company: Company) -> None:
    """Nothing waits for ever for what nobody knows any more."""
    bench = company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter"))).run
    bench.settle()
    for bundle in list(bench.store.bundles.all(bench.connection_id)):
        bench.store.bundles.delete(bundle.principal.connection_id, bundle.principal.id)
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.settle()
    for _ in range(6):
        bench.clock.forward(days=1)
        sweep(company)
    over = run_of(company, run)
    assert over.state == "done"
    assert {m.answer for t in bench.store.playbooks.targets(run.id) for m in t.trail} >= {"skipped"}


def test_a_job_whose_message_is_lost_is_sent_again(company: Company) -> None:
    bench = company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter"))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.drain_outbox()
    bench.do(bench.sent.pop(0))
    bench.drain_outbox()
    bench.sent.clear()  # the messages of the jobs
    assert not bench.world.revoked
    for _ in range(4):
        bench.clock.forward(hours=2)
        sweep(company)
    assert len(bench.world.revoked) == 5
