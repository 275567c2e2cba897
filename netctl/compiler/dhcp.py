"""Subnet to DHCP_Options, for IPv4 and IPv6; which NICs are answered; and the ACL that lets them ask."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler import priority
from netctl.compiler.identity import dhcp_acl_uuid, dhcpv4_uuid, dhcpv6_uuid, switch_uuid
from netctl.compiler.observed import Observed
from netctl.model.subnet import DhcpOptions, IpConfig, Ipv6Mode, StaticRoute, Subnet
from netctl.model.vpc import Vpc
from netctl.nb.rows import Fact, Member, Row, Value

_ANYWHERE = "0.0.0.0/0"
_DHCPV6 = frozenset({Ipv6Mode.DHCPV6_STATELESS, Ipv6Mode.DHCPV6_STATEFUL})


def serves_dhcp(subnet: Subnet) -> bool:
    """Does the subnet answer DHCP?"""
    return subnet.ipv4 is not None and subnet.dhcp is not None and not subnet.dhcp.disabled


def asks_for_dhcpv6(subnet: Subnet) -> bool:
    """Is the subnet to answer DHCPv6?"""
    return subnet.ipv6 is not None and subnet.ipv6_mode in _DHCPV6


def serves_dhcpv6(subnet: Subnet, observed: Observed) -> bool:
    """Does the subnet answer DHCPv6: is it to, may OVN, and has the server a MAC address?"""
    return asks_for_dhcpv6(subnet) and observed.dhcpv6 and bool(_server_mac(subnet))


def compile_dhcp(
    subnet: Subnet, vpc: Vpc | None, marks: dict[str, str], observed: Observed
) -> Iterator[Fact]:
    """Yield the DHCP_Options of a subnet; a subnet that names no DNS servers has those of its VPC."""
    servers = vpc.dns_servers if vpc is not None else ()
    uid = subnet.meta.uid
    if serves_dhcp(subnet) and subnet.ipv4 is not None and subnet.dhcp is not None:
        inherited = tuple(server for server in servers if ":" not in server)
        options = dhcp_options(subnet.ipv4, subnet.dhcp, subnet.mtu_bytes, inherited)
        yield _row(dhcpv4_uuid(uid), subnet.ipv4, options, marks)
    if serves_dhcpv6(subnet, observed) and subnet.ipv6 is not None:
        inherited = tuple(server for server in servers if ":" in server)
        yield _row(dhcpv6_uuid(uid), subnet.ipv6, _dhcpv6_options(subnet, inherited), marks)


def compile_dhcp_acls(subnet: Subnet, marks: dict[str, str], observed: Observed) -> Iterator[Fact]:
    """Yield what lets guests ask OVN, which answers on their own host, whatever policies say; answers pass anyway.

    What OVN does not take for a question goes on as any other packet: nobody gets it, or a guest in quarantine could
    tell others what it likes.
    """
    asked: list[str] = []
    if serves_dhcp(subnet) and subnet.dhcp is not None:
        server = subnet.dhcp.server_address
        whom = f"(ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255) || ip4.dst == {server}"
        asked.append(f"udp.src == 68 && udp.dst == 67 && ({whom})")
    if serves_dhcpv6(subnet, observed):
        asked.append("udp.src == 546 && udp.dst == 547 && ip6.dst == ff02::1:2")
    if not asked:
        return
    match = " || ".join(f"({term})" for term in asked) if len(asked) > 1 else asked[0]
    for direction, action in (("from-lport", "allow"), ("to-lport", "drop")):
        uuid = dhcp_acl_uuid(subnet.meta.uid, direction)
        columns: dict[str, Value] = {
            "direction": direction,
            "priority": priority.ACL_DHCP,
            "match": match,
            "action": action,
            "external_ids": marks,
        }
        if observed.acl_tiers:
            columns["tier"] = priority.ACL_DHCP_TIER
        yield Row("ACL", uuid, columns)
        yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "acls", uuid)


def _row(uuid: str, config: IpConfig, options: dict[str, str], marks: dict[str, str]) -> Row:
    return Row("DHCP_Options", uuid, {"cidr": config.cidr, "options": options, "external_ids": marks})


def dhcp_options(
    ipv4: IpConfig, dhcp: DhcpOptions, mtu_bytes: int, inherited_dns: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return DHCP_Options.options as ovn-nb(5) spells them: sets in braces, strings in quotes."""
    options = {
        "server_id": dhcp.server_address,
        "server_mac": dhcp.server_mac_address,
        "lease_time": str(dhcp.lease_s),
        "mtu": str(mtu_bytes),
    }
    if ipv4.gateway:
        options["router"] = ipv4.gateway
    if dns := dhcp.dns_servers or inherited_dns:
        options["dns_server"] = _set(dns)
    if dhcp.ntp_servers:
        options["ntp_server"] = _set(dhcp.ntp_servers)
    if dhcp.domain_name:
        options["domain_name"] = f'"{dhcp.domain_name}"'
    if dhcp.domain_search:
        options["domain_search_list"] = '"' + ",".join(dhcp.domain_search) + '"'
    if dhcp.tftp_server:
        options["tftp_server"] = f'"{dhcp.tftp_server}"'
    if dhcp.bootfile_name:
        options["bootfile_name"] = f'"{dhcp.bootfile_name}"'
    if routes := classless_routes(ipv4, dhcp):
        told = ", ".join(f"{route.destination},{route.next_hop}" for route in routes)
        options["classless_static_route"] = "{" + told + "}"
    return options


def classless_routes(ipv4: IpConfig, dhcp: DhcpOptions) -> tuple[StaticRoute, ...]:
    """Return the routes of option 121; with some the default route is one of them.

    RFC 3442: a client that takes option 121 ignores the router option.
    """
    routes = dhcp.static_routes
    if routes and ipv4.gateway and not any(route.destination == _ANYWHERE for route in routes):
        return (*routes, StaticRoute(destination=_ANYWHERE, next_hop=ipv4.gateway))
    return routes


def _dhcpv6_options(subnet: Subnet, dns: tuple[str, ...]) -> dict[str, str]:
    """Return DHCP_Options.options for IPv6: `server_id` is a MAC address there, of which OVN makes a DUID.

    Search domains are told by advertisements alone: of `domain_search` OVN makes one label, dots and all (tried with
    23.03; later sources do the same), where clients expect names in the form of RFC 1035.
    """
    options = {"server_id": _server_mac(subnet)}
    if dns:
        options["dns_server"] = _set(dns)
    if subnet.ipv6_mode is Ipv6Mode.DHCPV6_STATELESS:
        options["dhcpv6_stateless"] = "true"
    return options


def _server_mac(subnet: Subnet) -> str:
    return subnet.gateway_mac_address or (subnet.dhcp.server_mac_address if subnet.dhcp is not None else "")


def _set(values: tuple[str, ...]) -> str:
    return "{" + ", ".join(values) + "}"
