"""A customer's webhook endpoints, and what is said of a finding to systems. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from lantern.domain.findings import EventKind, Finding, HistoryEntry
from lantern.domain.ids import RandomBytes

PayloadKind = Literal["lantern", "ocsf"]
EndpointStatus = Literal["enabled", "disabled"]
Why = Literal["", "failing", "gone", "asked"]

ENDPOINT: Final = "whe"
MAX_ENDPOINTS: Final = 10
FAILING_FOR: Final = timedelta(days=5)
"""An endpoint that took nothing for so long is disabled."""
SILENCE: Final = timedelta(minutes=1)
"""For how long an endpoint that did not answer is not asked again."""
SILENT: Final = frozenset({"timeout", "unreachable", "unresolvable", "tls", "garbled"})
OVERLAP: Final = timedelta(hours=24)
"""For how long after a rotation the old secret signs too."""
PLAYBOOK_EVENTS: Final = ("playbook.notified", "playbook.ticket")
"""What playbooks tell systems: that something is left to do, and that a ticket is to be opened."""
EVENT_TYPES: Final = (*(f"finding.{kind.value}" for kind in EventKind), *PLAYBOOK_EVENTS)
TEST_EVENT: Final = "lantern.test"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a customer wants events.

    Address and secrets are sealed and not here: `host` is what of the address may be shown.

    Attributes:
        id: `whe_…`.
        host: host of the address.
        description: the customer's words.
        events: wanted types; empty means all.
        payload: our own event, or one of the Open Cybersecurity Schema Framework.
        generation: number of the secret that signs.
        overlap_until: until when the secret before signs too.
        failing_since: since when nothing was taken; None when the last attempt was.
        why: why it is disabled.
        silent_at: when it last did not answer at all; None once it answers.
    """

    id: str
    host: str
    created_at: datetime
    created_by: str
    description: str = ""
    events: tuple[str, ...] = ()
    payload: PayloadKind = "lantern"
    status: EndpointStatus = "enabled"
    why: Why = ""
    generation: int = 1
    overlap_until: datetime | None = None
    failing_since: datetime | None = None
    silent_at: datetime | None = None
    rev: int = 0

    def wants(self, event_type: str) -> bool:
        """Whether it is told of such an event."""
        return self.status == "enabled" and (not self.events or event_type in self.events)

    def is_silent(self, now: datetime) -> bool:
        """Whether it did not answer a moment ago: whoever waits for it again keeps others waiting."""
        return self.silent_at is not None and now < self.silent_at + SILENCE

    @property
    def address_id(self) -> str:
        """Under which id its address is sealed."""
        return f"{self.id}.url"

    def secret_ids(self, now: datetime) -> tuple[str, ...]:
        """Under which ids the secrets are sealed that sign now, the newest first."""
        numbers = [self.generation]
        if self.overlap_until is not None and now < self.overlap_until and self.generation > 1:
            numbers.append(self.generation - 1)
        return tuple(self.secret_id(number) for number in numbers)

    def secret_id(self, number: int) -> str:
        """Under which id a secret is sealed."""
        return f"{self.id}.s{number}"


def new_secret(random: RandomBytes) -> str:
    """A signing secret as Standard Webhooks writes it: `whsec_` and 192 random bits in base64."""
    return "whsec_" + base64.b64encode(random(24)).decode()


def rotated(endpoint: Endpoint, now: datetime) -> Endpoint:
    """The endpoint with its next secret; the one before signs too for a day."""
    return replace(endpoint, generation=endpoint.generation + 1, overlap_until=now + OVERLAP)


def after_attempt(endpoint: Endpoint, outcome: str, detail: str, now: datetime) -> Endpoint:
    """The endpoint after an attempt: healthy, failing, or disabled; itself where nothing changed."""
    if endpoint.status == "disabled":
        return endpoint
    if outcome == "sent":
        return (
            endpoint
            if endpoint.failing_since is None
            else replace(endpoint, failing_since=None, silent_at=None)
        )
    endpoint = replace(endpoint, silent_at=now if detail in SILENT else None)
    if detail == "gone":
        return replace(endpoint, status="disabled", why="gone")
    if endpoint.failing_since is None:
        return replace(endpoint, failing_since=now)
    if now - endpoint.failing_since >= FAILING_FOR:
        return replace(endpoint, status="disabled", why="failing")
    return endpoint


def event_of(finding: Finding, line: HistoryEntry, organisation: str) -> dict[str, Any]:
    """Our own event, in the form that Standard Webhooks recommends: type, timestamp, data.

    The title holds names that anybody may have chosen. Who decided is an opaque id.
    """
    return {
        "type": f"finding.{line.kind.value}",
        "timestamp": line.at.isoformat(),
        "data": {
            "tenant_id": organisation,
            "finding": {
                "id": finding.id,
                "rule_id": finding.rule_id,
                "title": finding.title,
                "severity": finding.severity.value,
                "status": finding.status.value,
                "subject_kind": finding.group.kind.value,
                "subject_id": finding.group.id,
                "holds": finding.holds,
                "grants": len(finding.open_grants),
                "assets": len(finding.open_assets),
                "first_seen": finding.first_seen.isoformat(),
                "last_seen": finding.last_seen.isoformat(),
            },
            "change": {"kind": line.kind.value, "actor": line.actor, "note": line.note},
        },
    }
