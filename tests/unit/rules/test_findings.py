"""The life of a finding: every transition, and every one that is refused."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lantern.domain.errors import ConflictError, InvalidInputError
from lantern.domain.findings import (
    QUIET,
    EventKind,
    FindingError,
    FindingStatus,
    GrantState,
    Group,
    Resolution,
    Verdict,
    acknowledge,
    apply_delta,
    assign,
    except_,
    expire,
    feedback,
    finding_id,
    reconcile,
    reopen,
    resolve,
    snooze,
    tally,
)
from lantern.domain.findings.recording import KEEP_RESOLVED, MAX_HISTORY
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity
from tests.unit.rules.support import NOW, desired, whole

LATER = NOW + timedelta(days=1)
UNTIL = NOW + timedelta(days=30)


def opened(*grant_ids, **kw):
    finding, _ = reconcile(None, desired(*(grant_ids or ("g1", "g2")), **kw), NOW)
    return finding


def kinds(events):
    return [event.kind for event in events]


def test_ids_are_deterministic_and_told_apart():
    app = finding_id("r", Group(GroupBy.APP, "x"))

    assert app == finding_id("r", Group(GroupBy.APP, "x"))
    assert app.startswith("fnd_")
    assert len(app) == 30
    others = [finding_id("r", Group(GroupBy.PERSON, "x")), finding_id("rx", Group(GroupBy.APP, ""))]
    assert len({app, *others}) == 3


def test_opening():
    finding, events = reconcile(None, desired("g2", "g1", level=Severity.HIGH), NOW)

    assert (finding.status, finding.severity, finding.holds, finding.rev) == (
        FindingStatus.OPEN,
        Severity.HIGH,
        True,
        1,
    )
    assert [item.id for item in finding.affected] == ["g1", "g2"]
    assert (finding.first_seen, finding.last_seen) == (NOW, NOW)
    assert kinds(events) == [EventKind.OPENED]
    assert (events[0].grants, events[0].rev, events[0].finding_id) == (("g1", "g2"), 1, finding.id)


def test_nothing_opens_for_nothing():
    assert reconcile(None, None, NOW) == (None, ())
    assert reconcile(None, desired(), NOW) == (None, ())
    assert apply_delta(None, None, {"g1"}, NOW) == (None, ())


def test_a_grant_joins_and_another_leaves():
    finding, events = reconcile(opened(), desired("g2", "g3"), LATER)

    assert finding.open_grants == {"g2", "g3"}
    assert finding.affected[0].state is GrantState.RESOLVED
    assert finding.affected[0].resolved_at == LATER
    assert kinds(events) == [EventKind.GRANTS_ADDED, EventKind.GRANTS_RESOLVED]
    assert [event.grants for event in events] == [("g3",), ("g1",)]
    assert (finding.first_seen, finding.last_seen, finding.rev) == (NOW, LATER, 2)


def test_the_last_grant_leaves_and_comes_back():
    gone, events = reconcile(opened(), None, LATER)
    assert (gone.status, gone.resolution, gone.holds) == (FindingStatus.RESOLVED, Resolution.CLEARED, False)
    assert kinds(events) == [EventKind.RESOLVED]
    assert events[0].grants == ("g1", "g2")

    back, events = reconcile(gone, desired("g1"), LATER + timedelta(days=1))
    assert (back.status, back.reopened_count, back.resolution) == (FindingStatus.OPEN, 1, None)
    assert back.first_seen == NOW
    assert kinds(events) == [EventKind.REOPENED]


def test_an_unknown_grant_neither_joins_nor_leaves():
    finding = opened()

    assert reconcile(finding, None, LATER, unknown={"g1", "g2", "g9"}) == (finding, ())
    one, events = reconcile(finding, None, LATER, unknown={"g1"})
    assert one.open_grants == {"g1"}
    assert kinds(events) == [EventKind.GRANTS_RESOLVED]
    assert reconcile(None, None, LATER, unknown={"g1"}) == (None, ())


def test_an_unknown_grant_that_was_resolved_stays_so():
    gone, _ = reconcile(opened(), None, LATER)

    assert reconcile(gone, None, LATER, unknown={"g1"}) == (gone, ())


def test_severity_is_the_worst_of_the_open_grants():
    mixed = opened("g1", g2=Grade(Severity.CRITICAL, certain=True))
    assert mixed.severity is Severity.CRITICAL

    milder, events = reconcile(mixed, desired("g1"), LATER)

    assert milder.severity is Severity.MEDIUM
    assert kinds(events) == [EventKind.GRANTS_RESOLVED, EventKind.SEVERITY_CHANGED]
    assert events[1].previous_severity is Severity.CRITICAL


def test_an_uncertain_grade_changes_no_known_level():
    finding = opened("g1", level=Severity.HIGH)
    unsure = desired(g1=Grade(Severity.LOW, certain=False))

    assert reconcile(finding, unsure, LATER) == (finding, ())
    new, _ = reconcile(None, unsure, NOW)
    assert new.severity is Severity.LOW
    con, _ = reconcile(None, whole(Severity.HIGH), NOW)
    assert reconcile(con, whole(Severity.LOW, certain=False), LATER) == (con, ())


def test_a_rule_about_a_connection_has_no_grants():
    finding, events = reconcile(None, whole(), NOW)
    assert (finding.holds, finding.affected, finding.severity) == (True, (), Severity.LOW)
    assert kinds(events) == [EventKind.OPENED]

    assert reconcile(finding, None, LATER, subject_unknown=True) == (finding, ())
    worse, events = reconcile(finding, whole(Severity.HIGH), LATER)
    assert kinds(events) == [EventKind.SEVERITY_CHANGED]
    gone, events = reconcile(worse, None, LATER)
    assert gone.status is FindingStatus.RESOLVED
    assert reconcile(gone, None, LATER, subject_unknown=True) == (gone, ())
    with pytest.raises(FindingError, match="evaluate it whole"):
        apply_delta(finding, None, {"g1"}, LATER)


def test_a_new_title_or_rule_version_is_written_but_not_told():
    finding, events = reconcile(opened(), desired("g1", "g2", title="New name"), LATER)

    assert (finding.title, finding.rev, events) == ("New name", 2, ())


def test_a_delta_touches_only_what_it_names():
    finding, events = apply_delta(opened(), desired("g3"), {"g1"}, LATER)

    assert finding.open_grants == {"g2", "g3"}
    assert kinds(events) == [EventKind.GRANTS_ADDED, EventKind.GRANTS_RESOLVED]
    gone, events = apply_delta(finding, None, {"g2", "g3", "g7"}, LATER)
    assert gone.status is FindingStatus.RESOLVED


def test_acknowledging_lasts_while_it_holds():
    finding, events = acknowledge(opened(), NOW, actor="key1", note="on it")
    assert (finding.status, finding.rev, kinds(events)) == (
        FindingStatus.ACKNOWLEDGED,
        2,
        [EventKind.ACKNOWLEDGED],
    )
    assert (events[0].actor, events[0].note) == ("key1", "on it")
    assert acknowledge(finding, LATER, actor="key2") == (finding, ())

    more, events = reconcile(finding, desired("g1", "g2", "g3"), LATER)
    assert more.status is FindingStatus.ACKNOWLEDGED
    assert kinds(events) == [EventKind.GRANTS_ADDED]
    gone, _ = reconcile(more, None, LATER)
    back, _ = reconcile(gone, desired("g1"), LATER)
    assert back.status is FindingStatus.OPEN
    with pytest.raises(FindingError, match="resolved finding cannot be acknowledged"):
        acknowledge(gone, LATER, actor="key1")


def accepted(level=Severity.HIGH):
    finding, _ = resolve(
        opened(level=level), NOW, actor="key1", resolution=Resolution.ACCEPTED, reason="pilot until May"
    )
    return finding


def test_resolving_what_still_holds_needs_a_reason_and_keeps_the_truth():
    with pytest.raises(FindingError, match="needs a reason"):
        resolve(opened(), NOW, actor="k", resolution=Resolution.FIXED, reason="  \u200b ")

    finding = accepted()

    assert (finding.status, finding.holds, finding.open_grants) == (
        FindingStatus.RESOLVED,
        True,
        {"g1", "g2"},
    )
    assert (finding.resolution, finding.resolution_note) == (Resolution.ACCEPTED, "pilot until May")


def test_an_accepted_finding_stays_resolved_while_nothing_gets_worse():
    finding = accepted()
    assert reconcile(finding, desired("g1", "g2", level=Severity.HIGH), LATER) == (finding, ())

    fewer, events = reconcile(finding, desired("g1", level=Severity.LOW), LATER)
    assert (fewer.status, fewer.open_grants, fewer.severity, events) == (
        FindingStatus.RESOLVED,
        {"g1"},
        Severity.HIGH,
        (),
    )
    same, events = reconcile(fewer, desired("g1", level=Severity.HIGH), LATER)
    assert (same.status, events) == (FindingStatus.RESOLVED, ())


@pytest.mark.parametrize(
    "worse",
    [desired("g1", "g2", "g3", level=Severity.HIGH), desired("g1", level=Severity.CRITICAL)],
)
def test_an_accepted_finding_reopens_when_it_gets_worse(worse):
    finding, events = reconcile(accepted(), worse, LATER)

    assert (finding.status, finding.reopened_count) == (FindingStatus.OPEN, 1)
    assert (finding.resolution, finding.resolution_note) == (None, "")
    assert kinds(events) == [EventKind.REOPENED]


def test_an_accepted_finding_that_went_away_reopens_when_it_returns():
    gone, events = reconcile(accepted(), None, LATER)
    assert (gone.holds, gone.resolution, events) == (False, Resolution.ACCEPTED, ())

    back, events = reconcile(gone, desired("g1", level=Severity.HIGH), LATER)
    assert kinds(events) == [EventKind.REOPENED]
    assert back.status is FindingStatus.OPEN


def test_resolving_is_refused_where_it_means_nothing():
    with pytest.raises(FindingError, match="resolved already"):
        resolve(accepted(), NOW, actor="k", resolution=Resolution.FIXED, reason="x")
    with pytest.raises(FindingError, match="only an evaluation"):
        resolve(opened(), NOW, actor="k", resolution=Resolution.CLEARED, reason="x")


def quiet(status=FindingStatus.EXCEPTION, **kw):
    if status is FindingStatus.SNOOZED:
        return snooze(opened(**kw), NOW, actor="key1", note="migration", until=UNTIL)[0]
    return except_(opened(**kw), NOW, actor="key1", reason="migration", owner="per_1", until=UNTIL)[0]


ENDED = {
    FindingStatus.SNOOZED: EventKind.SNOOZE_ENDED,
    FindingStatus.EXCEPTION: EventKind.EXCEPTION_ENDED,
}


@pytest.mark.parametrize("status", sorted(QUIET))
def test_a_quiet_finding_is_silent_but_current(status):
    finding, events = reconcile(quiet(status), desired("g3"), LATER)

    assert (finding.status, finding.open_grants, events) == (status, {"g3"}, ())
    none, events = reconcile(finding, None, LATER)
    assert (none.status, none.holds, events) == (status, False, ())
    again, events = reconcile(none, desired("g1"), LATER)
    assert (again.status, events) == (status, ())


@pytest.mark.parametrize("status", sorted(QUIET))
def test_what_gets_worse_is_quiet_no_longer(status):
    before = quiet(status)
    finding, events = reconcile(before, desired("g3", level=Severity.CRITICAL), LATER)

    assert (finding.status, finding.severity) == (FindingStatus.OPEN, Severity.CRITICAL)
    assert kinds(events)[0] is ENDED[status]
    assert EventKind.SEVERITY_CHANGED in kinds(events)
    assert (finding.quiet_until, finding.quiet_owner) == (None, None)


@pytest.mark.parametrize("status", sorted(QUIET))
def test_quiet_ends_by_time(status):
    finding = quiet(status)
    assert expire(finding, UNTIL - timedelta(seconds=1)) == (finding, ())

    still, events = expire(finding, UNTIL)
    assert (still.status, still.quiet_until, still.quiet_reason) == (FindingStatus.OPEN, None, "")
    assert kinds(events) == [ENDED[status]]
    absent, _ = reconcile(finding, None, LATER)
    over, events = expire(absent, UNTIL)
    assert (over.status, over.resolution, kinds(events)) == (
        FindingStatus.RESOLVED,
        Resolution.CLEARED,
        [EventKind.RESOLVED],
    )


def test_an_evaluation_after_the_end_of_an_exception_says_both():
    finding, events = reconcile(quiet(), desired("g1", "g2", "g3"), UNTIL)
    assert finding.status is FindingStatus.OPEN
    assert kinds(events) == [EventKind.EXCEPTION_ENDED, EventKind.GRANTS_ADDED]

    gone, events = reconcile(quiet(), None, UNTIL)
    assert (gone.status, kinds(events)) == (FindingStatus.RESOLVED, [EventKind.RESOLVED])
    assert events[0].grants == ("g1", "g2")
    held, events = reconcile(quiet(), None, UNTIL, unknown={"g1", "g2"})
    assert (held.status, kinds(events)) == (FindingStatus.OPEN, [EventKind.EXCEPTION_ENDED])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"until": NOW}, "within the next 366 days"),
        ({"until": NOW + timedelta(days=367)}, "within the next 366 days"),
        ({"until": datetime(2026, 4, 1)}, "time zone"),  # noqa: DTZ001 (what is being refused)
        ({"reason": " "}, "needs a reason"),
        ({"owner": ""}, "who answers"),
        ({"reason": "x" * 1001}, "at most 1000"),
    ],
)
def test_an_exception_is_checked(changes, words):
    with pytest.raises(FindingError, match=words):
        except_(opened(), NOW, **{"actor": "k", "reason": "r", "owner": "o", "until": UNTIL, **changes})


def test_an_exception_again_replaces_and_resolved_ones_refuse():
    until = UNTIL + timedelta(days=9)
    finding, _ = except_(quiet(), NOW, actor="k", reason="longer", owner="per_2", until=until)
    assert (finding.quiet_reason, finding.quiet_owner, finding.quiet_until) == ("longer", "per_2", until)
    with pytest.raises(FindingError, match="needs no exception"):
        except_(accepted(), NOW, actor="k", reason="r", owner="o", until=UNTIL)


def test_snoozing_is_for_what_is_open_and_for_at_most_90_days():
    acknowledged, _ = acknowledge(opened(), NOW, actor="k")
    assert snooze(acknowledged, NOW, actor="k", until=UNTIL)[0].status is FindingStatus.SNOOZED
    for finding, until in (
        (accepted(), UNTIL),
        (quiet(), UNTIL),
        (opened(), NOW),
        (opened(), NOW + timedelta(days=91)),
    ):
        with pytest.raises(FindingError):
            snooze(finding, NOW, actor="k", until=until)


@pytest.mark.parametrize("status", sorted(QUIET))
def test_a_person_reopens_what_is_quiet(status):
    finding, events = reopen(quiet(status), LATER, actor="key2", reason="changed my mind")

    assert (finding.status, kinds(events)) == (FindingStatus.OPEN, [ENDED[status]])
    assert (events[0].actor, events[0].note) == ("key2", "changed my mind")
    with pytest.raises(FindingError, match="open already"):
        reopen(finding, LATER, actor="key2")


def test_a_person_reopens_what_was_resolved_while_its_cause_is_there():
    finding, events = reopen(accepted(), LATER, actor="k")
    assert (finding.status, finding.reopened_count, kinds(events)) == (
        FindingStatus.OPEN,
        1,
        [EventKind.REOPENED],
    )
    assert finding.resolution is None
    cleared, _ = reconcile(opened(), None, LATER)
    with pytest.raises(FindingError, match="cause is gone"):
        reopen(cleared, LATER, actor="k")


def test_resolving_forgets_the_exception():
    finding, _ = resolve(quiet(), LATER, actor="k", resolution=Resolution.BENIGN, reason="ours")

    assert (finding.quiet_reason, finding.quiet_until, finding.quiet_owner) == ("", None, None)


def test_feedback_is_counted_by_rule_and_closing_gives_some():
    wrong, events = feedback(opened(), NOW, actor="k", verdict=Verdict.FALSE_POSITIVE, note="a test app")
    assert (wrong.status, kinds(events)) == (FindingStatus.OPEN, [EventKind.FEEDBACK])
    assert feedback(wrong, LATER, actor="k", verdict=Verdict.FALSE_POSITIVE) == (wrong, ())
    fixed, _ = resolve(wrong, LATER, actor="k", resolution=Resolution.FIXED, reason="r")
    assert fixed.feedback is Verdict.FALSE_POSITIVE, "what was said on purpose stays"
    right, _ = resolve(opened(), LATER, actor="k", resolution=Resolution.FIXED, reason="r")
    benign, _ = resolve(wrong, LATER, actor="k", resolution=Resolution.BENIGN, reason="r")
    (row,) = tally([wrong, right, benign, opened()])

    assert row.feedback == {"true_positive": 1, "false_positive": 1, "benign": 1}
    assert (row.findings, row.precision) == (4, 0.333)
    assert row.by_status == {"open": 2, "acknowledged": 0, "snoozed": 0, "exception": 0, "resolved": 2}
    assert tally([opened()])[0].precision is None


def test_history_says_which_revision_each_line_came_with():
    finding, _ = reconcile(quiet(), desired("g1", level=Severity.CRITICAL), LATER)
    assert [line.rev for line in finding.history] == [1, 2, 3, 3, 3]


def test_assigning():
    finding, events = assign(opened(), NOW, actor="k", assignee="per_1", note="look\r\nhere")

    assert (finding.assignee, finding.note, kinds(events)) == ("per_1", "look here", [EventKind.ASSIGNED])
    assert assign(finding, LATER, actor="k", assignee="per_1", note="look here") == (finding, ())


def test_history_keeps_the_beginning_and_the_latest():
    finding = opened()
    for day in range(MAX_HISTORY + 20):
        finding, _ = assign(finding, NOW + timedelta(days=day), actor="k", assignee=f"per_{day}")

    assert len(finding.history) == MAX_HISTORY
    assert finding.history[0].kind is EventKind.OPENED
    assert finding.history[-1].at == NOW + timedelta(days=MAX_HISTORY + 19)
    assert finding.rev == MAX_HISTORY + 21


def test_grants_resolved_long_ago_are_dropped_at_the_next_change():
    fewer, _ = reconcile(opened(), desired("g2"), NOW)
    after = NOW + KEEP_RESOLVED

    assert reconcile(fewer, desired("g2"), after) == (fewer, ())
    changed, _ = reconcile(fewer, desired("g2", "g3"), after)
    assert [item.id for item in changed.affected] == ["g2", "g3"]


def test_a_clock_that_goes_back_does_not_move_last_seen_back():
    later, _ = reconcile(None, desired("g1"), LATER)
    finding, _ = reconcile(later, desired("g1", "g2"), NOW)

    assert finding.last_seen == LATER


def test_a_refusal_tells_a_wrong_state_from_a_wrong_value():
    with pytest.raises(ConflictError):
        reopen(opened(), NOW, actor="k")
    with pytest.raises(InvalidInputError) as error:
        except_(opened(), NOW, actor="k", reason="r", owner="o", until=NOW)
    assert (error.value.field, error.value.remedy) == ("until", "must lie within the next 366 days")


def test_mistakes_of_the_caller_are_refused():
    with pytest.raises(FindingError, match="cannot be reconciled"):
        reconcile(opened(), whole(), NOW)
    with pytest.raises(FindingError, match="time zone"):
        reconcile(None, desired("g1"), NOW.replace(tzinfo=None))
