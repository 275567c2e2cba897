"""The flags of categories, groups and security policies; `flags.py` puts all kinds together."""

from __future__ import annotations

from netctl.cli.flag import COMMON, Flag, make_flag

SECURITY_FLAGS: dict[str, tuple[Flag, ...]] = {
    "category": (
        make_flag("key", "TEXT", "What it tells apart, e.g. tier.", fixed=True),
        make_flag("value", "TEXT", "E.g. web. Key and value together are unique.", fixed=True),
        *COMMON,
    ),
    "addressgroup": (
        make_flag(
            "addresses",
            "ADDRESS|CIDR|START-END",
            "IPv4 or IPv6 addresses, networks and ranges; repeat for more.",
            option="--address",
            many=True,
        ),
        make_flag(
            "except_addresses",
            "ADDRESS|CIDR|START-END",
            "Taken out of them; repeat for more.",
            option="--except-address",
            many=True,
        ),
        *COMMON,
    ),
    "servicegroup": (
        make_flag(
            "services",
            "SERVICE",
            "tcp/443, udp/53-60, tcp/80,8080, tcp (all ports), icmp/8 (a type), icmp/3/4 (and code), icmpv6, 47 (a"
            " protocol's number); repeat for more.",
            option="--service",
            many=True,
        ),
        *COMMON,
    ),
    "entitygroup": (
        make_flag(
            "include",
            "NAME[,NAME...]",
            "NICs that are in all of these: cat/ID, eg/ID, subnet/ID, vpc/ID or nic/ID. Repeat for NICs of any.",
            many=True,
        ),
        make_flag(
            "except", "NAME[,NAME...]", "But for NICs that are in all of these; repeat for more.", many=True
        ),
        *COMMON,
    ),
    "securitypolicy": (
        make_flag(
            "kind",
            "quarantine|shared-service|isolation|application|vdi",
            "What it is for; of these, in this order, the first with a rule that matches decides.",
            fixed=True,
        ),
        make_flag(
            "mode",
            "save|monitor|enforce",
            "save: only kept. monitor: nothing is dropped, what would be is counted and logged. enforce.",
        ),
        make_flag(
            "scope",
            "all-vlan|all-vpc|vpc-list",
            "Where it holds: the subnets outside VPCs, all VPCs, or --vpc.",
        ),
        make_flag("vpcs", "VPC", "With --scope vpc-list: a VPC; repeat for more.", option="--vpc", many=True),
        make_flag("priority", "N", "0 to 1000: of two policies of a kind the higher comes first."),
        make_flag(
            "secured",
            "NAME",
            "Whom it is about: cat/ID or eg/ID; repeat for more. isolation: two or more that are kept apart.",
            many=True,
        ),
        make_flag(
            "intra_group",
            "rules|allow|deny",
            "application, vdi: traffic between members of one of --secured that no rule decides; like any other by"
            " default.",
        ),
        make_flag(
            "rules",
            "RULE",
            "'NAME allow|deny|reject from|to|with PEER,... [SERVICE ...] [at SECURED] [priority N] [ipv4|ipv6] [log]"
            " [stateless] [until TIME] [through CHAIN] [disabled]'; peers are cat/ID, eg/ID, ag/ID or any, services as"
            " of servicegroup, or sg/ID. `from`: connections to the secured, `to`: by them, `with`: both. Repeat for"
            " more, the first first.",
            option="--rule",
            many=True,
        ),
        make_flag("log", "BOOL", "Log what no rule allowed; monitor does always."),
        make_flag("log_rate", "N", "Log lines a second and host; 100 by default."),
        make_flag(
            "established",
            "reevaluate|persist",
            "Open connections when rules change: judged anew (the default), or kept (needs OVN 25.03).",
        ),
        *COMMON,
    ),
}

SECURITY_ABOUT: dict[str, str] = {
    "category": "A key and a value that NICs, subnets and VPCs have, and that security policies are about.",
    "addressgroup": "Addresses by name, for peers of security policies that are no NICs of ours.",
    "servicegroup": "Protocols and ports by name, for security policies.",
    "entitygroup": "NICs by what they have in common: categories, subnets, VPCs, other groups; with exceptions.",
    "securitypolicy": "Who may talk to whom. Answers to what is allowed are, too; of ARP and DHCP it says nothing.",
}
SECURITY_EXAMPLES: dict[str, tuple[str, str]] = {
    "category": (
        "create category web --key tier --value web",
        "update category web --display-name 'Web servers'",
    ),
    "addressgroup": (
        "create addressgroup offices --address 10.0.0.0/8 --except-address 10.9.0.0/16",
        "update ag offices --address 10.0.0.0/8,2001:db8::/32",
    ),
    "servicegroup": (
        "create servicegroup web --service tcp/80,443 --service udp/443 --service icmp/8",
        "update sg web --service tcp/443",
    ),
    "entitygroup": (
        "create entitygroup shop --include cat/web --include cat/db,vpc/blue --except nic/w1",
        "update eg shop --except ''",
    ),
    "securitypolicy": (
        "create securitypolicy shop --kind application --mode monitor --scope all-vlan --secured cat/web"
        " --rule 'web-in allow from cat/clients tcp/443' --rule 'dns allow to ag/resolvers udp/53'",
        "update sp shop --mode enforce",
    ),
}
