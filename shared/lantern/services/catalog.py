"""The compiled catalog: one read-only SQLite file, opened on first use."""

import json
import sqlite3
from pathlib import Path
from threading import local
from types import TracebackType
from typing import cast

import msgspec

from lantern.domain.calibration import Calibration
from lantern.domain.catalog import BrandHit, Kind, NameHit, NameStrength, Product
from lantern.domain.names import deletions, within_one_edit

SCHEMA_VERSION = 2

_BY_ID = "SELECT p.* FROM ids JOIN product p ON p.n = ids.n WHERE provider = ? AND native = ?"
_BY_DOMAIN = "SELECT p.* FROM domains JOIN product p ON p.n = domains.n WHERE domain = ?"
_BY_NAME = (
    "SELECT p.*, strength FROM names JOIN product p ON p.n = names.n WHERE key = ? ORDER BY strength, p.id"
)
_BY_PRODUCT = "SELECT p.* FROM product p WHERE p.id = ?"
# The variants arrive as one JSON array, so that the statement is the same for every length.
_BRANDS_NEAR = """
SELECT p.*, b.brand, b.skeleton
FROM brand_variants v JOIN brands b ON b.n = v.n JOIN product p ON p.n = b.product
WHERE v.variant IN (SELECT value FROM json_each(?)) GROUP BY b.n
"""
_EXTRA = 12
STRENGTHS: tuple[NameStrength, ...] = ("exact", "alias", "derived", "vendor")


class CatalogError(Exception):
    """The catalog file is missing, damaged or of another schema version."""


class Catalog:
    """Look-ups in `catalog.sqlite` (see `lantern.domain.catalog.CatalogLookup`).

    The file is opened immutable and read-only, per thread and not before the first look-up, so construction
    costs nothing at cold start.

    Raises:
        CatalogError: On first use, when the file cannot be read as a catalog of this version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = local()
        self._revision: str | None = None
        self._calibration: Calibration | None = None

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def revision(self) -> str:
        """The hash of the catalog's content."""
        if self._revision is None:
            self._revision = self._meta("revision")
        return self._revision

    @property
    def calibration(self) -> Calibration:
        """The measured numbers of identification, decoded on first use (a millisecond)."""
        if self._calibration is None:
            self._calibration = msgspec.json.decode(self._meta("calibration"), type=Calibration)
        return self._calibration

    def by_id(self, provider: str, client_id: str) -> Product | None:
        """Return the product that owns this id at `provider` (`chrome` for browser extensions)."""
        rows = self._rows(_BY_ID, provider, client_id.casefold())
        return _product(rows[0]) if rows else None

    def by_domain(self, domain: str) -> tuple[Product, ...]:
        """Return the products listed under this host or registrable domain."""
        return tuple(map(_product, self._rows(_BY_DOMAIN, domain)))

    def by_name(self, name_key: str) -> tuple[NameHit, ...]:
        """Return the products known under this `names.key`, the strongest first."""
        rows = self._rows(_BY_NAME, name_key)
        return tuple(NameHit(_product(row), STRENGTHS[cast("int", row[_EXTRA])]) for row in rows)

    def by_product(self, product_id: str) -> Product | None:
        """Return a product by its catalog id."""
        rows = self._rows(_BY_PRODUCT, product_id)
        return _product(rows[0]) if rows else None

    def brands_near(self, skeleton: str) -> tuple[BrandHit, ...]:
        """Return protected brands at most one edit away from `skeleton`, nearest first."""
        rows = self._rows(_BRANDS_NEAR, json.dumps(sorted(deletions(skeleton))))
        hits = (BrandHit(_product(row), str(row[_EXTRA]), str(row[_EXTRA + 1])) for row in rows)
        near = [hit for hit in hits if within_one_edit(hit.skeleton, skeleton)]
        return tuple(sorted(near, key=lambda hit: (hit.skeleton != skeleton, hit.brand)))

    def close(self) -> None:
        """Close this thread's connection; the next look-up opens it again."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection

    def _meta(self, name: str) -> str:
        return str(self._rows("SELECT value FROM meta WHERE name = ?", name)[0][0])

    def _rows(self, sql: str, *values: str) -> list[tuple[object, ...]]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
        return connection.execute(sql, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise CatalogError(f"cannot open the catalog {self._path.name}: {error}") from error
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise CatalogError(f"{self._path.name} is not a catalog: {error}") from error
        if version != SCHEMA_VERSION:
            connection.close()
            raise CatalogError(f"{self._path.name} has schema version {version}, expected {SCHEMA_VERSION}")
        return connection


def _product(row: tuple[object, ...]) -> Product:
    name, vendor, category, kind, common, hosts_others, protected, domains, revision, known = row[2:_EXTRA]
    return Product(
        id=str(row[1]),
        name=str(name),
        vendor=str(vendor),
        category=str(category),
        kind=cast("Kind", kind),  # the compiler let nothing else in
        common=bool(common),
        hosts_others=bool(hosts_others),
        protected=bool(protected),
        domains=tuple(str(domains).split()),
        revision=str(revision),
        well_known=bool(known),
    )
