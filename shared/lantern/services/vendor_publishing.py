"""What a publication about a vendor makes of what operators say already; nothing is written here."""

from dataclasses import dataclass, replace
from datetime import datetime

from lantern.domain.overlay import Publication, Published
from lantern.domain.vendor_changes import Changeable, said, told
from lantern.domain.vendor_overlay import MAX_EDITS, VendorEdit, VendorLayer, VendorNote
from lantern.domain.vendors import Told, VendorProfile
from lantern.services.reference import Reference


@dataclass(frozen=True, slots=True)
class Author:
    """Who publishes, when and why."""

    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Saying:
    """What is to be said of a vendor: a value in the words of a profile, where it is told and since when."""

    what: Changeable
    value: str
    page: Told


@dataclass(frozen=True, slots=True)
class VendorPlan:
    """What would be published, and the line that tells of it; None where nothing would change.

    `fault` names what forbids it.
    """

    published: Published
    line: Publication | None
    fault: str = ""


def plan_saying(
    before: Published, shipped: Reference, profile: VendorProfile, saying: Saying, author: Author
) -> VendorPlan:
    """Say something of a vendor. What the profile says already is not published again.

    Args:
        before: what operators say now.
        shipped: what the release knows.
        profile: the vendor's, as shipped.
        saying: what to say, read by `vendor_overlay`.
        author: who, when and why.
    """
    version, what = before.version + 1, saying.what
    edit = VendorEdit(
        *(profile.id, what, saying.value, saying.page.source, saying.page.date),
        *("", "", author.by, author.at, version),
    )
    old = next((one for one in before.vendors if one.id == edit.id), None)
    if old is not None and _same(old, edit):
        return VendorPlan(before, None)
    others = tuple(one for one in before.vendors if one.id != edit.id)
    was, will = _effective(before.vendors, shipped, profile), _effective((*others, edit), shipped, profile)
    then, now = said(was).get(what, ""), said(will).get(what, "")
    if old is None and then == now and what != "incidents":
        return VendorPlan(before, None)
    if what == "incidents" and old is None and was.incidents == will.incidents:
        return VendorPlan(before, None)
    if len(others) >= MAX_EDITS:
        fault = f"{len(others) + 1} are too many; retract what is shipped by now ({MAX_EDITS} fit)"
        return VendorPlan(before, None, fault)
    # Better words for what was said, such as another page, change nothing: what was before stays.
    first = old.before if old is not None and then == now else then
    edit = replace(edit, before=first, after=now)
    note = VendorNote(profile.id, what, then, now, edit.source, edit.date)
    return _plan(before, (*others, edit), note, author)


def plan_taking_back(
    before: Published, shipped: Reference, profile: VendorProfile, edit: VendorEdit, author: Author
) -> VendorPlan:
    """Take back what was said of a vendor: what is shipped holds again.

    Args:
        before: what operators say now.
        shipped: what the release knows.
        profile: the vendor's, as shipped.
        edit: one of `before.vendors`.
        author: who, when and why.
    """
    others = tuple(one for one in before.vendors if one.id != edit.id)
    was, will = (_effective(edits, shipped, profile) for edits in (before.vendors, others))
    page = told(will, edit.what) or Told("", "")
    then, now = said(was).get(edit.what, ""), said(will).get(edit.what, "")
    note = VendorNote(profile.id, edit.what, then, now, page.source, page.date, taken_back=True)
    return _plan(before, others, note, author)


def _plan(before: Published, edits: tuple[VendorEdit, ...], note: VendorNote, author: Author) -> VendorPlan:
    version = before.version + 1
    kept = tuple(sorted(edits, key=lambda one: one.id))
    line = Publication(version, author.note, author.by, author.at, vendors=(note,))
    return VendorPlan(replace(before, version=version, vendors=kept), line)


def _effective(edits: tuple[VendorEdit, ...], shipped: Reference, profile: VendorProfile) -> VendorProfile:
    return VendorLayer(edits).over(profile, shipped.risk.transfers)


def _same(old: VendorEdit, fresh: VendorEdit) -> bool:
    return (old.value, old.source, old.date) == (fresh.value, fresh.source, fresh.date)
