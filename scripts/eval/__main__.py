"""Print how well apps are identified, in three worlds: `make eval`, or `python -m scripts.eval --help`."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from scripts.build.catalog_checks import doubtful_pairs
from scripts.build.compile_catalog import SOURCES, Row, read_rows
from scripts.eval.cases import FOLDER, read_cases
from scripts.eval.catalogs import WORLDS, judge_of
from scripts.eval.report import Report, as_data, as_text, measure

DOCS: Final = Path(__file__).resolve().parents[2] / "docs" / "identification.md"
_BEGIN: Final = "<!-- figures -->"
_END: Final = "<!-- end of figures -->"


def main() -> None:
    """Read, measure, print."""
    parser = argparse.ArgumentParser(prog="make eval", description=__doc__)
    parser.add_argument("--catalog", type=Path, default=SOURCES, help="another folder of catalog files")
    parser.add_argument("--cases", type=Path, default=FOLDER, help="another folder of evaluation files")
    parser.add_argument("--world", choices=WORLDS, action="append", help="only this one (may be repeated)")
    parser.add_argument("--misses", type=int, default=15, help="how many of the worst misses to show")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--write-docs", action="store_true", help="write the tables into docs/identification.md"
    )
    asked = parser.parse_args()
    rows = read_rows(asked.catalog)
    cases = read_cases(asked.cases)
    reports: list[Report] = []
    for world in asked.world or WORLDS:
        with judge_of(world, rows, cases) as judge:
            reports.append(measure(world, cases, judge, asked.misses))
    if asked.json:
        print(json.dumps({"catalog": breadth(rows), "reports": [as_data(one) for one in reports]}, indent=2))
        return
    counts = breadth(rows)
    if asked.write_docs:
        write_docs(counts, reports)
    print(
        f"Catalog: {counts['ai']} AI, {counts['embedded_ai']} with AI features, {counts['not_ai']} ordinary."
    )
    pairs = doubtful_pairs(rows)
    if pairs:
        print(f"Worth a second look, may be one product: {', '.join('/'.join(pair) for pair in pairs)}.")
    for report in reports:
        print("\n".join(as_text(report)))


def write_docs(counts: dict[str, int], reports: Sequence[Report]) -> None:
    """Put the tables where the documentation has them."""
    page = DOCS.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    entries = (
        f"With {counts['ai']} AI, {counts['embedded_ai']} embedded and {counts['not_ai']} ordinary entries:"
    )
    tables = "\n".join(line for report in reports for line in as_text(replace(report, worst=())))
    DOCS.write_text(
        f"{before}{_BEGIN}\n{entries}\n\n```\n{tables.strip()}\n```\n{_END}{after}", encoding="utf-8"
    )


def breadth(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many entries of each kind there are."""
    counts = Counter(row.product.kind for row in rows)
    return {"ai": counts["ai"], "embedded_ai": counts["embedded_ai"], "not_ai": counts["not_ai"]}


if __name__ == "__main__":
    main()
