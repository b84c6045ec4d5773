"""Writing a change down: history, revision and events; shared by evaluation and decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.findings.records import (
    QUIET,
    EventKind,
    Finding,
    FindingEvent,
    FindingInputError,
    FindingStatus,
    GrantState,
    HistoryEntry,
    Outcome,
    Resolution,
)
from lantern.domain.rules.titles import clean
from lantern.domain.rules.vocabulary import Severity

KEEP_RESOLVED: Final = timedelta(days=90)
"""How long a grant stays listed after it was resolved; dropped at the next change of the record."""
MAX_HISTORY: Final = 50
MAX_NOTE: Final = 1000


@dataclass(frozen=True, slots=True)
class Said:
    """An event before it knows the revision it belongs to."""

    kind: EventKind
    grants: tuple[str, ...] = ()
    previous_severity: Severity | None = None
    actor: str | None = None
    note: str = ""


def said_by(kind: EventKind, actor: str | None, note: str) -> Said:
    """An event that somebody caused."""
    return Said(kind, actor=actor, note=note)


def record(finding: Finding, now: datetime, said: list[Said]) -> Outcome:
    """Write what was said into the history, count the revision and drop what is long over."""
    lines = tuple(
        HistoryEntry(
            now, item.kind, finding.severity, len(item.grants), item.actor, item.note, finding.rev + 1
        )
        for item in said
    )
    history = finding.history + lines
    if len(history) > MAX_HISTORY:
        history = history[:1] + history[-(MAX_HISTORY - 1) :]
    affected = tuple(
        item
        for item in finding.affected
        if item.resolved_at is None or now - item.resolved_at < KEEP_RESOLVED
    )
    changed = replace(finding, history=history, affected=affected, rev=finding.rev + 1)
    return changed, tuple(_event(changed, item, now) for item in said)


def _event(finding: Finding, said: Said, now: datetime) -> FindingEvent:
    return FindingEvent(
        finding_id=finding.id,
        rev=finding.rev,
        kind=said.kind,
        at=now,
        rule_id=finding.rule_id,
        group=finding.group,
        severity=finding.severity,
        previous_severity=said.previous_severity,
        grants=said.grants,
        actor=said.actor,
        note=said.note,
    )


def expired(finding: Finding, now: datetime) -> bool:
    """Whether its snooze or exception is over."""
    return finding.status in QUIET and finding.quiet_until is not None and now >= finding.quiet_until


def worsened(existing: Finding, seen: Finding) -> bool:
    """Whether it got worse than it was when somebody let it be quiet."""
    accepted = existing.quiet_severity or existing.severity
    return seen.holds and seen.severity.rank > accepted.rank


def loud(finding: Finding, status: FindingStatus) -> Finding:
    """The finding in another status, its snooze or exception forgotten."""
    return replace(
        finding, status=status, quiet_reason="", quiet_until=None, quiet_owner=None, quiet_severity=None
    )


def worst_open(finding: Finding) -> Severity:
    """The worst of what it lists as affected now; its own severity where it lists nothing."""
    levels = [item.severity for item in finding.affected if item.state is GrantState.OPEN]
    return max(levels, key=lambda level: level.rank, default=finding.severity)


def end_quiet(finding: Finding) -> Finding:
    """Open again when it still holds, else resolved as cleared."""
    if finding.holds:
        return loud(finding, FindingStatus.OPEN)
    return replace(loud(finding, FindingStatus.RESOLVED), resolution=Resolution.CLEARED)


def end_event(
    before: Finding, seen: Finding, actor: str | None, gone: tuple[str, ...] = (), note: str = ""
) -> Said:
    """What to tell when a snooze or exception ends: `before` is quiet, `seen` what holds now."""
    if not seen.holds:
        return Said(EventKind.RESOLVED, gone, actor=actor, note=note)
    snoozed = before.status is FindingStatus.SNOOZED
    kind = EventKind.SNOOZE_ENDED if snoozed else EventKind.EXCEPTION_ENDED
    return Said(kind, actor=actor, note=note)


def note_text(raw: str, name: str) -> str:
    """One line without control or direction characters; raises when too long rather than cutting."""
    if len(raw) > MAX_NOTE:
        raise FindingInputError(name, f"at most {MAX_NOTE} characters")
    return clean(raw, MAX_NOTE)


def require_aware(moment: datetime, name: str) -> None:
    """Raise FindingInputError unless the time has a zone."""
    if moment.utcoffset() is None:
        raise FindingInputError(name, "must have a time zone")
