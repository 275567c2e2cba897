"""The commands of `netctl acli` about networks: names, options and help. Who does them: `handlers.py`."""

from __future__ import annotations

from netctl.cli.acli.commands_compute import COMPUTE_COMMANDS
from netctl.cli.acli.grammar import Command, Option, boolean, number, numbers, said

BOND_TYPES = ("kActiveBackup", "kBalanceSlb", "kBalanceTcp", "kNone")
VLAN_MODES = ("kAccess", "kTrunked")
NIC_TYPES = ("kNormalNic", "kDirectNic", "kNetworkFunctionNic", "kSpanDestinationNic")
FUNCTION_SIDES = ("kIngress", "kEgress", "kTap")
ACTIONS = ("show_uplinks", "show_interfaces", "show_bridges", "update_uplinks")

_NETWORK = Option(
    name="name", metavar="NETWORK", help="The network.", check=said, refers="network", required=True
)
_NETWORKS = Option(
    name="name",
    metavar="NETWORK",
    help="A network, or several: a,b.",
    check=said,
    refers="network",
    required=True,
)
_VM = Option(name="name", metavar="VM", help="The virtual machine.", check=said, refers="vm", required=True)
_VMS = Option(
    name="name",
    metavar="VM",
    help="A virtual machine, or several: a,b or vm-[01..20].",
    check=said,
    refers="vm",
    required=True,
)
_MAC = Option(
    name="mac",
    metavar="MAC",
    help="MAC address of the NIC.",
    check=said,
    refers="mac",
    required=True,
    aliases=("mac_addr", "mac_address"),
)
_SWITCH = Option(
    name="name",
    metavar="VSWITCH",
    help="The virtual switch: vs0.",
    check=said,
    refers="vswitch",
    required=True,
)
_ANNOTATION = Option(name="annotation", metavar="TEXT", help="Free text; quote it when it has blanks.")
_MTU = Option(name="mtu", metavar="BYTES", help="MTU in bytes.", check=number)

# What vm.nic_create and vm.nic_update have in common.
_NIC = (
    Option(name="network", metavar="NETWORK", help="The network.", check=said, refers="network"),
    Option(
        name="ip",
        metavar="ADDRESS",
        check=said,
        help="This address, instead of the next free one.",
        aliases=("ip_address",),
    ),
    Option(name="vlan_mode", metavar="MODE", help="Untagged, or with tags as well.", choices=VLAN_MODES),
    Option(
        name="trunked_networks",
        metavar="VLAN,...",
        help="Tags that the guest may use; none said: all of them.",
        check=numbers,
    ),
    Option(name="connected", metavar="BOOL", help="Link state.", check=boolean),
    Option(
        name="model", metavar="MODEL", help="The device that the guest sees.", choices=("virtio", "e1000")
    ),
    Option(name="queues", metavar="N", help="Queue pairs.", check=number, aliases=("num_queues",)),
    Option(name="host", metavar="HOST", help="netctl's own: where the tap is.", refers="host"),
)
_NET_COMMANDS = (
    Command(
        name="net.create",
        about="Make a VLAN network: a VLAN_BASIC subnet of the virtual switch.",
        positionals=(Option(name="name", metavar="NETWORK", help="Its name.", check=said, required=True),),
        options=(
            Option(name="vlan", metavar="ID", help="VLAN, 0 is untagged.", check=number, required=True),
            Option(
                name="ip_config",
                metavar="GATEWAY/PREFIX",
                help="Gateway and prefix length; without: no IPAM.",
            ),
            Option(
                name="dhcp_address", metavar="ADDRESS", help="Of the DHCP server; the last one otherwise."
            ),
            Option(
                name="vswitch_name",
                metavar="VSWITCH",
                help="The only one, or vs0, otherwise.",
                refers="vswitch",
            ),
            _ANNOTATION,
            _MTU,
        ),
        example="net.create vlan.27 vlan=27 ip_config=10.1.1.1/24",
    ),
    Command(name="net.list", about="List networks of all kinds.", example="net.list"),
    Command(name="net.get", about="Show networks.", positionals=(_NETWORKS,), example="net.get vlan.27"),
    Command(
        name="net.delete", about="Delete networks.", positionals=(_NETWORKS,), example="net.delete vlan.27"
    ),
    Command(
        name="net.list_vms",
        about="List the virtual machines of a network.",
        positionals=(_NETWORK,),
        example="net.list_vms vlan.27",
    ),
    Command(
        name="net.add_dhcp_pool",
        about="Add a range to allocate addresses from.",
        positionals=(_NETWORK,),
        options=(
            Option(name="start", metavar="ADDRESS", help="First address.", check=said, required=True),
            Option(name="end", metavar="ADDRESS", help="Last address.", check=said, required=True),
        ),
        example="net.add_dhcp_pool vlan.27 start=10.1.1.50 end=10.1.1.99",
    ),
    Command(
        name="net.delete_dhcp_pool",
        about="Remove a range; without any, the whole network is one.",
        positionals=(_NETWORK,),
        options=(
            Option(name="start", metavar="ADDRESS", help="Its first address.", check=said, required=True),
        ),
        example="net.delete_dhcp_pool vlan.27 start=10.1.1.50",
    ),
    Command(
        name="net.update_dhcp_dns",
        about="Set what DHCP tells of DNS.",
        positionals=(_NETWORK,),
        options=(
            Option(name="servers", metavar="ADDRESS,...", help="Name servers; empty: none."),
            Option(name="domains", metavar="DOMAIN,...", help="Search domains; empty: none."),
        ),
        example="net.update_dhcp_dns vlan.27 servers=10.1.1.2,10.1.1.3 domains=example.net",
    ),
)
_SWITCH_COMMANDS = (
    Command(
        name="net.list_virtual_switch", about="List virtual switches.", example="net.list_virtual_switch"
    ),
    Command(
        name="net.get_virtual_switch",
        about="Show a virtual switch.",
        positionals=(_SWITCH,),
        example="net.get_virtual_switch name=vs0",
    ),
    Command(
        name="net.update_virtual_switch",
        about="Change bond, LACP, MTU and uplinks: one host after the other unless quick_mode=true.",
        positionals=(_SWITCH,),
        options=(
            Option(
                name="bond_type", metavar="TYPE", help="Load balancing of the uplinks.", choices=BOND_TYPES
            ),
            Option(name="lacp_fallback", metavar="BOOL", help="Go on without a LACP partner.", check=boolean),
            Option(
                name="lacp_timeout", metavar="RATE", help="How often to speak.", choices=("kFast", "kSlow")
            ),
            Option(
                name="host_uplink_config",
                metavar="UPLINKS",
                help="`select all 10g`, `select HOST eth2,eth3` or `HOST:eth2,eth3;HOST:eth2`.",
                check=said,
                spoken=True,
            ),
            Option(name="quick_mode", metavar="BOOL", help="All hosts at once.", check=boolean),
            _MTU,
            Option(
                name="enable_igmp_snooping", metavar="BOOL", help="Multicast where asked for.", check=boolean
            ),
            Option(
                name="igmp_snooping_timeout", metavar="S", help="Until a group is forgotten.", check=number
            ),
            Option(
                name="enable_igmp_querier", metavar="BOOL", help="Hosts ask who wants what.", check=boolean
            ),
            Option(name="igmp_query_vlan_list", metavar="VLAN,...", help="Where they ask.", check=numbers),
            _ANNOTATION,
        ),
        example="net.update_virtual_switch vs0 bond_type=kBalanceTcp lacp_fallback=true lacp_timeout=kFast "
        "host_uplink_config select all 10g quick_mode=true",
    ),
)
_NIC_COMMANDS = (
    Command(
        name="vm.nic_create",
        about="Add a NIC to virtual machines.",
        positionals=(_VMS,),
        options=(
            *_NIC,
            Option(name="mac", metavar="MAC", help="MAC address; chosen otherwise.", aliases=("mac_addr",)),
            Option(
                name="request_ip",
                metavar="BOOL",
                help="true, as always where the network has addresses.",
                check=boolean,
            ),
            Option(name="type", metavar="TYPE", help="What it is for.", choices=NIC_TYPES),
            Option(
                name="network_function_nic_type",
                metavar="SIDE",
                help="With kNetworkFunctionNic: towards guests, towards the network, or copies.",
                choices=FUNCTION_SIDES,
            ),
        ),
        example="vm.nic_create fooVM vlan_mode=kTrunked trunked_networks=10,20,30 network=vlan.10",
    ),
    Command(
        name="vm.nic_update",
        about="Change a NIC; another network or mode makes it anew with its MAC address.",
        positionals=(_VM, _MAC),
        options=(
            *_NIC,
            Option(
                name="update_vlan_trunk_info",
                metavar="BOOL",
                help="Must be true to change vlan_mode or trunked_networks.",
                check=boolean,
            ),
        ),
        example="vm.nic_update fooVM 50:6b:8d:00:00:01 vlan_mode=kAccess update_vlan_trunk_info=true",
    ),
    Command(
        name="vm.nic_delete",
        about="Remove a NIC.",
        positionals=(_VM, _MAC),
        example="vm.nic_delete fooVM 50:6b:8d:00:00:01",
    ),
    Command(name="vm.nic_list", about="List NICs.", positionals=(_VMS,), example="vm.nic_list fooVM"),
    Command(
        name="vm.nic_get",
        about="Show a NIC.",
        positionals=(_VM, _MAC),
        example="vm.nic_get fooVM 50:6b:8d:00:00:01",
    ),
    Command(name="vm.list", about="List virtual machines, as far as they have NICs.", example="vm.list"),
    Command(
        name="vm.get", about="Show a virtual machine's NICs.", positionals=(_VMS,), example="vm.get fooVM"
    ),
)
_HOST = Option(name="name", metavar="HOST", help="Name or address.", check=said, refers="host", required=True)
_HOST_COMMANDS = (
    Command(name="host.list", about="List hosts.", example="host.list"),
    Command(name="host.get", about="Show a host.", positionals=(_HOST,), example="host.get 192.0.2.11"),
)
MANAGE_OVS = Command(
    name="manage_ovs",
    about="show_uplinks, show_interfaces, show_bridges; update_uplinks sets uplinks of hosts.",
    positionals=(
        Option(name="action", metavar="|".join(ACTIONS), help="What to do.", choices=ACTIONS, required=True),
    ),
    options=(
        Option(name="bridge_name", metavar="BRIDGE", help="br0, ...; all of them otherwise."),
        Option(name="bond_name", metavar="BOND", help="Always BRIDGE-up."),
        Option(name="interfaces", metavar="IFS", help="eth2,eth3, or by speed: 10g, 1g, all."),
        Option(
            name="bond_mode",
            metavar="MODE",
            help="Of the whole virtual switch.",
            choices=("active-backup", "balance-slb", "balance-tcp"),
        ),
        Option(
            name="lacp_mode", metavar="MODE", help="Of the whole virtual switch.", choices=("fast", "slow")
        ),
        Option(name="lacp_fallback", metavar="BOOL", help="Of the whole virtual switch.", check=boolean),
        Option(name="require_link", metavar="BOOL", help="By speed: only those with a link.", check=boolean),
        Option(name="host", metavar="HOST", help="netctl's own: one host, or all.", refers="host"),
    ),
    example="manage_ovs --bridge_name br0 show_uplinks",
    dashes=True,
)
COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        *_NET_COMMANDS,
        *_SWITCH_COMMANDS,
        *_NIC_COMMANDS,
        *_HOST_COMMANDS,
        *COMPUTE_COMMANDS,
        MANAGE_OVS,
    )
}
