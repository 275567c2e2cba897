"""Worlds of security policies in a lab, and the oracle's probes as frames on real wires: who saw which.

A guest here is an interface and no more: it answers nothing, so that what is seen is what was sent. That a probe was
dropped is said when every ARP answer and neighbour advertisement that was sent after it has arrived.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import cast

from netctl.loop import wait_until
from netctl.model.intent import Intent, key_of
from netctl.model.keys import Kind, resource_name
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.server.nouns import BY_KIND
from netctl.v1 import network_pb2
from tests.e2e.forged import advertisement
from tests.e2e.raw import arp_reply, frame_socket
from tests.e2e.site import Resource, Site
from tests.lossmeter.frames import Address
from tests.oracle.policy import PolicyOracle
from tests.oracle.policy_probes import PolicyProbe
from tests.oracle.policy_words import ICMP, ICMPV6, TCP, UDP, PolicyWorld, Port
from tests.oracle.policy_worlds import MadeWorld
from tests.oracle.wire import parse, render
from tests.oracle.words import Packet

_NO_ADDRESS = "net.ipv6.conf.eth0.disable_ipv6=1"  # by itself: it would answer
_NAMES = {ICMP: "icmp", ICMPV6: "icmp", TCP: "tcp", UDP: "udp"}
_BUFFER_BYTES = 8 << 20
_SO_RCVBUFFORCE = 33
_LAB = (Kind.CLUSTER, Kind.VIRTUAL_SWITCH, Kind.HOST)  # the lab's own
_NUMBERS = 1 << 16


@dataclass
class PolicyTown:
    """A world that runs in a lab."""

    here: Site
    world: PolicyWorld
    nics: dict[str, network_pb2.Nic]
    gateways: dict[str, str]
    wires: dict[str, socket.socket] = field(default_factory=dict)
    got: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def oracle(self) -> PolicyOracle:
        """The oracle of what was asked for last."""
        return PolicyOracle(self.world)

    def arrived(self, probes: Sequence[PolicyProbe], *, answers: bool = False) -> set[int]:
        """Send all probes, or the answers to them; return the places of those that arrived where they should.

        Where one arrived that is not its destination, it raises AssertionError.
        """
        self.forget()
        for number, probe in enumerate(probes):
            self.send(number, probe, answers=answers)
        self.sweep()
        found = set()
        for name, numbers in self.heard().items():
            for number in numbers:
                to = probes[number].source if answers else probes[number].destination
                assert to is not None
                assert to.nic.id == name, f"{probes[number]} arrived at {name}"
                found.add(number)
        return found

    def send(self, number: int, probe: PolicyProbe, *, answers: bool = False) -> None:
        """Send one probe, or the answer to it."""
        frame, sender = self._frame(number, probe, answers)
        assert self.wires[sender.nic.id].send(frame) == len(frame)

    def heard(self) -> dict[str, set[int]]:
        """Return the numbers of probes that came to each guest."""
        self._collect()
        return {name: {seen.number for seen in map(parse, got) if seen} for name, got in self.got.items()}

    def forget(self) -> None:
        """Take what has come out of the way."""
        self._collect()
        self.got = {name: [] for name in self.wires}

    def introduce(self) -> None:
        """Return when neighbours have found each other: the fabric knows where MAC addresses of worlds before were."""

        def met() -> bool:
            with suppress(TimeoutError):
                self.sweep(timeout_s=0.3)
                return True
            return False

        wait_until(met, timeout_s=10, what="neighbours find each other")

    def sweep(self, timeout_s: float = 5) -> None:
        """Return when all that was sent is where it goes, or dropped: neighbours always find each other."""
        wanted: list[tuple[str, bytes]] = []
        for source, target, frame in self._greetings():
            assert self.wires[source].send(frame) == len(frame)
            wanted.append((target, frame))

        def all_there() -> bool:
            self._collect()
            return all(any(seen.startswith(frame) for seen in self.got[name]) for name, frame in wanted)

        wait_until(all_there, timeout_s=timeout_s, what="ARP and neighbour discovery pass", poll_s=0.005)

    def apply(self, policies: Sequence[SecurityPolicy]) -> None:
        """Put policies in the place of those that there are, as one change."""
        self.here.apply(*map(_message, policies))
        self.world = self.world.with_policies(policies)

    @contextmanager
    def streaming(self, probes: Sequence[PolicyProbe], pps: int) -> Iterator[dict[int, PolicyProbe]]:
        """Send probes again and again during a block; what was sent is in the answer, by number."""
        self.forget()
        sent: dict[int, PolicyProbe] = {}
        ending = threading.Event()

        def send() -> None:
            for number, probe in zip(range(_NUMBERS), itertools.cycle(probes), strict=False):
                self.send(number, probe)
                sent[number] = probe
                if ending.wait(1 / pps):
                    return

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield sent
        finally:
            ending.set()
            sender.join()
        self.sweep()

    def _frame(self, number: int, probe: PolicyProbe, answers: bool) -> tuple[bytes, Port]:
        source, destination, packet = probe.source, probe.destination, probe.packet
        assert source is not None
        assert destination is not None
        if answers:
            source, destination, packet = destination, source, packet.answer()
        near = source.subnet.id == destination.subnet.id
        mac = destination.nic.mac_address if near else self.gateways[source.subnet.id]
        ports = (packet.source_port, packet.destination_port)
        words = Packet(packet.source, packet.destination, _NAMES[packet.protocol], *ports)
        return render(words, number, (source.nic.mac_address, mac), answer=answers), source

    def _greetings(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield what neighbours tell each other: who to whom, and the frame."""
        for source, target in itertools.permutations(self.world.nics.values(), 2):
            if source.subnet != target.subnet:
                continue
            if source.ipv4_address and target.ipv4_address:
                own, other = (Address(nic.mac_address, nic.ipv4_address) for nic in (source, target))
                yield source.id, target.id, arp_reply(source.mac_address, own, other)
            if source.ipv6_address and target.ipv6_address:
                own, other = (Address(nic.mac_address, nic.ipv6_address) for nic in (source, target))
                frame = advertisement(own, other, source.ipv6_address, source.mac_address)
                yield source.id, target.id, frame

    def _collect(self) -> None:
        for name, wire in self.wires.items():
            self.got.setdefault(name, []).extend(_waiting(wire))


@contextmanager
def policy_town(here: Site, made: MadeWorld) -> Iterator[PolicyTown]:
    """Have a world in the lab, with a guest for each NIC, until the end of the block."""
    asked = sorted(_asked(made.snapshot), key=lambda intent: intent.meta.revision)
    names = [resource_name(key_of(intent)) for intent in asked]

    def remove() -> None:
        for guest in here.lab.guests():
            here.lab.remove_guest(guest.name)
        here.remove(*reversed(names))

    with ExitStack() as stack:
        admitted = here.apply(*map(_message, asked))
        stack.callback(remove)
        nics = {one.nic.name.partition("/")[2]: one.nic for one in admitted if one.HasField("nic")}
        subnets = [one.subnet for one in admitted if one.HasField("subnet")]
        gateways = {subnet.name.partition("/")[2]: subnet.gateway_mac_address for subnet in subnets}
        town = PolicyTown(here, made.world, nics, gateways)
        for name, nic in nics.items():
            here.plug(nic, address=False)
            here.lab.exec(name, ["sysctl", "-qw", _NO_ADDRESS])
            wire = stack.enter_context(frame_socket(here.namespace(nic)))
            wire.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
            wire.setblocking(False)
            town.wires[name] = wire
        here.wait_programmed(*(nic.name for nic in nics.values()))
        here.settle_datapaths()
        town.introduce()
        yield town


def _asked(snapshot: Snapshot) -> list[Intent]:
    return [intent for kind in Kind if kind not in _LAB for intent in snapshot.of_kind(kind)]


def _message(intent: Intent) -> Resource:
    return cast(Resource, BY_KIND[key_of(intent)[0]].to_request(intent))


def flipped(policies: Sequence[SecurityPolicy], modes: dict[str, str]) -> tuple[SecurityPolicy, ...]:
    """Return every other policy with another mode, the rest with half of their rules turned off or on."""
    found = []
    for number, policy in enumerate(policies):
        rules = tuple(
            replace(rule, disabled=rule.disabled != bool(place % 2))
            for place, rule in enumerate(policy.rules)
        )
        other = replace(policy, mode=type(policy.mode)(modes[policy.mode.value]))
        found.append(replace(policy, rules=rules) if number % 2 else other)
    return tuple(found)


def _waiting(wire: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            frame, address = wire.recvfrom(65536)
        except BlockingIOError:
            return
        if address[2] != socket.PACKET_OUTGOING:
            yield frame
