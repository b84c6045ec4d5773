"""An entry of the catalog: a product and what it is found under; and what entries cannot say together."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from lantern.domain.catalog import NameStrength, Product
from lantern.domain.names import key, skeleton, words

_MIN_DERIVED = 3
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


def name_keys(listed: Listed) -> dict[str, NameStrength]:
    """Return every key the product is found under, with its strength: own, shortened, or its vendor's."""
    found: dict[str, NameStrength] = {key(name): "exact" for name in names(listed)}
    # "Otter" is Otter.ai, but "Photo" is not Photo AI: AI products of ordinary names have no shortened one.
    shortens = not (listed.product.common and listed.product.kind == "ai")
    for name in names(listed) if shortens else ():
        parts = words(name)
        short = "".join(parts[:-1])
        if len(parts) > 1 and parts[-1] in _DROPPABLE_TAIL and len(short) >= _MIN_DERIVED:
            found.setdefault(short, "derived")
    found.setdefault(key(listed.product.vendor), "vendor")
    return found


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
