"""What stands out in use, and above all what does not."""

from collections.abc import Sequence
from functools import reduce
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.anomalies import (
    LEAST_HISTORY,
    account_anomalies,
    app_anomalies,
    baseline,
    slept,
    stands_out,
)
from lantern.domain.use import KEPT, AppUse, PlaceKind, first_places

WEEKS = [f"2026-W{number:02}" for number in range(1, 10)]
_counts = st.integers(0, 100_000)


def of_app(
    events: Sequence[int], first: dict[str, str] | None = None, given_: Sequence[int] = (), **more: bool
):
    weeks = WEEKS[-len(events) :] if events else []
    use = AppUse(dict(zip(weeks, events, strict=True)), first=first or {})
    return app_anomalies("con_1", weeks, use, given_ or [0] * len(events), **more)


def of_use(**use: dict[str, Any]):
    """What stands out of an app that was used as ever in all weeks, beside what is given."""
    return app_anomalies(
        "con_1", WEEKS, AppUse(**{"weeks": dict.fromkeys(WEEKS, 10)} | use), [0] * len(WEEKS)
    )


def sent(*weeks: int) -> dict[str, int]:
    return dict(zip(WEEKS[-len(weeks) :], weeks, strict=True))


@given(st.lists(_counts, max_size=LEAST_HISTORY))
def test_nothing_is_said_below_the_least_history(series: list[int]) -> None:
    assert stands_out(series) is None
    assert stands_out([0, 0, 0, *series]) is None, "weeks before the first use are no history"
    assert of_app([0, 0, 0, *series], {"drive": WEEKS[-1]}, [0, 0, 0, *series]) == ()
    assert account_anomalies(WEEKS[: len(series)], [("pri_1", series)]) == ()


@given(_counts, st.integers(0, 30))
def test_a_constant_series_never_speaks(value: int, length: int) -> None:
    assert stands_out([value] * length) is None
    assert stands_out([value] * length, older=True) is None
    assert slept([value] * length, 4) is None


@given(st.integers(1, 10_000), st.integers(LEAST_HISTORY, 30), st.integers(4, 1_000))
def test_one_outlier_in_a_flat_series_speaks(value: int, length: int, factor: int) -> None:
    found = stands_out([value] * length + [value * factor])
    assert found is not None
    assert (found.usual, found.weeks) == (value, length)
    assert stands_out([value] * length + [value * 3]) is None


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=20), st.integers(1, 1_000))
def test_only_proportions_count(series: list[int], factor: int) -> None:
    one, many = stands_out(series), stands_out([value * factor for value in series])
    assert (one is None) == (many is None)
    if one and many:
        assert many.usual == pytest.approx(one.usual * factor)
        assert many.threshold == pytest.approx(one.threshold * factor)


@given(st.lists(st.integers(0, 10_000), min_size=LEAST_HISTORY, max_size=30))
def test_a_week_like_one_before_never_stands_out(before: list[int]) -> None:
    assert stands_out([*before, 2 * max(before)]) is None
    found = baseline(before)
    assert found is not None
    assert found.usual <= found.threshold
    assert found.threshold >= 2 * max(before)


@given(st.lists(st.integers(90, 110), min_size=8, max_size=8), st.integers(0, 7))
def test_one_odd_week_of_the_past_does_not_hide_what_follows(before: list[int], at: int) -> None:
    """A mean and a standard deviation would be moved by it; the median is not."""
    before[at] = 500
    found = stands_out([*before, 2_000])
    assert found is not None
    assert 90 <= found.usual <= 110
    assert stands_out([*before, 480]) is None


def test_it_says_what_was_usual_in_plain_words() -> None:
    (found,) = of_app([20, 22, 18, 21, 19, 20, 20, 20, 312])
    assert (found.kind, found.whose, found.subject, found.week) == ("volume", "app", "con_1", "2026-W09")
    assert (found.observed, found.baseline, found.weeks_of_history) == (312, 20, 8)
    assert found.says == (
        "312 events in 2026-W09; usual is about 20 a week, and more than 60 stands out (8 weeks known)"
    )


def test_use_in_bursts_is_no_anomaly() -> None:
    """Its median and its deviation are nearly nothing: one more burst is what it always does."""
    bursts = [(f"pri_{n}", [27, 0, 0, 0, 16, 12, 0, 0, 29 + n]) for n in range(20)]
    assert account_anomalies(WEEKS, bursts) == ()
    assert account_anomalies(WEEKS, [("pri_1", [27, 0, 0, 0, 16, 12, 0, 0, 55])]) != ()


def test_few_events_are_not_worth_a_word() -> None:
    assert of_app([1, 1, 1, 1, 1, 1, 1, 1, 49]) == ()
    (found,) = account_anomalies(WEEKS, [("pri_1", [1] * 8 + [20]), ("pri_2", [1] * 8 + [19])])
    assert (found.subject, found.whose) == ("pri_1", "account")


def test_an_app_that_wakes_up_is_told_once() -> None:
    (found,) = of_app([5, 3, 4, 6, 0, 0, 0, 0, 800])
    assert found.kind == "woke"
    assert found.says == "800 events in 2026-W09, after 4 weeks without any"
    assert of_app([5, 3, 4, 6, 2, 0, 0, 0, 4]) == (), "three weeks of silence are a holiday"
    assert account_anomalies(WEEKS, [("pri_1", [4, 1, 0, 0, 0, 0, 0, 0, 1])])[0].kind == "woke"
    assert account_anomalies(WEEKS, [("pri_1", [4, 1, 1, 1, 0, 0, 0, 0, 1])]) == ()


def test_an_api_is_new_only_where_the_past_is_known() -> None:
    calls = [10] * 9
    (found,) = of_app(calls, {"drive": WEEKS[0], "gmail": WEEKS[-1], "admin": WEEKS[-1]})
    assert (found.kind, found.observed, found.weeks_of_history) == ("new_api", 2, 8)
    assert found.says == (
        "It called admin, gmail for the first time in 2026-W09; in the 8 weeks before it kept to 1 other API"
    )
    assert of_app(calls, {"drive": WEEKS[4], "gmail": WEEKS[-1]}) == (), "four weeks are no past"
    assert of_app(calls, {"gmail": WEEKS[-1]}) == (), "an app that is new altogether has no past"
    many = {f"api{n}": WEEKS[-1] for n in range(8)} | {"drive": "2025-W30"}
    assert "and 3 more" in of_app(calls, many)[0].says


def test_a_wave_of_consents_stands_out() -> None:
    (found,) = of_app([10] * 9, {}, [1, 2, 0, 1, 1, 2, 1, 0, 40])
    assert (found.kind, found.observed) == ("consents", 40)
    assert "40 accounts gave it access" in found.says
    assert of_app([10] * 9, {}, [0] * 8 + [40]) == (), "a tool that is being rolled out"
    assert of_app([10] * 9, {}, [0] * 8 + [40], given_before=True)[0].kind == "consents"
    assert of_app([10] * 9, {}, [0] * 8 + [9], given_before=True) == ()


def test_the_busiest_accounts_come_first() -> None:
    series = [(f"pri_{n}", [2] * 8 + [20 + n]) for n in range(5)]
    assert [one.observed for one in account_anomalies(WEEKS, series)] == [24, 23, 22, 21, 20]
    assert account_anomalies([], series) == ()
    assert app_anomalies("con_1", [], AppUse(), []) == ()


# --- bytes ------------------------------------------------------------------------------------------

_MB = 1_000_000
_bytes = st.integers(0, 10**12)


@given(st.lists(_bytes, max_size=LEAST_HISTORY + 1), _bytes)
def test_bytes_are_judged_as_events_are(before: list[int], last: int) -> None:
    series = [*before, last]
    found = of_use(sent=sent(*series))
    odd = stands_out(series)
    assert [one.kind for one in found] == (["bytes"] if odd and last >= 10 * _MB else [])
    if found and odd:
        assert (found[0].baseline, found[0].threshold) == (odd.usual, odd.threshold)


def test_bytes_are_told_in_plain_words() -> None:
    (found,) = of_use(sent=sent(*[30 * _MB] * 8, 4_200 * _MB))
    assert found.says == (
        "4.2 GB went to it in 2026-W09; usual is about 30.0 MB a week, and more than 90.0 MB stands out "
        "(8 weeks known)"
    )
    assert of_use(sent=sent(*[1_000] * 8, 9_999_999)) == (), "too few to be worth a word"
    assert "about 512 bytes" in of_use(sent=sent(*[512] * 8, 10 * _MB))[0].says


def test_weeks_of_which_nobody_counted_bytes_are_no_weeks_of_none() -> None:
    assert of_use(sent={WEEKS[-1]: 900 * _MB}) == (), "it was used before, and nobody counted"
    assert of_use(sent=sent(50 * _MB, 50 * _MB, 50 * _MB, 50 * _MB, 50 * _MB, 900 * _MB)) == ()
    assert of_use(sent=sent(*[50 * _MB] * 6, 900 * _MB))[0].weeks_of_history == 6
    assert of_use(sent=dict.fromkeys(WEEKS[:-1], 50 * _MB)) == (), "of the last week nobody counted them"


# --- places -----------------------------------------------------------------------------------------

_first_weeks = st.dictionaries(
    st.sampled_from([f"AS{n}" for n in range(64512, 64530)]), st.sampled_from(WEEKS)
)


@given(_first_weeks, st.sampled_from(["networks", "countries"]))
def test_a_place_speaks_only_after_a_settled_past(first: dict[str, str], kind: str) -> None:
    few, kept = (4, 8) if kind == "networks" else (8, 16)
    found = of_use(**{kind: first})
    old = sorted(week for week in first.values() if week < WEEKS[-1])
    new = len(first) - len(old)
    settled = bool(old) and old[0] <= WEEKS[2] and sum(w > max(old[0], WEEKS[1]) for w in old) <= 1
    assert bool(found) == (bool(new) and settled and len(old) <= few and len(first) < kept)
    for one in found:
        assert one.observed == new
        assert one.weeks_of_history >= LEAST_HISTORY
    assert of_use(**{kind: dict.fromkeys(first, WEEKS[0])}) == (), "where it always was is not new"


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30), st.sampled_from(["network", "country"]))
def test_phones_that_roam_never_speak(fresh: list[int], kind: PlaceKind) -> None:
    """Each week brings places that were never seen: whichever week is looked at last, nothing is said."""
    known: dict[str, str] = {}
    weeks = [f"2026-W{number + 1:02}" for number in range(len(fresh))]
    for number, count in enumerate(fresh):
        came = {f"place {number} {n}": weeks[number] for n in range(count)}
        known = first_places(known, came, kind)
        use = AppUse(dict.fromkeys(weeks, 10), **{"networks" if kind == "network" else "countries": known})
        seen = weeks[max(0, number - 8) : number + 1]
        assert app_anomalies("con_1", seen, use, [0] * len(seen)) == ()
    assert len(known) <= KEPT[kind]


@given(st.lists(st.dictionaries(st.text(max_size=3), st.sampled_from(WEEKS)), max_size=6), st.randoms())
def test_places_add_up_in_any_order(slices: list[dict[str, str]], random: Random) -> None:
    """Past weeks are read last; what is kept are the places seen first, with the week of that."""

    def together(parts: list[dict[str, str]]) -> dict[str, str]:
        return reduce(lambda old, new: first_places(old, new, "country"), parts, {})

    shuffled = random.sample(slices, len(slices))
    every = {name: min(one[name] for one in slices if name in one) for one in slices for name in one}
    found = together(shuffled)
    assert len(found) == min(len(every), KEPT["country"])
    if len(every) <= KEPT["country"]:
        assert found == every == together(slices)


def test_places_are_told_in_plain_words() -> None:
    (network,) = of_use(networks={"AS64512": WEEKS[0], "AS64513": WEEKS[-1]})
    assert (network.kind, network.whose, network.observed) == ("network", "app", 1)
    assert network.says == (
        "It was used from AS64513 for the first time in 2026-W09; in the 8 weeks before it kept to AS64512"
    )
    (country,) = of_use(countries={"IE": "2025-W20", "DE": WEEKS[0], "SG": WEEKS[-1], "US": WEEKS[-1]})
    assert "used from SG, US for the first time" in country.says
    assert country.says.endswith("kept to DE, IE")


def test_another_way_to_name_a_place_is_no_move() -> None:
    """Providers begin to name autonomous systems, apps begin to use IPv6."""
    old = {"198.51.100.0/24": WEEKS[0], "192.0.2.0/24": WEEKS[0]}
    assert of_use(networks=old | {"AS64512": WEEKS[-1]}) == ()
    assert of_use(networks=old | {"2001:db8:1::/48": WEEKS[-1]}) == ()
    assert of_use(networks=old | {"AS64512": WEEKS[-2], "AS64513": WEEKS[-1]}) == ()
    assert of_use(networks=old | {"203.0.113.0/24": WEEKS[-1], "AS64512": WEEKS[-1]})[0].observed == 1


def test_an_app_that_was_hardly_used_has_no_usual_place() -> None:
    places = {"AS64512": WEEKS[0], "AS64513": WEEKS[-1]}
    hardly = dict.fromkeys([WEEKS[0], WEEKS[3], WEEKS[-2], WEEKS[-1]], 10)
    assert of_use(weeks=hardly, networks=places) == ()
    assert of_use(weeks=hardly | {WEEKS[1]: 1}, networks=places) != ()
