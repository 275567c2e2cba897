"""What a guest is told at its first start: a CD-ROM for cloud-init (NoCloud) or for Windows' setup.

    {directory}/{vm uid}.iso      belongs in memory (a tmpfs, as /run): it holds passwords and keys

Made from the assignment, which alone has the secrets, and removed with the machine. A machine whose assignment came
from disk, so without secrets, keeps the seed that is there.
"""

from __future__ import annotations

import os
from pathlib import Path

from netctl_compute.assignment import GuestCustomization, VmAssignment
from netctl_compute.iso9660 import render_iso
from netctl_compute.qcow2 import RAW
from netctl_compute.storage_state import DiskFile
from netctl_compute.store import checked_uid
from netctl_compute.unattend import render_unattend

_LABEL = "CIDATA"  # cloud-init looks for it; Windows for the names, on any drive
_NEW = ".new"


class Seeds:
    """The seeds of this host's machines. Used by one thread."""

    def __init__(self, directory: Path) -> None:
        """Make the directory; others may pass through it, because QEMU runs as another user, but not look."""
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
        self._directory = directory.resolve(strict=True)
        self._written: dict[str, GuestCustomization | None] = {}

    def find(self, vm: VmAssignment) -> DiskFile | None:
        """Return a machine's seed, if it is there and says what is assigned. Raises Problem BAD_CUSTOMIZATION."""
        path = self._path(vm.uid)
        if not path.is_file() or path.is_symlink():
            return None
        if is_told(vm) and self._written.get(vm.uid) != vm.customization:
            if path.read_bytes() != _render(vm):
                return None
            self._written[vm.uid] = vm.customization
        return DiskFile(path=path, format=RAW, read_only=True)

    def make(self, vm: VmAssignment) -> None:
        """Write what is assigned; a guest that has the former one keeps it. Raises Problem BAD_CUSTOMIZATION."""
        data = _render(vm)
        path = self._path(vm.uid)
        new = path.with_suffix(_NEW)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
        new.replace(path)
        self._written[vm.uid] = vm.customization

    def remove(self, vm_uid: str) -> None:
        """Remove a machine's seed."""
        self._path(vm_uid).unlink(missing_ok=True)
        self._path(vm_uid).with_suffix(_NEW).unlink(missing_ok=True)
        self._written.pop(vm_uid, None)

    def exists(self, vm_uid: str) -> bool:
        """Say whether anything of a machine's seed is there."""
        return self._path(vm_uid).exists()

    def tidy(self, wanted: frozenset[str]) -> None:
        """Remove the seeds of machines that are not this host's any more."""
        for path in self._directory.iterdir():
            if path.suffix == _NEW or (path.suffix == ".iso" and path.stem not in wanted):
                path.unlink(missing_ok=True)
                self._written.pop(path.stem, None)

    def _path(self, vm_uid: str) -> Path:
        return self._directory / f"{checked_uid(vm_uid, 'virtual machine')}.iso"


def is_told(vm: VmAssignment) -> bool:
    """Say whether a machine is to have a seed, and what it says is known."""
    return vm.customization is not None and vm.customization != GuestCustomization()


def _render(vm: VmAssignment) -> bytes:
    return render_iso(_LABEL, _files(vm, vm.customization or GuestCustomization()))


def _files(vm: VmAssignment, told: GuestCustomization) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if told.user_data or told.meta_data or told.network_config:
        # Without user-data cloud-init does not take the drive for its own.
        files["user-data"] = told.user_data.encode() or b"#cloud-config\n{}\n"
        # The uid is new for each clone, so cloud-init runs afresh there; and the same for ever for one machine.
        made_up = f"instance-id: {vm.uid}\nlocal-hostname: {vm.vm}\n"
        files["meta-data"] = (told.meta_data or made_up).encode()
        if told.network_config:
            files["network-config"] = told.network_config.encode()
    if told.sysprep_unattend_xml or told.windows_license_key:
        answers = render_unattend(told.sysprep_unattend_xml, told.windows_license_key)
        # Setup from a medium looks for the first name, a sysprepped Windows for the second.
        files["Autounattend.xml"] = files["Unattend.xml"] = answers
    return files
