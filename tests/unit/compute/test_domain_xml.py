"""Domain XML: whatever a machine is called or described by, what is read back is what was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netctl_compute.assignment import (
    BootDevice,
    DiskBus,
    Firmware,
    MachineType,
    NicModel,
    VmAssignment,
)
from netctl_compute.domain_found import find_disk, find_nic, parse_domain, with_link, with_medium
from netctl_compute.domain_xml import Found, Start, render_domain, render_metadata, target_name
from netctl_compute.plan_hot import pending_restart, shape_of
from netctl_compute.settings import Settings
from netctl_compute.storage_state import DiskFile, FirmwareFiles, VmStorage

from netctl.errors import NotFound
from tests.unit.compute.samples import cdrom, disk, nic, uid_of, vm

START = Start(power_epoch=3, reset_epoch=2, time_s=1234.5)
SETTINGS = Settings(domain_type="qemu", tap_offloads=False)
FIRMWARE = FirmwareFiles(code=Path("/fw/code"), variables=Path("/store/vars"), secure_boot=True)


def found(machine: VmAssignment, **fields: object) -> Found:
    files = {
        each.uid: DiskFile(path=Path(f"/store/<&\"'>{each.uid}"), format="qcow2")
        for each in machine.disks
        if each.size_bytes
    }
    return Found(storage=VmStorage(ready=True, disks=files, firmware=FIRMWARE), **fields)  # type: ignore[arg-type]


def render(machine: VmAssignment, settings: Settings = SETTINGS) -> str:
    return render_domain(machine, found(machine), settings, START)


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["</name><devices>", "]]>", "<!--", "&amp;lt;", "\x00\x1b\ufffe", "'\"><!DOCTYPE x", "\r\n", "\ud800"]
)
MACHINES = st.builds(
    lambda text, order, disks, nics, flags: vm(
        description=text,
        boot_order=tuple(order),
        disks=tuple(
            disk("vm1", index, bus=bus, uid=uid_of(f"{index}{bus}")) for index, bus in enumerate(disks)
        ),
        nics=tuple(
            nic("vm1", index, model=model, disconnected=bool(index % 2)) for index, model in enumerate(nics)
        ),
        memory_overcommit=flags[0],
        machine_type=MachineType.Q35 if flags[1] else MachineType.PC,
        firmware=Firmware.UEFI if flags[2] else Firmware.BIOS,
        cpu_passthrough=flags[3],
        num_vcpus=2,
        num_vnuma_nodes=2 if flags[0] else 0,
        pci_devices=("0000:3b:00.1",) if flags[3] else (),
    ),
    HOSTILE,
    st.lists(st.sampled_from(BootDevice), unique=True),
    st.lists(st.sampled_from([DiskBus.SCSI, DiskBus.PCI, DiskBus.SATA]), max_size=4),
    st.lists(st.sampled_from(NicModel), max_size=3),
    st.tuples(*[st.booleans()] * 4),
)


@given(MACHINES)
def test_what_is_written_is_read_back(machine: VmAssignment) -> None:
    domain = parse_domain(render(machine))
    assert domain is not None
    assert (domain.vm, domain.uid) == (machine.vm, machine.uid)
    assert (domain.power_epoch, domain.reset_epoch, domain.start_time_s) == (3, 2, 1234.5)
    assert domain.shape == shape_of(machine)
    assert pending_restart(machine, domain) == ()
    assert [each.uid for each in domain.disks] == [each.uid for each in machine.disks]
    assert [each.path for each in domain.disks] == [f"/store/<&\"'>{each.uid}" for each in machine.disks]
    assert [each.link_up for each in domain.nics] == [not each.disconnected for each in machine.nics]


@given(HOSTILE)
def test_a_description_never_becomes_markup(text: str) -> None:
    plain, told = (ET.fromstring(render(vm(description=each))) for each in ("x", text or "x"))
    assert [element.tag for element in plain.iter()] == [element.tag for element in told.iter()]


def test_a_domain_that_is_not_ours_is_nobodys() -> None:
    xml = render(vm())
    assert parse_domain(xml) is not None
    assert parse_domain("<domain><name>vm1</name><uuid>x</uuid></domain>") is None
    # A copy that somebody made of ours.
    assert parse_domain(xml.replace(f"<uuid>{vm().uid}</uuid>", f"<uuid>{uid_of('copy')}</uuid>")) is None
    assert parse_domain(xml.replace("<name>vm1</name>", "<name>vm2</name>")) is None


def test_metadata_that_is_set_again_keeps_everything() -> None:
    domain = parse_domain(render(vm(gpu_profiles=("nvidia-35",))))
    assert domain is not None
    before = ET.fromstring(render(vm(gpu_profiles=("nvidia-35",)))).find("metadata/{urn:netctl:vm}vm")
    after = ET.fromstring(render_metadata(replace(domain, reset_epoch=9)))
    assert before is not None
    assert dict(after.attrib) == {**before.attrib, "reset-epoch": "9"}


def test_kvm_and_emulation_get_the_cpu_that_they_can() -> None:
    def cpu(machine: VmAssignment, domain_type: str) -> dict[str, str]:
        xml = render(machine, Settings(domain_type=domain_type))
        element = ET.fromstring(xml).find("cpu")
        assert element is not None
        return dict(element.attrib)

    model = vm(cpu_model="Nehalem")
    assert cpu(model, "kvm") == {"mode": "custom", "match": "exact", "check": "partial"}
    assert cpu(model, "qemu") == {"mode": "custom", "match": "exact", "check": "none"}
    assert cpu(vm(cpu_passthrough=True), "kvm") == {"mode": "host-passthrough"}
    assert cpu(vm(cpu_passthrough=True), "qemu") == {"mode": "maximum"}
    assert cpu(vm(), "kvm") == {}


def test_guests_leave_checksums_only_to_a_host_that_completes_them() -> None:
    machine = vm(nics=(nic("vm1"),))
    off = ET.fromstring(render(machine)).find("devices/interface/driver/host")
    assert off is not None
    assert off.get("csum") == "off"
    assert ET.fromstring(render(machine, Settings())).find("devices/interface/driver") is None


def test_what_is_booted_from_is_numbered_in_order() -> None:
    machine = vm(
        disks=(disk("vm1"), cdrom("vm1"), disk("vm1", 1)),
        nics=(nic("vm1"),),
        boot_order=(BootDevice.NETWORK, BootDevice.CDROM, BootDevice.DISK),
    )
    devices = ET.fromstring(render(machine)).findall("devices/*[boot]")
    order = {device.find("target").get("dev"): device.find("boot").get("order") for device in devices}  # type: ignore[union-attr]
    assert order == {machine.nics[0].tap_name: "1", "hda": "2", "sda": "3", "sdb": "4"}


@pytest.mark.parametrize(("machine_type", "bus"), [(MachineType.PC, "ide"), (MachineType.Q35, "sata")])
def test_the_seed_takes_a_free_place(machine_type: MachineType, bus: str) -> None:
    disks = tuple(cdrom("vm1", index, bus=DiskBus(bus)) for index in (0, 3))
    machine = vm(machine_type=machine_type, disks=disks)
    seed = DiskFile(path=Path("/seed.iso"), format="raw", read_only=True)
    here = Found(storage=VmStorage(ready=True, seed=seed))
    domain = parse_domain(render_domain(machine, here, SETTINGS, START))
    assert domain is not None
    assert len({each.target for each in domain.disks}) == 3
    assert [each.path for each in domain.disks if not each.uid] == ["/seed.iso"]
    assert {each.bus for each in domain.disks} == {bus}


def test_target_names_are_libvirts_and_never_twice() -> None:
    assert [target_name(DiskBus.PCI, index) for index in (0, 25, 26, 51, 52)] == [
        "vda",
        "vdz",
        "vdaa",
        "vdaz",
        "vdba",
    ]
    scsi = {target_name(DiskBus.SCSI, index) for index in range(64)}
    sata = {target_name(DiskBus.SATA, index) for index in range(64)}
    assert len(scsi | sata) == 128


def test_one_device_of_a_running_domain_is_changed_alone() -> None:
    machine = vm(disks=(cdrom("vm1"), disk("vm1")), nics=(nic("vm1"), nic("vm1", 1)))
    xml = render(machine)
    tap = machine.nics[1].tap_name
    changed = ET.fromstring(with_link(xml, tap, up=False))
    assert [each.get("state") for each in changed.findall("link")] == ["down"]
    assert changed.find("mac").get("address") == machine.nics[1].mac_address  # type: ignore[union-attr]
    loaded = with_medium(xml, "hda", "/a&b.iso")
    assert ET.fromstring(loaded).find("source").get("file") == "/a&b.iso"  # type: ignore[union-attr]
    assert ET.fromstring(with_medium(xml, "hda", "")).find("source") is None
    assert "sda" in find_disk(xml, "sda")
    assert tap in find_nic(xml, tap)
    with pytest.raises(NotFound):
        find_disk(xml, "sdz")


def test_no_guest_is_offered_a_filter_of_vlans() -> None:
    """QEMU forgets it at a migration: a trunk's VLANs were dead at the destination."""
    arguments = [one.get("value") for one in ET.fromstring(render(vm())).iter() if one.tag.endswith("}arg")]
    assert arguments == ["-global", "virtio-net-pci.ctrl_vlan=off"]
