"""Layouts of the oracle in a lab, and its probes as frames on real wires: who saw which.

A guest here is an interface and no more: without addresses it answers nothing, so that what is seen is what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from netctl.lab import namespaces
from netctl.loop import wait_until
from netctl.model.floating_ip import FloatingIp
from netctl.model.intent import Intent, key_of
from netctl.model.keys import resource_name
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from netctl.server.nouns import BY_KIND
from netctl.v1 import network_pb2
from netctl.v1.operations_pb2 import Resource as Resources
from tests.e2e.raw import Tapped, frame_socket, tapped
from tests.e2e.site import Resource, Site
from tests.oracle.layouts import Made
from tests.oracle.neighbours import Neighbours, outside_mac
from tests.oracle.probes import Probe
from tests.oracle.wire import arp_request, is_arp_answer, parse, render
from tests.oracle.words import Answered, Delivered, Fate, Layout, SentOut, gateway_of

# Where containerlab/three-hosts.clab.yml has the external subnets of tests/oracle/layouts.py.
INTERFACES = {"wan": "eth2.100", "lan": "eth2.101", "isp": "eth1.102"}
IPV6_MISSING = "2001:db8:102::1"  # the file gives that VLAN IPv4 alone
_QUIET = (
    "net.ipv4.ip_forward=0",
    "net.ipv6.conf.all.forwarding=0",
    "net.ipv4.icmp_echo_ignore_all=1",
    "net.ipv6.icmp.echo_ignore_all=1",
)
_NO_ADDRESS = "net.ipv6.conf.eth0.disable_ipv6=1"  # by itself: it would answer pings
Place = tuple[str, str]  # a namespace and an interface in it


def silence(here: Site) -> None:
    """Keep the world outside from answering and forwarding: what arrives there is seen once."""
    here.lab.exec("upstream", ["sysctl", "-qw", *_QUIET])


@dataclass
class Town:
    """A layout that runs in a lab."""

    here: Site
    layout: Layout
    nics: dict[str, network_pb2.Nic]
    taps: dict[Place, Tapped] = field(default_factory=dict)
    macs: dict[Place, str] = field(default_factory=dict)

    @property
    def machines(self) -> dict[str, Place]:
        """Say where the world outside is seen, by external subnet."""
        world = namespaces.node_namespace(self.here.lab.name, "upstream")
        there = {subnet.id for subnet in self.layout.subnets}
        return {name: (world, interface) for name, interface in INTERFACES.items() if name in there}

    @property
    def guests(self) -> dict[str, Place]:
        """Say where guests are seen, by NIC."""
        return {name: (self.here.namespace(nic), "eth0") for name, nic in self.nics.items()}

    def send(self, probes: list[Probe]) -> None:
        """Send all probes, numbered."""
        with ExitStack() as stack:
            wires = {
                place: stack.enter_context(frame_socket(*place))
                for place in (*self.guests.values(), *self.machines.values())
            }
            for number, probe in enumerate(probes):
                place, frame = self._frame(number, probe)
                wires[place].send(frame)

    def check_wires(self) -> None:
        """Return when every guest and machine that may have sent was answered by a router: its wire is in order."""
        asked = [*self._guests_ask(), *self._machines_ask()]
        for place, mac, own, wanted in asked:
            with frame_socket(*place) as wire:
                wire.send(arp_request(mac, own, wanted))

        def answered() -> bool:
            frames = {place: tuple(tap.frames) for place, tap in self.taps.items()}
            return all(any(is_arp_answer(f, wanted) for f in frames[place]) for place, _, _, wanted in asked)

        wait_until(answered, timeout_s=5, what="routers answer everybody's ARP")

    def seen(self, count: int) -> list[set[Fate]]:
        """Return what became of each probe, as far as it was seen; the next hop's address on a wire is not."""
        found: list[set[Fate]] = [set() for _ in range(count)]
        for name, place in self.guests.items():
            for seen in filter(None, map(parse, tuple(self.taps[place].frames))):
                fate = Delivered(name, seen.source, seen.destination)
                found[seen.number].add(Answered(seen.source) if seen.is_reply else fate)
        for name, place in self.machines.items():
            own = bytes.fromhex(self._own_mac(place).replace(":", ""))
            frames = [frame for frame in tuple(self.taps[place].frames) if frame.startswith(own)]
            for seen in filter(None, map(parse, frames)):
                out = SentOut(name, "", seen.source, seen.destination)
                found[seen.number].add(Answered(seen.source) if seen.is_reply else out)
        return found

    def _frame(self, number: int, probe: Probe) -> tuple[Place, bytes]:
        neighbours = Neighbours(self.layout)
        if not probe.nic:
            place = self.machines[probe.subnet]
            mac = neighbours.mac_of(self.layout.subnet(probe.subnet), probe.neighbour)
            return place, render(probe.packet, number, (self._own_mac(place), mac))
        nic = self.layout.nic(probe.nic)
        subnet = self.layout.subnet(nic.subnet)
        macs = (nic.mac_address, neighbours.mac_of(subnet, probe.first_hop(self.layout)))
        return self.guests[probe.nic], render(probe.packet, number, macs)

    def _guests_ask(self) -> Iterator[tuple[Place, str, str, str]]:
        for nic in self.layout.nics:
            wanted = gateway_of(self.layout.subnet(nic.subnet), 4)
            yield self.guests[nic.id], nic.mac_address, nic.ipv4_address, wanted

    def _machines_ask(self) -> Iterator[tuple[Place, str, str, str]]:
        for name, place in self.machines.items():
            own = gateway_of(self.layout.subnet(name), 4)
            for vpc in self.layout.vpcs:
                if (connection := vpc.connection(name)) is not None:
                    yield place, self._own_mac(place), own, connection.ipv4_address

    def _own_mac(self, place: Place) -> str:
        if place not in self.macs:
            said = self.here.lab.exec("upstream", ["ip", "-o", "link", "show", "dev", place[1]]).stdout
            self.macs[place] = said.partition("link/ether ")[2].partition(" ")[0]
        return self.macs[place]


@contextmanager
def town(here: Site, made: Made) -> Iterator[Town]:
    """Have a layout in the lab, with a guest for each NIC, until the end of the block."""
    asked = sorted(made.layout.intents, key=lambda intent: intent.meta.revision)
    late = [intent for intent in asked if isinstance(intent, Route | RoutingPolicy)]
    early = [intent for intent in asked if intent not in late]
    names: list[str] = []

    def apply(intents: Sequence[Intent]) -> list[Resources]:
        admitted = here.apply(*map(_message, intents))
        names.extend(resource_name(key_of(intent)) for intent in intents)
        return admitted

    def remove() -> None:
        for guest in here.lab.guests():
            here.lab.remove_guest(guest.name)
        if names:
            here.remove(*reversed(names))

    with ExitStack() as stack:
        stack.callback(remove)
        admitted = apply(early)
        stored = [_as_stored(*pair) for pair in zip(early, admitted, strict=True)]
        nics = [resource.nic for resource in admitted if resource.HasField("nic")]
        layout = Layout.of((*made.layout.hosts, *stored, *late))
        town = Town(here, layout, {nic.name.partition("/")[2]: nic for nic in nics})
        for nic in nics:
            here.plug(nic, address=False)
            here.lab.exec(nic.name.partition("/")[2], ["sysctl", "-qw", _NO_ADDRESS])
        stack.enter_context(_populated(town))
        here.wait_programmed(*(nic.name for nic in nics))
        if late:  # what a route or policy leads to works from the start when it is there before
            apply(late)
        here.settle()
        for place in (*town.guests.values(), *town.machines.values()):
            town.taps[place] = stack.enter_context(tapped(*place))
        yield town


def _message(intent: Intent) -> Resource:
    return cast(Resource, BY_KIND[key_of(intent)[0]].to_request(intent))


def _as_stored(intent: Intent, admitted: Resources) -> Intent:
    """Return the intent with the MAC addresses that this lab's admission chose."""
    match intent:
        case Subnet():
            return replace(intent, gateway_mac_address=admitted.subnet.gateway_mac_address)
        case FloatingIp():
            return replace(intent, mac_address=admitted.floating_ip.mac_address)
        case Vpc():
            pairs = zip(intent.external_connections, admitted.vpc.external_connections, strict=True)
            found = tuple(replace(asked, mac_address=stored.mac_address) for asked, stored in pairs)
            return replace(intent, external_connections=found)
    return intent


@contextmanager
def _populated(town: Town) -> Iterator[None]:
    """Give the world outside the addresses that a layout may send to, but those that it had anyway."""
    given = []
    for name, (_, interface) in town.machines.items():
        subnet = town.layout.subnet(name)
        own = {gateway_of(subnet, version) for version in (4, 6)} - {IPV6_MISSING}
        for address, mac in Neighbours(town.layout).everybody(subnet).items():
            if mac == outside_mac(address) and address not in own:
                given.append([f"{address}/{64 if ':' in address else 24}", "dev", interface])
    for place in given:
        option = ["nodad"] if ":" in place[0] else []
        town.here.lab.exec("upstream", ["ip", "addr", "add", *place, *option])
    try:
        yield
    finally:
        for place in given:
            town.here.lab.exec("upstream", ["ip", "addr", "del", *place])
