"""The compute agent as a process on a private host of libvirt: started, killed, started again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netctl_compute.assignment import ComputeAssignment

from netctl.lab import namespaces
from netctl.loop import wait_until
from netctl.v1 import agent_compute_pb2 as pb
from tests.functional.compute.controller import ComputeController
from tests.functional.compute.libvirt_host import PrivateLibvirt

SETTLE_S = 40.0


class ComputeAgent:
    """An agent with a controller of its own; everything it keeps is below the host's directory."""

    def __init__(self, host: PrivateLibvirt, directory: Path) -> None:
        self.host = host
        self.store = directory / "store"
        self.state = directory / "state"
        self.controller = ComputeController(directory)
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the agent says."""
        return self._directory / "agent.log"

    def start(self) -> None:
        """Start the process."""
        net = namespaces.DIRECTORY / self.host.namespace
        argv = [
            *("nsenter", f"--net={net}", "--", sys.executable, "-m", "netctl_compute.main"),
            *("--host-id", "h1", "--controller", self.controller.address, "--libvirt", self.host.uri),
            *("--store", str(self.store), "--state-dir", str(self.state)),
            *("--run-dir", str(self._directory / "run"), "--domain-type", "qemu"),
            *("--tpm-dir", str(self.host.host.directory / "var/lib/libvirt/swtpm")),
            *("--migration-address", self.host.host.migrate_uri, "--reserved-memory-mib", "64"),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill it as a fault would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def assign(self, assignment: ComputeAssignment) -> None:
        """Give it work."""
        self.controller.assign(assignment)

    def settled(self, assignment: ComputeAssignment) -> pb.ComputeReport:
        """Assign, and return the report in which the host equals it."""
        self.assign(assignment)
        return self.wait(
            lambda report: report.assignment_revision == assignment.revision,
            f"revision {assignment.revision} reached",
        )

    def wait(self, seen: Callable[[pb.ComputeReport], object], what: str) -> pb.ComputeReport:
        """Return the first of the newest reports that `seen` likes."""

        def look() -> pb.ComputeReport | None:
            report = self.controller.last()
            return report if seen(report) else None

        try:
            found = wait_until(look, timeout_s=SETTLE_S, what=what)
        except TimeoutError as error:
            text = f"{error}\nlast report: {self.controller.last()}\nlog: {self.log.read_text()[-3000:]}"
            raise TimeoutError(text) from error
        assert found is not None
        return found

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)
            self._process = None


@contextmanager
def compute_agent(host: PrivateLibvirt, directory: Path) -> Iterator[ComputeAgent]:
    """Give an agent that runs and is connected."""
    directory.mkdir(parents=True, exist_ok=True)
    agent = ComputeAgent(host, directory)
    agent.controller.start()
    try:
        agent.start()
        yield agent
    finally:
        agent.kill()
        agent.controller.stop()
