"""Virtual machines and what compute agents say of hosts, for tests; complete, as admission would store them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from netctl.model.compute_report import ComputeReport, CpuModel, HostCapacity, RunState, VmReport
from netctl.model.disk import Disk, DiskBus
from netctl.model.infra import Host
from netctl.model.intent import Intent
from netctl.model.keys import ClusterId, HostId, VmId
from netctl.model.nic import Nic
from netctl.model.status import BridgeReport, HostReport
from netctl.model.vm import PowerState, Vm
from netctl.scheduler.view import View
from tests.intents import cluster, host, meta, nic, snapshot, switch, uid_of

MODEL = "qemu64"


def vm(name: str = "a", *, on: str = "", memory_mib: int = 1024, disks: int = 0, **change: Any) -> Vm:
    """Return a stored machine of c1: OFF and nowhere, or started `on` a host."""
    base = Vm(
        id=VmId(name),
        meta=meta(name),
        cluster=ClusterId("c1"),
        memory_mib=memory_mib,
        disks=tuple(disk(f"{name}-{i}", index=i) for i in range(disks)),
        generation_id=uid_of(f"generation of {name}"),
    )
    if on:
        base = replace(
            base,
            power_state=PowerState.ON,
            host=HostId(on),
            effective_cpu_model=MODEL,
            power_epoch=1,
        )
    return replace(base, **change)


def waiting(name: str = "a", **change: Any) -> Vm:
    """Return a machine that is ON and has no place yet."""
    return vm(name, power_state=PowerState.ON, power_epoch=1, **change)


def disk(name: str, *, index: int = 0, size_bytes: int = 1 << 30) -> Disk:
    """Return an empty disk, 1 GiB large."""
    return Disk(uid=uid_of(f"disk {name}"), bus=DiskBus.SCSI, index=index, size_bytes=size_bytes)


def nic_of(machine: str, name: str = "", subnet: str = "v10", *, number: int = 5, host: str = "") -> Nic:
    """Return a stored NIC of a machine."""
    return replace(nic(name or f"{machine}-0", subnet, number=number, host=host), vm=VmId(machine))


def capacity(memory_mib: int = 6144, **change: Any) -> HostCapacity:
    """Return what a host can carry: 6 GiB for machines, a store of its own, qemu64 and Westmere."""
    models = tuple(CpuModel(name=name, usable=True) for name in ("qemu64", "Westmere"))
    base = HostCapacity(
        cpus=8,
        memory_mib=memory_mib + 512,
        reserved_memory_mib=512,
        store_id="store",
        store_free_bytes=100 << 30,
        store_total_bytes=100 << 30,
        arch="x86_64",
        cpu_vendor="Intel",
        cpu_models=models,
        migration_address="tcp://192.0.2.1",
        libvirt_version="9.0.0",
        qemu_version="7.2.0",
        vtpm=True,
        uefi=True,
        secure_boot=True,
        domain_type="qemu",
    )
    return replace(base, **change)


def seen(machine: Vm, state: RunState = RunState.RUNNING, **change: Any) -> VmReport:
    """Return what an agent says of a machine."""
    return replace(VmReport(vm=machine.id, uid=machine.meta.uid, run_state=state), **change)


def compute(name: str = "h1", *vms: VmReport, revision: int = 100, **change: Any) -> ComputeReport:
    """Return a compute agent's report; `change` is of the capacity."""
    return ComputeReport(
        host=HostId(name),
        assignment_revision=revision,
        capacity=capacity(**change),
        vms=vms,
        libvirt_connected=True,
    )


def network(name: str = "h1", *, up: bool = True, nb_cfg: int = 7) -> HostReport:
    """Return a host agent's report: br0 with carrier, flows up to nb_cfg 7."""
    return HostReport(
        host=HostId(name),
        assignment_revision=100,
        nb_cfg=nb_cfg,
        ovn_controller_connected=True,
        bridges=(BridgeReport(bridge="br0", physnet="physnet-vs0", up=up),),
    )


def machines(count: int) -> tuple[Intent, ...]:
    """Return c1, vs0 and hosts h1, h2 ... of it."""
    hosts: Iterable[Host] = (host(f"h{i}", number=i) for i in range(1, count + 1))
    return cluster(), switch(), *hosts


def view(
    *intents: Intent,
    reports: Mapping[str, ComputeReport] | None = None,
    lost: Iterable[str] = (),
    hosts: int = 2,
    **change: Any,
) -> View:
    """Return what the scheduler sees: h1, h2 ... with room for 6 GiB each, all connected but those `lost`."""
    names = [f"h{i}" for i in range(1, hosts + 1)]
    said = {name: compute(name) for name in names} | dict(reports or {})
    gone = set(lost)
    return View(
        snapshot([*machines(hosts), *intents]),
        lambda id: (said.get(id), id in said and id not in gone),
        lambda id: (network(id), True),
        **change,
    )
