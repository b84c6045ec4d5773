"""Which frameworks an app matters for, and why: rules are data, this evaluates them.

A rule whose facts are not known is possible, never absent: `no` is said only where everything is known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lantern.domain.vendors import FactName, Transfer, VendorProfile

Relevance = Literal["yes", "possible", "no"]
RuleKind = Literal["applies", "gap"]
Answer = Literal["yes", "no", "unknown"]

_RANK: Mapping[Relevance, int] = {"no": 0, "possible": 1, "yes": 2}


@dataclass(frozen=True, slots=True)
class ComplianceFacts:
    """What is known of an app. `data` and `access` are what its permissions reach, None while not known."""

    verdict: str
    data: frozenset[str] | None
    access: frozenset[str] | None
    category: str | None = None
    profile: VendorProfile | None = None


@dataclass(frozen=True, slots=True)
class ComplianceRule:
    """One reason why an app matters for a framework.

    All conditions that are there must hold; each lists alternatives. `facts` asks the vendor's profile:
    fact → answers. `applies` says that the framework matters, `gap` what is missing where it does.
    """

    says: str
    refs: tuple[str, ...]
    kind: RuleKind = "applies"
    verdict: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    facts: Mapping[FactName, tuple[Answer, ...]] = field(default_factory=dict)
    transfer: tuple[Transfer | Literal["unknown"], ...] = ()


@dataclass(frozen=True, slots=True)
class Framework:
    """A law or standard with the reasons why an app may matter for it."""

    id: str
    title: str
    source: str
    rules: tuple[ComplianceRule, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that holds (`certain`) or may hold."""

    says: str
    refs: tuple[str, ...]
    kind: RuleKind
    certain: bool


@dataclass(frozen=True, slots=True)
class FrameworkRelevance:
    """Whether a framework matters for an app, and each reason."""

    framework: str
    title: str
    relevance: Relevance
    reasons: tuple[Reason, ...]


def relevance(frameworks: Iterable[Framework], facts: ComplianceFacts) -> tuple[FrameworkRelevance, ...]:
    """Return for every framework whether it matters for the app; gaps are told only where it does."""
    return tuple(_framework(one, facts) for one in frameworks)


def _framework(framework: Framework, facts: ComplianceFacts) -> FrameworkRelevance:
    judged = [(rule, _holds(rule, facts)) for rule in framework.rules]
    found: Relevance = max(
        (answer for rule, answer in judged if rule.kind == "applies"), key=_RANK.__getitem__, default="no"
    )
    reasons = tuple(
        Reason(rule.says, rule.refs, rule.kind, answer == "yes")
        for rule, answer in judged
        if answer != "no" and found != "no"
    )
    return FrameworkRelevance(framework.id, framework.title, found, reasons)


def _holds(rule: ComplianceRule, facts: ComplianceFacts) -> Relevance:
    answers = [
        _among(rule.data, facts.data),
        _among(rule.access, facts.access),
        _among(rule.category, None if facts.category is None else frozenset({facts.category})),
        _verdict(rule.verdict, facts.verdict),
        *(_fact(facts.profile, name, wanted) for name, wanted in rule.facts.items()),
        _transfer(rule.transfer, facts.profile),
    ]
    return min(answers, key=_RANK.__getitem__)


def _among(wanted: tuple[str, ...], known: frozenset[str] | None) -> Relevance:
    if not wanted:
        return "yes"
    if known is None:
        return "possible"
    return "yes" if known.intersection(wanted) else "no"


def _verdict(wanted: tuple[str, ...], verdict: str) -> Relevance:
    if not wanted:
        return "yes"
    return "yes" if verdict in wanted else "possible" if verdict == "unknown" else "no"


def _fact(profile: VendorProfile | None, name: FactName, wanted: tuple[Answer, ...]) -> Relevance:
    holds = profile.holds(name) if profile else None
    answer: Answer = "unknown" if holds is None else "yes" if holds else "no"
    return "yes" if answer in wanted else "possible" if answer == "unknown" else "no"


def _transfer(wanted: tuple[str, ...], profile: VendorProfile | None) -> Relevance:
    if not wanted:
        return "yes"
    known = profile.ownership.transfer if profile and profile.ownership else None
    return "yes" if (known or "unknown") in wanted else "possible" if known is None else "no"
