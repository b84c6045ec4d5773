"""Who is this app, and is it AI? Evidence first, names second, weak signals last; the answer says why."""

from dataclasses import dataclass, field, replace
from typing import Literal

from lantern.domain.addresses import Addresses, hosts, resolve
from lantern.domain.catalog import CatalogLookup, Kind, Product, Registrable
from lantern.domain.name_match import NameMatch, made_by, match_name, match_publisher
from lantern.domain.names import key, written_domains
from lantern.domain.weak_signals import capped, weigh

__all__ = ["AppFacts", "Evidence", "EvidenceKind", "Identification", "Verdict", "hosts", "identify"]

Verdict = Literal["ai", "embedded_ai", "not_ai", "unknown"]
EvidenceKind = Literal["id", "extension", "domain", "name", "publisher", "signal", "conflict"]

# An id is the vendor's registration itself; what is left is our own slips of the pen.
ID_CONFIDENCE = 0.99
_ID_PROVIDERS = ("google", "entra", "okta", "slack", "github", "salesforce", "chrome")
# Words that vendors put around their name in a domain: "getotter.com" is named like Otter.
_AFFIXES = ("get", "try", "use", "join", "my", "the", "hello", "hey", "go", "app", "hq", "ai", "io", "labs")


@dataclass(frozen=True, slots=True)
class AppFacts:
    """What is known about an app before judging it.

    `provider` is one of `google, entra, okta, slack, github, salesforce`, or empty where it is not known;
    `domains` are hosts or URLs of homepage, redirect and reply addresses, in any order; `scopes` are the
    provider's own strings. Names may be hostile: any length, any letters.
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
    """The verdict on an app. `entry_revision` changes when the catalog entry behind the verdict changes.

    `basis` is the kind of evidence the verdict rests on, as calibration counts it. The confidence of
    `unknown` is the probability of `ai` that was too low to say so.
    """

    verdict: Verdict
    confidence: float
    vendor: str | None = None
    product: str | None = None
    product_id: str | None = None
    category: str | None = None
    evidence: tuple[Evidence, ...] = field(default=())
    entry_revision: str | None = None
    basis: str = ""


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
    addresses = resolve(facts.domains, catalog, registrable)
    named = match_name(facts.name, catalog)
    # "Your.MD" is a name, whoever owns your.md; "Otter.ai Notetaker" holds a domain.
    whole = named is not None and named.reading == "exact"
    written = resolve(() if whole else written_domains(facts.name), catalog, registrable)
    decided = _by_domain(addresses, named, catalog) or _by_written_domain(addresses, written, catalog)
    addresses = replace(addresses, foreign=addresses.foreign or written.foreign)
    return (
        decided
        or (_by_name(facts, named, addresses, catalog) if named else None)
        or _by_publisher(facts, catalog)
        or _by_weak_signals(facts, named, addresses, catalog)
    )


def _by_id(facts: AppFacts, catalog: CatalogLookup) -> Identification | None:
    providers = (facts.provider,) if facts.provider else _ID_PROVIDERS
    for provider in providers if facts.client_id else ():
        product = catalog.by_id(provider, facts.client_id)
        if product is not None:
            said = f"The client id is known to be {product.name} of {product.vendor}."
            return _identified((product,), (Evidence("id", said, ID_CONFIDENCE),), "id", ID_CONFIDENCE)
    product = catalog.by_id("chrome", facts.extension_id) if facts.extension_id else None
    if product is None:
        return None
    said = f"The browser extension id is known to be {product.name} of {product.vendor}."
    return _identified((product,), (Evidence("extension", said, ID_CONFIDENCE),), "id", ID_CONFIDENCE)


def _by_domain(
    addresses: Addresses, named: NameMatch | None, catalog: CatalogLookup
) -> Identification | None:
    """Decide by domain; a name among the domain's products picks one of them, also on a shared host."""
    named_ids = {product.id for product in named.all} if named else set()
    listed = (*addresses.own, *addresses.shared)
    agreeing = [pair for pair in listed if pair[1].id in named_ids] or _of_that_vendor(listed, named)
    if len(agreeing) == 1:
        host, product = agreeing[0]
        said = f"The name is {product.name} and the domain {host} belongs to {product.vendor}."
        sure = catalog.calibration.confidence("domain:name")
        return _identified((product,), (Evidence("domain", said, sure),), "domain:name", sure)
    if not addresses.own:
        return None
    products = tuple(product for _, product in addresses.own)
    host, first = addresses.own[0]
    sure = catalog.calibration.confidence("domain")
    if len({product.kind for product in products}) == 1:
        said = f"The domain {host} belongs to {first.vendor}."
        return _identified(products, (Evidence("domain", said, sure),), "domain", sure)
    if all(product.kind != "ai" for product in products):
        return _ordinary_vendor(products, host, sure)
    if len({product.vendor for product in products}) > 1:
        return None
    return _of_many_kinds(addresses, named, catalog)


def _of_many_kinds(addresses: Addresses, named: NameMatch | None, catalog: CatalogLookup) -> Identification:
    """Answer for a vendor of AI and of other products: the product its domain is named after, or none."""
    flagship = [pair for pair in addresses.own if _is_flagship(*pair)]
    if len(flagship) == 1 and named is None:
        host, product = flagship[0]
        said = f"The domain {host} is named like {product.name} of {product.vendor}."
        sure = catalog.calibration.confidence("domain:flagship")
        return _identified((product,), (Evidence("domain", said, sure),), "domain:flagship", sure)
    host, first = addresses.own[0]
    said = f"The domain {host} is {first.vendor}'s, who has AI and other products; the name does not tell."
    return Identification("unknown", 0.0, vendor=first.vendor, evidence=(Evidence("conflict", said, 0.0),))


def _of_that_vendor(
    listed: tuple[tuple[str, Product], ...], named: NameMatch | None
) -> list[tuple[str, Product]]:
    """The named product where the domain is its vendor's ("GitHub Copilot" at github.com)."""
    if named is None or named.reading == "vendor":
        return []
    by_vendor = {product.vendor: host for host, product in listed}
    return [(by_vendor[one.vendor], one) for one in named.all if one.vendor in by_vendor]


def _is_flagship(host: str, product: Product) -> bool:
    """Say whether a product has the name of its domain: of a vendor's several it is the one meant."""
    return key(product.name) in {key(label) for label in (*host.split("."), host)}


def _by_written_domain(
    addresses: Addresses, written: Addresses, catalog: CatalogLookup
) -> Identification | None:
    """A name that is a listed domain ("Otter.ai") names its owner, unless the app has other domains."""
    products = tuple(product for _, product in written.own)
    if addresses.foreign or addresses.own or len({product.kind for product in products}) != 1:
        return None
    sure = catalog.calibration.confidence("name:domain")
    said = f"The name holds {written.own[0][0]}, a domain of {products[0].vendor}."
    return _identified(products, (Evidence("name", said, sure),), "name:domain", sure)


def _ordinary_vendor(products: tuple[Product, ...], host: str, sure: float) -> Identification:
    """Answer for a vendor of ordinary products, some with AI features: no AI app, whichever it is."""
    kind: Kind = (
        "embedded_ai" if sum(one.kind == "embedded_ai" for one in products) * 2 > len(products) else "not_ai"
    )
    alike = tuple(product for product in products if product.kind == kind)
    said = f"The domain {host} belongs to {products[0].vendor}, none of whose products is an AI app."
    return _identified(alike, (Evidence("domain", said, sure),), "domain", sure)


def _by_name(
    facts: AppFacts, named: NameMatch, addresses: Addresses, catalog: CatalogLookup
) -> Identification | None:
    if facts.publisher:
        own = made_by(facts.publisher, named.all)
        if own and len({product.kind for product in own}) == 1:
            said = f"The name is that of {own[0].name}, and so is the publisher's, {own[0].vendor}."
            sure = catalog.calibration.confidence("name:publisher")
            return _identified(own, (Evidence("name", said, sure),), "name:publisher", sure)
    if len(named.kinds) > 1:
        return None if addresses.foreign else _namesakes(named, catalog)
    if named.ai_edition and named.kinds != {"ai"}:
        return _ai_edition(named, catalog) if _is_that_vendors(named, facts, addresses) else None
    evidence: tuple[Evidence, ...] = (_name_evidence(named, catalog),)
    if not addresses.foreign and not facts.publisher:
        return _identified(named.products, evidence, named.evidence, evidence[0].confidence)
    if _is_namesake(named, addresses):
        return None
    what = "domains are" if addresses.foreign else "publisher is"
    said = f"The app's {what} not known to be that vendor's."
    basis = f"{named.evidence}:foreign"
    sure = catalog.calibration.confidence(basis)
    return _identified(named.products, (*evidence, Evidence("conflict", said, 0.0)), basis, sure)


def _namesakes(named: NameMatch, catalog: CatalogLookup) -> Identification:
    names = ", ".join(sorted({f"{product.name} of {product.vendor}" for product in named.products}))
    said = f"Several products have this name ({names}); only a domain or an id would tell."
    evidence = (_name_evidence(named, catalog), Evidence("conflict", said, 0.0))
    return Identification("unknown", 0.0, evidence=evidence)


def _is_that_vendors(named: NameMatch, facts: AppFacts, addresses: Addresses) -> bool:
    """Tell "Airbyte AI", a feature of Airbyte, from "Carbon AI", rather somebody else's product."""
    if addresses.foreign or facts.publisher:
        return False
    whole = named.standing == "distinct" and named.reading == "stripped"
    return whole or all(product.famous for product in named.products)


def _ai_edition(named: NameMatch, catalog: CatalogLookup) -> Identification:
    product = named.products[0]
    sure = catalog.calibration.confidence("name:ai_edition")
    said = f"The name adds AI to {product.name}: taken for an AI feature of it."
    evidence = (_name_evidence(named, catalog), Evidence("signal", said, sure))
    return replace(_identified((product,), evidence, "name:ai_edition", sure), verdict="embedded_ai")


def _by_publisher(facts: AppFacts, catalog: CatalogLookup) -> Identification | None:
    products = match_publisher(facts.publisher, catalog) if facts.publisher else ()
    if not products or len({product.kind for product in products}) > 1:
        return None
    said = f"The publisher calls itself {products[0].vendor}."
    sure = catalog.calibration.confidence("publisher")
    return _identified(products, (Evidence("publisher", said, sure),), "publisher", sure)


def _by_weak_signals(
    facts: AppFacts, named: NameMatch | None, addresses: Addresses, catalog: CatalogLookup
) -> Identification:
    calibration = catalog.calibration
    signals = weigh(facts.name, facts.publisher, addresses.foreign, facts.scopes, calibration)
    probability = calibration.probability(signals.score)
    evidence = tuple(Evidence("signal", said, sure) for said, sure in signals.reasons)
    if named is not None:
        evidence = (_name_evidence(named, catalog), *evidence)
    sure = round(capped(probability), 2)
    if not signals.reasons or probability < calibration.threshold:
        return Identification("unknown", sure if evidence else 0.0, evidence=evidence)
    return Identification("ai", sure, evidence=evidence, basis="signals")


def _is_namesake(named: NameMatch, addresses: Addresses) -> bool:
    """Say whether an app with addresses or a publisher of its own only shares its name with the product."""
    if named.standing in {"common", "contested"}:
        return True
    if named.standing == "distinct" and named.reading in {"exact", "stripped", "segment", "prefix"}:
        return False
    return any(_bears(domain, named.key) for domain in addresses.foreign)


def _bears(domain: str, name_key: str) -> bool:
    """Say whether a domain is called by this name: somebody of that name owns it."""
    label = key(domain.partition(".")[0])
    rest = label.replace(name_key, "", 1)
    return rest != label and (not rest or rest in _AFFIXES)


def _name_evidence(named: NameMatch, catalog: CatalogLookup) -> Evidence:
    return Evidence("name", named.sentence, catalog.calibration.confidence(named.evidence))


def _identified(
    products: tuple[Product, ...], evidence: tuple[Evidence, ...], basis: str, sure: float
) -> Identification:
    """Identify as the one product, or, of several of one kind, only what they have in common."""
    first = products[0]
    whole = Identification(
        first.kind,
        round(sure, 2),
        vendor=first.vendor,
        product=first.name,
        product_id=first.id,
        category=first.category,
        evidence=evidence,
        entry_revision=first.revision,
        basis=basis,
    )
    if len(products) == 1:
        return whole
    return replace(
        whole,
        vendor=whole.vendor if len({product.vendor for product in products}) == 1 else None,
        product=None,
        product_id=None,
        category=whole.category if len({product.category for product in products}) == 1 else None,
        entry_revision="+".join(sorted(product.revision for product in products)),
    )
