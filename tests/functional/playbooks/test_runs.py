"""Runs of playbooks from start to end: questions, approval, jobs, verification, and what comes back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lantern.connectors.protocol import ActionResult
from lantern.domain import ids
from lantern.domain.alerts import MAX_CHANNELS, AlertChannel
from lantern.domain.errors import ConflictError, ForbiddenError, RevisionConflictError, StorageError
from lantern.domain.jobs import Guards
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.webhooks import Endpoint
from lantern.domain.work import Work
from lantern.services import evidence, playbooks
from lantern.services.people.nudges import answer_nudge
from lantern.services.remediation.plan import summarise
from lantern.services.remediation.select import Target
from lantern.services.remediation.watching import RETURNED
from tests.support.company import Company


def start(company: Company, book: str, about: About, **more: Any) -> playbooks.Asked:
    bench = company.bench
    shipped = bench.knowledge.books.get(book)
    # Five accounts are soon more than a quarter.
    wide = replace(shipped, window=None, guards=replace(shipped.guards, max_percent=None))
    return playbooks.start(
        bench.store,
        wide,
        about=about,
        requested_by="key:a",
        now=bench.clock.now(),
        random=lambda size: bytes(range(size)),
        **more,
    )


def run_of(company: Company, run: PlaybookRun) -> PlaybookRun:
    found = company.bench.store.playbooks.get(run.id)
    assert found is not None
    return found


def outcomes(company: Company, run: PlaybookRun) -> dict[str, str]:
    """Account → what it came to, or where it waits."""
    names = {company.principal(one): one for one in ("alice", "bob", "gone", "desk", "robot")}
    return {names[t.principal_id]: t.outcome for t in company.bench.store.playbooks.targets(run.id)}


def sweep(company: Company) -> None:
    company.bench.do(Work(company.bench.store.tenant_id, "connection.changes", company.bench.connection_id))
    company.bench.settle()


def test_holders_are_asked_and_what_nobody_needs_goes(company: Company) -> None:
    bench = company.bench
    asked = start(company, "stale-grant-clean-up", About(app_id=company.app("otter")))
    assert asked.run.approval == "waiting"
    bench.settle()
    # Nobody asks a leaver or a machine: these wait for the approval at once.
    assert outcomes(company, asked.run) == {
        "alice": "ask: waiting", "bob": "ask: waiting", "gone": "approve: waiting",
        "desk": "approve: waiting", "robot": "approve: waiting",
    }  # fmt: skip
    nudge = next(
        n for n in bench.store.nudges.page("open", 10).items if n.principal_id == company.principal("alice")
    )
    answer_nudge(bench.store, nudge.id, "keep", reason="minutes", via="api", by="p", now=bench.clock.now())
    bench.settle()
    assert outcomes(company, asked.run)["alice"] == "keep"

    with pytest.raises(ForbiddenError):
        playbooks.approve(bench.store, asked.run.id, "key:a", bench.clock.now())
    playbooks.approve(bench.store, asked.run.id, "key:b", bench.clock.now())
    bench.settle()
    assert outcomes(company, asked.run)["gone"] == "verified"

    bench.clock.forward(days=11)
    sweep(company)
    sweep(company)
    run = run_of(company, asked.run)
    assert (run.state, outcomes(company, run)["bob"]) == ("done", "verified")
    assert bench.world.truth()[company.principal("alice")][company.app("otter")]
    assert company.app("otter") not in bench.world.truth()[company.principal("bob")]
    log = [one.action for one in bench.store.audit.entries()]
    assert (
        log.count("playbook.started") == log.count("playbook.approved") == log.count("playbook.finished") == 1
    )
    assert bench.store.audit.verify() is None


def test_what_a_holder_gives_up_goes_at_once_and_the_rest_waits_for_somebody_else(company: Company) -> None:
    bench = company.bench
    asked = start(company, "over-scoped-app", About(app_id=company.app("otter")))
    bench.settle()
    alice, bob = (company.principal(one) for one in ("alice", "bob"))
    nudge = next(n for n in bench.store.nudges.page("open", 10).items if n.principal_id == alice)
    answer_nudge(bench.store, nudge.id, "revoke", via="slack", by="p", now=bench.clock.now())
    bench.settle()
    assert (run_of(company, asked.run).approval, outcomes(company, asked.run)["alice"]) == (
        "waiting",
        "verified",
    )
    assert company.app("otter") not in bench.world.truth()[alice]
    assert company.app("otter") in bench.world.truth()[bob]
    (job,) = bench.store.jobs.page(10).items
    assert (job.requested_by, job.approved_by) == (f"playbook:{asked.run.id}", None)
    playbooks.cancel(bench.store, asked.run.id, "key:b", bench.clock.now())
    bundle = evidence.collect(bench.store, "playbook-run", asked.run.id, bench.clock.now())
    assert dict(bundle.facts)["Approval"] == "none; what its holder gave up needs none"
    assert {"nudge.created", "nudge.answered"} <= {one.action for one in bundle.proof.entries}


def test_a_dry_run_says_what_would_happen_to_whom_and_stores_nothing(company: Company) -> None:
    bench = company.bench
    head = bench.store.audit.head()
    asked = start(company, "abused-app", About(app_id=company.app("notion")), dry_run=True)
    ahead = playbooks.would_happen(bench.store, asked, bench.clock.now())
    told = {one.target.kind: [(step.about, step.comes_to) for step in one.steps] for one in ahead}
    assert told["app"][1] == ("Disable the app for everybody", "manual")
    assert told["grant"][1] == ("Revoke the grant", "verified")
    assert (asked.run.approval, asked.run.plan and asked.run.plan.everyone) == ("waiting", True)
    assert not bench.store.playbooks.page(10).items
    assert bench.store.audit.head() == head


def test_two_who_decide_at_once_do_not_both_decide(company: Company, monkeypatch: Any) -> None:
    bench, now = company.bench, company.bench.clock.now()
    run = start(company, "abused-app", About(app_id=company.app("otter"))).run
    playbooks.cancel(bench.store, run.id, "key:b", now, rev=run.rev)
    with monkeypatch.context() as both:
        both.setattr(type(bench.store.playbooks), "get", lambda *_: run)  # read before the other decided
        with pytest.raises(RevisionConflictError):
            playbooks.approve(bench.store, run.id, "key:c", now, rev=run.rev)
    with pytest.raises(ConflictError):
        playbooks.approve(bench.store, run.id, "key:c", now)
    bench.settle()
    assert not list(bench.store.jobs.page(10).items)


def test_a_cancelled_run_takes_back_its_questions_and_its_jobs(company: Company) -> None:
    bench = company.bench
    run = start(company, "stale-grant-clean-up", About(app_id=company.app("otter"))).run
    bench.settle()
    assert len(bench.store.nudges.page("open", 10).items) == 2
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.drain_outbox()
    bench.do(bench.sent.pop(0))  # the run has made its job, and nothing was carried out yet
    (job,) = bench.store.jobs.page(10).items
    playbooks.cancel(bench.store, run.id, "key:c", bench.clock.now())
    bench.sent.reverse()
    bench.drain_outbox()
    bench.sent.sort(key=lambda work: work.kind != "playbook.run")
    bench.settle()
    cancelled = bench.store.jobs.get(job.id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.cancelled_by) == ("cancelled", "key:c")
    assert not bench.store.nudges.page("open", 10).items
    assert company.app("otter") in bench.world.truth()[company.principal("gone")]


def test_an_answer_that_comes_too_late_or_twice_changes_nothing(company: Company) -> None:
    bench = company.bench
    run = start(company, "stale-grant-clean-up", About(app_id=company.app("otter"))).run
    bench.settle()
    first, second = bench.store.nudges.page("open", 10).items
    for _ in range(2):
        answer_nudge(bench.store, first.id, "revoke", via="api", by="p", now=bench.clock.now())
        bench.settle()
    target = next(t for t in bench.store.playbooks.targets(run.id) if t.principal_id == first.principal_id)
    assert [(mark.step, mark.answer) for mark in target.trail] == [("ask", "revoke"), ("revoke", "verified")]
    bench.clock.forward(days=11)
    with pytest.raises(ConflictError):
        answer_nudge(bench.store, second.id, "keep", reason="x", via="api", by="p", now=bench.clock.now())
    sweep(company)
    late = next(t for t in bench.store.playbooks.targets(run.id) if t.principal_id == second.principal_id)
    assert late.trail[0].answer == "silence"


def test_a_clock_that_jumps_neither_repeats_nor_skips(company: Company) -> None:
    bench = company.bench
    run = start(company, "stale-grant-clean-up", About(app_id=company.app("otter"))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.settle()
    bench.clock.forward(days=400)
    sweep(company)
    bench.clock.forward(days=-399)
    sweep(company)
    sweep(company)
    assert run_of(company, run).state == "done"
    for target in bench.store.playbooks.targets(run.id):
        steps = [mark.step for mark in target.trail]
        assert len(steps) == len(set(steps))
    assert (
        len(bench.store.jobs.page(10).items) == 2
    )  # those who could not be asked, then those who were silent


def test_a_crash_anywhere_is_gone_on_from_with_one_effect_each(company: Company, monkeypatch: Any) -> None:
    """Every write of the engine dies once, before or after it was made; the message comes again."""
    bench = company.bench
    run = start(company, "abused-app", About(app_id=company.app("otter"))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    store, died = bench.store.playbooks, set[tuple[str, str, bool]]()
    whole = type(store).put_target

    def dying(self: Any, target: Any) -> Any:
        for after in (False, True):
            key = (target.target_id, f"{target.step}{target.phase}", after)
            if key not in died:
                died.add(key)
                if after:
                    whole(self, target)
                raise StorageError("it died")
        return whole(self, target)

    monkeypatch.setattr(type(store), "put_target", dying)
    work = Work(bench.store.tenant_id, "playbook.run", body={"run_id": run.id})
    for _ in range(300):
        try:
            bench.settle()
            bench.do(work, "msg-one")
        except StorageError:
            continue
        if not run_of(company, run).open:
            break
        bench.clock.forward(minutes=20)
    assert run_of(company, run).state == "done"
    assert len(died) > 20
    # A crash may split a job in two; no target is ever in both.
    acted = [a.target_id for job in bench.store.jobs.page(50).items for a in bench.store.jobs.actions(job.id)]
    assert len(acted) == len(set(acted)) == 6
    asked = [e.subject for e in bench.store.audit.entries() if e.action == "job.requested"]
    assert len(asked) == len(set(asked))
    told = [e for e in bench.store.audit.entries() if e.action == "playbook.notified"]
    assert len(told) == 1


def test_access_that_comes_back_reopens_a_finding_and_puts_the_next_step_up(company: Company) -> None:
    bench = company.bench
    run = start(company, "restricted-app", About(app_id=company.app("notion"))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.settle()
    bench.clock.forward(days=4)
    sweep(company)
    sweep(company)
    assert company.app("notion") not in bench.world.truth()[company.principal("alice")]
    bench.clock.forward(days=5)
    bench.world.consent("alice", "notion", "openid")
    bench.hint("alice")
    (finding,) = bench.findings(RETURNED)
    assert (finding.severity, len(finding.open_grants), finding.status) == ("high", 1, "open")
    proposed = next(one for one in bench.store.playbooks.page(10).items if one.state == "proposed")
    assert (proposed.book.id, proposed.requested_by) == ("abused-app", f"playbook:{run.id}")
    assert proposed.about == About(app_id=company.app("notion"))
    bench.hint("alice")
    sweep(company)
    again = [one for one in bench.store.playbooks.page(10).items if one.book.id == "abused-app"]
    assert len(again) == 1

    begun = playbooks.approve(bench.store, proposed.id, "key:b", bench.clock.now())
    assert begun.plan is not None
    assert (begun.plan.targets, begun.approval) == (2, "approved")
    bench.settle()
    kinds = {one.kind: one.approved_by for one in bench.store.jobs.page(10).items}
    assert kinds["disable_app"] == "key:b"


def test_what_only_an_administrator_can_do_is_verified_by_reading_again(company: Company) -> None:
    bench = company.bench
    answer = ActionResult("not_possible", None, instructions=("Open https://admin.example and remove it.",))
    bench.wrap = lambda connector: Handing(connector, answer)
    run = start(company, "abused-app", About(grant_ids=(grant(company, "bob", "otter"),))).run
    playbooks.approve(bench.store, run.id, "key:b", bench.clock.now())
    bench.settle()
    (job,) = bench.store.jobs.page(10).items
    assert job.counts.manual == 1
    bench.wrap = lambda connector: connector
    bench.world.accounts["bob"].grants.clear()
    bench.hint("bob")
    bench.clock.forward(hours=7)
    sweep(company)
    (action,) = bench.store.jobs.actions(job.id)
    assert (action.state, action.detail) == ("verified", "Read again: an administrator did it.")
    assert run_of(company, run).state == "done"
    (target,) = bench.store.playbooks.targets(run.id)
    assert [mark.answer for mark in target.trail] == ["approved", "manual", "verified", "told"]


class Handing:
    """A connector whose provider lets nothing be done by an API."""

    def __init__(self, inner: Any, answer: ActionResult) -> None:
        self._inner, self._answer = inner, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def act(self, action: Any) -> ActionResult:
        return self._answer


def grant(company: Company, native: str, client: str) -> str:
    return ids.grant_id(company.principal(native), company.app(client))


def test_a_brake_at_its_edge(company: Company) -> None:
    bench = company.bench
    shipped = bench.knowledge.books.get("abused-app")
    app = About(grant_ids=tuple(grant(company, who, "otter") for who in ("alice", "bob", "gone")))
    tools = {
        "about": app,
        "requested_by": "key:a",
        "now": bench.clock.now(),
        "random": lambda n: bytes(range(n)),
    }
    exactly = replace(shipped, guards=Guards(3, None, 0))
    below = replace(shipped, guards=Guards(2, None, 0))
    with pytest.raises(ConflictError, match="max_targets"):
        playbooks.start(bench.store, below, **tools)
    run = playbooks.start(bench.store, exactly, **tools).run
    assert run.plan is not None
    assert run.plan.targets == 3


@pytest.mark.parametrize(
    ("listed", "targets", "limit", "refused"),
    [
        (10_000, 2_500, 25.0, None),
        (10_000, 2_501, 25.0, "max_percent"),  # 25.01 % reads as 25.0 %
        (10_000, 2_504, 25.0, "max_percent"),
        (3, 1, 25.0, None),  # one person of three
        (3, 2, 66.7, None),
        (3, 2, 66.6, "max_percent"),
        (28, 7, 25.0, None),
        (1_000, 11, 1.1, None),
        (100, 3, 0.0, "max_percent"),
    ],
)
def test_a_share_is_held_as_it_is(
    company: Company, listed: int, targets: int, limit: float, refused: str | None
) -> None:
    store, connection = company.bench.store, company.bench.connection
    run = store.runs.get(connection.id, connection.last_full_run or "")
    assert run is not None
    store.runs.put(replace(run, coverage=replace(run.coverage, listed=listed)))
    chosen = [Target(f"gr_{n}", connection.id, f"pri_{n}", "app_1") for n in range(targets)]
    plan = summarise(store, chosen, Guards(max_percent=limit, approve_above=5_000))
    assert plan.refused_by == refused


def test_what_is_left_is_told_once_to_channels_and_systems(company: Company) -> None:
    bench, now = company.bench, company.bench.clock.now()
    store = bench.store
    channel = AlertChannel("chn_1", "email", "Security", to=("sec@example.com",))
    endpoint = Endpoint("whe_1", "tickets.example", now, "key:a", events=("playbook.ticket",))
    store.transact(now).put(store.alerts.channel_op(channel), store.alerts.endpoint_op(endpoint)).commit()
    run = start(company, "unsanctioned-app", About(app_id=company.app("otter"))).run
    bench.drain_outbox()
    bench.do(bench.sent.pop(0))
    # Those whom nobody can ask are a ticket at once: one event to the tracker, nothing to people.
    (event,) = store.deliveries.page("whe_1", 10).items
    body = json.loads(event.event)
    assert (body["type"], body["data"]["run_id"], len(body["data"]["targets"])) == (
        "playbook.ticket",
        run.id,
        3,
    )
    assert not store.deliveries.page("chn_1", 10).items

    other = start(company, "abused-app", About(app_id=company.app("notion"))).run
    playbooks.approve(store, other.id, "key:b", now)
    bench.sent.clear()
    for _ in range(8):
        bench.drain_outbox()
        works = [one for one in bench.sent if one.kind in ("playbook.run", "job.run")]
        bench.sent[:] = works[1:]
        if works:
            bench.do(works[0])
    (mail,) = store.deliveries.page("chn_1", 10).items
    assert mail.message is not None
    assert mail.message.title == "Look-alike or abused app: 2 targets"


def test_however_many_channels_there_are_a_step_is_told(company: Company) -> None:
    """As many channels as a tenant may have: one that writes too much at once would hold up every run."""
    bench, now = company.bench, company.bench.clock.now()
    for number in range(MAX_CHANNELS):
        to = (f"a{number}@example.com", f"b{number}@example.com")
        channel = AlertChannel(f"chn_{number}", "email", "Security", to=to)
        bench.store.transact(now).put(bench.store.alerts.channel_op(channel)).commit()
    start(company, "unsanctioned-app", About(app_id=company.app("otter")))
    bench.drain_outbox()
    bench.do(bench.sent.pop(0))
    first = bench.store.deliveries.page("chn_0", 10).items
    assert [one.purpose for one in first] == ["playbook"] * 2
