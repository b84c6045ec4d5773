"""What the catalog knows about a product, and the look-ups that identification needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from lantern.domain.calibration import Calibration

Kind = Literal["ai", "embedded_ai", "not_ai"]
NameStrength = Literal["exact", "alias", "derived", "vendor"]

# Answers the registrable domain of a host ("a.b.co.uk" → "b.co.uk"), or None where there is none.
Registrable = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the catalog.

    `common` marks a name that is also an ordinary word or a person ("Claude", "Linear"): weak evidence alone.
    `well_known` marks a product that most people mean by its name all the same.
    `hosts_others` marks a domain under which strangers publish too (github.com): weak evidence alone.
    `revision` is a hash of the entry: it changes when the entry does.
    """

    id: str
    name: str
    vendor: str
    category: str
    kind: Kind
    common: bool
    hosts_others: bool
    protected: bool
    domains: tuple[str, ...]
    revision: str
    well_known: bool = False

    @property
    def famous(self) -> bool:
        """Whether the name alone makes most people think of this product."""
        return self.well_known or self.protected


@dataclass(frozen=True, slots=True)
class NameHit:
    """A product found under a name key.

    `exact` is a name of its own, `alias` one that neither its domains nor its first name resemble,
    `derived` a shortened one ("Otter" of Otter.ai), `vendor` the name of its vendor.
    """

    product: Product
    strength: NameStrength


@dataclass(frozen=True, slots=True)
class BrandHit:
    """A protected brand whose look is equal or close to what was asked."""

    product: Product
    brand: str
    skeleton: str


class CatalogLookup(Protocol):
    """The catalog as the domain sees it: each method answers from memory or a local file, in microseconds."""

    @property
    def revision(self) -> str:
        """The hash of the whole catalog."""
        ...

    @property
    def calibration(self) -> Calibration:
        """The measured numbers that belong to this catalog."""
        ...

    def by_id(self, provider: str, client_id: str) -> Product | None:
        """Return the product that is known to own this provider's client, app or extension id."""
        ...

    def by_domain(self, domain: str) -> tuple[Product, ...]:
        """Return the products listed under exactly this host or registrable domain."""
        ...

    def by_name(self, name_key: str) -> tuple[NameHit, ...]:
        """Return the products known under this `names.key`, the strongest first."""
        ...

    def brands_near(self, skeleton: str) -> tuple[BrandHit, ...]:
        """Return protected brands whose skeleton is at most one edit from `skeleton`."""
        ...
