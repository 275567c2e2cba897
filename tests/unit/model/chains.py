"""Builders of what service chains, mirrors and VLAN basic are made of, as a client asks for it; see world.py."""

from __future__ import annotations

from typing import Any

from netctl.model.chain import FailureHandling, ForwardingMode, NetworkFunction, NicPair, ServiceChain
from netctl.model.keys import (
    HostId,
    NetworkFunctionId,
    NicId,
    ServiceChainId,
    SubnetId,
    TrafficMirrorId,
    VirtualSwitchId,
)
from netctl.model.mirror import MirrorSource, TrafficMirror
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode, TrunkVlan
from netctl.model.subnet import Subnet, SubnetKind


def basic(id: str = "plain", vlan_id: int = 20, *switches: str, **fields: Any) -> Subnet:
    """Make a VLAN_BASIC subnet of vs0, or of others."""
    return Subnet(
        id=SubnetId(id),
        kind=SubnetKind.VLAN_BASIC,
        virtual_switches=tuple(VirtualSwitchId(switch) for switch in switches or ("vs0",)),
        vlan_id=vlan_id,
        **fields,
    )


def side(id: str, side: FunctionSide = FunctionSide.INGRESS, host: str = "h1", **fields: Any) -> Nic:
    """Make a NIC of a network function."""
    return Nic(id=NicId(id), host=HostId(host), kind=NicKind.NETWORK_FUNCTION, function_side=side, **fields)


def sides(id: str, host: str = "h1") -> tuple[Nic, Nic]:
    """Make the two NICs of one virtual machine of an inline function: `{id}-in` and `{id}-out`."""
    return side(f"{id}-in", host=host), side(f"{id}-out", FunctionSide.EGRESS, host)


def pair(id: str, *, disabled: bool = False) -> NicPair:
    """Make the pair of `sides`."""
    return NicPair(ingress_nic=NicId(f"{id}-in"), egress_nic=NicId(f"{id}-out"), disabled=disabled)


def function(id: str = "fw", *pairs: NicPair | str, **fields: Any) -> NetworkFunction:
    """Make an inline function; a pair is named as in `sides`."""
    made = tuple(pair(one) if isinstance(one, str) else one for one in pairs)
    defaults = {"mode": ForwardingMode.INLINE, "failure_handling": FailureHandling.FAIL_OPEN}
    return NetworkFunction(id=NetworkFunctionId(id), nic_pairs=made, **(defaults | fields))


def tap(id: str = "ids", *nics: str, **fields: Any) -> NetworkFunction:
    """Make a function that gets copies."""
    pairs = tuple(NicPair(ingress_nic=NicId(nic)) for nic in nics)
    return NetworkFunction(id=NetworkFunctionId(id), mode=ForwardingMode.TAP, nic_pairs=pairs, **fields)


def chain(id: str = "c", *functions: str) -> ServiceChain:
    """Make a chain of functions, `fw` when none is named."""
    names = functions or ("fw",)
    return ServiceChain(id=ServiceChainId(id), functions=tuple(NetworkFunctionId(name) for name in names))


def span(id: str = "sniffer", host: str = "h1", **fields: Any) -> Nic:
    """Make a NIC that gets copies of a mirror."""
    return Nic(id=NicId(id), host=HostId(host), kind=NicKind.SPAN_DESTINATION, **fields)


def mirror(
    id: str = "m1", *sources: str, to: tuple[str, ...] = ("sniffer",), host: str = "h1", **fields: Any
) -> TrafficMirror:
    """Make a mirror; a source that begins with `vs` is a virtual switch's uplink, others are NICs."""
    made = tuple(
        MirrorSource(virtual_switch=VirtualSwitchId(name))
        if name.startswith("vs")
        else MirrorSource(nic=NicId(name))
        for name in sources
    )
    return TrafficMirror(
        id=TrafficMirrorId(id),
        host=HostId(host),
        sources=made,
        destinations=tuple(NicId(name) for name in to),
        **fields,
    )


def trunk(id: str, subnet: str, *vlans: int | TrunkVlan, **fields: Any) -> Nic:
    """Make a trunk NIC with these VLAN ids."""
    made = tuple(vlan if isinstance(vlan, TrunkVlan) else TrunkVlan(vlan_id=vlan) for vlan in vlans)
    return Nic(id=NicId(id), subnet=SubnetId(subnet), mode=NicMode.TRUNK, trunk_vlans=made, **fields)


def direct(id: str, subnet: str, **fields: Any) -> Nic:
    """Make a NIC on the uplink bridge."""
    return Nic(id=NicId(id), subnet=SubnetId(subnet), kind=NicKind.DIRECT, **fields)
