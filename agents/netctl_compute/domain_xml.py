"""VmAssignment and files -> libvirt's domain XML. Pure.

The XML is built as a tree and escaped by its writer: no name can become markup. What XML cannot carry at all (control
characters in a description) is replaced. Devices carry their uid as alias, `ua-{uid}`, so that they are known again
(`domain_found.py`). Source: https://libvirt.org/formatdomain.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from netctl_compute.assignment import (
    BootDevice,
    DiskAssignment,
    DiskBus,
    DiskKind,
    Firmware,
    MachineType,
    NicModel,
    VmAssignment,
    VmNicAssignment,
)
from netctl_compute.settings import Settings
from netctl_compute.state import Domain
from netctl_compute.storage_state import VmStorage
from netctl_compute.tpm_secret import secret_uid

NAMESPACE = "urn:netctl:vm"
PREFIX = "netctl"
ALIAS = "ua-"
SEED = "seed"
# Hot-plugged devices of Q35 need a port each that was there at the start.
_SPARE_PORTS = 8
_SERIAL_CHARACTERS = 20  # virtio-blk's
_SATA_PORTS = 6
_SATA_FROM = 64  # sd names are shared by SCSI and SATA: those of SATA begin behind the last of SCSI
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
# QEMU 7.2 forgets at a migration which VLANs a guest let through the filter of its virtio NIC: they would be dead.
_QEMU_ARGUMENTS = ("-global", "virtio-net-pci.ctrl_vlan=off")

ET.register_namespace(PREFIX, NAMESPACE)
ET.register_namespace("qemu", _QEMU)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What of this host a domain names: its files; "" and () are what it has not. `mdevs`: of its GPU profiles."""

    storage: VmStorage
    serial_log: str = ""
    mdevs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a domain remembers of its start, in its metadata."""

    power_epoch: int
    reset_epoch: int
    time_s: float


def render_domain(vm: VmAssignment, found: Found, settings: Settings, start: Start) -> str:
    """Return the whole domain."""
    domain = ET.Element("domain", type=settings.domain_type)
    _text(domain, "name", vm.vm)
    _text(domain, "uuid", vm.uid)
    if vm.generation_id:
        _text(domain, "genid", vm.generation_id)
    if vm.description:
        _text(domain, "description", vm.description)
    metadata = ET.SubElement(domain, "metadata")
    ours = _metadata(vm.vm, vm.uid, start, vm.boot_order, vm.gpu_profiles)
    ET.SubElement(metadata, f"{{{NAMESPACE}}}vm", ours)
    _text(domain, "memory", str(vm.memory_mib), unit="MiB")
    vcpus = vm.num_vcpus * vm.num_cores_per_vcpu * vm.num_threads_per_core
    _text(domain, "vcpu", str(vcpus))
    _add_os(domain, vm, found, settings)
    features = ET.SubElement(domain, "features")
    for name in ("acpi", "apic"):
        ET.SubElement(features, name)
    if vm.secure_boot:
        ET.SubElement(features, "smm", state="on")
    _add_cpu(domain, vm, settings)
    ET.SubElement(domain, "clock", offset="utc")
    for event, what in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        _text(domain, event, what)
    devices = ET.SubElement(domain, "devices")
    _add_controllers(devices, vm)
    boot = _boot_numbers(vm)
    devices.extend(_disk(disk, found, boot.get(disk.uid)) for disk in vm.disks)
    if found.storage.seed is not None:
        devices.append(_seed(vm, str(found.storage.seed.path)))
    devices.extend(_nic(nic, settings, boot.get(nic.tap_name)) for nic in vm.nics)
    _add_consoles(devices, found, settings)
    _add_platform_devices(devices, vm, found)
    command_line = ET.SubElement(domain, f"{{{_QEMU}}}commandline")
    for argument in _QEMU_ARGUMENTS:
        ET.SubElement(command_line, f"{{{_QEMU}}}arg", value=argument)
    return ET.tostring(domain, encoding="unicode")


def render_metadata(domain: Domain) -> str:
    """Return the metadata of a domain that runs, as `virDomainSetMetadata` wants it: without its namespace."""
    metadata = _metadata(
        domain.vm,
        domain.uid,
        Start(power_epoch=domain.power_epoch, reset_epoch=domain.reset_epoch, time_s=domain.start_time_s),
        domain.shape.boot_order,
        domain.shape.gpu_profiles,
    )
    return ET.tostring(ET.Element("vm", metadata), encoding="unicode")


def render_disk(disk: DiskAssignment, found: Found) -> str:
    """Return one disk or CD-ROM drive: to attach, to detach, or to change its medium."""
    return ET.tostring(_disk(disk, found, None), encoding="unicode")


def render_nic(nic: VmNicAssignment, settings: Settings) -> str:
    """Return one interface: to attach, or to detach."""
    return ET.tostring(_nic(nic, settings, None), encoding="unicode")


def target_name(bus: DiskBus, index: int) -> str:
    """Return libvirt's name of the device with this place on its bus."""
    match bus:
        case DiskBus.PCI:
            return "vd" + _letters(index)
        case DiskBus.SCSI:
            return "sd" + _letters(index)
        case DiskBus.SATA:
            return "sd" + _letters(_SATA_FROM + index)
        case DiskBus.IDE:
            return "hd" + _letters(index)


def _letters(index: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, name, attributes)
    element.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    return element


def _metadata(
    vm: str, uid: str, start: Start, boot_order: Iterable[str], gpu_profiles: Iterable[str]
) -> dict[str, str]:
    """Return the attributes; nothing else of a domain tells its boot order and profiles."""
    return {
        "id": vm,
        "uid": uid,
        "power-epoch": str(start.power_epoch),
        "reset-epoch": str(start.reset_epoch),
        "start-time": f"{start.time_s:.3f}",
        "boot-order": " ".join(boot_order),
        "gpu-profiles": " ".join(gpu_profiles),
    }


def _add_os(domain: ET.Element, vm: VmAssignment, found: Found, settings: Settings) -> None:
    os = ET.SubElement(domain, "os")
    _text(os, "type", "hvm", arch=settings.arch, machine=vm.machine_type.value)
    if vm.firmware is Firmware.UEFI:
        firmware = found.storage.firmware
        secure = "yes" if vm.secure_boot else "no"
        code, variables = (str(firmware.code), str(firmware.variables)) if firmware is not None else ("", "")
        _text(os, "loader", code, readonly="yes", type="pflash", secure=secure)
        _text(os, "nvram", variables)
    # A guest that finds nothing to boot from says so, and may be told of a medium.
    ET.SubElement(os, "bootmenu", enable="no")


def _add_cpu(domain: ET.Element, vm: VmAssignment, settings: Settings) -> None:
    is_kvm = settings.domain_type == "kvm"
    cpu = ET.SubElement(domain, "cpu")
    if vm.cpu_passthrough:
        # Without KVM there is no host CPU to pass through: all that QEMU can do comes closest.
        cpu.set("mode", "host-passthrough" if is_kvm else "maximum")
    elif vm.cpu_model:
        # TCG lacks features of every newer model, and does without.
        cpu.attrib |= {"mode": "custom", "match": "exact", "check": "partial" if is_kvm else "none"}
        _text(cpu, "model", vm.cpu_model, fallback="forbid")
    ET.SubElement(
        cpu,
        "topology",
        sockets=str(vm.num_vcpus),
        cores=str(vm.num_cores_per_vcpu),
        threads=str(vm.num_threads_per_core),
    )
    if vm.num_vnuma_nodes:
        _add_numa(cpu, vm)


def _add_numa(cpu: ET.Element, vm: VmAssignment) -> None:
    numa = ET.SubElement(cpu, "numa")
    vcpus = vm.num_vcpus * vm.num_cores_per_vcpu * vm.num_threads_per_core
    nodes = vm.num_vnuma_nodes
    for node in range(nodes):
        first, after = node * vcpus // nodes, (node + 1) * vcpus // nodes
        memory_mib = (node + 1) * vm.memory_mib // nodes - node * vm.memory_mib // nodes
        cpus = f"{first}-{after - 1}" if after - first > 1 else str(first)
        ET.SubElement(numa, "cell", id=str(node), cpus=cpus, memory=str(memory_mib), unit="MiB")


def _add_controllers(devices: ET.Element, vm: VmAssignment) -> None:
    # The one that disks are plugged into while the guest runs.
    ET.SubElement(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    ET.SubElement(devices, "controller", type="usb", index="0", model="none")
    if vm.machine_type is MachineType.Q35:
        ET.SubElement(devices, "controller", type="pci", index="0", model="pcie-root")
        virtio = [disk for disk in vm.disks if disk.bus is DiskBus.PCI]
        # Beside these: the SCSI controller, the balloon, the random numbers.
        for index in range(1, 1 + len(virtio) + len(vm.nics) + len(vm.pci_devices) + 3 + _SPARE_PORTS):
            ET.SubElement(devices, "controller", type="pci", index=str(index), model="pcie-root-port")


def _boot_numbers(vm: VmAssignment) -> dict[str, int]:
    """Return the number of each device to boot from: by disk uid, or tap name."""
    kinds = {BootDevice.DISK: DiskKind.DISK, BootDevice.CDROM: DiskKind.CDROM}
    names: list[str] = []
    for device in dict.fromkeys(vm.boot_order):
        if device is BootDevice.NETWORK:
            names += [nic.tap_name for nic in vm.nics]
        else:
            names += [disk.uid for disk in vm.disks if disk.kind is kinds[device]]
    return {name: number for number, name in enumerate(names, 1)}


def _disk(disk: DiskAssignment, found: Found, boot: int | None) -> ET.Element:
    is_cdrom = disk.kind is DiskKind.CDROM
    element = ET.Element("disk", type="file", device="cdrom" if is_cdrom else "disk")
    file = found.storage.disks.get(disk.uid)
    driver = ET.SubElement(element, "driver", name="qemu", type=file.format if file is not None else "raw")
    if not is_cdrom:
        # No host's page cache between the guest and a store that another host may read next.
        driver.attrib |= {"cache": "none", "discard": "unmap"}
    if file is not None:
        ET.SubElement(element, "source", file=str(file.path))
    ET.SubElement(element, "target", dev=target_name(disk.bus, disk.index), bus=disk.bus.value)
    if is_cdrom:
        ET.SubElement(element, "readonly")
    _text(element, "serial", disk.uid.replace("-", "")[:_SERIAL_CHARACTERS])
    if boot is not None:
        ET.SubElement(element, "boot", order=str(boot))
    ET.SubElement(element, "alias", name=ALIAS + disk.uid)
    _add_drive_address(element, disk.bus, disk.index)
    return element


def _seed(vm: VmAssignment, path: str) -> ET.Element:
    """Return a drive whose medium tells the guest who it is, on a bus that needs no driver of ours."""
    used = {disk.index for disk in vm.disks if disk.bus is DiskBus.IDE}
    free = [index for index in reversed(range(4)) if index not in used]
    bus, index = DiskBus.IDE, free[0] if free else 0
    if vm.machine_type is MachineType.Q35 or not free:
        bus = DiskBus.SATA
        taken = {disk.index for disk in vm.disks if disk.bus is bus}
        index = next(index for index in range(len(taken) + 1) if index not in taken)
    element = ET.Element("disk", type="file", device="cdrom")
    ET.SubElement(element, "driver", name="qemu", type="raw")
    ET.SubElement(element, "source", file=path)
    ET.SubElement(element, "target", dev=target_name(bus, index), bus=bus.value)
    ET.SubElement(element, "readonly")
    ET.SubElement(element, "alias", name=ALIAS + SEED)
    _add_drive_address(element, bus, index)
    return element


def _add_drive_address(disk: ET.Element, bus: DiskBus, index: int) -> None:
    match bus:
        case DiskBus.PCI:
            return
        case DiskBus.SCSI:
            places = (0, 0, index)
        case DiskBus.SATA:
            places = (index // _SATA_PORTS, 0, index % _SATA_PORTS)
        case DiskBus.IDE:
            places = (0, index // 2, index % 2)
    controller, channel, unit = map(str, places)
    ET.SubElement(disk, "address", type="drive", controller=controller, bus=channel, target="0", unit=unit)


def _nic(nic: VmNicAssignment, settings: Settings, boot: int | None) -> ET.Element:
    element = ET.Element("interface", type="ethernet")
    ET.SubElement(element, "mac", address=nic.mac_address)
    ET.SubElement(element, "target", dev=nic.tap_name, managed="no")
    ET.SubElement(element, "model", type=nic.model.value)
    if nic.model is NicModel.VIRTIO and (nic.queues > 1 or not settings.tap_offloads):
        driver = ET.SubElement(element, "driver")
        if nic.queues > 1:
            driver.set("queues", str(nic.queues))
        if not settings.tap_offloads:
            off = dict.fromkeys(("csum", "tso4", "tso6", "ecn", "ufo"), "off")
            ET.SubElement(driver, "host", {**off, "gso": "off"})
            ET.SubElement(driver, "guest", off)
    if nic.mtu_bytes:
        ET.SubElement(element, "mtu", size=str(nic.mtu_bytes))
    ET.SubElement(element, "link", state="down" if nic.disconnected else "up")
    if boot is not None:
        ET.SubElement(element, "boot", order=str(boot))
    return element


def _add_consoles(devices: ET.Element, found: Found, settings: Settings) -> None:
    serial = ET.SubElement(devices, "serial", type="pty")
    if found.serial_log:
        ET.SubElement(serial, "log", file=found.serial_log, append="on")
    ET.SubElement(serial, "target", port="0")
    graphics = ET.SubElement(devices, "graphics", type="vnc", port="-1", autoport="yes")
    ET.SubElement(graphics, "listen", type="address", address=settings.console_listen)
    video = ET.SubElement(devices, "video")
    ET.SubElement(video, "model", type="vga")


def _add_platform_devices(devices: ET.Element, vm: VmAssignment, found: Found) -> None:
    balloon = ET.SubElement(devices, "memballoon", model="virtio")
    if vm.memory_overcommit:
        # The guest hands back what it does not use, and the balloon gives way before it runs out.
        balloon.attrib |= {"freePageReporting": "on", "autodeflate": "on"}
    rng = ET.SubElement(devices, "rng", model="virtio")
    _text(rng, "backend", "/dev/urandom", model="random")
    ET.SubElement(devices, "panic", model="isa")  # tells us that the guest's kernel crashed
    if vm.vtpm:
        tpm = ET.SubElement(devices, "tpm", model="tpm-crb")
        # Without persistent_state libvirt deletes the state of a transient domain when it ends.
        backend = ET.SubElement(tpm, "backend", type="emulator", version="2.0", persistent_state="yes")
        ET.SubElement(backend, "encryption", secret=secret_uid(vm.uid))
    for address in vm.pci_devices:
        devices.append(_pci(address))
    for mdev in found.mdevs:
        device = ET.SubElement(devices, "hostdev", mode="subsystem", type="mdev", model="vfio-pci")
        ET.SubElement(ET.SubElement(device, "source"), "address", uuid=mdev)


def _pci(address: str) -> ET.Element:
    """Return the device at `0000:3b:00.0`."""
    domain, bus, place = address.split(":")
    slot, function = place.split(".")
    device = ET.Element("hostdev", mode="subsystem", type="pci", managed="yes")
    ET.SubElement(device, "driver", name="vfio")
    numbers = {"domain": domain, "bus": bus, "slot": slot, "function": function}
    ET.SubElement(
        ET.SubElement(device, "source"), "address", {name: f"0x{text}" for name, text in numbers.items()}
    )
    return device
