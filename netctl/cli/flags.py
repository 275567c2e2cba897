"""The flags of `create` and `update`: one plain table for each kind, field, flag and help.

How a text becomes a value is known from the field's descriptor (`values.py`); here is only what people read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag: the field that it sets, its placeholder and its help. `fixed`: cannot change, so not in `update`."""

    path: str
    option: str
    metavar: str
    help: str
    fixed: bool = False
    many: bool = False

    @property
    def parameter(self) -> str:
        """Its name among a command's parameters."""
        return "flag_" + self.path.replace(".", "_")


def _flag(
    path: str, metavar: str, help_: str, *, option: str = "", fixed: bool = False, many: bool = False
) -> Flag:
    option = option or "--" + path.replace(".", "-").replace("_", "-")
    return Flag(path=path, option=option, metavar=metavar, help=help_, fixed=fixed, many=many)


_COMMON = (
    _flag("display_name", "TEXT", "Free text for people."),
    _flag("labels", "KEY=VALUE", "A label; repeat for more.", option="--label", many=True),
)


def _family(family: str, example: str) -> tuple[Flag, ...]:
    name = family.replace("ipv", "IPv")
    return (
        _flag(
            f"{family}.cidr",
            "CIDR",
            f"{name} network, e.g. {example}; turns address management on.",
            fixed=True,
        ),
        _flag(f"{family}.gateway", "ADDRESS", f"Router's {name} address; never allocated."),
        _flag(
            f"{family}.pools",
            "START-END",
            f"{name} addresses to allocate from; repeat for more.",
            option=f"--{family}-pool",
            many=True,
        ),
        _flag(
            f"{family}.exclusions",
            "START-END",
            f"{name} addresses never allocated automatically; repeat for more.",
            option=f"--{family}-exclude",
            many=True,
        ),
    )


_DHCP = (
    _flag("dhcp.disabled", "BOOL", "true: no DHCP at all."),
    _flag(
        "dhcp.server_address",
        "ADDRESS",
        "DHCP server; the network's last address by default.",
        option="--dhcp-server",
    ),
    _flag("dhcp.lease_s", "SECONDS", "Lease time; a day by default.", option="--dhcp-lease"),
    _flag("dhcp.dns_servers", "ADDRESS", "A DNS server; repeat for more.", option="--dns-server", many=True),
    _flag("dhcp.domain_name", "NAME", "Domain of the guests.", option="--domain-name"),
    _flag(
        "dhcp.domain_search",
        "NAME",
        "A domain to search; repeat for more.",
        option="--domain-search",
        many=True,
    ),
    _flag("dhcp.ntp_servers", "ADDRESS", "A time server; repeat for more.", option="--ntp-server", many=True),
    _flag("dhcp.tftp_server", "NAME", "TFTP server to boot from.", option="--tftp-server"),
    _flag("dhcp.bootfile_name", "PATH", "File to boot from.", option="--bootfile-name"),
    _flag(
        "dhcp.static_routes",
        "CIDR=NEXT_HOP",
        "A route told to guests (option 121); repeat for more.",
        option="--static-route",
        many=True,
    ),
)

FLAGS: dict[str, tuple[Flag, ...]] = {
    "cluster": (
        _flag("mac_prefix", "PREFIX", "First three bytes of allocated MAC addresses; 50:6b:8d by default."),
        _flag(
            "underlay_mtu_bytes",
            "BYTES",
            "MTU between tunnel endpoints; 1500 by default.",
            option="--underlay-mtu",
        ),
        *_COMMON,
    ),
    "virtualswitch": (
        _flag("cluster", "CLUSTER", "The cluster whose hosts it spans.", fixed=True),
        _flag(
            "bridge",
            "BRIDGE",
            "Uplink bridge, br0 to br99; the lowest free one by default.",
            fixed=True,
        ),
        _flag("mtu_bytes", "BYTES", "MTU; 1500 by default.", option="--mtu"),
        _flag("bond_mode", "MODE", "Load balancing of the uplinks: active-backup."),
        *_COMMON,
    ),
    "host": (
        _flag("cluster", "CLUSTER", "The cluster that it belongs to.", fixed=True),
        _flag("tunnel_address", "ADDRESS/LENGTH", "Address of its tunnel endpoint, e.g. 192.168.77.11/24."),
        _flag(
            "tunnel_virtual_switch",
            "SWITCH",
            "Virtual switch of the tunnels; the first uplink's by default.",
        ),
        _flag(
            "uplinks",
            "SWITCH=IF[,IF]",
            "Interfaces that connect a virtual switch, the bond's primary first; repeat for more.",
            option="--uplink",
            many=True,
        ),
        *_COMMON,
    ),
    "subnet": (
        _flag("kind", "vlan|overlay", "How it reaches other hosts: a VLAN, or Geneve tunnels.", fixed=True),
        _flag("virtual_switch", "SWITCH", "vlan: the virtual switch.", fixed=True),
        _flag("vlan_id", "ID", "vlan: 1 to 4094, or 0 for untagged, the default."),
        _flag("cluster", "CLUSTER", "overlay: the cluster.", fixed=True),
        _flag("vpc", "VPC", "overlay: the VPC; subnets of one VPC may not overlap.", fixed=True),
        _flag(
            "mtu_bytes",
            "BYTES",
            "MTU of the guests; the largest that fits by default.",
            option="--mtu",
        ),
        *_family("ipv4", "10.0.0.0/24"),
        *_family("ipv6", "2001:db8::/64"),
        *_DHCP,
        *_COMMON,
    ),
    "nic": (
        _flag("subnet", "SUBNET", "The subnet that it is on.", fixed=True),
        _flag("host", "HOST", 'The host where its tap is; "" lets it float.'),
        _flag("mac_address", "MAC", "Unicast MAC address; allocated by default."),
        _flag("ipv4_address", "ADDRESS", "Static IPv4 address; allocated by default."),
        _flag("ipv6_address", "ADDRESS", "Static IPv6 address; allocated by default."),
        _flag("connected", "BOOL", "Link state: false drops all its traffic."),
        _flag("port_security", "BOOL", "Drop frames whose source is not its own address; true by default."),
        _flag(
            "allow_unknown_macs",
            "BOOL",
            "Deliver frames for unknown MACs too; needs --port-security false.",
        ),
        *_COMMON,
    ),
}

EXAMPLES: dict[str, tuple[str, str]] = {
    "cluster": ("create cluster c1 --underlay-mtu 9000", "update cluster c1 --display-name 'Rack 12'"),
    "virtualswitch": ("create virtualswitch vs0 --cluster c1 --mtu 9000", "update vs vs0 --mtu 1500"),
    "host": (
        "create host h1 --cluster c1 --tunnel-address 192.168.77.11/24 --uplink vs0=eth1,eth2",
        "update host h1 --uplink vs0=eth1,eth2 --uplink vs1=eth3",
    ),
    "subnet": (
        "create subnet web --kind vlan --virtual-switch vs0 --vlan-id 10 --ipv4-cidr 10.0.0.0/24",
        "update subnet web --dns-server 192.0.2.53 --dhcp-lease 3600",
    ),
    "nic": (
        "create nic web-1 --subnet web --host h1 --wait",
        "update nic web-1 --connected false --reason quarantine",
    ),
}
