"""What operators say of vendors beyond the shipped profiles, laid over them.

A value is written in the words in which changes are told (`vendor_changes.said`): `yes`, `90 days`, `EU, US`,
`subsidiary, US, Acme`. An incident is `breach: What happened`. An empty value is: not known.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, cast, get_args

from lantern.domain.vendor_changes import Changeable
from lantern.domain.vendors import (
    FACTS,
    Fact,
    FactName,
    Incident,
    IncidentKind,
    OwnerKind,
    Ownership,
    Retention,
    Told,
    Transfer,
    VendorProfile,
)

FIELDS: Final[tuple[Changeable, ...]] = (*FACTS, "retention", "data_locations", "ownership", "incidents")
"""What of a profile may be published."""
MAX_EDITS: Final = 1_000
MAX_RETENTION_DAYS: Final = 3_660
UNKNOWN: Final = "unknown"

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_DATE: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])(-\d\d)?")
_SOURCE: Final = re.compile(r"https://[^\s]{4,292}")
_WHAT: Final = range(10, 161)
_PARENT: Final = 80


class VendorValueError(ValueError):
    """A field, value, page or date does not fit the profile; the text says what would."""


@dataclass(frozen=True, slots=True)
class VendorEdit:
    """One thing that operators say of a vendor, until it is taken back.

    `before` and `after` are what the profile said of it until then and says since, in words; `source` is the
    page that says so and `date` the month or day since when. `rev` is the publication it came with.
    """

    vendor_id: str
    what: Changeable
    value: str
    source: str
    date: str
    before: str
    after: str
    by: str
    at: datetime
    rev: int = 0

    @property
    def id(self) -> str:
        """The vendor and what is said of it; an incident has its month besides, as there may be several."""
        month = f"/{self.date[:7]}" if self.what == "incidents" else ""
        return f"{self.vendor_id}/{self.what}{month}"


@dataclass(frozen=True, slots=True)
class VendorNote:
    """What a publication changed in a profile: old and new value, source and date.

    `taken_back` where operators withdrew what they had said: `after`, `source` and `date` are as shipped.
    """

    vendor_id: str
    what: Changeable
    before: str
    after: str
    source: str
    date: str
    taken_back: bool = False


class VendorLayer:
    """Operators' edits over shipped profiles; a profile is laid over once.

    Args:
        edits: in any order; of one id there is one.
    """

    def __init__(self, edits: Iterable[VendorEdit] = ()) -> None:
        self._edits: dict[str, list[VendorEdit]] = defaultdict(list)
        for edit in sorted(edits, key=lambda one: one.id):
            self._edits[edit.vendor_id].append(edit)
        self._laid: dict[tuple[str, str], VendorProfile] = {}

    def over(self, profile: VendorProfile, transfers: Mapping[str, str]) -> VendorProfile:
        """A shipped profile as operators correct it; itself where they say nothing of it.

        Args:
            profile: as shipped.
            transfers: country → whether the EU finds data as safe there; one that is not there is `other`.
        """
        edits = self._edits.get(profile.id)
        if not edits:
            return profile
        key = profile.id, profile.revision
        if key not in self._laid:
            self._laid[key] = _lay(profile, edits, transfers)
        return self._laid[key]


def _lay(profile: VendorProfile, edits: Iterable[VendorEdit], transfers: Mapping[str, str]) -> VendorProfile:
    laid, seal = profile, hashlib.sha256(profile.revision.encode())
    for edit in edits:
        laid = _with(laid, edit, transfers)
        seal.update("\n".join(("", edit.id, edit.value, edit.source, edit.date)).encode())
    published: dict[str, Told] = {edit.what: Told(edit.source, edit.date) for edit in edits}
    return replace(laid, revision=seal.hexdigest()[:12], published=published)


def _with(profile: VendorProfile, edit: VendorEdit, transfers: Mapping[str, str]) -> VendorProfile:
    value, source, month = edit.value, edit.source, edit.date[:7]
    if edit.what == "retention":
        return replace(profile, retention=Retention(int(value.split()[0]), source, month) if value else None)
    if edit.what == "data_locations":
        return replace(profile, data_locations=tuple(value.split(", ")) if value else ())
    if edit.what == "ownership":
        return replace(profile, ownership=_owner(profile, edit, transfers) if value else None)
    if edit.what == "incidents":
        kind, _, what = value.partition(": ")
        fresh = Incident(month, cast("IncidentKind", kind), what, source)
        kept = tuple(one for one in profile.incidents if (one.month, one.kind) != (month, fresh.kind))
        return replace(profile, incidents=tuple(sorted((*kept, fresh), key=lambda one: one.month)))
    facts: dict[FactName, Fact] = {name: fact for name, fact in profile.facts.items() if name != edit.what}
    if value:
        facts[edit.what] = Fact(value == "yes", source, month)
    return replace(profile, facts=facts)


def _owner(profile: VendorProfile, edit: VendorEdit, transfers: Mapping[str, str]) -> Ownership:
    """The owner as published; when the vendor was founded does not change with its owner."""
    kind, country, *parent = edit.value.split(", ", 2)
    return Ownership(
        kind=cast("OwnerKind", kind),
        country=country,
        source=edit.source,
        date=edit.date[:7],
        founded=profile.ownership.founded if profile.ownership else None,
        parent=parent[0] if parent else None,
        transfer=cast("Transfer", transfers.get(country, "other")),
    )


# --- reading what a person wrote --------------------------------------------------------------------


def read_field(text: str) -> Changeable:
    """The name of something a profile says.

    Raises:
        VendorValueError: it says nothing of that name.
    """
    found = next((one for one in FIELDS if one == text.strip().lower().replace("-", "_")), None)
    if found is None:
        raise VendorValueError(f"a profile says {', '.join(FIELDS)}")
    return found


def read_value(what: Changeable, text: str) -> str:
    """A value in the words of the profile; empty for `unknown`.

    Raises:
        VendorValueError: it is none that fits.
    """
    words = " ".join(text.split())
    if what == "incidents":
        return _incident(words)
    if words.lower() == UNKNOWN:
        return ""
    if what == "retention":
        return _days(words)
    if what == "data_locations":
        return _places(words)
    if what == "ownership":
        return _ownership(words)
    if words.lower() not in ("yes", "no"):
        raise VendorValueError(f"{what} is yes, no or {UNKNOWN}")
    return words.lower()


def read_source(text: str) -> str:
    """The address of a public page.

    Raises:
        VendorValueError: it is no https address, or a long one.
    """
    if not _SOURCE.fullmatch(text.strip()) or not text.strip().isprintable():
        raise VendorValueError("a source is a page's address: https://…, at most 300 characters")
    return text.strip()


def read_date(text: str, today: date) -> str:
    """The month or day since when something holds, `YYYY-MM` or `YYYY-MM-DD`.

    Raises:
        VendorValueError: it is neither, or still to come.
    """
    words = text.strip()
    try:
        if not _DATE.fullmatch(words):
            raise ValueError
        first = date.fromisoformat(words if len(words) > len("2026-01") else f"{words}-01")
    except ValueError:
        raise VendorValueError("a date is a month or a day: 2026-03 or 2026-03-14") from None
    if first > today:
        raise VendorValueError("the date is still to come: publish what holds")
    return words


def _days(words: str) -> str:
    number = re.fullmatch(r"(\d{1,4})( days?)?", words, re.ASCII)
    if number is None or int(number[1]) > MAX_RETENTION_DAYS:
        raise VendorValueError(f"retention is a number of days, 0 to {MAX_RETENTION_DAYS}, or {UNKNOWN}")
    return f"{int(number[1])} days"


def _places(words: str) -> str:
    places = list(dict.fromkeys(one.strip().upper() for one in words.split(",")))
    if not all(map(_COUNTRY.fullmatch, places)):
        raise VendorValueError(
            f"data_locations are countries such as DE, US, or EU, with commas, or {UNKNOWN}"
        )
    return ", ".join(places)


def _ownership(words: str) -> str:
    kind, country, parent = (*(one.strip() for one in words.split(",", 2)), "", "")[:3]
    kinds = get_args(OwnerKind)
    if kind.lower() not in kinds or not _COUNTRY.fullmatch(country.upper()) or len(parent) > _PARENT:
        raise VendorValueError(
            f"ownership is KIND, COUNTRY or KIND, COUNTRY, PARENT with KIND one of {', '.join(kinds)} and "
            f"COUNTRY two letters, such as 'subsidiary, US, Acme', or {UNKNOWN}"
        )
    if not parent.isprintable():
        raise VendorValueError("the owner's name holds invisible characters")
    return ", ".join(filter(None, (kind.lower(), country.upper(), parent)))


def _incident(words: str) -> str:
    kind, _, what = (one.strip() for one in words.partition(":"))
    kinds = get_args(IncidentKind)
    if kind.lower() not in kinds or len(what) not in _WHAT or not what.isprintable():
        raise VendorValueError(
            f"an incident is KIND: WHAT with KIND one of {', '.join(kinds)} and WHAT in 10 to 160 characters"
        )
    return f"{kind.lower()}: {what}"
