"""The shape of `content/catalog/*.yaml`: one file a category, one short entry a product."""

from pydantic import BaseModel, ConfigDict

from lantern.domain.catalog import Kind
from lantern.domain.catalog_schema import Category, Entry, Slug

__all__ = ["CatalogFile", "Entry", "Slug"]


class CatalogFile(BaseModel):
    """One category file; `kind` holds for every entry that does not say otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Category
    kind: Kind
    products: dict[Slug, Entry]
