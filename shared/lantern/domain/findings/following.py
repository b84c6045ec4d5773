"""How a finding follows evaluation, whole or in part.

Two things are kept apart. `holds` and `affected` say what evaluation last knew to be true; `status` says
what became of it: open, acknowledged, snoozed, an exception or resolved. An unknown changes neither.

A snooze or an exception is about what somebody saw: it ends early when the severity rises above that.

Manual resolution of a finding that still holds is a decision about what is there now: it stays resolved
while the affected grants stay the same or become fewer, and reopens when a grant joins or the severity
rises above the level that was accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from lantern.domain.findings.recording import (
    Said,
    end_event,
    end_quiet,
    expired,
    record,
    require_aware,
    worsened,
)
from lantern.domain.findings.records import (
    QUIET,
    Affected,
    Desired,
    EventKind,
    Finding,
    FindingError,
    FindingEvent,
    FindingStatus,
    GrantState,
    Outcome,
    Resolution,
)
from lantern.domain.rules.vocabulary import LISTED, Severity, Subject


def reconcile(
    existing: Finding | None,
    desired: Desired | None,
    now: datetime,
    *,
    unknown: AbstractSet[str] = frozenset(),
    subject_unknown: bool = False,
) -> tuple[Finding | None, tuple[FindingEvent, ...]]:
    """Bring a finding in line with a whole evaluation of its group.

    Args:
        existing: the stored record, None when there is none.
        desired: what holds, None when nothing does.
        now: aware time of the evaluation.
        unknown: grants about which the rule could not tell: neither added nor resolved.
        subject_unknown: the rule could not tell about the subject as a whole: nothing is resolved.

    Returns:
        The record (the very same object when nothing changed) and what to tell about it.

    Raises:
        FindingError: `desired` is about another finding, or `now` has no time zone.
    """
    require_aware(now, "now")
    if existing is None:
        return (None, ()) if _is_empty(desired) or desired is None else _open(desired, now)
    if desired is not None and desired.finding_id != existing.id:
        raise FindingError(f"{desired.finding_id} cannot be reconciled with {existing.id}")
    kept = existing.open_items if subject_unknown else existing.open_items & unknown
    affected, added, gone = _merge(existing, desired, kept, now)
    seen = replace(
        existing,
        affected=affected,
        holds=_holds(existing, desired, affected, subject_unknown=subject_unknown),
        title=desired.title if desired else existing.title,
        rule_version=desired.rule_version if desired else existing.rule_version,
    )
    seen = replace(seen, severity=_severity(seen, desired))
    return _settle(existing, seen, added, gone, now)


def apply_delta(
    existing: Finding | None, added: Desired | None, removed: AbstractSet[str], now: datetime
) -> tuple[Finding | None, tuple[FindingEvent, ...]]:
    """Bring a finding in line with the evaluation of some of its grants, such as one principal's.

    Args:
        existing: the stored record, None when there is none.
        added: what holds among the grants evaluated, None when none does.
        removed: grants evaluated for which the rule is False, and grants that are gone.
        now: aware time of the evaluation.

    Every grant not named is left as it is, which is exactly what `reconcile` does with unknown ones.

    Raises:
        FindingError: as `reconcile`, or the rule does not look at grants one by one.
    """
    subject = existing.subject if existing else added.subject if added else Subject.GRANT
    if subject not in LISTED:
        raise FindingError(f"a rule about a {subject} has no grants to add or remove: evaluate it whole")
    unnamed = existing.open_items - removed if existing else frozenset[str]()
    return reconcile(existing, added, now, unknown=unnamed)


def _is_empty(desired: Desired | None) -> bool:
    return desired is None or (desired.subject in LISTED and not desired.grants)


def _open(desired: Desired, now: datetime) -> Outcome:
    affected = tuple(
        Affected(grant_id, grade.level, now)
        for grant_id, grade in sorted(desired.grants.items(), key=lambda item: item[0])
    )
    blank = Finding(
        id=desired.finding_id,
        rule_id=desired.rule_id,
        rule_version=desired.rule_version,
        subject=desired.subject,
        group=desired.group,
        severity=desired.grade.level if desired.grade else Severity.INFO,
        status=FindingStatus.OPEN,
        title=desired.title,
        holds=True,
        affected=affected,
        first_seen=now,
        last_seen=now,
        rev=0,
    )
    opened = replace(blank, severity=_severity(blank, desired))
    return record(opened, now, [Said(EventKind.OPENED, tuple(sorted(desired.grants)))])


def _merge(
    existing: Finding, desired: Desired | None, kept: AbstractSet[str], now: datetime
) -> tuple[tuple[Affected, ...], tuple[str, ...], tuple[str, ...]]:
    """The affected list brought up to date, with the grants that joined it and those that left it."""
    wanted = desired.grants if desired else {}
    by_id = {item.id: item for item in existing.affected}
    added, gone = [], []
    for grant_id, item in list(by_id.items()):
        if item.state is GrantState.OPEN and grant_id not in wanted and grant_id not in kept:
            by_id[grant_id] = replace(item, state=GrantState.RESOLVED, resolved_at=now)
            gone.append(grant_id)
    for grant_id, grade in wanted.items():
        known = by_id.get(grant_id)
        level = grade.level if grade.certain or known is None else known.severity
        if known is None or known.state is GrantState.RESOLVED:
            by_id[grant_id] = Affected(grant_id, level, now)
            added.append(grant_id)
        elif known.severity is not level:
            by_id[grant_id] = replace(known, severity=level)
    affected = tuple(by_id[grant_id] for grant_id in sorted(by_id))
    return affected, tuple(sorted(added)), tuple(sorted(gone))


def _holds(
    existing: Finding,
    desired: Desired | None,
    affected: Iterable[Affected],
    *,
    subject_unknown: bool,
) -> bool:
    if existing.subject in LISTED:
        return any(item.state is GrantState.OPEN for item in affected)
    return desired is not None or (subject_unknown and existing.holds)


def _severity(seen: Finding, desired: Desired | None) -> Severity:
    """The worst of the open grants; for other subjects the rule's own. What is unknown stays as it was."""
    if not seen.holds:
        return seen.severity
    if seen.subject not in LISTED:
        grade = desired.grade if desired else None
        return grade.level if grade and grade.certain else seen.severity
    levels = (item.severity for item in seen.affected if item.state is GrantState.OPEN)
    return max(levels, key=lambda level: level.rank)


def _settle(
    existing: Finding, seen: Finding, added: tuple[str, ...], gone: tuple[str, ...], now: datetime
) -> Outcome:
    """The status that follows from what was seen, and the events worth telling."""
    said: list[Said] = []
    if expired(existing, now) or (existing.status in QUIET and worsened(existing, seen)):
        seen = end_quiet(seen)
        said.append(end_event(existing, seen, None, gone))
    elif existing.status in QUIET:
        return _if_changed(existing, seen, now, [])
    elif existing.status is FindingStatus.RESOLVED:
        seen, said = _after_resolution(existing, seen, added)
        return _if_changed(existing, seen, now, said)
    if seen.status is FindingStatus.RESOLVED:
        return _if_changed(existing, seen, now, said)
    if not seen.holds:
        cleared = replace(seen, status=FindingStatus.RESOLVED, resolution=Resolution.CLEARED)
        return _if_changed(existing, cleared, now, [Said(EventKind.RESOLVED, gone)])
    if added:
        said.append(Said(EventKind.GRANTS_ADDED, added))
    if gone:
        said.append(Said(EventKind.GRANTS_RESOLVED, gone))
    if seen.severity is not existing.severity:
        said.append(Said(EventKind.SEVERITY_CHANGED, previous_severity=existing.severity))
    return _if_changed(existing, seen, now, said)


def _after_resolution(existing: Finding, seen: Finding, added: tuple[str, ...]) -> tuple[Finding, list[Said]]:
    """Whether a resolved finding comes back: see the module's sentence on manual resolution."""
    worse = seen.severity.rank > existing.severity.rank
    if seen.holds and (not existing.holds or added or worse):
        back = replace(
            seen,
            status=FindingStatus.OPEN,
            reopened_count=seen.reopened_count + 1,
            resolution=None,
            resolution_note="",
        )
        return back, [Said(EventKind.REOPENED, added)]
    # A level that was accepted stays accepted: falling and rising back to it is no news.
    return replace(seen, severity=existing.severity), []


def _if_changed(existing: Finding, seen: Finding, now: datetime, said: list[Said]) -> Outcome:
    if seen == existing:
        return existing, ()
    return record(replace(seen, last_seen=max(now, existing.last_seen)), now, said)
