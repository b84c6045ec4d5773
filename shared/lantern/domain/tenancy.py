"""Tenants, their connections, and the runs that read them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lantern.domain.inventory import Provider

TenantStatus = Literal["active", "suspended", "deleting"]
ConnectionStatus = Literal["active", "needs_attention", "disconnecting", "disconnected"]
ConnectionKind = Literal["consent", "import"]
RunKind = Literal["full", "changes", "backfill"]
RunState = Literal["running", "complete", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer organisation. Its id is random and says nothing."""

    id: str
    name: str
    status: TenantStatus
    created_at: datetime
    rev: int = 0


@dataclass(frozen=True, slots=True)
class Connection:
    """One organisation at one provider, joined to a tenant by an administrator's consent.

    `organisation_id` is the provider's immutable id (Google: `customerId`); its name is only a label.
    `domains` are those the provider says are the organisation's own, as of the last full run.
    One of kind `import` holds what files said: there is no access behind it, nothing to read or to revoke.
    `shards` is the power of two by which footprints and freshness are cut; `baseline_at` is when the first
    full run ended: what appears later is new. `mail`: headers of mail were asked for (see `mail_reading`).
    """

    id: str
    provider: Provider
    organisation_id: str
    name: str
    status: ConnectionStatus
    granted_scopes: frozenset[str]
    missing_scopes: frozenset[str]
    connected_at: datetime
    connected_by: str | None = None
    shards: int = 1
    attention: str | None = None
    remedy: str | None = None
    baseline_at: datetime | None = None
    last_full_run: str | None = None
    last_full_at: datetime | None = None
    last_changes_at: datetime | None = None
    kind: ConnectionKind = "consent"
    domains: tuple[str, ...] = ()
    mail: bool = False
    rev: int = 0

    @property
    def leaving(self) -> bool:
        """Whether it is being given up: then it is read no more, and messages about it are done."""
        return self.status in {"disconnecting", "disconnected"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a run could and could not read. Bundles that failed are unknown, never empty.

    `unread` lists principal ids whose grants could not be read, with the reason in `reasons`
    (reason → count). `listed` is None while the listing of principals is not finished.
    """

    listed: int | None = None
    read: int = 0
    unread: tuple[str, ...] = ()
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every principal was listed and read."""
        return self.listed is not None and not self.unread


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What a run found and wrote."""

    principals: int = 0
    grants: int = 0
    bundles_written: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    calls: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One reading of a connection; a full run is one chain of messages."""

    id: str
    connection_id: str
    kind: RunKind
    state: RunState
    cause: str
    started_at: datetime
    finished_at: datetime | None = None
    coverage: Coverage = field(default_factory=Coverage)
    counts: RunCounts = field(default_factory=RunCounts)
    error: str | None = None
    remedy: str | None = None
    rev: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to be the one worker of a chain; `fence` grows with every owner."""

    owner: str
    fence: int
    expires_at: datetime
