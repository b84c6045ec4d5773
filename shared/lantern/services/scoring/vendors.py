"""What changed in the profiles of the vendors in use, noticed as compared with the last evaluation."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from lantern.domain.apps import AppSummary
from lantern.domain.errors import RevisionConflictError
from lantern.domain.rules.model import RuleSet
from lantern.domain.vendor_changes import VendorChange, follow, recent
from lantern.services.reference import Reference
from lantern.store.tenant import TenantStore

NEWS: Final = frozenset({"vendor.changed", "vendor.treatment_change", "vendor.ownership_change"})
"""Facts that tell what changed."""


def follow_vendors(
    store: TenantStore,
    reference: Reference,
    rows: Iterable[AppSummary],
    now: datetime,
    *,
    remember: bool = True,
) -> dict[str, tuple[VendorChange, ...]]:
    """Vendor id → what changed lately in its profile, the latest last.

    Args:
        store: the tenant's store.
        reference: what is known of vendors.
        rows: the apps in use.
        now: current time.
        remember: whether to note the profiles as seen now; a preview changes nothing.
    """
    known, rev = store.vendors_seen.get()
    profiles = {one.id: one for row in rows if (one := reference.vendor(row.vendor))}
    fresh = known | {
        key: follow(known.get(key), one, now.date(), reference.operators) for key, one in profiles.items()
    }
    if remember and fresh != known:
        try:
            store.vendors_seen.put(fresh, rev)
        except RevisionConflictError:
            # Another pass noted the same profiles; what it noted is told by the next one.
            return {key: recent(one, now.date()) for key, one in known.items()}
    return {key: recent(one, now.date()) for key, one in fresh.items()}


def anything_changed(store: TenantStore, reference: Reference, now: datetime) -> bool:
    """Note the profiles of the vendors in use, and say whether one of them changed lately.

    It goes on saying so for as long as a change is news: a pass that died after noting it is made up.
    """
    rows = store.apps.summary()
    used = {one.id for row in rows if (one := reference.vendor(row.vendor))}
    changed = follow_vendors(store, reference, rows, now)
    return any(news for vendor, news in changed.items() if vendor in used)


def about_vendors(rules: RuleSet) -> RuleSet:
    """The rules that read what is known of vendors."""
    chosen = (one for one in rules.rules if any(name.startswith("vendor.") for name in one.fields))
    return RuleSet(rules.revision, tuple(chosen))
