"""What changed in the public profile of a vendor, as one tenant's evaluations noticed it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from lantern.domain.vendors import FactName, VendorProfile

Changeable = Literal[FactName, "retention", "data_locations", "ownership", "incidents"]

RECENT_DAYS: Final = 30
"""For how long a change is told apart from what always was so."""
KEPT_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class VendorChange:
    """One thing that a profile says otherwise since a day; texts, empty where it said nothing.

    `source` is the page that the profile names for it now.
    """

    what: str
    before: str
    after: str
    on: date
    source: str = ""


@dataclass(frozen=True, slots=True)
class VendorSeen:
    """A profile as last evaluated, in words, and what changed in it since, the latest last."""

    revision: str
    says: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[VendorChange, ...] = ()


def said(profile: VendorProfile) -> dict[str, str]:
    """Everything of a profile whose change matters, as texts by name."""
    words: dict[str, str] = {name: "yes" if fact.holds else "no" for name, fact in profile.facts.items()}
    if profile.retention:
        words["retention"] = f"{profile.retention.days} days"
    if profile.data_locations:
        words["data_locations"] = ", ".join(profile.data_locations)
    if owner := profile.ownership:
        words["ownership"] = ", ".join(filter(None, (owner.kind, owner.country, owner.parent)))
    if profile.incidents:
        words["incidents"] = f"{len(profile.incidents)}, latest {max(one.month for one in profile.incidents)}"
    return words


def follow(seen: VendorSeen | None, profile: VendorProfile, today: date) -> VendorSeen:
    """The profile as seen now. A vendor met for the first time has changed nothing."""
    if seen is not None and seen.revision == profile.revision:
        return seen
    now = said(profile)
    if seen is None:
        return VendorSeen(profile.revision, now)
    fresh = tuple(
        VendorChange(name, seen.says.get(name, ""), now.get(name, ""), today, _source(profile, name))
        for name in sorted(seen.says.keys() | now.keys())
        if seen.says.get(name) != now.get(name)
    )
    kept = tuple(one for one in seen.changes if (today - one.on).days <= KEPT_DAYS)
    return VendorSeen(profile.revision, now, kept + fresh)


def recent(seen: VendorSeen, today: date) -> tuple[str, ...]:
    """Names of what changed lately, sorted."""
    return tuple(sorted({one.what for one in seen.changes if (today - one.on).days <= RECENT_DAYS}))


def _source(profile: VendorProfile, name: str) -> str:
    for key, fact in profile.facts.items():
        if key == name:
            return fact.source
    if name == "retention" and profile.retention:
        return profile.retention.source
    if name == "ownership" and profile.ownership:
        return profile.ownership.source
    if name == "incidents" and profile.incidents:
        return max(profile.incidents, key=lambda one: one.month).source
    return ""
