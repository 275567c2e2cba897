"""Gate 1: is one value well formed? Each check returns the canonical form or raises InvalidIntent for its field."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from netctl.errors import InvalidIntent

DISPLAY_NAME_MAX = 256
LABELS_MAX = 64
LABEL_VALUE_MAX = 256
_LABEL_KEY = re.compile(r"[a-z0-9]([a-z0-9./_-]{0,62})\Z")
# What breaks a line or a terminal: C0, DEL, C1, the line and paragraph separators; what turns the direction of the text
# around it, so that a line says another thing than it shows (CVE-2021-42574); surrogates are no UTF-8.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
# Linux: IFNAMSIZ is 16 with the final NUL; '/' and white space are refused by the kernel (dev_valid_name).
# IPv4 in the form that ipaddress gives back, seen ten times as fast.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}\Z")
# RFC 4291, 2.5.5.2: for the inside of programs, never on a wire.
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_INTERFACE = re.compile(r"[A-Za-z0-9_.@-]{1,15}\Z")
# Made by the kernel, the host agent or Open vSwitch: in a bond they would be a loop.
_NO_UPLINK = re.compile(
    r"(?:lo|br\d+(?:-up|\.local)?|br\.nf|brAtlas|virbr0|ovs-system|ovs-netdev|genev_sys_\d+)\Z"
)


def check_text(field: str, value: str, limit: int) -> None:
    """Refuse text that is too long or holds control characters (they would break logs and tables)."""
    if len(value) > limit:
        raise InvalidIntent(field, f"has {len(value)} characters; at most {limit} are allowed")
    if _CONTROL.search(value):
        raise InvalidIntent(field, f"{value[:40]!r} holds a line break or control character; remove it")


def check_labels(field: str, labels: Mapping[str, str]) -> None:
    """Refuse too many labels, malformed keys and long values."""
    if len(labels) > LABELS_MAX:
        raise InvalidIntent(field, f"has {len(labels)} labels; at most {LABELS_MAX} are allowed")
    for key, value in labels.items():
        if not _LABEL_KEY.match(key):
            raise InvalidIntent(field, f"{key[:80]!r} is not a label key: use 1 to 63 of a-z 0-9 . / _ -")
        check_text(f"{field}.{key}", value, LABEL_VALUE_MAX)


def canonical_mac(field: str, value: str) -> str:
    """Return a unicast MAC address in lower case with colons."""
    mac = value.lower().replace("-", ":")
    if not _MAC.match(mac):
        raise InvalidIntent(field, f"{value[:40]!r} is not a MAC address, e.g. 50:6b:8d:00:00:01")
    if int(mac[:2], 16) & 1:
        raise InvalidIntent(
            field, f"{mac} is a multicast address; the lowest bit of the first byte must be 0"
        )
    if mac == "00:00:00:00:00:00":
        raise InvalidIntent(field, "00:00:00:00:00:00 cannot be the address of a NIC")
    return mac


def canonical_mac_prefix(field: str, value: str) -> str:
    """Return the first three bytes of unicast MAC addresses, `50:6b:8d`."""
    if len(value) != 8 or not _MAC.match(f"{value.lower().replace('-', ':')}:00:00:01"):
        raise InvalidIntent(field, f"{value[:40]!r} is not the first half of a MAC address, e.g. 50:6b:8d")
    return canonical_mac(field, f"{value}:00:00:01")[:8]


def canonical_address(field: str, value: str, version: int) -> str:
    """Return an IP address of `version` (4 or 6) in its shortest usual form."""
    if version == 4 and _IPV4.match(value):
        return value
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        address = None
    if address is None or address.version != version or "%" in value:
        example = "10.0.0.5" if version == 4 else "fd00::5"
        raise InvalidIntent(field, f"{value[:60]!r} is not an IPv{version} address, e.g. {example}")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise InvalidIntent(field, f"{value[:60]!r} is IPv4 inside IPv6: write {address.ipv4_mapped}")
    return str(address)


def check_unicast(field: str, value: str) -> None:
    """Refuse a canonical address that no interface can have for its own."""
    if ":" in value:
        # RFC 4291, 2.4: unspecified, loopback, ff00::/8 multicast; a first group of two digits is 00ff.
        bad = value in ("::", "::1") or (value.startswith("ff") and value[4:5] == ":")
    else:
        # RFC 1122, 3.2.1.3: this network, loopback; RFC 1112: class D is multicast; limited broadcast.
        first = int(value.split(".", 1)[0])
        bad = first in (0, 127) or 224 <= first <= 239 or value == "255.255.255.255"
    if bad:
        raise InvalidIntent(field, f"{value} is not a unicast address")


def canonical_cidr(field: str, value: str, version: int) -> str:
    """Return a network with prefix length; host bits must be zero."""
    example = "10.0.0.0/24" if version == 4 else "fd00::/64"
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        raise InvalidIntent(
            field, f"{value[:60]!r} is not a network, e.g. {example}: {str(error)[:120]}"
        ) from None
    if network.version != version:
        raise InvalidIntent(field, f"{value[:60]!r} is not an IPv{version} network, e.g. {example}")
    if "/" not in value:
        raise InvalidIntent(field, f"{value[:60]!r} lacks a prefix length, e.g. {example}")
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        inner = f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}"
        raise InvalidIntent(field, f"{value[:60]!r} is IPv4 inside IPv6: write {inner}")
    return str(network)


def check_routable(field: str, cidr: str) -> None:
    """Refuse a canonical network whose addresses no router forwards to: multicast, loopback, link-local."""
    network = ipaddress.ip_network(cidr)
    if network.is_multicast or network.is_loopback or network.is_link_local:
        raise InvalidIntent(field, f"{cidr} is multicast, loopback or link-local, which is not routed")


def canonical_any_address(field: str, value: str) -> str:
    """Return a unicast IPv4 or IPv6 address in its shortest usual form."""
    address = canonical_address(field, value, 6 if ":" in value else 4)
    check_unicast(field, address)
    return address


def canonical_any_cidr(field: str, value: str) -> str:
    """Return an IPv4 or IPv6 network with prefix length; host bits must be zero."""
    return canonical_cidr(field, value, 6 if ":" in value else 4)


def canonical_interface_address(field: str, value: str) -> str:
    """Return an address with prefix length, `192.0.2.11/24`."""
    try:
        if "/" not in value:
            raise ValueError("the prefix length is missing")
        if "%" in value:
            raise ValueError("a zone has no meaning on another machine")
        interface = ipaddress.ip_interface(value)
    except ValueError as error:
        raise InvalidIntent(
            field,
            f"{value[:60]!r} is not an address with prefix length, e.g. 192.0.2.11/24: {str(error)[:120]}",
        ) from None
    check_unicast(field, str(interface.ip))
    network = interface.network
    ends = (network[0], network[-1]) if interface.version == 4 else (network[0],)
    if network.num_addresses > 2 and interface.ip in ends:
        raise InvalidIntent(field, f"{interface.ip} is the network or broadcast address of {network}")
    return str(interface)


def check_interface(field: str, value: str) -> None:
    """Refuse what Linux would not take as an interface name, and names of what the host agent and OVS make."""
    _check_name(field, value)
    if _NO_UPLINK.match(value):
        raise InvalidIntent(field, f"{value} cannot be an uplink: name an interface that leaves the host")


def check_port(field: str, value: str) -> None:
    """Refuse what cannot be the name of an interface that is to be made on a host."""
    _check_name(field, value)
    if _NO_UPLINK.match(value):
        raise InvalidIntent(field, f"{value} is a name of the host agent's or of Open vSwitch: use another")


def _check_name(field: str, value: str) -> None:
    if not _INTERFACE.match(value) or value in (".", ".."):
        raise InvalidIntent(field, f"{value[:40]!r} is not an interface name: 1 to 15 of A-Z a-z 0-9 _ . @ -")


def check_range(field: str, value: int, *, low: int, high: int, unit: str = "") -> None:
    """Refuse a number outside low..high."""
    if not low <= value <= high:
        raise InvalidIntent(field, f"{value} is outside {low} to {high}{' ' + unit if unit else ''}")


def check_dhcp_text(field: str, value: str) -> None:
    """Refuse text that a DHCP option cannot carry: RFC 2132 gives 255 bytes, OVN quotes it with '"'."""
    if len(value) > 255 or not value.isascii() or not value.isprintable() or '"' in value or "\\" in value:
        raise InvalidIntent(field, 'must be at most 255 printable ASCII characters without " and \\')


_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?\Z"
)


def check_domain(field: str, value: str) -> None:
    """Refuse what is not a DNS domain name (RFC 1035)."""
    if not _DOMAIN.match(value):
        raise InvalidIntent(field, f"{value[:80]!r} is not a domain name, e.g. example.com")
