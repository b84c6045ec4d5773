"""What the catalog knows about a product, and the look-ups that identification needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["ai", "embedded_ai", "not_ai"]
NameStrength = Literal["exact", "derived", "vendor"]

# Answers the registrable domain of a host ("a.b.co.uk" → "b.co.uk"), or None where there is none.
Registrable = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the catalog.

    `common` marks a name that is also an ordinary word or a person ("Claude", "Linear"): weak evidence alone.
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


@dataclass(frozen=True, slots=True)
class NameHit:
    """A product found under a name key: by a name of its own, a shortened one, or its vendor's."""

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
