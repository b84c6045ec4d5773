"""Work messages: what to look at, never what to do to it, and for whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Queue = Literal["hints", "runs"]
Worker = Literal["discovery", "scoring", "remediation", "outreach"]
WORKERS: Final[tuple[Worker, ...]] = get_args(Worker)
WorkKind = Literal[
    "connection.full",
    "connection.changes",
    "connection.use",
    "connection.channels",
    "connection.assets",
    "connection.mail",
    "connection.disconnect",
    "bundle.read",
    "import.read",
    "score.run",
    "score.bundle",
    "score.app",
    "score.catalog",
    "score.policy",
    "score.whole",
    "policy.preview",
    "people.join",
    "job.run",
    "playbook.run",
    "playbook.due",
    "incident.follow",
    "people.due",
    "nudge.follow",
    "nudge.send",
    "nudge.press",
    "slack.command",
    "campaign.build",
    "campaign.tell",
    "campaign.close",
    "outreach.findings",
    "outreach.due",
    "outreach.deliver",
    "outreach.unsubscribe",
]

ROUTES: Final[Mapping[WorkKind, tuple[Queue, Worker]]] = {
    "connection.full": ("runs", "discovery"),
    "connection.changes": ("runs", "discovery"),
    "connection.use": ("runs", "discovery"),
    "connection.channels": ("hints", "discovery"),
    "connection.assets": ("runs", "discovery"),
    "connection.mail": ("runs", "discovery"),
    "connection.disconnect": ("hints", "discovery"),
    "bundle.read": ("hints", "discovery"),
    "import.read": ("runs", "discovery"),
    "score.run": ("runs", "scoring"),
    "score.bundle": ("hints", "scoring"),
    "score.app": ("hints", "scoring"),
    "score.catalog": ("runs", "scoring"),
    "score.policy": ("runs", "scoring"),
    "score.whole": ("runs", "scoring"),
    "policy.preview": ("runs", "scoring"),
    "people.join": ("runs", "scoring"),
    "job.run": ("runs", "remediation"),
    "playbook.run": ("runs", "remediation"),
    "playbook.due": ("runs", "remediation"),
    "incident.follow": ("runs", "scoring"),
    "people.due": ("hints", "scoring"),
    "nudge.follow": ("hints", "scoring"),
    "nudge.send": ("hints", "scoring"),
    "nudge.press": ("hints", "outreach"),
    "slack.command": ("hints", "outreach"),
    "campaign.build": ("runs", "scoring"),
    "campaign.tell": ("runs", "scoring"),
    "campaign.close": ("runs", "scoring"),
    "outreach.findings": ("hints", "outreach"),
    "outreach.due": ("hints", "outreach"),
    "outreach.deliver": ("hints", "outreach"),
    "outreach.unsubscribe": ("hints", "outreach"),
}
"""Which queue carries a kind of work and which function does it: `hints` is at most 60 s of work."""

MAX_HOPS: Final = 5_000
"""A chain longer than this is a bug, not an organisation (900 s a hop)."""


@dataclass(frozen=True, slots=True)
class Work:
    """One message.

    `body` holds small identifiers only, never secrets or personal data, but for the one line that somebody
    typed as a command.
    `hop` counts how often a chain has re-enqueued itself. `delivery` is the queue's own id of the
    message, the same when it is delivered again; the dispatcher fills it in.
    """

    tenant_id: str
    kind: WorkKind
    connection_id: str | None = None
    body: Mapping[str, str] = field(default_factory=dict)
    hop: int = 0
    cause: str = "system"
    delivery: str = ""

    @property
    def queue(self) -> Queue:
        """The queue that carries it."""
        return ROUTES[self.kind][0]

    @property
    def worker(self) -> Worker:
        """The function that does it."""
        return ROUTES[self.kind][1]
