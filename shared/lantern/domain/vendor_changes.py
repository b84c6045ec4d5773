"""What changed in the public profile of a vendor, as one tenant's evaluations noticed it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from lantern.domain.vendors import FactName, Told, VendorProfile

Changeable = Literal[FactName, "retention", "data_locations", "ownership", "incidents"]

RECENT_DAYS: Final = 30
"""For how long a change is told apart from what always was so."""
KEPT_DAYS: Final = 400
_SILENT: Final = "not known"

TREATMENT: Final[tuple[Changeable, ...]] = (
    "trains_on_business_data",
    "trains_on_consumer_data",
    "retention",
    "zero_retention",
    "dpa",
    "data_locations",
    "eu_residency",
    "subprocessors_published",
)
"""What tells how a vendor treats data, what matters most first."""


@dataclass(frozen=True, slots=True)
class VendorChange:
    """One thing that a profile says otherwise since a day; texts, empty where it said nothing.

    `source` is the page that the profile names for it now, `date` the month or day since when by that page;
    `on` is the day it was noticed here.
    """

    what: str
    before: str
    after: str
    on: date
    source: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class VendorSeen:
    """A profile as last evaluated, in words, and what changed in it since, the latest last.

    `operators` is the publication of theirs that was known then: who knows an older one has nothing to tell.
    """

    revision: str
    says: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[VendorChange, ...] = ()
    operators: int = 0


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


def follow(seen: VendorSeen | None, profile: VendorProfile, today: date, operators: int = 0) -> VendorSeen:
    """The profile as seen now. A vendor met for the first time has changed nothing.

    `operators` is the version of their publications that `profile` is made of: an older one than was seen
    before changes nothing.
    """
    if seen is not None and (seen.revision == profile.revision or operators < seen.operators):
        return seen
    now = said(profile)
    if seen is None:
        return VendorSeen(profile.revision, now, (), operators)
    fresh = tuple(
        _change(name, seen.says.get(name, ""), now.get(name, ""), today, told(profile, name))
        for name in sorted(seen.says.keys() | now.keys())
        if seen.says.get(name) != now.get(name)
    )
    kept = tuple(one for one in seen.changes if (today - one.on).days <= KEPT_DAYS)
    return VendorSeen(profile.revision, now, kept + fresh, operators)


def _change(what: str, before: str, after: str, today: date, page: Told | None) -> VendorChange:
    page = page or Told("", "")
    return VendorChange(what, before, after, today, page.source, page.date)


def recent(seen: VendorSeen, today: date) -> tuple[VendorChange, ...]:
    """What changed lately, the latest last."""
    return tuple(one for one in seen.changes if (today - one.on).days <= RECENT_DAYS)


def in_words(changes: Iterable[VendorChange], about: Iterable[Changeable]) -> str:
    """The latest of some changes with old and new value, date and page, and how many more; empty for none.

    Of what was noticed on one day, what `about` names first comes first.
    """
    order: dict[str, int] = {name: at for at, name in enumerate(about)}
    chosen = [one for one in changes if one.what in order]
    if not chosen:
        return ""
    one = min(chosen, key=lambda one: (-one.on.toordinal(), order[one.what]))
    where = ", ".join(filter(None, (one.date, one.source)))
    more = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
    words = f"{one.what.replace('_', ' ')}: {one.before or _SILENT} → {one.after or _SILENT}"
    return f"{words}{more}" + (f" ({where})" if where else "")


def told(profile: VendorProfile, name: str) -> Told | None:
    """The page that says something of a profile, and since when; None where it names none."""
    if name in profile.published:
        return profile.published[name]
    for key, fact in profile.facts.items():
        if key == name:
            return Told(fact.source, fact.date)
    if name == "retention" and profile.retention:
        return Told(profile.retention.source, profile.retention.date)
    if name == "ownership" and profile.ownership:
        return Told(profile.ownership.source, profile.ownership.date)
    if name == "incidents" and profile.incidents:
        latest = max(profile.incidents, key=lambda one: one.month)
        return Told(latest.source, latest.month)
    return None
