"""What an intent is found by: the values and the addresses that it alone may have; relations.py has the rest.

In goes an intent, out come claims and spans. `Draft` keeps the indexes equal to these functions; nothing else writes
them, and no check needs more than them and relations.
"""

from __future__ import annotations

import enum
from typing import Final

from netctl.model.category import Category
from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, mac_number, network_numbers
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc


class Relation(enum.StrEnum):
    """A set of ids that belong to another intent."""

    HOSTS_OF_CLUSTER = "hosts of cluster"
    IPV6_HOSTS_OF_CLUSTER = "hosts of cluster with an IPv6 tunnel address"
    VIRTUAL_SWITCHES_OF_CLUSTER = "virtual switches of cluster"
    SUBNETS_OF_CLUSTER = "subnets of cluster"
    OVERLAYS_OF_CLUSTER = "overlay subnets of cluster"
    HOSTS_OF_VIRTUAL_SWITCH = "hosts of virtual switch"
    TUNNELS_OF_VIRTUAL_SWITCH = "hosts whose tunnels go through virtual switch"
    SUBNETS_OF_VIRTUAL_SWITCH = "subnets of virtual switch"
    NICS_OF_HOST = "NICs of host"
    NICS_OF_SUBNET = "NICs of subnet"
    TRUNKS_OF_SUBNET = "trunk NICs with a VLAN on subnet"
    BASIC_NICS_OF_SUBNET = "NICs with an interface on subnet and no port in OVN"
    RESERVATIONS_OF_SUBNET = "address reservations of subnet"
    SUBNETS_OF_VPC = "subnets of VPC"
    VPCS_OF_SUBNET = "VPCs connected to external subnet"
    VPCS_OF_GATEWAY = "VPCs that host may be the gateway of"
    FLOATING_IPS_OF_SUBNET = "floating IPs of external subnet"
    FLOATING_IPS_OF_NIC = "floating IPs of NIC"
    FLOATING_IPS_OF_VPC = "floating IPs of private addresses of VPC"
    ROUTES_OF_VPC = "routes of VPC"
    ROUTES_TO = "routes of VPC to one destination"
    ROUTES_VIA_SUBNET = "routes by external subnet"
    POLICIES_OF_VPC = "routing policies of VPC"
    NICS_OF_CATEGORY = "NICs with category"
    SUBNETS_OF_CATEGORY = "subnets with category"
    VPCS_OF_CATEGORY = "VPCs with category"
    GROUPS_NAMING = "entity groups that name"  # a term, by its resource name
    SECURITY_POLICIES_NAMING = (
        "security policies that name"  # a group, category, service group, VPC or service chain
    )
    SECURITY_POLICIES_OF_SCOPE = "security policies of scope"  # PolicyScope
    FUNCTIONS_OF_NIC = "network functions with NIC"  # one at most
    CHAINS_OF_FUNCTION = "service chains with network function"
    SUBNETS_OF_CHAIN = "subnets with service chain"
    POLICIES_OF_CHAIN = "routing policies with service chain"
    MIRRORS_OF_HOST = "traffic mirrors on host"
    MIRRORS_OF_NIC = "traffic mirrors with NIC"  # as source or destination
    MIRRORS_OF_VIRTUAL_SWITCH = "traffic mirrors of the uplink of virtual switch"
    HOSTS_OF_CATEGORY = "hosts with category"
    NICS_OF_VM = "NICs of virtual machine"
    VMS_OF_CLUSTER = "virtual machines of cluster"
    VMS_OF_HOST = "virtual machines at host"
    VMS_FOR_HOST = "virtual machines with affinity host"
    VMS_OF_CATEGORY = "virtual machines with category"
    VMS_OF_IMAGE = "virtual machines with a disk of image"
    COPIES_OF_VM = "virtual machines with a copy of a disk of virtual machine"
    IMAGES_OF_VM = "images that are still to be made of a disk of virtual machine"
    TEMPLATES_OF_IMAGE = "templates with image"
    AFFINITIES_OF_VM = "affinity policies that name virtual machine"
    AFFINITIES_OF_HOST = "affinity policies that name host"
    AFFINITIES_OF_CATEGORY = "affinity policies of virtual machines or hosts with category"
    MIGRATIONS_OF_VM = "migrations of virtual machine"
    ACTIVE_MIGRATIONS = "migrations that go on"  # of "": all
    ACTIVE_MIGRATIONS_OF_HOST = "migrations that go on from or to host"


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
    MAC: Final = "mac"  # one for all: subnets span clusters
    TAP: Final = "tap"  # one for all: a NIC may move to any host
    FLOATING: Final = "floating"  # per VPC: a private address; "": a NIC and IP version
    ROUTE: Final = "route"  # per VPC: a destination and priority
    POLICY: Final = "policy"  # per VPC: a priority
    CATEGORY: Final = "category"  # one for all: key and value


# Whose values: the id of a cluster, virtual switch, subnet or VPC, "" where there is one space for all.
Scope = tuple[str, str]
# Numbers can be allocated, see ipam.py; text cannot.
Claim = tuple[Scope, int | str]
# (of what, IP version) and (first address, last address, whose). Of a VPC: the networks of its subnets; of
# `reserved/{subnet}`: the reservations; of `prefixes/{external subnet}`: the externally routable prefixes of the VPCs
# that are connected to it. These do not overlap. The others may: of `destinations/{vpc}` and `hops/{vpc}` where routes
# lead and the addresses of their next hops, of `services/{vpc}` where policies reroute to, of `private/{vpc}` the
# private addresses that have floating IPs.
SpanKey = tuple[str, int]
Span = tuple[int, int, str]


def claims_of(intent: Intent) -> tuple[Claim, ...]:
    """Return the values that are the intent's alone. Values that are still unset claim nothing."""
    match intent:
        case Nic():
            return _claims_of_nic(intent)
        case Subnet():
            return _claims_of_subnet(intent)
        case Host():
            return (((Space.TUNNEL, intent.cluster), intent.tunnel_ip),)
        case VirtualSwitch():
            if intent.bridge:
                return (((Space.BRIDGE, intent.cluster), int(intent.bridge[2:])),)
        case Vpc():
            return _claims_of_vpc(intent)
        case FloatingIp():
            return _claims_of_floating_ip(intent)
        case Route():
            return (((Space.ROUTE, intent.vpc), f"{intent.destination} {intent.priority}"),)
        case Category():
            return (((Space.CATEGORY, ""), f"{intent.key}\0{intent.value}"),)
        case RoutingPolicy():
            return (((Space.POLICY, intent.vpc), intent.priority),)
    return ()


def spans_of(intent: Intent) -> tuple[tuple[SpanKey, Span], ...]:
    """Return the address ranges that an intent is found by, or that may not overlap with others of the same key."""
    match intent:
        case Subnet() if intent.vpc:
            configs = (config for config in (intent.ipv4, intent.ipv6) if config is not None)
            return tuple(_span(intent.vpc, config.cidr, intent.id) for config in configs)
        case Vpc():
            return tuple(
                _span(f"prefixes/{connection.subnet}", prefix, intent.id)
                for connection in intent.external_connections
                for prefix in intent.externally_routable_prefixes
            )
        case AddressReservation():
            version = intent.ip_version
            return tuple(
                (
                    (f"reserved/{intent.subnet}", version),
                    (address_number(version, r.start), address_number(version, r.end), str(intent.id)),
                )
                for r in intent.reserved
            )
        case Route():
            hops = (hop.ip_address for hop in intent.next_hops if hop.ip_address)
            return (
                _span(f"destinations/{intent.vpc}", intent.destination, intent.id),
                *(_span(f"hops/{intent.vpc}", hop, intent.id) for hop in hops),
            )
        case RoutingPolicy():
            services = dict.fromkeys(intent.service_ips)
            return tuple(_span(f"services/{intent.vpc}", address, intent.id) for address in services)
        case FloatingIp() if intent.vpc:
            return (_span(f"private/{intent.vpc}", intent.private_address, intent.id),)
    return ()


def _span(within: str, cidr: str, id: str) -> tuple[SpanKey, Span]:
    version, low, high = network_numbers(cidr)
    return (within, version), (low, high, id)


def _address_claim(subnet: str, address: str) -> Claim:
    version = 6 if ":" in address else 4
    return (Space.IPV6 if version == 6 else Space.IPV4, subnet), address_number(version, address)


def _mac_claim(mac: str) -> Claim:
    return (Space.MAC, ""), mac_number(mac)


def _claims_of_nic(nic: Nic) -> tuple[Claim, ...]:
    found: list[Claim] = []
    if nic.mac_address:
        found.append(((Space.MAC, ""), mac_number(nic.mac_address)))
    if nic.ipv4_address:
        found.append(((Space.IPV4, nic.subnet), address_number(4, nic.ipv4_address)))
    if nic.ipv6_address:
        found.append(((Space.IPV6, nic.subnet), address_number(6, nic.ipv6_address)))
    if nic.tap_name:
        found.append(((Space.TAP, ""), nic.tap_name))
    for vlan in nic.trunk_vlans:
        addresses = (vlan.ipv4_address, vlan.ipv6_address)
        found += (_address_claim(vlan.subnet, address) for address in addresses if address)
    return tuple(found)


def _claims_of_subnet(subnet: Subnet) -> tuple[Claim, ...]:
    found: list[Claim] = []
    found += (((Space.VLAN, switch), subnet.vlan_id) for switch in subnet.virtual_switches)
    if subnet.vni:
        found.append(((Space.VNI, ""), subnet.vni))
    configs = (config for config in (subnet.ipv4, subnet.ipv6) if config is not None)
    found += (_address_claim(subnet.id, config.gateway) for config in configs if config.gateway)
    if subnet.dhcp is not None and subnet.dhcp.server_address:
        found.append(_address_claim(subnet.id, subnet.dhcp.server_address))
    if subnet.dhcp is not None and subnet.dhcp.server_mac_address:
        found.append(_mac_claim(subnet.dhcp.server_mac_address))
    if subnet.gateway_mac_address:
        found.append(_mac_claim(subnet.gateway_mac_address))
    return tuple(dict.fromkeys(found))  # the DHCP server may have the gateway's address


def _claims_of_vpc(vpc: Vpc) -> tuple[Claim, ...]:
    found: list[Claim] = [((Space.VNI, ""), vpc.vni)] if vpc.vni else []
    for connection in vpc.external_connections:
        addresses = (connection.ipv4_address, connection.ipv6_address)
        found += (_address_claim(connection.subnet, address) for address in addresses if address)
        if connection.mac_address:
            found.append(_mac_claim(connection.mac_address))
    return tuple(found)


def _claims_of_floating_ip(floating: FloatingIp) -> tuple[Claim, ...]:
    found: list[Claim] = []
    if floating.address:
        found.append(_address_claim(floating.external_subnet, floating.address))
        if floating.nic:
            found.append(((Space.FLOATING, ""), f"{floating.nic} {6 if ':' in floating.address else 4}"))
    if floating.vpc:
        found.append(((Space.FLOATING, floating.vpc), floating.private_address))
    if floating.mac_address:
        found.append(_mac_claim(floating.mac_address))
    return tuple(found)
