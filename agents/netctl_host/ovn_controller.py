"""Is ovn-controller connected to the southbound database? Asked of itself, over its control socket.

`connection-status` answers from what ovn-controller knows now. The age of brAtlas' `ovn-nb-cfg-ts` would not do: it
moves only when somebody bumps nb_cfg. The protocol is one JSON-RPC request, ovs-appctl(8).
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

TIMEOUT_S = 1.0


def read_connected(rundir: Path) -> bool:
    """Return what the ovn-controller whose sockets are in `rundir` says; False where none answers."""
    # A killed process leaves its socket behind: it refuses.
    return any(_ask(path) == "connected" for path in sorted(rundir.glob("ovn-controller.*.ctl")))


def _ask(path: Path) -> str:
    request = {"id": 0, "method": "connection-status", "params": []}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(TIMEOUT_S)
            control.connect(str(path))
            control.sendall(json.dumps(request).encode())
            answer = b""
            while part := control.recv(4096):
                answer += part
                if answer.rstrip().endswith(b"}"):
                    break
        return str(json.loads(answer).get("result") or "").strip()
    except (OSError, ValueError):  # also: gone in between, not our socket, half an answer
        return ""
