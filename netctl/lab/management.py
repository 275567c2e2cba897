"""The management network of a topology: its prefix, and the address of each node.

Errors are `InvalidIntent` whose field is the path of the key in the file.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from netctl.errors import InvalidIntent
from netctl.lab.document import Section


def parse_network(file: Section) -> ipaddress.IPv4Network:
    """Return the network of `mgmt.ipv4-subnet`."""
    mgmt = file.mapping("mgmt")
    text = mgmt.text("ipv4-subnet", "172.20.20.0/24")  # containerlab's default
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise InvalidIntent(mgmt.at("ipv4-subnet"), str(error)) from None


def choose_addresses(nodes: Mapping[str, Section], network: ipaddress.IPv4Network) -> dict[str, str]:
    """Return each node's address: the one that it asks for, else a free one."""
    addresses: dict[str, str] = {}
    for key, node in nodes.items():
        if node.get("mgmt-ipv4", None) is None:
            continue
        text = node.text("mgmt-ipv4")
        try:
            inside = ipaddress.IPv4Address(text) in network
        except ValueError as error:
            raise InvalidIntent(node.at("mgmt-ipv4"), str(error)) from None
        if not inside or text in addresses.values():
            raise InvalidIntent(node.at("mgmt-ipv4"), f"{text} is not a free address of {network}")
        addresses[key] = text
    # Docker keeps the first address of containerlab's management network for its bridge.
    free = (str(ip) for ip in network.hosts() if ip != network[1] and str(ip) not in addresses.values())
    try:
        return {key: addresses.get(key) or next(free) for key in nodes}
    except StopIteration:
        raise InvalidIntent("mgmt.ipv4-subnet", f"{network} has no room for {len(nodes)} nodes") from None
