"""No way through a playbook breaks its brakes, whatever is answered, decided and whenever."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lantern.domain.errors import ConflictError, ForbiddenError
from lantern.domain.jobs import Guards, PlanSummary
from lantern.domain.playbooks import machine
from lantern.domain.playbooks.machine import About, PlaybookRun, RunTarget
from lantern.domain.playbooks.model import ACTS_ON, ANSWERS, END, Playbook, Step, Window

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KINDS = tuple(ANSWERS)


@st.composite
def books(draw: st.DrawFn) -> Playbook:
    """Any playbook whose ways lead forward, with any brakes."""
    size = draw(st.integers(1, 6))
    names = [f"s{number}" for number in range(size)]
    steps = []
    for at, name in enumerate(names):
        kind = draw(st.sampled_from(KINDS))
        later = [*names[at + 1 :], END]
        goes = {a: draw(st.sampled_from(later)) for a in ANSWERS[kind] if draw(st.booleans())}
        act = draw(st.sampled_from(sorted(ACTS_ON))) if kind == "act" else None
        steps.append(Step(name, kind, "about", later[0], days=draw(st.integers(0, 3)), act=act, goes=goes))
    limit = draw(st.none() | st.integers(1, 5))
    guards = Guards(limit, None, draw(st.none() | st.integers(0, 5)))
    hours = st.integers(0, 22)
    window = None
    if draw(st.booleans()):
        start = draw(hours)
        days = tuple(draw(st.lists(st.sampled_from(("mon", "tue", "sat")), min_size=1, unique=True)))
        window = Window(days, time(start), time(start + 1), draw(st.sampled_from(("UTC", "Europe/Berlin"))))
    return Playbook("book", "v", "Book", "about", ("grants",), tuple(steps), guards, window)


def _decided(run: PlaybookRun, word: str, now: datetime) -> PlaybookRun:
    decide = {"approve": machine.approve, "decline": machine.decline, "cancel": machine.cancel}.get(word)
    return decide(run, "key:b", now) if decide else run


@settings(max_examples=250, deadline=None)
@given(books(), st.lists(st.sampled_from(("grant", "app", "account")), min_size=1, max_size=7), st.data())
def test_no_playbook_can_exceed_its_brakes(book: Playbook, kinds: list[str], data: st.DataObject) -> None:
    targets = [
        RunTarget("r", f"t{number}", kind, "con", book.steps[0].id, "ready", NOW)  # type: ignore[arg-type]
        for number, kind in enumerate(kinds)
    ]
    limit = book.guards.max_targets
    refused = "max_targets" if limit is not None and len(targets) > limit else None
    plan = PlanSummary(len(targets), 1, 1, refused_by=refused, everyone=data.draw(st.booleans()))
    drafted = PlaybookRun("r", book, "proposed", "not_needed", "key:a", NOW, About(app_id="app"))
    if refused:
        with pytest.raises(ConflictError):
            machine.begin(drafted, plan, NOW)
        return
    run, now = machine.begin(drafted, plan, NOW), NOW
    acted: list[tuple[str, str]] = []
    entered: set[tuple[str, str]] = set()
    for _ in range(40):
        now += timedelta(hours=data.draw(st.integers(-30, 60)))
        with suppress(ConflictError):
            run = _decided(run, data.draw(st.sampled_from(("approve", "decline", "cancel", "", "", ""))), now)
        at = data.draw(st.integers(0, len(targets) - 1))
        one = targets[at]
        if one.phase == "over":
            continue
        step = book.step(one.step)
        if not step.concerns(one.kind):
            targets[at] = machine.passed_by(book, one, now)
        elif one.phase == "ready":
            if machine.gate(run, step, now, len({name for name, _ in acted}), target=one).open:
                assert (one.target_id, step.id) not in entered, "an effect twice"
                entered.add((one.target_id, step.id))
                if step.kind == "act":
                    # What must hold whenever anything is done to anybody.
                    assert run.state == "running"
                    # Only its holder's own wish, the last that happened, does without the others' consent.
                    last = one.trail[-1] if one.trail else None
                    wish = last and last.answer == "revoke" and book.step(last.step).kind == "nudge"
                    assert wish or run.approval == "approved" or not machine.needs_approval(book, plan)
                    assert wish or book.window is None or book.window.opens(now) is None
                    acted.append((one.target_id, step.id))
                targets[at] = machine.entered(one, machine.deadline(step, now))
        else:
            answer = data.draw(st.sampled_from(ANSWERS[step.kind] or ("over",)))
            targets[at] = machine.moved(book, one, answer, now)
    assert len({name for name, _ in acted}) <= (limit if limit is not None else len(targets))
    settled = machine.settle(run, targets, now) if run.open else run
    assert (settled.state == "done") == (run.open and all(one.phase == "over" for one in targets))


def test_nobody_approves_what_they_asked_for_and_a_decision_is_made_once() -> None:
    step = Step("act", "act", "about", END, act="revoke_grants")
    book = Playbook("b", "v", "B", "a", ("grants",), (step,), Guards(5, None, 0))
    run = PlaybookRun("r", book, "proposed", "not_needed", "key:a", NOW, About(app_id="app"))
    begun = machine.begin(run, PlanSummary(1, 1, 1), NOW)
    assert begun.approval == "waiting"
    with pytest.raises(ForbiddenError):
        machine.approve(begun, "key:a", NOW)
    approved = machine.approve(begun, "key:b", NOW)
    for again in (machine.approve, machine.decline):
        with pytest.raises(ConflictError):
            again(approved, "key:c", NOW)
    over = machine.cancel(approved, "key:c", NOW)
    with pytest.raises(ConflictError):
        machine.cancel(over, "key:c", NOW)
    with pytest.raises(ConflictError):
        machine.begin(approved, PlanSummary(1, 1, 1), NOW)
    # Nothing but an approval of this plan opens the gate: a stored state that says otherwise does not.
    assert not machine.gate(replace(begun, approval="not_needed"), step, NOW).open


def test_what_its_holder_gives_up_needs_no_approval_and_no_window_but_counts() -> None:
    steps = (
        Step("ask", "nudge", "about", "act", days=1, nudge="still_need"),
        Step("act", "act", "about", END, act="revoke_grants"),
    )
    night = Window(("sat",), time(1), time(2))
    book = Playbook("b", "v", "B", "a", ("grants",), steps, Guards(1, None, 0), night)
    run = machine.begin(
        PlaybookRun("r", book, "proposed", "not_needed", "key:a", NOW, About(app_id="app")),
        PlanSummary(1, 1, 1),
        NOW,
    )
    asked = RunTarget("r", "t", "grant", "con", "ask", "waiting", NOW)
    gives_up = machine.moved(book, asked, "revoke", NOW)
    assert machine.gate(run, steps[1], NOW, target=gives_up).open
    assert machine.wakes(run, gives_up, NOW) == NOW
    silent = machine.moved(book, asked, "silence", NOW)
    assert machine.gate(run, steps[1], NOW, target=silent).why == "it waits for an approval"
    assert machine.gate(run, steps[1], NOW, 1, target=gives_up).why == "max_targets"
    everybody = replace(gives_up, everyone=True)
    assert not machine.gate(run, steps[1], NOW, target=everybody).open
    assert not machine.gate(machine.cancel(run, "key:a", NOW), steps[1], NOW, target=gives_up).open


def test_an_answer_is_for_the_question_that_waits_and_in_time() -> None:
    target = RunTarget("r", "t", "grant", "con", "ask", "waiting", NOW, due_at=NOW + timedelta(days=1))
    machine.may_answer(target, "ask", NOW)
    for step, at in (("other", NOW), ("ask", NOW + timedelta(days=1))):
        with pytest.raises(ConflictError):
            machine.may_answer(target, step, at)


def test_a_window_opens_by_the_clocks_of_its_zone() -> None:
    window = Window(("mon", "sun"), time(2, 30), time(4), "Europe/Berlin")
    # Clocks went from 02:00 to 03:00 on this Sunday: 02:30 was at no time, and the window opens with 03:30.
    spring = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    opens = window.opens(spring)
    assert opens is not None
    assert spring < opens <= datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert window.opens(opens) is None
    assert window.opens(datetime(2026, 3, 29, 2, 0, tzinfo=UTC)) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    # On the autumn Sunday 02:30 came twice: the window is open from the first.
    assert window.opens(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]
)
@pytest.mark.parametrize(
    ("start", "end"), [(time(1, 30), time(2, 30)), (time(2), time(3)), (time(0), time(23, 59))]
)
def test_a_window_is_open_when_the_clock_on_the_wall_says_so(zone: str, start: time, end: time) -> None:
    """Minute by minute over both changes of the clock; and what it says of the next opening is the first."""
    window = Window(("sun", "mon"), start, end, zone)
    for begin in (
        datetime(2026, 3, 7, 22, tzinfo=UTC),
        datetime(2026, 3, 28, 22, tzinfo=UTC),
        datetime(2026, 4, 4, 10, tzinfo=UTC),
        datetime(2026, 10, 24, 20, tzinfo=UTC),
    ):
        promised: datetime | None = None
        for minute in range(0, 60 * 30, 5):
            now = begin + timedelta(minutes=minute)
            here = now.astimezone(ZoneInfo(zone))
            opens = window.opens(now)
            held = here.weekday() in (6, 0) and start <= here.time() < end
            assert (opens is None) == held, (zone, here)
            if opens is not None:
                assert opens > now
                assert window.opens(opens) is None
                assert promised is None or now < promised, "it was to be open by now"
            promised = opens


def test_boundaries_of_a_window() -> None:
    window = Window(("mon",), time(8), time(18))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    for hour, minute, second, is_open in (
        (7, 59, 59, False),
        (8, 0, 0, True),
        (17, 59, 59, True),
        (18, 0, 0, False),
    ):
        now = monday.replace(hour=hour, minute=minute, second=second)
        assert (window.opens(now) is None) == is_open
    assert window.opens(monday.replace(hour=18)) == datetime(2026, 3, 9, 8, tzinfo=UTC)


def test_a_second_act_on_the_same_targets_is_not_counted_twice() -> None:
    """Three targets within a limit of three: the act that follows the first one begins for all of them."""
    step = Step("act", "act", "about", END, act="revoke_grants")
    book = Playbook("b", "v", "B", "a", ("grants",), (step,), Guards(3, None, 3))
    run = machine.begin(
        PlaybookRun("r", book, "proposed", "not_needed", "key:a", NOW, About(app_id="app")),
        PlanSummary(3, 3, 1),
        NOW,
    )
    assert machine.gate(run, step, NOW, 2).open
    shut = machine.gate(run, step, NOW, 3)
    assert (shut.open, shut.never) == (False, True)
