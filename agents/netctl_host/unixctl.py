"""Control commands of the OVS daemons: one JSON-RPC request over a Unix socket, ovs-appctl(8).

In: the socket's path, a command. Out: its text. An answer longer than `LONGEST_BYTES`, or later than asked for, is an
OSError, as is a command that the daemon refuses.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

TIMEOUT_S = 1.0
LONGEST_BYTES = 8 << 20


def run_command(path: Path, command: str, *arguments: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return what the command prints; raise OSError."""
    request = json.dumps({"id": 0, "method": command, "params": arguments}).encode()
    deadline = time.monotonic() + timeout_s
    parts: list[bytes] = []
    size = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(timeout_s)
        control.connect(str(path))
        control.sendall(request)
        while True:
            control.settimeout(max(0.001, deadline - time.monotonic()))
            part = control.recv(1 << 16)
            parts.append(part)
            size += len(part)
            if size > LONGEST_BYTES:
                raise OSError(f"{command}: the answer is too long")
            if not part or part.rstrip().endswith(b"}"):
                answer = _parse(b"".join(parts), command)
                if answer is not None:
                    return answer
                if not part:
                    raise ConnectionResetError(f"{command}: half an answer")


def _parse(text: bytes, command: str) -> str | None:
    """Return the result, None while the answer is not whole."""
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("error") is not None:
        raise OSError(f"{command}: {answer.get('error') if isinstance(answer, dict) else answer}".strip())
    return str(answer.get("result") or "")
