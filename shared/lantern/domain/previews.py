"""What a proposed change of the policy would do: over what is there now, and over what happened lately."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from lantern.domain.inventory import DeltaKind
from lantern.domain.rules.policy import RuleSettings

PreviewState = Literal["pending", "done", "failed"]
HISTORY_DAYS: Final = 90
MAX_SAMPLES: Final = 20
"""Findings, and moments of history, that a result names; all are counted."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Other settings of a rule, or an own rule's page with its compiled form; exactly one of both."""

    rule_id: str
    settings: RuleSettings | None = None
    page: Mapping[str, Any] | None = None
    compiled: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FindingSample:
    """One finding that would be opened, changed or resolved; `items` are grants or assets now affected."""

    finding_id: str
    group_kind: str
    group_id: str
    title: str
    severity: str
    items: int
    change: Literal["opens", "reopens", "changes", "resolves"]


@dataclass(frozen=True, slots=True)
class NowResult:
    """Over the current inventory, against the findings that are stored.

    `unchanged` findings stay as they are. `severities` counts the findings that would be open, by level.
    `items` are the grants or assets that would be affected, `unknown` those about which the rule cannot
    tell. `acts` is response → how many items it would propose to act on; empty unless the rule is enforced.
    """

    opens: int = 0
    reopens: int = 0
    changes: int = 0
    resolves: int = 0
    unchanged: int = 0
    items: int = 0
    unknown: int = 0
    severities: Mapping[str, int] = field(default_factory=dict)
    acts: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[FindingSample, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of the past at which the rule would have fired or let go."""

    at: datetime
    principal_id: str
    app_id: str
    kind: DeltaKind
    fires: bool
    severity: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryResult:
    """Over the changes of the last days.

    `replayed` False: the rule is about something whose past is not kept (`why` says so). Each change of a
    grant is weighed with the scopes and dates it had then; what is known of apps and holders is today's, and
    use of the past is unknown. `days` is how often the rule would have fired on each day.
    """

    since: date
    until: date
    replayed: bool
    why: str = ""
    changes: int = 0
    fires: int = 0
    lets_go: int = 0
    unknown: int = 0
    days: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """One question and, once `done`, its answer. `error` says why there is none."""

    id: str
    state: PreviewState
    proposal: Proposal
    created_at: datetime
    created_by: str
    finished_at: datetime | None = None
    now: NowResult | None = None
    history: HistoryResult | None = None
    error: str | None = None
    rev: int = 0
