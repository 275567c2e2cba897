"""Gate 3 for what is routed: is it in the network, and does it work? Pure: intents and what is observed -> verdict.

In comes an intent that northd has worked off; out goes a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from netctl.compiler.dhcp import asks_for_dhcpv6
from netctl.compiler.exits import Exit, exits_of
from netctl.compiler.floating_ip import association_of, is_distributed
from netctl.compiler.observed import Observed
from netctl.compiler.route import hops_of, winner, works
from netctl.compiler.routing_policy import is_fallen_back
from netctl.model.floating_ip import FloatingIp
from netctl.model.keys import HostId
from netctl.model.route import Route
from netctl.model.routing_policy import Fallback, RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from netctl.nb.features import SAFE_RELEASES
from netctl.reconciler.liveness import bfd_up
from netctl.reconciler.reports import Heard

Verdict = tuple[Phase, str, str]
PROGRAMMED: Verdict = (Phase.PROGRAMMED, "", "")
_INSTEAD = {
    Fallback.PASSTHROUGH: "the policies of lower priority decide",
    Fallback.ALLOW: "such packets are routed as if permitted",
    Fallback.DROP: "such packets are dropped",
}


def subnet_verdict(subnet: Subnet, observed: Observed) -> Verdict:
    """Say whether a subnet gives its guests all that it is to."""
    if asks_for_dhcpv6(subnet) and not observed.dhcpv6:
        return (
            Phase.FAILED,
            "UNSUPPORTED",
            f"ipv6_mode {subnet.ipv6_mode.value} needs an OVN whose DHCPv6 is safe (CVE-2026-5367): upgrade to"
            f" {SAFE_RELEASES}, or set ipv6_mode to SLAAC or STATIC, or start the controller with --trust-dhcpv6"
            " if this OVN has the fix by a backport; until then nobody answers DHCPv6",
        )
    return PROGRAMMED


def vpc_verdict(
    snapshot: Snapshot, vpc: Vpc, observed: Observed, heard: Callable[[HostId], Heard]
) -> Verdict:
    """Say whether a VPC's ways out have a gateway each, and one alone."""
    for exit in exits_of(snapshot, vpc):
        if observed.is_dead(vpc.id, exit.subnet.id):
            return _no_gateway(exit)
        for one, other in _split(snapshot, exit.connection.gateways, heard):
            return (
                Phase.FAILED,
                "GATEWAYS_SPLIT",
                f"hosts {one} and {other} do not hear each other by BFD: both may believe to be the gateway to"
                f" subnets/{exit.subnet.id}; repair the network between their tunnel addresses",
            )
    return PROGRAMMED


def floating_ip_verdict(snapshot: Snapshot, floating: FloatingIp, observed: Observed) -> Verdict:
    """Say whether a floating IP stands for something that the outside reaches."""
    found = association_of(snapshot, floating)
    if found is None:
        return Phase.PENDING, "NOT_ASSOCIATED", "set nic, or vpc and private_address, to use it"
    exit = found.exit
    if observed.is_dead(exit.vpc.id, exit.subnet.id) and not is_distributed(snapshot, floating):
        return _no_gateway(exit)
    return PROGRAMMED


def route_verdict(snapshot: Snapshot, route: Route, observed: Observed) -> Verdict:
    """Say whether a route is used, and why not."""
    vpc = snapshot.vpc(route.vpc)
    if vpc is None:
        return PROGRAMMED
    dead = [hop.address for hop in hops_of(snapshot, vpc, route) if not works(hop, vpc.id, observed)]
    used = winner(snapshot, observed, vpc, route.destination)
    missing = f"next hop {', '.join(dead)} does not work: its NIC or all its gateways are down, or BFD hears nothing"
    if used == route:
        return (Phase.PROGRAMMED, "NEXT_HOP_DEAD", f"{missing}; the others are used") if dead else PROGRAMMED
    instead = f"routes/{used.id} is used instead" if used is not None else "nothing is used instead"
    if dead and len(dead) == len(hops_of(snapshot, vpc, route)):
        return Phase.FAILED, "NEXT_HOP_DEAD", f"{missing}; {instead}"
    priority = f" with priority {used.priority}" if used is not None else ""
    return Phase.PROGRAMMED, "NOT_USED", f"{instead}{priority}: it leads to {route.destination} as well"


def policy_verdict(policy: RoutingPolicy, observed: Observed) -> Verdict:
    """Say whether a policy does what it says, or its fallback."""
    if not is_fallen_back(policy, observed):
        return PROGRAMMED
    dead = [address for address in policy.service_ips if observed.is_dead(policy.vpc, address)]
    return (
        Phase.FAILED,
        "FALLBACK",
        f"service {', '.join(dead)} does not work: its NIC is not plugged or its host is down;"
        f" {_INSTEAD[policy.fallback]} (fallback {policy.fallback.name})",
    )


def _no_gateway(exit: Exit) -> Verdict:
    return (
        Phase.FAILED,
        "NO_GATEWAY",
        f"no gateway host of the connection to subnets/{exit.subnet.id} works"
        f" ({', '.join(exit.connection.gateways)}): start one, or name others in gateway_hosts of vpcs/{exit.vpc.id}",
    )


def _split(
    snapshot: Snapshot, gateways: tuple[HostId, ...], heard: Callable[[HostId], Heard]
) -> Iterator[tuple[HostId, HostId]]:
    """Yield pairs of gateways that are both there and do not hear each other."""
    for one, other in combinations(gateways, 2):
        first, second = snapshot.host(one), snapshot.host(other)
        if first is None or second is None or not (heard(one).connected and heard(other).connected):
            continue
        if bfd_up(heard(one), second) is False and bfd_up(heard(other), first) is False:
            yield one, other
