"""Registrable domains by the public suffix list bundled with tldextract: no network, no cache writes."""

from collections.abc import Callable
from functools import cache, lru_cache


@cache
def _extract() -> Callable[[str], str]:
    # Imported on first use: library and list cost tens of milliseconds that most invocations never need.
    from tldextract import TLDExtract

    extractor = TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
    return lambda host: str(extractor.extract_str(host).top_domain_under_public_suffix)


@lru_cache(maxsize=4096)
def registrable_domain(host: str) -> str | None:
    """Return the registrable domain of a host ("mail.example.co.uk" → "example.co.uk"), or None.

    Hosts under a shared suffix such as `vercel.app` or `github.io` are domains of their own.
    """
    return _extract()(host) or None
