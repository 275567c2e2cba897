"""Real OVSDB servers for tests: one process in the test's own directory, on a unix socket, ready in about 20 ms.

    with ovsdb_server(tmp_path, "nb") as server:
        server.remote              # unix:/.../nb.sock
        server.ctl("ovn-nbctl", "ls-add", "sw")

Comes in: a directory and which schema. Goes out: a running server, gone at the end of the block. The schemas are
those of the installed openvswitch and ovn packages.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netctl.loop import wait_until

SCHEMAS = {
    "nb": Path("/usr/share/ovn/ovn-nb.ovsschema"),
    "sb": Path("/usr/share/ovn/ovn-sb.ovsschema"),
    "vswitch": Path("/usr/share/openvswitch/vswitch.ovsschema"),
}


class OvsdbServer:
    """One ovsdb-server; `start` and `stop` may be repeated, its data stays in `database`."""

    def __init__(
        self, directory: Path, kind: str, *, remotes: tuple[str, ...] = (), options: tuple[str, ...] = ()
    ) -> None:
        self.kind = kind
        self.socket = directory / f"{kind}.sock"
        self.remote = f"unix:{self.socket}"
        self.database = directory / f"{kind}.db"
        self.log = directory / f"{kind}.log"
        self._control = directory / f"{kind}.ctl"
        self._raft = f"unix:{directory / kind}.raft"
        self._options = (*(f"--remote={remote}" for remote in remotes), *options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id while running."""
        assert self._process is not None, f"{self.kind} server is not running"
        return self._process.pid

    def create(self, schema: Path | None = None) -> None:
        """Make an empty database; one that is there is lost."""
        self.database.unlink(missing_ok=True)
        run("ovsdb-tool", "create", str(self.database), str(schema or SCHEMAS[self.kind]))

    def create_cluster(self) -> None:
        """Make an empty database that is the first member of a cluster."""
        run("ovsdb-tool", "create-cluster", str(self.database), str(SCHEMAS[self.kind]), self._raft)

    def join_cluster(self, first: OvsdbServer) -> None:
        """Make a database that is one more member."""
        name = json.loads(SCHEMAS[self.kind].read_text())["name"]
        run("ovsdb-tool", "join-cluster", str(self.database), name, self._raft, first._raft)

    def start(self) -> None:
        """Start and wait until it serves its database."""
        if not self.database.exists():
            self.create()
        listen = [f"--remote=punix:{self.socket}", *self._options]
        command = ["ovsdb-server", str(self.database), *listen, f"--unixctl={self._control}", "-vconsole:off"]
        self._process = subprocess.Popen([*command, f"--log-file={self.log}"], stderr=subprocess.DEVNULL)
        wait_until(self._serves, timeout_s=60, what=f"{self.kind} server serves", poll_s=0.002)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """End the process, by default in the clean way; without one do nothing."""
        if self._process is None:
            return
        self._process.send_signal(signum)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(timeout=30)
        self._process = None
        self.socket.unlink(missing_ok=True)
        self._control.unlink(missing_ok=True)

    def convert(self, schema: Path) -> None:
        """Change the schema of the running server's database, as an upgrade of OVN does."""
        run("ovsdb-client", "convert", self.remote, str(schema))

    def freeze(self) -> None:
        """Stop the process without closing its sockets: a half-open peer."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def appctl(self, *arguments: str) -> str:
        """Return what the server's control socket answers, e.g. to `ovsdb-server/sync-status`."""
        return run("ovs-appctl", "-t", str(self._control), *arguments)

    def ctl(self, program: str, *arguments: str) -> str:
        """Run ovn-nbctl, ovn-sbctl or ovs-vsctl against this server; return its output."""
        return run(program, f"--db={self.remote}", "--timeout=30", *arguments)

    def transact(self, operations: str) -> str:
        """Run a hand-written transaction, `["OVN_Northbound", {"op": ...}]`; return the result as JSON."""
        return run("ovsdb-client", "transact", self.remote, operations)

    def _serves(self) -> bool:
        """Does it listen, and has it entered its database into _Server (its first round after listening)?"""
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"ovsdb-server ended: {self.log.read_text()}")
        select = {"op": "select", "table": "Database", "where": [], "columns": ["connected", "name"]}
        call = {"id": 0, "method": "transact", "params": ["_Server", select]}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            if connection.connect_ex(str(self.socket)):
                return False  # not bound, or bound and not yet listening
            connection.sendall(json.dumps(call).encode())
            # OVN_Northbound, OVN_Southbound, Open_vSwitch; a member that has not joined yet is not connected.
            return b'"connected":true,"name":"O' in connection.recv(65536)


@contextmanager
def ovsdb_server(
    directory: Path, kind: str, *, remotes: tuple[str, ...] = (), options: tuple[str, ...] = ()
) -> Iterator[OvsdbServer]:
    """Run a server of `kind` (nb, sb, vswitch) with an empty database in `directory` for the block.

    `remotes`: more to listen on than the unix socket, as ovsdb-server(1) spells them: `ptcp:6641:127.0.0.1`;
    `options`: more for its command line.
    """
    server = OvsdbServer(directory, kind, remotes=remotes, options=options)
    server.create()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def ovsdb_cluster(directory: Path, kind: str, *, size: int = 3) -> Iterator[list[OvsdbServer]]:
    """Run a RAFT cluster for the block; the first server is the first leader."""
    servers = []
    for number in range(size):
        home = directory / str(number)
        home.mkdir()
        servers.append(OvsdbServer(home, kind))
    try:
        for server in servers:
            if server is servers[0]:
                server.create_cluster()
            else:
                server.join_cluster(servers[0])
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()


def run(*command: str) -> str:
    """Run a program; return its output, or raise with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def northd(directory: Path, nb: OvsdbServer, sb: OvsdbServer) -> Iterator[None]:
    """Run ovn-northd between two servers for the block."""
    command = [
        "ovn-northd",
        f"--ovnnb-db={nb.remote}",
        f"--ovnsb-db={sb.remote}",
        f"--unixctl={directory / 'northd.ctl'}",
        f"--log-file={directory / 'northd.log'}",
        "-vconsole:off",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
