"""Runs of playbooks from start to end: questions, approval, jobs, verification, and what comes back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain.errors import ConflictError, ForbiddenError, RevisionConflictError
from lantern.domain.playbooks.machine import About, PlaybookRun
from lantern.domain.work import Work
from lantern.services import playbooks
from lantern.services.people.nudges import answer_nudge
from lantern.services.playbooks import Cause
from lantern.services.remediation.watching import RETURNED
from tests.functional.playbooks.conftest import Company


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
    nudge = next(n for n in bench.store.nudges.page("open", 10).items if n.principal_id == company.principal("alice"))
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
    assert log.count("playbook.started") == log.count("playbook.approved") == log.count("playbook.finished") == 1
    assert bench.store.audit.verify() is None
