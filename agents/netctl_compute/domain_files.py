"""Where the files of one virtual machine are, as its domain names them: made by storage, read by `domain_xml.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """A disk's file; `format` is `qcow2` or `raw`."""

    path: str
    format: str = "qcow2"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFiles:
    """What the domain needs of this host; "" and () are what it has not.

    `disks` by disk uid: a CD-ROM without a medium is not in it. `seed` is the read-only medium that tells the guest its
    customization. `loader` is the UEFI firmware, `nvram` its variables, which are there. `vtpm_secret_uuid` is
    libvirt's secret that encrypts the vTPM's state. `mdevs` are the mediated devices of the GPU profiles.
    """

    disks: Mapping[str, DiskFile] = field(default_factory=dict)
    seed: str = ""
    loader: str = ""
    nvram: str = ""
    vtpm_secret_uuid: str = ""
    mdevs: tuple[str, ...] = ()
    serial_log: str = ""
