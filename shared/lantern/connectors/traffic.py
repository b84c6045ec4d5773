"""How much went to apps and from where they were used, without anybody's address. Pure; stdlib only.

Of an address only the network is told: the autonomous system where the provider names it, else the first 24
bits of an IPv4 and the first 48 of an IPv6 address, which is what a site is given (RFC 6177). Addresses that
are not public (RFC 6890) tell nothing.
"""

import ipaddress
import unicodedata
from collections import defaultdict
from datetime import date
from functools import lru_cache
from typing import Any, Final

from lantern.connectors.protocol import Place, Sent
from lantern.domain.use import Places

_BITS: Final = {4: 24, 6: 48}
_ASN_END: Final = 2**32  # RFC 6793
_COUNTRY_LIMIT: Final = 60


def network(address: Any, system: Any = None) -> str | None:
    """The network that an address lies in; None where nothing is known of it.

    Args:
        address: the address as text, as the provider tells it.
        system: the number of its autonomous system, where the provider tells it.
    """
    if isinstance(system, int) and not isinstance(system, bool) and 0 < system < _ASN_END:
        return f"AS{system}"
    return _prefix(address) if isinstance(address, str) else None


@lru_cache(maxsize=4096)
def _prefix(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast:
        return None
    return str(ipaddress.ip_network((address.packed, _BITS[address.version]), strict=False))


def country(value: Any) -> str | None:
    """The country as the provider calls it, without what would break a line; None where it tells none."""
    return _line(value[:_COUNTRY_LIMIT]) if isinstance(value, str) else None


@lru_cache(maxsize=1024)
def _line(text: str) -> str | None:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs")).strip() or None


class Traffic:
    """Bytes and places of use, added up by client over many pages."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, date], int] = defaultdict(int)
        self._places = Places()

    def add(
        self,
        client: str,
        day: date,
        *,
        size: int | None = None,
        net: str | None = None,
        land: str | None = None,
    ) -> None:
        """One use of an app, with what the provider tells of it."""
        if size is not None:
            self._sent[client, day] += size
        if net is not None:
            self._places.add(client, "network", net, day)
        if land is not None:
            self._places.add(client, "country", land, day)

    def sent(self) -> tuple[Sent, ...]:
        """Bytes by client and day."""
        return tuple(Sent(client, day, size) for (client, day), size in self._sent.items())

    def places(self) -> tuple[Place, ...]:
        """Places by client, as many as are kept."""
        return tuple(Place(*one) for one in self._places.all())
