"""libvirt's domain XML -> our terms: is it ours, and what has it? Pure; nothing else reads domain XML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

from netctl.errors import NotFound
from netctl_compute.assignment import DiskBus, Firmware, MachineType
from netctl_compute.domain_xml import ALIAS, NAMESPACE, SEED
from netctl_compute.reported import RunState
from netctl_compute.state import Domain, DomainDisk, DomainNic, DomainShape

_MIB_KIB = 1024


def parse_domain(xml: str) -> Domain | None:
    """Return the domain, without its run state; None when it is not ours."""
    root = ET.fromstring(xml)
    ours = root.find(f"metadata/{{{NAMESPACE}}}vm")
    uid = root.findtext("uuid", "")
    # A domain cloned by somebody else has our metadata, and another identity.
    if ours is None or ours.get("uid") != uid or ours.get("id") != root.findtext("name"):
        return None
    return Domain(
        vm=ours.get("id", ""),
        uid=uid,
        run_state=RunState.ABSENT,
        power_epoch=_number(ours.get("power-epoch")),
        reset_epoch=_number(ours.get("reset-epoch")),
        start_time_s=_seconds(ours.get("start-time")),
        shape=_shape(root, ours),
        disks=tuple(_disks(root)),
        nics=tuple(_nics(root)),
        console=_console(root),
    )


def with_state(domain: Domain, run_state: RunState) -> Domain:
    """Return the domain in this state."""
    return replace(domain, run_state=run_state)


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _shape(root: ET.Element, ours: ET.Element) -> DomainShape:
    topology = root.find("cpu/topology")
    cpu = root.find("cpu")
    mode = cpu.get("mode", "") if cpu is not None else ""
    loader = root.find("os/loader")
    balloon = root.find("devices/memballoon")
    machine = root.find("os/type")
    # libvirt gives the version, too: pc-i440fx-7.2, pc-q35-7.2
    is_q35 = machine is not None and MachineType.Q35 in machine.get("machine", "")
    return DomainShape(
        num_vcpus=_number(topology.get("sockets"))
        if topology is not None
        else _number(root.findtext("vcpu")),
        num_cores_per_vcpu=_number(topology.get("cores")) if topology is not None else 1,
        num_threads_per_core=_number(topology.get("threads")) if topology is not None else 1,
        memory_mib=_memory_mib(root),
        memory_overcommit=balloon is not None and balloon.get("freePageReporting") == "on",
        num_vnuma_nodes=len(root.findall("cpu/numa/cell")),
        boot_order=tuple(ours.get("boot-order", "").split()),
        firmware=Firmware.UEFI if loader is not None and loader.get("type") == "pflash" else Firmware.BIOS,
        machine_type=MachineType.Q35 if is_q35 else MachineType.PC,
        secure_boot=loader is not None and loader.get("secure") == "yes",
        cpu_model=root.findtext("cpu/model", "") if mode == "custom" else "",
        cpu_passthrough=mode in ("host-passthrough", "maximum"),
        pci_devices=tuple(_pci_devices(root)),
        gpu_profiles=tuple(ours.get("gpu-profiles", "").split()),
    )


def _memory_mib(root: ET.Element) -> int:
    memory = root.find("memory")
    if memory is None:
        return 0
    number = _number(memory.text)
    return number if memory.get("unit") == "MiB" else number // _MIB_KIB


def _disks(root: ET.Element) -> Iterator[DomainDisk]:
    for disk in root.findall("devices/disk"):
        alias, target, source = disk.find("alias"), disk.find("target"), disk.find("source")
        name = alias.get("name", "") if alias is not None else ""
        uid = name.removeprefix(ALIAS) if name.startswith(ALIAS) else ""
        yield DomainDisk(
            uid="" if uid == SEED else uid,
            target=target.get("dev", "") if target is not None else "",
            bus=target.get("bus", DiskBus.SCSI) if target is not None else "",
            device=disk.get("device", "disk"),
            path=source.get("file", "") if source is not None else "",
        )


def _nics(root: ET.Element) -> Iterator[DomainNic]:
    for nic in root.findall("devices/interface"):
        yield DomainNic(
            tap=_get(nic, "target", "dev"),
            mac_address=_get(nic, "mac", "address"),
            model=_get(nic, "model", "type"),
            queues=_number(_get(nic, "driver", "queues")) or 1,
            mtu_bytes=_number(_get(nic, "mtu", "size")),
            link_up=_get(nic, "link", "state") != "down",
        )


def _get(element: ET.Element, child: str, attribute: str) -> str:
    found = element.find(child)
    return found.get(attribute, "") if found is not None else ""


def _pci_devices(root: ET.Element) -> Iterator[str]:
    for device in root.findall("devices/hostdev[@type='pci']/source/address"):
        domain, bus, slot, function = (
            int(device.get(name, "0"), 16) for name in ("domain", "bus", "slot", "function")
        )
        yield f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _console(root: ET.Element) -> str:
    graphics = root.find("devices/graphics[@type='vnc']")
    if graphics is None or _number(graphics.get("port")) == 0:
        return ""
    address = _get(graphics, "listen", "address") or graphics.get("listen", "")
    return f"vnc://{f'[{address}]' if ':' in address else address}:{graphics.get('port')}"


def find_disk(xml: str, target: str) -> str:
    """Return the disk with this target, as libvirt has it; raise NotFound when there is none."""
    return ET.tostring(_find(xml, "disk", target), encoding="unicode")


def find_nic(xml: str, tap: str) -> str:
    """Return the interface on this tap, as libvirt has it; raise NotFound when there is none."""
    return ET.tostring(_find(xml, "interface", tap), encoding="unicode")


def with_medium(xml: str, target: str, path: str) -> str:
    """Return the drive with another medium, none with ""; raise NotFound when there is no such drive."""
    drive = _find(xml, "disk", target)
    for name in ("source", "backingStore"):
        for element in drive.findall(name):
            drive.remove(element)
    if path:
        ET.SubElement(drive, "source", file=path)
    return ET.tostring(drive, encoding="unicode")


def with_link(xml: str, tap: str, *, up: bool) -> str:
    """Return the interface with its cable plugged in or pulled out; raise NotFound when there is none."""
    nic = _find(xml, "interface", tap)
    for element in nic.findall("link"):
        nic.remove(element)
    ET.SubElement(nic, "link", state="up" if up else "down")
    return ET.tostring(nic, encoding="unicode")


def _find(xml: str, kind: str, target: str) -> ET.Element:
    for device in ET.fromstring(xml).findall(f"devices/{kind}"):
        if _get(device, "target", "dev") == target:
            return device
    raise NotFound(f"the domain has no {kind} {target}")
