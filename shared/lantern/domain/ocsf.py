"""A finding as an event of the Open Cybersecurity Schema Framework: class 2004, Detection Finding. Pure.

Source: schema.ocsf.io, version 1.5.0: class detection_finding, objects finding_info, metadata, analytic and
resource_details. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lantern.domain.findings import EventKind, Finding, FindingStatus, HistoryEntry
from lantern.domain.rules.vocabulary import Severity

VERSION: Final = "1.5.0"
CLASS: Final = 2004
CATEGORY: Final = 2
_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_ACTIVITIES: Final = {_CREATE: "Create", _UPDATE: "Update", _CLOSE: "Close"}
_SEVERITIES: Final[Mapping[Severity, tuple[int, str]]] = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_STATUSES: Final[Mapping[FindingStatus, tuple[int, str]]] = {
    FindingStatus.OPEN: (1, "New"),
    FindingStatus.ACKNOWLEDGED: (2, "In Progress"),
    FindingStatus.SNOOZED: (3, "Suppressed"),
    FindingStatus.EXCEPTION: (3, "Suppressed"),
    FindingStatus.RESOLVED: (4, "Resolved"),
}
_ANALYTIC_RULE: Final = 1


def event(finding: Finding, line: HistoryEntry | None, tenant_id: str, uid: str) -> dict[str, Any]:
    """The event of one line of a finding's history; of its present state where `line` is None.

    Args:
        finding: the record.
        line: what happened.
        tenant_id: whose finding it is.
        uid: id of the event; the same when it is sent again.
    """
    activity = _activity(finding, line)
    at = line.at if line else finding.last_seen
    severity = line.severity if line else finding.severity
    severity_id, severity_name = _SEVERITIES[severity]
    status_id, status = _STATUSES[finding.status]
    return {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": f"Detection Finding: {_ACTIVITIES[activity]}",
        "time": _milliseconds(at),
        "severity_id": severity_id,
        "severity": severity_name,
        "status_id": status_id,
        "status": status,
        "message": finding.title,
        "count": max(1, len(finding.open_items)),
        "metadata": {
            "version": VERSION,
            "uid": uid,
            "tenant_uid": tenant_id,
            "product": {"name": "Lantern", "vendor_name": "Lantern", "uid": "lantern"},
            "event_code": line.kind.value if line else "state",
        },
        "finding_info": {
            "uid": finding.id,
            "title": finding.title,
            "types": [finding.rule_id],
            "created_time": _milliseconds(finding.first_seen),
            "modified_time": _milliseconds(at),
            "first_seen_time": _milliseconds(finding.first_seen),
            "last_seen_time": _milliseconds(finding.last_seen),
            "analytic": {
                "uid": finding.rule_id,
                "name": finding.rule_id,
                "type_id": _ANALYTIC_RULE,
                "type": "Rule",
                "version": finding.rule_version,
            },
        },
        "resources": [{"uid": finding.group.id, "type": finding.group.kind.value}],
    }


def _activity(finding: Finding, line: HistoryEntry | None) -> int:
    if line is None:
        return _CLOSE if finding.status is FindingStatus.RESOLVED else _UPDATE
    if line.kind is EventKind.OPENED:
        return _CREATE
    return _CLOSE if line.kind is EventKind.RESOLVED else _UPDATE


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
