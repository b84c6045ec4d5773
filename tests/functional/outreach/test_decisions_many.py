"""One decision about many findings: two administrators at once, and what one of them saw."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lantern.domain import findings
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.findings import Finding, FindingStatus, Resolution
from lantern.services import decisions
from lantern.services.decisions_many import decide_many
from tests.functional.outreach.test_webhooks import a_finding
from tests.support.tenant import Bench


def acknowledge(bench: Bench, by: str):
    return lambda one: findings.acknowledge(one, bench.clock.now(), actor=by)


def decided(bench: Bench, ids: list[str], by: str = "key:a", **more: object):
    wanted = {"read_at": bench.clock.now(), "by": by, "now": bench.clock.now(), **more}
    return [
        (one.finding.id, one.became)
        for one in decide_many(bench.store, ids, wanted.pop("transition", acknowledge(bench, by)), **wanted)
    ]


def test_each_is_decided_by_itself_and_what_changed_since_is_left(bench: Bench):
    seen = bench.clock.now()
    found = [a_finding(bench, number) for number in range(45)]
    bench.clock.forward(minutes=1)
    now = bench.clock.now()
    resolved = decisions.resolve(
        bench.store, found[0], resolution=Resolution.ACCEPTED, reason="r", by="key:b", now=now
    )
    worse = bench.store.findings.get(found[1].id)
    assert worse
    decisions.feedback(bench.store, worse, verdict=findings.Verdict.BENIGN, note="", by="key:b", now=now)
    decisions.acknowledge(bench.store, found[2], note="", by="key:b", now=seen)
    bench.clock.forward(minutes=1)
    result = dict(decided(bench, [one.id for one in found], read_at=seen + timedelta(seconds=30)))
    assert result[found[0].id] == result[found[1].id] == "newer"
    assert result[found[2].id] == "unchanged"
    assert [result[one.id] for one in found[3:]] == ["changed"] * 42
    assert bench.store.findings.get(found[0].id) == resolved
    entries = [e for e in bench.store.audit.entries() if e.action == "finding.acknowledged"]
    assert len(entries) == 43
    outbox = [w for _, w in bench.store.outbox.due(now + timedelta(hours=1)) if w.kind == "outreach.findings"]
    assert len(outbox) == 3 + 3, "one message for each transaction, not one for each finding"
    later = dict(decided(bench, [found[0].id, found[3].id]))
    assert later == {found[0].id: "refused", found[3].id: "unchanged"}


def test_of_two_administrators_at_once_one_wins_and_nothing_is_half_done(bench: Bench):
    found = [a_finding(bench, number) for number in range(5)]
    moment = bench.clock.now()
    other: list[Finding] = []

    def transition(one: Finding):
        if one.id == found[2].id and not other:
            # Between our read and our write somebody else decides.
            other.append(
                decisions.snooze(
                    bench.store, one, until=moment + timedelta(days=2), note="n", by="key:b", now=moment
                )
            )
        return findings.acknowledge(one, moment, actor="key:a")

    result = decided(bench, [one.id for one in found], transition=transition)
    assert [became for _, became in result] == ["changed", "changed", "newer", "changed", "changed"]
    kept = bench.store.findings.get(found[2].id)
    assert kept
    assert (kept.status, kept.rev) == (FindingStatus.SNOOZED, other[0].rev)


def test_a_missing_finding_or_value_changes_nothing(bench: Bench):
    found = a_finding(bench)
    with pytest.raises(NotFoundError):
        decided(bench, [found.id, "fnd_none"])
    with pytest.raises(InvalidInputError):
        decided(
            bench,
            [found.id],
            transition=lambda one: findings.resolve(
                one, bench.clock.now(), actor="key:a", resolution=Resolution.ACCEPTED
            ),
        )
    stored = bench.store.findings.get(found.id)
    assert stored == replace(found, rev=stored.rev if stored else 0)
    assert stored.status is FindingStatus.OPEN
