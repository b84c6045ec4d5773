"""Footprints, history and use."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lantern.domain import ids
from lantern.domain.errors import RevisionConflictError, StorageError
from lantern.domain.history import ChangeEntry, entries_of
from lantern.domain.use import (
    KEPT,
    AppUse,
    UseRow,
    UseTally,
    UseWindow,
    WeekUse,
    idle_days,
    iso_week,
    whole_weeks,
)
from lantern.store.footprints import ShardState
from lantern.store.tenant import TenantStore
from tests.contract.store.factories import CID, NOW, Organisation

APPS = [ids.app_id("google", f"app-{n}") for n in range(8)]
PEOPLE = [ids.principal_id("google", "C1", f"person-{n}") for n in range(10)]


def footprint(store: TenantStore) -> dict[str, tuple[str, ...]]:
    return {app_id: held for app_id in APPS if (held := store.footprints.holders(CID, app_id))}


# --- footprints -------------------------------------------------------------------------------------


def test_a_rebuild_says_who_holds_what_and_writes_only_what_changed(store: TenantStore) -> None:
    pairs = {APPS[0]: frozenset(PEOPLE[:6]), APPS[1]: frozenset(PEOPLE[3:])}

    assert store.footprints.rebuild(CID, 0, 1, pairs, NOW) == 2
    assert store.footprints.rebuild(CID, 0, 1, pairs, NOW) == 0
    assert footprint(store) == {APPS[0]: tuple(sorted(PEOPLE[:6])), APPS[1]: tuple(sorted(PEOPLE[3:]))}

    fewer = {APPS[0]: frozenset(PEOPLE[:5])}
    assert store.footprints.rebuild(CID, 0, 1, fewer, NOW) == 2
    assert footprint(store) == {APPS[0]: tuple(sorted(PEOPLE[:5]))}
    assert store.footprints.counts(CID, APPS[:2]) == {APPS[0]: 5, APPS[1]: 0}


def test_a_rebuild_repairs_whatever_was_wrong(store: TenantStore) -> None:
    pairs = {APPS[0]: frozenset(PEOPLE[:3])}
    store.footprints.rebuild(CID, 0, 1, pairs, NOW)
    store.footprints.add(CID, 0, 1, PEOPLE[9], [APPS[0], APPS[5]])
    store.footprints.remove(CID, 0, 1, PEOPLE[0], [APPS[0]])

    store.footprints.rebuild(CID, 0, 1, pairs, NOW)

    assert footprint(store) == {APPS[0]: tuple(sorted(PEOPLE[:3]))}


def test_a_rebuild_keeps_the_footprint_of_a_grant_stored_meanwhile(store: TenantStore) -> None:
    organisation = Organisation()
    bundle = organisation.bundle(1, 2)
    pid, app_id = bundle.principal.id, bundle.delta[0].app_id
    # The run computed its pairs, then a hint stored this grant, then the run rebuilds.
    store.footprints.add(CID, 0, 1, pid, [app_id])
    store.bundles.put(bundle)

    store.footprints.rebuild(CID, 0, 1, {}, NOW)

    assert store.footprints.holders(CID, app_id) == (pid,)


def test_holders_come_in_pages(store: TenantStore) -> None:
    store.footprints.rebuild(CID, 0, 1, {APPS[0]: frozenset(PEOPLE)}, NOW)

    first = store.footprints.holders_page(CID, APPS[0], 4)
    second = store.footprints.holders_page(CID, APPS[0], 4, first.cursor)
    third = store.footprints.holders_page(CID, APPS[0], 4, second.cursor)

    assert (*first.items, *second.items, *third.items) == tuple(sorted(PEOPLE))
    assert third.cursor is None


def test_shards_add_up_and_old_generations_are_retired(store: TenantStore) -> None:
    everybody = {APPS[0]: frozenset(PEOPLE), APPS[1]: frozenset(PEOPLE[:1])}
    store.footprints.rebuild(CID, 0, 1, everybody, NOW)
    store.footprints.put_state(CID, ShardState(0, 1, "run_1", NOW, 10))
    for shard in range(2):
        mine = frozenset(pid for pid in PEOPLE if ids.shard_of(pid, 2) == shard)
        store.footprints.rebuild(CID, shard, 2, {APPS[0]: mine}, NOW)
        store.footprints.put_state(CID, ShardState(shard, 2, "run_2", NOW, len(mine)))

    assert store.footprints.holders(CID, APPS[0]) == tuple(sorted(PEOPLE))
    assert store.footprints.retire(CID, 2) == 3
    assert store.footprints.holders(CID, APPS[0]) == tuple(sorted(PEOPLE))
    assert store.footprints.holders(CID, APPS[1]) == ()
    assert [state.run_id for state in store.footprints.states(CID)] == ["run_2", "run_2"]


def test_a_footprint_that_changes_while_it_is_rebuilt_is_a_conflict(store: TenantStore) -> None:
    store.footprints.rebuild(CID, 0, 1, {APPS[0]: frozenset(PEOPLE[:2])}, NOW)
    real = store.documents.batch_get

    def slow(*args: object, **kwargs: object) -> object:
        found = real(*args, **kwargs)  # type: ignore[arg-type] # as called
        store.documents.batch_get = real  # type: ignore[method-assign] # once
        store.footprints.add(CID, 0, 1, PEOPLE[5], [APPS[0]])
        return found

    store.documents.batch_get = slow  # type: ignore[method-assign] # a hint in between
    with pytest.raises(RevisionConflictError):
        store.footprints.rebuild(CID, 0, 1, {APPS[0]: frozenset(PEOPLE[:3])}, NOW)


steps = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(PEOPLE),
        st.lists(st.sampled_from(APPS), min_size=1, max_size=4, unique=True),
    ),
    max_size=12,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.sampled_from([1, 2]))
def test_adding_and_removing_equals_a_rebuild(
    new_store: Callable[[], TenantStore], sequence: list[tuple[bool, str, list[str]]], shards: int
) -> None:
    stepwise, rebuilt = new_store(), new_store()
    held: dict[str, set[str]] = {app_id: set() for app_id in APPS}
    for adding, pid, apps in sequence:
        shard = ids.shard_of(pid, shards)
        if adding:
            stepwise.footprints.add(CID, shard, shards, pid, apps)
        else:
            stepwise.footprints.remove(CID, shard, shards, pid, apps)
        for app_id in apps:
            held[app_id] = held[app_id] | {pid} if adding else held[app_id] - {pid}
    for shard in range(shards):
        pairs = {
            app_id: frozenset(pid for pid in people if ids.shard_of(pid, shards) == shard)
            for app_id, people in held.items()
        }
        rebuilt.footprints.rebuild(CID, shard, shards, pairs, NOW)
        # What the steps left behind is exactly what a rebuild would write.
        assert stepwise.footprints.rebuild(CID, shard, shards, pairs, NOW) == 0

    assert footprint(stepwise) == footprint(rebuilt)
    assert footprint(rebuilt) == {app: tuple(sorted(people)) for app, people in held.items() if people}


# --- history ----------------------------------------------------------------------------------------


def entry(number: int, at: datetime, rev: int = 1) -> ChangeEntry:
    return ChangeEntry(at, PEOPLE[number % 10], rev, APPS[number % 8], "added", None, "ss_012345678g", "hint")


def test_changes_read_back_in_the_order_of_time_and_only_once(store: TenantStore) -> None:
    day = NOW.date()
    first = [entry(n, NOW + timedelta(minutes=n)) for n in range(3)]
    second = [entry(n, NOW - timedelta(minutes=n), rev=2) for n in range(3)]

    assert store.history.append(CID, 0, day, first) == 1
    assert store.history.append(CID, 0, day, first) == 0
    assert store.history.append(CID, 0, day, [*first[:1], *second]) == 1
    assert store.history.append(CID, 1, day, [entry(7, NOW)]) == 1

    found = list(store.history.read(CID, NOW - timedelta(days=1), NOW + timedelta(days=1)))
    assert sorted(found, key=lambda e: (e.at, e.identity)) == found
    assert set(found) == {*first, *second, entry(7, NOW)}
    assert len(found) == 7


def test_reading_changes_respects_the_window_across_months(store: TenantStore) -> None:
    days = [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    days += [datetime(2026, 2, 28, 12, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)]
    made = [entry(n, at) for n, at in enumerate(days)]
    for one in made:
        store.history.append(CID, 3, one.at.date(), [one])

    assert list(store.history.read(CID, days[0], days[3])) == made[:3]
    assert list(store.history.read(CID, days[1], days[1])) == []
    assert list(store.history.read(CID, days[1], days[2] + timedelta(seconds=1))) == made[1:3]


def test_the_latest_changes_are_read_backwards_and_no_further_than_needed(store: TenantStore) -> None:
    days = [datetime(2026, month, day, 12, tzinfo=UTC) for month in (1, 2, 3) for day in (1, 2)]
    made = [entry(n, at) for n, at in enumerate(days)]
    for one in made:
        store.history.append(CID, 3, one.at.date(), [one])

    assert store.history.latest(CID, days[0], days[5], 100) == made[:5]
    assert store.history.latest(CID, days[1], days[5] + timedelta(seconds=1), 2) == made[3:], "more than two"
    assert store.history.latest(CID, days[5] + timedelta(days=1), days[5] + timedelta(days=2), 9) == []


def test_a_busy_day_is_cut_into_parts_and_loses_nothing(store: TenantStore) -> None:
    organisation = Organisation()
    made = []
    for number in range(40):
        bundle = replace(organisation.bundle(number, 30), rev=1)
        entries = list(entries_of(bundle))
        made += entries
        store.history.append(CID, 0, NOW.date(), entries)

    docs = list(store.documents.query(store.documents.keys.changes(CID, NOW.date())))
    assert len(docs) > 2
    assert max(len(doc.body) for doc in docs) < 8_000
    found = list(store.history.read(CID, NOW, NOW + timedelta(seconds=1)))
    assert len(found) == len(made)
    assert set(found) == set(made)


# --- use --------------------------------------------------------------------------------------------

MONDAY = date(2026, 3, 9)


def row(person: int, app: int, events: int, day: date) -> UseRow:
    return UseRow(PEOPLE[person], APPS[app], events, day)


def test_use_is_folded_into_weeks_and_last_use(store: TenantStore) -> None:
    store.use.fold(CID, 1, [row(0, 0, 3, MONDAY), row(0, 0, 2, MONDAY), row(1, 1, 1, MONDAY)])
    store.use.fold(CID, 1, [row(0, 0, 4, date(2026, 3, 11)), row(0, 0, 1, date(2026, 3, 8))])

    assert store.use.last_use(CID, 0) == {
        PEOPLE[0]: {APPS[0]: date(2026, 3, 11)},
        PEOPLE[1]: {APPS[1]: MONDAY},
    }
    week = store.use.week(CID, "2026-W11", 0)
    assert week[PEOPLE[0]][APPS[0]] == WeekUse(3 + 2 + 4, date(2026, 3, 11))
    assert week[PEOPLE[1]][APPS[1]] == WeekUse(1, MONDAY)
    assert store.use.week(CID, "2026-W10", 0)[PEOPLE[0]][APPS[0]] == WeekUse(1, date(2026, 3, 8))


@pytest.mark.parametrize("shards", [1, 4])
def test_a_fold_that_crashes_anywhere_counts_nothing_twice(
    new_store: Callable[[], TenantStore], shards: int
) -> None:
    rows = [row(n % 10, n % 8, n + 1, MONDAY - timedelta(days=n % 12)) for n in range(24)]
    tally = UseTally()
    for one in rows:
        tally.add(one.principal_id, one.app_id, one.events, one.last_day)

    def fold(store: TenantStore) -> None:
        for part in tally.by_shard(shards):
            store.use.fold(CID, shards, part, batch="a week")

    def total(store: TenantStore) -> tuple[int, int]:
        weeks = {iso_week(r.last_day) for r in rows}
        events = sum(
            use.events
            for week in weeks
            for shard in range(shards)
            for apps in store.use.week(CID, week, shard, shards).values()
            for use in apps.values()
        )
        pairs = sum(len(a) for s in range(shards) for a in store.use.last_use(CID, s, shards).values())
        return events, pairs

    crash_at, expected = 0, (sum(r.events for r in rows), len({(r.principal_id, r.app_id) for r in rows}))
    while True:
        store = new_store()
        crashed = crash_after(store, crash_at, lambda store=store: fold(store))
        fold(store)
        assert total(store) == expected, f"crash at write {crash_at}"
        if not crashed:
            break
        crash_at += 1
    assert crash_at > 2


def crash_after(store: TenantStore, writes: int, run: Callable[[], object]) -> bool:
    """Run until the write with this number, which fails; True if it came to that."""
    seen = 0
    documents = store.documents
    real = {name: getattr(documents, name) for name in ("put", "write_all", "delete")}

    def guarded(name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal seen
            seen += 1
            if seen > writes:
                raise StorageError("crash")
            return real[name](*args, **kwargs)

        return call

    for name in real:
        setattr(documents, name, guarded(name))
    try:
        run()
    except StorageError:
        return True
    finally:
        for name, method in real.items():
            setattr(documents, name, method)
    return False


def test_a_named_batch_counts_once(store: TenantStore) -> None:
    for _ in range(2):
        store.use.fold(CID, 2, [row(0, 0, 5, MONDAY)], batch="2026-03-01/2026-03-10")
    store.use.fold(CID, 2, [row(0, 0, 1, MONDAY)])

    shard = ids.shard_of(PEOPLE[0], 2)
    assert store.use.week(CID, iso_week(MONDAY), shard, 2)[PEOPLE[0]][APPS[0]].events == 6


def test_a_new_shard_starts_from_what_its_parent_knows(store: TenantStore) -> None:
    store.use.fold(CID, 1, [row(n, 0, 1, MONDAY) for n in range(10)])
    for shard in range(4):
        known = store.use.last_use(CID, shard, 4)
        assert set(known) == {pid for pid in PEOPLE if ids.shard_of(pid, 4) == shard}

    later = MONDAY + timedelta(days=2)
    store.use.fold(CID, 4, [row(0, 1, 1, later)])

    shard = ids.shard_of(PEOPLE[0], 4)
    known = store.use.last_use(CID, shard, 4)
    assert known[PEOPLE[0]] == {APPS[0]: MONDAY, APPS[1]: later}
    assert set(known) == {pid for pid in PEOPLE if ids.shard_of(pid, 4) == shard}


def test_weeks_of_an_app_are_found_before_and_after_a_split(store: TenantStore) -> None:
    later = MONDAY + timedelta(days=7)
    store.use.fold(CID, 1, [row(n, 0, 3, MONDAY) for n in range(len(PEOPLE))])
    store.use.fold(CID, 4, [row(0, 0, 5, later), row(0, 1, 7, later), row(1, 0, 2, MONDAY)])
    weeks = [iso_week(MONDAY), iso_week(later)]

    found = store.use.of_app(CID, weeks, APPS[0], 4)

    events = {pid: {week: use.events for week, use in used.items()} for pid, used in found.items()}
    assert set(events) == set(PEOPLE)
    assert events[PEOPLE[0]] == {weeks[0]: 3, weeks[1]: 5}
    assert events[PEOPLE[1]] == {weeks[0]: 5}
    series = {
        pair: seen for shard in range(4) for pair, seen in store.use.series(CID, weeks, shard, 4).items()
    }
    assert series[PEOPLE[0], APPS[0]] == [3, 5]
    assert series[PEOPLE[0], APPS[1]] == [0, 7]
    assert series[PEOPLE[1], APPS[0]] == [5, 0]
    assert store.use.of_app(CID, weeks[1:], APPS[1], 64) == {PEOPLE[0]: {weeks[1]: WeekUse(7, later)}}, (
        "one week of many shards is read as a partition"
    )


def test_the_first_call_of_an_api_is_remembered(store: TenantStore) -> None:
    window = UseWindow(NOW - timedelta(days=7), NOW)
    for batch, (apis, week) in enumerate(
        (
            (("drive",), None),
            (("drive", "gmail"), "2026-W09"),
            (("gmail",), "2026-W07"),
            (("gmail",), "2026-W10"),
        )
    ):
        first = dict.fromkeys(apis, week) if week else {}
        store.app_use.fold(CID, {APPS[0]: AppUse({}, apis, first)}, window, str(batch))

    _, found = store.app_use.read(CID, APPS[:1])

    assert found[APPS[0]].first == {"gmail": "2026-W07"}, "of drive nobody noted when"


def test_the_window_says_what_is_known(store: TenantStore) -> None:
    assert store.use.window(CID) is None
    window = UseWindow(NOW - timedelta(days=30), NOW)
    store.use.set_window(CID, window)

    assert store.use.window(CID) == window
    assert window.widened(NOW - timedelta(days=60), NOW - timedelta(days=30)) == UseWindow(
        NOW - timedelta(days=60), NOW
    )
    assert window.widened(NOW - timedelta(days=60), NOW - timedelta(days=31)) is None
    assert idle_days(None, window, NOW) == 30
    assert idle_days(None, None, NOW) is None
    assert idle_days(NOW.date() - timedelta(days=3), None, NOW) == 3


# --- use of apps as a whole -------------------------------------------------------------------------


def test_app_use_is_folded_once_and_adds_up(store: TenantStore) -> None:
    first, second = (
        UseWindow(NOW - timedelta(days=14), NOW - timedelta(days=7)),
        UseWindow(NOW - timedelta(days=7), NOW),
    )
    for _ in range(2):
        store.app_use.fold(CID, {APPS[0]: AppUse({"2026-W01": 5}, ("drive",))}, first, "a")
    uses = {APPS[0]: AppUse({"2026-W01": 1, "2026-W02": 2}, ("gmail",)), APPS[1]: AppUse({"2026-W02": 3})}
    store.app_use.fold(CID, uses, second, "b")

    window, found = store.app_use.read(CID, APPS[:3])

    assert window is not None
    assert (window.since, window.until, window.reported) == (
        first.complete_from,
        second.complete_until,
        ("drive", "gmail"),
    )
    assert found == {
        APPS[0]: AppUse({"2026-W01": 6, "2026-W02": 2}, ("drive", "gmail")),
        APPS[1]: AppUse({"2026-W02": 3}),
    }


def test_places_of_use_are_kept_with_the_week_they_were_first_seen(store: TenantStore) -> None:
    """The past is read last: an earlier week takes the place of a later one. The first of many are kept."""
    window = UseWindow(NOW - timedelta(days=7), NOW)
    late = {f"AS{number}": "2026-W09" for number in range(8)}
    for batch, (networks, countries) in enumerate(
        (({"AS1": "2026-W08"}, {"IE": "2026-W09"}), (late, {"IE": "2026-W07", "US": "2026-W08"}), ({}, {}))
    ):
        use = AppUse({"2026-W09": 1}, networks=networks, countries=countries)
        store.app_use.fold(CID, {APPS[0]: use}, window, str(batch))
    _, found = store.app_use.read(CID, APPS[:1])
    assert found[APPS[0]].countries == {"IE": "2026-W07", "US": "2026-W08"}
    assert found[APPS[0]].networks == late | {"AS1": "2026-W08"}

    earlier = AppUse({"2026-W02": 1}, networks={"AS99": "2026-W02"})
    store.app_use.fold(CID, {APPS[0]: earlier}, window, "earlier")
    _, found = store.app_use.read(CID, APPS[:1])
    assert list(found[APPS[0]].networks)[:2] == ["AS99", "AS1"]
    assert len(found[APPS[0]].networks) == KEPT["network"]


def test_a_hole_starts_the_window_of_app_use_anew(store: TenantStore) -> None:
    store.app_use.fold(CID, {}, UseWindow(NOW - timedelta(days=30), NOW - timedelta(days=20)), "a")
    later = UseWindow(NOW - timedelta(days=7), NOW)
    store.app_use.fold(CID, {}, later, "b")

    window, found = store.app_use.read(CID, APPS)

    assert window is not None
    assert (window.since, window.until, found) == (later.complete_from, later.complete_until, {})
    assert store.app_use.read("con_other", APPS) == (None, {})


def test_twelve_weeks_are_kept(store: TenantStore) -> None:
    weeks = {f"2026-W{number:02}": number for number in range(1, 21)}
    for number, (week, events) in enumerate(weeks.items()):
        window = UseWindow(NOW, NOW + timedelta(days=7))
        store.app_use.fold(CID, {APPS[0]: AppUse({week: events})}, window, str(number))
    _, found = store.app_use.read(CID, APPS[:1])
    assert list(found[APPS[0]].weeks) == list(weeks)[-12:]


def test_only_whole_weeks_count() -> None:
    wednesday, monday = datetime(2026, 1, 7, 9, tzinfo=UTC), datetime(2026, 1, 26, tzinfo=UTC)
    assert whole_weeks(wednesday, monday, 9) == ["2026-W03", "2026-W04"]
    assert whole_weeks(wednesday, monday, 1) == ["2026-W04"]
    assert whole_weeks(wednesday, wednesday + timedelta(days=4), 9) == []
    assert whole_weeks(datetime(2026, 1, 5, tzinfo=UTC), monday, 9)[0] == "2026-W02"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PEOPLE),
            st.sampled_from(APPS),
            st.integers(1, 9),
            st.dates(date(2026, 1, 1), date(2026, 3, 1)),
        ),
        max_size=20,
    )
)
def test_a_tally_adds_up_by_app(rows) -> None:
    tally = UseTally()
    expected: dict[str, dict[str, int]] = {}
    for person, app, events, day in rows:
        tally.add(person, app, events, day)
        weeks = expected.setdefault(app, {})
        weeks[iso_week(day)] = weeks.get(iso_week(day), 0) + events
    assert tally.by_app() == expected
