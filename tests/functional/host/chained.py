"""A real host with guests, network functions and a wire, and frames between them.

The far end of each veth is in the host's own namespace: `x-tap1` is the guest, `x-eth1` the wire. A network function is
a Linux bridge between the far ends of its two taps, or a forwarder of ours that can be told what to do.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from netctl_host import tap_socket
from netctl_host.assignment import Assignment, NicAssignment
from netctl_host.assignment_chains import Chain, Function, Pair, Segment, ServiceChains, SteeringRule
from netctl_host.learn_frames import Frame
from pyroute2 import IPRoute

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import SETTINGS, converge, settled
from tests.unit.host.samples import assign, nic, uplink

GUEST_MAC, WIRE_MAC = "50:6b:8d:00:00:01", "50:6b:8d:00:00:99"
ALL = SteeringRule(priority=1, chain_id="c")
_MARK = b"netctl"
_numbers = itertools.count(1)


def function(name: str, *, fail_open: bool = False, pairs: int = 1, tap: bool = False) -> Function:
    """Return a function with fast probes; its taps are {name}{pair}i and {name}{pair}o."""
    sides = [f"{name}{number}" for number in range(1, pairs + 1)]
    return Function(
        function_id=name,
        tap=tap,
        fail_open=fail_open,
        pairs=tuple(Pair(ingress_tap=f"{one}i", egress_tap="" if tap else f"{one}o") for one in sides),
        interval_ms=0 if tap else 50,
        timeout_ms=0 if tap else 200,
        success_threshold=2,
        failure_threshold=2,
    )


def chained(*functions: Function, rules: tuple[SteeringRule, ...] = (ALL,), basic: bool = True) -> Assignment:
    """Return tap1 in VLAN 10, whose frames pass the functions."""
    guest = replace(nic(1), bridge="br0.local" if basic else "", vlan_id=10 if basic else 0)
    taps = [
        tap for one in functions for pair in one.pairs for tap in (pair.ingress_tap, pair.egress_tap) if tap
    ]
    own = [replace(nic(100 + at), tap_name=tap, bridge="br.nf") for at, tap in enumerate(taps)]
    segment = Segment(
        subnet_id="s",
        localnet="" if basic else "ln",
        local_bridge="br0.local" if basic else "",
        uplink_bridge="br0",
        vlan_id=10,
        rules=rules,
    )
    chain = Chain(chain_id="c", function_ids=tuple(one.function_id for one in functions))
    return with_chains(
        (guest, *own), ServiceChains(functions=functions, chains=(chain,), segments=(segment,))
    )


def with_chains(nics: tuple[NicAssignment, ...], chains: ServiceChains) -> Assignment:
    """Return an assignment with one uplink."""
    return replace(assign(uplink(0, "eth1"), nics=nics), service_chains=chains)


def udp(source: str, destination: str, port: int, vlan: int = 0) -> tuple[bytes, bytes]:
    """Return a frame, and the mark in it by which it is known again."""
    mark = _MARK + struct.pack("!Q", next(_numbers))
    body = struct.pack("!HHHH", 4000, port, 8 + len(mark), 0) + mark
    packet = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(body), 0, 64, 17, 0)
    ends = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.99")
    packet += b"".join(ends if source == GUEST_MAC else ends[::-1]) + body
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    macs = bytes.fromhex((destination + source).replace(":", ""))
    return (macs + tag + b"\x08\0" + packet).ljust(64, b"\0"), mark


class Forwarder:
    """A network function on a thread: passes on what `passes` says, and counts what `udp` made, by its way."""

    def __init__(self, host: NamespaceHost, name: str) -> None:
        self.passes: Callable[[bytes], bool] = lambda _data: True
        self.counts = [0, 0]
        self._host = host
        with host.inside():
            self._ends = [tap_socket.open_on(f"x-{name}{side}", _everything()) for side in "io"]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it: its links keep their carrier."""
        self._closing.set()
        self._thread.join()
        for end in self._ends:
            end.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for at, end in enumerate(self._ends):
                selector.register(end, selectors.EVENT_READ, at)
            while not self._closing.is_set():
                for key, _ in selector.select(0.02):
                    with suppress(OSError):
                        frame = tap_socket.receive(self._ends[key.data])
                        if not frame.to_guest and self.passes(frame.data):
                            self.counts[key.data] += _MARK in frame.data
                            self._ends[1 - key.data].send(wire_bytes(frame))


def wire_bytes(frame: Frame) -> bytes:
    """Return the frame with the tag that the kernel took out of it."""
    if frame.tag is None:
        return frame.data
    return frame.data[:12] + struct.pack("!HH", 0x8100, frame.tag) + frame.data[12:]


def _everything() -> bytes:
    return tap_socket.assemble()


class ChainedHost:
    """A host with tap1 and eth1, and what the tests add."""

    def __init__(self, host: NamespaceHost) -> None:
        self.host = host
        self.assignment = assign()
        for link in ("eth1", "tap1"):
            self.add(link)

    def add(self, link: str) -> None:
        """A link appears, up, without offloads at its far end."""
        self.host.add_link(link)
        self.host.set_link(link, "up")

    def add_bridge(self, name: str) -> None:
        """A network function appears: a Linux bridge."""
        for side in "io":
            self.add(f"{name}{side}")
        with self.host.inside(), IPRoute() as ip:
            ip.link("add", ifname=f"b-{name}", kind="bridge")
            bridge = ip.link_lookup(ifname=f"b-{name}")[0]
            for side in "io":
                ip.link("set", index=ip.link_lookup(ifname=f"x-{name}{side}")[0], master=bridge)
            ip.link("set", index=bridge, state="up")

    @contextmanager
    def forwarder(self, name: str) -> Iterator[Forwarder]:
        """A network function appears: a forwarder, until the end of the block."""
        for side in "io":
            self.add(f"{name}{side}")
        made = Forwarder(self.host, name)
        try:
            yield made
        finally:
            made.close()

    def look(self, assignment: Assignment) -> None:
        """Do passes of the agent until nothing is left."""
        self.assignment = assignment
        converge(self.host, assignment)
        wait_until(lambda: settled(self.host), timeout_s=10, what="ovs-vswitchd is done")
        converge(self.host, assignment)
        assert self.host.serve(assignment, self.host.read_state(), SETTINGS) == ()

    def active(self) -> dict[str, str]:
        """Return the pair in use of each function."""
        return {one.function_id: one.active_ingress_tap for one in self.host.read_state().functions}

    def wait_for_active(self, **wanted: str) -> None:
        """Wait until these pairs are in use."""
        wait_until(lambda: self.active() == wanted, timeout_s=5, what=f"{wanted} in use, not {self.active()}")

    @contextmanager
    def ear(self, link: str) -> Iterator[Callable[[bytes], bool]]:
        """Listen at a far end; what is given says whether a mark has come."""
        heard = bytearray()
        with self.host.inside():
            opened = tap_socket.open_on(link, _everything(), buffer_bytes=1 << 20)

        def has(mark: bytes) -> bool:
            with suppress(BlockingIOError):
                while True:
                    frame = tap_socket.receive(opened)
                    if not frame.to_guest:
                        heard.extend(wire_bytes(frame))
            return mark in heard

        try:
            yield has
        finally:
            opened.close()

    def send(self, link: str, frame: bytes) -> None:
        """A far end sends a frame."""
        with self.host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((link, 0))
            sender.send(frame)

    def out(self, port: int = 80) -> tuple[str, str, bytes, bytes]:
        """Return from, to, frame and mark of something from the guest to the wire."""
        return "x-tap1", "x-eth1", *udp(GUEST_MAC, WIRE_MAC, port)

    def back(self, port: int = 80) -> tuple[str, str, bytes, bytes]:
        """Return from, to, frame and mark of something from the wire to the guest."""
        return "x-eth1", "x-tap1", *udp(WIRE_MAC, GUEST_MAC, port, vlan=10)

    def arrives(self, make: Callable[[], tuple[str, str, bytes, bytes]], *, timeout_s: float = 5.0) -> None:
        """Send until one arrives: the first ones may meet a switch that is still learning its flows."""
        there = make()[1]
        marks: list[bytes] = []
        with self.ear(there) as has:

            def once() -> bool:
                link, _, frame, mark = make()
                marks.append(mark)
                self.send(link, frame)
                return any(has(mark) for mark in marks)

            wait_until(once, timeout_s=timeout_s, what=f"a frame arrives at {there}", poll_s=0.01)
