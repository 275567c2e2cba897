"""Observed: the one thing besides the intents that the compiler reads. `reconciler/liveness.py` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl.model.keys import HostId, SecurityPolicyId, SubnetId, VpcId


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What does not work now, and what the connected OVN can do.

    `dead`: (VPC, address) of service IPs and next hops, and (VPC, external subnet) of connections all of whose
    gateways are dead. `unheard`: (VPC, address) of next hops with BFD whose session is not up. `dhcpv6`: may OVN
    answer DHCPv6 (CVE-2026-5367)? `nat_gateway_port`: has NAT the column that says by which of several external
    ports (OVN 22.06)?

    `fallen`: hosts that failed as a gateway, the one that did last at the end. A host
    that comes back stays behind those that did not fail: OVN lets the highest priority take over as soon as BFD hears
    it, seconds before its flows are there.

    `expired`: rules of security policies whose time is over. `learned`: by the name of a NIC's port (compiler/identity)
    the addresses that its guest uses beside those that we gave it, sorted. `reject`: may an ACL answer (CVE-2026-5265)?
    `acl_tiers`: has ACL tiers (OVN 23.06)? `network_functions`: has it those (OVN 26.03)?
    """

    dead: frozenset[tuple[VpcId, str]] = frozenset()
    unheard: frozenset[tuple[VpcId, str]] = frozenset()
    dhcpv6: bool = False
    nat_gateway_port: bool = True
    fallen: tuple[HostId, ...] = ()
    expired: frozenset[tuple[SecurityPolicyId, str]] = frozenset()
    learned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reject: bool = False
    acl_tiers: bool = False
    network_functions: bool = False

    def is_dead(self, vpc: VpcId, address: str, external: SubnetId | None = None) -> bool:
        """Is an address dead, or the connection to the external subnet that it is in?"""
        return (vpc, address) in self.dead or (external is not None and (vpc, external) in self.dead)

    def preferred(self, gateways: tuple[HostId, ...]) -> tuple[HostId, ...]:
        """Return hosts that may be the gateway in the order in which they should be."""
        fallen = [host for host in self.fallen if host in gateways]
        return (*(host for host in gateways if host not in fallen), *fallen)


NOTHING_OBSERVED = Observed()
