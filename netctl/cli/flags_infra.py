"""The flags of clusters, virtual switches and hosts; `flags.py` puts all kinds together."""

from __future__ import annotations

from netctl.cli.flag import COMMON, Flag, make_flag

_BOND = (
    make_flag(
        "bond_mode",
        "active-backup|balance-slb|balance-tcp|none",
        "Load balancing of the uplinks: one active interface (the default), by MAC address and VLAN, by connection"
        " (needs LACP), or a single interface without a bond.",
    ),
    make_flag("lacp_mode", "off|active", "LACP; active with balance-tcp, else off, by default."),
    make_flag(
        "lacp_timeout",
        "fast|slow",
        "How soon a silent link is left: fast after 3 s (the default), slow after 90 s.",
    ),
    make_flag(
        "lacp_fallback",
        "BOOL",
        "Carry traffic like active-backup while the physical switch does not speak LACP; true by default.",
    ),
)
_IGMP = (
    make_flag(
        "igmp_snooping.enabled",
        "BOOL",
        "Multicast only where it is asked for; false by default.",
        option="--igmp-snooping",
    ),
    make_flag(
        "igmp_snooping.timeout_s",
        "SECONDS",
        "Forget a group that nobody asked for again so long; 300 by default.",
        option="--igmp-timeout",
    ),
    make_flag(
        "igmp_snooping.querier",
        "BOOL",
        "Hosts ask who wants what; for networks without a multicast router.",
        option="--igmp-querier",
    ),
    make_flag(
        "igmp_snooping.querier_vlan_ids",
        "ID",
        "With --igmp-querier: a VLAN to ask in, 0 for untagged; repeat for more.",
        option="--igmp-querier-vlan",
        many=True,
    ),
)

INFRA_FLAGS: dict[str, tuple[Flag, ...]] = {
    "cluster": (
        make_flag(
            "mac_prefix", "PREFIX", "First three bytes of allocated MAC addresses; 50:6b:8d by default."
        ),
        make_flag(
            "underlay_mtu_bytes",
            "BYTES",
            "MTU between tunnel endpoints; 1500 by default.",
            option="--underlay-mtu",
        ),
        *COMMON,
    ),
    "virtualswitch": (
        make_flag("cluster", "CLUSTER", "The cluster whose hosts it spans.", fixed=True),
        make_flag(
            "bridge",
            "BRIDGE",
            "Uplink bridge, br0 to br99; the lowest free one by default.",
            fixed=True,
        ),
        make_flag("mtu_bytes", "BYTES", "MTU; 1500 by default.", option="--mtu"),
        *_BOND,
        *_IGMP,
        make_flag(
            "rollout",
            "rolling|quick",
            "A change comes to one host after the other (the default), or to all at once.",
        ),
        *COMMON,
    ),
    "host": (
        make_flag("cluster", "CLUSTER", "The cluster that it belongs to.", fixed=True),
        make_flag(
            "tunnel_address", "ADDRESS/LENGTH", "Address of its tunnel endpoint, e.g. 192.168.77.11/24."
        ),
        make_flag(
            "tunnel_virtual_switch",
            "SWITCH",
            "Virtual switch of the tunnels; the first uplink's by default.",
        ),
        make_flag(
            "uplinks",
            "SWITCH=IF[,IF]",
            "Interfaces that connect a virtual switch, e.g. vs0=eth1,eth2; the first carries the traffic of"
            " active-backup, or the one named: 'vs0=eth1,eth2 active eth2'. 'address 192.0.2.5/24' after it: addresses"
            " of the host on the bridge. Repeat for more.",
            option="--uplink",
            many=True,
        ),
        make_flag(
            "internal_ports",
            "NAME=SWITCH[/VLAN]",
            "An interface of the host on a virtual switch, e.g. 'storage0=vs0/20 address 192.0.2.5/24 mtu 9000';"
            " repeat for more.",
            option="--internal-port",
            many=True,
        ),
        make_flag(
            "internal_bridge",
            "NAME|off",
            "A Linux bridge without uplinks for the host's own machines, e.g. 'virbr0 address 192.168.5.1/24 port"
            " vnet0,vnet1'.",
        ),
        make_flag(
            "categories",
            "CATEGORY",
            "What affinity policies know it by; repeat for more.",
            option="--category",
            many=True,
        ),
        make_flag(
            "maintenance", "BOOL", "true: its virtual machines migrate away, and none is started here."
        ),
        *COMMON,
    ),
}

INFRA_ABOUT: dict[str, str] = {
    "cluster": "A set of hosts that share virtual switches and one tunnel underlay.",
    "virtualswitch": "A switch over the hosts of a cluster, on each an uplink bridge and a bond. A change that cuts a"
    " host off is undone by the host itself.",
    "host": "A machine with its tunnel endpoint and the interfaces that connect its virtual switches.",
}
INFRA_EXAMPLES: dict[str, tuple[str, str]] = {
    "cluster": ("create cluster c1 --underlay-mtu 9000", "update cluster c1 --display-name 'Rack 12'"),
    "virtualswitch": (
        "create virtualswitch vs0 --cluster c1 --mtu 9000",
        "update vs vs0 --bond-mode balance-tcp --lacp-timeout fast --wait",
    ),
    "host": (
        "create host h1 --cluster c1 --tunnel-address 192.168.77.11/24 --uplink vs0=eth1,eth2",
        "update host h1 --uplink 'vs0=eth1,eth2 active eth2' --uplink vs1=eth3",
    ),
}
