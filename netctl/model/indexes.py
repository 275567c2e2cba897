"""What an intent is found by: which others it belongs to, and which values it alone may have.

In goes an intent, out come relations and claims. `Draft` keeps the indexes equal to these functions; nothing
else writes them, and no check needs more than them.
"""

from __future__ import annotations

import enum
import ipaddress
from typing import Final

from netctl.model.infra import Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, mac_number
from netctl.model.subnet import Subnet, SubnetKind


class Relation(enum.StrEnum):
    """A set of ids that belong to another intent."""

    HOSTS_OF_CLUSTER = "hosts of cluster"
    IPV6_HOSTS_OF_CLUSTER = "hosts of cluster with an IPv6 tunnel address"
    VIRTUAL_SWITCHES_OF_CLUSTER = "virtual switches of cluster"
    SUBNETS_OF_CLUSTER = "subnets of cluster"
    OVERLAYS_OF_CLUSTER = "overlay subnets of cluster"
    HOSTS_OF_VIRTUAL_SWITCH = "hosts of virtual switch"
    SUBNETS_OF_VIRTUAL_SWITCH = "subnets of virtual switch"
    NICS_OF_HOST = "NICs of host"
    NICS_OF_SUBNET = "NICs of subnet"


class Space:
    """A space of values in which each value has at most one owner.

    Plain strings: a tuple that holds an enum member is tracked by the garbage collector for ever.
    """

    BRIDGE: Final = "bridge"  # per cluster: 0 for br0
    TUNNEL: Final = "tunnel"  # per cluster: a tunnel endpoint's address
    VLAN: Final = "vlan"  # per virtual switch: a VLAN id
    VNI: Final = "vni"  # one for all: OVN has one number space of datapaths
    IPV4: Final = "ipv4"  # per subnet
    IPV6: Final = "ipv6"  # per subnet
    MAC: Final = "mac"  # per cluster
    TAP: Final = "tap"  # one for all: a NIC may move to any host


# Whose values: the id of a cluster, virtual switch or subnet, "" where there is one space for all.
Scope = tuple[str, str]
# Numbers can be allocated, see ipam.py; text cannot.
Claim = tuple[Scope, int | str]
# (VPC, IP version) and (first address, last address, subnet id)
SpanKey = tuple[str, int]
Span = tuple[int, int, str]


def relations_of(intent: Intent) -> tuple[tuple[Relation, str], ...]:
    """Return the sets that the intent's id is in, each with the id of whose set it is."""
    match intent:
        case Nic():
            if intent.host:
                return ((Relation.NICS_OF_SUBNET, intent.subnet), (Relation.NICS_OF_HOST, intent.host))
            return ((Relation.NICS_OF_SUBNET, intent.subnet),)
        case Subnet(kind=SubnetKind.VLAN):
            return (
                (Relation.SUBNETS_OF_CLUSTER, intent.cluster),
                (Relation.SUBNETS_OF_VIRTUAL_SWITCH, intent.virtual_switch),
            )
        case Subnet():
            return (
                (Relation.SUBNETS_OF_CLUSTER, intent.cluster),
                (Relation.OVERLAYS_OF_CLUSTER, intent.cluster),
            )
        case Host():
            found = [(Relation.HOSTS_OF_CLUSTER, str(intent.cluster))]
            if ":" in intent.tunnel_address:
                found.append((Relation.IPV6_HOSTS_OF_CLUSTER, intent.cluster))
            found += ((Relation.HOSTS_OF_VIRTUAL_SWITCH, uplink.virtual_switch) for uplink in intent.uplinks)
            return tuple(found)
        case VirtualSwitch():
            return ((Relation.VIRTUAL_SWITCHES_OF_CLUSTER, intent.cluster),)
        case _:
            return ()


def claims_of(intent: Intent, cluster: str) -> tuple[Claim, ...]:
    """Return the values that are the intent's alone; `cluster` is that of a NIC's subnet.

    Values that are still unset claim nothing.
    """
    match intent:
        case Nic():
            return _claims_of_nic(intent, cluster)
        case Subnet():
            return _claims_of_subnet(intent)
        case Host():
            return (((Space.TUNNEL, intent.cluster), intent.tunnel_ip),)
        case VirtualSwitch():
            if intent.bridge:
                return (((Space.BRIDGE, intent.cluster), int(intent.bridge[2:])),)
    return ()


def spans_of(intent: Intent) -> tuple[tuple[SpanKey, Span], ...]:
    """Return the address ranges that may not overlap with others of the same VPC."""
    if not isinstance(intent, Subnet) or not intent.vpc:
        return ()
    found = []
    for config in (intent.ipv4, intent.ipv6):
        if config is not None:
            network = ipaddress.ip_network(config.cidr)
            span = (int(network.network_address), int(network.broadcast_address), str(intent.id))
            found.append(((intent.vpc, config.version), span))
    return tuple(found)


def _claims_of_nic(nic: Nic, cluster: str) -> tuple[Claim, ...]:
    found: list[Claim] = []
    if nic.mac_address:
        found.append(((Space.MAC, cluster), mac_number(nic.mac_address)))
    if nic.ipv4_address:
        found.append(((Space.IPV4, nic.subnet), address_number(4, nic.ipv4_address)))
    if nic.ipv6_address:
        found.append(((Space.IPV6, nic.subnet), address_number(6, nic.ipv6_address)))
    if nic.tap_name:
        found.append(((Space.TAP, ""), nic.tap_name))
    return tuple(found)


def _claims_of_subnet(subnet: Subnet) -> tuple[Claim, ...]:
    found: list[Claim] = []
    if subnet.kind is SubnetKind.VLAN:
        found.append(((Space.VLAN, subnet.virtual_switch), subnet.vlan_id))
    if subnet.vni:
        found.append(((Space.VNI, ""), subnet.vni))
    if subnet.ipv4 is not None and subnet.ipv4.gateway:
        found.append(((Space.IPV4, subnet.id), address_number(4, subnet.ipv4.gateway)))
    if subnet.ipv6 is not None and subnet.ipv6.gateway:
        found.append(((Space.IPV6, subnet.id), address_number(6, subnet.ipv6.gateway)))
    if subnet.dhcp is not None and subnet.dhcp.server_address:
        found.append(((Space.IPV4, subnet.id), address_number(4, subnet.dhcp.server_address)))
    if subnet.dhcp is not None and subnet.dhcp.server_mac_address:
        found.append(((Space.MAC, subnet.cluster), mac_number(subnet.dhcp.server_mac_address)))
    return tuple(dict.fromkeys(found))  # the DHCP server may have the gateway's address
