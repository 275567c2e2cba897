"""Live migrations back and forth: how long the network is away beyond the guest's pause, and what our stages cost.

Size is how many. The guest is probed each 10 ms from a guest on every host and from beyond the uplink; the gap is of
the station that met the worst. The limit in the same run: `virsh migrate` of the same guest without NICs, in turns.
Counted: TCP connections that broke.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from bench.figures import Figure, Target, WrongCount, percentile
from netctl.lab.guest_image import guest_image
from netctl.lab.libvirt import STORE
from netctl.v1 import compute_pb2
from tests.e2e.migrations import Move, back_and_forth, probed
from tests.e2e.probes import Probes
from tests.e2e.site import site
from tests.e2e.vms import MEMORY_MIB, SUBNETS, Vms

GAP, WHOLE, COPY, BARE = (
    "network gap beyond the pause",
    "netctl, all stages",
    "netctl, copying",
    "virsh migrate",
)
TARGETS = (
    Target(way=GAP, most=0.1),
    Target(way=GAP, most=0.5, by="p99_s"),
    Target(way=COPY, peer=BARE, most=1.3),
)
_IN_TURN = 5  # migrations between two of virsh, at most
_BARE = """
<domain type='qemu'><name>bare</name><memory unit='MiB'>{memory_mib}</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>
<source file='{disk}'/><target dev='vda' bus='virtio'/></disk></devices></domain>
"""


def run(sizes: Sequence[int] = (100,), repetitions: int = 1) -> list[Figure]:
    """Measure; the number of repetitions has no part in it."""
    del repetitions
    with site("migrations", "compute-hosts", SUBNETS) as here:
        vms = Vms(here)
        vms.upload()
        vms.wait_hosts()
        vm = vms.create("moving", "vlan", host="h1")
        vms.wait_booted(vm.name)
        _start_bare(vms)
        with probed(vms, vm.name) as probes:
            return [figure for size in sizes for figure in _measure(vms, vm.name, probes, size)]


def _measure(vms: Vms, name: str, probes: Probes, size: int) -> list[Figure]:
    moves: list[Move] = []
    bare: list[float] = []
    at = ["h1", "h2"] if vms.get(name).host == "hosts/h1" else ["h2", "h1"]
    while len(moves) < size:
        bare += _bare_there_and_back(vms)
        count = min(2 * _IN_TURN, size - len(moves))
        moves += back_and_forth(vms, name, probes, at, count)
        at = at[::-1] if count % 2 else at
    if broken := [move.seen.broken for move in moves if move.seen.broken]:
        raise WrongCount(f"{len(broken)} of {size} migrations broke a TCP connection: {broken[0]}")
    gaps = [move.gap_ms / 1e3 for move in moves]
    return [
        Figure(
            bench="migrations", way=way, size=size, seconds=percentile(took, 50), p99_s=percentile(took, 99)
        )
        for way, took in (
            (GAP, gaps),
            ("network gap of the first", gaps[:1]),
            ("network gap of the last", gaps[-1:]),
            ("the guest's pause", [move.migration.evidence.pause_ms / 1e3 for move in moves]),
            (WHOLE, [_seconds(move.migration) for move in moves]),
            (COPY, [move.migration.evidence.copy_ms / 1e3 for move in moves]),
            (BARE, bare),
        )
    ]


def _seconds(migration: compute_pb2.VmMigration) -> float:
    first, last = migration.steps[0].time, migration.steps[-1].time
    return (last.ToNanoseconds() - first.ToNanoseconds()) / 1e9


def _start_bare(vms: Vms) -> None:
    """Start the same guest beside ours, without NICs, on the store that two hosts share."""
    place = vms.site.lab.place("h1")
    disk, file = place.libvirt.store / "bare.qcow2", vms.site.lab.directory / "bare.xml"
    vms.site.lab.exec("h1", ["qemu-img", "convert", "-O", "qcow2", str(guest_image()), str(disk)])
    file.write_text(_BARE.format(memory_mib=MEMORY_MIB, disk=f"{STORE}/{disk.name}"))
    vms.site.lab.exec("h1", ["virsh", "create", str(file)])


def _bare_there_and_back(vms: Vms) -> list[float]:
    took = []
    for source, destination in (("h1", "h2"), ("h2", "h1")):
        to = vms.site.lab.place(destination).libvirt
        command = ["virsh", "migrate", "--live", "--p2p", "bare", to.peer_uri, "--migrateuri", to.migrate_uri]
        began = monotonic()
        vms.site.lab.exec(source, command, timeout_s=60)
        took.append(monotonic() - began)
    return took
