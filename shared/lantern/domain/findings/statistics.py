"""How right each rule was: what became of its findings, and what people said of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lantern.domain.findings.records import Finding, FindingStatus, Verdict

_AT_WORK = frozenset({FindingStatus.OPEN, FindingStatus.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """The findings of one rule. `by_severity` counts those that are open or acknowledged."""

    rule_id: str
    findings: int
    by_status: Mapping[str, int]
    by_severity: Mapping[str, int]
    feedback: Mapping[str, int]
    reopened: int

    @property
    def precision(self) -> float | None:
        """True ones among those judged true or false or benign; None where nobody judged."""
        judged = sum(self.feedback.values())
        return round(self.feedback[Verdict.TRUE_POSITIVE] / judged, 3) if judged else None


def tally(findings: Iterable[Finding]) -> tuple[RuleRecord, ...]:
    """One record per rule, those with the most findings first; every status and verdict is counted, 0 too."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule_id].append(finding)
    records = (_record(rule_id, found) for rule_id, found in by_rule.items())
    return tuple(sorted(records, key=lambda one: (-one.findings, one.rule_id)))


def _record(rule_id: str, found: list[Finding]) -> RuleRecord:
    statuses = Counter(finding.status for finding in found)
    verdicts = Counter(finding.feedback for finding in found if finding.feedback is not None)
    severities = Counter(finding.severity.value for finding in found if finding.status in _AT_WORK)
    return RuleRecord(
        rule_id=rule_id,
        findings=len(found),
        by_status={status.value: statuses[status] for status in FindingStatus},
        by_severity=dict(severities),
        feedback={verdict.value: verdicts[verdict] for verdict in Verdict},
        reopened=sum(finding.reopened_count for finding in found),
    )
