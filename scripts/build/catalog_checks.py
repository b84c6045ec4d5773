"""What two catalog entries cannot both say, and entries that look like one product written twice."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from lantern.domain.catalog import Product
from lantern.domain.names import key
from scripts.build.catalog_schema import Entry

_TAILS = ("ai", "app", "io", "com", "hq", "inc")


class Checked(Protocol):
    """A row of the catalog as far as checks go."""

    entry: Entry
    product: Product
    file: str

    @property
    def where(self) -> str:
        """The place of the entry, for error messages."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the product's own names."""
        ...


def contradictions(rows: Sequence[Checked]) -> Iterator[str]:
    """Yield every fault as `file: products: entry: field: fault`."""
    yield from _shared_facts(rows)
    yield from _shared_names(rows)
    yield from _twins(rows)


def _shared_facts(rows: Sequence[Checked]) -> Iterator[str]:
    """One id, one native id, one domain of two vendors."""
    slugs: dict[str, Checked] = {}
    natives: dict[str, Checked] = {}
    domains: dict[str, Checked] = {}
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


def _shared_names(rows: Sequence[Checked]) -> Iterator[str]:
    by_name: dict[str, list[Checked]] = defaultdict(list)
    for row in rows:
        for name_key in {key(name) for name in row.names()}:
            by_name[name_key].append(row)
    for name_key, same in by_name.items():
        if len(same) > 1 and not all(row.entry.namesake for row in same):
            others = ", ".join(row.product.id for row in same[:-1])
            yield f"{same[-1].where}: name: {name_key} is also {others}; if all are real, mark them namesake"


def _twins(rows: Sequence[Checked]) -> Iterator[str]:
    """Ids that differ in hyphens only ("copyai", "copy-ai")."""
    seen: dict[str, Checked] = {}
    for row in rows:
        first = seen.setdefault(row.product.id.replace("-", ""), row)
        if first.product.id != row.product.id and not (row.entry.namesake and first.entry.namesake):
            said = f"looks like {first.product.id} again; merge them, or mark both namesake"
            yield f"{row.where}: id: {said}"


def doubtful_pairs(rows: Sequence[Checked]) -> list[tuple[str, str]]:
    """Return ids worth a second look: alike but for a tail ("delve", "delve-ai"), kind and label equal."""
    by_stem: dict[str, list[Checked]] = defaultdict(list)
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


def _labels(row: Checked) -> set[str]:
    return {domain.split(".", 1)[0] for domain in row.product.domains}
