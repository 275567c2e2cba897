"""Virtual machines on real libvirtd and QEMU: the agent makes them as assigned, and nothing that dies takes them along.

The guests have no operating system: QEMU's firmware finds nothing to boot, which is enough for whatever libvirt does
with a guest.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from netctl_compute.assignment import (
    DiskBus,
    Firmware,
    MachineType,
    PowerState,
    RestartPolicy,
    VmAssignment,
    VmRole,
)
from netctl_compute.domain_found import parse_domain
from netctl_compute.domain_xml import Found, Start, render_domain
from netctl_compute.plan_hot import pending_restart
from netctl_compute.settings import Settings
from netctl_compute.storage_state import DiskFile, FirmwareFiles, VmStorage

from netctl.loop import wait_until
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2
from tests.functional.compute.compute_agent import ComputeAgent, compute_agent
from tests.functional.compute.libvirt_host import PrivateLibvirt
from tests.unit.compute.samples import MIB, assign, cdrom, disk, nic, uid_of, vm

RUNNING = compute_pb2.VM_RUN_STATE_RUNNING
PAUSED = compute_pb2.VM_RUN_STATE_PAUSED
ABSENT = compute_pb2.VM_RUN_STATE_ABSENT
CRASHED = compute_pb2.VM_RUN_STATE_CRASHED
SHUT_DOWN = compute_pb2.VM_RUN_STATE_SHUT_DOWN
SHUTTING_DOWN = compute_pb2.VM_RUN_STATE_SHUTTING_DOWN

OFF, ON = PowerState.OFF, PowerState.ON
# A guest in 19 bytes: it writes "hi" to its serial port and switches itself off (PIIX4's PM1a control register).
_HI_AND_OFF = bytes.fromhex("b068 baf803 ee b069 ee ba0406 b80020 ef f4 ebfd")
SHORT_LIFE = (_HI_AND_OFF.ljust(510, b"\0") + b"\x55\xaa").ljust(MIB, b"\0")
FOREIGN = """
<domain type='qemu'>
  <name>foreign</name><memory unit='MiB'>16</memory><os><type machine='pc'>hvm</type></os>
</domain>
"""


@pytest.fixture
def agent(libvirt_host: PrivateLibvirt, short_path: Path) -> Iterator[ComputeAgent]:
    with compute_agent(libvirt_host, short_path / "agent") as agent:
        yield agent


def state_of(report: pb.ComputeReport, name: str = "vm1") -> int:
    return next((found.run_state for found in report.vms if found.vm_id == name), ABSENT)


def live(agent: ComputeAgent, name: str = "vm1") -> ET.Element:
    return ET.fromstring(agent.host.virsh("dumpxml", name))


def taps(agent: ComputeAgent) -> set[str]:
    links = agent.host.run("ip", "-o", "link", "show", "type", "tun").splitlines()
    return {line.split(": ")[1] for line in links}


def full(name: str = "vm1") -> VmAssignment:
    """A machine with one of everything that needs no guest."""
    return vm(
        name,
        disks=(disk(name), disk(name, 1, bus=DiskBus.PCI), cdrom(name)),
        nics=(nic(name), nic(name, 1, queues=2)),
        num_vcpus=2,
        generation_id=uid_of(f"{name}/genid"),
        description="A <b>web</b> server & \x00more",
    )


def test_on_and_off_again_leaves_disks_alone(agent: ComputeAgent) -> None:
    report = agent.settled(assign(full()))
    assert state_of(report) == RUNNING
    (said,) = report.vms
    assert said.power_epoch == 1
    assert said.console_address == "vnc://127.0.0.1:5900"
    assert said.start_time.seconds > 0
    assert set(said.disk_bytes.values()) == {8 * MIB}
    assert not said.pending_restart
    assert taps(agent) == {interface.tap_name for interface in full().nics}
    assert agent.host.virsh("list", "--persistent", "--all").split() == []
    agent.host.run("sh", "-c", 'test -n "$(ls /sys/class/net)"')
    report = agent.settled(assign(replace(full(), power_state=OFF), revision=2))
    assert state_of(report) == ABSENT
    assert agent.host.qemu_pids() == []
    assert taps(agent) == set()
    assert len(list(agent.store.glob("vms/*/*.qcow2"))) == 2


def test_everything_of_a_removed_machine_is_gone(agent: ComputeAgent) -> None:
    agent.settled(assign(full(), vm("vm2")))
    agent.settled(assign(replace(full(), role=VmRole.REMOVE, power_state=OFF), vm("vm2"), revision=2))
    assert len(agent.host.qemu_pids()) == 1  # the other one
    assert taps(agent) == set()
    assert list(agent.store.glob("vms/*/*")) == []
    assert list(agent.state.glob(f"serial/{full().uid}*")) == []


def test_power_states_follow_the_assignment(agent: ComputeAgent) -> None:
    small = vm(num_vcpus=1)
    report = agent.settled(assign(replace(small, power_state=PowerState.PAUSED)))
    assert state_of(report) == PAUSED
    (pid,) = agent.host.qemu_pids()
    assert state_of(agent.settled(assign(small, revision=2))) == RUNNING
    report = agent.settled(assign(replace(small, power_state=PowerState.PAUSED), revision=3))
    assert state_of(report) == PAUSED
    # Somebody's hand on it is put right.
    agent.settled(assign(small, revision=4))
    agent.host.virsh("suspend", "vm1")
    wait_until(lambda: agent.host.virsh("domstate", "vm1").strip() == "running", timeout_s=20, what="resumed")
    report = agent.settled(assign(replace(small, reset_epoch=3), revision=5))
    assert report.vms[0].reset_epoch == 3
    assert agent.host.qemu_pids() == [pid]  # it was the same guest all the time


def test_a_guest_that_does_not_shut_down_is_waited_for(agent: ComputeAgent) -> None:
    agent.settled(assign(vm()))
    agent.assign(assign(replace(vm(), power_state=OFF, graceful_off=True), revision=2))
    agent.wait(lambda report: state_of(report) == SHUTTING_DOWN, "asked to shut down")
    assert len(agent.host.qemu_pids()) == 1
    agent.settled(assign(replace(vm(), power_state=OFF), revision=3))
    assert agent.host.qemu_pids() == []


def test_what_crashed_comes_back_by_its_policy(agent: ComputeAgent) -> None:
    always, never = vm("always"), vm("never", restart_policy=RestartPolicy.NEVER)
    agent.settled(assign(always, never))
    before = agent.host.qemu_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    report = agent.wait(
        lambda report: (
            state_of(report, "always") == RUNNING
            and state_of(report, "never") == CRASHED
            and not set(agent.host.qemu_pids()) & set(before)
        ),
        "one is back, one is not",
    )
    said = next(found for found in report.vms if found.vm_id == "never")
    assert said.reason == "ENDED"
    assert "policy (never)" in said.problem
    # Switched on again, it starts: the epoch grew.
    agent.settled(assign(always, replace(never, power_epoch=2), revision=2))
    agent.wait(lambda report: state_of(report, "never") == RUNNING, "switched on again")


def test_a_guest_that_switches_itself_off_stays_off(agent: ComputeAgent) -> None:
    agent.controller.images["short"] = SHORT_LIFE
    image: dict[str, Any] = {
        "image": "short",
        "image_sha256": hashlib.sha256(SHORT_LIFE).hexdigest(),
        "size_bytes": MIB,
    }
    machine = vm("short", disks=(disk("short", **image),))
    always = vm("always", disks=(disk("always", **image),), restart_policy=RestartPolicy.ALWAYS)
    agent.assign(assign(machine, always))
    report = agent.wait(lambda report: state_of(report, "short") == SHUT_DOWN, "it switched itself off")
    said = next(found for found in report.vms if found.vm_id == "short")
    assert "the guest shut itself down" in said.problem
    log = agent.state / "serial" / f"{machine.uid}.log"
    assert b"hi" in log.read_bytes()
    # The other one, by its policy, lives again and again.
    again = agent.state / "serial" / f"{always.uid}.log"
    wait_until(lambda: again.read_bytes().count(b"hi") >= 2, timeout_s=30, what="started again")
    assert log.read_bytes().count(b"hi") == 1


def test_nothing_happens_to_guests_when_libvirtd_is_killed(agent: ComputeAgent) -> None:
    assignment = assign(full(), vm("vm2"))
    agent.settled(assignment)
    before = sorted(agent.host.qemu_pids())
    agent.host.kill()
    agent.wait(lambda report: not report.libvirt_connected, "libvirtd is missed")
    agent.host.start()
    agent.wait(lambda report: report.libvirt_connected and state_of(report) == RUNNING, "libvirtd is back")
    assert sorted(agent.host.qemu_pids()) == before
    # It is the old connection's place: events come again.
    agent.host.virsh("destroy", "vm2")
    agent.wait(lambda report: state_of(report, "vm2") == RUNNING, "vm2 is back")
    wait_until(lambda: len(agent.host.qemu_pids()) == 2, timeout_s=20, what="both run")


def test_nothing_happens_to_guests_when_the_agent_is_killed(agent: ComputeAgent) -> None:
    assignment = assign(full(), vm("vm2", restart_policy=RestartPolicy.NEVER))
    agent.settled(assignment)
    before = sorted(agent.host.qemu_pids())
    starts = agent.log.read_text().count("StartDomain")
    agent.kill()
    agent.controller.stop()
    # Without its controller, from what it wrote down.
    agent.start()
    agent.controller.reports.clear()
    wait_until(
        lambda: agent.log.read_text().count("connected to libvirtd") == 2, timeout_s=20, what="it is back"
    )
    agent.controller.start()
    agent.wait(lambda report: state_of(report) == RUNNING, "what runs is reported")
    assert sorted(agent.host.qemu_pids()) == before
    assert agent.log.read_text().count("StartDomain") == starts
    agent.kill()
    agent.host.virsh("destroy", "vm2")
    agent.controller.reports.clear()
    agent.start()
    agent.wait(lambda report: state_of(report, "vm2") == CRASHED, "what ended meanwhile is not started")
    assert len(agent.host.qemu_pids()) == 1


def test_foreign_domains_are_reported_and_never_touched(agent: ComputeAgent) -> None:
    file = agent.host.host.directory / "foreign.xml"
    file.write_text(FOREIGN)
    agent.host.virsh("create", str(file))
    (foreign,) = agent.host.qemu_pids()
    agent.settled(assign(vm("vm1"), vm("vm2")))
    report = agent.wait(lambda report: len(report.unknown_domains) == 1, "foreign domain reported")
    assert report.unknown_domains[0].name == "foreign"
    # Ours, whose assignment is gone: nobody's, and untouched.
    report = agent.settled(assign(vm("vm1"), revision=2))
    assert [domain.name for domain in report.unknown_domains] == ["foreign", "vm2"]
    assert len(agent.host.qemu_pids()) == 3
    agent.settled(assign(revision=3))
    assert foreign in agent.host.qemu_pids()
    assert len(agent.host.qemu_pids()) == 3
    # A machine of the same name cannot be made beside it, and says so.
    agent.assign(assign(vm("foreign"), revision=4))
    report = agent.wait(lambda report: report.vms and report.vms[0].reason, "name taken")
    assert report.vms[0].reason == "NAME_TAKEN"
    assert foreign in agent.host.qemu_pids()


def test_one_that_cannot_start_stops_no_other(agent: ComputeAgent) -> None:
    agent.assign(assign(vm("bad", cpu_model="No-Such-Model"), vm("good")))
    report = agent.wait(
        lambda report: state_of(report, "good") == RUNNING and report.vms[0].problem, "one runs, one says why"
    )
    assert report.vms[0].reason == "START_FAILED"
    assert "No-Such-Model" in report.vms[0].problem
    assert report.assignment_revision == 0


def test_changes_while_it_runs(agent: ComputeAgent) -> None:
    before = full()
    agent.settled(assign(before))
    (pid,) = agent.host.qemu_pids()
    first, second = before.nics
    grown = replace(before.disks[0], size_bytes=16 * MIB)
    after = replace(
        before,
        memory_mib=64,
        disks=(grown, *before.disks[1:], disk("vm1", 2), disk("vm1", 3, bus=DiskBus.PCI)),
        nics=(replace(first, disconnected=True), second, nic("vm1", 2)),
    )
    report = agent.settled(assign(after, revision=2))
    report = agent.wait(
        lambda report: list(report.vms[0].pending_restart) == ["memory_mib"], "all but the memory is changed"
    )
    assert report.vms[0].disk_bytes[grown.uid] == 16 * MIB
    assert agent.host.qemu_pids() == [pid]
    xml = live(agent)
    assert len(xml.findall("devices/disk[@device='disk']")) == 4
    assert [link.get("state") for link in xml.findall("devices/interface/link")] == ["down", "up", "up"]
    assert len(taps(agent)) == 3
    assert "16777216" in agent.host.virsh("domblkinfo", "vm1", "sda")
    agent.settled(assign(replace(after, nics=(first, *after.nics[1:])), revision=3))
    assert live(agent).find("devices/interface/link[@state='down']") is None


def test_every_kind_of_machine_is_taken_by_libvirt(agent: ComputeAgent) -> None:
    machines = (
        vm("numa", num_vcpus=2, num_cores_per_vcpu=2, num_vnuma_nodes=2, memory_mib=64),
        vm("overcommit", memory_overcommit=True),
        vm("cpu", cpu_model="Nehalem"),
        vm("passthrough", cpu_passthrough=True),
        vm("q35", machine_type=MachineType.Q35, disks=(cdrom("q35", bus=DiskBus.SATA), disk("q35"))),
        vm("efi", firmware=Firmware.UEFI, memory_mib=64, disks=(disk("efi"),), nics=(nic("efi"),)),
    )
    report = agent.settled(assign(*machines))
    for said in report.vms:
        assert said.run_state == RUNNING, said
        assert list(said.pending_restart) == [], said
        agent.host.virsh("dumpxml", said.vm_id)
    said = next(found for found in report.vms if found.vm_id == "cpu")
    assert said.cpu_model == "Nehalem"
    # A port is kept for what is plugged in later.
    more = replace(
        machines[4], disks=(*machines[4].disks, disk("q35", 5, bus=DiskBus.PCI)), nics=(nic("q35"),)
    )
    report = agent.settled(assign(*machines[:4], more, machines[5], revision=2))
    agent.wait(lambda report: not any(said.pending_restart for said in report.vms), "plugged into Q35")


def test_libvirts_schema_knows_everything_that_is_written(libvirt_host: PrivateLibvirt) -> None:
    file = DiskFile(path=Path("/nowhere/disk"), format="qcow2")
    firmware = FirmwareFiles(code=Path("/nowhere/code"), variables=Path("/nowhere/vars"), secure_boot=True)
    machine = replace(
        full(),
        firmware=Firmware.UEFI,
        secure_boot=True,
        machine_type=MachineType.Q35,
        vtpm=True,
        memory_overcommit=True,
        cpu_model="Nehalem",
        pci_devices=("0000:3b:00.1",),
        disks=tuple(disk("vm1", index, bus=bus) for index, bus in enumerate((DiskBus.SATA, DiskBus.SCSI))),
    )
    storage = VmStorage(
        ready=True,
        disks={disk.uid: file for disk in machine.disks},
        seed=replace(file, format="raw"),
        firmware=firmware,
    )
    found = Found(storage=storage, serial_log="/nowhere/log", mdevs=(uid_of("mdev"),))
    for settings in (Settings(domain_type="qemu", tap_offloads=False), Settings(domain_type="qemu")):
        start = Start(power_epoch=1, reset_epoch=0, time_s=1.5)
        path = libvirt_host.host.directory / "machine.xml"
        path.write_text(render_domain(machine, found, settings, start))
        libvirt_host.virsh("define", "--validate", str(path))
        domain = parse_domain(libvirt_host.virsh("dumpxml", "vm1"))
        assert domain is not None
        assert pending_restart(machine, domain) == ()
        libvirt_host.virsh("undefine", "--nvram", "vm1")


def test_a_libvirtd_that_hangs_is_said_and_survived(agent: ComputeAgent) -> None:
    agent.settled(assign(vm()))
    agent.host.freeze()
    try:
        agent.wait(lambda report: not report.libvirt_connected, "it is said that libvirtd hangs")
    finally:
        agent.host.thaw()
    agent.wait(lambda report: report.libvirt_connected and state_of(report) == RUNNING, "it goes on")
    assert len(agent.host.qemu_pids()) == 1
