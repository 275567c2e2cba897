"""Real hosts of libvirt for tests: each a network namespace with a private libvirtd, gone with all guests afterwards.

`libvirt_hosts` gives as many as a test wants, joined by a bridge, so that they migrate guests to each other. All
processes of a host are in a PID namespace whose first process ends when the test's end of a pipe closes: also a test
that is killed leaves no QEMU, no swtpm and no libvirtd. Only the names of network namespaces and empty directories
could be left then.

The guests' disks may be anywhere on the machine but under libvirt's own directories (netctl.lab.libvirt).
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from netctl.errors import Unavailable
from netctl.lab import links, namespaces
from netctl.lab.libvirt import LibvirtHost
from netctl.lab.links import Cable, Port
from netctl.loop import wait_until

READY_S = 20.0
MTU_BYTES = 9000
UNDERLAY = "eth0"  # the link by which hosts reach each other
_numbers = itertools.count()
# It inherits every orphan, QEMU among them: ignoring their end is what lets them go.
_FIRST = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print('ready', flush=True); input()"


class PrivateLibvirt:
    """One host: `uri` for whoever speaks libvirt, `namespace` for its links, `kill` and `start` for its libvirtd."""

    def __init__(self, namespace: str, host: LibvirtHost) -> None:
        """Take a network namespace that is there; nothing runs before `start`."""
        self.namespace = namespace
        self.host = host
        self._keeper: subprocess.Popen[bytes] | None = None
        self._libvirtd: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """The connection URI, for this process."""
        return self.host.uri

    @property
    def log(self) -> Path:
        """What libvirtd says."""
        return self.host.directory / "libvirtd.log"

    def start(self) -> None:
        """Start what does not run: the host, its libvirtd; return when it answers."""
        if self._keeper is None:
            self.host.prepare()
            self._keeper = self._keep()
        with self.log.open("ab") as log:
            self.host.socket.unlink(missing_ok=True)
            self._libvirtd = subprocess.Popen(
                [*self._enter(), *self.host.libvirtd()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._answers, timeout_s=READY_S, what=f"libvirtd of {self.namespace} answers")

    def kill(self) -> None:
        """Kill libvirtd as a fault would (SIGKILL); its guests run on."""
        assert self._libvirtd is not None
        # nsenter waits for the one child that it made in the PID namespace.
        self.run("sh", "-c", f'kill -KILL "$(cat "{self.host.directory}/run/libvirtd.pid")"')
        self._libvirtd.send_signal(signal.SIGCONT)  # of one that is frozen, nsenter is, too
        self._libvirtd.wait(timeout=READY_S)

    def freeze(self) -> None:
        """Let libvirtd hang (SIGSTOP), until `thaw`."""
        self.run("sh", "-c", f'kill -STOP "$(cat "{self.host.directory}/run/libvirtd.pid")"')

    def thaw(self) -> None:
        """Let it go on."""
        assert self._libvirtd is not None
        self.run("sh", "-c", f'kill -CONT "$(cat "{self.host.directory}/run/libvirtd.pid")"')
        self._libvirtd.send_signal(signal.SIGCONT)  # nsenter stops with its child

    def remove(self) -> None:
        """End every process."""
        with ExitStack() as last_to_first:  # each is tried, whatever the one before it met
            for process in (self._libvirtd, self._keeper):
                if process is not None:
                    last_to_first.callback(process.wait, READY_S)
            if self._libvirtd is not None:
                last_to_first.callback(self._libvirtd.send_signal, signal.SIGCONT)  # it may be frozen
            if self._keeper is not None and self._keeper.stdin is not None:
                self._keeper.stdin.close()

    def run(self, *argv: str, timeout_s: float = 30.0) -> str:
        """Run a program on the host, its network and its processes; return what it prints."""
        done = subprocess.run(
            [*self._enter(), *argv], capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode:
            raise Unavailable(f"{' '.join(argv)} on {self.namespace}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def virsh(self, *argv: str, timeout_s: float = 60.0) -> str:
        """Run virsh against this host; return what it prints."""
        return self.run("virsh", "--quiet", "--connect", self.uri, *argv, timeout_s=timeout_s)

    def qemu_pids(self) -> list[int]:
        """List the guests' processes on this host, by the machine's numbers, whatever libvirtd knows of them.

        A QEMU without a guest is libvirtd's, which asks it what it can do.
        """
        return [pid for pid in namespaces.pids_in([self.namespace]) if _is_guest(pid)]

    def _keep(self) -> subprocess.Popen[bytes]:
        """Start the first process of the PID namespace, which reads until we close or die."""
        first = (sys.executable, "-S", "-c", _FIRST)
        # The kernel kills a PID namespace's processes with its first one; pid_namespaces(7).
        argv = [
            "nsenter",
            f"--net={self._net}",
            "--",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--",
            *first,
        ]
        keeper = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert keeper.stdout is not None
        with keeper.stdout:
            keeper.stdout.readline()
        return keeper

    def _enter(self) -> list[str]:
        assert self._keeper is not None, "start() comes first"
        # unshare(1) stays in its own PID namespace; the one of its children is the new one.
        children = f"/proc/{self._keeper.pid}/ns/pid_for_children"
        return ["nsenter", f"--net={self._net}", f"--pid={children}", "--"]

    @property
    def _net(self) -> str:
        return str(namespaces.DIRECTORY / self.namespace)

    def _answers(self) -> bool:
        assert self._libvirtd is not None
        if self._libvirtd.poll() is not None:
            words = self.log.read_text(errors="replace")[-800:]
            raise Unavailable(f"libvirtd of {self.namespace} ended at once; its log ends: {words}")
        if not self.host.socket.is_socket():
            return False
        asked = [*self._enter(), "virsh", "--quiet", "--connect", self.uri, "list", "--name"]
        return subprocess.run(asked, capture_output=True, timeout=READY_S, check=False).returncode == 0


def _is_guest(pid: int) -> bool:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"qemu-" in argv[0] and any(word.startswith(b"guest=") for word in argv)


@contextmanager
def libvirt_hosts(directory: Path, count: int) -> Iterator[list[PrivateLibvirt]]:
    """Give so many hosts that reach each other at 192.0.2.1, .2 and so on; each has a directory below `directory`."""
    fabric = f"ncv{os.getpid()}-{next(_numbers)}"
    hosts = [
        PrivateLibvirt(
            f"{fabric}-{number}",
            LibvirtHost(
                directory=directory / str(number), name=f"host{number}", address=f"192.0.2.{number + 1}"
            ),
        )
        for number in range(count)
    ]
    with ExitStack() as last_to_first:
        for name in (fabric, *(host.namespace for host in hosts)):
            last_to_first.callback(namespaces.remove, name)
            namespaces.ensure(name)
            links.set_sysctls(name, links.SILENT_PEER)
        _join(fabric, hosts)
        for host in hosts:
            last_to_first.callback(host.remove)
            host.start()
        yield hosts


def _join(fabric: str, hosts: list[PrivateLibvirt]) -> None:
    links.ensure_bridges(fabric, ["sw"], MTU_BYTES)
    links.connect(
        Cable(
            ends=(
                Port(namespace=host.namespace, interface=UNDERLAY, address=f"{host.host.address}/24"),
                Port(namespace=fabric, interface=host.host.name, bridge="sw"),
            ),
            mtu_bytes=MTU_BYTES,
        )
        for host in hosts
    )
