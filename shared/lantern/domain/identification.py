"""Who is this app, and is it AI? Evidence first, names second, weak signals last; the answer says why."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from lantern.domain.catalog import CatalogLookup, Product, Registrable
from lantern.domain.name_match import NameMatch, match_name, match_publisher
from lantern.domain.weak_signals import AI_THRESHOLD, weigh

Verdict = Literal["ai", "embedded_ai", "not_ai", "unknown"]
EvidenceKind = Literal["id", "extension", "domain", "name", "publisher", "signal", "conflict"]

# How often each kind of evidence turns out right: the confidence it earns alone.
ID_CONFIDENCE = 0.99
DOMAIN_CONFIDENCE = 0.96
DOMAIN_AND_NAME_CONFIDENCE = 0.98
PUBLISHER_CONFIDENCE = 0.8
# A known name on a domain that is not the vendor's: a customer's own page, or somebody else of that name.
FOREIGN_DOMAIN_FACTOR = 0.75
AI_EDITION_CONFIDENCE = 0.55
MIN_CONFIDENCE = 0.5

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([^/:?#\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AppFacts:
    """What is known about an app before judging it.

    `provider` is one of `google, entra, okta, slack, github, salesforce`; `domains` are hosts or URLs of
    homepage, redirect and reply addresses; `scopes` are the provider's own strings. Names may be hostile: any
    length, any letters.
    """

    provider: str
    client_id: str
    name: str
    publisher: str | None = None
    domains: tuple[str, ...] = ()
    extension_id: str | None = None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a verdict: its kind, a sentence for people, and how much it alone is worth (0-1)."""

    kind: EvidenceKind
    sentence: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Identification:
    """The verdict on an app. `entry_revision` changes when the catalog entry behind the verdict changes."""

    verdict: Verdict
    confidence: float
    vendor: str | None = None
    product: str | None = None
    product_id: str | None = None
    category: str | None = None
    evidence: tuple[Evidence, ...] = field(default=())
    entry_revision: str | None = None


def identify(facts: AppFacts, catalog: CatalogLookup, registrable: Registrable) -> Identification:
    """Say whether an app is AI, which product it is, how sure that is, and why.

    Args:
        facts: What the provider told about the app.
        catalog: Where products are looked up.
        registrable: Answers the registrable domain of a host by the public suffix list.
    """
    by_id = _by_id(facts, catalog)
    if by_id is not None:
        return by_id
    domains = _domain_products(facts.domains, catalog, registrable)
    named = match_name(facts.name, catalog)
    return (
        _by_domain(domains, named)
        or _by_name(named, has_foreign_domain=bool(facts.domains) and not domains.own)
        or _by_publisher(facts, catalog)
        or _by_weak_signals(facts, named)
    )


def hosts(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the host of each address (URL, host or e-mail address), lower case, in order, once each."""
    found = (_HOST.match(address.strip()) for address in addresses)
    named = (match.group(1).lower().rstrip(".") for match in found if match)
    return tuple(dict.fromkeys(host for host in named if "." in host))


def _by_id(facts: AppFacts, catalog: CatalogLookup) -> Identification | None:
    product = catalog.by_id(facts.provider, facts.client_id)
    if product is not None:
        said = f"The client id is known to be {product.name} of {product.vendor}."
        return _identified(product, (Evidence("id", said, ID_CONFIDENCE),))
    product = catalog.by_id("chrome", facts.extension_id) if facts.extension_id else None
    if product is None:
        return None
    said = f"The browser extension id is known to be {product.name} of {product.vendor}."
    return _identified(product, (Evidence("extension", said, ID_CONFIDENCE),))


@dataclass(frozen=True, slots=True)
class _Domains:
    """Products listed under the app's domains: `own` where it is the vendor's alone, else `shared`."""

    own: tuple[tuple[str, Product], ...]
    shared: tuple[tuple[str, Product], ...]


def _domain_products(
    addresses: tuple[str, ...], catalog: CatalogLookup, registrable: Registrable
) -> _Domains:
    own: dict[str, tuple[str, Product]] = {}
    shared: dict[str, tuple[str, Product]] = {}
    for host in hosts(addresses):
        domain = registrable(host)
        for candidate in _most_specific_first(host, domain) if domain else ():
            products = catalog.by_domain(candidate)
            for product in products:
                (shared if product.hosts_others else own).setdefault(product.id, (candidate, product))
            if products:
                break
    return _Domains(tuple(own.values()), tuple(shared.values()))


def _most_specific_first(host: str, domain: str) -> Iterable[str]:
    labels = host.split(".")[-6:]
    for start in range(len(labels) - domain.count(".")):
        yield ".".join(labels[start:])


def _by_domain(domains: _Domains, named: NameMatch | None) -> Identification | None:
    """Decide by domain; a name among the domain's products picks one of them, also on a shared host."""
    named_ids = {product.id for product in named.products} if named else set()
    agreeing = [pair for pair in (*domains.own, *domains.shared) if pair[1].id in named_ids]
    if len(agreeing) == 1:
        host, product = agreeing[0]
        said = f"The name is {product.name} and the domain {host} belongs to {product.vendor}."
        return _identified(product, (Evidence("domain", said, DOMAIN_AND_NAME_CONFIDENCE),))
    if not domains.own:
        return None
    kinds = {product.kind for _, product in domains.own}
    vendors = {product.vendor for _, product in domains.own}
    host, first = domains.own[0]
    if len(kinds) > 1:
        if len(vendors) > 1:
            return None
        said = (
            f"The domain {host} is {first.vendor}'s, who has AI and other products; the name does not tell."
        )
        return Identification(
            "unknown", 0.0, vendor=first.vendor, evidence=(Evidence("conflict", said, 0.0),)
        )
    said = f"The domain {host} belongs to {first.vendor}."
    evidence = (Evidence("domain", said, DOMAIN_CONFIDENCE),)
    return _identified_one_of(tuple(product for _, product in domains.own), evidence)


def _by_name(named: NameMatch | None, *, has_foreign_domain: bool) -> Identification | None:
    if named is None:
        return None
    evidence = [Evidence("name", named.sentence, named.confidence)]
    kinds = {product.kind for product in named.products}
    if len(kinds) > 1:
        names = ", ".join(sorted({f"{product.name} of {product.vendor}" for product in named.products}))
        said = f"Several products have this name ({names}); only a domain or an id would tell."
        return Identification("unknown", 0.0, evidence=(*evidence, Evidence("conflict", said, 0.0)))
    confidence = named.confidence
    if has_foreign_domain:
        confidence *= FOREIGN_DOMAIN_FACTOR
        evidence.append(
            Evidence("conflict", "The app's domains are not known to belong to that vendor.", 0.0)
        )
    if named.ai_edition and kinds == {"not_ai"}:
        product = named.products[0]
        said = f"The name adds AI to {product.name}: taken for an AI feature of it."
        evidence.append(Evidence("signal", said, AI_EDITION_CONFIDENCE))
        return _identified(product, tuple(evidence), verdict="embedded_ai", confidence=AI_EDITION_CONFIDENCE)
    if confidence < MIN_CONFIDENCE:
        return None
    return _identified_one_of(named.products, tuple(evidence), confidence)


def _by_publisher(facts: AppFacts, catalog: CatalogLookup) -> Identification | None:
    products = match_publisher(facts.publisher, catalog) if facts.publisher else ()
    if not products or len({product.kind for product in products}) > 1:
        return None
    said = f"The publisher calls itself {products[0].vendor}."
    return _identified_one_of(products, (Evidence("publisher", said, PUBLISHER_CONFIDENCE),))


def _by_weak_signals(facts: AppFacts, named: NameMatch | None) -> Identification:
    probability, sentences = weigh(facts.name, facts.publisher, hosts(facts.domains), facts.scopes)
    evidence = tuple(Evidence("signal", sentence, strength) for sentence, strength in sentences)
    if named is not None:
        evidence = (Evidence("name", named.sentence, named.confidence), *evidence)
    if probability < AI_THRESHOLD:
        return Identification("unknown", round(probability, 2), evidence=evidence)
    return Identification("ai", round(probability, 2), evidence=evidence)


def _identified(
    product: Product,
    evidence: tuple[Evidence, ...],
    *,
    verdict: Verdict | None = None,
    confidence: float | None = None,
) -> Identification:
    sure = max(item.confidence for item in evidence) if confidence is None else confidence
    return Identification(
        verdict or product.kind,
        round(sure, 2),
        vendor=product.vendor,
        product=product.name,
        product_id=product.id,
        category=product.category,
        evidence=evidence,
        entry_revision=product.revision,
    )


def _identified_one_of(
    products: tuple[Product, ...], evidence: tuple[Evidence, ...], confidence: float | None = None
) -> Identification:
    """Identify as the one product, or, of several that agree on being AI, only what they have in common."""
    if len(products) == 1:
        return _identified(products[0], evidence, confidence=confidence)
    whole = _identified(products[0], evidence, confidence=confidence)
    vendors = {product.vendor for product in products}
    categories = {product.category for product in products}
    return Identification(
        whole.verdict,
        whole.confidence,
        vendor=whole.vendor if len(vendors) == 1 else None,
        category=whole.category if len(categories) == 1 else None,
        evidence=evidence,
        entry_revision="+".join(sorted(product.revision for product in products)),
    )
