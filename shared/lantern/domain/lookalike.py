"""Apps dressed up as a known vendor's: look-alike letters, one letter off, borrowed authority."""

from dataclasses import dataclass
from typing import Literal

from lantern.domain.catalog import BrandHit, CatalogLookup, Product, Registrable
from lantern.domain.identification import AppFacts, hosts
from lantern.domain.names import (
    has_hidden_characters,
    is_generic,
    key,
    mixed_scripts,
    segments,
    skeleton,
    word_set,
    words,
)

LookAlikeKind = Literal["homoglyph", "edit_distance", "brand_suffix", "foreign_domain", "domain"]

_CONFIDENCE: dict[LookAlikeKind, float] = {
    "homoglyph": 0.95,
    "domain": 0.85,
    "edit_distance": 0.8,
    "brand_suffix": 0.75,
    "foreign_domain": 0.7,
}
# Words by which impostors claim to be the real thing or more; vendors do not call their own apps so.
_AUTHORITY = word_set("""
    official officially verified verify verification authentic genuine real original secure security support
    helpdesk unlimited free unlocked cracked premium activation activate renew renewal upgrade update
""")
_FRONT_DOORS = word_set("www accounts account login auth oauth id app api")
_MIN_BRAND_LENGTH = 5
# Shorter words are one letter from too many honest ones ("Crello" is no Trello).
_MIN_EDIT_LENGTH = 7
_MIN_DOMAIN_LABEL = 6


@dataclass(frozen=True, slots=True)
class LookAlike:
    """An app that looks like a known product but is not known to be the vendor's.

    `brand` is the name imitated, `confidence` is 0-1, `sentence` says why for people.
    """

    product_id: str
    product: str
    vendor: str
    brand: str
    kind: LookAlikeKind
    confidence: float
    sentence: str


def lookalike(facts: AppFacts, catalog: CatalogLookup, registrable: Registrable) -> LookAlike | None:
    """Return whom the app imitates, or None. An id or a domain of the vendor's own clears it.

    A plain brand name without any domain is no look-alike: most providers tell no domain.

    Args:
        facts: What the provider told about the app.
        catalog: Where brands, ids and domains are looked up.
        registrable: Answers the registrable domain of a host by the public suffix list.
    """
    if catalog.by_id(facts.provider, facts.client_id) is not None:
        return None
    if facts.extension_id and catalog.by_id("chrome", facts.extension_id) is not None:
        return None
    domains = _registrable_domains(facts, registrable)
    found = _by_name(facts.name, catalog, has_domains=bool(domains)) or _by_domain(domains, catalog)
    if found is None:
        return None
    _, product, _ = found
    cleared = _belongs_to(product, facts, catalog, registrable)
    return None if cleared else _lookalike(*found, domains)


def _registrable_domains(facts: AppFacts, registrable: Registrable) -> tuple[str, ...]:
    found = (registrable(host) for host in hosts(facts.domains))
    return tuple(dict.fromkeys(domain for domain in found if domain))


def _belongs_to(product: Product, facts: AppFacts, catalog: CatalogLookup, registrable: Registrable) -> bool:
    """An address of the vendor's own clears the app; where strangers publish, only its front doors do."""
    for host in hosts(facts.domains):
        domain = registrable(host)
        owners = (*catalog.by_domain(host), *(catalog.by_domain(domain) if domain and domain != host else ()))
        front = host == domain or host.split(".", 1)[0] in _FRONT_DOORS
        if any(owner.vendor == product.vendor and (front or not owner.hosts_others) for owner in owners):
            return True
    return False


_Found = tuple[LookAlikeKind, Product, str]


def _by_name(name: str, catalog: CatalogLookup, *, has_domains: bool) -> _Found | None:
    tricky = mixed_scripts(name) or has_hidden_characters(name)
    for text in _readings(name):
        shape = skeleton(text)
        if len(shape) < _MIN_BRAND_LENGTH:
            continue
        name_key = key(text)
        for hit in catalog.brands_near(shape):
            kind = _name_kind(hit, shape, name_key, catalog, tricky=tricky)
            if kind is not None:
                return kind, hit.product, hit.brand
    return _by_suffix(name, catalog, has_domains=has_domains)


def _readings(name: str) -> tuple[str, ...]:
    """The whole name, its first part, and its first part without generic words at the end."""
    parts = segments(name)
    tokens = list(parts[0].split()) if parts else []
    while len(tokens) > 1 and is_generic(key(tokens[-1])):
        tokens.pop()
    return tuple(dict.fromkeys((name, *parts[:1], " ".join(tokens))))


def _name_kind(
    hit: BrandHit, shape: str, name_key: str, catalog: CatalogLookup, *, tricky: bool
) -> LookAlikeKind | None:
    if shape == hit.skeleton:
        if name_key == key(hit.brand):
            return "homoglyph" if tricky else None
        return "homoglyph"
    if len(shape) < _MIN_EDIT_LENGTH or hit.product.common or catalog.by_name(name_key):
        return None
    # A letter more or less at the end is a plural or a derived word more often than a trick.
    if shape.startswith(hit.skeleton) or hit.skeleton.startswith(shape):
        return None
    return "edit_distance"


def _by_suffix(name: str, catalog: CatalogLookup, *, has_domains: bool) -> _Found | None:
    """Find a protected brand with nothing but words of authority around it ("Official ChatGPT App")."""
    tokens = words(name)
    leading = next((at for at, word in enumerate(tokens) if word not in _AUTHORITY), len(tokens))
    if leading and tokens[leading:]:
        tokens = (*tokens[leading:], *tokens[:leading])
    for end in range(len(tokens), 0, -1):
        hits = [hit for hit in catalog.by_name("".join(tokens[:end])) if hit.strength == "exact"]
        brands = [hit.product for hit in hits if hit.product.protected]
        if not brands:
            continue
        rest = tokens[end:]
        claims = any(word in _AUTHORITY for word in rest)
        # "ChatGPT - OpenAI Official" names the vendor as well, to be believed.
        vendor = set(words(brands[0].vendor))
        plain = all(is_generic(word) or word in _AUTHORITY or word in vendor for word in rest)
        if claims and plain and not _is_listed(name, catalog):
            return "brand_suffix", brands[0], brands[0].name
        if has_domains and not rest and not brands[0].common:
            return "foreign_domain", brands[0], brands[0].name
        return None
    return None


def _is_listed(name: str, catalog: CatalogLookup) -> bool:
    """Tell "Okta Verify", which is what its vendor calls it."""
    return any(hit.strength in {"exact", "alias"} for hit in catalog.by_name(key(name)))


def _by_domain(domains: tuple[str, ...], catalog: CatalogLookup) -> _Found | None:
    """Find a brand in a domain nobody listed, whole or one letter off ("openai-login.com", "chatgtp.com")."""
    for domain in domains:
        if catalog.by_domain(domain):
            continue
        label = domain.split(".", 1)[0]
        parts = [part for part in label.split("-") if part]
        whole = skeleton(label)
        for hit in catalog.brands_near(whole) if len(whole) >= _MIN_DOMAIN_LABEL else ():
            if not hit.product.common and hit.skeleton != whole:
                return "domain", hit.product, hit.brand
        for part in parts if len(parts) > 1 else ():
            shape = skeleton(part)
            near = catalog.brands_near(shape) if len(shape) >= _MIN_DOMAIN_LABEL else ()
            exact = [hit for hit in near if hit.skeleton == shape and not hit.product.common]
            if exact and all(other == part or is_generic(other) or other in _AUTHORITY for other in parts):
                return "domain", exact[0].product, exact[0].brand
    return None


def _lookalike(kind: LookAlikeKind, product: Product, brand: str, domains: tuple[str, ...]) -> LookAlike:
    shown, vendor = domains[0] if domains else "", product.vendor
    sentences: dict[LookAlikeKind, str] = {
        "homoglyph": f"The name is written to look like {brand} with other letters or hidden characters.",
        "edit_distance": f"The name is one letter away from {brand}.",
        "brand_suffix": f"The name adds words of authority to {brand}; nothing shows it is {vendor}'s.",
        "foreign_domain": f"The app is called {brand}, but its domain {shown} is not known as {vendor}'s.",
        "domain": f"The domain {shown} imitates {brand}, but is not known as {vendor}'s.",
    }
    return LookAlike(
        product.id, product.name, product.vendor, brand, kind, _CONFIDENCE[kind], sentences[kind]
    )
