"""What is shipped under what operators publish, kept for a few minutes by whoever looks things up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lantern.domain.overlay import OverlayCatalog, ProductCatalog, Published
from lantern.domain.vendor_overlay import VendorLayer
from lantern.services.reference import PublishedReference, Reference

KEEP_S: Final = 300
"""A publication is seen after at most so many seconds; at once by whoever knows its number."""


@dataclass(frozen=True, slots=True)
class OperatorLayer:
    """The operators' entries over the shipped catalog, and what they say of vendors, as of a publication."""

    version: int
    catalog: OverlayCatalog
    vendors: VendorLayer = field(default_factory=VendorLayer)

    def over(self, shipped: Reference) -> Reference:
        """Shipped knowledge with the profiles of vendors as operators publish them."""
        return PublishedReference(shipped, self.vendors, self.version) if self.version else shipped


class OperatorCatalog:
    """One process's view of the shipped catalog and the operators' entries. It holds no tenant's data.

    Args:
        shipped: the compiled catalog.
        read: reads what operators published.
        monotonic: seconds, never going back.
    """

    def __init__(
        self, shipped: ProductCatalog, read: Callable[[], Published], monotonic: Callable[[], float]
    ) -> None:
        self.shipped = shipped
        self._read = read
        self._monotonic = monotonic
        self._layer: OperatorLayer | None = None
        self._until = 0.0

    def layer(self, least: int = 0) -> OperatorLayer:
        """The layer, at most five minutes old, and of version `least` or a later one where there is one."""
        layer = self._layer
        if layer is None or layer.version < least or self._monotonic() >= self._until:
            published = self._read()
            if layer is None or layer.version != published.version:
                layer = OperatorLayer(
                    published.version,
                    OverlayCatalog(self.shipped, published.entries),
                    VendorLayer(published.vendors),
                )
            self._layer, self._until = layer, self._monotonic() + KEEP_S
        return layer
