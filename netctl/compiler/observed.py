"""Observed: the one thing besides the intents that the compiler reads. `reconciler/liveness.py` makes it."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.keys import SubnetId, VpcId


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What does not work now, and what the connected OVN can do.

    `dead`: (VPC, address) of service IPs and next hops, and (VPC, external subnet) of connections all of whose
    gateways are dead. `dhcpv6`: may OVN answer DHCPv6 (CVE-2026-5367)? `nat_gateway_port`: has NAT the column that
    says by which of several external ports (OVN 22.06)?
    """

    dead: frozenset[tuple[VpcId, str]] = frozenset()
    dhcpv6: bool = False
    nat_gateway_port: bool = True

    def is_dead(self, vpc: VpcId, address: str, external: SubnetId | None = None) -> bool:
        """Is an address dead, or the connection to the external subnet that it is in?"""
        return (vpc, address) in self.dead or (external is not None and (vpc, external) in self.dead)


NOTHING_OBSERVED = Observed()
