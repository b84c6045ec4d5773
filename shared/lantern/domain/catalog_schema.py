"""What an entry of the catalog may look like: the one place of these rules. Needs pydantic.

The compiler of the shipped file, the operators' publications and the tenants' API all check with it; what
identifies apps reads only what was checked and imports none of it.
"""

import hashlib
import json
import unicodedata
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from lantern.domain.catalog import Kind, Product
from lantern.domain.catalog_listing import Listing
from lantern.domain.names import key

MAX_LISTED: Final = 20
"""Aliases, domains, or ids at one provider of an entry that is not shipped."""


def _visible(value: str) -> str:
    if any(unicodedata.category(char).startswith("C") for char in value):
        raise ValueError("holds a character that cannot be seen")
    return value


def _readable(value: str) -> str:
    if not key(value):
        raise ValueError("holds no letter and no digit")
    return value


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80, strip_whitespace=True),
    AfterValidator(_visible),
]
Name = Annotated[Label, AfterValidator(_readable)]
Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,39}$")]
Domain = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)+$", max_length=253)
]
IdProvider = Literal["google", "entra", "okta", "slack", "github", "salesforce", "chrome"]


class Entry(BaseModel):
    """One product: facts only, each of them certain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    vendor: Name | None = Field(
        default=None, description="the vendor, where it is not called like the product"
    )
    kind: Kind | None = Field(default=None, description="differs from the file's")
    aliases: tuple[Name, ...] = Field(default=(), description="further names of its own")
    domains: tuple[Domain, ...] = Field(default=(), description="hosts or domains that are the vendor's")
    ids: dict[IdProvider, tuple[Label, ...]] = Field(
        default={}, description="client, app or extension ids by provider"
    )
    common: bool = Field(default=False, description="the name is an ordinary word or a person's name too")
    well_known: bool = Field(default=False, description="most people mean this product by its name")
    namesake: bool = Field(default=False, description="another product is known to have this name as well")
    hosts_others: bool = Field(default=False, description="strangers publish under its domains")
    protected: bool = Field(default=False, description="a brand worth imitating: look-alikes are searched")

    @field_validator("aliases", "domains")
    @classmethod
    def _no_repeats(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len({value.casefold() for value in values}) < len(values):
            raise ValueError("lists the same value twice")
        return values


class ProductEntry(Entry):
    """One product that stands by itself: it says its category and kind, and is short."""

    category: Category = Field(description="for example `ai_assistant`; as shipped entries have it")
    kind: Kind = Field(description="an AI tool, an ordinary one with AI features, or an ordinary one")
    aliases: tuple[Name, ...] = Field(
        default=(), max_length=MAX_LISTED, description="further names of its own"
    )
    domains: tuple[Domain, ...] = Field(
        default=(), max_length=MAX_LISTED, description="hosts or domains that are the vendor's"
    )
    ids: dict[IdProvider, Annotated[tuple[Label, ...], Field(max_length=MAX_LISTED)]] = Field(
        default={}, description="client, app or extension ids by provider"
    )


def product_of(product_id: str, entry: Entry, category: str, kind: Kind) -> Product:
    """Return the product an entry tells of; its revision covers everything the entry says."""
    vendor = entry.vendor or entry.name
    facts = [product_id, vendor, category, kind, entry.model_dump(mode="json")]
    return Product(
        id=product_id,
        name=entry.name,
        vendor=vendor,
        category=category,
        kind=kind,
        common=entry.common,
        hosts_others=entry.hosts_others,
        protected=entry.protected,
        domains=entry.domains,
        well_known=entry.well_known,
        revision=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12],
    )


def listing_of(product_id: str, entry: ProductEntry) -> Listing:
    """Return an entry as it is stored and looked up."""
    product = product_of(product_id, entry, entry.category, entry.kind)
    return Listing(
        product, entry.aliases, {str(provider): many for provider, many in entry.ids.items()}, entry.namesake
    )


def said_of(listing: Listing) -> dict[str, Any]:
    """Return the fields of the entry that a listing was made of."""
    own = {name: getattr(listing, name) for name in ("aliases", "ids", "namesake")}
    return {
        name: own[name] if name in own else getattr(listing.product, name)
        for name in ProductEntry.model_fields
    }
