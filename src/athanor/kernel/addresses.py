"""Addresses of the network: what they are, whatever they are written as."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CARRIERS = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)
"""NAT64, its local form, SIIT, and the oldest form: the last four bytes are an IPv4 address."""
_OWN = 1 << 16
"""Below it ::/96 holds :: and ::1, which are no IPv4 addresses."""


def address_of(text: str) -> Address:
    """An address without its zone; the IPv4 one inside an IPv6 one that only carries it.

    Raises: ValueError.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        carried = int(address) >= _OWN and any(address in network for network in _CARRIERS)
        if inside is None and carried:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inside or address
    return address


def is_public(address: Address) -> bool:
    """Whether an address is one machine's on the internet, and of no network of its own."""
    local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not address.is_multicast and not local
