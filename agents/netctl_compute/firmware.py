"""UEFI: which firmware this host has (OVMF), and each machine's own copy of the variables.

Secure Boot is a build of its own whose variables have the keys enrolled (`.ms`: Microsoft's, which every distribution's
boot loader is signed with); it needs q35 with SMM. Source: /usr/share/doc/ovmf/README.Debian.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from netctl_compute.problem import Problem
from netctl_compute.storage_state import FirmwareFiles
from netctl_compute.store import Store

# Code and the variables that belong to it, best first. The 4M variants are what distributions go on with.
_PLAIN = (
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("OVMF_CODE.fd", "OVMF_VARS.fd"),
)
_SECURE = (
    ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
    ("OVMF_CODE.secboot.fd", "OVMF_VARS.ms.fd"),
)


@dataclass(frozen=True, slots=True)
class FirmwareRoom:
    """The firmware that is installed in a directory."""

    directory: Path

    def has(self, *, secure_boot: bool) -> bool:
        """Say whether machines can be started with it."""
        return self._find(secure_boot) is not None

    def find(self, store: Store, vm_uid: str, *, secure_boot: bool) -> FirmwareFiles | None:
        """Return a machine's firmware once its variables are there. Raises Problem NO_FIRMWARE."""
        code, _ = self._installed(secure_boot)
        variables = store.nvram(vm_uid, secure_boot=secure_boot)
        if not store.has(variables):
            return None
        return FirmwareFiles(code=code, variables=variables, secure_boot=secure_boot)

    def make(self, store: Store, vm_uid: str, *, secure_boot: bool) -> None:
        """Give a machine its variables, unless it has them: a copy of the installed ones."""
        _, template = self._installed(secure_boot)
        final = store.nvram(vm_uid, secure_boot=secure_boot)
        if store.has(final):
            return
        with store.new_part(final) as part:
            shutil.copyfile(template, part)
            store.publish(part, final)

    def _installed(self, secure_boot: bool) -> tuple[Path, Path]:
        found = self._find(secure_boot)
        if found is None:
            name = "UEFI with Secure Boot" if secure_boot else "UEFI"
            raise Problem("NO_FIRMWARE", f"this host has no {name} firmware: install ovmf ({self.directory})")
        return found

    def _find(self, secure_boot: bool) -> tuple[Path, Path] | None:
        for names in _SECURE if secure_boot else _PLAIN:
            code, variables = (self.directory / name for name in names)
            if code.is_file() and variables.is_file():
                return code, variables
        return None
