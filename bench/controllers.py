"""netctl as a user runs it: a real northbound server, a real `netctl-controller` on SQLite, and a channel to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from bench.figures import WrongCount
from bench.follower import Follower
from bench.nics import infrastructure
from bench.ports import RawClient
from netctl.loop import wait_until
from netctl.v1 import operations_pb2 as pb
from netctl.v1.operations_pb2_grpc import BatchServiceStub, ControllerServiceStub
from tests.servers import OvsdbServer, northd, ovsdb_server

CALL_S = 120.0
_PORTS = {"op": "select", "table": "Logical_Switch_Port", "where": [], "columns": ["_uuid"]}


class Controller:
    """A controller process; `start` it and `stop` it as often as wanted."""

    def __init__(self, directory: Path, nb: OvsdbServer) -> None:
        self.address = f"unix:{directory}/netctl.sock"
        self.log = directory / "controller.log"
        program = "from netctl.controller import main; raise SystemExit(main())"
        self._command = [
            *(sys.executable, "-c", program),
            *("--state-dir", str(directory / "state")),
            *("--northbound", nb.remote),
            *("--listen", self.address),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process' number."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start; return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def stop(self) -> None:
        """Stop in the clean way; without one do nothing."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def wait_ready(self, channel: grpc.Channel, *, timeout_s: float = 120.0) -> pb.GetControllerResponse:
        """Return its state when the northbound database equals the store and northd knows it."""
        stub = ControllerServiceStub(channel)

        def ready() -> pb.GetControllerResponse | None:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"the controller ended: {self.log.read_text()[-2000:]}")
            state = stub.GetController(pb.GetControllerRequest(), timeout=CALL_S, wait_for_ready=True)
            return state if state.ready and state.northbound_revision == state.store_revision else None

        state = wait_until(ready, timeout_s=timeout_s, what="controller in sync", poll_s=0.02)
        assert state is not None
        return state


@dataclass(frozen=True, slots=True)
class World:
    """What a benchmark works on."""

    nb: OvsdbServer
    controller: Controller
    channel: grpc.Channel
    follower: Follower

    def batch(self, request: pb.BatchRequest) -> pb.BatchResponse:
        """Make one change."""
        return BatchServiceStub(self.channel).Batch(request, timeout=CALL_S, wait_for_ready=True)

    def wait_ready(self) -> pb.GetControllerResponse:
        """Return when the northbound database equals the store."""
        return self.controller.wait_ready(self.channel)

    def ports(self) -> int:
        """Count the ports in the northbound database, by asking the server itself."""
        with RawClient(str(self.nb.socket)) as client:
            return len(client.transact([_PORTS])[0]["rows"])

    def wait_ports(self, count: int) -> float:
        """Return when (time.monotonic) the last transaction was there, after which there are at least so many ports.

        The server is asked once, when all is written: to count ports costs it as much as to write some.
        """
        self.wait_ready()  # the follower has heard of the last transaction by then
        if (found := self.ports()) < count:
            raise WrongCount(f"{found} ports in the northbound database, not {count}")
        return self.follower.seen[-1][1]


@contextmanager
def world(
    directory: Path,
    *,
    with_northd: bool = False,
    template: Path | None = None,
    ground: Callable[[], pb.BatchRequest] = infrastructure,
) -> Iterator[World]:
    """Run a controller, with only `ground` in it or a copy of what `template` holds; gone after the block."""
    if template is not None:
        shutil.copytree(template, directory, dirs_exist_ok=True)
    with ExitStack() as stack:
        nb = stack.enter_context(_northbound(directory, with_northd))
        controller = Controller(directory, nb)
        stack.callback(controller.stop)
        controller.start()
        follower = stack.enter_context(Follower(str(nb.socket), acknowledge=not with_northd))
        channel = stack.enter_context(channel_to(controller.address))
        here = World(nb, controller, channel, follower)
        if template is None:
            here.batch(ground())
        here.wait_ready()
        yield here


@contextmanager
def channel_to(address: str) -> Iterator[grpc.Channel]:
    """Connect, again soon after each refusal: the server may still be starting."""
    options = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 20)]
    with grpc.insecure_channel(address, options=options) as channel:
        yield channel


@contextmanager
def _northbound(directory: Path, with_northd: bool) -> Iterator[OvsdbServer]:
    with ExitStack() as stack:
        if (directory / "nb.db").exists():
            nb = OvsdbServer(directory, "nb")
            stack.callback(nb.stop)
            nb.start()
        else:
            nb = stack.enter_context(ovsdb_server(directory, "nb"))
        if with_northd:
            sb = stack.enter_context(ovsdb_server(directory, "sb"))
            stack.enter_context(northd(directory, nb, sb))
        yield nb


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the memory that a process holds now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
