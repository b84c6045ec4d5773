"""The addresses of an app: their hosts, whose they are, and which are nobody's own."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lantern.domain.catalog import CatalogLookup, Product, Registrable
from lantern.domain.names import word_set

MAX_ADDRESSES = 50
_MAX_LABELS = 6
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([^/:?#\s]+)", re.IGNORECASE)

# Where apps of strangers sign in or are served from without the public suffix list saying so.
_SHARED_PLATFORMS = word_set("""
    accounts.dev amazoncognito.com amazonaws.com appspot.com auth0.com azurewebsites.net b2clogin.com
    chromiumapp.org ciamlogin.com clerk.dev cloudfront.net convex.site firebaseapp.com frontegg.com
    googleusercontent.com herokuapp.com kinde.com lovableproject.com ngrok.app ngrok.io okta.com onelogin.com
    onmicrosoft.com oktapreview.com scalekit.com sharepoint.com stytch.com supabase.co trafficmanager.net
    windows.net workers.dev workos.com
""")


@dataclass(frozen=True, slots=True)
class Addresses:
    """An app's addresses as the catalog knows them.

    `own` are listed products with the host that led there, where the host is the vendor's alone; `shared`
    where strangers publish too. `foreign` are registrable domains nobody listed.
    """

    own: tuple[tuple[str, Product], ...]
    shared: tuple[tuple[str, Product], ...]
    foreign: tuple[str, ...]


def hosts(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the host of each address (URL, host or e-mail address), lower case, sorted, once each."""
    found = (_HOST.match(address.strip()) for address in addresses)
    named = (match.group(1).lower().rstrip(".") for match in found if match)
    return tuple(sorted({host for host in named if "." in host}))


def resolve(addresses: Iterable[str], catalog: CatalogLookup, registrable: Registrable) -> Addresses:
    """Look every address up, the most specific listed name of each first; their order does not matter."""
    own: dict[str, tuple[str, Product]] = {}
    shared: dict[str, tuple[str, Product]] = {}
    foreign: dict[str, None] = {}
    for host in hosts(addresses)[:MAX_ADDRESSES]:
        domain = registrable(host)
        if domain is None:
            continue
        found, products = _listed(host, domain, catalog)
        for product in products:
            alone = not product.hosts_others and not (_is_platform(found) and host != found)
            (own if alone else shared).setdefault(product.id, (found, product))
        if not products and not _is_platform(domain):
            foreign[domain] = None
    return Addresses(tuple(own.values()), tuple(shared.values()), tuple(foreign))


def _listed(host: str, domain: str, catalog: CatalogLookup) -> tuple[str, tuple[Product, ...]]:
    for candidate in _most_specific_first(host, domain):
        products = catalog.by_domain(candidate)
        if products:
            return candidate, products
    return domain, ()


def _most_specific_first(host: str, domain: str) -> Iterator[str]:
    labels = host.split(".")[-_MAX_LABELS:]
    for start in range(len(labels) - domain.count(".")):
        yield ".".join(labels[start:])


def _is_platform(domain: str) -> bool:
    return any(end in _SHARED_PLATFORMS for end in _ends(domain))


def _ends(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
