"""Which addresses a customer's URL may lead to. Pure: names are resolved elsewhere.

A customer names the address that we call, so it may point at our own network: at the metadata service of the
machine, at localhost, at a neighbour. Only addresses that are globally reachable are called, and of IPv6 only
those that carry no IPv4 address inside (mapped, 6to4, Teredo, NAT64), which would be a way round the check.
Sources: RFC 6890 and IANA's special-purpose registries (as `ipaddress` knows them), RFC 6052, RFC 3056.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from lantern.domain.errors import InvalidInputError

MAX_URL: Final = 2_000
PORTS: Final = frozenset({443, 8443})
"""Odd ports are how a web request is made to speak to something that is no web server."""
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
_INTERNAL: Final = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "arpa",
    "test",
    "onion",
)
"""Last labels that lead nowhere on the public Internet (RFC 6761, RFC 8375 and what networks use)."""
_EMBEDDING: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
_BESIDE: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.88.99.0/24", "192.31.196.0/24", "168.63.129.16/32", "3fff::/20", "2620:4f:8000::/48")
)
"""Counted as global by the library, yet nobody's server: relays, sinks, documentation, a cloud's own host."""
_PUBLIC_V6: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that was ever given out; site-local fec0::/10 is not among it."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that has the right form. `host` is a name or an address, as it goes into the Host header."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port of the Host header."""
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


def target(url: str) -> Target:
    """A URL's parts, if we may call such a one at all.

    Raises:
        InvalidInputError: it is not https, carries a user or a fragment, names an odd port, or a host that is
            written as a number or is not public.
    """
    if len(url) > MAX_URL or not url.isascii() or any(char <= " " or char in '\\"<>^`{|}' for char in url):
        raise _refused("Write it in ASCII, without spaces or backslashes, in at most 2000 characters.")
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
    except ValueError as error:
        raise _refused("It is no URL.") from error
    if parts.scheme != "https":
        raise _refused("It must begin with https://.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _refused("It must name no user: put secrets into its path.")
    if parts.fragment:
        raise _refused("It must have no fragment.")
    if port not in PORTS:
        raise _refused("Its port must be 443 or 8443.")
    host = (parts.hostname or "").removesuffix(".").lower()
    _check_host(host)
    return Target(host, port, _path(parts))


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _check_host(host: str) -> None:
    # Only names: an address, in whatever notation (decimal, octal, hexadecimal, IPv6), is nobody's webhook.
    if not _HOST.fullmatch(host):
        raise _refused("Its host must be a public name, such as hooks.example.com, not an address.")
    if host.rpartition(".")[2] in _INTERNAL or host == "localhost":
        raise _refused("Its host must be reachable from the public Internet.")


def is_public(address: Address) -> bool:
    """Whether an address that a name resolved to may be connected to."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _EMBEDDING):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return False
    if any(address in network for network in _BESIDE):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_loopback or address.is_unspecified
    )


def vetted(addresses: list[str]) -> list[Address]:
    """The addresses a name resolved to, if every single one is public; else none.

    One private address among public ones is how a name is made to pass the check and lead inside after it.
    """
    found: list[Address] = []
    for text in addresses:
        try:
            found.append(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return []
    return found if all(is_public(address) for address in found) else []


def _refused(remedy: str) -> InvalidInputError:
    return InvalidInputError("url", remedy)
