"""Lambda of housekeeping: anchors of the audit logs, age of the oldest sync."""

from typing import Any

from lantern.runtime import observability, wiring, wiring_edges
from lantern.services import housekeeping


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One round over all tenants; fails when one of them failed, after all were done."""
    wiring.logging_once("housekeeping")
    report = housekeeping.run(wiring_edges.chores(), wiring_edges.now())
    observability.count("SyncAgeHours", report.oldest_sync_hours, service="housekeeping")
    if report.failed:
        raise RuntimeError(f"housekeeping failed for {len(report.failed)} tenants")
    return {"anchored": report.anchored}
