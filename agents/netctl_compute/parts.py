"""The parts that the agent is made of, as its step uses them: `main.py` gives the real ones, tests fakes.

None of them blocks for long: what takes time runs on threads of the part's own, which wake the loop when they are
done, and every pass asks again. All raise Problem or HostUnavailable for what cannot be done now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from netctl_compute.assignment import ComputeAssignment, VmAssignment
from netctl_compute.reported import ExportReport, HostCapacity, MigrationReport, UnknownDomain
from netctl_compute.state import Domain, HostState, HowEnded, StoredVm, Tap


class Storage(Protocol):
    """Disks, images, seeds, firmware, TPM state and secrets of this host."""

    def read(self, assignment: ComputeAssignment) -> Mapping[str, StoredVm]:
        """Return by VM uid what there is; those of the assignment of which there is nothing may be missing."""
        ...

    def prepare(self, vm: VmAssignment, *, running: bool) -> None:
        """Go on making everything that `vm` needs, and return; its disks grow here while it does not run."""
        ...

    def remove_disk(self, vm: VmAssignment, disk: str) -> None:
        """Remove a disk that is no longer assigned; no domain has it."""
        ...

    def remove(self, vm: VmAssignment) -> None:
        """Remove everything of it, the disks not with `keep_disks`; no domain of it is here."""
        ...

    def tidy(self, assignment: ComputeAssignment) -> None:
        """Let go of what nobody needs any more: images, work under way for what is no longer assigned."""
        ...

    def capacity(self) -> HostCapacity:
        """Return what the host can carry."""
        ...

    def serve_exports(self, assignment: ComputeAssignment) -> tuple[ExportReport, ...]:
        """Go on with the exports of the assignment; return how far each is."""
        ...


class Migrations(Protocol):
    """The jobs that copy guests from this host."""

    def serve(self, assignment: ComputeAssignment, state: HostState) -> tuple[MigrationReport, ...]:
        """Start, go on with or abort the orders of the assignment; return how far each is."""
        ...

    def measure(self, hosts: Mapping[str, str]) -> Mapping[str, int]:
        """Return the round trips to these hosts' addresses, in microseconds, as far as they are known."""
        ...

    def running(self) -> frozenset[str]:
        """Return the uids of the domains that are being copied from here."""
        ...


class Hypervisor(Protocol):
    """libvirt: `libvirt_driver.py`. A domain is named by its uid; one that is gone raises NotFound."""

    def read_domains(self) -> tuple[Mapping[str, Domain], tuple[UnknownDomain, ...]]:
        """Return ours by uid, and the others."""
        ...

    def take_ended(self) -> Mapping[str, HowEnded]:
        """Return once, by uid, how domains ended since the last call."""
        ...

    def start(self, xml: str, *, paused: bool) -> None:
        """Create a transient domain."""
        ...

    def destroy(self, uid: str) -> None:
        """End it at once."""
        ...

    def press_power(self, uid: str) -> None:
        """Ask the guest to shut down (ACPI)."""
        ...

    def pause(self, uid: str) -> None:
        """Stop its CPUs."""
        ...

    def resume(self, uid: str) -> None:
        """Let its CPUs run."""
        ...

    def reset(self, uid: str, metadata: str) -> None:
        """Reset it, after its new `metadata` (domain_xml.render_metadata) is set."""
        ...

    def attach(self, uid: str, device: str) -> None:
        """Plug in a device, given as XML, while it runs."""
        ...

    def update(self, uid: str, device: str) -> None:
        """Change a device: a CD-ROM's medium, an interface's link."""
        ...

    def detach(self, uid: str, device: str) -> None:
        """Ask the guest to let go of a device; it is gone when `read_domains` no longer has it."""
        ...

    def grow_disk(self, uid: str, target: str, size_bytes: int) -> None:
        """Make a disk larger while the guest runs; `target` as in DomainDisk."""
        ...


class Taps(Protocol):
    """The taps of this network namespace: `taps.py`."""

    def read(self) -> Mapping[str, Tap]:
        """Return every tap by name."""
        ...

    def make(self, tap: Tap) -> None:
        """Make it, or correct its MTU."""
        ...

    def remove(self, name: str) -> None:
        """Remove it; one that is gone is no error."""
        ...
