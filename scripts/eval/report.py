"""What an evaluation says, for people and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lantern.domain.names import key
from scripts.eval.cases import GROUPS, Case, Group, ambiguous_names
from scripts.eval.catalogs import World
from scripts.eval.measure import (
    Calibration,
    Judge,
    Outcome,
    View,
    ai_share,
    calibration,
    precision,
    run,
    share,
    worst,
)
from scripts.eval.plain_rule import plain_rule

_VIEWS: Final[tuple[View, ...]] = ("name_and_domain", "name", "domain")
_TITLES: Final[dict[World, str]] = {
    "listed": "The catalog as it is",
    "unlisted": "Held out: none of these apps is in the catalog, nor were the weights learnt from them",
    "ordinary_unlisted": "Ordinary apps held out: who is called AI for a name that a listed AI product has",
}


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of one group seen in one way, and those of the plain rule beside them."""

    group: Group
    view: View
    ai: int
    found: float
    found_or_embedded: float
    plain_found: float
    ordinary: int
    false_alarms: float
    plain_false_alarms: float
    answered: float


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one world."""

    world: World
    lines: tuple[Line, ...]
    precision: float
    calibration: Calibration
    worst: tuple[Outcome, ...]


def measure(world: World, cases: Sequence[Case], judge: Judge, misses: int) -> Report:
    """Run every group in every view. By name alone, names that stand for both kinds are left out."""
    both = ambiguous_names(cases)
    lines, every = [], []
    for group in GROUPS:
        for view in _VIEWS:
            asked = [
                one for one in cases if one.group == group and (view != "name" or key(one.name) not in both)
            ]
            outcomes = run(asked, view, judge)
            lines.append(_line(group, view, outcomes))
            every += outcomes
    return Report(world, tuple(lines), precision(every), calibration(every), tuple(worst(every, misses)))


def _line(group: Group, view: View, outcomes: Sequence[Outcome]) -> Line:
    ai = [one for one in outcomes if one.case.is_ai]
    ordinary = [one for one in outcomes if not one.case.is_ai]
    return Line(
        group,
        view,
        ai=len(ai),
        found=ai_share(ai),
        found_or_embedded=share(sum(one.answer.verdict in {"ai", "embedded_ai"} for one in ai), len(ai)),
        plain_found=_plain(ai),
        ordinary=len(ordinary),
        false_alarms=ai_share(ordinary),
        plain_false_alarms=_plain(ordinary),
        answered=share(sum(one.answered for one in outcomes), len(outcomes)),
    )


def _plain(outcomes: Sequence[Outcome]) -> float:
    called = (
        plain_rule(
            "" if one.view == "domain" else one.case.name, None if one.view == "name" else one.case.domain
        )
        for one in outcomes
    )
    return share(sum(called), len(outcomes))


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "world": report.world,
        "lines": [asdict(line) for line in report.lines],
        "precision": report.precision,
        "calibration": asdict(report.calibration),
        "worst": [_miss(one) for one in report.worst],
    }


def as_text(report: Report) -> Iterator[str]:
    """Yield a report line by line; shares are in percent."""
    yield f"\n{_TITLES[report.world]}\n"
    yield (
        f"{'group':<16}{'seen':<17}{'AI apps':>8}{'found':>8}{'+embed':>8}{'plain':>8}"
        f"{'ordinary':>10}{'called AI':>11}{'plain':>8}{'answered':>10}"
    )
    for line in report.lines:
        yield (
            f"{line.group:<16}{line.view.replace('_', ' '):<17}"
            f"{_count(line.ai):>8}{_percent(line.found, line.ai):>8}"
            f"{_percent(line.found_or_embedded, line.ai):>8}{_percent(line.plain_found, line.ai):>8}"
            f"{_count(line.ordinary):>10}{_percent(line.false_alarms, line.ordinary):>11}"
            f"{_percent(line.plain_false_alarms, line.ordinary):>8}{line.answered:>10.1%}"
        )
    yield f"\nOf those called AI {report.precision:.1%} are."
    honest = report.calibration
    yield f"Confidence: Brier {honest.brier:.4f}, expected calibration error {honest.ece:.4f}\n"
    yield f"{'confidence':<14}{'answers':>8}{'mean':>8}{'right':>8}"
    for one in report.calibration.bins:
        span = f"{one.low:.2f}-{one.high:.2f}"
        yield f"{span:<14}{one.count:>8}{one.confidence:>8.3f}{one.right:>8.3f}"
    if report.worst:
        yield "\nWorst misses (wrong answers, the surest first, then AI apps not found):"
    for miss in map(_miss, report.worst):
        yield (
            f"  {miss['name']} ({miss['domain'] or 'no domain'}), seen by {miss['view']}: {miss['truth']}, "
            f"answered {miss['answered']} {miss['confidence']:.2f} by {miss['basis'] or 'nothing'}"
        )


def _miss(one: Outcome) -> dict[str, Any]:
    return {
        "name": one.case.name,
        "domain": one.case.domain,
        "view": one.view.replace("_", " "),
        "truth": one.case.truth,
        "answered": one.answer.verdict,
        "confidence": one.answer.confidence,
        "product": one.answer.product,
        "basis": one.answer.basis,
    }


def _percent(value: float, of: int) -> str:
    return f"{value:.1%}" if of else "-"


def _count(number: int) -> str:
    return str(number) if number else "-"
