"""Findings: one record per rule and group, and the pure transitions of its life."""

from lantern.domain.findings.decisions import (
    MAX_SUPPRESSION,
    acknowledge,
    assign,
    expire,
    resolve,
    suppress,
    unsuppress,
)
from lantern.domain.findings.following import apply_delta, reconcile
from lantern.domain.findings.records import (
    AffectedGrant,
    Desired,
    EventKind,
    Finding,
    FindingError,
    FindingEvent,
    FindingStatus,
    GrantState,
    Group,
    HistoryEntry,
    Outcome,
    Resolution,
    finding_id,
)

__all__ = [
    "MAX_SUPPRESSION",
    "AffectedGrant",
    "Desired",
    "EventKind",
    "Finding",
    "FindingError",
    "FindingEvent",
    "FindingStatus",
    "GrantState",
    "Group",
    "HistoryEntry",
    "Outcome",
    "Resolution",
    "acknowledge",
    "apply_delta",
    "assign",
    "expire",
    "finding_id",
    "reconcile",
    "resolve",
    "suppress",
    "unsuppress",
]
