"""What people decide about a finding: acknowledge, resolve, suppress, assign; and what time ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.findings.recording import (
    end_event,
    end_suppression,
    expired,
    note_text,
    record,
    require_aware,
    said_by,
    unsuppressed,
)
from lantern.domain.findings.records import (
    EventKind,
    Finding,
    FindingInputError,
    FindingStateError,
    FindingStatus,
    Outcome,
    Resolution,
)

MAX_SUPPRESSION: Final = timedelta(days=366)


def acknowledge(finding: Finding, now: datetime, *, actor: str, note: str = "") -> Outcome:
    """Somebody takes the finding on. Acknowledging twice changes nothing.

    Raises:
        FindingStateError: it is suppressed or resolved.
    """
    if finding.status is FindingStatus.ACKNOWLEDGED:
        return finding, ()
    if finding.status is not FindingStatus.OPEN:
        raise FindingStateError(f"a {finding.status} finding cannot be acknowledged")
    changed = replace(finding, status=FindingStatus.ACKNOWLEDGED)
    return record(changed, now, [said_by(EventKind.ACKNOWLEDGED, actor, note_text(note, "note"))])


def resolve(
    finding: Finding, now: datetime, *, actor: str, resolution: Resolution, reason: str = ""
) -> Outcome:
    """A person closes the finding; while it still holds this needs a reason.

    Raises:
        FindingStateError: it is resolved already.
        FindingInputError: the reason is missing, or `resolution` is evaluation's own.
    """
    if finding.status is FindingStatus.RESOLVED:
        raise FindingStateError("the finding is resolved already")
    if resolution is Resolution.CLEARED:
        raise FindingInputError("resolution", "only an evaluation can clear a finding")
    note = note_text(reason, "reason")
    if finding.holds and not note:
        raise FindingInputError("reason", "the finding still holds: resolving it needs a reason")
    changed = replace(
        unsuppressed(finding, FindingStatus.RESOLVED), resolution=resolution, resolution_note=note
    )
    return record(changed, now, [said_by(EventKind.RESOLVED, actor, note)])


def suppress(finding: Finding, now: datetime, *, actor: str, reason: str, until: datetime) -> Outcome:
    """Keep the finding quiet until a date. Suppressing again replaces reason and date.

    Raises:
        FindingStateError: it is resolved.
        FindingInputError: the reason is missing, or the date is past or over a year away.
    """
    if finding.status is FindingStatus.RESOLVED:
        raise FindingStateError("a resolved finding cannot be suppressed")
    require_aware(until, "until")
    if not now < until <= now + MAX_SUPPRESSION:
        raise FindingInputError("until", f"must lie within the next {MAX_SUPPRESSION.days} days")
    note = note_text(reason, "reason")
    if not note:
        raise FindingInputError("reason", "suppressing needs a reason")
    changed = replace(finding, status=FindingStatus.SUPPRESSED, suppress_reason=note, suppress_until=until)
    return record(changed, now, [said_by(EventKind.SUPPRESSED, actor, note)])


def unsuppress(finding: Finding, now: datetime, *, actor: str | None) -> Outcome:
    """End a suppression: the finding opens, or resolves when it no longer holds.

    Raises:
        FindingStateError: it is not suppressed.
    """
    if finding.status is not FindingStatus.SUPPRESSED:
        raise FindingStateError(f"a finding that is {finding.status} is not suppressed")
    return record(end_suppression(finding), now, [end_event(finding, actor)])


def expire(finding: Finding, now: datetime) -> Outcome:
    """End a suppression whose time is over; anything else is returned unchanged."""
    return unsuppress(finding, now, actor=None) if expired(finding, now) else (finding, ())


def assign(finding: Finding, now: datetime, *, actor: str, assignee: str | None, note: str = "") -> Outcome:
    """Say who looks after the finding (an opaque person id) and leave a note; None clears it."""
    text = note_text(note, "note")
    if finding.assignee == assignee and finding.note == text:
        return finding, ()
    return record(
        replace(finding, assignee=assignee, note=text), now, [said_by(EventKind.ASSIGNED, actor, text)]
    )
