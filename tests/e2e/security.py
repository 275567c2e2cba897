"""What the tests of security policies are made of: intents in short, and guests that ask each other by single packets.

A question is the first packet of a connection, its number in it: it arrives or it does not. What is held to be dropped
was sent before frames that did arrive: the sender's own ARP question, which its host answered (so all that it sent
before was looked at), and then a packet of a bystander from that host to each other one (so all that was on the wires
is there). Bystanders are in no policy.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from netctl.loop import wait_until
from netctl.v1 import network_pb2, security_pb2, vpc_pb2
from tests.e2e import talk, vpcs
from tests.e2e.raw import frame_socket
from tests.e2e.site import Site
from tests.e2e.talk import End
from tests.e2e.vpcs import Nic
from tests.oracle.wire import arp_request, is_arp_answer, parse, render
from tests.oracle.words import Packet

Policy = security_pb2.SecurityPolicy
Rule = security_pb2.SecurityRule
Service = security_pb2.Service
IN, OUT, BOTH = (
    security_pb2.SecurityDirection.Value(f"SECURITY_DIRECTION_{n}") for n in ("IN", "OUT", "IN_OUT")
)
ALLOW, DENY, REJECT = (
    security_pb2.SecurityAction.Value(f"SECURITY_ACTION_{n}") for n in ("ALLOW", "DENY", "REJECT")
)
SAVE, MONITOR, ENFORCE = (
    security_pb2.SecurityPolicyMode.Value(f"SECURITY_POLICY_MODE_{n}") for n in ("SAVE", "MONITOR", "ENFORCE")
)
VLANS, VPCS, LISTED = (
    security_pb2.SecurityScope.Value(f"SECURITY_SCOPE_{n}") for n in ("ALL_VLAN", "ALL_VPC", "VPC_LIST")
)
KINDS = {
    name: security_pb2.SecurityPolicyKind.Value(f"SECURITY_POLICY_KIND_{name.upper()}")
    for name in ("quarantine", "shared_service", "isolation", "application", "vdi")
}
ICMP = Service(protocol=security_pb2.SERVICE_PROTOCOL_ICMP)
ICMP6 = Service(protocol=security_pb2.SERVICE_PROTOCOL_ICMPV6)
_BUFFER_BYTES = 8 << 20


def category(category_id: str) -> security_pb2.Category:
    """Return a category."""
    return security_pb2.Category(name=f"categories/{category_id}", key="e2e", value=category_id)


def entities(
    group_id: str, *include: Sequence[str], but: Sequence[Sequence[str]] = ()
) -> security_pb2.EntityGroup:
    """Return an entity group; each selector is what a port must be in, all of it."""
    group = security_pb2.EntityGroup(name=f"entityGroups/{group_id}")
    group.include.extend(security_pb2.EntitySelector(all_of=terms) for terms in include)
    getattr(group, "except").extend(security_pb2.EntitySelector(all_of=terms) for terms in but)
    return group


def tcp(*ports: int | tuple[int, int]) -> Service:
    """Return TCP to these ports."""
    return Service(protocol=security_pb2.SERVICE_PROTOCOL_TCP, ports=_ranges(ports))


def udp(*ports: int | tuple[int, int]) -> Service:
    """Return UDP to these ports."""
    return Service(protocol=security_pb2.SERVICE_PROTOCOL_UDP, ports=_ranges(ports))


def rule(
    name: str,
    direction: int,
    *services: Service,
    peers: Sequence[str] = (),
    action: int = ALLOW,
    **fields: object,
) -> Rule:
    """Return a rule: allow unless `action` says otherwise."""
    made = Rule(name=name, direction=direction, action=action, peers=peers, services=services)  # type: ignore[arg-type]
    made.MergeFrom(Rule(**fields))  # type: ignore[arg-type]
    return made


def policy(kind: str, policy_id: str, secured: Sequence[str], *rules: Rule, **fields: object) -> Policy:
    """Return a policy, enforced on all VLANs unless `fields` say otherwise."""
    given: dict[str, object] = {"mode": ENFORCE, "scope": VLANS} | fields
    name = f"securityPolicies/{policy_id}"
    return Policy(name=name, kind=KINDS[kind], secured=secured, rules=rules, **given)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Ask:
    """May `source` open this to `destination`? Names of guests; `service` is like tcp/80, udp/53 or icmp."""

    source: str
    destination: str
    service: str = "icmp"
    version: int = 4

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} {self.service} v{self.version}"


def asks(pairs: Iterable[tuple[str, str]], *services: str, versions: Sequence[int] = (4, 6)) -> list[Ask]:
    """Return every service between every pair, by IPv4 and IPv6."""
    product = itertools.product(pairs, services, versions)
    return [Ask(source, destination, service, version) for (source, destination), service, version in product]


@dataclass
class Guests:
    """Guests by the names that tests use. Two are `bystanders`: on different hosts of one subnet, in no policy."""

    here: Site
    nics: dict[str, Nic]
    bystanders: tuple[str, str]
    wires: dict[str, socket.socket] = field(default_factory=dict)
    got: dict[str, list[bytes]] = field(default_factory=dict)
    asked: int = 0
    _subnets: dict[str, network_pb2.Subnet] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(1, 40_000)))

    def passing(self, questions: Sequence[Ask]) -> set[Ask]:
        """Send all questions; return those whose packet arrived."""
        self.forget()
        numbers = {self.send(ask): ask for ask in questions}
        self.swept({ask.source for ask in questions})
        arrived = self.arrived()
        return {ask for number, ask in numbers.items() if number in arrived[ask.destination]}

    def send(self, ask: Ask) -> int:
        """Send one question; return its number."""
        number = next(self._numbers)
        frame = self.frame(number, ask)
        assert self.wires[ask.source].send(frame) == len(frame)
        self.asked += 1
        return number

    def arrived(self) -> dict[str, set[int]]:
        """Return the numbers of the questions that have come to each guest."""
        self._collect()
        return {
            name: {number for frame in got if (number := _question(frame))} for name, got in self.got.items()
        }

    def check(self, allowed: Sequence[Ask], denied: Sequence[Ask]) -> None:
        """Hold questions to what must become of them."""
        passing = self.passing([*denied, *allowed])
        wrong = [f"passes: {ask}" for ask in denied if ask in passing]
        wrong += [f"is dropped: {ask}" for ask in allowed if ask not in passing]
        assert not wrong, "\n".join(wrong)

    def forget(self) -> None:
        """Take what has come to the guests out of the way."""
        self._collect()
        self.got = {name: [] for name in self.wires}

    def swept(self, senders: set[str]) -> None:
        """Return when what the senders have sent is where it goes, or dropped."""
        for name in senders:
            nic, wanted = self.nics[name], self._neighbour(name)
            self.wires[name].send(arp_request(nic.mac_address, nic.ipv4_address, wanted))
            self._wait(name, partial(is_arp_answer, wanted=wanted))
        for source, target in itertools.permutations(self.bystanders):
            number = self.send(Ask(source, target, "udp/9"))
            self._wait(target, partial(_is_question, number=number))
        self._collect()

    def address(self, name: str, version: int = 4) -> str:
        """Return a guest's address."""
        nic = self.nics[name]
        return nic.ipv6_address if version == 6 else nic.ipv4_address

    def end(self, name: str, version: int = 4) -> End:
        """Return a guest as an end of a conversation."""
        return vpcs.guest(self.here, self.nics[name], self.address(name, version))

    def talk(self, ask: Ask) -> bool:
        """Does the whole of it work, with the answer?"""
        source, target = self.end(ask.source, ask.version), self.end(ask.destination, ask.version)
        protocol, _, port = ask.service.partition("/")
        if protocol == "icmp":
            return vpcs.ping(self.here, id_of(self.nics[ask.source]), target.address)
        return bool(getattr(talk, protocol)(source, target, target.address, int(port)))

    def frame(self, number: int, ask: Ask) -> bytes:
        """Return a question as bytes."""
        source, target = self.nics[ask.source], self.nics[ask.destination]
        protocol, _, port = ask.service.partition("/")
        packet = Packet(
            self.address(ask.source, ask.version),
            self.address(ask.destination, ask.version),
            protocol,
            20_000 + number if port else 0,
            int(port or 0),
        )
        near = source.subnet == target.subnet
        mac = target.mac_address if near else self._subnet(source.subnet).gateway_mac_address
        return render(packet, number, (source.mac_address, mac))

    @contextmanager
    def wire(self, name: str, interface: str = "eth0") -> Iterator[None]:
        """Watch the wire of a guest of ours during a block."""
        with frame_socket(self.here.namespace(self.nics[name]), interface) as wire:
            wire.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)  # SO_RCVBUFFORCE
            wire.setblocking(False)
            self.wires[name] = wire
            try:
                yield
            finally:
                del self.wires[name]

    def _neighbour(self, name: str) -> str:
        """Return an address that OVN answers ARP for on the guest's own host."""
        nic = self.nics[name]
        subnet = self._subnet(nic.subnet)
        if subnet.gateway_mac_address:
            return subnet.ipv4.gateway
        return next(
            o.ipv4_address for o in self.nics.values() if o.subnet == nic.subnet and o.name != nic.name
        )

    def _subnet(self, name: str) -> network_pb2.Subnet:
        if name not in self._subnets:
            self._subnets[name] = self.here.get_subnet(name)
        return self._subnets[name]

    def _wait(self, name: str, is_it: Callable[[bytes], bool]) -> None:
        def came() -> bool:
            self._collect(name)
            return any(map(is_it, self.got[name]))

        wait_until(came, timeout_s=5, what=f"{name} gets what nothing may drop", poll_s=0.001)

    def _collect(self, *names: str) -> None:
        for name in names or self.wires:
            self.got.setdefault(name, []).extend(_waiting(self.wires[name]))


@dataclass
class Stream:
    """Questions that are asked again and again, each time as a new connection."""

    guests: Guests
    sent: dict[int, Ask] = field(default_factory=dict)
    asking: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Ask nothing during a block; before it all that was asked is where it goes, or dropped."""
        with self.asking:
            self.guests.swept({ask.source for ask in self.sent.values()})
            yield

    def wait_for_more(self, count: int) -> None:
        """Return when so many more were sent: time measured in packets."""
        goal = len(self.sent) + count
        wait_until(lambda: len(self.sent) >= goal, timeout_s=60, what=f"{count} more questions sent")

    def passed(self, ask: Ask) -> tuple[int, int]:
        """Return how often it was asked, and how often that arrived."""
        arrived = self.guests.arrived().get(ask.destination, set())
        numbers = [number for number, asked in list(self.sent.items()) if asked == ask]
        return len(numbers), len(arrived.intersection(numbers))


@contextmanager
def streaming(guests: Guests, questions: Sequence[Ask], *, pps: int = 400) -> Iterator[Stream]:
    """Ask all these questions in turn during a block; after it all that was sent is where it goes, or dropped."""
    guests.forget()
    stream, ending = Stream(guests), threading.Event()

    def send() -> None:
        for ask in itertools.cycle(questions):
            with stream.asking:
                stream.sent[guests.send(ask)] = ask
            if ending.wait(1 / pps):
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield stream
    finally:
        ending.set()
        sender.join()
    guests.swept({ask.source for ask in questions})


@contextmanager
def wired(here: Site, nics: dict[str, Nic], bystanders: tuple[str, str]) -> Iterator[Guests]:
    """Watch the wires of guests during a block."""
    with ExitStack() as stack:
        guests = Guests(here, nics, bystanders)
        for name in nics:
            stack.enter_context(guests.wire(name))
        yield guests


def id_of(resource: Nic) -> str:
    """Return what a guest is called in the lab."""
    return resource.name.rpartition("/")[2]


def plug(here: Site, nics: Iterable[Nic]) -> None:
    """Make the guests of NICs, with their addresses of both families and the way to their gateway."""
    for nic in nics:
        here.plug(nic, address=False)
        name, subnet = id_of(nic), here.get_subnet(nic.subnet)
        gateways = (subnet.ipv4.gateway, subnet.ipv6.gateway) if subnet.gateway_mac_address else ("", "")
        here.lab.set_address(name, f"{nic.ipv4_address}/24", gateway=gateways[0])
        if nic.ipv6_address:
            here.lab.exec(name, ["ip", "addr", "add", f"{nic.ipv6_address}/64", "dev", "eth0", "nodad"])
            if gateways[1]:
                here.lab.exec(
                    name, ["ip", "-6", "route", "add", "default", "via", gateways[1], "dev", "eth0"]
                )


def _waiting(wire: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            frame, address = wire.recvfrom(65536)
        except BlockingIOError:
            return
        if address[2] != socket.PACKET_OUTGOING:
            yield frame


def _question(frame: bytes) -> int:
    """Return the number of a question, 0 when the frame is none."""
    seen = parse(frame)
    return 0 if seen is None or seen.is_reply else seen.number


def _is_question(frame: bytes, number: int) -> bool:
    return _question(frame) == number


def _ranges(ports: Sequence[int | tuple[int, int]]) -> list[vpc_pb2.PortRange]:
    pairs = [(port, port) if isinstance(port, int) else port for port in ports]
    return [vpc_pb2.PortRange(first=first, last=last) for first, last in pairs]
