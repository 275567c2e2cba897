"""Bugs of the compiler: from intents to rows and assignments."""

from __future__ import annotations

from tests.planted import vpcs
from tests.planted.bug import Bug

BUGS = (
    *vpcs.BUGS,
    Bug(
        "VLAN 0 is tagged",
        "netctl/compiler/subnet.py",
        "frozenset({subnet.vlan_id}) if subnet.vlan_id else frozenset()",
        "frozenset({subnet.vlan_id})",
        "tests/unit/compiler",
    ),
    Bug(
        "the gateway is the DHCP server",
        "netctl/compiler/dhcp.py",
        '"server_id": dhcp.server_address,',
        '"server_id": ipv4.gateway,',
        "tests/unit/compiler",
    ),
    Bug(
        "DHCP does not tell the MTU",
        "netctl/compiler/dhcp.py",
        '        "mtu": str(mtu_bytes),\n',
        "",
        "tests/unit/compiler",
    ),
    Bug(
        "static routes hide the default route",
        "netctl/compiler/dhcp.py",
        "return (*routes, StaticRoute(destination=_ANYWHERE, next_hop=ipv4.gateway))",
        "return routes",
        "tests/unit/compiler",
    ),
    Bug(
        "any chassis may claim a port",
        "netctl/compiler/nic.py",
        " if nic.host else {},",
        " if False else {},",
        "tests/unit/compiler",
    ),
    Bug(
        "a disconnected NIC stays enabled",
        "netctl/compiler/nic.py",
        '"enabled": _UP if nic.connected else _DOWN,',
        '"enabled": _UP,',
        "tests/unit/compiler",
    ),
    Bug(
        "port security is off",
        "netctl/compiler/nic.py",
        " if nic.port_security else _EMPTY,",
        " if False else _EMPTY,",
        "tests/unit/compiler",
    ),
    Bug(
        "port security forgets IPv6",
        "netctl/compiler/nic.py",
        "*given_to(nic, place.ipv4_address, place.ipv6_address)",
        "*given_to(nic, place.ipv4_address, '')",
        "tests/unit/compiler",
    ),
    Bug(
        "a NIC without an address is offered one",
        "netctl/compiler/nic.py",
        "leased = bool(place.ipv4_address) and serves_dhcp(subnet)",
        "leased = serves_dhcp(subnet)",
        "tests/unit/compiler",
    ),
    Bug(
        "a changed subnet leaves its NICs' rows",
        "netctl/compiler/dependents.py",
        "    for nic in snapshot.nics_of_subnet(SubnetId(subnet.id)):\n        yield Kind.NIC",
        "    for nic in ():\n        yield Kind.NIC",
        "tests/unit/reconciler/test_desired.py",
    ),
    Bug(
        "a name used again keeps its port",
        "netctl/compiler/identity.py",
        'return row_uuid("Logical_Switch_Port", nic)',
        'return row_uuid("Logical_Switch_Port", "the port")',
        "tests/unit/compiler",
    ),
    Bug(
        "a tap has the MTU of its host",
        "netctl/compiler/assignment_nics.py",
        "        _bare(nic, subnet.mtu_bytes if subnet else 0),\n        localnet=",
        "        _bare(nic, 0),\n        localnet=",
        "tests/unit/compiler",
    ),
    Bug(
        "every uplink bridge has the tunnel's address",
        "netctl/compiler/assignment_uplinks.py",
        'address=host.tunnel_address if uplink.virtual_switch == host.tunnel_virtual_switch else "",',
        "address=host.tunnel_address,",
        "tests/unit/compiler",
    ),
)
