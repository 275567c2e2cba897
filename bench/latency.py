"""From the call to the flows: a NIC whose tap is there is given its host, until Watch says PROGRAMMED.

Peers on the same lab, in turns: `ovn-nbctl --wait=hv lsp-add` (nothing to plug, hosts only compute flows), and the same
work by hand: ovs-vsctl plugs the tap, lsp-add, ovs-vsctl waits for ovn-installed. Then a change of a plugged NIC.
Two hosts, each with a real ovs-vswitchd (userspace datapath) and ovn-controller, northd of the distribution.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from statistics import median

from bench.figures import Figure, Target, percentile
from netctl.v1 import network_pb2, operations_pb2
from netctl.v1.operations_pb2_grpc import WatchServiceStub
from tests.e2e.site import DEADLINE_S, PROGRAMMED, Site, site

SAMPLES = 10
ATTACH, INSTALLED = "netctl, attach to PROGRAMMED", "netctl, attach to ovn-installed"
ADD, PLUG = "nbctl --wait=hv lsp-add", "by hand, plug to ovn-installed"
CHANGE, SET = "netctl, change to PROGRAMMED", "nbctl --wait=hv lsp-set-enabled"
TARGETS = (
    Target(way=ATTACH, peer=ADD, most=1.1),
    Target(way=ATTACH, peer=PLUG, most=1.1),
    Target(way=INSTALLED, peer=ADD, most=1.1),
    Target(way=CHANGE, peer=SET, most=1.1),
)
_HOST, _SUBNET, _SWITCH, _TAP = "h1", "bench", "bench-by-hand", "byhand0"
_CHUNK = 5000


def run(sizes: Sequence[int] = (10, 1000), repetitions: int = 3) -> list[Figure]:
    """Measure with so many other NICs on the same subnet, growing."""
    figures = []
    with site("latency") as here:
        here.apply(
            network_pb2.Subnet(
                name=f"subnets/{_SUBNET}",
                kind=network_pb2.SUBNET_KIND_OVERLAY,
                clusters=(f"clusters/{here.lab.topology.cluster}",),
                ipv4=network_pb2.IpConfig(cidr="10.30.0.0/16"),
            )
        )
        by_hand = _ByHand(here)
        present = 0
        for size in sorted(sizes):
            _fill(here, present, size)
            present = size
            for _ in range(repetitions):
                figures += _measure(here, by_hand, size)
    return figures


def _fill(here: Site, present: int, size: int) -> None:
    """Add floating NICs."""
    nics = [_nic(f"other-{number}") for number in range(present, size)]
    for start in range(0, len(nics), _CHUNK):
        edits = [
            operations_pb2.Edit(create=operations_pb2.Resource(nic=nic))
            for nic in nics[start : start + _CHUNK]
        ]
        request = operations_pb2.BatchRequest(edits=edits, omit_resources=True)
        here.batches.Batch(request, timeout=DEADLINE_S)
    here.add("last", _SUBNET, _HOST)  # its flows are there after those of all others
    here.discard(here.get_nic("nics/last"))


def _measure(here: Site, by_hand: _ByHand, size: int) -> list[Figure]:
    taken: dict[str, list[float]] = {way: [] for way in (ADD, PLUG, SET, INSTALLED, ATTACH, CHANGE)}
    for number in range(SAMPLES):
        taken[ADD].append(_seconds(by_hand.add))
        by_hand.remove()
        taken[PLUG].append(_seconds(by_hand.plug_and_add))
        taken[SET].append(_seconds(by_hand.disable))
        by_hand.remove()
        nic = here.create_nic(_nic(f"probe-{number}"))
        nic.host = f"hosts/{_HOST}"
        here.plug(nic, address=False)
        programmed_s = _until_programmed(here, nic, "host")
        began = time.time() - programmed_s
        taken[ATTACH].append(programmed_s)
        taken[INSTALLED].append(by_hand.installed_at(nic.tap_name) - began)
        nic.connected = False
        taken[CHANGE].append(_until_programmed(here, nic, "connected"))
        here.discard(nic)
        by_hand.settle()
    return [
        Figure(bench="latency", way=way, size=size, seconds=median(seconds), p99_s=percentile(seconds, 99))
        for way, seconds in taken.items()
    ]


def _until_programmed(here: Site, nic: network_pb2.Nic, field: str) -> float:
    """Change a field; return the seconds from the call until the stream says that the change is in the network."""
    request = operations_pb2.WatchRequest(names=[nic.name])
    stream = WatchServiceStub(here.channel).Watch(request, timeout=DEADLINE_S)
    for event in stream:
        if event.kind == operations_pb2.EVENT_KIND_SYNCED:
            break
    began = time.monotonic()
    revision = here.update_nic(nic, field).revision
    for event in stream:
        status = event.resource.nic.status
        if status.phase == PROGRAMMED and status.revision >= revision:
            break
    seconds = time.monotonic() - began
    stream.cancel()
    return seconds


class _ByHand:
    """A port of a switch of its own, and a tap for it, by OVN's and OVS' tools."""

    def __init__(self, here: Site) -> None:
        self._northbound = f"--db=unix:{here.lab.place('central').directory}/nb.sock"
        self._open_vswitch = f"--db=unix:{here.lab.place(_HOST).directory}/db.sock"
        here.lab.add_guest(_HOST, _TAP, "0a:00:00:00:00:02")
        self._nbctl("ls-add", _SWITCH)

    def add(self) -> None:
        mac_and_address = "0a:00:00:00:00:02 10.31.0.2"
        port = ["--", "lsp-set-addresses", _TAP, mac_and_address, "--", "lsp-set-port-security", _TAP]
        self._nbctl("lsp-add", _SWITCH, _TAP, *port, mac_and_address)

    def plug_and_add(self) -> None:
        marks = ["--", "set", "Interface", _TAP, f"external_ids:iface-id={_TAP}"]
        self._vsctl("add-port", "brAtlas", _TAP, *marks)
        self.add()

        self._vsctl("wait-until", "Interface", _TAP, "external_ids:ovn-installed=true")

    def installed_at(self, tap: str) -> float:
        """Return when (time.time) ovn-controller saw the flows of an interface installed, as it noted."""
        noted = self._vsctl("get", "Interface", tap, "external_ids:ovn-installed-ts")
        return int(noted.strip().strip('"')) / 1000

    def disable(self) -> None:
        self._nbctl("lsp-set-enabled", _TAP, "disabled")

    def remove(self) -> None:
        self._vsctl("--if-exists", "del-port", "brAtlas", _TAP)
        self._nbctl("lsp-del", _TAP)

    def settle(self) -> None:
        """Return when everybody has worked off everything."""
        self._nbctl("sync")

    def _nbctl(self, *arguments: str) -> None:
        subprocess.run(["ovn-nbctl", self._northbound, "--timeout=60", "--wait=hv", *arguments], check=True)

    def _vsctl(self, *arguments: str) -> str:
        command = ["ovs-vsctl", self._open_vswitch, "--timeout=60", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _nic(name: str) -> network_pb2.Nic:
    return network_pb2.Nic(name=f"nics/{name}", subnet=f"subnets/{_SUBNET}")


def _seconds(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
