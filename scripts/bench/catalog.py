"""Does the size of the catalog cost anything? `make bench-catalog`: generated rows beside shipped ones."""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from lantern.domain.identification import AppFacts, identify
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.catalog_schema import CatalogFile, Entry
from scripts.build.compile_catalog import CALIBRATION, FILE_NAME, Row, read_rows, write

T = TypeVar("T")

ROWS: Final = 175_000
OPEN_MS: Final = 5.0
LOOKUP_US: Final = 50.0
IDENTIFY_MS: Final = 1.0
_ASKED: Final = 4_000
_OPENINGS: Final = 60
_SYLLABLES: Final = tuple(f"{left}{right}" for left in "bdfgklmnprstvz" for right in "aeiou")
_ENDINGS: Final = ("com", "io", "ai", "app", "co.uk", "dev")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one catalog needs to open, to look something up, to identify an app; medians."""

    rows: int
    open_ms: float
    id_us: float
    domain_us: float
    identify_ms: float
    identify_p95_ms: float

    @property
    def within(self) -> bool:
        """Whether every promise holds."""
        lookups = max(self.id_us, self.domain_us)
        return self.open_ms < OPEN_MS and lookups < LOOKUP_US and self.identify_ms < IDENTIFY_MS


def main() -> int:
    """Generate, measure, print; 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(prog="make bench-catalog", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many rows to generate")
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        measured = [
            measure(rows, Path(folder) / str(at) / FILE_NAME)
            for at, rows in enumerate((read_rows(), generated(count)))
        ]
    plain = dictionary_us(count)
    print(f"{'rows':>10}{'open, ms':>12}{'id, us':>10}{'domain, us':>12}{'identify, ms':>14}{'95th, ms':>10}")
    for one in measured:
        print(
            f"{one.rows:>10,}{one.open_ms:>12.2f}{one.id_us:>10.1f}{one.domain_us:>12.1f}"
            f"{one.identify_ms:>14.3f}{one.identify_p95_ms:>10.3f}"
        )
    print(f"{'promised':>10}{OPEN_MS:>12.2f}{LOOKUP_US:>10.1f}{LOOKUP_US:>12.1f}{IDENTIFY_MS:>14.3f}")
    print(f"A plain dictionary of {count:,} domains in memory: {plain:.2f} us a look-up.")
    print("Medians; opening includes the first look-up, and the numbers of identification.")
    return 0 if all(one.within for one in measured) else 1


def generated(count: int) -> list[Row]:
    """Return rows with names and domains of made-up syllables, always the same."""
    chance = random.Random(7)  # noqa: S311 # no secret
    file = CatalogFile(category="generated", kind="ai", products={})
    rows = []
    for number in range(count):
        name = "".join(chance.choice(_SYLLABLES) for _ in range(3)).capitalize()
        slug = f"{name.lower()}-{number}"
        entry = Entry(
            name=f"{name} {number}",
            kind=chance.choice(("ai", "embedded_ai", "not_ai")),
            domains=(f"{slug}.{chance.choice(_ENDINGS)}",),
            ids={"entra": (f"00000000-0000-0000-0000-{number:012}",)},
        )
        rows.append(Row("generated.yaml", slug, entry, file))
    return sorted(rows, key=lambda row: row.product.id)


def measure(rows: Sequence[Row], path: Path) -> Figures:
    """Compile the rows and measure the file."""
    write(rows, path, CALIBRATION.read_text(encoding="utf-8"))
    ids, domains, apps = _questions(rows)
    opened = statistics.median(_timed(_open, [path] * _OPENINGS))
    with Catalog(path) as catalog:
        catalog.by_domain("warm.example")
        by_id = statistics.median(_timed(lambda native: catalog.by_id("entra", native), ids))
        by_domain = statistics.median(_timed(catalog.by_domain, domains))
        identify(apps[0], catalog, registrable_domain)
        whole = sorted(_timed(lambda facts: identify(facts, catalog, registrable_domain), apps))
    return Figures(
        len(rows),
        open_ms=opened * 1e3,
        id_us=by_id * 1e6,
        domain_us=by_domain * 1e6,
        identify_ms=statistics.median(whole) * 1e3,
        identify_p95_ms=whole[len(whole) * 95 // 100] * 1e3,
    )


def dictionary_us(count: int) -> float:
    """Return what the same look-up costs in a dictionary that is already there."""
    domains = {f"domain-{number}.com": number for number in range(count)}
    asked = [f"domain-{number}.com" for number in range(0, count, max(1, count // _ASKED))]
    return statistics.median(_timed(domains.get, asked)) * 1e6


def _questions(rows: Sequence[Row]) -> tuple[list[str], list[str], list[AppFacts]]:
    """Half of what is asked is listed, half is not."""
    chance = random.Random(11)  # noqa: S311 # no secret
    chosen = [chance.choice(rows) for _ in range(_ASKED)]
    ids, domains, apps = [], [], []
    for number, row in enumerate(chosen):
        listed = number % 2 == 0
        domain = next(iter(row.product.domains), "none.example") if listed else f"nobody-{number}.com"
        name = row.product.name if listed else f"Nobody knows {number} for Google Workspace"
        known = row.entry.ids.get("entra", ()) if listed else ()
        ids.append(known[0] if known else f"nobody-{number}")
        domains.append(domain)
        apps.append(
            AppFacts("google", "", name, domains=(f"https://{domain}/callback",) if number % 3 else ())
        )
    return ids, domains, apps


def _open(path: Path) -> None:
    with Catalog(path) as catalog:
        catalog.by_domain("chatgpt.com")
        _ = catalog.calibration


def _timed(act: Callable[[T], object], inputs: Sequence[T]) -> list[float]:
    return list(_seconds(act, inputs))


def _seconds(act: Callable[[T], object], inputs: Sequence[T]) -> Iterator[float]:
    for one in inputs:
        start = time.perf_counter()
        act(one)
        yield time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
