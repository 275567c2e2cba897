"""Subnet to Logical_Switch, localnet port and DHCP_Options."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.identity import dhcpv4_uuid, external_ids, localnet_name, localnet_uuid, switch_uuid
from netctl.model.intent import key_of
from netctl.model.keys import VirtualSwitchId
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import DhcpOptions, IpConfig, Subnet
from netctl.nb.rows import Fact, Member, Row, Value


def compile_subnet(snapshot: Snapshot, subnet: Subnet, owner: str) -> Iterator[Fact]:
    """Yield the rows of one subnet."""
    marks = external_ids(owner, key_of(subnet))
    switch = switch_uuid(subnet.meta.uid)
    # requested-tnl-key (ovn-nb(5), Logical_Switch): the VNI is ours to choose, so that it never moves under guests.
    columns: dict[str, Value] = {
        "name": subnet.id,
        "other_config": {"requested-tnl-key": str(subnet.vni)},
        "external_ids": marks,
    }
    yield Row("Logical_Switch", switch, columns)
    for virtual_switch in subnet.virtual_switches:
        yield from _localnet(snapshot, subnet, virtual_switch, marks)
    if serves_dhcp(subnet) and subnet.ipv4 is not None and subnet.dhcp is not None:
        yield Row(
            "DHCP_Options",
            dhcpv4_uuid(subnet.meta.uid),
            {
                "cidr": subnet.ipv4.cidr,
                "options": dhcp_options(subnet.ipv4, subnet.dhcp, subnet.mtu_bytes),
                "external_ids": marks,
            },
        )


def serves_dhcp(subnet: Subnet) -> bool:
    """Does the subnet answer DHCP?"""
    return subnet.ipv4 is not None and subnet.dhcp is not None and not subnet.dhcp.disabled


def _localnet(
    snapshot: Snapshot, subnet: Subnet, switch: VirtualSwitchId, marks: dict[str, str]
) -> Iterator[Fact]:
    virtual_switch = snapshot.virtual_switch(switch)
    if virtual_switch is None:  # admission refuses this; a store edited by hand must not stop the others
        return
    port = localnet_uuid(subnet.meta.uid, switch)
    yield Row(
        "Logical_Switch_Port",
        port,
        {
            "name": localnet_name(subnet.meta.uid, switch),
            "type": "localnet",
            "addresses": frozenset({"unknown"}),
            "tag": frozenset({subnet.vlan_id}) if subnet.vlan_id else frozenset(),
            "options": {"network_name": virtual_switch.physnet},
            "external_ids": marks,
        },
    )
    yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "ports", port)


def dhcp_options(ipv4: IpConfig, dhcp: DhcpOptions, mtu_bytes: int) -> dict[str, str]:
    """Return DHCP_Options.options as ovn-nb(5) spells them: sets in braces, strings in quotes."""
    options = {
        "server_id": dhcp.server_address,
        "server_mac": dhcp.server_mac_address,
        "lease_time": str(dhcp.lease_s),
        "mtu": str(mtu_bytes),
    }
    if ipv4.gateway:
        options["router"] = ipv4.gateway
    if dhcp.dns_servers:
        options["dns_server"] = _set(dhcp.dns_servers)
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
    if dhcp.static_routes:
        routes = [f"{route.destination},{route.next_hop}" for route in dhcp.static_routes]
        # RFC 3442: a client that takes option 121 ignores the router option, so the default route goes here as well.
        if ipv4.gateway and not any(route.destination == "0.0.0.0/0" for route in dhcp.static_routes):
            routes.append(f"0.0.0.0/0,{ipv4.gateway}")
        options["classless_static_route"] = "{" + ", ".join(routes) + "}"
    return options


def _set(values: tuple[str, ...]) -> str:
    return "{" + ", ".join(values) + "}"
