"""ovn-trace as a daemon: a process for each packet would take ten times as long."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from netctl.loop import wait_until
from tests.servers import OvsdbServer, run

# The state of a packet that opens a connection, for each time that it is asked on the longest way.
NEW = ("--ct=new",) * 8
# Blocks whose packets are not the one that is traced.
ASIDE = re.compile(r"(?:arp|nd_ns|nd_na|nd_na_router|icmp4|icmp6|icmp4_error|icmp6_error|tcp_reset|reject) ")
OUTPUT = re.compile(r'output\("([^"]+)"\)')


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running ovn-trace."""

    control: Path

    def ask(self, datapath: str, flow: str) -> str:
        """Return what `--minimal` prints (unixctl is JSON-RPC 1.0)."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(20)
            channel.connect(str(self.control))
            request = {"method": "trace", "params": ["--minimal", datapath, flow], "id": 0}
            channel.sendall(json.dumps(request).encode())
            received = b""
            while chunk := channel.recv(1 << 16):
                received += chunk
                if (answer := _complete(received)) is not None:
                    assert answer["error"] is None, f"{flow}: {answer['error']}"
                    return str(answer["result"])
        raise AssertionError(f"ovn-trace said nothing whole to {flow}: {received!r}")


@contextmanager
def tracer(sb: OvsdbServer, states: Sequence[str], name: str = "trace") -> Iterator[Daemon]:
    """Have ovn-trace for the southbound as it is now, which it reads once; `states` are its options `--ct`."""
    control = sb.socket.parent / f"{name}.ctl"
    files = [f"--unixctl={control}", f"--log-file={control}.log"]
    run("ovn-trace", f"--db={sb.remote}", *states, "--detach", "--no-chdir", *files, "-vconsole:off")
    try:
        yield Daemon(control)
    finally:
        run("ovs-appctl", "-t", str(control), "exit")
        wait_until(lambda: not control.exists(), timeout_s=10, what="ovn-trace ends", poll_s=0.002)


def _complete(received: bytes) -> dict[str, object] | None:
    try:
        answer: dict[str, object] = json.loads(received)
    except json.JSONDecodeError:
        return None
    return answer
