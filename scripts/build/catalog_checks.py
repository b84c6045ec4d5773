"""Entries of the catalog that look like one product written twice."""

from collections import defaultdict
from collections.abc import Sequence

from lantern.domain.catalog_listing import Listed

_TAILS = ("ai", "app", "io", "com", "hq", "inc")


def doubtful_pairs(rows: Sequence[Listed]) -> list[tuple[str, str]]:
    """Return ids worth a second look: alike but for a tail ("delve", "delve-ai"), kind and label equal."""
    by_stem: dict[str, list[Listed]] = defaultdict(list)
    for row in rows:
        by_stem[stem(row.product.id)].append(row)
    return [
        (other.product.id, row.product.id)
        for same in by_stem.values()
        for at, row in enumerate(same)
        for other in same[:at]
        if row.product.kind == other.product.kind and _labels(row) & _labels(other)
    ]


def stem(slug: str) -> str:
    """Return an id without hyphens and without one of the tails products add to their names."""
    plain = slug.replace("-", "")
    for tail in _TAILS:
        if plain.endswith(tail) and len(plain) > len(tail) + 2:
            return plain.removesuffix(tail)
    return plain


def _labels(row: Listed) -> set[str]:
    return {domain.split(".", 1)[0] for domain in row.product.domains}
