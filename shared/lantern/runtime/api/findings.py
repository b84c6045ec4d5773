"""Findings: what they are, and how right the rules were."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from lantern.domain.findings import Finding, FindingStatus
from lantern.domain.rules.vocabulary import Subject
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries_findings

Status = Literal["open", "acknowledged", "snoozed", "exception", "resolved"]
VerdictName = Literal["true_positive", "false_positive", "benign"]
SeverityName = Literal["info", "low", "medium", "high", "critical"]
Closing = Literal["fixed", "accepted", "false_positive", "benign"]
_MAX_GRANTS = 200


class AffectedAnswer(Answer):
    """A grant or an asset that the finding is about."""

    grant_id: str | None = Field(description="The grant; null where it is an asset.")
    asset_id: str | None = Field(description="The asset; null where it is a grant.")
    severity: str
    since: datetime
    state: Literal["open", "resolved"]
    resolved_at: datetime | None


class HistoryAnswer(Answer):
    """One line of a finding's history."""

    at: datetime
    kind: str
    severity: str
    grants: int
    actor: str | None
    note: str


class ExceptionAnswer(Answer):
    """Why a finding is let be, who answers for it, and until when."""

    reason: str
    owner: str
    until: datetime


class FindingRow(Answer):
    """A finding in the list."""

    id: str
    rule_id: str
    title: str = Field(description="Holds names that anybody may have chosen.")
    severity: str
    status: Status
    subject_kind: str = Field(description="What the finding is about: app, person, connection or asset.")
    subject_id: str
    holds: bool = Field(description="Whether the rule is still broken.")
    grants: int = Field(description="Grants affected now; 0 where the rule does not look at grants.")
    assets: int = Field(description="Assets affected now; 0 where the rule does not look at assets.")
    first_seen: datetime
    last_seen: datetime
    quiet_until: datetime | None = Field(description="End of its snooze or exception.")
    feedback: VerdictName | None = Field(description="What somebody who looked said of it.")


class FindingList(ListOf[FindingRow]):
    """Findings."""


class FindingAnswer(FindingRow):
    """One finding, whole."""

    rule_version: str
    reopened_count: int
    affected: list[AffectedAnswer] = Field(
        description=f"The first {_MAX_GRANTS}; all are at /v1/grants or /v1/assets, by `finding_id`."
    )
    exception: ExceptionAnswer | None
    snooze_reason: str = Field(description="Why it is snoozed; empty where it is not, or nobody said.")
    resolution: str | None
    resolution_reason: str
    assignee: str | None
    history: list[HistoryAnswer]


class FindingQuery(PageQuery):
    """Which findings."""

    status: Status | None = Field(None, description="Only these; absent means all.")


def _fields(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "rule_id": finding.rule_id,
        "title": finding.title,
        "severity": finding.severity,
        "status": finding.status.value,
        "subject_kind": finding.group.kind,
        "subject_id": finding.group.id,
        "holds": finding.holds,
        "grants": len(finding.open_grants),
        "assets": len(finding.open_assets),
        "first_seen": finding.first_seen,
        "last_seen": finding.last_seen,
        "quiet_until": finding.quiet_until,
        "feedback": None if finding.feedback is None else finding.feedback.value,
    }


def _answer(finding: Finding) -> FindingAnswer:
    return FindingAnswer(
        **_fields(finding),
        rule_version=finding.rule_version,
        reopened_count=finding.reopened_count,
        affected=[
            AffectedAnswer(
                grant_id=item.id if finding.subject is Subject.GRANT else None,
                asset_id=item.id if finding.subject is Subject.ASSET else None,
                severity=item.severity,
                since=item.since,
                state=item.state.value,
                resolved_at=item.resolved_at,
            )
            for item in finding.affected[:_MAX_GRANTS]
        ],
        exception=_exception(finding),
        snooze_reason=finding.quiet_reason if finding.status is FindingStatus.SNOOZED else "",
        resolution=None if finding.resolution is None else finding.resolution.value,
        resolution_reason=finding.resolution_note,
        assignee=finding.assignee,
        history=[
            HistoryAnswer(
                at=line.at,
                kind=line.kind.value,
                severity=line.severity,
                grants=line.grants,
                actor=line.actor,
                note=line.note,
            )
            for line in finding.history
        ],
    )


def _exception(finding: Finding) -> ExceptionAnswer | None:
    if finding.status is not FindingStatus.EXCEPTION or finding.quiet_until is None:
        return None
    owner = finding.quiet_owner or ""
    return ExceptionAnswer(reason=finding.quiet_reason, owner=owner, until=finding.quiet_until)


def list_findings(call: Call[FindingQuery, None]) -> Reply:
    """Findings, the most severe first within a status."""
    asked = call.query
    status = None if asked.status is None else FindingStatus(asked.status)
    page = queries_findings.listing(call.store, status, call.position(asked.cursor), asked.limit)
    data = [FindingRow(**_fields(finding)) for finding in page.items]
    return Reply(FindingList(data=data, next_cursor=call.cursor(page.cursor)))


def get_finding(call: Call[Any, None]) -> Reply:
    """One finding."""
    return finding_reply(queries_findings.one(call.store, call.path["finding_id"]))


def finding_reply(finding: Finding) -> Reply:
    """One finding with its revision."""
    return Reply(_answer(finding), etag=revision_etag(finding.rev))


class RuleStatistics(Answer):
    """What became of the findings of a rule."""

    rule_id: str
    findings: int
    by_status: dict[str, int]
    by_severity: dict[str, int] = Field(description="Of those that are open or acknowledged.")
    feedback: dict[str, int] = Field(description="true_positive, false_positive and benign.")
    precision: float | None = Field(description="Right ones among those judged; null where nobody judged.")
    reopened: int = Field(description="How often its findings came back.")


class StatisticsList(ListOf[RuleStatistics]):
    """What became of findings, by rule."""


def statistics(call: Call[PageQuery, None]) -> Reply:
    """How right each rule was; those with the most findings first."""
    rows, cursor = page_of(
        call, queries_findings.statistics(call.store), lambda one: (-one.findings, one.rule_id)
    )
    data = [
        RuleStatistics(
            rule_id=row.rule_id,
            findings=row.findings,
            by_status=dict(row.by_status),
            by_severity=dict(row.by_severity),
            feedback=dict(row.feedback),
            precision=row.precision,
            reopened=row.reopened,
        )
        for row in rows
    ]
    return Reply(StatisticsList(data=data, next_cursor=cursor))


ROUTES = (
    Route(
        method="GET",
        path="/v1/findings",
        operation="listFindings",
        tag="Findings",
        summary="Findings",
        description="What breaks a rule, grouped by app or person.",
        handler=list_findings,
        scope="read",
        query=FindingQuery,
        answer=FindingList,
    ),
    Route(
        method="GET",
        path="/v1/findings/statistics",
        operation="listFindingStatistics",
        tag="Findings",
        summary="How right each rule was",
        description="Findings by rule: where they stand, how people judged them, how often they came back.",
        handler=statistics,
        scope="read",
        query=PageQuery,
        answer=StatisticsList,
    ),
    Route(
        method="GET",
        path="/v1/findings/{finding_id}",
        operation="getFinding",
        tag="Findings",
        summary="One finding",
        description="What it is about, which grants it affects, and what happened to it.",
        handler=get_finding,
        scope="read",
        answer=FindingAnswer,
        etag=True,
    ),
)
