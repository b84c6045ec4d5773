"""An entry of the catalog: a product and what it is found under; and what entries cannot say together."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

from lantern.domain.catalog import NameStrength, Product
from lantern.domain.names import is_generic, key, skeleton, words

_MIN_DERIVED = 3
_MIN_OVERLAP = 3
_CROWD = 2
_MIN_BRAND = 5
_DROPPABLE_TAIL = frozenset({"ai", "app", "io", "com", "hq", "inc", "so"})


class Listed(Protocol):
    """Whatever lists a product: an entry of the shipped file, a tenant's, an operator's."""

    @property
    def product(self) -> Product:
        """The product."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """Further names of its own."""
        ...

    @property
    def ids(self) -> Mapping[str, tuple[str, ...]]:
        """Its client, app or extension ids by provider."""
        ...

    @property
    def namesake(self) -> bool:
        """Whether another product is known to have a name of it as well."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """A product and what it is found under, apart from its domains, which the product knows itself."""

    product: Product
    aliases: tuple[str, ...] = ()
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namesake: bool = False


L = TypeVar("L", bound=Listed)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an entry: the field, and in words why."""

    field: str
    said: str


def names(listed: Listed) -> tuple[str, ...]:
    """Return the product's own names: its name and aliases."""
    return (listed.product.name, *listed.aliases)


def natives(listed: Listed) -> Iterator[tuple[str, str]]:
    """Yield (provider, id as it is compared) for each id of the product."""
    for provider, ids in listed.ids.items():
        for native in ids:
            yield provider, native.casefold()


def crowded_words(rows: Iterable[Listed]) -> frozenset[str]:
    """Return words that begin or end the names of several vendors: alone they point to none of them."""
    vendors: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name in names(row):
            parts = words(name)
            for word in {parts[0], parts[-1]} if len(parts) > 1 else ():
                vendors[word].add(row.product.vendor)
    return frozenset(word for word, known in vendors.items() if len(known) > _CROWD)


def vendor_sizes(rows: Iterable[Listed]) -> Counter[str]:
    """Return how many entries each vendor has."""
    return Counter(row.product.vendor for row in rows)


def name_keys(
    listed: Listed, crowded: frozenset[str] = frozenset(), sizes: Mapping[str, int] = MappingProxyType({})
) -> dict[str, NameStrength]:
    """Return every key the product is found under, with its strength: own, shortened, or its vendor's.

    Args:
        listed: The entry.
        crowded: Words no shortened name may consist of.
        sizes: How many entries each vendor has.
    """
    product = listed.product
    found: dict[str, NameStrength] = {key(product.name): "exact"}
    for name in listed.aliases:
        found.setdefault(key(name), "exact" if _resembles(name, product) else "alias")
    for short in _shortened(listed, crowded):
        found.setdefault(short, "derived")
    vendor = key(product.vendor)
    if vendor and (sizes.get(product.vendor, 0) > 1 or _owns_a_domain(vendor, product)):
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


def _shortened(listed: Listed, crowded: frozenset[str]) -> Iterator[str]:
    """Yield "otter" for Otter.ai, but not "photo" for Photo AI, unless everybody calls it so."""
    product = listed.product
    if product.common and product.kind == "ai" and not product.well_known:
        return
    labels = {key(domain.split(".", 1)[0]) for domain in product.domains}
    for name in names(listed):
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


def brands(listed: Listed) -> dict[str, str]:
    """Return the names worth imitating by what they look like; none unless the product is protected."""
    if not listed.product.protected:
        return {}
    looks = {skeleton(name): name for name in reversed(names(listed))}
    return {shape: name for shape, name in sorted(looks.items()) if len(shape) >= _MIN_BRAND}


def contradictions(rows: Sequence[L]) -> Iterator[tuple[L, Fault]]:
    """Yield what two entries cannot both say, with the later of them.

    One product id, one native id, one domain of two vendors, one name of products that do not admit to it.
    """
    products: dict[str, L] = {}
    owners: dict[tuple[str, str], L] = {}
    domains: dict[str, L] = {}
    for row in rows:
        if products.setdefault(row.product.id, row) is not row:
            yield row, Fault("id", f"{row.product.id} is there already")
        for native in natives(row):
            owner = owners.setdefault(native, row)
            if owner is not row:
                yield row, Fault("ids", f"{' '.join(native)} belongs to {owner.product.id} already")
        for domain in row.product.domains:
            owner = domains.setdefault(domain, row)
            if owner.product.vendor != row.product.vendor:
                yield row, Fault("domains", f"{domain} belongs to {owner.product.vendor} already")
    yield from _shared_names(rows)
    yield from _twins(rows)


def _twins(rows: Sequence[L]) -> Iterator[tuple[L, Fault]]:
    """Ids that differ in hyphens only ("copyai", "copy-ai")."""
    seen: dict[str, L] = {}
    for row in rows:
        first = seen.setdefault(row.product.id.replace("-", ""), row)
        if first.product.id != row.product.id and not (row.namesake and first.namesake):
            yield row, Fault("id", f"looks like {first.product.id} again; merge them, or mark both namesake")


def _shared_names(rows: Sequence[L]) -> Iterator[tuple[L, Fault]]:
    by_name: dict[str, list[L]] = defaultdict(list)
    for row in rows:
        for name_key in sorted({key(name) for name in names(row)}):
            by_name[name_key].append(row)
    for name_key, same in by_name.items():
        if len(same) > 1 and not all(row.namesake for row in same):
            others = ", ".join(row.product.id for row in same[:-1])
            said = f"{name_key} is also {others}; if all are real, mark them namesake"
            yield same[-1], Fault("name", said)
