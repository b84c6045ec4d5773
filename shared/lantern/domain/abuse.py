"""Apps publicly reported as tools of attackers: found by id for sure, by name with less confidence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lantern.domain.names import key

NAME_FACTOR = 0.6
"""Anybody may take a name, also of an app that was abused; an id is one app's alone."""


@dataclass(frozen=True, slots=True)
class AbuseReport:
    """A publicly reported abuse. `confidence` is how often such an app turns out to be an attacker's, 0-1.

    `ids` is provider → client ids; an app known by name only has none. `legitimate` says what the app is
    for honest people, None where it has no honest use.
    """

    id: str
    names: tuple[str, ...]
    how: str
    confidence: float
    source: str
    date: str
    legitimate: str | None = None
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownAbuse:
    """An app that fits a report: how sure that is (0-1), why in words, and where it was reported."""

    report: str
    confidence: float
    by: str
    sentence: str
    source: str


class AbuseList:
    """Reports by client id and by folded name."""

    def __init__(self, reports: Iterable[AbuseReport]) -> None:
        self._by_id: dict[tuple[str, str], AbuseReport] = {}
        self._by_name: dict[str, AbuseReport] = {}
        for report in reports:
            for provider, natives in report.ids.items():
                for native in natives:
                    self._by_id[provider, native.casefold()] = report
            for name in report.names:
                self._by_name[key(name)] = report

    def match(self, provider: str, client_id: str, name: str) -> KnownAbuse | None:
        """Return the report that an app fits, by its id or else by its whole name."""
        report = self._by_id.get((provider, client_id.casefold()))
        if report is not None:
            return _known(report, "id", report.confidence)
        report = self._by_name.get(key(name))
        return None if report is None else _known(report, "name", report.confidence * NAME_FACTOR)


def _known(report: AbuseReport, by: str, confidence: float) -> KnownAbuse:
    honest = f" It also has honest uses: {report.legitimate}." if report.legitimate else ""
    what = "id" if by == "id" else "name"
    sentence = (
        f"Its {what} is that of {report.names[0]}, which {report.how} (reported {report.date}).{honest}"
    )
    return KnownAbuse(report.id, round(confidence, 2), by, sentence, report.source)
