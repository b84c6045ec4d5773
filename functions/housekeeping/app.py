"""Lambda of housekeeping: anchors of the audit logs, age of the oldest sync."""

from typing import Any

from lantern.runtime import observability, wiring_edges, wiring_platform
from lantern.runtime.clock import CLOCK
from lantern.services import housekeeping


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One round over all tenants; fails when one of them failed, after all were done."""
    wiring_platform.logging_once("housekeeping")
    report = housekeeping.run(wiring_edges.chores(), CLOCK.now())
    observability.count("SyncAgeHours", report.oldest_sync_hours, service="housekeeping")
    if report.failed:
        raise RuntimeError(f"housekeeping failed for {len(report.failed)} tenants")
    return {"anchored": report.anchored}
