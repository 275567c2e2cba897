"""Which store this host has, on disk: a host that starts before its store is mounted fills no empty mount point."""

from __future__ import annotations

from pathlib import Path

from netctl.saved_file import replace_file
from netctl_compute.store import Store

NAME = "store-id"


def open_store(directory: Path, host: str, state_dir: Path) -> Store:
    """Open the store that this host had at its last start, or the first one. Raises Problem STORE_BROKEN.

    Whoever wants to give the host another store removes `{state_dir}/store-id`.
    """
    file = state_dir / NAME
    known_id = file.read_text().strip() if file.exists() else ""
    store = Store(directory, host, known_id=known_id)
    if not known_id:
        replace_file(file, f"{store.id}\n".encode())
    return store
