"""The shape of `content/catalog/*.yaml`: one file a category, one short entry a product."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from lantern.domain.catalog import Kind

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Domain = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)+$", max_length=253)
]
IdProvider = Literal["google", "entra", "okta", "slack", "github", "salesforce", "chrome"]


class Entry(BaseModel):
    """One product: facts only, each of them certain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Label
    vendor: Label | None = Field(
        default=None, description="the vendor, where it is not called like the product"
    )
    kind: Kind | None = Field(default=None, description="differs from the file's")
    aliases: tuple[Label, ...] = ()
    domains: tuple[Domain, ...] = ()
    ids: dict[IdProvider, tuple[Label, ...]] = {}
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


class CatalogFile(BaseModel):
    """One category file; `kind` holds for every entry that does not say otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,39}$")]
    kind: Kind
    products: dict[Slug, Entry]
