"""The flags of `create` and `update`: one plain table for each kind, field, flag and help.

How a text becomes a value is known from the field's descriptor (`values.py`); here is only what people read.
"""

from __future__ import annotations

from netctl.cli.flag import COMMON, Flag, make_flag
from netctl.cli.flags_chain import CHAIN_ABOUT, CHAIN_EXAMPLES, CHAIN_FLAGS
from netctl.cli.flags_compute import COMPUTE_ABOUT, COMPUTE_EXAMPLES, COMPUTE_FLAGS
from netctl.cli.flags_infra import INFRA_ABOUT, INFRA_EXAMPLES, INFRA_FLAGS
from netctl.cli.flags_security import SECURITY_ABOUT, SECURITY_EXAMPLES, SECURITY_FLAGS
from netctl.cli.flags_vpc import VPC_EXAMPLES, VPC_FLAGS


def _family(family: str, example: str) -> tuple[Flag, ...]:
    name = family.replace("ipv", "IPv")
    return (
        make_flag(
            f"{family}.cidr",
            "CIDR",
            f"{name} network, e.g. {example}; turns address management on.",
            fixed=True,
        ),
        make_flag(f"{family}.gateway", "ADDRESS", f"Router's {name} address; never allocated."),
        make_flag(
            f"{family}.pools",
            "START-END",
            f"{name} addresses to allocate from; repeat for more.",
            option=f"--{family}-pool",
            many=True,
        ),
        make_flag(
            f"{family}.exclusions",
            "START-END",
            f"{name} addresses never allocated automatically; repeat for more.",
            option=f"--{family}-exclude",
            many=True,
        ),
    )


_DHCP = (
    make_flag("dhcp.disabled", "BOOL", "true: no DHCP at all."),
    make_flag(
        "dhcp.server_address",
        "ADDRESS",
        "DHCP server; the network's last address by default.",
        option="--dhcp-server",
    ),
    make_flag("dhcp.lease_s", "SECONDS", "Lease time; a day by default.", option="--dhcp-lease"),
    make_flag(
        "dhcp.dns_servers", "ADDRESS", "A DNS server; repeat for more.", option="--dns-server", many=True
    ),
    make_flag("dhcp.domain_name", "NAME", "Domain of the guests.", option="--domain-name"),
    make_flag(
        "dhcp.domain_search",
        "NAME",
        "A domain to search; repeat for more.",
        option="--domain-search",
        many=True,
    ),
    make_flag(
        "dhcp.ntp_servers", "ADDRESS", "A time server; repeat for more.", option="--ntp-server", many=True
    ),
    make_flag("dhcp.tftp_server", "NAME", "TFTP server to boot from.", option="--tftp-server"),
    make_flag("dhcp.bootfile_name", "PATH", "File to boot from.", option="--bootfile-name"),
    make_flag(
        "dhcp.static_routes",
        "CIDR=NEXT_HOP",
        "A route told to guests (option 121); repeat for more.",
        option="--static-route",
        many=True,
    ),
)

FLAGS: dict[str, tuple[Flag, ...]] = {
    **INFRA_FLAGS,
    "subnet": (
        make_flag(
            "kind",
            "vlan|overlay|external|vlan-basic",
            "How it reaches other hosts: a VLAN, or Geneve tunnels. external: where VPCs connect to the outside."
            " vlan-basic: a VLAN without OVN, its security policies and VPCs. vlan and vlan-basic can become each other"
            " (`netctl subnet migrate`).",
        ),
        make_flag(
            "virtual_switches",
            "SWITCH",
            "vlan, vlan-basic, external: a virtual switch, one of each cluster that it spans; repeat for more.",
            option="--virtual-switch",
            many=True,
        ),
        make_flag("vlan_id", "ID", "With --virtual-switch: 1 to 4094, or 0 for untagged."),
        make_flag(
            "clusters",
            "CLUSTER",
            "overlay: a cluster that it spans; repeat for more.",
            option="--cluster",
            many=True,
        ),
        make_flag(
            "vpc",
            "VPC",
            "overlay: the VPC that routes it; subnets of one VPC may not overlap. external: a transit VPC, instead of"
            " --virtual-switch.",
            fixed=True,
        ),
        make_flag(
            "nat",
            "BOOL",
            "external: translate addresses of guests (SNAT, floating IPs), true by default; false routes them.",
            fixed=True,
        ),
        make_flag(
            "mtu_bytes",
            "BYTES",
            "MTU of the guests; the largest that fits by default.",
            option="--mtu",
        ),
        *_family("ipv4", "10.0.0.0/24"),
        *_family("ipv6", "2001:db8::/64"),
        make_flag(
            "ipv6_mode",
            "static|slaac|dhcpv6-stateless|dhcpv6-stateful",
            "How guests learn their IPv6 addresses; in a VPC slaac by default for a /64, elsewhere static.",
        ),
        *_DHCP,
        make_flag(
            "categories",
            "CATEGORY",
            "A category of all NICs on it; repeat for more.",
            option="--category",
            many=True,
        ),
        make_flag(
            "service_chain",
            "CHAIN",
            'All that its NICs send to and get from other hosts passes it; "" takes it away.',
        ),
        *COMMON,
    ),
    "nic": (
        make_flag("subnet", "SUBNET", "The subnet that it is on.", fixed=True),
        make_flag(
            "kind",
            "normal|direct|network-function|span-destination",
            "What it is for. direct: on the uplink bridge, without OVN. network-function: one side of a network"
            " function, span-destination: gets a mirror's copies; these two have no subnet.",
            fixed=True,
        ),
        make_flag(
            "network_function_side",
            "ingress|egress|tap",
            "network-function: towards the guests, towards the network, or for copies.",
            option="--side",
            fixed=True,
        ),
        make_flag("host", "HOST", 'The host where its tap is; "" lets it float.'),
        make_flag(
            "vm", "VM", "The virtual machine whose interface it is; its host is that machine's.", fixed=True
        ),
        make_flag("mac_address", "MAC", "Unicast MAC address; allocated by default."),
        make_flag("ipv4_address", "ADDRESS", "Static IPv4 address; allocated by default."),
        make_flag("ipv6_address", "ADDRESS", "Static IPv6 address; allocated by default."),
        make_flag("connected", "BOOL", "Link state: false drops all its traffic."),
        make_flag(
            "port_security", "BOOL", "Drop frames whose source is not its own address; true by default."
        ),
        make_flag(
            "allow_unknown_macs",
            "BOOL",
            "Deliver frames for unknown MACs too; needs --port-security false.",
        ),
        make_flag(
            "mode",
            "access|trunk",
            "access: untagged, the default. trunk: the subnet untagged, others by VLAN tag.",
            fixed=True,
        ),
        make_flag(
            "trunk_vlans",
            "ID[=SUBNET]",
            "trunk: a VLAN tag that the guest may use, and the subnet behind it; repeat for more. None: all tags.",
            option="--trunk-vlan",
            many=True,
        ),
        make_flag(
            "categories",
            "CATEGORY",
            "A category that security policies know it by; repeat for more.",
            option="--category",
            many=True,
        ),
        make_flag("model", "virtio|e1000", "What the guest sees; virtio by default."),
        make_flag("queues", "N", "virtio: queue pairs, 1 to 16; 1 by default."),
        *COMMON,
    ),
    **VPC_FLAGS,
    **SECURITY_FLAGS,
    **CHAIN_FLAGS,
    **COMPUTE_FLAGS,
}

# What a kind is.
ABOUT = {
    **INFRA_ABOUT,
    "vpc": "A router that is on every host at once, with overlay subnets behind it and ways out.",
    "subnet": "A layer-2 network with its addresses; or an external one, where VPCs connect to the outside.",
    "nic": "One guest interface on a subnet.",
    "floatingip": "A public address that leads to one NIC, or to one private address of a VPC.",
    "route": "Where a VPC's router sends packets to a network that it is not connected to.",
    "routingpolicy": "What a VPC's router does with packets that match, whatever its routes say.",
    "addressreservation": "Addresses of a subnet that NICs do not get by themselves.",
    **SECURITY_ABOUT,
    **CHAIN_ABOUT,
    **COMPUTE_ABOUT,
}
EXAMPLES: dict[str, tuple[str, str]] = {
    **INFRA_EXAMPLES,
    "subnet": (
        "create subnet web --kind vlan --virtual-switch vs0 --vlan-id 10 --ipv4-cidr 10.0.0.0/24",
        "update subnet web --dns-server 192.0.2.53 --dhcp-lease 3600",
    ),
    "nic": (
        "create nic web-1 --subnet web --host h1 --wait",
        "update nic web-1 --connected false --reason quarantine",
    ),
    **VPC_EXAMPLES,
    **SECURITY_EXAMPLES,
    **CHAIN_EXAMPLES,
    **COMPUTE_EXAMPLES,
}
