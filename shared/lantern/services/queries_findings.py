"""Read models of findings."""

from lantern.domain.errors import NotFoundError
from lantern.domain.findings import Finding, FindingStatus, RuleRecord, tally
from lantern.store.documents import Page
from lantern.store.tenant import TenantStore


def one(store: TenantStore, finding_id: str) -> Finding:
    """One finding.

    Raises:
        NotFoundError: no such finding.
    """
    found: Finding | None = store.findings.get(finding_id)
    if found is None:
        raise NotFoundError("finding", finding_id)
    return found


def listing(store: TenantStore, status: FindingStatus | None, after: str | None, limit: int) -> Page[Finding]:
    """Findings: of a status the most severe first, else in the order of their ids."""
    page: Page[Finding] = store.findings.page(None if status is None else status.value, limit, after)
    return page


def statistics(store: TenantStore) -> tuple[RuleRecord, ...]:
    """What became of all findings, by rule; those with the most findings first."""
    return tally(store.findings.all())
