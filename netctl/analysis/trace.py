"""The path of a packet from a NIC: asks ovn-trace, and asks on where it stops too early. Pure but for `ask`.

ovn-trace knows the neighbours that OVN has learned. For one that it has not learned it follows the router's ARP request
and says nothing of the packet; a real packet waits and then goes on. So the walk goes on as well: the source is
translated as the NAT rows say, and the packet is traced anew from the port by which it leaves the router.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netctl.analysis.probe import Probe, first_probe, mac_of, probe_beyond, translate_source
from netctl.analysis.trace_chain import with_chains
from netctl.analysis.trace_ports import vlan_of
from netctl.analysis.trace_text import parse_trace
from netctl.analysis.trace_walk import PENDING, SENT_OUT, Walk, World
from netctl.compiler.exits import exits_of
from netctl.compiler.identity import gateway_port_name
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.nic import Nic

# A packet that crosses more routers than this goes in circles.
_ROUTERS_MAX = 8

Ask = Callable[[str], str]


def trace_packet(world: World, nic: Nic, wanted: Probe, ask: Ask) -> tuple[Walk, str]:
    """Return the walk of a packet that a NIC sends, and what ovn-trace said; `ask` traces one packet.

    `wanted` says where to and by which protocol. InvalidIntent says why the NIC cannot send it.
    """
    probe: Probe | None = first_probe(world.snapshot, nic, wanted)
    assert probe is not None
    sent = probe
    walk = Walk(world=world, host=nic.host, source=probe.source, destination=probe.destination)
    walk.step("nic", f"{resource_name((Kind.NIC, nic.id))} sends {describe(probe)}", (Kind.NIC, nic.id))
    said: list[str] = []
    for _ in range(_ROUTERS_MAX):
        said.append(ask(probe.render()))
        walk.verdict = ""
        walk.take(parse_trace(said[-1]))
        if walk.verdict != PENDING:
            break
        probe = _go_on(walk, probe)
        if probe is None:
            break
    if walk.verdict == PENDING:
        walk.drop("it goes in circles: more routers on its way than are believable")
    walk.steps = with_chains(walk, nic, sent)
    return walk, "\n".join(said)


def describe(probe: Probe) -> str:
    """Return a packet in words, e.g. `tcp 10.0.1.5 -> 203.0.113.9:443`."""
    if not probe.destination_port:
        return f"{probe.protocol} {probe.source} -> {probe.destination}"
    target = f"[{probe.destination}]" if probe.version == 6 else probe.destination
    return f"{probe.protocol} {probe.source} -> {target}:{probe.destination_port}"


def _go_on(walk: Walk, probe: Probe) -> Probe | None:
    """Return the packet beyond the router that waits for its neighbour, None when that is where it ends."""
    assert walk.vpc is not None
    snapshot = walk.world.snapshot
    exit = next((exit for exit in exits_of(snapshot, walk.vpc) if exit.port_name == walk.port), None)
    if exit is None:
        for subnet in snapshot.subnets_of_vpc(walk.vpc.id):
            if gateway_port_name(subnet.meta.uid) == walk.port:
                inner: Key = (Kind.SUBNET, subnet.id)
                walk.drop(f"nobody on {resource_name(inner)} has the address {walk.next_hop}", inner)
                return None
        walk.drop(f"nobody behind {walk.port} has the address {walk.next_hop}")
        return None
    key: Key = (Kind.SUBNET, exit.subnet.id)
    source = translate_source(snapshot, exit, walk.source)
    if source.key is not None:
        walk.step("nat", f"source becomes {source.address}", source.key)
        walk.source = source.address
    next_mac = mac_of(snapshot, exit.subnet, walk.next_hop)
    if next_mac:
        onward = replace(probe, destination=walk.destination)
        return probe_beyond(exit, onward, source, next_mac)
    if exit.subnet.has_vlan:
        walk.step("uplink", f"by {vlan_of(exit.subnet)}, once {walk.next_hop} answers ARP or ND", key)
        walk.verdict, walk.reason = SENT_OUT, f"leaves hosts/{walk.host} by {resource_name(key)}"
    else:
        walk.drop(f"nobody on {resource_name(key)} has the next hop's address {walk.next_hop}", key)
    return None
