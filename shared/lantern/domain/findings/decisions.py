"""What people decide about a finding: acknowledge, snooze, except, resolve, reopen; and what time ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lantern.domain.findings.recording import (
    end_event,
    end_quiet,
    expired,
    loud,
    note_text,
    record,
    require_aware,
    said_by,
    worst_open,
)
from lantern.domain.findings.records import (
    QUIET,
    EventKind,
    Finding,
    FindingInputError,
    FindingStateError,
    FindingStatus,
    Outcome,
    Resolution,
    Verdict,
)

MAX_EXCEPTION: Final = timedelta(days=366)
MAX_SNOOZE: Final = timedelta(days=90)
_SAYS: Final = {
    Resolution.FALSE_POSITIVE: Verdict.FALSE_POSITIVE,
    Resolution.BENIGN: Verdict.BENIGN,
    Resolution.FIXED: Verdict.TRUE_POSITIVE,
    Resolution.ACCEPTED: Verdict.TRUE_POSITIVE,
}
"""What closing a finding says of it, where nobody said anything else."""


def acknowledge(finding: Finding, now: datetime, *, actor: str, note: str = "") -> Outcome:
    """Somebody takes the finding on. Acknowledging twice changes nothing.

    Raises:
        FindingStateError: it is snoozed, an exception or resolved.
    """
    if finding.status is FindingStatus.ACKNOWLEDGED:
        return finding, ()
    if finding.status is not FindingStatus.OPEN:
        raise FindingStateError(f"{_named(finding)} cannot be acknowledged")
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
    says = _SAYS[resolution]
    # Whoever closes it as wrong or harmless says so; fixing or accepting it leaves an earlier word alone.
    verdict = finding.feedback if says is Verdict.TRUE_POSITIVE and finding.feedback else says
    changed = replace(
        loud(finding, FindingStatus.RESOLVED),
        resolution=resolution,
        resolution_note=note,
        feedback=verdict,
    )
    return record(changed, now, [said_by(EventKind.RESOLVED, actor, note)])


def snooze(finding: Finding, now: datetime, *, actor: str, until: datetime, note: str = "") -> Outcome:
    """Keep the finding quiet for a while; it opens again at `until`, or when it gets worse.

    Raises:
        FindingStateError: it is resolved, or an exception.
        FindingInputError: the date is past or too far away.
    """
    if finding.status in {FindingStatus.RESOLVED, FindingStatus.EXCEPTION}:
        raise FindingStateError(f"{_named(finding)} cannot be snoozed")
    text = note_text(note, "note")
    quiet = _quiet(finding, now, FindingStatus.SNOOZED, text, until, MAX_SNOOZE)
    return record(quiet, now, [said_by(EventKind.SNOOZED, actor, text)])


def except_(
    finding: Finding, now: datetime, *, actor: str, reason: str, owner: str, until: datetime
) -> Outcome:
    """Let what the finding says be, for a reason, under an owner, until a date; then it opens again.

    It ends early when the severity rises above what was accepted. Doing it again replaces all three.

    Raises:
        FindingStateError: it is resolved.
        FindingInputError: reason or owner is missing, or the date is past or over a year away.
    """
    if finding.status is FindingStatus.RESOLVED:
        raise FindingStateError("a resolved finding needs no exception")
    note, who = note_text(reason, "reason"), note_text(owner, "owner")
    if not note:
        raise FindingInputError("reason", "an exception needs a reason")
    if not who:
        raise FindingInputError("owner", "an exception needs somebody who answers for it")
    quiet = _quiet(finding, now, FindingStatus.EXCEPTION, note, until, MAX_EXCEPTION)
    return record(replace(quiet, quiet_owner=who), now, [said_by(EventKind.EXCEPTED, actor, note)])


def _quiet(
    finding: Finding, now: datetime, status: FindingStatus, reason: str, until: datetime, most: timedelta
) -> Finding:
    require_aware(until, "until")
    if not now < until <= now + most:
        raise FindingInputError("until", f"must lie within the next {most.days} days")
    return replace(
        loud(finding, status), quiet_reason=reason, quiet_until=until, quiet_severity=finding.severity
    )


def reopen(finding: Finding, now: datetime, *, actor: str, reason: str = "") -> Outcome:
    """Open a finding that was resolved or let be; one whose cause is gone is resolved instead.

    Raises:
        FindingStateError: it is open, or resolved because its cause is gone.
    """
    note = note_text(reason, "reason")
    if finding.status in QUIET:
        return record(end_quiet(finding), now, [end_event(finding, finding, actor, note=note)])
    if finding.status is not FindingStatus.RESOLVED:
        raise FindingStateError(f"{_named(finding)} is open already")
    if not finding.holds:
        raise FindingStateError("its cause is gone: the finding reopens by itself when that comes back")
    back = replace(
        finding,
        # While resolved it kept the level that was accepted; what is there now may be less.
        severity=worst_open(finding),
        status=FindingStatus.OPEN,
        reopened_count=finding.reopened_count + 1,
        resolution=None,
        resolution_note="",
    )
    return record(back, now, [said_by(EventKind.REOPENED, actor, note)])


def expire(finding: Finding, now: datetime) -> Outcome:
    """End a snooze or exception whose time is over; anything else is returned unchanged."""
    if not expired(finding, now):
        return finding, ()
    return record(end_quiet(finding), now, [end_event(finding, finding, None)])


def feedback(finding: Finding, now: datetime, *, actor: str, verdict: Verdict, note: str = "") -> Outcome:
    """Say whether the finding was right; saying the same again changes nothing. Its status stays."""
    if finding.feedback is verdict:
        return finding, ()
    text = note_text(note, "note")
    return record(replace(finding, feedback=verdict), now, [said_by(EventKind.FEEDBACK, actor, text)])


def _named(finding: Finding) -> str:
    article = "an" if finding.status[0] in "aeo" else "a"
    return (
        f"{article} {finding.status} finding"
        if finding.status is not FindingStatus.EXCEPTION
        else ("a finding with an exception")
    )


def assign(finding: Finding, now: datetime, *, actor: str, assignee: str | None, note: str = "") -> Outcome:
    """Say who looks after the finding (an opaque person id) and leave a note; None clears it."""
    text = note_text(note, "note")
    if finding.assignee == assignee and finding.note == text:
        return finding, ()
    return record(
        replace(finding, assignee=assignee, note=text), now, [said_by(EventKind.ASSIGNED, actor, text)]
    )
