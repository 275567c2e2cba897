"""The parts that the agent is made of, as its step uses them: `main.py` gives the real ones, tests fakes.

None of them blocks for long: what takes time runs on threads of the part's own, which wake the loop when they are
done, and every pass asks again. All raise Problem or HostUnavailable for what cannot be done now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from netctl_compute.assignment import ComputeAssignment, DiskExport, VmAssignment
from netctl_compute.reported import ExportReport, MigrationReport, UnknownDomain
from netctl_compute.state import Domain, HostState, HowEnded, Tap
from netctl_compute.storage_state import VmStorage


class Storage(Protocol):
    """Disks, images, seeds and firmware of this host: `storage.py`."""

    def look(self, vm: VmAssignment) -> VmStorage:
        """Say what is there of a machine. Reads, starts nothing."""
        ...

    def prepare(self, vm: VmAssignment, *, domain_exists: bool = False) -> None:
        """Start to make what `look` finds missing, unless it is under way or failed a moment ago."""
        ...

    def remove(self, vm: VmAssignment) -> None:
        """Delete its files, the disks not with `keep_disks`; its domain is gone."""
        ...

    def tidy(self, assignment: ComputeAssignment) -> None:
        """Stop work that nobody wants any more; remove its left-overs and images that are not used. Every pass."""
        ...

    def export(self, orders: tuple[DiskExport, ...]) -> tuple[ExportReport, ...]:
        """Start the exports that are ordered, stop the others, say how far they are. Every pass."""
        ...


class TpmStates(Protocol):
    """What swtpm keeps of machines: `tpm.py`."""

    def exists(self, vm_uid: str) -> bool:
        """Say whether a state of this machine's vTPM is on this host."""
        ...

    def remove(self, vm_uid: str) -> None:
        """Remove it; its domain is gone."""
        ...


class Migrations(Protocol):
    """The jobs that copy guests from this host."""

    def serve(self, assignment: ComputeAssignment, state: HostState) -> tuple[MigrationReport, ...]:
        """Start, go on with or abort the orders of the assignment; return how far each is."""
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

    def start(self, uid: str, xml: str, *, paused: bool) -> None:
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

    def read_xml(self, uid: str) -> str:
        """Return the domain as it runs."""
        ...

    def read_secrets(self) -> frozenset[str]:
        """Return the uids of libvirt's secrets."""
        ...

    def set_secret(self, xml: str, value: bytes) -> None:
        """Define a secret and give it its value."""
        ...

    def remove_secret(self, uid: str) -> None:
        """Remove a secret; one that is gone is no error."""
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
