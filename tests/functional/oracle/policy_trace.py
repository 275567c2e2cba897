"""What ovn-trace says of a probe of policies: does it arrive?

A probe goes the way that OVN has for it: to a neighbour, or by its VPC's router. Between VLANs the router is not ours:
such a probe is two, one to the wire and one from it. In a VPC of these worlds there is no way from and to the outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from netctl.model.security_policy import Direction
from netctl.model.subnet import Subnet
from tests.functional.oracle.daemon import ASIDE, OUTPUT, Daemon, tracer
from tests.oracle.policy import OTHER_WAY, PolicyOracle, ends
from tests.oracle.policy_probes import PolicyProbe
from tests.oracle.policy_words import ARP, ICMP, ICMPV6, TCP, UDP, VLANS, Packet, Port
from tests.oracle.words import gateway_of
from tests.servers import OvsdbServer

# What conntrack says, each time that it is asked.
STATES = {"first": "new", "open": "est", "answer": "est,rpl", "related": "rel,rpl"}
_TIMES = 10_000  # the daemon takes one each time, over all that it is asked
_SOMEBODY = "02:00:00:00:00:99"
_MANY = {4: "01:00:5e:00:00:fb", 6: "33:33:00:00:00:fb"}
_DHCP = (67, 69, 547)
_TTL = 64


@dataclass(frozen=True, slots=True)
class Traced:
    """One question to ovn-trace and the oracle's answer; `state` is one of STATES."""

    probe: PolicyProbe
    state: str
    arrives: bool

    def __str__(self) -> str:
        return (
            f"{self.state} {self.probe}: the oracle says that it {'arrives' if self.arrives else 'does not'}"
        )


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """One ovn-trace for each state of connections."""

    daemons: dict[str, Daemon]

    def disagreement(self, traced: Traced) -> str:
        """Return what ovn-trace says otherwise than the oracle, "" for nothing."""
        datapath, flow = microflow(traced.probe)
        said = self.daemons[traced.state].ask(datapath, flow)
        if self._outputs(said, traced.probe.destination) == traced.arrives:
            return ""
        return f"{traced}\n{flow}\n{said}"

    def _outputs(self, said: str, to: Port | None) -> bool:
        """Is the packet, not one that tells of it, put out where it should be?"""
        aside = [False]
        for line in said.splitlines():
            text = line.strip()
            if text.endswith("{"):
                aside.append(aside[-1] or bool(ASIDE.match(text + " ")))
            if text.startswith("}"):
                aside.pop()
            output = OUTPUT.search(text)
            if output is not None and not aside[-1] and _is_at(output[1], to):
                return True
        return False


@contextmanager
def policy_tracing(sb: OvsdbServer) -> Iterator[PolicyTrace]:
    """Have ovn-trace for what is installed, in all states."""
    with ExitStack() as stack:
        daemons = {
            name: stack.enter_context(tracer(sb, (f"--ct={flags}",) * _TIMES, name))
            for name, flags in STATES.items()
        }
        yield PolicyTrace(daemons)


def questions(oracle: PolicyOracle, probe: PolicyProbe) -> Iterator[Traced]:
    """Yield what to ask of a probe: its first packet, one that follows, its answer and an error about it."""
    for part in parts(probe):
        looked_at = ends(*part.ends)
        passes = oracle.passes(*part.ends, part.packet)
        yield Traced(part, "first", passes)
        if part.packet.protocol == ARP or part.packet.is_multicast or not passes:
            continue
        yield Traced(part, "open", True)
        for state, packet in (("answer", part.packet.answer()), ("related", part.packet.error())):
            back = PolicyProbe(part.destination, part.source, packet)
            # What ovn-trace is told of connections is told of both ends: it must be true at both.
            if all(
                oracle.knows(port, way, part.packet) or not oracle.is_tracked(port, OTHER_WAY[way], packet)
                for port, way in looked_at
            ):
                yield Traced(
                    back,
                    state,
                    all(_passes_back(oracle, port, way, part.packet, packet) for port, way in looked_at),
                )


def _passes_back(oracle: PolicyOracle, port: Port, way: Direction, first: Packet, back: Packet) -> bool:
    known = oracle.knows(port, way, first) and oracle.is_tracked(port, OTHER_WAY[way], back)
    return known or oracle.allows(port, OTHER_WAY[way], back)


def parts(probe: PolicyProbe) -> list[PolicyProbe]:
    """Return a probe as far as OVN carries it in one go; nothing where it has no way."""
    source, destination = probe.ends
    if source is None or destination is None:
        port = source or destination
        is_dhcp = probe.packet.destination_port in _DHCP  # which OVN answers itself, or port security knows
        return [probe] if port is not None and port.realm == VLANS and not is_dhcp else []
    if source.subnet.id == destination.subnet.id:
        return [probe]
    if source.realm == VLANS:
        return [PolicyProbe(source, None, probe.packet), PolicyProbe(None, destination, probe.packet)]
    version = probe.packet.version
    routed = all(gateway_of(port.subnet, version) for port in (source, destination))
    is_neighbours = probe.packet.is_local or not probe.packet.is_judged  # ARP and ND stay on their subnet
    return [probe] if routed and not is_neighbours else []


def microflow(probe: PolicyProbe) -> tuple[str, str]:
    """Return the datapath and the packet as ovn-trace wants them."""
    source, destination, packet = probe.source, probe.destination, probe.packet
    subnet = (source or destination).subnet  # type: ignore[union-attr]
    inport = localnet(subnet) if source is None else lsp_name(source)
    mac = _SOMEBODY if source is None else source.nic.mac_address
    terms = [f'inport=="{inport}"', f"eth.src=={mac}"]
    if packet.is_multicast:
        terms.append(f"eth.dst=={_MANY[packet.version]}")
    elif destination is None:
        terms.append(f"eth.dst=={_SOMEBODY}")
    elif source is not None and source.subnet.id != destination.subnet.id:
        terms.append(f"eth.dst=={source.subnet.gateway_mac_address}")
    else:
        terms.append(f"eth.dst=={destination.nic.mac_address}")
    return subnet.id, " && ".join([*terms, *_fields(packet, mac)])


def _fields(packet: Packet, mac: str) -> list[str]:
    if packet.protocol == ARP:  # an answer: what OVN would answer itself goes nowhere
        own = f"arp.sha=={mac}"
        return ["arp.op==2", own, f"arp.spa=={packet.source}", f"arp.tpa=={packet.destination}"]
    ip = f"ip{packet.version}"
    found = [f"{ip}.src=={packet.source}", f"{ip}.dst=={packet.destination}"]
    match packet.protocol:
        case 6 | 17:
            name = {TCP: "tcp", UDP: "udp"}[packet.protocol]
            found += [f"{name}.src=={packet.source_port}", f"{name}.dst=={packet.destination_port}"]
        case 1 | 58:
            name = {ICMP: "icmp4", ICMPV6: "icmp6"}[packet.protocol]
            # Of neighbour discovery the advertisement, for the same reason.
            kind = 136 if (name, packet.icmp_type) == ("icmp6", 135) else packet.icmp_type
            found += [f"{name}.type=={kind}", f"{name}.code=={packet.icmp_code}"]
            if kind == 136:
                return [*found, "ip.ttl==255", f"nd.target=={packet.source}", f"nd.tll=={mac}"]
        case number:
            found.append(f"ip.proto=={number}")
    return [*found, f"ip.ttl=={_TTL}"]


def lsp_name(port: Port) -> str:
    """Return the name of a port's Logical_Switch_Port."""
    uid = str(port.nic.meta.uid)
    return f"{uid}-{port.vlan_id}" if port.vlan_id else uid


def localnet(subnet: Subnet) -> str:
    """Name the port of a VLAN subnet that leads to the wire."""
    return f"localnet-{subnet.meta.uid}-{subnet.virtual_switches[0]}"


def _is_at(shown: str, port: Port | None) -> bool:
    """Is this the port, or the wire? ovn-trace cuts a name that is a uuid."""
    if port is None:
        return shown.startswith("localnet-")
    name = lsp_name(port)
    return shown == (name if port.vlan_id else name[:6])
