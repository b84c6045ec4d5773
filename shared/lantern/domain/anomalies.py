"""What stands out in the use of apps: against their own past, by robust statistics, in plain words.

The past of a series begins with its first use; what is shorter than `LEAST_HISTORY` weeks has no usual yet
and says nothing. Usual is the median, and how far weeks stray from it the median absolute deviation (times
1.4826, which makes it the standard deviation of a normal series; Rousseeuw and Croux, 1993): neither is moved
by the few odd weeks that a baseline may hold. A week stands out when it is above all that the past makes
likely: six such deviations over the median, three times the median, and twice the highest week before (use
that comes in bursts has a median and a deviation of nearly nothing).

A network or a country is new only to an app that kept to few of them: people who travel and phones that roam
bring new ones every week, which says nothing about the app.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from lantern.domain.use import KEPT, AppUse, PlaceKind

AnomalyKind = Literal["volume", "bytes", "woke", "new_api", "network", "country", "consents"]
Whose = Literal["app", "account"]

LEAST_HISTORY: Final = 6
"""Weeks before the last one, from the first use on, without which nothing is said."""
SPREADS: Final = 6.0
FACTOR: Final = 3.0
PEAK: Final = 2.0
_SIGMA: Final = 1.4826
_APP_EVENTS: Final = 50
_ACCOUNT_EVENTS: Final = 20
"""Fewer events are not worth a word, whatever they are compared with."""
_CONSENTS: Final = 10
_BYTES: Final = 10_000_000
_APP_ASLEEP: Final = 4
_ACCOUNT_ASLEEP: Final = 6
_SHOWN: Final = 5
_FEW: Final[Mapping[PlaceKind, int]] = {"network": 4, "country": 8}
"""An app that was used from more places than these is used from anywhere."""
_NEWCOMERS: Final = 1
"""So many places may have come up in the last `LEAST_HISTORY` weeks before; with more, another is no news."""
_USED_WEEKS: Final = 4
"""In so many of the weeks before it must have been used, or the places it was used from are not yet known."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that stands out in the last whole week.

    `subject` is the id of the connection for an app as a whole, of the account for one person's use of it.
    `observed`, `baseline` and `threshold` are events, bytes, consents, or numbers of APIs or places a week,
    whatever `kind` counts; more than `threshold` is what stands out. `weeks_of_history` is how many weeks the
    baseline rests on.
    """

    kind: AnomalyKind
    whose: Whose
    subject: str
    week: str
    observed: float
    baseline: float
    threshold: float
    weeks_of_history: int
    says: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a series usually is, and above what a week stands out."""

    usual: float
    threshold: float
    weeks: int


def since_first(series: Sequence[float]) -> Sequence[float]:
    """The series from its first use on."""
    start = next((at for at, value in enumerate(series) if value), len(series))
    return series[start:]


def baseline(before: Sequence[float]) -> Baseline | None:
    """What these weeks make usual; None where they are too few."""
    if len(before) < LEAST_HISTORY:
        return None
    usual = median(before)
    spread = _SIGMA * median([abs(value - usual) for value in before])
    return Baseline(usual, max(usual + SPREADS * spread, FACTOR * usual, PEAK * max(before)), len(before))


def stands_out(series: Sequence[float], *, older: bool = False) -> Baseline | None:
    """The baseline that the last week breaks; None where it breaks none, or there is none.

    Depends on proportions only: a series of which every week is multiplied by the same is judged alike.

    Args:
        series: what each week had, oldest first.
        older: whether there was something before it, so that it is all past, empty weeks too.
    """
    if not series:
        return None
    found = baseline(series[:-1] if older else since_first(series)[:-1])
    return found if found and series[-1] > found.threshold else None


def slept(series: Sequence[float], asleep: int) -> int | None:
    """For how many weeks nothing was used before the last one, if at least `asleep`; None where not so."""
    known = since_first(series)
    if len(known) <= LEAST_HISTORY or not known[-1]:
        return None
    quiet = next((n for n, value in enumerate(reversed(known[:-1])) if value), 0)
    return quiet if quiet >= asleep else None


def app_anomalies(
    connection_id: str,
    weeks: Sequence[str],
    use: AppUse,
    consents: Sequence[int],
    *,
    given_before: bool = False,
) -> tuple[Anomaly, ...]:
    """What stands out in an app's use as a whole at one connection.

    Args:
        connection_id: where.
        weeks: names of the whole weeks that are known without a hole, oldest first.
        use: of the app by everybody there.
        consents: accesses given in each week, as far as they are dated.
        given_before: whether some were given before these weeks.
    """
    if not weeks:
        return ()
    events = [use.weeks.get(week, 0) for week in weeks]
    found = [
        _used("app", connection_id, weeks[-1], events, _APP_EVENTS, _APP_ASLEEP),
        _sent(connection_id, weeks, use),
        _new_apis(connection_id, weeks, use.first),
        _new_places("network", connection_id, weeks, use, use.networks),
        _new_places("country", connection_id, weeks, use, use.countries),
        _given(connection_id, weeks[-1], consents, older=given_before),
    ]
    return tuple(one for one in found if one is not None)


def account_anomalies(
    weeks: Sequence[str], series: Iterable[tuple[str, Sequence[int]]]
) -> tuple[Anomaly, ...]:
    """What stands out in the use of one app by each of these accounts; the farthest from usual first."""
    if not weeks:
        return ()
    found = [
        one
        for account, events in series
        if (one := _used("account", account, weeks[-1], events, _ACCOUNT_EVENTS, _ACCOUNT_ASLEEP))
    ]
    return tuple(sorted(found, key=lambda one: (-one.observed, one.subject)))


def _used(
    whose: Whose, subject: str, week: str, events: Sequence[int], least: int, asleep: int
) -> Anomaly | None:
    quiet = slept(events, asleep)
    known = len(since_first(events)) - 1
    if quiet is not None:
        says = f"{_counted(events[-1], 'event')} in {week}, after {quiet} weeks without any"
        return Anomaly("woke", whose, subject, week, events[-1], 0.0, 0.0, known, says)
    broken = stands_out(events)
    if broken is None or events[-1] < least:
        return None
    says = (
        f"{_counted(events[-1], 'event')} in {week}; usual is about {_number(broken.usual)} a week, and more "
        f"than {_number(broken.threshold)} stands out ({broken.weeks} weeks known)"
    )
    return Anomaly(
        "volume", whose, subject, week, events[-1], broken.usual, broken.threshold, broken.weeks, says
    )


def _sent(connection_id: str, weeks: Sequence[str], use: AppUse) -> Anomaly | None:
    """Bytes that went to the app; a week in which it was used and nobody counted them is not known."""
    last = weeks[-1]
    went = use.sent.get(last, 0)
    if went < _BYTES:
        return None
    broken = stands_out(
        [use.sent.get(week, 0) for week in weeks if week in use.sent or not use.weeks.get(week)]
    )
    if broken is None:
        return None
    says = (
        f"{_size(went)} went to it in {last}; usual is about {_size(broken.usual)} a week, and more "
        f"than {_size(broken.threshold)} stands out ({broken.weeks} weeks known)"
    )
    usual, threshold = broken.usual, broken.threshold
    return Anomaly("bytes", "app", connection_id, last, went, usual, threshold, broken.weeks, says)


def _new_places(
    kind: PlaceKind, connection_id: str, weeks: Sequence[str], use: AppUse, first: Mapping[str, str]
) -> Anomaly | None:
    """Places from which the app was used for the first time, if it kept to few for long enough."""
    last = weeks[-1]
    old = {name: week for name, week in first.items() if week < last}
    told: dict[str, str] = {}
    for name, week in old.items():
        told[_form(name)] = min(week, told.get(_form(name), week))
    new = sorted(name for name, week in first.items() if week == last and _form(name) in told)
    if not new or len(old) > _FEW[kind] or len(first) >= KEPT[kind]:
        return None
    since = max(told[_form(name)] for name in new)
    known = [week for week in weeks[:-1] if week >= since]
    if len(known) < LEAST_HISTORY or sum(1 for week in known if use.weeks.get(week)) < _USED_WEEKS:
        return None
    if sum(1 for week in old.values() if week >= known[-LEAST_HISTORY] and week > since) > _NEWCOMERS:
        return None
    says = (
        f"It was used from {_listed(new)} for the first time in {last}; in the {len(known)} weeks before it "
        f"kept to {_listed(sorted(old))}"
    )
    return Anomaly(kind, "app", connection_id, last, float(len(new)), 0.0, 0.0, len(known), says)


def _form(name: str) -> str:
    """What a place's name can be compared with: what was never told in this form is not new in it.

    A provider may begin to name autonomous systems, an app to use IPv6, and neither has moved.
    """
    if name.startswith("AS") and name[2:].isdigit():
        return "system"
    return "address, long" if ":" in name else "address" if "/" in name else "name"


def _new_apis(connection_id: str, weeks: Sequence[str], first_called: Mapping[str, str]) -> Anomaly | None:
    last = weeks[-1]
    new = sorted(api for api, week in first_called.items() if week == last)
    old = sorted(week for week in first_called.values() if week < last)
    known = sum(1 for week in weeks[:-1] if old and week >= old[0])
    if not new or known < LEAST_HISTORY:
        return None
    says = (
        f"It called {_listed(new)} for the first time in {last}; in the {known} weeks before it kept to "
        f"{_counted(len(old), 'other API')}"
    )
    return Anomaly("new_api", "app", connection_id, last, float(len(new)), 0.0, 0.0, known, says)


def _given(connection_id: str, week: str, consents: Sequence[int], *, older: bool) -> Anomaly | None:
    broken = stands_out(consents, older=older)
    if broken is None or consents[-1] < _CONSENTS:
        return None
    says = (
        f"{consents[-1]} accounts gave it access in {week}; usual is about {_number(broken.usual)} a week "
        f"({broken.weeks} weeks known)"
    )
    return Anomaly(
        "consents",
        "app",
        connection_id,
        week,
        consents[-1],
        broken.usual,
        broken.threshold,
        broken.weeks,
        says,
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _size(count: float) -> str:
    """A number of bytes in words, in powers of a thousand."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count:.0f} bytes"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
