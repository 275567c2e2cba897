"""Demand: what one virtual machine needs of any host, looked up once; and what of it a host has not.

Each check is one small function: "" when the host has it, else what is wrong, to be read after "hosts/{id} ".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.compute_report import RunState
from netctl.model.disk import DiskKind
from netctl.model.infra import Host
from netctl.model.keys import HostId, SubnetId, VmId
from netctl.model.places import subnets_of, switch_in
from netctl.model.subnet import Subnet
from netctl.model.vm import PASSTHROUGH, Firmware, Vm
from netctl.scheduler.affinity import objection_to, partners_of, policies_of
from netctl.scheduler.cpu_models import lacking_for
from netctl.scheduler.view import View

_ENDED = frozenset({RunState.ABSENT, RunState.SHUT_DOWN, RunState.CRASHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A machine, and what follows from the intents: `cpu_model` "" where its cluster has no baseline.

    `disks_at`: the hosts in whose stores its disks, or what they are made of, are. `waits`: for what, wherever it goes.
    """

    vm: Vm
    cpu_model: str
    policies: list[AffinityPolicy]
    partners: frozenset[VmId]
    subnets: list[Subnet]
    disks_at: list[HostId]
    waits: str


def demand_of(vm: Vm, view: View) -> Demand:
    """Return what a machine needs to be started."""
    subnets: dict[SubnetId, Subnet] = {}
    for nic in view.nics(vm):
        subnets.update((subnet.id, subnet) for subnet in subnets_of(view.snapshot, nic))
    model = PASSTHROUGH if vm.cpu_passthrough else vm.cpu_model or view.baseline(vm.cluster)
    return Demand(
        vm=vm,
        cpu_model=model,
        policies=policies_of(vm, view.snapshot, AffinityKind.VM_HOST),
        partners=partners_of(vm, view.snapshot),
        subnets=list(subnets.values()),
        disks_at=_disks_at(vm, view),
        waits=_image_of(vm, view) or _copied_by(vm, view) if vm.is_on else "",
    )


def lacks_answer(host: Host, view: View) -> str:
    """Does a host's compute agent hold a stream, and does its libvirtd answer?"""
    report, connected = view.said(host.id)
    if report is None or not connected:
        return "has no compute agent connected: start netctl-compute-agent there, or check its network"
    return "" if report.libvirt_connected else "has no libvirtd that answers: start it there"


def is_closed(host: Host) -> str:
    """Is a host in maintenance?"""
    return "is in maintenance" if host.maintenance else ""


def is_kept_away(demand: Demand, host: Host) -> str:
    """Is a host forbidden by affinity?"""
    return objection_to(demand.vm, host, demand.policies)


def lacks_memory(demand: Demand, host: Host, view: View) -> str:
    """Has a host memory for a machine? One that is OFF is placed for its disks alone."""
    return view.room(host.id, demand.vm).lacks(demand.vm) if demand.vm.is_on else ""


def lacks_model(demand: Demand, host: Host, view: View) -> str:
    """Can a host serve the CPU model that a machine is to be started with?"""
    report = view.said(host.id)[0]
    if demand.cpu_model == PASSTHROUGH or report is None:
        return ""
    if not demand.cpu_model:
        return (
            f"shares no CPU model with the other hosts of clusters/{demand.vm.cluster}: set cpu_model, or"
            " cpu_passthrough"
        )
    return lacking_for(demand.cpu_model, report.capacity)


def lacks_device(vm: Vm, host: Host, view: View) -> str:
    """Has a host what a machine needs of firmware, TPM, PCI devices and GPUs?"""
    report = view.said(host.id)[0]
    if report is None:
        return ""
    capacity = report.capacity
    for wanted, has, what in (
        (vm.vtpm, capacity.vtpm, "swtpm for a virtual TPM"),
        (vm.firmware is Firmware.UEFI, capacity.uefi, "UEFI firmware (ovmf)"),
        (vm.secure_boot, capacity.secure_boot, "UEFI firmware with Secure Boot (ovmf)"),
    ):
        if wanted and not has:
            return f"has no {what}: install it there"
    others = [other for other in view.machines(host.id).values() if other.id != vm.id]
    for device in vm.pci_devices:
        if device not in capacity.pci_devices:
            return f"has no PCI device {device} to give away"
        user = next((other.id for other in others if device in other.pci_devices), "")
        if user:
            return f"has given PCI device {device} to vms/{user}"
    used = Counter(profile for other in others for profile in other.gpu_profiles)
    total = {one.profile: one.total for one in capacity.gpu_profiles}
    for profile, number in Counter(vm.gpu_profiles).items():
        free = total.get(profile, 0) - used[profile]
        if number > free:
            return f"has {max(0, free)} of {total.get(profile, 0)} {profile} free, {number} are needed"
    return ""


def lacks_network(subnets: list[Subnet], host: Host, view: View) -> str:
    """Reaches a host the subnets, by its cluster and its uplinks?"""
    for subnet in subnets:
        if host.cluster not in subnet.clusters:
            return f"is of clusters/{host.cluster}, which subnets/{subnet.id} does not reach"
        if not subnet.has_vlan:
            continue
        switch = switch_in(view.snapshot, subnet, host.cluster)
        if switch is not None and switch.id not in host.switches:
            return f"has no uplink of virtualSwitches/{switch.id}, which subnets/{subnet.id} needs"
    return ""


def lacks_disks(demand: Demand, host: Host, view: View) -> str:
    """Are a machine's disks, and what they are made of, in a host's store?"""
    here = view.said(host.id)[0]
    for id in demand.disks_at:
        if id == host.id:
            continue
        there = view.said(id)[0]
        if there is None:
            return f"may have another store than hosts/{id}, where disks of vms/{demand.vm.id} are: that says nothing"
        if here is None or not here.capacity.store_id or here.capacity.store_id != there.capacity.store_id:
            return f"has another store than hosts/{id}, where disks of vms/{demand.vm.id} are"
    return ""


def is_of_another(vm: Vm, host: Host) -> str:
    """Is a machine an appliance of another host, or its TPM state there? Only a migration takes that along."""
    if vm.host in ("", host.id):
        return ""
    if vm.agent_vm:
        return f"is not hosts/{vm.host}, whose appliance vms/{vm.id} is (agent_vm)"
    return f"has not the TPM state of vms/{vm.id}, which is at hosts/{vm.host}" if vm.vtpm else ""


def must_wait(demand: Demand, host: Host, view: View) -> str:
    """Say for what a start on a host waits: it may still run on another, or its disks are read."""
    vm = demand.vm
    if vm.host in ("", host.id):
        return demand.waits
    report, connected = view.said(vm.host)
    if report is None or not connected:
        return (
            f"must wait: vms/{vm.id} may still run on hosts/{vm.host}, whose compute agent is not connected"
        )
    if report.assignment_revision < vm.meta.revision:
        return f"must wait until hosts/{vm.host} has let go of vms/{vm.id}"
    seen = view.seen(vm, vm.host)
    if seen is not None and seen.run_state not in _ENDED:
        return f"must wait: vms/{vm.id} is {seen.run_state.value} on hosts/{vm.host}"
    return demand.waits


def _disks_at(vm: Vm, view: View) -> list[HostId]:
    disks = [disk for disk in vm.disks if disk.kind is DiskKind.DISK]
    if vm.host:
        return [vm.host] if disks else []
    sources = {disk.source_vm: view.snapshot.vm(disk.source_vm) for disk in disks if disk.source_vm}
    return sorted({source.host for source in sources.values() if source is not None and source.host})


def _image_of(vm: Vm, view: View) -> str:
    """Has an image that a disk is made of no bytes yet?"""
    for disk in vm.disks:
        image = view.snapshot.image(disk.image) if disk.image else None
        if image is not None and not image.is_stored:
            return f"must wait: images/{image.id} of a disk of vms/{vm.id} is not there yet"
    return ""


def _copied_by(vm: Vm, view: View) -> str:
    """Is somebody still copying a machine's disks? The copies would be torn if it ran."""
    for copy in sorted(view.snapshot.copies_of_vm(vm.id), key=lambda other: other.id):
        report, connected = view.said(copy.host)
        if report is None or not connected:
            continue
        seen = view.seen(copy, copy.host)
        have = seen.disk_bytes if seen is not None else {}
        if any(disk.source_vm == vm.id and disk.uid not in have for disk in copy.disks):
            return f"must wait: vms/{copy.id} on hosts/{copy.host} still copies disks of vms/{vm.id}"
    return ""
