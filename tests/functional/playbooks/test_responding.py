"""Rules that name a playbook: enforcing starts it, observing proposes it, and neither on the first day."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lantern.domain.rules.vocabulary import Stage
from lantern.services.playbooks.respond import FIRST_DAY, Opened, respond
from tests.support.company import Company


@pytest.mark.parametrize(
    ("stage", "later", "room", "state"),
    [
        (Stage.ENFORCE, timedelta(days=2), 10, "running"),
        (Stage.OBSERVE, timedelta(days=2), 10, "proposed"),
        (Stage.ENFORCE, timedelta(days=2), 0, "proposed"),
        (Stage.ENFORCE, FIRST_DAY - timedelta(seconds=1), 10, None),
    ],
)
def test_a_finding_that_opens(
    company: Company, stage: Stage, later: timedelta, room: int, state: str | None
) -> None:
    bench = company.bench
    finding = next(one for one in bench.findings() if one.rule_id == "departed-employee-grant")
    rules, books = bench.knowledge.rules, bench.knowledge.books
    staged = replace(rules, rules=tuple(replace(one, stage=stage) for one in rules.rules))
    limited = replace(books, books=tuple(replace(one, max_open=room) for one in books.books))
    now = bench.connection.connected_at + later
    for _ in range(2):  # told twice, answered once
        respond(
            *(bench.store, limited, staged, [Opened(finding, finding.first_seen)]),
            since=bench.connection.connected_at, now=now, random=bytes,
        )  # fmt: skip
    runs = bench.store.playbooks.page(10).items
    assert [one.state for one in runs] == ([state] if state else [])
    if state:
        rule = rules.get(finding.rule_id)
        assert rule is not None
        assert (runs[0].book.id, runs[0].requested_by) == (
            "departed-employee",
            f"rule:{rule.id}@{rule.version}",
        )
        assert runs[0].about.person_id == finding.group.id
