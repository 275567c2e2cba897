"""The flags of network functions, service chains and traffic mirrors; `flags.py` puts all kinds together."""

from __future__ import annotations

from netctl.cli.flag import COMMON, Flag, make_flag

_PROBES = (
    make_flag(
        "health_check.disabled",
        "BOOL",
        "inline: true sends no probes, only carrier is looked at.",
    ),
    make_flag(
        "health_check.interval_ms",
        "MS",
        "inline: between two probes; 250 by default.",
        option="--probe-interval",
    ),
    make_flag(
        "health_check.timeout_ms",
        "MS",
        "inline: until a probe is lost; 200 by default.",
        option="--probe-timeout",
    ),
    make_flag(
        "health_check.success_threshold",
        "N",
        "inline: probes in a row after which it works again; 3 by default.",
        option="--success-threshold",
    ),
    make_flag(
        "health_check.failure_threshold",
        "N",
        "inline: lost probes in a row after which it does not; 2 by default.",
        option="--failure-threshold",
    ),
)

CHAIN_FLAGS: dict[str, tuple[Flag, ...]] = {
    "networkfunction": (
        make_flag("mode", "inline|tap", "inline: packets go through it. tap: it gets copies.", fixed=True),
        make_flag(
            "failure_handling",
            "fail-open|fail-close",
            "inline: packets go on without it while it works nowhere on their host, or are dropped.",
        ),
        make_flag(
            "nic_pairs",
            "INGRESS[,EGRESS]",
            "NICs of one of its machines, of sides ingress and egress (one of side tap with --mode tap);"
            " 'fw1-in,fw1-out disabled' is under maintenance. Repeat for more: on a host the first that works is used.",
            option="--pair",
            many=True,
        ),
        *_PROBES,
        *COMMON,
    ),
    "servicechain": (
        make_flag(
            "network_functions",
            "FUNCTION",
            "What packets from guests meet, in this order; repeat for more.",
            option="--function",
            many=True,
        ),
        *COMMON,
    ),
    "trafficmirror": (
        make_flag("host", "HOST", "Where packets are copied.", fixed=True),
        make_flag(
            "sources",
            "nic/NIC|vs/SWITCH",
            "Whose packets, 1 to 4: of a NIC, or of the host's uplink; 'nic/web-1 ingress' are those it gets, egress"
            " those it sends. Repeat for more.",
            option="--source",
            many=True,
        ),
        make_flag(
            "destinations",
            "NIC",
            "A NIC of kind span-destination that gets the copies, 1 or 2; repeat for more.",
            option="--destination",
            many=True,
        ),
        make_flag("disabled", "BOOL", "true: nothing is copied."),
        *COMMON,
    ),
}

CHAIN_ABOUT: dict[str, str] = {
    "networkfunction": "An appliance that packets go through, or that gets copies: NICs of kind network-function.",
    "servicechain": "Network functions in order; subnets, routing policies and rules of security policies name it.",
    "trafficmirror": "Copies of packets on one host (SPAN).",
}
CHAIN_EXAMPLES: dict[str, tuple[str, str]] = {
    "networkfunction": (
        "create networkfunction firewall --mode inline --failure-handling fail-close --pair fw1-in,fw1-out",
        "update nf firewall --pair fw1-in,fw1-out --pair fw2-in,fw2-out",
    ),
    "servicechain": (
        "create servicechain inspect --function firewall --function ids",
        "update sc inspect --function firewall",
    ),
    "trafficmirror": (
        "create trafficmirror web --host h1 --source nic/web-1 --destination span-1",
        "update mirror web --disabled true",
    ),
}
