"""Under which keys a catalog entry is found by name, and how much each key says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

from lantern.domain.catalog import NameStrength, Product
from lantern.domain.names import is_generic, key, words

_MIN_DERIVED = 3
_MIN_OVERLAP = 3
_CROWD = 2
_DROPPABLE_TAIL = frozenset({"ai", "app", "io", "com", "hq", "inc", "so"})


class Named(Protocol):
    """A row of the catalog as far as names go."""

    @property
    def product(self) -> Product:
        """The product."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the product's own names: its name and aliases."""
        ...


def crowded_words(rows: Iterable[Named]) -> frozenset[str]:
    """Return words that begin or end the names of several vendors: alone they point to none of them."""
    vendors: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name in row.names():
            parts = words(name)
            for word in {parts[0], parts[-1]} if len(parts) > 1 else ():
                vendors[word].add(row.product.vendor)
    return frozenset(word for word, names in vendors.items() if len(names) > _CROWD)


def vendor_sizes(rows: Iterable[Named]) -> Counter[str]:
    """Return how many entries each vendor has."""
    return Counter(row.product.vendor for row in rows)


def name_keys(row: Named, crowded: frozenset[str], sizes: Counter[str]) -> dict[str, NameStrength]:
    """Return every key the product is found under with its strength.

    Args:
        row: The entry.
        crowded: Words no shortened name may consist of.
        sizes: How many entries each vendor has.
    """
    found: dict[str, NameStrength] = {key(row.product.name): "exact"}
    for name in row.names()[1:]:
        found.setdefault(key(name), "exact" if _resembles(name, row.product) else "alias")
    for short in _shortened(row, crowded):
        found.setdefault(short, "derived")
    vendor = key(row.product.vendor)
    if vendor and (sizes[row.product.vendor] > 1 or _owns_a_domain(vendor, row.product)):
        found.setdefault(vendor, "vendor")
    found.pop("", None)
    return found


def _resembles(alias: str, product: Product) -> bool:
    """Say whether an alias of one word shows whose it is: "Mercury" of Inception Labs does not."""
    if len(words(alias)) > 1:
        return True
    called = key(alias)
    others = [key(product.name), key(product.vendor), *map(key, _labels(product))]
    return (
        any(one in called or called in one for one in others if len(one) >= _MIN_OVERLAP <= len(called))
        or not called.isascii()
    )


def _shortened(row: Named, crowded: frozenset[str]) -> Iterator[str]:
    """Yield "otter" for Otter.ai, but not "photo" for Photo AI, unless everybody calls it so."""
    product = row.product
    if product.common and product.kind == "ai" and not product.well_known:
        return
    labels = {key(domain.split(".", 1)[0]) for domain in product.domains}
    for name in row.names():
        parts = words(name)
        short = "".join(parts[:-1])
        # "Lexica Art" at lexica.art is called Lexica.
        drops = len(parts) > 1 and (parts[-1] in _DROPPABLE_TAIL or short in labels)
        drops = drops and not all(is_generic(part) for part in parts[:-1])
        if drops and len(short) >= _MIN_DERIVED and (product.well_known or short not in crowded):
            yield short


def _owns_a_domain(vendor: str, product: Product) -> bool:
    labels = [key(label) for label in _labels(product)]
    return any(vendor in label or (label in vendor and len(label) >= _MIN_OVERLAP) for label in labels)


def _labels(product: Product) -> list[str]:
    return [label for domain in product.domains for label in domain.split(".")[:-1]]
