"""Actions: the steps that turn a host into what its compute assignment says.

`plan.py` makes them, `host.py` does them. Each may be done again without harm. `vm` is whose step it is; its failure is
that machine's problem and no other's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netctl_compute.assignment import DiskAssignment, VmAssignment, VmNicAssignment
from netctl_compute.state import Tap


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfVm:
    """`assigned` is not shown: `vm` is enough for people, and secrets stay out of logs."""

    vm: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTap(_OfVm):
    """Make a tap, or correct its MTU."""

    tap: Tap


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTap(_OfVm):
    """Remove a tap of ours."""

    tap: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareStorage(_OfVm):
    """Ask storage to go on making what is missing."""

    assigned: VmAssignment = field(repr=False)
    domain_exists: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSecret(_OfVm):
    """Give libvirt the secret of the vTPM."""

    assigned: VmAssignment = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSecret(_OfVm):
    """Take it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDomain(_OfVm):
    """Create the domain."""

    assigned: VmAssignment = field(repr=False)
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyDomain(_OfVm):
    """End it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PressPower(_OfVm):
    """Ask its guest to shut down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseDomain(_OfVm):
    """Stop its CPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeDomain(_OfVm):
    """Let its CPUs run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetDomain(_OfVm):
    """Reset it, and remember in it that this was done."""

    reset_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachDisk(_OfVm):
    """Plug in a disk."""

    disk: DiskAssignment


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachDisk(_OfVm):
    """Ask the guest to let go of a disk."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMedium(_OfVm):
    """Put a medium into a CD-ROM drive; `path` "" takes it out."""

    target: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowDisk(_OfVm):
    """Make a disk larger."""

    target: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachNic(_OfVm):
    """Plug in an interface."""

    nic: VmNicAssignment


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachNic(_OfVm):
    """Ask the guest to let go of an interface."""

    tap: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNicLink(_OfVm):
    """Show the guest its cable plugged in or pulled out."""

    tap: str
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveStorage(_OfVm):
    """Delete its files."""

    assigned: VmAssignment = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTpmState(_OfVm):
    """Delete the state of its vTPM."""


HotAction = AttachDisk | DetachDisk | ChangeMedium | GrowDisk | AttachNic | DetachNic | SetNicLink
# What takes effect later, when a guest or a thread got round to it: asked once in a pass, and again in the next.
Request = PrepareStorage | PressPower | DetachDisk | DetachNic | GrowDisk
Action = (
    MakeTap
    | RemoveTap
    | PrepareStorage
    | SetSecret
    | RemoveSecret
    | StartDomain
    | DestroyDomain
    | PressPower
    | PauseDomain
    | ResumeDomain
    | ResetDomain
    | HotAction
    | RemoveStorage
    | RemoveTpmState
)
