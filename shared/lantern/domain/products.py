"""When apps of different providers are one product: on evidence that nobody can simply type in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lantern.domain.apps import AppDecision, AppStatus, AppSummary, ProductEvidence
from lantern.domain.identification import Identification

_PUBLISHERS: Final = frozenset({"name:publisher", "publisher"})


def join_evidence(
    identified: Identification, *, verified_publisher: bool | None, imitates: bool
) -> ProductEvidence | None:
    """What allows to take an app for the product it is identified as; None where only names say so.

    Anybody chooses the name of an app, and may write a publisher's: neither joins. Nor does what looks like
    an imitation.
    """
    if identified.product_id is None or imitates:
        return None
    basis = identified.basis
    if basis == "id":
        return "id"
    if basis.partition(":")[0] == "domain":
        return "domain"
    return "publisher" if basis in _PUBLISHERS and verified_publisher else None


@dataclass(frozen=True, slots=True)
class ProductDecision:
    """What the tenant decided about a product: it holds for all its apps, those that come later too."""

    product_id: str
    status: AppStatus
    by: str
    at: datetime
    note: str = ""
    rev: int = 0


Decision = AppDecision | ProductDecision
SYSTEM: Final = "system"
"""Who decides what time does."""


def ran_out(decision: Decision) -> bool:
    """Whether it stands there because an approval for a time ended: only time puts under review by itself."""
    return decision.by == SYSTEM and decision.status == "under_review"


def same_product(rows: Iterable[AppSummary], product_id: str | None) -> tuple[AppSummary, ...]:
    """The apps joined to a product, in the order of their ids."""
    if product_id is None:
        return ()
    found = (row for row in rows if row.product_evidence is not None and row.product_id == product_id)
    return tuple(sorted(found, key=lambda row: row.app_id))
