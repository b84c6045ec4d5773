"""Figures of one run: recall, precision, calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from lantern.domain.identification import AppFacts, Identification
from scripts.eval.cases import Case

View = Literal["name_and_domain", "name", "domain"]
Judge = Callable[[AppFacts], Identification]

_EDGES: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered to one case, seen in one way."""

    case: Case
    view: View
    answer: Identification

    @property
    def called_ai(self) -> bool:
        """Whether the answer was `ai`."""
        return self.answer.verdict == "ai"

    @property
    def answered(self) -> bool:
        """Whether there was an answer at all."""
        return self.answer.verdict != "unknown"

    @property
    def right(self) -> bool:
        """Whether an answer holds: `ai` for AI apps; anything else but `unknown` for the others."""
        return self.called_ai == self.case.is_ai


@dataclass(frozen=True, slots=True)
class Bin:
    """One line of the reliability table."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How honest the confidences are. `ece` is the expected calibration error."""

    bins: tuple[Bin, ...]
    brier: float
    ece: float


def facts(case: Case, view: View) -> AppFacts:
    """Return a case as it would arrive, with only what `view` lets through."""
    name = "" if view == "domain" else case.name
    domains = (case.domain,) if case.domain and view != "name" else ()
    return AppFacts("google", "", name, domains=domains)


def run(cases: Sequence[Case], view: View, judge: Judge) -> list[Outcome]:
    """Judge every case that has something to show in this view."""
    usable = [case for case in cases if case.truth != "any" and (view == "name" or case.domain)]
    return [Outcome(case, view, judge(facts(case, view))) for case in usable]


def share(part: int, whole: int) -> float:
    """Return a share, 0 of nothing."""
    return part / whole if whole else 0.0


def ai_share(outcomes: Sequence[Outcome]) -> float:
    """Return the share called `ai`: recall on AI apps, false alarms on ordinary ones."""
    return share(sum(one.called_ai for one in outcomes), len(outcomes))


def precision(outcomes: Sequence[Outcome]) -> float:
    """Return how many of those called `ai` are."""
    called = [one for one in outcomes if one.called_ai]
    return share(sum(one.case.is_ai for one in called), len(called))


def calibration(outcomes: Sequence[Outcome]) -> Calibration:
    """Compare the confidence of the answers given with how often they hold; `unknown` is no answer."""
    answers = [(one.answer.confidence, one.right) for one in outcomes if one.answered]
    bins = []
    for low, high in pairwise(_EDGES):
        inside = [(sure, right) for sure, right in answers if low <= sure < high]
        if inside:
            mean = sum(sure for sure, _ in inside) / len(inside)
            held = share(sum(right for _, right in inside), len(inside))
            bins.append(Bin(low, min(high, 1.0), len(inside), mean, held))
    total = len(answers) or 1
    return Calibration(
        tuple(bins),
        brier=sum((sure - right) ** 2 for sure, right in answers) / total,
        ece=sum(abs(one.confidence - one.right) * one.count for one in bins) / total,
    )


def worst(outcomes: Sequence[Outcome], limit: int) -> list[Outcome]:
    """Return the wrong answers, the surest first, then AI apps not found; best known before the long tail."""
    wrong = [one for one in outcomes if one.answered and not one.right]
    missed = [one for one in outcomes if not one.answered and one.case.is_ai]
    wrong.sort(key=lambda one: (-one.answer.confidence, one.case.name))
    return (wrong + missed)[:limit]
