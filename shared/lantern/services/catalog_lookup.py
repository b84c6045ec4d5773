"""What the catalog says, as a tenant sees it, under a name, a domain or a provider's id."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from lantern.domain.catalog import Product
from lantern.domain.identification import AppFacts, Identification, hosts, identify
from lantern.domain.names import key
from lantern.domain.overlay import OverlayCatalog
from lantern.services.catalog_layers import OperatorCatalog
from lantern.services.domains import registrable_domain
from lantern.store.tenant import TenantStore

Source = Literal["shipped", "operators", "tenant"]
FoundBy = Literal["client_id", "domain", "name"]

ID_PROVIDERS: Final = ("google", "entra", "okta", "slack", "github", "salesforce", "chrome")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody has at hand of an app; what is not known is empty."""

    name: str = ""
    domain: str = ""
    client_id: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class FoundProduct:
    """A product, how it was found, and who says so."""

    product: Product
    found_by: FoundBy
    source: Source


@dataclass(frozen=True, slots=True)
class Answered:
    """What an app would be taken for, and every product that the question leads to."""

    identification: Identification
    products: tuple[FoundProduct, ...]


def look_up(store: TenantStore, operators: OperatorCatalog, asked: Asked) -> Answered:
    """Ask the catalog: at most two requests, of which the operators' entries are one, now and then."""
    below = operators.layer().catalog
    own = OverlayCatalog(below, store.catalog.get().entries)
    found: dict[str, FoundProduct] = {}
    provider = asked.provider
    for product, how, at in _hits(own, asked):
        source: Source = (
            "tenant" if own.says(product.id) else "operators" if below.says(product.id) else "shipped"
        )
        found.setdefault(product.id, FoundProduct(product, how, source))
        provider = provider or at
    chrome = provider == "chrome"
    facts = AppFacts(
        provider=provider,
        client_id="" if chrome else asked.client_id,
        name=asked.name,
        domains=(asked.domain,) if asked.domain else (),
        extension_id=asked.client_id if chrome else None,
    )
    return Answered(identify(facts, own, registrable_domain), tuple(found.values()))


def _hits(catalog: OverlayCatalog, asked: Asked) -> Iterator[tuple[Product, FoundBy, str]]:
    """Yield products with how each was found, the strongest evidence first, and the provider of an id."""
    for provider in ((asked.provider,) if asked.provider else ID_PROVIDERS) if asked.client_id else ():
        product = catalog.by_id(provider, asked.client_id)
        if product is not None:
            yield product, "client_id", provider
    for host in hosts((asked.domain,)) if asked.domain else ():
        for domain in dict.fromkeys((host, registrable_domain(host))):
            for product in catalog.by_domain(domain) if domain else ():
                yield product, "domain", ""
    for hit in catalog.by_name(key(asked.name)) if asked.name else ():
        yield hit.product, "name", ""
