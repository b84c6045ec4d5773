"""Read models of findings."""

from typing import Final

from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.findings import Finding, FindingStatus, RuleRecord, tally
from lantern.domain.rules.vocabulary import Subject
from lantern.store.assets import StoredAsset
from lantern.store.documents import Page
from lantern.store.tenant import TenantStore

_BATCH: Final = 100


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
    return tally(store.findings.packed().heads.values())


def assets(store: TenantStore, finding_id: str, after: str | None, limit: int) -> Page[StoredAsset]:
    """Assets that a finding is about now, in the order of their ids; those no longer kept are left out.

    Raises:
        NotFoundError: no such finding.
        InvalidInputError: the finding lists no assets.
    """
    found = one(store, finding_id)
    if found.subject is not Subject.ASSET:
        raise InvalidInputError("finding_id", "This finding lists no assets: see its `subject_kind`.")
    limit = min(limit, _BATCH)
    left = [name for name in sorted(found.open_assets) if after is None or name > after]
    stored = store.assets.batch_get(left[:limit])
    rows = tuple(stored[name] for name in left[:limit] if name in stored)
    return Page(rows, left[limit - 1] if len(left) > limit else None)
