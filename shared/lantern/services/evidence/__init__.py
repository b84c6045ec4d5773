"""Evidence of what was decided and done, gathered from stored records and the audit chain."""

from lantern.services.evidence.collect import KINDS, Evidence, Kind, collect

__all__ = ["KINDS", "Evidence", "Kind", "collect"]
