"""Where labs are: the run directories, and the address of a running lab's controller.

The CLI imports this at every start, so it imports nothing heavy and never fails for want of a lab.
"""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "NETCTL_LAB_DIR"


def run_root() -> Path:
    """Return the folder of all run directories: $NETCTL_LAB_DIR, or the one in /run."""
    return Path(os.environ.get(ENVIRONMENT) or "/run/netctl-lab")


def run_dir(lab: str) -> Path:
    """Return the run directory of one lab, there or not."""
    return run_root() / lab


def lab_names() -> list[str]:
    """Name the labs that have a run directory."""
    try:
        return sorted(entry.name for entry in run_root().iterdir() if entry.is_dir())
    except (FileNotFoundError, PermissionError):
        return []


def controller_socket(lab: str) -> Path:
    """Return the socket on which a lab's controller serves its API."""
    return run_dir(lab) / "netctl.sock"


def servers() -> list[str]:
    """Return the gRPC targets of all running labs."""
    return [f"unix:{socket}" for lab in lab_names() if (socket := controller_socket(lab)).is_socket()]


def default_server() -> str | None:
    """Return the gRPC target of the only running lab, or None when there is none or more than one."""
    found = servers()
    return found[0] if len(found) == 1 else None
