"""Catalogs for tests."""

from datetime import UTC, datetime

from lantern.domain.calibration import Calibration
from lantern.domain.catalog import BrandHit, NameHit, Product
from lantern.domain.catalog_schema import ProductEntry, listing_of
from lantern.domain.overlay import OverlayCatalog, OverlayEntry


class Nothing:
    """A catalog that knows nothing."""

    revision = "nothing"
    # As the shipped one has it: every kind of evidence it knows is nearly always right.
    calibration = Calibration(confidences={"id": 0.99, "domain": 0.98, "domain:name": 0.98})

    def by_product(self, product_id: str) -> Product | None:
        return None

    def by_id(self, provider: str, client_id: str) -> Product | None:
        return None

    def by_domain(self, domain: str) -> tuple[Product, ...]:
        return ()

    def by_name(self, name_key: str) -> tuple[NameHit, ...]:
        return ()

    def brands_near(self, skeleton: str) -> tuple[BrandHit, ...]:
        return ()


CHATGPT = ProductEntry(
    name="ChatGPT",
    vendor="OpenAI",
    category="ai_assistant",
    kind="ai",
    protected=True,
    domains=("chatgpt.com",),
    ids={"google": ("chatgpt-client",)},
)
"""The one product that the release ships here."""


def shipped() -> OverlayCatalog:
    """A catalog of one product."""
    entry = OverlayEntry(
        "chatgpt", listing_of("chatgpt", CHATGPT), None, "", "release", datetime(2026, 3, 1, tzinfo=UTC)
    )
    return OverlayCatalog(Nothing(), [entry])
