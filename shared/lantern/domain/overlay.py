"""What tenants and operators say about products beyond the shipped catalog, laid over it.

A layer wins over what lies below it: a tenant's entries over the operators', these over the shipped file.
docs/catalog.md tells it in words.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Protocol, get_args

from lantern.domain.calibration import Calibration
from lantern.domain.catalog import BrandHit, CatalogLookup, NameHit, NameStrength, Product
from lantern.domain.catalog_listing import Listing, brands, name_keys, natives
from lantern.domain.names import deletions, within_one_edit
from lantern.domain.vendor_overlay import VendorEdit, VendorNote

MAX_ENTRIES: Final = 1_000
"""Entries of a tenant, and of the operators."""

_RANK: Final[Mapping[NameStrength, int]] = {name: at for at, name in enumerate(get_args(NameStrength))}


@dataclass(frozen=True, slots=True)
class OverlayEntry:
    """One entry of a layer: a new product, a correction of one below (`replaces`), or its retraction.

    `listing` is None for a retraction. `note` says why, `rev` is that of the layer when it was last written:
    an id that was removed and given again never has the same one twice.
    """

    id: str
    listing: Listing | None
    replaces: str | None
    note: str
    by: str
    at: datetime
    rev: int = 0

    @property
    def product_id(self) -> str:
        """The id of the product it is about."""
        return self.replaces or self.id


@dataclass(frozen=True, slots=True)
class TenantCatalog:
    """All entries of a tenant, in the order of their ids."""

    entries: tuple[OverlayEntry, ...] = ()
    rev: int = 0

    def entry(self, entry_id: str) -> OverlayEntry | None:
        """An entry by its id."""
        return next((entry for entry in self.entries if entry.id == entry_id), None)


@dataclass(frozen=True, slots=True)
class AppliedCatalog:
    """The catalog that a tenant's apps were last brought in line with; `operators` is their version of it."""

    revision: str
    operators: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Published:
    """What operators say now of products and vendors; `version` counts publications, 0 before the first."""

    version: int = 0
    entries: tuple[OverlayEntry, ...] = ()
    vendors: tuple[VendorEdit, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication: who, when, why, and the ids of the entries it added, changed and removed.

    `vendors` is what it changed in the profiles of vendors.
    """

    version: int
    note: str
    by: str
    at: datetime
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    vendors: tuple[VendorNote, ...] = ()


class ProductCatalog(CatalogLookup, Protocol):
    """A catalog that also answers by its own product ids."""

    def by_product(self, product_id: str) -> Product | None:
        """Return a product by its catalog id."""
        ...


class OverlayCatalog:
    """A layer of entries over a catalog; itself a catalog, so layers lie on layers.

    - What a layer says of a product replaces whatever lies below of it.
    - An id, a domain or a name that the layer claims is answered by the layer alone. A key that a corrected
      product had already is no claim: it goes on sharing it with whom it shared it. Nor is a name of an
      entry that is a `namesake`, or the name of a vendor.

    Args:
        base: What lies below.
        entries: The layer, in any order.
    """

    def __init__(self, base: ProductCatalog, entries: Iterable[OverlayEntry] = ()) -> None:
        self._base = base
        self._said: dict[str, Listing | None] = {}
        for entry in sorted(entries, key=lambda one: (one.product_id, one.id)):
            self._said.setdefault(entry.product_id, entry.listing)
        self._ids: dict[tuple[str, str], Product] = {}
        self._domains: dict[str, list[Product]] = {}
        self._names: dict[str, list[NameHit]] = {}
        for listing in self._listings:
            product = listing.product
            for native in natives(listing):
                self._ids.setdefault(native, product)
            for domain in product.domains:
                self._domains.setdefault(domain, []).append(product)
            # Whoever writes an entry of a layer means each of its names, and its vendor's.
            for name_key, strength in name_keys(listing, sizes={product.vendor: 2}).items():
                meant = "exact" if strength == "alias" else strength
                self._names.setdefault(name_key, []).append(NameHit(product, meant))

    @property
    def _listings(self) -> list[Listing]:
        return [listing for listing in self._said.values() if listing is not None]

    @cached_property
    def revision(self) -> str:
        """The hash of the whole catalog; that of `base` where the layer says nothing."""
        if not self._said:
            return self._base.revision
        own = (f"{pid} {one.product.revision if one else '-'}" for pid, one in self._said.items())
        return hashlib.sha256("\n".join((self._base.revision, *own)).encode()).hexdigest()[:16]

    @property
    def calibration(self) -> Calibration:
        """The measured numbers of the catalog below."""
        return self._base.calibration

    def says(self, product_id: str) -> bool:
        """Say whether this layer speaks of a product."""
        return product_id in self._said

    def by_product(self, product_id: str) -> Product | None:
        """Return a product by its catalog id; None for one that was retracted."""
        if product_id not in self._said:
            return self._base.by_product(product_id)
        listing = self._said[product_id]
        return listing.product if listing else None

    def by_id(self, provider: str, client_id: str) -> Product | None:
        """Return the product that owns this id at `provider` (`chrome` for browser extensions)."""
        own = self._ids.get((provider, client_id.casefold()))
        if own is not None:
            return own
        below = self._base.by_id(provider, client_id)
        return below if below is None or below.id not in self._said else None

    def by_domain(self, domain: str) -> tuple[Product, ...]:
        """Return the products listed under exactly this host or registrable domain."""
        below, own = self._base.by_domain(domain), self._domains.get(domain, ())
        if own and not {product.id for product in own} <= {product.id for product in below}:
            return tuple(own)
        return (*own, *(product for product in below if product.id not in self._said))

    def by_name(self, name_key: str) -> tuple[NameHit, ...]:
        """Return the products known under this `names.key`, the strongest first."""
        below, own = self._base.by_name(name_key), self._names.get(name_key, ())
        kept = [hit for hit in below if hit.product.id not in self._said]
        if not own:
            return tuple(kept)
        known = {hit.product.id for hit in below}
        claimed = [_RANK[hit.strength] for hit in own if self._claims(hit, known)]
        if claimed:
            kept = [hit for hit in kept if hit.strength == "vendor" or _RANK[hit.strength] < min(claimed)]
        return tuple(sorted((*own, *kept), key=lambda hit: (_RANK[hit.strength], hit.product.id)))

    def brands_near(self, skeleton: str) -> tuple[BrandHit, ...]:
        """Return protected brands at most one edit away from `skeleton`, nearest first."""
        below = [hit for hit in self._base.brands_near(skeleton) if hit.product.id not in self._said]
        if not self._brands:
            return tuple(below)
        candidates = {hit for variant in deletions(skeleton) for hit in self._brands.get(variant, ())}
        own = [hit for hit in candidates if within_one_edit(hit.skeleton, skeleton)]
        return tuple(
            sorted((*own, *below), key=lambda hit: (hit.skeleton != skeleton, hit.brand, hit.product.id))
        )

    def _claims(self, hit: NameHit, known: set[str]) -> bool:
        listing = self._said[hit.product.id]
        humble = listing is not None and listing.namesake
        return hit.strength != "vendor" and hit.product.id not in known and not humble

    @cached_property
    def _brands(self) -> dict[str, list[BrandHit]]:
        """Own brands by what is left of their looks with one letter less: few layers have any."""
        found: dict[str, list[BrandHit]] = {}
        for listing in self._listings:
            for shape, brand in brands(listing).items():
                for variant in deletions(shape):
                    found.setdefault(variant, []).append(BrandHit(listing.product, brand, shape))
        return found
