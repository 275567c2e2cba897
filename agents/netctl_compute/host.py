"""This machine as the agent's step sees it: read everything, do one action.

In: the assignment and actions. Out: a HostState, errors of ours. It owns nothing but the parts it was given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from netctl.errors import NotFound
from netctl_compute.actions import (
    Action,
    AttachDisk,
    AttachNic,
    ChangeMedium,
    DestroyDomain,
    DetachDisk,
    DetachNic,
    GrowDisk,
    HotAction,
    MakeTap,
    PauseDomain,
    PrepareStorage,
    PressPower,
    RemoveSecret,
    RemoveStorage,
    RemoveTap,
    RemoveTpmState,
    ResetDomain,
    ResumeDomain,
    SetNicLink,
    SetSecret,
    StartDomain,
)
from netctl_compute.assignment import ComputeAssignment, PowerState, VmAssignment, VmRole
from netctl_compute.domain_found import find_disk, find_nic, with_link, with_medium
from netctl_compute.domain_xml import Found, Start, render_disk, render_domain, render_metadata, render_nic
from netctl_compute.parts import Hypervisor, Migrations, Storage, Taps, TpmStates
from netctl_compute.reported import ExportReport, HostCapacity, MigrationReport
from netctl_compute.settings import Settings
from netctl_compute.state import HostState, HowEnded
from netctl_compute.tpm import secret_uid, secret_value, secret_xml


class Devices(Protocol):
    """GPUs of this host: `gpus.py`."""

    def mdevs(self, vm: VmAssignment) -> tuple[str, ...]:
        """Return the mediated devices of a machine, made when they are not there; raise Problem NO_GPU."""
        ...

    def remove_mdevs(self, vm: VmAssignment) -> None:
        """Give them back."""
        ...


class SerialLogs(Protocol):
    """Where guests' serial consoles are written: `serial_logs.py`."""

    def path(self, vm_uid: str) -> str:
        """Return the file of one machine."""
        ...

    def remove(self, vm_uid: str) -> None:
        """Remove it."""
        ...

    def cut(self) -> None:
        """Shorten those that are too long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the host is made of."""

    hypervisor: Hypervisor
    taps: Taps
    storage: Storage
    tpm_states: TpmStates
    migrations: Migrations
    serial_logs: SerialLogs
    devices: Devices
    capacity: Callable[[], HostCapacity]
    measure: Callable[[Mapping[str, str]], Mapping[str, int]]


class Host:
    """Used by the loop's thread alone; `settings` may raise HostUnavailable as long as libvirt did not answer."""

    def __init__(self, parts: Parts, settings: Callable[[], Settings]) -> None:
        self._parts = parts
        self._settings = settings

    def read_state(self, assignment: ComputeAssignment | None) -> HostState:
        """Return everything; raise HostUnavailable when libvirt or the kernel cannot tell."""
        vms = assignment.vms if assignment is not None else ()
        domains, unknown = self._parts.hypervisor.read_domains()
        has_vtpm = any(vm.vtpm for vm in vms)
        return HostState(
            domains=domains,
            unknown=unknown,
            taps=self._parts.taps.read(),
            storage={vm.uid: self._parts.storage.look(vm) for vm in vms},
            secrets=self._parts.hypervisor.read_secrets() if has_vtpm else frozenset(),
            tpm_states=frozenset(vm.uid for vm in vms if vm.vtpm and self._parts.tpm_states.exists(vm.uid)),
            migrating=self._parts.migrations.running(),
        )

    def take_ended(self) -> Mapping[str, HowEnded]:
        """Return once how domains ended since the last call."""
        return self._parts.hypervisor.take_ended()

    def capacity(self) -> HostCapacity:
        """Return what the host can carry."""
        return self._parts.capacity()

    def serve(
        self, assignment: ComputeAssignment, state: HostState
    ) -> tuple[tuple[MigrationReport, ...], tuple[ExportReport, ...]]:
        """Go on with migrations and exports, let go of what nobody needs; return how far each is."""
        self._parts.storage.tidy(assignment)
        self._parts.serial_logs.cut()
        for vm in assignment.vms:
            if vm.gpu_profiles and vm.uid not in state.domains and _is_over(vm):
                self._parts.devices.remove_mdevs(vm)
        return self._parts.migrations.serve(assignment, state), self._parts.storage.export(assignment.exports)

    def measure(self, hosts: Mapping[str, str]) -> Mapping[str, int]:
        """Return round trips to hosts, in microseconds, as far as they are known."""
        return self._parts.measure(hosts)

    def apply(self, action: Action, state: HostState) -> None:
        """Do one action; raise NetctlError when it cannot be done."""
        parts = self._parts
        match action:
            case MakeTap(tap=tap):
                parts.taps.make(tap)
            case RemoveTap(tap=name):
                parts.taps.remove(name)
            case PrepareStorage(assigned=vm, domain_exists=domain_exists):
                parts.storage.prepare(vm, domain_exists=domain_exists)
            case SetSecret(assigned=vm):
                parts.hypervisor.set_secret(secret_xml(vm.uid), secret_value(vm.vtpm_secret))
            case RemoveSecret(uid=uid):
                parts.hypervisor.remove_secret(secret_uid(uid))
            case RemoveStorage(assigned=vm):
                parts.storage.remove(vm)
                parts.serial_logs.remove(vm.uid)
            case RemoveTpmState(uid=uid):
                parts.tpm_states.remove(uid)
            case StartDomain(assigned=vm, paused=paused):
                self._start(vm, state, paused=paused)
            case _:
                self._change(action, state)

    def _change(self, action: Action, state: HostState) -> None:
        """Do an action on a domain; one that is gone is what the next look sees."""
        hypervisor, uid = self._parts.hypervisor, action.uid
        try:
            if isinstance(action, HotAction):
                self._change_device(action, state)
            elif isinstance(action, ResetDomain):
                domain = replace(state.domains[uid], reset_epoch=action.reset_epoch)
                hypervisor.reset(uid, render_metadata(domain))
            elif isinstance(action, DestroyDomain):
                hypervisor.destroy(uid)
            elif isinstance(action, PressPower):
                hypervisor.press_power(uid)
            elif isinstance(action, PauseDomain):
                hypervisor.pause(uid)
            elif isinstance(action, ResumeDomain):
                hypervisor.resume(uid)
        except NotFound:
            return

    def _start(self, vm: VmAssignment, state: HostState, *, paused: bool) -> None:
        found = Found(
            storage=state.storage[vm.uid],
            serial_log=self._parts.serial_logs.path(vm.uid),
            mdevs=self._parts.devices.mdevs(vm),
        )
        start = Start(power_epoch=vm.power_epoch, reset_epoch=vm.reset_epoch, time_s=time.time())
        xml = render_domain(vm, found, self._settings(), start)
        self._parts.hypervisor.start(vm.uid, xml, paused=paused)

    def _change_device(self, action: HotAction, state: HostState) -> None:
        hypervisor, uid = self._parts.hypervisor, action.uid
        match action:
            case AttachDisk(disk=disk):
                hypervisor.attach(uid, render_disk(disk, Found(storage=state.storage[uid])))
            case AttachNic(nic=nic):
                hypervisor.attach(uid, render_nic(nic, self._settings()))
            case DetachDisk(target=target):
                hypervisor.detach(uid, find_disk(hypervisor.read_xml(uid), target))
            case DetachNic(tap=tap):
                hypervisor.detach(uid, find_nic(hypervisor.read_xml(uid), tap))
            case ChangeMedium(target=target, path=path):
                hypervisor.update(uid, with_medium(hypervisor.read_xml(uid), target, path))
            case SetNicLink(tap=tap, up=up):
                hypervisor.update(uid, with_link(hypervisor.read_xml(uid), tap, up=up))
            case GrowDisk(target=target, size_bytes=size_bytes):
                hypervisor.grow_disk(uid, target, size_bytes)
            case _:
                assert_never(action)


def _is_over(vm: VmAssignment) -> bool:
    return vm.role is VmRole.REMOVE or (vm.role is VmRole.RUN and vm.power_state is PowerState.OFF)
