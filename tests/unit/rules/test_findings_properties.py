"""What must hold for every history of a finding, whatever was seen and decided in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.findings import (
    QUIET,
    EventKind,
    FindingError,
    FindingStatus,
    GrantState,
    Resolution,
    acknowledge,
    apply_delta,
    except_,
    reconcile,
    reopen,
    resolve,
    snooze,
)
from lantern.domain.rules.vocabulary import Grade, Severity
from tests.unit.rules.support import NOW, desired

IDS = st.sampled_from(["g1", "g2", "g3", "g4", "g5"])
GRADES = st.builds(Grade, st.sampled_from(Severity), st.booleans())
WANTED = st.none() | st.dictionaries(IDS, GRADES, max_size=5).map(lambda grants: desired(**grants))
DECISIONS = {
    "acknowledge": lambda f, now: acknowledge(f, now, actor="k"),
    "resolve": lambda f, now: resolve(f, now, actor="k", resolution=Resolution.ACCEPTED, reason="r"),
    "except": lambda f, now: except_(f, now, actor="k", reason="r", owner="o", until=now + timedelta(days=3)),
    "snooze": lambda f, now: snooze(f, now, actor="k", until=now + timedelta(days=2)),
    "reopen": lambda f, now: reopen(f, now, actor="k"),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("see"), WANTED, st.frozensets(IDS)),
        st.tuples(st.sampled_from(sorted(DECISIONS)), st.none(), st.just(frozenset())),
    ),
    max_size=12,
)


def play(steps, each=lambda *_: None):
    """Run a history, one step a day; a decision the state does not allow is skipped."""
    finding = None
    for day, (step, wanted, unknown) in enumerate(steps):
        now = NOW + timedelta(days=day)
        before = finding
        if step == "see":
            finding, events = reconcile(finding, wanted, now, unknown=unknown)
        elif finding is not None:
            try:
                finding, events = DECISIONS[step](finding, now)
            except FindingError:
                continue
        else:
            continue
        each(before, finding, events, now)
    return finding, NOW + timedelta(days=len(steps))


@given(STEPS, WANTED, st.frozensets(IDS))
def test_seeing_the_same_twice_changes_nothing(steps, wanted, unknown):
    finding, now = play(steps)
    once, _ = reconcile(finding, wanted, now, unknown=unknown)

    twice, events = reconcile(once, wanted, now + timedelta(hours=1), unknown=unknown)

    assert events == ()
    assert twice is once


@given(STEPS)
def test_the_record_is_sound_after_every_step(steps):
    def sound(before, finding, events, now):
        if finding is None:
            assert (before, events) == (None, ())
            return
        ids = [item.id for item in finding.affected]
        assert ids == sorted(set(ids))
        assert finding.holds == bool(finding.open_grants)
        assert (finding.resolution is not None) == (finding.status is FindingStatus.RESOLVED)
        assert (finding.quiet_until is not None) == (finding.status in QUIET)
        assert (finding.quiet_owner is not None) == (finding.status is FindingStatus.EXCEPTION)
        if finding.status in QUIET and finding.holds:
            assert finding.severity.rank <= finding.quiet_severity.rank, "nothing that got worse is quiet"
        assert all((item.resolved_at is None) == (item.state is GrantState.OPEN) for item in finding.affected)
        if finding.status in (FindingStatus.OPEN, FindingStatus.ACKNOWLEDGED):
            assert finding.holds
            worst = max(i.severity.rank for i in finding.affected if i.state is GrantState.OPEN)
            assert finding.severity.rank == worst
        if before is not None:
            assert finding.id == before.id
            assert finding.first_seen == before.first_seen
            assert finding.rev == before.rev + (finding is not before)
            assert finding is before or finding != before
            assert (finding is not before) or events == ()
        assert all(event.rev == finding.rev and event.at == now for event in events)
        assert len({event.kind for event in events}) == len(events)

    play(steps, sound)


@given(STEPS)
def test_every_change_of_status_is_told_and_quiet_is_silent(steps):
    telling = {
        FindingStatus.OPEN: {
            EventKind.OPENED,
            EventKind.REOPENED,
            EventKind.SNOOZE_ENDED,
            EventKind.EXCEPTION_ENDED,
        },
        FindingStatus.ACKNOWLEDGED: {EventKind.ACKNOWLEDGED},
        FindingStatus.SNOOZED: {EventKind.SNOOZED},
        FindingStatus.EXCEPTION: {EventKind.EXCEPTED},
        FindingStatus.RESOLVED: {EventKind.RESOLVED},
    }

    def told(before, finding, events, _now):
        if finding is None:
            return
        old = before.status if before else None
        kinds = {event.kind for event in events}
        if finding.status is not old:
            assert kinds & telling[finding.status]
        elif finding.status in QUIET:
            assert kinds <= telling[finding.status]
        elif finding.status is FindingStatus.RESOLVED:
            assert not kinds

    play(steps, told)


@given(STEPS, WANTED, st.frozensets(IDS))
def test_an_unknown_grant_keeps_its_state(steps, wanted, unknown):
    finding, now = play(steps)
    named = wanted.grants.keys() if wanted else set()
    before = {i.id: i for i in finding.affected} if finding else {}

    after, _ = reconcile(finding, wanted, now, unknown=unknown)

    left = {item.id: item for item in after.affected} if after else {}
    for grant_id in unknown - named:
        assert left.get(grant_id) == before.get(grant_id)


@given(STEPS)
def test_when_all_is_unknown_only_time_acts(steps):
    finding, now = play(steps)
    if finding is None or finding.status in QUIET:
        return

    assert reconcile(finding, None, now, unknown=finding.open_grants) == (finding, ())


@given(STEPS, st.dictionaries(IDS, GRADES), st.data())
def test_the_order_of_grants_does_not_matter(steps, grants, data):
    finding, now = play(steps)
    shuffled = dict(data.draw(st.permutations(list(grants.items()))))

    assert reconcile(finding, desired(**grants), now) == reconcile(finding, desired(**shuffled), now)


@given(st.lists(st.tuples(IDS, GRADES | st.none()), unique_by=lambda item: item[0]), STEPS, st.data())
def test_deltas_in_any_order_reach_the_state_of_a_whole_evaluation(changes, steps, data):
    finding, now = play(steps)
    if finding is not None and finding.status is not FindingStatus.OPEN:
        finding, _ = reconcile(None, desired("g1", "g2"), NOW)

    def state(record):
        # What no longer holds keeps the level it had last, which is a matter of order.
        severity = record and record.holds and record.severity
        return record and (record.status, severity, record.open_grants, record.holds, record.title)

    def stepwise(order):
        current = finding
        # What was added must not come and go within one run, so removals follow additions.
        for grant_id, grade in sorted(order, key=lambda item: item[1] is None):
            added = None if grade is None else desired(**{grant_id: grade})
            current, _ = apply_delta(current, added, frozenset() if grade else {grant_id}, now)
        return current

    wanted = {grant_id: grade for grant_id, grade in changes if grade is not None}
    removed = {grant_id for grant_id, grade in changes if grade is None}
    untouched = finding.open_grants - removed if finding else frozenset()
    at_once, _ = reconcile(finding, desired(**wanted) if wanted else None, now, unknown=untouched)

    assert state(stepwise(changes)) == state(stepwise(data.draw(st.permutations(changes)))) == state(at_once)


@given(STEPS)
def test_reopening_is_counted(steps):
    reopened = []

    def count(before, finding, events, _now):
        reopened.extend(event for event in events if event.kind is EventKind.REOPENED)
        if finding is not None:
            assert finding.reopened_count == len(reopened)
        if before is not None and finding is not None and replace(finding, rev=0) == replace(before, rev=0):
            assert finding is before

    play(steps, count)
