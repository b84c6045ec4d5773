"""Catalogs for tests."""

from lantern.domain.catalog import BrandHit, NameHit, Product


class Nothing:
    """A catalog that knows nothing."""

    revision = "nothing"

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
