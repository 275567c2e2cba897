"""What this host's storage has of a virtual machine: what `plan.py` compares and `domain_xml.py` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """A file that QEMU opens, and how it reads it: `raw` or `qcow2`, never found out by QEMU."""

    path: Path
    format: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareFiles:
    """UEFI: the code, which all machines share, and the variables of one."""

    code: Path
    variables: Path
    secure_boot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VmStorage:
    """`ready`: all files of the assignment are there; if not, `reason`, `problem` and `progress_percent` say why.

    `disks`: those that are there, by disk uid; a CD-ROM's drive without a medium is not among them. `disk_bytes`:
    what the guest sees of them. `to_grow`: disks that are smaller than assigned; `Storage.prepare` grows them while
    the machine is off, libvirt (`blockResize` to the size here) while it runs. `absent`: nothing of it is left here.
    """

    ready: bool
    reason: str = ""
    problem: str = ""
    progress_percent: int = 0
    disks: Mapping[str, DiskFile] = field(default_factory=dict)
    disk_bytes: Mapping[str, int] = field(default_factory=dict)
    to_grow: Mapping[str, int] = field(default_factory=dict)
    firmware: FirmwareFiles | None = None
    seed: DiskFile | None = None
    absent: bool = False
