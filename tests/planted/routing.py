"""Bugs of routing and NAT in the compiler, each seen where the packets go: by the oracle against ovn-trace."""

from __future__ import annotations

from tests.planted.bug import Bug

SHOWCASE = "tests/functional/oracle/test_fate.py::test_every_packet_of_the_showcase_meets_its_fate"

BUGS = (
    Bug(
        "guests behind NAT keep their own address",
        "netctl/compiler/router_port.py",
        "        for config in configs_of(subnet):\n            yield from snat",
        "        for config in ():\n            yield from snat",
        SHOWCASE,
    ),
    Bug(
        "the hub does not translate its spokes",
        "netctl/compiler/spoke.py",
        "for further in nat_exits_of(snapshot, transit):",
        "for further in ():",
        SHOWCASE,
    ),
    Bug(
        "all subnets of a spoke are routed to it",
        "netctl/compiler/spoke.py",
        "for prefix in exit.vpc.externally_routable_prefixes:",
        "for prefix in [s.ipv4.cidr for s in snapshot.subnets_of_vpc(exit.vpc.id) if s.ipv4]:",
        SHOWCASE,
    ),
    Bug(
        "a user's policy opens the NAT",
        "netctl/compiler/priority.py",
        "POLICY_GUARD: Final = 30_000",
        "POLICY_GUARD: Final = 1",
        SHOWCASE,
    ),
    Bug(
        "a floating IPv6 address stands for the IPv4 one",
        "netctl/compiler/floating_ip.py",
        'nic.ipv6_address if ":" in floating.address else nic.ipv4_address',
        "nic.ipv4_address",
        SHOWCASE,
    ),
    Bug(
        "of several next hops one is used",
        "netctl/compiler/route.py",
        "for hop in found if hop is not None}.values())",
        "for hop in found if hop is not None}.values())[:1]",
        SHOWCASE,
    ),
    Bug(
        "the lowest route wins",
        "netctl/compiler/route.py",
        "(-route.priority, route.id)",
        "(route.priority, route.id)",
        SHOWCASE,
    ),
    Bug(
        "dead next hops and services are used",
        "netctl/compiler/observed.py",
        "return (vpc, address) in self.dead or (",
        "return (",
        SHOWCASE,
    ),
    Bug(
        "a policy's source is matched as the destination",
        "netctl/compiler/routing_policy.py",
        "ip{version}.src == {way.source.cidr}",
        "ip{version}.dst == {way.source.cidr}",
        SHOWCASE,
    ),
    Bug(
        "a range of ports ends one early",
        "netctl/compiler/routing_policy.py",
        "<= {item.last})",
        "< {item.last})",
        SHOWCASE,
    ),
    Bug(
        "what comes back from a service is sent there again",
        "netctl/compiler/routing_policy.py",
        "    elif policy.service_ips:\n",
        "    elif False:\n",
        SHOWCASE,
    ),
    Bug(
        "the way back goes to the first leg",
        "netctl/compiler/routing_policy.py",
        "policy.service_ips[-1]",
        "policy.service_ips[0]",
        SHOWCASE,
    ),
    Bug(
        "to the outside is from the outside",
        "netctl/compiler/routing_policy.py",
        '_any_of("outport", ports.external)',
        '_any_of("inport", ports.external)',
        SHOWCASE,
    ),
    Bug(
        "a service that does not work drops nothing",
        "netctl/compiler/routing_policy.py",
        'Fallback.DROP: "drop"',
        'Fallback.DROP: "allow"',
        SHOWCASE,
    ),
)
