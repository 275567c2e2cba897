"""Which address that a guest uses may be taken for the guest's: docs/design/security.md, "Learned addresses". Pure."""

from __future__ import annotations

import ipaddress

from netctl.model.indexes import Claim, Space
from netctl.model.keys import Kind, NicId
from netctl.model.lookups import Lookups
from netctl.model.subnet import IpConfig, Subnet

_LINK_LOCAL_IPV4 = ipaddress.IPv4Network("169.254.0.0/16")
_LINK_LOCAL_IPV6 = ipaddress.IPv6Network("fe80::/64")


def may_learn(lookups: Lookups, nic: NicId, subnet: Subnet, address: str) -> bool:
    """May an address be learned for a port of a NIC on a subnet?"""
    claim = claim_of(subnet, address)
    return claim is not None and is_free(lookups, nic, claim)


def claim_of(subnet: Subnet, address: str) -> Claim | None:
    """Return what nobody may hold for an address to be learned on a subnet; None when it is none to be learned there.

    Link-local addresses of IPv6 are, for neighbours see them as a source; one that is made from a MAC address (EUI-64)
    belongs to whom the MAC address does.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if _is_nobodys(parsed):
        return None
    number = int(parsed)
    if parsed.version == 6 and parsed in _LINK_LOCAL_IPV6:
        mac = _mac_of_eui64(number)
        return ((Space.IPV6, subnet.id), number) if mac is None else ((Space.MAC, ""), mac)
    config = subnet.config(parsed.version)
    if config is not None and not _is_host_of(config, parsed):
        return None
    return ((Space.IPV4 if parsed.version == 4 else Space.IPV6), subnet.id), number


def is_free(lookups: Lookups, nic: NicId, claim: Claim) -> bool:
    """Does nobody hold what an address needs: no other NIC, gateway or DHCP server?

    Nor this NIC itself, unless by its MAC address: what it was given need not be learned.
    """
    owner = lookups.owner(claim)
    return owner is None or (claim[0][0] == Space.MAC and owner == (Kind.NIC, nic))


def _is_nobodys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Is an address none that a host has, or none that others may meet it by?"""
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return address in _LINK_LOCAL_IPV4 or address.is_reserved or int(address) >> 24 == 0
    return address.ipv4_mapped is not None


def _is_host_of(config: IpConfig, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    network = ipaddress.ip_network(config.cidr)
    if address not in network or address == network.network_address:
        return False
    return address.version == 6 or address != network.broadcast_address


def _mac_of_eui64(number: int) -> int | None:
    """Return the MAC address that an interface identifier is made from, None when from none (RFC 4291, appendix A)."""
    identifier = number & (1 << 64) - 1
    if identifier >> 24 & 0xFFFF != 0xFFFE:
        return None
    return (identifier >> 40 ^ 0x020000) << 24 | identifier & 0xFFFFFF
