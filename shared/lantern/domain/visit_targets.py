"""Where a host leads: to a product of the catalog, to what looks like one, or to nothing of interest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Literal

from lantern.domain.addresses import resolve
from lantern.domain.catalog import CatalogLookup, Product, Registrable
from lantern.domain.identification import AppFacts, identify
from lantern.domain.names import word_set

TargetKind = Literal["product", "candidate", "ordinary", "shared", "address", "elsewhere"]
"""`product` is AI or has AI inside; `candidate` is in no catalog and looks like AI; `ordinary` is a listed
product without AI; `shared` is where strangers are served from; `address` is no name; `elsewhere` is
everything else."""

PROVIDER: Final = "web"
_KEPT: Final = 65_536
_MAX_DOMAINS: Final = 8
# Content delivery that no list of shared suffixes has whole: whose content it is, the name does not tell.
_DELIVERY: Final = word_set("""
    akadns.net akamai.net akamaiedge.net akamaihd.net akamaized.net azureedge.net azurefd.net b-cdn.net
    cachefly.net cdn77.org cloudflare.net cloudfront.net edgekey.net edgesuite.net fastly.net fastlylb.net
    googleapis.com googleusercontent.com gstatic.com hwcdn.net jsdelivr.net llnwd.net msecnd.net
    stackpathcdn.com trafficmanager.net unpkg.com windows.net
""")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a host leads.

    `key` names it: the product's id, or the domain; it is empty for what is only counted. `confidence` and
    `reasons` say why something in no catalog looks like AI.
    """

    kind: TargetKind
    key: str = ""
    name: str = ""
    domains: tuple[str, ...] = ()
    confidence: float = 0.0
    reasons: tuple[str, ...] = ()


Resolve = Callable[[str], Target]
_ADDRESS: Final = Target("address")
_SHARED: Final = Target("shared")
_ORDINARY: Final = Target("ordinary")
_ELSEWHERE: Final = Target("elsewhere")


def resolver(catalog: CatalogLookup, registrable: Registrable) -> Resolve:
    """A function from host to target that remembers what it said; logs name few hosts often.

    Args:
        catalog: where products are looked up.
        registrable: answers the registrable domain of a host by the public suffix list.
    """

    @lru_cache(maxsize=_KEPT)
    def unlisted(domain: str) -> Target:
        return _candidate(domain, catalog, registrable)

    @lru_cache(maxsize=_KEPT)
    def target(host: str) -> Target:
        if _is_address(host):
            return _ADDRESS
        domain = registrable(host)
        if domain is None:
            return _ELSEWHERE
        found = resolve((host,), catalog, registrable)
        if found.own:
            return _product(host, found.own, catalog, registrable)
        if found.shared or not found.foreign or _delivers(host):
            return _SHARED
        return unlisted(domain)

    return target


def _product(
    host: str, own: tuple[tuple[str, Product], ...], catalog: CatalogLookup, registrable: Registrable
) -> Target:
    """Which of a vendor's products a host is, as for any app with that address and no name."""
    found = identify(AppFacts(PROVIDER, "", "", domains=(host,)), catalog, registrable)
    if found.verdict not in ("ai", "embedded_ai"):
        return _ORDINARY
    listed = own[0][0]
    one = next((product for _, product in own if product.id == found.product_id), None)
    if one is None:
        return Target("product", listed, found.vendor or listed, (listed,))
    return Target("product", one.id, one.name, one.domains[:_MAX_DOMAINS] or (listed,))


def _candidate(domain: str, catalog: CatalogLookup, registrable: Registrable) -> Target:
    """What the spelling of a domain says; that it is called like a product is no evidence of being it."""
    label = domain.partition(".")[0].replace("-", " ")
    found = identify(AppFacts(PROVIDER, "", label, domains=(domain,)), catalog, registrable)
    if found.verdict != "ai" or found.basis != "signals":
        return _ELSEWHERE
    reasons = tuple(one.sentence for one in found.evidence)
    return Target("candidate", domain, domain, (domain,), found.confidence, reasons)


def _delivers(host: str) -> bool:
    labels = host.split(".")
    return any(".".join(labels[start:]) in _DELIVERY for start in range(len(labels) - 1))


def _is_address(host: str) -> bool:
    if not (host[-1:].isdigit() or ":" in host):
        return False
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
