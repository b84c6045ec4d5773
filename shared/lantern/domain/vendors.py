"""What is publicly known of a vendor: every fact is yes, no or unknown, with source and month."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

FactName = Literal[
    "trains_on_business_data",
    "trains_on_consumer_data",
    "zero_retention",
    "soc2",
    "iso27001",
    "iso42001",
    "hipaa_baa",
    "dpa",
    "eu_residency",
    "subprocessors_published",
]
OwnerKind = Literal["public", "private", "subsidiary", "nonprofit", "state"]
IncidentKind = Literal["breach", "leak", "vulnerability", "regulator"]
Transfer = Literal["adequate", "partly", "other"]

FACTS: Final[Mapping[FactName, str]] = {
    "trains_on_business_data": "Trains models on the data of business customers by default",
    "trains_on_consumer_data": "Trains models on the data of consumer accounts by default",
    "zero_retention": "Can be used without anything being kept",
    "soc2": "Has a SOC 2 Type 2 report",
    "iso27001": "Is certified to ISO/IEC 27001",
    "iso42001": "Is certified to ISO/IEC 42001",
    "hipaa_baa": "Signs a HIPAA business associate agreement",
    "dpa": "Offers a data processing agreement",
    "eu_residency": "Can keep customer data in the EU",
    "subprocessors_published": "Publishes its sub-processors",
}
"""What may be known of a vendor, as a sentence that is true, false or not known."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An answer to one of `FACTS`: where a public page says so, and the month (`YYYY-MM`) it was known to."""

    holds: bool
    source: str
    date: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days content is kept at most by default, and on which terms."""

    days: int
    source: str
    date: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns the vendor. `country` is where it has its seat (ISO 3166-1), `parent` the owning company.

    `transfer` says whether the EU has decided that the country protects personal data as it does:
    `partly` where only for those who take part in a framework.
    """

    kind: OwnerKind
    country: str
    source: str
    date: str
    founded: int | None = None
    parent: str | None = None
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to data at the vendor and was made public; `month` is `YYYY-MM`."""

    month: str
    kind: IncidentKind
    what: str
    source: str


@dataclass(frozen=True, slots=True)
class Told:
    """The page that says something, and the month or day since when."""

    source: str
    date: str


@dataclass(frozen=True, slots=True)
class VendorProfile:
    """Everything known of one vendor. A fact that is not in `facts` is not known.

    `published` is where and since when what operators said beyond the shipped profile holds, by what it is.
    """

    id: str
    vendor: str
    revision: str
    facts: Mapping[FactName, Fact] = field(default_factory=dict)
    retention: Retention | None = None
    data_locations: tuple[str, ...] = ()
    ownership: Ownership | None = None
    incidents: tuple[Incident, ...] = ()
    published: Mapping[str, Told] = field(default_factory=dict)

    def holds(self, name: FactName) -> bool | None:
        """Whether a fact holds; None where it is not known."""
        fact = self.facts.get(name)
        return None if fact is None else fact.holds


@dataclass(frozen=True, slots=True)
class VendorTrust:
    """The part of a profile that counts for risk, as of a day.

    `incidents` are (what, how grave 0-1, whole years ago); `years` is how long the vendor exists.
    """

    revision: str
    trains_on_business_data: bool | None = None
    trains_on_consumer_data: bool | None = None
    audited: bool | None = None
    iso42001: bool | None = None
    dpa: bool | None = None
    subprocessors_published: bool | None = None
    incidents: tuple[tuple[str, float, int], ...] = ()
    country: str | None = None
    transfer: Transfer | None = None
    years: int | None = None


_GRAVITY: Final[Mapping[IncidentKind, float]] = {
    "breach": 1.0,
    "leak": 0.7,
    "regulator": 0.5,
    "vulnerability": 0.4,
}


def trust(profile: VendorProfile, today: date) -> VendorTrust:
    """Return what counts of `profile` on a day; it changes with the profile, and once a year with age."""
    audits = [profile.holds("soc2"), profile.holds("iso27001")]
    owner = profile.ownership
    return VendorTrust(
        revision=profile.revision,
        trains_on_business_data=profile.holds("trains_on_business_data"),
        trains_on_consumer_data=profile.holds("trains_on_consumer_data"),
        audited=True if True in audits else None if None in audits else False,
        iso42001=profile.holds("iso42001"),
        dpa=profile.holds("dpa"),
        subprocessors_published=profile.holds("subprocessors_published"),
        incidents=tuple(
            (f"{one.what} ({one.month})", _GRAVITY[one.kind], _years_since(one.month, today))
            for one in profile.incidents
        ),
        country=owner.country if owner else None,
        transfer=owner.transfer if owner else None,
        years=max(0, today.year - owner.founded) if owner and owner.founded else None,
    )


def _years_since(month: str, today: date) -> int:
    return months_since(month, today) // 12


def months_since(month: str, today: date) -> int:
    """Whole months from a month (`YYYY-MM`) to a day; 0 for one that is still to come."""
    year, number = (int(part) for part in month.split("-"))
    return max(0, today.year * 12 + today.month - (year * 12 + number))
