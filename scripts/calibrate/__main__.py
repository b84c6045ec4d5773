"""Write `content/calibration.json`, and beside it what the evaluation needs to play the unlisted world.

Run as `make calibrate` after the catalog changed much: it needs scikit-learn, which only this command uses.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from lantern.domain.calibration import Calibration
from scripts.build.compile_catalog import CALIBRATION, SOURCES, Row, read_rows
from scripts.calibrate.evidence import confidences
from scripts.calibrate.samples import samples
from scripts.calibrate.train import fit
from scripts.eval.cases import HELD_OUT, read_cases
from scripts.eval.catalogs import without


def main() -> None:
    """Measure twice: on the whole catalog, and on the catalog without the evaluated products."""
    parser = argparse.ArgumentParser(prog="make calibrate", description=__doc__)
    parser.add_argument("--catalog", type=Path, default=SOURCES, help="another folder of catalog files")
    sources = parser.parse_args().catalog
    rows = read_rows(sources)
    for path, chosen in ((CALIBRATION, rows), (HELD_OUT, list(without(rows, read_cases())))):
        made = calibrate(chosen)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(made, order="sorted"), indent=1) + b"\n")
        print(
            f"{path.name}: {len(chosen)} entries, {len(made.weights)} weights, "
            f"AI from {made.threshold:.2f} on, {path.stat().st_size // 1024} KB"
        )


def calibrate(rows: Sequence[Row]) -> Calibration:
    """Return the numbers measured on these entries."""
    weights = fit(samples(rows))
    return replace(weights, confidences=confidences(rows, weights))


if __name__ == "__main__":
    main()
