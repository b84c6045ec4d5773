"""Compile `content/catalog/*.yaml` into one read-only SQLite file.

Run as `python -m scripts.build.compile_catalog OUT_DIR`.
"""

import hashlib
import sqlite3
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import lantern.content
from lantern.domain.catalog_listing import (
    brands,
    contradictions,
    crowded_words,
    name_keys,
    names,
    natives,
    vendor_sizes,
)
from lantern.domain.catalog_schema import product_of
from lantern.domain.names import deletions
from lantern.services.catalog import SCHEMA_VERSION, STRENGTHS
from scripts.build.catalog_schema import CatalogFile, Entry
from scripts.build.sources import SourceError, read_source

SOURCES = Path(lantern.content.__file__).parent / "catalog"
CALIBRATION = SOURCES.parent / "calibration.json"
FILE_NAME = "catalog.sqlite"

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE product (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, vendor TEXT NOT NULL,
    category TEXT NOT NULL, kind TEXT NOT NULL, common INTEGER NOT NULL, hosts_others INTEGER NOT NULL,
    protected INTEGER NOT NULL, domains TEXT NOT NULL, revision TEXT NOT NULL, well_known INTEGER NOT NULL);
CREATE TABLE ids (provider TEXT, native TEXT, n INTEGER, PRIMARY KEY (provider, native)) WITHOUT ROWID;
CREATE TABLE domains (domain TEXT, n INTEGER, PRIMARY KEY (domain, n)) WITHOUT ROWID;
CREATE TABLE names (key TEXT, n INTEGER, strength INTEGER NOT NULL, PRIMARY KEY (key, n)) WITHOUT ROWID;
CREATE TABLE brands (n INTEGER PRIMARY KEY, brand TEXT, skeleton TEXT, product INTEGER NOT NULL);
CREATE TABLE brand_variants (variant TEXT, n INTEGER, PRIMARY KEY (variant, n)) WITHOUT ROWID;
"""


class Row:
    """A product with the source facts that do not travel in `Product`."""

    __slots__ = ("entry", "file", "product")

    def __init__(self, file: str, slug: str, entry: Entry, defaults: CatalogFile) -> None:
        self.file = file
        self.entry = entry
        self.product = product_of(slug, entry, defaults.category, entry.kind or defaults.kind)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Further names of its own."""
        return self.entry.aliases

    @property
    def ids(self) -> Mapping[str, tuple[str, ...]]:
        """Its ids by provider."""
        return {str(provider): many for provider, many in self.entry.ids.items()}

    @property
    def namesake(self) -> bool:
        """Whether another product is known to have its name as well."""
        return self.entry.namesake

    def names(self) -> tuple[str, ...]:
        """Return the product's own names: its name and aliases."""
        return names(self)

    @property
    def where(self) -> str:
        """The place of the entry, for error messages."""
        return f"{self.file}: products: {self.product.id}"


def compile_to(out_dir: Path, sources: Path = SOURCES) -> None:
    """Write `catalog.sqlite` into `out_dir` from the YAML files of `sources`.

    Raises:
        SourceError: If any entry breaks the schema or two entries contradict one another.
    """
    write(read_rows(sources), out_dir / FILE_NAME, CALIBRATION.read_text(encoding="utf-8"))


def read_rows(sources: Path = SOURCES) -> list[Row]:
    """Return all entries in the order of their ids, checked one by one and against each other."""
    rows: list[Row] = []
    for path in sorted(sources.glob("*.yaml")):
        content = read_source(path, CatalogFile)
        rows += (Row(path.name, slug, entry, content) for slug, entry in content.products.items())
    if not rows:
        raise SourceError(f"no catalog entries in {sources.name}")
    faults = [f"{row.where}: {fault.field}: {fault.said}" for row, fault in contradictions(rows)]
    if faults:
        raise SourceError("\n".join(faults))
    return sorted(rows, key=lambda row: row.product.id)


def write(rows: Sequence[Row], path: Path, calibration: str) -> None:
    """Write the rows as a catalog file at `path`, replacing what is there.

    Args:
        rows: The entries.
        path: Where to.
        calibration: The JSON that `make calibrate` made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    whole = "".join(row.product.revision for row in rows) + calibration
    meta = {
        "revision": hashlib.sha256(whole.encode()).hexdigest()[:16],
        "count": str(len(rows)),
        "calibration": calibration,
    }
    crowded, sizes = crowded_words(rows), vendor_sizes(rows)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_TABLES)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
        for n, row in enumerate(rows, start=1):
            _insert(connection, n, row)
            _insert_names(connection, n, row, crowded, sizes)
        _insert_brands(connection, rows)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.commit()
        connection.execute("VACUUM")


def _insert(connection: sqlite3.Connection, n: int, row: Row) -> None:
    product = row.product
    values = (
        *(n, product.id, product.name, product.vendor, product.category, product.kind),
        *map(int, (product.common, product.hosts_others, product.protected)),
        *(" ".join(product.domains), product.revision, int(product.well_known)),
    )
    connection.execute("INSERT INTO product VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    owned = [(provider, native, n) for provider, native in natives(row)]
    connection.executemany("INSERT INTO ids VALUES (?, ?, ?)", owned)
    connection.executemany("INSERT INTO domains VALUES (?, ?)", [(domain, n) for domain in product.domains])


def _insert_names(
    connection: sqlite3.Connection, n: int, row: Row, crowded: frozenset[str], sizes: Counter[str]
) -> None:
    strengths = name_keys(row, crowded, sizes).items()
    keys = [(name_key, n, STRENGTHS.index(strength)) for name_key, strength in strengths]
    connection.executemany("INSERT INTO names VALUES (?, ?, ?)", keys)


def _insert_brands(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    number = 0
    for n, row in enumerate(rows, start=1):
        for shape, brand in brands(row).items():
            number += 1
            connection.execute("INSERT INTO brands VALUES (?, ?, ?, ?)", (number, brand, shape, n))
            variants = [(variant, number) for variant in sorted(deletions(shape))]
            connection.executemany("INSERT INTO brand_variants VALUES (?, ?)", variants)


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
