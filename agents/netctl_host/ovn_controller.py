"""Is ovn-controller connected to the southbound database? Asked of itself, over its control socket.

`connection-status` answers from what ovn-controller knows now. The age of brAtlas' `ovn-nb-cfg-ts` would not do: it
moves only when somebody bumps nb_cfg.
"""

from __future__ import annotations

from pathlib import Path

from netctl_host.unixctl import run_command


def read_connected(rundir: Path) -> bool:
    """Return what the ovn-controller whose sockets are in `rundir` says; False where none answers."""
    # A killed process leaves its socket behind: it refuses.
    return any(_ask(path) == "connected" for path in sorted(rundir.glob("ovn-controller.*.ctl")))


def _ask(path: Path) -> str:
    try:
        return run_command(path, "connection-status").strip()
    except OSError:  # also: gone in between, not our socket, half an answer
        return ""
