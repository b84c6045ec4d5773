"""How often each kind of evidence is right: entries are asked for while a part of the catalog is away."""

import hashlib
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

import msgspec

from lantern.domain.calibration import MIN_CONFIDENCE, Calibration
from lantern.domain.identification import AppFacts, identify
from lantern.domain.name_match import Reading, Standing
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.build.compile_catalog import FILE_NAME, Row, write

FOLDS: Final = 4
ENTRIES: Final = 6000
"""How many entries are asked for: enough for two digits."""
UNLISTED: Final = 0.4
"""The share of apps met in practice that no catalog has. Their names may be those of listed products."""
_DRESSES: Final = ("{}", "{} for Google Workspace", "{}, Inc.", "{} v2", "Notes by {}")
BASES: Final = (
    *(
        "domain",
        "domain:name",
        "domain:flagship",
        "name:domain",
        "name:publisher",
        "name:ai_edition",
        "publisher",
    ),
    *(
        f"name:{reading}:{standing}{whose}"
        for reading in get_args(Reading)
        for standing in get_args(Standing)
        for whose in ("", ":foreign")
    ),
)
_TAIL: Final = re.compile(r"[ .]?(?:ai|app|io|com|hq)$", re.IGNORECASE)
_STRANGE: Final = "example.org"
_USUAL: Final = 0.85
_DOUBT: Final = 6.0
"""What is believed of evidence before it is measured, and how many answers weigh as much as that belief."""
_CEILING: Final = 0.98
# What the catalog cannot measure, because whoever else bears a name is not in it: ordinary words are the
# names of many things, and an app with addresses of its own may be somebody else's.
_CAPS: Final = {
    "famous": 0.92,
    "common": 0.75,
    "contested": 0.75,
    "vendor": 0.75,
    "derived": 0.8,
    "prefix": 0.8,
    "flagship": 0.85,
    "foreign": 0.8,
    "ai_edition": 0.55,
}


def confidences(rows: Sequence[Row], weights: Calibration) -> dict[str, float]:
    """Return for each basis of a verdict how often the verdict held."""
    right: dict[str, float] = defaultdict(float)
    asked: dict[str, float] = defaultdict(float)
    asked_for = sorted(rows, key=lambda row: hashlib.sha256(row.product.id.encode()).digest())[:ENTRIES]
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(FOLDS):
            path = Path(folder) / str(fold) / FILE_NAME
            listed = [row for row in rows if _fold(row) != fold]
            write(listed, path, msgspec.json.encode(weights).decode())
            with Catalog(path) as catalog:
                for row in asked_for:
                    away = _fold(row) == fold
                    worth = UNLISTED if away else (1 - UNLISTED) / (FOLDS - 1)
                    for basis, held in _answers(row, catalog):
                        asked[basis] += worth
                        right[basis] += worth * held
    return {basis: _settled(basis, right[basis], asked[basis]) for basis in sorted({*BASES, *asked})}


def _answers(row: Row, catalog: Catalog) -> Iterator[tuple[str, bool]]:
    product = row.product
    own = product.domains[:1]
    asked = [AppFacts("google", "", dress.format(product.name)) for dress in _DRESSES]
    asked += [AppFacts("google", "", domain.capitalize()) for domain in own]
    asked += [AppFacts("google", "", name) for name in (*row.entry.aliases, *_called_short(row))]
    asked += [AppFacts("google", "", product.name, domains=own), AppFacts("google", "", "", domains=own)]
    asked += [AppFacts("google", "", product.name, domains=(_STRANGE,))]
    asked += [AppFacts("google", "", "Internal tool", publisher=product.vendor)]
    asked += [AppFacts("google", "", product.name, publisher=product.vendor)]
    for facts in asked:
        found = identify(facts, catalog, registrable_domain)
        if found.basis:
            yield found.basis, (found.verdict == "ai") == (product.kind == "ai")


def _called_short(row: Row) -> Iterator[str]:
    """People say "Otter" for Otter.ai, and "Otter AI" too."""
    name = row.product.name
    short = _TAIL.sub("", name)
    if row.product.kind == "ai" and len(short) > 2:
        yield short
        yield f"{short} AI"


def _fold(row: Row) -> int:
    return hashlib.sha256(row.product.id.encode()).digest()[-1] % FOLDS


def _settled(basis: str, right: float, asked: float) -> float:
    caps = [_CAPS[part] for part in basis.split(":") if part in _CAPS]
    share = (right + _DOUBT * _USUAL) / (asked + _DOUBT)
    return round(max(MIN_CONFIDENCE, min(share, _CEILING, *caps)), 3)
