"""Compile `content/catalog/*.yaml` into one read-only SQLite file.

Run as `python -m scripts.build.compile_catalog OUT_DIR`.
"""

import hashlib
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import lantern.content
from lantern.domain.catalog import Product
from lantern.domain.names import deletions, skeleton
from lantern.services.catalog import SCHEMA_VERSION, STRENGTHS
from scripts.build.catalog_checks import contradictions
from scripts.build.catalog_names import crowded_words, name_keys, vendor_sizes
from scripts.build.catalog_schema import CatalogFile, Entry
from scripts.build.sources import SourceError, read_source

SOURCES = Path(lantern.content.__file__).parent / "catalog"
CALIBRATION = SOURCES.parent / "calibration.json"
FILE_NAME = "catalog.sqlite"

_MIN_BRAND = 5

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
        vendor, kind = entry.vendor or entry.name, entry.kind or defaults.kind
        facts = [slug, vendor, defaults.category, kind, entry.model_dump(mode="json")]
        self.product = Product(
            id=slug,
            name=entry.name,
            vendor=vendor,
            category=defaults.category,
            kind=kind,
            common=entry.common,
            hosts_others=entry.hosts_others,
            protected=entry.protected,
            domains=entry.domains,
            well_known=entry.well_known,
            revision=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12],
        )

    @property
    def where(self) -> str:
        """The place of the entry, for error messages."""
        return f"{self.file}: products: {self.product.id}"

    def names(self) -> tuple[str, ...]:
        """Return the product's own names: its name and aliases."""
        return (self.entry.name, *self.entry.aliases)


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
    faults = list(contradictions(rows))
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
    product, entry = row.product, row.entry
    values = (
        *(n, product.id, product.name, product.vendor, product.category, product.kind),
        *map(int, (product.common, product.hosts_others, product.protected)),
        *(" ".join(product.domains), product.revision, int(product.well_known)),
    )
    connection.execute("INSERT INTO product VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    natives = [(provider, native.casefold(), n) for provider, many in entry.ids.items() for native in many]
    connection.executemany("INSERT INTO ids VALUES (?, ?, ?)", natives)
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
        brands = {skeleton(name): name for name in reversed(row.names())} if row.product.protected else {}
        for shape, brand in sorted(brands.items()):
            if len(shape) < _MIN_BRAND:
                continue
            number += 1
            connection.execute("INSERT INTO brands VALUES (?, ?, ?, ?)", (number, brand, shape, n))
            variants = [(variant, number) for variant in sorted(deletions(shape))]
            connection.executemany("INSERT INTO brand_variants VALUES (?, ?)", variants)


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
