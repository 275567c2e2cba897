"""A copy of a disk that stands still in its middle: whoever started this kills it then, as an agent may be killed.

    python -m tests.functional.compute.killed_copy DIRECTORY

Prints `copying`, the uids of machine and disk, and the pid of qemu-img. The store is DIRECTORY/store.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

from netctl_compute.disks import Disks
from netctl_compute.storage_state import DiskFile
from netctl_compute.store import Store
from netctl_compute.work import Ticket

from tests.functional.compute.storage_parts import MIB, disk, run, write

SIZE_BYTES = 256 * MIB
PATTERN = 7
_FROM_PERCENT, _TO_PERCENT = 5.0, 95.0


class _Halting(Ticket):
    """Stops the program that works for it once it is on its way."""

    def __init__(self, words: str) -> None:
        super().__init__(lambda: None)
        self._words = words

    def progress(self, percent: float) -> None:
        """Halt it, and say so once."""
        super().progress(percent)
        if self._words and _FROM_PERCENT < percent < _TO_PERCENT:
            (pid,) = _children()
            os.kill(pid, signal.SIGSTOP)
            print(self._words, pid, flush=True)
            self._words = ""


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def main(directory: Path) -> None:
    """Copy a disk of `directory` into its store."""
    source = directory / "source.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", source, str(SIZE_BYTES))
    write(source, PATTERN, length=SIZE_BYTES)
    vm_uid, made = str(uuid4()), disk(SIZE_BYTES)
    ticket = _Halting(f"copying {vm_uid} {made.uid}")
    Disks(Store(directory / "store", "h1")).make(vm_uid, made, DiskFile(path=source, format="qcow2"), ticket)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
