"""The flags of the kinds of VPCs; `flags.py` puts all kinds together."""

from __future__ import annotations

from netctl.cli.flag import COMMON, Flag, make_flag

VPC_FLAGS: dict[str, tuple[Flag, ...]] = {
    "vpc": (
        make_flag(
            "kind",
            "regular|transit",
            "regular: a tenant's network, the default. transit: a hub that other VPCs connect to.",
            fixed=True,
        ),
        make_flag(
            "dns_servers",
            "ADDRESS",
            "A DNS server for guests of subnets without their own; repeat for more.",
            option="--dns-server",
            many=True,
        ),
        make_flag(
            "external_connections",
            "SUBNET[=HOST,...]",
            "An external subnet to connect to, and the gateway hosts, the most preferred first; the controller chooses"
            " them by default. Repeat for more; a file can also say the router's addresses.",
            option="--external-connection",
            many=True,
        ),
        make_flag(
            "externally_routable_prefixes",
            "CIDR",
            "A network inside that the outside routes to this VPC without NAT; repeat for more.",
            option="--routable-prefix",
            many=True,
        ),
        make_flag(
            "categories",
            "CATEGORY",
            "A category of all NICs in it; repeat for more.",
            option="--category",
            many=True,
        ),
        *COMMON,
    ),
    "floatingip": (
        make_flag("external_subnet", "SUBNET", "The external subnet with NAT that it is of.", fixed=True),
        make_flag("address", "ADDRESS", "The public address; allocated by default.", fixed=True),
        make_flag("nic", "NIC", 'The NIC that it leads to; "" associates it with nothing.'),
        make_flag("vpc", "VPC", "With --private-address, instead of --nic: the VPC."),
        make_flag("private_address", "ADDRESS", "An address in a subnet of --vpc that it leads to."),
        *COMMON,
    ),
    "route": (
        make_flag("vpc", "VPC", "The VPC whose router has it.", fixed=True),
        make_flag("destination", "CIDR", "Where packets go to, e.g. 0.0.0.0/0 for everywhere.", fixed=True),
        make_flag(
            "next_hops",
            "ADDRESS|SUBNET",
            "A router's address, or an external subnet for its gateway; repeat to share the traffic (ECMP).",
            option="--next-hop",
            many=True,
        ),
        make_flag(
            "priority",
            "N",
            "Of the routes to one destination the highest that works is used, 1 to 1000; 100 by default.",
        ),
        make_flag(
            "bfd",
            "on|MSxN|off",
            "Watch external next hops by BFD and leave out the dead: on (1000x3), or milliseconds and multiplier.",
        ),
        *COMMON,
    ),
    "routingpolicy": (
        make_flag("vpc", "VPC", "The VPC whose router has it.", fixed=True),
        make_flag("priority", "N", "10 to 1000, the highest that matches decides; each once in a VPC."),
        make_flag(
            "source",
            "any|external|CIDR",
            "Where packets come from; external: from beyond the VPC. Any by default.",
        ),
        make_flag("destination", "any|external|CIDR", "Where they go to. Any by default."),
        make_flag("protocol", "any|icmp|tcp|udp|number", "The protocol. Any by default."),
        make_flag("protocol_number", "N", "With --protocol number: 0 to 255."),
        make_flag(
            "source_ports",
            "PORT[-PORT]",
            "With tcp and udp: source ports; repeat for more. All by default.",
            option="--source-port",
            many=True,
        ),
        make_flag(
            "destination_ports",
            "PORT[-PORT]",
            "With tcp and udp: destination ports; repeat for more. All by default.",
            option="--destination-port",
            many=True,
        ),
        make_flag("action", "permit|deny|reroute", "What happens to packets that match."),
        make_flag(
            "service_ips",
            "ADDRESS",
            "reroute: a NIC's address in the VPC, its port security off; a second one for the way back.",
            option="--service-ip",
            many=True,
        ),
        make_flag(
            "fallback",
            "passthrough|allow|drop",
            "reroute, while the service does not work: try the next policies (the default), route, or drop.",
        ),
        make_flag("bidirectional", "BOOL", "Match the way back too: source and destination exchanged."),
        make_flag(
            "service_chain", "CHAIN", 'permit: what it permits passes it, both ways; "" takes it away.'
        ),
        *COMMON,
    ),
    "addressreservation": (
        make_flag("subnet", "SUBNET", "The subnet whose addresses are kept.", fixed=True),
        make_flag("ip_version", "4|6", "IP version; 4 by default.", fixed=True),
        make_flag("count", "N", "So many free addresses, chosen by the controller.", fixed=True),
        make_flag(
            "ranges",
            "START-END",
            "Or these addresses; repeat for more.",
            option="--range",
            fixed=True,
            many=True,
        ),
        make_flag("client_context", "TEXT", "Free text: for whom."),
        *COMMON,
    ),
}

VPC_EXAMPLES: dict[str, tuple[str, str]] = {
    "vpc": (
        "create vpc blue --external-connection internet --dns-server 192.0.2.53",
        "update vpc blue --external-connection internet=h1,h2",
    ),
    "floatingip": (
        "create floatingip web --external-subnet internet --nic web-1",
        "update fip web --nic web-2 --reason failover",
    ),
    "route": (
        "create route default --vpc blue --destination 0.0.0.0/0 --next-hop internet",
        "update route default --next-hop 203.0.113.1 --bfd 300x3",
    ),
    "routingpolicy": (
        "create routingpolicy no-db --vpc blue --priority 100 --source external --destination 10.0.2.0/24"
        " --action deny",
        "update rp no-db --action reroute --service-ip 10.0.9.10 --fallback drop",
    ),
    "addressreservation": (
        "create addressreservation printers --subnet web --count 5 --client-context 'the printers'",
        "update ar printers --client-context 'the new printers'",
    ),
}
