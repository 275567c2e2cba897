"""Which service chain a traced packet passes on the hosts by whose uplinks it goes. Pure.

It is asked of what hosts are told (compiler/steering.py), rule by rule.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netctl.analysis.probe import Probe
from netctl.analysis.trace_walk import Step, Walk
from netctl.compiler.exits import exits_of
from netctl.compiler.steering import compile_service_chains
from netctl.model.assignment_chains import PortSpan, Segment, SteeringRule
from netctl.model.keys import HostId, Kind, NetworkFunctionId, NicId
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind

_PROTOCOLS = {("tcp", 4): 6, ("tcp", 6): 6, ("udp", 4): 17, ("udp", 6): 17, ("icmp", 4): 1, ("icmp", 6): 58}
_ECHO = {4: 8, 6: 128}


@dataclass(frozen=True, slots=True)
class _Passing:
    """A first packet between a MAC address of this host and its peer; `outgoing`: this host's side sends it."""

    mac: str
    local: str
    peer: str
    outgoing: bool
    probe: Probe


def with_chains(walk: Walk, nic: Nic, probe: Probe) -> list[Step]:
    """Return a walk's steps with the chains that the packet passes: where it leaves a host, and where it enters one."""
    found: list[Step] = []
    snapshot = walk.world.snapshot
    for at, step in enumerate(walk.steps):
        passed = snapshot.get(step.key) if step.kind == "uplink" and step.key is not None else None
        if not isinstance(passed, Subnet):
            found.append(step)
            continue
        mac = _sender(snapshot, nic, passed)
        passing = _Passing(mac, walk.source, walk.destination, True, probe)
        found += _chain(walk, step.host, passed, passing)
        if _ends(walk, found):
            return found
        found.append(step)
        receiver = snapshot.nic(NicId(walk.arrived))
        there = walk.steps[at + 1].host if at + 1 < len(walk.steps) else step.host
        if receiver is not None and there != step.host:
            back = _Passing(receiver.mac_address, walk.destination, walk.source, False, probe)
            found += _chain(walk, there, passed, back)
            if _ends(walk, found):
                return found
    return found


def _ends(walk: Walk, steps: Sequence[Step]) -> bool:
    """Does a function drop the packet? Then that is how the walk ends."""
    if not steps or steps[-1].kind != "drop":
        return False
    walk.end(steps[-1].text)
    return True


def _sender(snapshot: Snapshot, nic: Nic, subnet: Subnet) -> str:
    """Return the MAC address by which the packet leaves: the NIC's, or its router's."""
    own = snapshot.subnet(nic.subnet)
    vpc = snapshot.vpc(own.vpc) if own is not None and own.vpc else None
    if subnet.kind is SubnetKind.EXTERNAL and vpc is not None:
        exits = (exit for exit in exits_of(snapshot, vpc) if exit.subnet.id == subnet.id)
        return next((exit.connection.mac_address for exit in exits), "")
    return nic.mac_address


def _chain(walk: Walk, name: str, subnet: Subnet, passing: _Passing) -> Iterator[Step]:
    snapshot, host = walk.world.snapshot, walk.world.snapshot.host(HostId(name))
    if host is None:
        return
    chains = compile_service_chains(snapshot, host, walk.world.observed)
    segment = next((one for one in chains.segments if one.subnet_id == subnet.id), None)
    id = _decided(segment, passing) if segment is not None else ""
    functions = next((chain.function_ids for chain in chains.chains if chain.chain_id == id), ())
    if functions:
        met = functions if passing.outgoing else functions[::-1]
        stopped = {
            one.function_id: one
            for one in chains.functions
            if not one.pairs or walk.world.stopped(host.id, NetworkFunctionId(one.function_id))
        }
        told = ", ".join(f"{one} (does not work)" if one in stopped else one for one in met)
        yield Step(
            kind="chain", text=f"passes serviceChains/{id}: {told}", key=(Kind.SERVICE_CHAIN, id), host=name
        )
        for one in met:
            if one in stopped and not stopped[one].tap and not stopped[one].fail_open:
                text = f"networkFunctions/{one} does not work on hosts/{name}, and is FAIL_CLOSE"
                yield Step(kind="drop", text=text, key=(Kind.NETWORK_FUNCTION, one), host=name)
                return


def _decided(segment: Segment, passing: _Passing) -> str:
    rules = sorted(segment.rules, key=lambda rule: -rule.priority)
    return next((rule.chain_id for rule in rules if _matches(rule, passing)), "")


def _matches(rule: SteeringRule, passing: _Passing) -> bool:
    probe = passing.probe
    if rule.local_mac_addresses and passing.mac not in rule.local_mac_addresses:
        return False
    if rule.ip_version == 0:
        return True
    if rule.ip_version != probe.version:
        return False
    if not (_is_in(passing.local, rule.local_networks) and _is_in(passing.peer, rule.peer_networks)):
        return False
    if rule.protocol not in (None, _PROTOCOLS[probe.protocol, probe.version]):
        return False
    if probe.protocol == "icmp":
        return rule.icmp_type in (None, _ECHO[probe.version]) and not rule.icmp_code
    ports = (probe.source_port, probe.destination_port)
    opener, other = ports if rule.local_opens is passing.outgoing else ports[::-1]
    return _spans(opener, rule.source_ports) and _spans(other, rule.destination_ports)


def _is_in(address: str, networks: Sequence[str]) -> bool:
    one = ipaddress.ip_address(address)
    return not networks or any(one in ipaddress.ip_network(network) for network in networks)


def _spans(port: int, spans: Sequence[PortSpan]) -> bool:
    return not spans or any(span.first <= port <= span.last for span in spans)
