"""Addresses as numbers and back: admission counts with integers, intents carry text.

`ipaddress` takes 2 to 5 us for a conversion; IPv4 and MAC addresses are canonical in stored intents (gate 1), so
that cutting the text is enough and four times as fast.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_NETWORKS = 4096  # tenants like the same ones


def address_number(version: int, text: str) -> int:
    """Return the number of a canonical address."""
    if version == 4:
        a, b, c, d = text.split(".")
        return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)
    return int(ipaddress.IPv6Address(text))


def address_text(version: int, number: int) -> str:
    """Return the canonical text of an address."""
    if version == 4:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return str(ipaddress.IPv6Address(number))


def version_of(text: str) -> int:
    """Return the IP version of an address or network, 4 or 6."""
    return 6 if ":" in text else 4


def eui64_number(low: int, mac: str) -> int:
    """Return the address of a guest with this MAC in the /64 that begins at `low` (RFC 4291, appendix A)."""
    number = mac_number(mac)
    # The universal/local bit is turned, ff:fe goes between the two halves.
    return low | (number >> 24 ^ 0x020000) << 40 | 0xFFFE << 24 | number & 0xFFFFFF


@lru_cache(maxsize=_NETWORKS)
def network_numbers(cidr: str) -> tuple[int, int, int]:
    """Return (IP version, first address, last address) of a network, or of an address alone."""
    network = ipaddress.ip_network(cidr)
    return network.version, int(network.network_address), int(network.broadcast_address)


def mac_number(text: str) -> int:
    """Return the 48 bits of a canonical MAC address."""
    return int(text.replace(":", ""), 16)


def mac_text(number: int) -> str:
    """Return the canonical text of a MAC address."""
    return number.to_bytes(6, "big").hex(":")
