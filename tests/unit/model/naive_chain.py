"""What must hold of VLAN basic, network functions, chains, mirrors and bonds, said by walking all; part of naive.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from netctl.model.chain import ForwardingMode, NetworkFunction
from netctl.model.infra import BondMode, LacpMode
from netctl.model.keys import HostId, NetworkFunctionId, ServiceChainId
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import FunctionSide, Nic, NicKind, NicMode
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import PolicyScope, SecurityPolicy
from netctl.model.subnet import Ipv6Mode, Subnet, SubnetKind

if TYPE_CHECKING:
    from tests.unit.model.naive import World

VLANS = (SubnetKind.VLAN, SubnetKind.VLAN_BASIC)


def check(world: World) -> None:
    """Assert everything that admission promises of the host's network."""
    _check_bonds(world)
    for nic in world.nics.values():
        _check_nic(world, nic)
    for subnet in world.subnets.values():
        if subnet.kind is SubnetKind.VLAN_BASIC and subnet.ipv6 is not None:
            assert subnet.ipv6_mode is Ipv6Mode.STATIC
        assert not (subnet.service_chain and subnet.kind is SubnetKind.EXTERNAL)
    sides = [nic for function in world.functions.values() for pair in function.nic_pairs for nic in pair.nics]
    assert len(set(sides)) == len(sides)
    for function in world.functions.values():
        _check_function(world, function)
    copied = [nic for mirror in world.mirrors.values() for nic in mirror.destinations]
    assert len(set(copied)) == len(copied)
    for mirror in world.mirrors.values():
        _check_mirror(world, mirror)


def references(world: World, kind: str, id: str) -> Iterator[str]:
    """Yield the names of what needs a NIC, host, virtual switch, function or chain."""
    for function in world.functions.values():
        if kind == "nics" and any(id in pair.nics for pair in function.nic_pairs):
            yield f"networkFunctions/{function.id}"
    for chain in world.chains.values():
        if kind == "networkFunctions" and id in chain.functions:
            yield f"serviceChains/{chain.id}"
    if kind == "serviceChains":
        yield from (name for name, chain in _attachments(world) if chain == id)
    for mirror in world.mirrors.values():
        nics = {*mirror.destinations, *(source.nic for source in mirror.sources)}
        switches = {source.virtual_switch for source in mirror.sources}
        if (
            (kind == "nics" and id in nics)
            or (kind == "virtualSwitches" and id in switches)
            or (kind == "hosts" and mirror.host == id)
        ):
            yield f"trafficMirrors/{mirror.id}"


def _attachments(world: World) -> Iterator[tuple[str, ServiceChainId]]:
    for intent in world.intents:
        match intent:
            case Subnet() if intent.service_chain:
                yield f"subnets/{intent.id}", intent.service_chain
            case RoutingPolicy() if intent.service_chain:
                yield f"routingPolicies/{intent.id}", intent.service_chain
            case SecurityPolicy():
                chains = {rule.service_chain for rule in intent.rules if rule.service_chain}
                yield from ((f"securityPolicies/{intent.id}", chain) for chain in chains)


def _check_bonds(world: World) -> None:
    for switch in world.switches.values():
        spoken = LacpMode.ACTIVE if switch.bond_mode is BondMode.BALANCE_TCP else LacpMode.OFF
        assert switch.lacp_mode is spoken
    for host in world.hosts.values():
        for uplink in host.uplinks:
            single = world.switches[uplink.virtual_switch].bond_mode is BondMode.NONE
            assert not single or len(uplink.interfaces) == 1
        for port in host.internal_ports:
            assert port.mtu_bytes <= world.switches[port.virtual_switch].mtu_bytes


def _check_nic(world: World, nic: Nic) -> None:
    if nic.kind in (NicKind.NETWORK_FUNCTION, NicKind.SPAN_DESTINATION):
        assert not nic.basic
        assert not nic.host or nic.host in world.hosts
        return
    parent = world.subnets[nic.subnet]
    children = [(vlan, world.subnets[vlan.subnet]) for vlan in nic.trunk_vlans if vlan.subnet]
    if nic.kind is NicKind.DIRECT:
        assert nic.basic
    if not nic.basic:
        assert all(vlan.subnet for vlan in nic.trunk_vlans)
        return
    assert parent.kind in VLANS
    for vlan, child in children:
        assert child.kind in VLANS
        assert child.vlan_id == vlan.vlan_id
        assert set(child.virtual_switches) & set(parent.virtual_switches)
    assert not any(vlan.ipv4_address or vlan.ipv6_address for vlan in nic.trunk_vlans if not vlan.subnet)
    if nic.kind is NicKind.NORMAL and nic.mode is NicMode.TRUNK and not nic.trunk_vlans:
        assert not parent.service_chain


def _check_function(world: World, function: NetworkFunction) -> None:
    tap = function.mode is ForwardingMode.TAP
    hosts: Counter[HostId] = Counter()
    for pair in function.nic_pairs:
        nics = [world.nics[id] for id in pair.nics]
        wanted = [FunctionSide.TAP] if tap else [FunctionSide.INGRESS, FunctionSide.EGRESS]
        assert [nic.function_side for nic in nics] == wanted
        if not pair.disabled:
            assert len({nic.host for nic in nics}) == 1
            hosts[nics[0].host] += 1
    assert all(count <= 2 for host, count in hosts.items() if host)
    _check_path(world, function.id, tap=tap)


def _check_path(world: World, id: NetworkFunctionId, *, tap: bool) -> None:
    """Everything that is attached can be passed with this OVN."""
    chains = {chain.id for chain in world.chains.values() if id in chain.functions}
    alone = all(len(world.chains[chain].functions) == 1 for chain in chains)
    subnets = [subnet for subnet in world.subnets.values() if subnet.service_chain in chains]
    native = world.network_functions and alone and not tap
    native = native and all(subnet.kind is not SubnetKind.VLAN_BASIC for subnet in subnets)
    passed: list[Subnet] = []
    for subnet in subnets:
        assert native or subnet.virtual_switches
        passed += [subnet] if subnet.virtual_switches else []
    for intent in world.intents:
        if isinstance(intent, RoutingPolicy) and intent.service_chain in chains:
            ways = [world.subnets[one.subnet] for one in world.vpcs[intent.vpc].external_connections]
            vlans = [way for way in ways if way.virtual_switches and not way.nat]
            assert native or vlans
            passed += vlans
        if isinstance(intent, SecurityPolicy) and any(rule.service_chain in chains for rule in intent.rules):
            assert native or intent.scope is PolicyScope.ALL_VLAN
    if native:
        return
    places = {
        (world.switches[switch].cluster, subnet.vlan_id, switch)
        for subnet in passed
        for switch in subnet.virtual_switches
    }
    assert all(one[:2] != other[:2] for one, other in combinations(places, 2))


def _check_mirror(world: World, mirror: TrafficMirror) -> None:
    host = world.hosts[mirror.host]
    bridges = set()
    for source in mirror.sources:
        if source.nic:
            bridges.add(_bridge(world, world.nics[source.nic], host.cluster))
        else:
            assert source.virtual_switch in {uplink.virtual_switch for uplink in host.uplinks}
            bridges.add(world.switches[source.virtual_switch].bridge)
    assert len(bridges) == 1
    for id in mirror.destinations:
        assert world.nics[id].kind is NicKind.SPAN_DESTINATION


def _bridge(world: World, nic: Nic, cluster: str) -> str:
    assert nic.kind in (NicKind.NORMAL, NicKind.DIRECT)
    if not nic.basic:
        return "brAtlas"
    parent = world.subnets[nic.subnet]
    bridges = [world.switches[one] for one in parent.virtual_switches]
    bridge = next((switch.bridge for switch in bridges if switch.cluster == cluster), "")
    subnets = [parent, *(world.subnets[vlan.subnet] for vlan in nic.trunk_vlans if vlan.subnet)]
    aside = nic.kind is NicKind.NORMAL and any(subnet.service_chain for subnet in subnets)
    return bridge + (".local" if aside else "")
