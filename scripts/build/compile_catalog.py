"""Compile `content/catalog/*.yaml` into one read-only SQLite file.

Run as `python -m scripts.build.compile_catalog OUT_DIR`.
"""

import hashlib
import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import lantern.content
from lantern.domain.catalog import Product
from lantern.domain.names import deletions, key, skeleton, words
from lantern.services.catalog import SCHEMA_VERSION
from scripts.build.catalog_schema import CatalogFile, Entry
from scripts.build.sources import SourceError, read_source

SOURCES = Path(lantern.content.__file__).parent / "catalog"
FILE_NAME = "catalog.sqlite"

_MIN_DERIVED = 3
_MIN_BRAND = 5
_DROPPABLE_TAIL = frozenset({"ai", "app", "io", "com", "hq", "inc", "so"})
_EXACT, _DERIVED, _VENDOR = 0, 1, 2

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE product (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, vendor TEXT NOT NULL,
    category TEXT NOT NULL, kind TEXT NOT NULL, common INTEGER NOT NULL, hosts_others INTEGER NOT NULL,
    protected INTEGER NOT NULL, domains TEXT NOT NULL, revision TEXT NOT NULL);
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
    write(read_rows(sources), out_dir / FILE_NAME)


def read_rows(sources: Path = SOURCES) -> list[Row]:
    """Return all entries in the order of their ids, checked one by one and against each other."""
    rows: list[Row] = []
    for path in sorted(sources.glob("*.yaml")):
        content = read_source(path, CatalogFile)
        rows += (Row(path.name, slug, entry, content) for slug, entry in content.products.items())
    if not rows:
        raise SourceError(f"no catalog entries in {sources.name}")
    faults = list(_contradictions(rows))
    if faults:
        raise SourceError("\n".join(faults))
    return sorted(rows, key=lambda row: row.product.id)


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as a catalog file at `path`, replacing what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    revision = hashlib.sha256("".join(row.product.revision for row in rows).encode()).hexdigest()[:16]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_TABLES)
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("revision", revision), ("count", str(len(rows)))]
        )
        for n, row in enumerate(rows, start=1):
            _insert(connection, n, row)
        _insert_brands(connection, rows)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.commit()
        connection.execute("VACUUM")


def _insert(connection: sqlite3.Connection, n: int, row: Row) -> None:
    product, entry = row.product, row.entry
    values = (
        *(n, product.id, product.name, product.vendor, product.category, product.kind),
        *map(int, (product.common, product.hosts_others, product.protected)),
        *(" ".join(product.domains), product.revision),
    )
    connection.execute("INSERT INTO product VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    natives = [(provider, native.casefold(), n) for provider, many in entry.ids.items() for native in many]
    connection.executemany("INSERT INTO ids VALUES (?, ?, ?)", natives)
    connection.executemany("INSERT INTO domains VALUES (?, ?)", [(domain, n) for domain in product.domains])
    keys = [(name_key, n, strength) for name_key, strength in _name_keys(row).items()]
    connection.executemany("INSERT INTO names VALUES (?, ?, ?)", keys)


def _name_keys(row: Row) -> dict[str, int]:
    """Return every key the product is found under, with its strength: own, shortened, or its vendor's."""
    keys = {key(name): _EXACT for name in row.names()}
    # "Otter" is Otter.ai, but "Photo" is not Photo AI: AI products of ordinary names have no shortened one.
    shortens = not (row.product.common and row.product.kind == "ai")
    for name in row.names() if shortens else ():
        parts = words(name)
        short = "".join(parts[:-1])
        if len(parts) > 1 and parts[-1] in _DROPPABLE_TAIL and len(short) >= _MIN_DERIVED:
            keys.setdefault(short, _DERIVED)
    keys.setdefault(key(row.product.vendor), _VENDOR)
    return keys


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


def _contradictions(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what two entries cannot both say: one id, one native id, one name, one domain of two vendors."""
    slugs: dict[str, Row] = {}
    natives: dict[str, Row] = {}
    domains: dict[str, Row] = {}
    for row in rows:
        first = slugs.setdefault(row.product.id, row)
        if first is not row:
            yield f"{row.where}: id: is also in {first.file}"
        for native in (
            f"{provider} {one.casefold()}" for provider, ids in row.entry.ids.items() for one in ids
        ):
            owner = natives.setdefault(native, row)
            if owner is not row:
                yield f"{row.where}: ids: {native} belongs to {owner.product.id} already"
        for domain in row.product.domains:
            owner = domains.setdefault(domain, row)
            if owner.product.vendor != row.product.vendor:
                yield f"{row.where}: domains: {domain} belongs to {owner.product.vendor} already"
    yield from _shared_names(rows)


def _shared_names(rows: Sequence[Row]) -> Iterator[str]:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for name_key in {key(name) for name in row.names()}:
            by_name[name_key].append(row)
    for name_key, same in by_name.items():
        if len(same) > 1 and not all(row.entry.namesake for row in same):
            others = ", ".join(row.product.id for row in same[:-1])
            yield f"{same[-1].where}: name: {name_key} is also {others}; if all are real, mark them namesake"


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
