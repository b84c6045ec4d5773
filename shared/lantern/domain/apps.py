"""What is known, judged and decided about an app, as kept per tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from lantern.domain.inventory import App, AppKind, Provider
from lantern.domain.risk.model import level_of

AppStatus = Literal["approved", "restricted", "under_review", "not_allowed"]
Verdict = Literal["ai", "embedded_ai", "not_ai", "unknown"]
ProductEvidence = Literal["id", "domain", "publisher"]
"""What joins an app to its product: the vendor's registration, its domain, or a verified publisher."""


@dataclass(frozen=True, slots=True)
class AppDecision:
    """What the tenant decided about an app; decided together with its audit entry."""

    app_id: str
    status: AppStatus
    by: str
    at: datetime
    note: str = ""
    rev: int = 0


@dataclass(frozen=True, slots=True)
class StoredRisk:
    """An assessment as stored: `body` is the assessment's own document.

    `fingerprint` covers everything the assessment was computed from, so an equal one need not be written.
    """

    app_id: str
    fingerprint: str
    body: Mapping[str, Any]
    rev: int = 0


@dataclass(frozen=True, slots=True)
class RiskOverride:
    """A risk that people set in place of the computed one, until a time; `score` None takes it back.

    A taken-back override stays stored, so that its revision goes on counting.
    """

    app_id: str
    score: int | None
    note: str
    by: str
    at: datetime
    until: datetime
    rev: int = 0

    def in_effect(self, now: datetime) -> int | None:
        """The score that holds at `now`; None where the computed one does."""
        return self.score if now < self.until else None


@dataclass(frozen=True, slots=True)
class AppView:
    """All that is stored of one app; each part is None while it is unknown."""

    app_id: str
    facts: App | None
    risk: StoredRisk | None
    decision: AppDecision | None
    override: RiskOverride | None = None


@dataclass(frozen=True, slots=True)
class AppNotes:
    """What judging notes of an app for the rules alone; None is not known.

    `unused` counts scopes never used, `sent` bytes seen going to it. `exception_until` is when the latest
    exception for it ends or ended, `approval_ended_at` when an approval for a time ran out, where nobody
    decided since.
    """

    verified: bool | None = None
    data: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    anomalies: tuple[str, ...] | None = None
    odd_accounts: int | None = None
    unused: int | None = None
    unused_severity: str | None = None
    sent: int | None = None
    decided_at: datetime | None = None
    exception_until: datetime | None = None
    approval_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AppSummary:
    """One row of the apps list, small enough that all rows of a tenant are read in one query.

    It holds whatever a list shows or filters on and whatever rules read of an app. `confidence` is that of
    the verdict, 0 to 1; `risk` is 0-100, None while not assessed; `holders` counts principals.
    `shares` are the packed shares of the risk's factors (`risk.pack_shares`). While people set the risk,
    `risk_computed` is what it would be, and `override_until` when theirs ends. `abused`: a public report
    of abuse fits it. `product_evidence` is None where the app is not joined to a product: a name alone is
    no reason. `noted` is None for a row written before there were notes.
    """

    app_id: str
    provider: Provider
    name: str
    kind: AppKind
    verdict: Verdict
    confidence: float
    holders: int
    risk: int | None = None
    risk_level: str | None = None
    category: str | None = None
    product: str | None = None
    product_id: str | None = None
    vendor: str | None = None
    publisher: str | None = None
    lookalike_of: str | None = None
    scope_severity: str | None = None
    status: AppStatus | None = None
    first_seen: datetime | None = None
    last_used: date | None = None
    connections: tuple[str, ...] = ()
    shares: str | None = None
    risk_computed: int | None = None
    override_until: datetime | None = None
    abused: bool = False
    product_evidence: ProductEvidence | None = None
    noted: AppNotes | None = None

    def at(self, now: datetime) -> "AppSummary":
        """The row as it holds at `now`: an override that has ended gives way to the computed risk."""
        if self.override_until is None or now < self.override_until:
            return self
        level = None if self.risk_computed is None else level_of(self.risk_computed)
        return replace(
            self, risk=self.risk_computed, risk_level=level, risk_computed=None, override_until=None
        )
