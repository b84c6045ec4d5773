"""The record of a finding, what evaluation wants of it, and the events it gives rise to."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from lantern.domain.errors import ConflictError, InvalidInputError, LanternError
from lantern.domain.rules.vocabulary import Grade, GroupBy, Severity, Subject


class FindingError(LanternError):
    """A transition that was refused; the message says why."""


class FindingStateError(FindingError, ConflictError):
    """The finding's status does not allow the transition."""


class FindingInputError(FindingError, InvalidInputError):
    """A value of the transition is missing or out of bounds; `field` names it."""


class FindingStatus(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    EXCEPTION = "exception"
    RESOLVED = "resolved"


QUIET: Final = frozenset({FindingStatus.SNOOZED, FindingStatus.EXCEPTION})
"""Nothing is told of a finding of these, until its date has come or it gets worse."""


class Verdict(StrEnum):
    """What somebody who looked says of a finding; a rule's statistics count it."""

    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"


class GrantState(StrEnum):
    """Whether a grant, or asset, is still affected."""

    OPEN = "open"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """Why a finding is resolved: `cleared` by evaluation, the others by a person."""

    CLEARED = "cleared"
    FIXED = "fixed"
    ACCEPTED = "accepted"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"


class EventKind(StrEnum):
    """What happened to a finding."""

    OPENED = "opened"
    REOPENED = "reopened"
    GRANTS_ADDED = "grants_added"
    GRANTS_RESOLVED = "grants_resolved"
    SEVERITY_CHANGED = "severity_changed"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    EXCEPTED = "excepted"
    EXCEPTION_ENDED = "exception_ended"
    ASSIGNED = "assigned"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class Group:
    """What a finding is about: one app, person, connection or asset."""

    kind: GroupBy
    id: str


@dataclass(frozen=True, slots=True)
class Affected:
    """One grant, or asset, inside a finding: its subject says which. `since` is when it became so last."""

    id: str
    severity: Severity
    since: datetime
    state: GrantState = GrantState.OPEN
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a finding's history; `grants` is how many grants it was about.

    `rev` is the record's revision that it came with; 0 in lines of before it was kept.
    """

    at: datetime
    kind: EventKind
    severity: Severity
    grants: int = 0
    actor: str | None = None
    note: str = ""
    rev: int = 0


@dataclass(frozen=True, slots=True)
class FindingEvent:
    """Something worth telling. (`finding_id`, `rev`, `kind`) is unique; `rev` is the record's new revision.

    `actor` is the opaque id of who decided, None for evaluation and for the passing of time.
    """

    finding_id: str
    rev: int
    kind: EventKind
    at: datetime
    rule_id: str
    group: Group
    severity: Severity
    previous_severity: Severity | None = None
    grants: tuple[str, ...] = ()
    actor: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause about one group. `affected` is ordered by id; `rev` grows by one with each change.

    What is affected are grants or assets, as `subject` says; a rule about an app, a person or a connection
    lists nothing.

    `last_seen` is the last evaluation that changed the record; how fresh the knowledge is stands on the
    run, so that an unchanged finding costs no write. The `quiet_` fields are those of a snooze or an
    exception: why, until when, at which severity it was decided, and who answers for an exception.
    """

    id: str
    rule_id: str
    rule_version: str
    subject: Subject
    group: Group
    severity: Severity
    status: FindingStatus
    title: str
    holds: bool
    affected: tuple[Affected, ...]
    first_seen: datetime
    last_seen: datetime
    reopened_count: int = 0
    history: tuple[HistoryEntry, ...] = ()
    quiet_reason: str = ""
    quiet_until: datetime | None = None
    quiet_owner: str | None = None
    quiet_severity: Severity | None = None
    feedback: Verdict | None = None
    resolution: Resolution | None = None
    resolution_note: str = ""
    assignee: str | None = None
    note: str = ""
    rev: int = 1

    @property
    def open_items(self) -> frozenset[str]:
        """Ids of what is affected now, grants or assets."""
        return frozenset(item.id for item in self.affected if item.state is GrantState.OPEN)

    @property
    def open_grants(self) -> frozenset[str]:
        """Ids of the grants affected now; none where the rule looks at something else."""
        return self.open_items if self.subject is Subject.GRANT else frozenset()

    @property
    def open_assets(self) -> frozenset[str]:
        """Ids of the assets affected now; none where the rule looks at something else."""
        return self.open_items if self.subject is Subject.ASSET else frozenset()


@dataclass(frozen=True, slots=True)
class Desired:
    """What evaluation says holds for one group.

    `grants` maps each grant, or asset, for which the rule is True to its grade. A rule about an app, a person
    or a connection has a `grade` of its own instead, and may have no grants.
    """

    rule_id: str
    rule_version: str
    subject: Subject
    group: Group
    title: str
    grants: Mapping[str, Grade]
    grade: Grade | None = None

    @property
    def finding_id(self) -> str:
        """Id of the finding this is about."""
        return finding_id(self.rule_id, self.group)


Outcome = tuple[Finding, tuple[FindingEvent, ...]]


def finding_id(rule_id: str, group: Group) -> str:
    """The one id a rule and a group can have: `fnd_` and 26 characters of [a-z2-7] (130 bits)."""
    digest = hashlib.sha256("\0".join((rule_id, group.kind, group.id)).encode()).digest()
    return "fnd_" + base64.b32encode(digest).decode()[:26].lower()
