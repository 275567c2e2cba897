"""Names of our rows: the uuid of each, what the others call it, and the external_ids that say whose it is.

A row's uuid is made of uids, so that a name used again is another row. Who maps rows back to intents (trace, describe)
reads the names here: a port's name tells whose it is.
"""

from __future__ import annotations

from functools import lru_cache

from netctl.model.keys import Key, Uid
from netctl.nb.rows import ID_KEY, KIND_KEY, OWNER_KEY, row_uuid

_SUBNETS = 16_384  # every NIC asks for its subnet's rows
_UID = 36  # characters


@lru_cache(maxsize=_SUBNETS)
def switch_uuid(subnet: Uid) -> str:
    """Return the Logical_Switch of a subnet."""
    return row_uuid("Logical_Switch", subnet)


def localnet_uuid(subnet: Uid, switch: str, *, chained: bool = False) -> str:
    """Return the localnet port of a subnet on one of its virtual switches, or on br.nf towards it."""
    return row_uuid("Logical_Switch_Port", subnet, "localnet", switch, *(("nf",) if chained else ()))


def localnet_name(subnet: Uid, switch: str, *, chained: bool = False) -> str:
    """Return the localnet port's name; ovn-controller names the patch ports after it.

    On br.nf it is another one: OVN 23.03 cannot move a patch port, the new one would have the name of the old one.
    """
    return f"localnet-{subnet}-{switch}{'-nf' if chained else ''}"


@lru_cache(maxsize=_SUBNETS)
def dhcpv4_uuid(subnet: Uid) -> str:
    """Return the DHCP_Options of a subnet for IPv4."""
    return row_uuid("DHCP_Options", subnet, "ipv4")


@lru_cache(maxsize=_SUBNETS)
def dhcpv4_reference(subnet: Uid) -> frozenset[str]:
    """Return a NIC's reference to the DHCP_Options of its subnet."""
    return frozenset({dhcpv4_uuid(subnet)})


@lru_cache(maxsize=_SUBNETS)
def dhcpv6_uuid(subnet: Uid) -> str:
    """Return the DHCP_Options of a subnet for IPv6."""
    return row_uuid("DHCP_Options", subnet, "ipv6")


@lru_cache(maxsize=_SUBNETS)
def dhcpv6_reference(subnet: Uid) -> frozenset[str]:
    """Return a NIC's reference to the DHCP_Options of its subnet."""
    return frozenset({dhcpv6_uuid(subnet)})


def port_uuid(nic: Uid) -> str:
    """Return the Logical_Switch_Port of a NIC; the NIC's uid is its name."""
    return row_uuid("Logical_Switch_Port", nic)


def child_uuid(nic: Uid, vlan_id: int) -> str:
    """Return the Logical_Switch_Port of one VLAN of a trunk NIC."""
    return row_uuid("Logical_Switch_Port", nic, str(vlan_id))


def child_name(nic: Uid, vlan_id: int) -> str:
    """Return the name of that port."""
    return f"{nic}-{vlan_id}"


@lru_cache(maxsize=_SUBNETS)
def router_uuid(vpc: Uid) -> str:
    """Return the Logical_Router of a VPC."""
    return row_uuid("Logical_Router", vpc)


def gateway_port_uuid(subnet: Uid) -> str:
    """Return the Logical_Router_Port of a VPC's own subnet, which has the subnet's gateway addresses."""
    return row_uuid("Logical_Router_Port", subnet)


def gateway_port_name(subnet: Uid) -> str:
    """Return the name of that port."""
    return f"lrp-{subnet}"


def gateway_peer_uuid(subnet: Uid) -> str:
    """Return the Logical_Switch_Port of a subnet that leads to its VPC's router."""
    return row_uuid("Logical_Switch_Port", subnet, "router")


def gateway_peer_name(subnet: Uid) -> str:
    """Return the name of that port."""
    return f"lsp-{subnet}"


def external_port_uuid(vpc: Uid, subnet: Uid) -> str:
    """Return the Logical_Router_Port of a VPC on an external subnet that it is connected to."""
    return row_uuid("Logical_Router_Port", vpc, subnet)


def external_port_name(vpc: Uid, subnet: Uid) -> str:
    """Return the name of that port."""
    return f"lrp-{vpc}-{subnet}"


def external_peer_uuid(vpc: Uid, subnet: Uid) -> str:
    """Return the Logical_Switch_Port of an external subnet that leads to a connected VPC's router."""
    return row_uuid("Logical_Switch_Port", vpc, subnet, "router")


def external_peer_name(vpc: Uid, subnet: Uid) -> str:
    """Return the name of that port."""
    return f"lsp-{vpc}-{subnet}"


def gateway_group_uuid(vpc: Uid, subnet: Uid) -> str:
    """Return the HA_Chassis_Group of a connection."""
    return row_uuid("HA_Chassis_Group", vpc, subnet)


def gateway_group_name(vpc: Uid, subnet: Uid) -> str:
    """Return the name of that group, which must be unique."""
    return f"{vpc}-{subnet}"


def gateway_uuid(vpc: Uid, subnet: Uid, host: str) -> str:
    """Return the HA_Chassis of one gateway host of a connection."""
    return row_uuid("HA_Chassis", vpc, subnet, host)


def snat_uuid(inner: Uid, vpc: Uid, external: Uid, cidr: str) -> str:
    """Return the NAT row by which the network `cidr` of `inner` leaves the router of `vpc` to an external subnet.

    `inner` is a subnet of the VPC, or another VPC that is connected to it.
    """
    return row_uuid("NAT", inner, vpc, external, cidr)


def floating_uuid(floating_ip: Uid) -> str:
    """Return the NAT row of a floating IP."""
    return row_uuid("NAT", floating_ip)


def guard_uuid(subnet: Uid, external: Uid) -> str:
    """Return the Logical_Router_Policy that keeps an external subnet from the private addresses of a subnet."""
    return row_uuid("Logical_Router_Policy", subnet, external)


def route_uuid(route: Uid, next_hop: str) -> str:
    """Return the Logical_Router_Static_Route of one next hop of a route."""
    return row_uuid("Logical_Router_Static_Route", route, next_hop)


def spoke_route_uuid(spoke: Uid, external: Uid, prefix: str) -> str:
    """Return the route on a transit VPC's router to a routable prefix of a VPC connected to it."""
    return row_uuid("Logical_Router_Static_Route", spoke, external, prefix)


def bfd_uuid(vpc: Uid, external: Uid, next_hop: str) -> str:
    """Return the BFD session of a VPC's router with a next hop; all of its routes share it."""
    return row_uuid("BFD", vpc, external, next_hop)


def policy_uuid(policy: Uid, way: str, version: int) -> str:
    """Return the Logical_Router_Policy of a routing policy: `way` forth or back, for IPv4 or IPv6."""
    return row_uuid("Logical_Router_Policy", policy, way, str(version))


@lru_cache(maxsize=_SUBNETS)
def port_group_uuid(term: Uid, realm: Uid) -> str:
    """Return the Port_Group of a category or entity group in a realm, which is a VPC or (uid "") the VLANs."""
    return row_uuid("Port_Group", term, realm)


def port_group_name(uuid: str) -> str:
    """Return the name of a Port_Group of ours, by which `$NAME_ip4` and `@NAME` stand for it in matches."""
    return f"sg_{uuid.replace('-', '')}"


def address_set_uuid(group: Uid, version: int) -> str:
    """Return the Address_Set of an address group for IPv4 or IPv6."""
    return row_uuid("Address_Set", group, str(version))


def address_set_name(group: Uid, version: int) -> str:
    """Return the name of that set, `$NAME` in matches."""
    return f"as_{group.replace('-', '')}_ip{version}"


def acl_uuid(policy: Uid, realm: Uid, *line: str) -> str:
    """Return the ACL of one line of a security policy in a realm."""
    return row_uuid("ACL", policy, realm, *line)


def dhcp_acl_uuid(subnet: Uid, direction: str) -> str:
    """Return the ACL that lets guests ask the subnet's own DHCP server, or that keeps the question from others."""
    return row_uuid("ACL", subnet, "dhcp", direction)


def meter_uuid(policy: Uid) -> str:
    """Return the Meter of a security policy's log lines."""
    return row_uuid("Meter", policy)


def meter_band_uuid(policy: Uid) -> str:
    """Return the Meter_Band of that meter."""
    return row_uuid("Meter_Band", policy)


def meter_name(policy: Uid) -> str:
    """Return the name of that meter."""
    return f"log-{policy}"


def function_switch_uuid(function: Uid) -> str:
    """Return the Logical_Switch of the NICs of a network function of OVN."""
    return row_uuid("Logical_Switch", function)


def function_child_uuid(nic: Uid, subnet: Uid) -> str:
    """Return the Logical_Switch_Port of a function's NIC on a subnet from which it gets traffic."""
    return row_uuid("Logical_Switch_Port", nic, subnet)


def function_child_name(nic: Uid, subnet: Uid) -> str:
    """Return the name of that port."""
    return f"{nic}-{subnet}"


def network_function_uuid(ingress_nic: Uid) -> str:
    """Return the Network_Function of a pair of NICs."""
    return row_uuid("Network_Function", ingress_nic)


def network_function_group_uuid(function: Uid) -> str:
    """Return the Network_Function_Group of a network function."""
    return row_uuid("Network_Function_Group", function)


def function_check_uuid(function: Uid) -> str:
    """Return the Network_Function_Health_Check of a network function."""
    return row_uuid("Network_Function_Health_Check", function)


def chain_group_uuid(subnet: Uid) -> str:
    """Return the Port_Group of the guests of a subnet whose chain is of a function of OVN."""
    return row_uuid("Port_Group", subnet, "chain")


def chain_acl_uuid(of: Uid, subnet: Uid, *line: str) -> str:
    """Return the ACL that leads traffic of a subnet through a function, for the subnet or a routing policy."""
    return row_uuid("ACL", of, subnet, "chain", *line)


def port_uuid_of(name: str) -> str:
    """Return the Logical_Switch_Port of a NIC's port, its VLANs' too, by its name."""
    uid, vlan_id = name[:_UID], name[_UID + 1 :]
    return row_uuid("Logical_Switch_Port", uid, vlan_id) if vlan_id else row_uuid("Logical_Switch_Port", uid)


def external_ids(owner: str, key: Key) -> dict[str, str]:
    """Return the marks of a row of ours: installation, kind, id."""
    return {OWNER_KEY: owner, KIND_KEY: key[0].value, ID_KEY: key[1]}
