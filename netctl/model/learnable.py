"""Which address that a guest uses may be taken for the guest's: docs/design/security.md, "Learned addresses". Pure."""

from __future__ import annotations

import ipaddress

from netctl.model.indexes import Space
from netctl.model.keys import Key, Kind
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic
from netctl.model.subnet import IpConfig, Subnet

_LINK_LOCAL_IPV4 = ipaddress.IPv4Network("169.254.0.0/16")
_LINK_LOCAL_IPV6 = ipaddress.IPv6Network("fe80::/64")


def may_learn(lookups: Lookups, nic: Nic, subnet: Subnet, address: str) -> bool:
    """May an address of canonical form be learned for a port of a NIC on a subnet?

    Not what somebody has there: another NIC, a gateway, the DHCP server; nor what this NIC was given, which need not
    be learned. Link-local addresses of IPv6 may be, for neighbours see them as a source; one that is made from a MAC
    address (EUI-64) belongs to whom the MAC address does.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if _is_nobodys(parsed):
        return False
    number = int(parsed)
    if parsed.version == 6 and parsed in _LINK_LOCAL_IPV6:
        return _owner_of_eui64(lookups, number) in (None, (Kind.NIC, nic.id))
    space = Space.IPV4 if parsed.version == 4 else Space.IPV6
    if lookups.owner(((space, subnet.id), number)) is not None:
        return False
    config = subnet.config(parsed.version)
    return config is None or _is_host_of(config, parsed)


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


def _owner_of_eui64(lookups: Lookups, number: int) -> Key | None:
    """Return whose MAC address an interface identifier is made from, None when from nobody's (RFC 4291, appendix A)."""
    identifier = number & (1 << 64) - 1
    if identifier >> 24 & 0xFFFF != 0xFFFE:
        return None
    mac = (identifier >> 40 ^ 0x020000) << 24 | identifier & 0xFFFFFF
    return lookups.owner(((Space.MAC, ""), mac))
