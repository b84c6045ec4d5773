"""Compile `content/vendors/*.yaml` into `vendors.json`, one profile a vendor of the catalog.

Run as `python -m scripts.build.compile_vendors OUT_DIR`.
"""

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

import lantern.content
from lantern.domain.names import key
from lantern.domain.vendors import FACTS, IncidentKind, OwnerKind
from lantern.services.reference import FORMAT_VERSION
from scripts.build import compile_catalog, compile_risk
from scripts.build.compile_risk import Country, Month, TransfersFile, Url
from scripts.build.sources import SourceError, read_source

SOURCES = Path(lantern.content.__file__).parent / "vendors"
FILE_NAME = "vendors.json"

Note = Annotated[str, StringConstraints(min_length=3, max_length=160)]
# A page by its short name in `pages`, or an address.
Page = Annotated[str, StringConstraints(min_length=2, max_length=300)]
Told = tuple[bool, Page, Month] | tuple[bool, Page, Month, Note]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetentionEntry(_Closed):
    """For how many days content is kept at most by default."""

    days: Annotated[int, Field(ge=0, le=3660)]
    page: Page
    date: Month
    note: Note | None = None


class OwnerEntry(_Closed):
    """Who owns the vendor, and where it has its seat."""

    kind: OwnerKind
    country: Country
    page: Page
    date: Month
    founded: Annotated[int, Field(ge=1800, le=2030)] | None = None
    parent: str | None = None


class IncidentEntry(_Closed):
    """Something public that happened to data at the vendor."""

    month: Month
    kind: IncidentKind
    what: Annotated[str, StringConstraints(min_length=10, max_length=160)]
    source: Url


class Entry(_Closed):
    """One vendor: only what is certain; what is not written is not known.

    A fact is `[holds, page, month, note]`, where `page` is a short name out of `pages` or an address.
    """

    pages: dict[str, Url] = {}
    trains_on_business_data: Told | None = None
    trains_on_consumer_data: Told | None = None
    zero_retention: Told | None = None
    soc2: Told | None = None
    iso27001: Told | None = None
    iso42001: Told | None = None
    hipaa_baa: Told | None = None
    dpa: Told | None = None
    eu_residency: Told | None = None
    subprocessors_published: Told | None = None
    retention: RetentionEntry | None = None
    locations: tuple[Country | Literal["EU"], ...] = ()
    owner: OwnerEntry | None = None
    incidents: tuple[IncidentEntry, ...] = ()

    @model_validator(mode="after")
    def _pages_are_there(self) -> "Entry":
        used = [told[1] for told in self.told().values()]
        used += [one.page for one in (self.retention, self.owner) if one]
        lost = [page for page in used if page not in self.pages and not page.startswith("https://")]
        if lost:
            raise ValueError(f"pages: {', '.join(sorted(set(lost)))} is not there")
        return self

    def told(self) -> Mapping[str, Told]:
        """The facts that are known, by name."""
        return {name: told for name in FACTS if (told := getattr(self, name)) is not None}

    def url(self, page: str) -> str:
        """The address of a page."""
        return self.pages.get(page, page)


class VendorsFile(_Closed):
    """Vendors by the name that the catalog gives them."""

    vendors: dict[str, Entry]


def vendor_id(vendor: str) -> str:
    """The id of a vendor: its name in letters, digits and hyphens."""
    return re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+", "-", vendor.casefold())).strip("-") or key(vendor)


def compile_to(out_dir: Path, sources: Path = SOURCES) -> None:
    """Write `vendors.json` into `out_dir`, checked against the catalog that was compiled there before.

    Without a compiled catalog the names are not checked: a build compiles the catalog first.

    Raises:
        SourceError: If an entry breaks the schema, is there twice, or names no vendor of the catalog.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    entries = read_entries(sources)
    known = _catalog_vendors(out_dir)
    strangers = [] if known is None else sorted(set(entries) - known)
    if strangers:
        raise SourceError(f"vendors that the catalog does not know: {', '.join(strangers)}")
    transfers = read_source(compile_risk.SOURCES / "transfers.yaml", TransfersFile)
    profiles = [_profile(vendor, entry, transfers) for vendor, entry in sorted(entries.items())]
    text = json.dumps({"format": FORMAT_VERSION, "vendors": profiles}, ensure_ascii=False)
    (out_dir / FILE_NAME).write_text(text, encoding="utf-8")


def read_entries(sources: Path = SOURCES) -> dict[str, Entry]:
    """Return all entries by vendor.

    Raises:
        SourceError: If an entry breaks the schema, or is there twice under a name or an id.
    """
    found: dict[str, Entry] = {}
    for path in sorted(sources.glob("*.yaml")):
        for vendor, entry in read_source(path, VendorsFile).vendors.items():
            if vendor_id(vendor) in map(vendor_id, found):
                raise SourceError(f"{path.name}: {vendor}: is there twice")
            found[vendor] = entry
    return found


def _catalog_vendors(out_dir: Path) -> set[str] | None:
    compiled = out_dir / compile_catalog.FILE_NAME
    if not compiled.exists():
        return None
    with closing(sqlite3.connect(f"{compiled.absolute().as_uri()}?mode=ro", uri=True)) as catalog:
        return {str(vendor) for (vendor,) in catalog.execute("SELECT DISTINCT vendor FROM product")}


def _profile(vendor: str, entry: Entry, transfers: TransfersFile) -> dict[str, Any]:
    body: dict[str, Any] = {"id": vendor_id(vendor), "vendor": vendor, **dict(_parts(entry, transfers))}
    revision = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
    return {**body, "revision": revision}


def _parts(entry: Entry, transfers: TransfersFile) -> Iterator[tuple[str, Any]]:
    facts = {
        name: {
            "holds": told[0],
            "source": entry.url(told[1]),
            "date": told[2],
            **({"note": told[3]} if len(told) > 3 else {}),
        }
        for name, told in entry.told().items()
    }
    yield "facts", facts
    if entry.retention:
        one = entry.retention
        yield (
            "retention",
            {"days": one.days, "source": entry.url(one.page), "date": one.date, "note": one.note or ""},
        )
    yield "data_locations", entry.locations
    if entry.owner:
        owner = entry.owner.model_dump(mode="json", exclude={"page"})
        yield (
            "ownership",
            {**owner, "source": entry.url(entry.owner.page), "transfer": _transfer(entry, transfers)},
        )
    yield "incidents", [one.model_dump(mode="json") for one in entry.incidents]


def _transfer(entry: Entry, transfers: TransfersFile) -> str:
    country = entry.owner.country if entry.owner else ""
    if country in (*transfers.eea, *transfers.adequate):
        return "adequate"
    return "partly" if country in transfers.partly else "other"


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
