"""What is told of an address: its network, and never itself."""

import ipaddress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.connectors.protocol import Place, Sent
from lantern.connectors.traffic import Traffic, country, network
from lantern.domain.use import KEPT

DAY = date(2026, 3, 4)


@pytest.mark.parametrize(
    ("address", "system", "found"),
    [
        ("20.190.128.7", None, "20.190.128.0/24"),
        ("2603:1026:300:a1::7", None, "2603:1026:300::/48"),
        ("::ffff:20.190.128.7", None, "20.190.128.0/24"),
        ("20.190.128.7", 8075, "AS8075"),
        ("no address", 8075, "AS8075"),
        ("20.190.128.7", "8075", "20.190.128.0/24"),
        ("20.190.128.7", True, "20.190.128.0/24"),
        ("20.190.128.7", 2**32, "20.190.128.0/24"),
        ("10.1.2.3", None, None),
        ("192.168.1.1", 0, None),
        ("fe80::1", None, None),
        ("203.0.113.7", None, None),
        ("224.0.1.1", None, None),
        ("20.190.128.7:443", None, None),
        ("", None, None),
        (None, None, None),
        (342, None, None),
    ],
)
def test_the_network_of_an_address(address: object, system: object, found: str | None) -> None:
    assert network(address, system) == found


@given(st.ip_addresses(), st.none() | st.integers())
def test_no_address_is_ever_told(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, system: int | None
) -> None:
    found = network(str(address), system)
    if found and not found.startswith("AS"):
        net = ipaddress.ip_network(found)
        assert net.num_addresses >= 256
        assert address in net or address.ipv4_mapped in net  # type: ignore[union-attr]


def test_a_country_is_a_short_line() -> None:
    assert country("IE") == "IE"
    assert country(" United\nStates \x00") == "UnitedStates"
    assert [country(value) for value in ("", "  ", None, 7, "\n")] == [None] * 5
    assert len(country("x" * 5_000) or "") == 60


def test_what_is_added_up_stays_small() -> None:
    """A million events of people on phones must not fill the memory of a worker."""
    traffic = Traffic()
    for number in range(5_000):
        traffic.add("a", DAY, size=2, net=f"AS{number + 1}", land=f"C{number}")
    traffic.add("a", date(2026, 3, 1), net="AS1")
    traffic.add("b", DAY, net="AS1")
    assert traffic.sent() == (Sent("a", DAY, 10_000),), "of b nobody counted"
    places = traffic.places()
    assert len(places) == KEPT["network"] + KEPT["country"] + 1
    assert Place("a", "network", "AS1", date(2026, 3, 1)) in places
    assert Place("b", "network", "AS1", DAY) in places
