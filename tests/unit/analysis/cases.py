"""Packets in the world of `tests/explained.py`, and what becomes of them.

`recorded/` has what ovn-trace of OVN 23.03.1 said of each, without its rulers and uuids; the same cases run against a
real northd in `tests/functional/northd/test_explain.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from netctl.analysis.probe import Probe
from netctl.model.routing_policy import PolicyAction, PortRange, Protocol
from tests.explained import inner, nic, policy, snapshot_of
from tests.intents import uid_of, vlan

SNAPSHOT = snapshot_of(
    replace(nic("w3", "web", "10.0.1.13", "h1"), connected=False),
    nic("n4", "db", "10.0.2.77", ""),
    inner("sweb6", "spoke", 8, cidr="10.9.1.0/24", six="fd00:9::/64"),
    policy(
        "let-http",
        100,
        PolicyAction.PERMIT,
        protocol=Protocol.TCP,
        destination_ports=(PortRange(first=8080, last=8080),),
    ),
    inner("apart", "spoke", 7, cidr="10.0.1.0/24"),
    replace(nic("twin", "apart", "10.0.1.12", "h1"), mac_address="50:6b:8d:00:07:0c"),
    vlan("v10"),
    nic("l1", "v10", "10.0.10.5", "h1"),
    nic("l2", "v10", "10.0.10.6", "h2"),
    nic("w6", "sweb6", "10.9.1.11", "h1", six="fd00:9::11"),
)
# (VPC, external subnet, address, MAC address): what OVN has learned where a case has `neighbours`.
NEIGHBOURS = (
    ("blue", "ext", "203.0.113.1", "52:54:00:00:00:01"),
    ("blue", "ext", "2001:db8:f::1", "52:54:00:00:00:01"),
    ("blue", "corp", "172.16.0.9", "52:54:00:00:00:09"),
    ("hub", "ext", "203.0.113.1", "52:54:00:00:00:01"),
    ("hub", "ext", "203.0.113.77", "50:6b:8d:03:00:01"),
    ("spoke", "hubext", "198.51.100.1", "50:6b:8d:01:00:50"),
)
HOLDERS = {
    f"cr-lrp-{uid_of('blue')}-{uid_of('ext')}": "h1",
    f"cr-lrp-{uid_of('blue')}-{uid_of('corp')}": "h2",
    f"cr-lrp-{uid_of('hub')}-{uid_of('ext')}": "h1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One packet: `steps` are (kind, host, resource), `text` occurs in the reason."""

    nic: str
    probe: Probe
    neighbours: bool
    verdict: str
    text: str
    steps: tuple[str, ...]
    holders: Mapping[str, str] = field(default_factory=lambda: HOLDERS)


def to(destination: str, port: int = 0, protocol: str = "") -> Probe:
    """Return a packet to an address, as a request asks for it."""
    protocol = protocol or ("tcp" if port else "icmp")
    return Probe(
        inport="",
        mac="",
        next_mac="",
        source="",
        destination=destination,
        protocol=protocol,
        source_port=40_000 if port else 0,
        destination_port=port,
    )


OUT = ("nic h1 w1", "subnet h1 web", "route h1 default", "gateway h1 blue", "nat h1 ext", "uplink h1 ext")
TO_FIP = (
    *("nic h1 s1", "subnet h1 sweb", "route h1 spoke-default", "subnet h1 hubext", "route h1 ext"),
    *("gateway h1 hub", "nat h1 ext", "subnet h1 ext", "uplink h1 ext", "nat h2 fip", "route h2 web"),
    *("subnet h2 web", "nic h2 w2"),
)
CASES = {
    "neighbour": Case(
        nic="w1",
        probe=to("10.0.1.12"),
        neighbours=False,
        verdict="delivered",
        text="reaches nics/w2 on hosts/h2",
        steps=("nic h1 w1", "subnet h1 web", "tunnel h1 -", "nic h2 w2"),
    ),
    "denied": Case(
        nic="w1",
        probe=to("10.0.2.11", 22),
        neighbours=False,
        verdict="dropped",
        text="routingPolicies/deny-ssh denies it",
        steps=("nic h1 w1", "subnet h1 web", "route h1 db", "drop h1 deny-ssh"),
    ),
    "permitted": Case(
        nic="w1",
        probe=to("10.0.2.11", 8080),
        neighbours=False,
        verdict="delivered",
        text="reaches nics/d1 on hosts/h2",
        steps=(
            *("nic h1 w1", "subnet h1 web", "route h1 db", "policy h1 let-http"),
            *("subnet h1 db", "tunnel h1 -", "nic h2 d1"),
        ),
    ),
    "lan": Case(
        nic="l1",
        probe=to("10.0.10.6"),
        neighbours=False,
        verdict="delivered",
        text="reaches nics/l2 on hosts/h2",
        steps=("nic h1 l1", "subnet h1 v10", "uplink h1 v10", "nic h2 l2"),
    ),
    "lan-out": Case(
        nic="l2",
        probe=to("8.8.8.8"),
        neighbours=False,
        verdict="sent out",
        text="leaves hosts/h2 by subnets/v10",
        steps=("nic h2 l2", "uplink h2 v10"),
    ),
    "lan-stranger": Case(
        nic="l1",
        probe=to("10.0.10.99"),
        neighbours=False,
        verdict="sent out",
        text="leaves hosts/h1 by subnets/v10",
        steps=("nic h1 l1", "uplink h1 v10"),
    ),
    "routed": Case(
        nic="w1",
        probe=to("10.0.2.11", 80),
        neighbours=False,
        verdict="delivered",
        text="reaches nics/d1 on hosts/h2",
        steps=("nic h1 w1", "subnet h1 web", "route h1 db", "subnet h1 db", "tunnel h1 -", "nic h2 d1"),
    ),
    "out-unasked": Case(
        nic="w1",
        probe=to("8.8.8.8", 443),
        neighbours=False,
        verdict="sent out",
        text="leaves hosts/h1 by subnets/ext",
        steps=OUT,
    ),
    "out": Case(
        nic="w1",
        probe=to("8.8.8.8", 443),
        neighbours=True,
        verdict="sent out",
        text="leaves hosts/h1 by subnets/ext",
        steps=OUT,
    ),
    "out6": Case(
        nic="w1",
        probe=to("2600::1"),
        neighbours=True,
        verdict="sent out",
        text="leaves hosts/h1 by subnets/ext",
        steps=tuple(step.replace("default", "default6") for step in OUT),
    ),
    "floating": Case(
        nic="w2",
        probe=to("8.8.8.8"),
        neighbours=True,
        verdict="sent out",
        text="leaves hosts/h2 by subnets/ext",
        steps=("nic h2 w2", "subnet h2 web", "route h2 default", "nat h2 fip", "uplink h2 ext"),
    ),
    "office": Case(
        nic="w1",
        probe=to("172.20.1.1"),
        neighbours=True,
        verdict="sent out",
        text="leaves hosts/h2 by subnets/corp",
        steps=(
            "nic h1 w1",
            "subnet h1 web",
            "route h1 office",
            "tunnel h1 -",
            "gateway h2 blue",
            "uplink h2 corp",
        ),
    ),
    "rerouted": Case(
        nic="w1",
        probe=to("8.8.8.8", 53, "udp"),
        neighbours=True,
        verdict="delivered",
        text="reaches nics/fw on hosts/h1, where routingPolicies/through-fw sends it",
        steps=(
            *("nic h1 w1", "subnet h1 web", "route h1 default", "policy h1 through-fw"),
            *("subnet h1 db", "nic h1 fw"),
        ),
    ),
    "to-floating-unasked": Case(
        nic="s1",
        probe=to("203.0.113.77"),
        neighbours=False,
        verdict="delivered",
        text="reaches nics/w2 on hosts/h2",
        steps=TO_FIP,
    ),
    "to-floating": Case(
        nic="s1",
        probe=to("203.0.113.77"),
        neighbours=True,
        verdict="delivered",
        text="reaches nics/w2 on hosts/h2",
        steps=TO_FIP,
    ),
    "nobody": Case(
        nic="w1",
        probe=to("10.0.1.99"),
        neighbours=False,
        verdict="dropped",
        text="nobody on subnets/web has the address 10.0.1.99",
        steps=("nic h1 w1", "drop h1 web"),
    ),
    "nobody-routed": Case(
        nic="w1",
        probe=to("10.0.2.99"),
        neighbours=False,
        verdict="dropped",
        text="nobody on subnets/db has the address 10.0.2.99",
        steps=("nic h1 w1", "subnet h1 web", "route h1 db", "drop h1 db"),
    ),
    "hub": Case(
        nic="s1",
        probe=to("8.8.4.4"),
        neighbours=True,
        verdict="sent out",
        text="leaves hosts/h1 by subnets/ext",
        steps=(
            *("nic h1 s1", "subnet h1 sweb", "route h1 spoke-default", "subnet h1 hubext"),
            *("route h1 hub-default", "gateway h1 hub", "nat h1 ext", "uplink h1 ext"),
        ),
    ),
    "no-route": Case(
        nic="w6",
        probe=to("2600::1"),
        neighbours=False,
        verdict="dropped",
        text="vpcs/spoke has no route to 2600::1: create one, or one to ::/0",
        steps=("nic h1 w6", "subnet h1 sweb6", "drop h1 spoke"),
    ),
    "deaf": Case(
        nic="w1",
        probe=to("10.0.1.13"),
        neighbours=False,
        verdict="dropped",
        text="nics/w3 is disconnected",
        steps=("nic h1 w1", "drop h1 w3"),
    ),
    "dumb": Case(
        nic="w3",
        probe=to("10.0.1.11"),
        neighbours=False,
        verdict="dropped",
        text="nics/w3 is disconnected",
        steps=("nic h1 w3", "drop h1 w3"),
    ),
    "nowhere": Case(
        nic="w1",
        probe=to("10.0.2.77"),
        neighbours=False,
        verdict="dropped",
        text="nics/n4 is attached to no host",
        steps=("nic h1 w1", "subnet h1 web", "route h1 db", "subnet h1 db", "drop h1 n4"),
    ),
    "router": Case(
        nic="w1",
        probe=to("10.0.1.1"),
        neighbours=False,
        verdict="delivered",
        text="10.0.1.1 is the router of vpcs/blue, which answers",
        steps=("nic h1 w1", "subnet h1 web", "route h1 blue"),
    ),
    "no-gateway": Case(
        nic="w1",
        probe=to("8.8.8.8"),
        neighbours=True,
        verdict="dropped",
        text="no host is the gateway of vpcs/blue",
        steps=("nic h1 w1", "subnet h1 web", "route h1 default", "drop h1 blue"),
        holders={},
    ),
}
