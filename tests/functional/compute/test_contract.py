"""One contract for the fake libvirt and the real driver: the same calls show the same domains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from netctl_compute.assignment import VmAssignment
from netctl_compute.domain_found import find_disk, find_nic, with_link, with_medium
from netctl_compute.domain_xml import Found, Start, render_disk, render_domain, render_metadata
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.parts import Hypervisor
from netctl_compute.reported import RunState
from netctl_compute.settings import Settings
from netctl_compute.state import Domain, HowEnded
from netctl_compute.storage_state import DiskFile, VmStorage
from netctl_compute.tpm import secret_xml
from netctl_compute.tpm_secret import secret_uid

from netctl.errors import NetctlError, NotFound
from netctl.loop import Wake, wait_until
from tests.fakes.libvirt import FakeLibvirt
from tests.functional.compute.libvirt_host import libvirt_hosts
from tests.unit.compute.samples import MIB, cdrom, disk, nic, uid_of, vm

SETTINGS = Settings(domain_type="qemu", tap_offloads=False)
START = Start(power_epoch=4, reset_epoch=1, time_s=12.5)
FOREIGN = """
<domain type='qemu'>
  <name>{}</name><uuid>{}</uuid><memory>16384</memory><os><type>hvm</type></os>
</domain>
"""


@dataclass(frozen=True)
class World:
    """A hypervisor, files, and how a foreign domain is made."""

    hypervisor: Hypervisor
    directory: Path
    add_foreign: Callable[[str, str], None]
    add_tap: Callable[[str], None]

    def start(self, machine: VmAssignment, *, paused: bool = False) -> None:
        found = Found(storage=VmStorage(ready=True, disks=self.files(machine)))
        for interface in machine.nics:
            self.add_tap(interface.tap_name)
        self.hypervisor.start(machine.uid, render_domain(machine, found, SETTINGS, START), paused=paused)

    def files(self, machine: VmAssignment) -> dict[str, DiskFile]:
        files = {}
        for each in machine.disks:
            if each.size_bytes:
                path = self.directory / f"{each.uid}.raw"
                with path.open("ab") as file:
                    file.truncate(each.size_bytes)
                files[each.uid] = DiskFile(path=path, format="raw")
        return files

    def domain(self, uid: str) -> Domain:
        return self.hypervisor.read_domains()[0][uid]

    def sees(self, uid: str, seen: Callable[[Domain], object], what: str) -> None:
        wait_until(lambda: seen(self.domain(uid)), timeout_s=20, what=what)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest, short_path: Path) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeLibvirt()
        yield World(fake, short_path, fake.add_foreign, lambda tap: None)
        return
    with libvirt_hosts(short_path / "hosts", 1) as (host,):
        driver = LibvirtDriver(host.uri, Wake())

        def add_foreign(name: str, uid: str) -> None:
            file = short_path / "foreign.xml"
            file.write_text(FOREIGN.format(name, uid))
            host.virsh("create", str(file))

        def add_tap(name: str) -> None:
            host.run("ip", "tuntap", "add", name, "mode", "tap", "vnet_hdr")

        try:
            yield World(driver, short_path, add_foreign, add_tap)
        finally:
            driver.close()


def test_a_domain_comes_changes_and_goes(world: World) -> None:
    machine = vm(num_vcpus=1)
    world.start(machine, paused=True)
    domain = world.domain(machine.uid)
    assert (domain.vm, domain.run_state) == ("vm1", RunState.PAUSED)
    assert (domain.power_epoch, domain.reset_epoch, domain.start_time_s) == (4, 1, 12.5)
    world.hypervisor.resume(machine.uid)
    assert world.domain(machine.uid).run_state is RunState.RUNNING
    world.hypervisor.press_power(machine.uid)
    world.hypervisor.reset(machine.uid, render_metadata(replace(domain, reset_epoch=7)))
    assert world.domain(machine.uid).reset_epoch == 7
    world.hypervisor.pause(machine.uid)
    assert world.domain(machine.uid).run_state is RunState.PAUSED
    world.hypervisor.destroy(machine.uid)
    assert world.hypervisor.read_domains() == ({}, ())
    ended: dict[str, HowEnded] = {}

    def told() -> bool:
        ended.update(world.hypervisor.take_ended())
        return bool(ended)

    wait_until(told, timeout_s=10, what="how it ended is told")
    assert ended == {machine.uid: HowEnded.DESTROYED}
    assert world.hypervisor.take_ended() == {}


def test_what_is_gone_is_not_found_and_what_is_there_is_not_made_twice(world: World) -> None:
    machine = vm()
    for call in (world.hypervisor.destroy, world.hypervisor.pause, world.hypervisor.read_xml):
        with pytest.raises(NotFound):
            call(machine.uid)
    world.start(machine)
    with pytest.raises(NetctlError, match="already"):
        world.start(machine)
    with pytest.raises(NetctlError, match="No-Such-Model"):
        world.start(vm("vm2", cpu_model="No-Such-Model"))
    assert list(world.hypervisor.read_domains()[0]) == [machine.uid]


def test_foreign_domains_are_told_apart(world: World) -> None:
    world.start(vm())
    world.add_foreign("foreign", uid_of("foreign"))
    ours, unknown = world.hypervisor.read_domains()
    assert list(ours) == [vm().uid]
    assert [(found.name, found.uid, found.running) for found in unknown] == [
        ("foreign", uid_of("foreign"), True)
    ]


def test_devices_are_changed_while_it_runs(world: World) -> None:
    machine = vm(disks=(cdrom("vm1"), disk("vm1")), nics=(nic("vm1"),))
    world.start(machine)
    hypervisor, uid = world.hypervisor, machine.uid
    xml = hypervisor.read_xml(uid)
    tap = machine.nics[0].tap_name
    medium = world.directory / "medium & more.iso"
    medium.write_bytes(bytes(MIB))
    hypervisor.update(uid, with_medium(xml, "hda", str(medium)))
    assert [each.path for each in world.domain(uid).disks if each.target == "hda"] == [str(medium)]
    hypervisor.update(uid, with_medium(hypervisor.read_xml(uid), "hda", ""))
    assert [each.path for each in world.domain(uid).disks if each.target == "hda"] == [""]
    hypervisor.update(uid, with_link(xml, tap, up=False))
    assert [each.link_up for each in world.domain(uid).nics] == [False]
    more = disk("vm1", 1)
    whole = replace(machine, disks=(*machine.disks, more))
    device = render_disk(more, Found(storage=VmStorage(ready=True, disks=world.files(whole))))
    hypervisor.attach(uid, device)
    assert more.uid in {each.uid for each in world.domain(uid).disks}
    with pytest.raises(NetctlError, match="alias"):
        hypervisor.attach(uid, device)
    hypervisor.grow_disk(uid, "sdb", 16 * MIB)
    with pytest.raises(NetctlError, match="sdz"):
        hypervisor.grow_disk(uid, "sdz", 16 * MIB)
    # Of SCSI's disks QEMU lets go without its guest.
    hypervisor.detach(uid, find_disk(hypervisor.read_xml(uid), "sdb"))
    world.sees(uid, lambda domain: more.uid not in {each.uid for each in domain.disks}, "detached")
    assert tap in find_nic(hypervisor.read_xml(uid), tap)


def test_secrets_come_and_go(world: World) -> None:
    uid = secret_uid(vm().uid)
    world.hypervisor.set_secret(secret_xml(vm().uid), b"hush")
    world.hypervisor.set_secret(secret_xml(vm().uid), b"again")
    assert world.hypervisor.read_secrets() == {uid}
    world.hypervisor.remove_secret(uid)
    world.hypervisor.remove_secret(uid)
    assert world.hypervisor.read_secrets() == frozenset()
