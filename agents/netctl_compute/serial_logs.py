"""What guests write to their serial console, kept for people who look for why one does not start.

One file for each machine in the agent's state directory, opened for appending by QEMU (or by libvirt's virtlogd, which
bounds it itself). A guest can write for ever, so each pass cuts files that are too long: the newer half is kept.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from netctl_compute.store import checked_uid

log = structlog.get_logger()


class SerialLogs:
    """`serial/{vm uid}.log` in `directory`, which is made when it is not there."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory.resolve() / "serial"
        self._max_bytes = max_bytes
        self._directory.mkdir(parents=True, exist_ok=True)

    def path(self, vm_uid: str) -> str:
        """Return the file of one machine."""
        return str(self._directory / f"{checked_uid(vm_uid, 'virtual machine')}.log")

    def remove(self, vm_uid: str) -> None:
        """Remove it."""
        Path(self.path(vm_uid)).unlink(missing_ok=True)

    def cut(self) -> None:
        """Shorten what is too long. What a guest writes just then may be lost."""
        for path in self._directory.glob("*.log"):
            try:
                if path.is_symlink() or path.stat().st_size <= self._max_bytes:
                    continue
                with path.open("r+b") as file:
                    file.seek(-self._max_bytes // 2, 2)
                    kept = file.read(self._max_bytes // 2)
                    # In place: whoever has it open for appending goes on at the new end.
                    file.seek(0)
                    file.write(kept)
                    file.truncate()
            except OSError as error:
                log.warning("serial log cannot be cut", path=str(path), error=str(error))
