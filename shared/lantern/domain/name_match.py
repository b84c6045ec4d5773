"""Finding a catalog product in a display name, however it is decorated, without matching inside words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lantern.domain.catalog import CatalogLookup, NameHit, Product
from lantern.domain.names import (
    LEADING_WORDS,
    clean,
    is_generic,
    key,
    pieces,
    readings,
    segments,
    word_set,
    words,
)

Reading = Literal["exact", "alias", "stripped", "derived", "vendor", "segment", "prefix"]
Standing = Literal["distinct", "famous", "common", "contested"]

MIN_PREFIX_LENGTH = 5
_MIN_COMPANY = 5
_AI_WORDS = frozenset({"ai", "gpt"})
_PLATFORM_VENDORS = frozenset({"google", "microsoft"})
_PLATFORMS = word_set("workspace drive docs sheets slides calendar meet chrome teams outlook office")
_Pieces = tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The products a name stands for (several where it is ambiguous), how it was read, and why in words.

    `standing` tells what the name is apart from the product: nothing (`distinct`), an ordinary word that most
    people mean this product by (`famous`), an ordinary word (`common`), or the name of another product too of
    which this is the famous one (`contested`, the others are `namesakes`). `key` is the part of the name
    that was found. `ai_edition` tells that the name said "AI" beyond the product's own ("Trello AI").
    """

    products: tuple[Product, ...]
    reading: Reading
    standing: Standing
    key: str
    sentence: str
    ai_edition: bool = False
    namesakes: tuple[Product, ...] = ()

    @property
    def all(self) -> tuple[Product, ...]:
        """The products and those of the same name that fewer people mean."""
        return (*self.products, *self.namesakes)

    @property
    def evidence(self) -> str:
        """The kind of evidence this is, as calibration counts it."""
        return f"name:{self.reading}:{self.standing}"

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the products: more than one where only a domain or an id would tell."""
        return frozenset(product.kind for product in self.products)


def match_name(name: str, catalog: CatalogLookup) -> NameMatch | None:
    """Return what `name` stands for in the catalog, best reading first, or None.

    The readings in order: the whole name; without generic words, versions, legal forms; the first part of a
    decorated name ("Fathom | Notetaker for Zoom"); a later part that is said to be the maker; a protected
    distinctive name followed by other words.
    """
    for name_key in readings(name):
        whole = _hit(name_key, catalog)
        if whole:
            return _match(whole, name_key, "exact", f"The name is that of {_called(whole)}.")
    parts = segments(name)
    begun = None
    for tokens in dict.fromkeys((pieces(name), *(pieces(part) for part in parts[:1]))):
        main = _longest_prefix(tokens, catalog)
        if main is not None and main.reading != "prefix":
            return main
        begun = begun or main
    for part in parts[1:3]:
        found = _hit(key(part), catalog)
        if found and _says_who_made_it(name, part):
            return _match(found, key(part), "segment", f"The name mentions {_called(found)}.")
    return begun


def match_publisher(publisher: str, catalog: CatalogLookup) -> tuple[Product, ...]:
    """Return the products of the vendor that `publisher` names, legal forms ignored."""
    for name in _company_names(publisher):
        hits = catalog.by_name(name)
        vendors = {hit.product.vendor for hit in hits if key(hit.product.vendor) == name}
        if len(vendors) == 1:
            return tuple(hit.product for hit in hits if hit.product.vendor in vendors)
        vendor_hits = tuple(hit.product for hit in hits if hit.strength == "vendor")
        if vendor_hits:
            return vendor_hits
    return ()


def made_by(publisher: str, products: Iterable[Product]) -> tuple[Product, ...]:
    """Return those of the products whose vendor or own name the publisher bears."""
    listed = tuple(products)
    names = _company_names(publisher)
    for name in names:
        found = tuple(one for one in listed if key(one.vendor) == name) or tuple(
            one for one in listed if key(one.name) == name
        )
        if found:
            return found
    # "OpenAI OpCo" adds to the vendor's name.
    whole = names[0] if names else ""
    return tuple(
        one for one in listed if len(key(one.vendor)) >= _MIN_COMPANY and whole.startswith(key(one.vendor))
    )


def _company_names(publisher: str) -> tuple[str, ...]:
    """The publisher's name key, then without one generic word after the other at its end."""
    tokens = words(publisher)
    names = []
    while tokens:
        names.append("".join(tokens))
        if not is_generic(tokens[-1]):
            break
        tokens = tokens[:-1]
    return tuple(names)


def _says_who_made_it(name: str, part: str) -> bool:
    """Tell "Meeting notes by Otter" and "Notes - Otter", which are Otter, from "X for Slack"."""
    # The parts come from the name as it is shown, where no space is doubled.
    shown = clean(name).lower()
    at = shown.rfind(part.lower())
    before = shown[:at].rstrip().rsplit(" ", 1)[-1] if at > 0 else ""
    return before in {"by", "from", "via"} or before[-1:] in set("-–—|:•·(")


def _longest_prefix(tokens: _Pieces, catalog: CatalogLookup) -> NameMatch | None:
    """Try the words as they are, then without a leading "the" or "my"; what leaves least over wins."""
    best: tuple[int, NameMatch] | None = None
    for start, (word, apart) in enumerate(tokens):
        if not apart:
            break
        found = _prefix_from(tokens[start:], catalog)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
        if word not in LEADING_WORDS:
            break
    return best[1] if best else None


def _prefix_from(tokens: _Pieces, catalog: CatalogLookup) -> tuple[int, NameMatch] | None:
    """Find the longest beginning that ends where a word does, and how many words it leaves over."""
    for end in range(len(tokens), 0, -1):
        if not _may_end(tokens, end):
            continue
        name_key = "".join(word for word, _ in tokens[:end])
        found = _hit(name_key, catalog)
        if not found:
            continue
        rest = tuple(word for word, _ in tokens[end:])
        if all(is_generic(word) for word in rest):
            said = f"Without additions the name is that of {_called(found)}."
            match = _match(found, name_key, "stripped", said)
            return len(rest), replace(match, ai_edition=bool(_AI_WORDS & set(rest)))
        begun = _prefix(found, end, name_key)
        return (len(rest), begun) if begun else None
    return None


def _may_end(tokens: _Pieces, end: int) -> bool:
    """No name ends inside a word ("MultiOn" is no "Multi"), nor inside "Google Workspace"."""
    if end == len(tokens):
        return True
    word, apart = tokens[end]
    if tokens[end - 1][0] in _PLATFORM_VENDORS and word in _PLATFORMS:
        return False
    return apart or word in _AI_WORDS


def _prefix(hits: tuple[NameHit, ...], length: int, name_key: str) -> NameMatch | None:
    """Take a protected, distinctive AI name with other words behind it as evidence, any other as none."""
    usable = tuple(hit for hit in hits if hit.strength == "exact" and _may_begin(hit.product))
    if not usable or len(usable) < len(hits) or (length == 1 and len(name_key) < MIN_PREFIX_LENGTH):
        return None
    products = tuple(hit.product for hit in usable)
    return NameMatch(products, "prefix", "distinct", name_key, f"The name begins with {_called(usable)}.")


def _may_begin(product: Product) -> bool:
    return product.kind == "ai" and product.protected and not product.common


def _hit(name_key: str, catalog: CatalogLookup) -> tuple[NameHit, ...]:
    """Return the strongest hits only: a name of its own beats a shortened one beats the vendor's."""
    hits = catalog.by_name(name_key) if len(name_key) > 1 else ()
    return tuple(hit for hit in hits if hit.strength == hits[0].strength)


def _match(hits: tuple[NameHit, ...], name_key: str, reading: Reading, sentence: str) -> NameMatch:
    strength = hits[0].strength
    read: Reading = reading if strength == "exact" else strength
    famous = tuple(hit for hit in hits if hit.product.famous)
    if strength != "vendor" and len({hit.product.kind for hit in hits}) > 1 and len(famous) == 1:
        said = f"Of the products with this name most people mean {_called(famous)}."
        rest = tuple(hit.product for hit in hits if hit is not famous[0])
        return NameMatch((famous[0].product,), read, "contested", name_key, said, namesakes=rest)
    products = tuple(hit.product for hit in hits)
    # "Read" is an ordinary word, "Read AI" is not.
    ordinary = any(product.common for product in products) and not name_key.endswith(("ai", "gpt"))
    standing: Standing = "distinct"
    if ordinary:
        standing = "famous" if len(famous) == len(hits) else "common"
    return NameMatch(products, read, standing, name_key, sentence)


def _called(hits: tuple[NameHit, ...]) -> str:
    return " or ".join(f"{hit.product.name} of {hit.product.vendor}" for hit in hits[:3])
