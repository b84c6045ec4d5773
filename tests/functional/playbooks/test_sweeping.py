"""What is due is done one by one: what fails, or is over, keeps nothing else waiting."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lantern.domain import ids
from lantern.domain.playbooks.machine import About
from lantern.domain.work import Work
from lantern.services import playbooks
from lantern.services.playbooks import sweep
from lantern.services.remediation import watching
from lantern.services.remediation.watching import RETURNED
from lantern.store.playbooks import Watch
from tests.support.company import Company


def watch(company: Company, native: str, client: str, *, days: float = 30) -> str:
    """Watch a grant that is there, as after a job that revoked it; returns its id."""
    now = company.bench.clock.now()
    grant = ids.grant_id(company.principal(native), company.app(client))
    one = Watch(grant, "job_1", now - timedelta(days=1), now + timedelta(days=days), now)
    company.bench.store.transact(now).put(company.bench.store.watches.op(one)).commit()
    return grant


def swept(company: Company) -> None:
    company.bench.do(Work(company.bench.store.tenant_id, "playbook.due"))


def test_watching_that_is_over_leaves_the_list(company: Company, monkeypatch: Any) -> None:
    """A hundred whose time is over, and whose access is there, kept every later one from being looked at."""
    monkeypatch.setattr("lantern.store.playbooks._SWEEP", 1)
    store, clock = company.bench.store, company.bench.clock
    watch(company, "alice", "otter", days=1)
    clock.forward(days=2)
    grant = watch(company, "bob", "otter")
    swept(company)
    assert [one.grant_id for one in store.watches.due(clock.now())] == [grant]
    swept(company)
    (finding,) = company.bench.findings(RETURNED)
    assert finding.open_grants == {grant}
    assert store.watches.due(clock.now()) == ()


def test_what_fails_unexpectedly_keeps_nothing_else_from_being_done(
    company: Company, monkeypatch: Any, caplog: Any
) -> None:
    """All that is behind it is done; the failure comes out at the end, so the message is retried."""
    bench = company.bench
    for number in (1, 2):
        shipped = bench.knowledge.books.get("restricted-app")
        book = replace(shipped, window=None, guards=replace(shipped.guards, max_percent=None))
        app = company.app(("otter", "notion")[number - 1])
        playbooks.start(
            *(bench.store, book),
            about=About(app_id=app),
            requested_by="key:a",
            now=bench.clock.now(),
            random=lambda size, number=number: bytes([number]) * size,
        )
    first, second = (one.id for one in bench.store.playbooks.due(bench.clock.now()))
    watch(company, "alice", "otter")
    grant = watch(company, "bob", "otter")
    tell, advance, carried = watching._tell, sweep.advance, []

    def broken_watch(store: Any, one: Watch, now: Any) -> bool:
        if one.grant_id != grant:
            raise KeyError("alice@example.com")
        return tell(store, one, now)

    def broken_run(task: Any, run_id: str) -> Any:
        if run_id == first:
            raise ZeroDivisionError
        carried.append(run_id)
        return advance(task, run_id)

    monkeypatch.setattr(watching, "_tell", broken_watch)
    monkeypatch.setattr(sweep, "advance", broken_run)
    monkeypatch.setattr("lantern.services.remediation.following.follow", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        swept(company)
    (finding,) = bench.findings(RETURNED)
    assert (finding.open_grants, carried) == ({grant}, [second])
    assert "alice@example.com" not in caplog.text
