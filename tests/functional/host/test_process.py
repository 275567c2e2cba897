"""The agent as it is run: a process in the host's namespace, its controller there or not."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host.assignment import Assignment
from netctl_host.plan import plan

from netctl.loop import wait_until
from netctl.v1 import agent_pb2
from tests.functional.host.controller import AgentController
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import SETTINGS
from tests.servers import ovsdb_server
from tests.unit.host.frames import arp
from tests.unit.host.samples import assign, nic, uplink
from tests.unit.host.test_acl_log import line

ASSIGNMENT = assign(
    uplink(0, "eth1", "eth2", address="192.0.2.11/24"), nics=(nic(1), nic(2)), revision=7, epoch=3
)


class AgentProcess:
    """netctl-host-agent on `host`; its log is in `agent.log`."""

    def __init__(self, host: NamespaceHost, controller: str) -> None:
        self._host = host
        self._controller = controller
        self._process: subprocess.Popen[bytes] | None = None
        self.log = host.directory / "agent.log"

    def start(self, *options: str, by: tuple[str, ...] = ()) -> None:
        """Start it; `by` is a program that starts it in its way."""
        command = (
            *by,
            sys.executable,
            "-m",
            "netctl_host.main",
            "--host-id",
            "h1",
            "--controller",
            self._controller,
        )
        here = str(self._host.directory)
        places = ("--ovsdb", self._host.database.remote, "--ovs-rundir", here, "--ovn-rundir", here)
        state = ("--state-dir", str(self._host.directory / "state"), "--datapath-type", "netdev")
        log = ("--ovn-controller-log", str(self._host.directory / "acl.log"))
        self._process = self._host.popen(*command, *places, *state, *log, *options, log=self.log)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signum)
        code = self._process.wait(timeout=20)
        self._process = None
        return code

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout=20)
        self._process = None
        return code


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[AgentController]:
    served = AgentController(tmp_path)
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture
def agent(host: NamespaceHost, controller: AgentController) -> Iterator[AgentProcess]:
    process = AgentProcess(host, controller.address)
    try:
        yield process
    finally:
        process.stop(signal.SIGKILL)


def is_as(host: NamespaceHost, assignment: Assignment) -> bool:
    """Return whether the host equals its assignment, ovs-vswitchd included."""
    state = host.read_state()
    return not plan(assignment, state, SETTINGS) and "br0" in state.links and state.links["br0"].up


def nic_report(controller: AgentController, number: int) -> agent_pb2.NicReport:
    reports = [report for report in controller.last().nics if report.iface_id == nic(number).iface_id]
    return reports[0] if reports else agent_pb2.NicReport()


def test_a_host_from_nothing_and_through_a_crash(
    host: NamespaceHost, controller: AgentController, agent: AgentProcess
) -> None:
    for link in ("eth1", "eth2", "tap1"):
        host.add_link(link)
    controller.start()
    controller.assign(ASSIGNMENT)
    agent.start()
    wait_until(lambda: controller.last().assignment_revision == 7, timeout_s=20, what="assignment reached")
    wait_until(lambda: is_as(host, ASSIGNMENT), timeout_s=10, what="the host is as assigned")
    wait_until(lambda: nic_report(controller, 1).plugged, timeout_s=10, what="tap1 is plugged")
    assert not nic_report(controller, 2).tap_present

    host.add_link("tap2")
    wait_until(lambda: nic_report(controller, 2).plugged, timeout_s=5, what="a new tap is plugged")
    host.remove_link("tap2")
    wait_until(lambda: not nic_report(controller, 2).plugged, timeout_s=5, what="a vanished one is unplugged")
    wait_until(lambda: "Port tap2" not in host.row_uuids(), timeout_s=5, what="its port is removed")

    before = host.row_uuids()
    agent.stop(signal.SIGKILL)
    controller.stop()
    assert is_as(host, ASSIGNMENT)
    host.vsctl(
        "del-br", "brAtlas", "--", "del-br", "br0"
    )  # the host lost what it had, the controller is away
    wait_until(lambda: host.read_state().switch.bridges == {}, timeout_s=10, what="an empty host")
    agent.start()
    wait_until(lambda: is_as(host, ASSIGNMENT), timeout_s=20, what="rebuilt from disk")
    assert set(host.row_uuids()) == set(before)


def test_a_restart_touches_nothing(
    host: NamespaceHost, controller: AgentController, agent: AgentProcess
) -> None:
    for link in ("eth1", "eth2", "tap1"):
        host.add_link(link)
    controller.start()
    controller.assign(ASSIGNMENT)
    agent.start()
    wait_until(lambda: is_as(host, ASSIGNMENT), timeout_s=20, what="the host is as assigned")
    before = host.row_uuids()
    for signum in (signal.SIGKILL, signal.SIGTERM):
        agent.stop(signum)
        controller.reports.clear()
        agent.start()
        wait_until(lambda: controller.last().assignment_revision == 7, timeout_s=20, what="reached again")
        assert host.row_uuids() == before
    acting = [line for line in agent.log.read_text().splitlines() if "acting" in line]
    first_run = [line for line in acting if "AddBridge" in line]
    assert len(first_run) == 1
    agent.stop(signal.SIGKILL)
    controller.stop()
    agent.start("--once")
    assert agent.wait() == 0
    assert host.row_uuids() == before
    assert [line for line in agent.log.read_text().splitlines() if "acting" in line] == acting


def test_it_waits_for_a_database_that_starts_later(
    host: NamespaceHost, controller: AgentController, agent: AgentProcess
) -> None:
    host.add_link("eth1")
    host.add_link("eth2")
    controller.start()
    controller.assign(ASSIGNMENT)
    host.stop_vswitchd()
    host.database.stop()
    agent.start()
    wait_until(lambda: controller.last().problems, timeout_s=20, what="the problem is reported")
    host.database.start()
    host.start_vswitchd()
    wait_until(lambda: controller.last().assignment_revision == 7, timeout_s=20, what="reached")
    wait_until(lambda: not controller.last().problems, timeout_s=20, what="no problem is left")


def test_without_the_right_to_load_programs_nics_are_served_and_not_guarded(
    host: NamespaceHost, controller: AgentController, agent: AgentProcess
) -> None:
    for link in ("eth1", "eth2", "tap1"):
        host.add_link(link)
    assignment = replace(ASSIGNMENT, nics=(replace(nic(1), guard_ipv6=True),))
    controller.start()
    controller.assign(assignment)
    agent.start(by=("setpriv", "--bounding-set", "-sys_admin,-bpf"))
    wait_until(lambda: nic_report(controller, 1).plugged, timeout_s=20, what="tap1 is plugged")
    wait_until(lambda: controller.last().assignment_revision == 7, timeout_s=10, what="assignment reached")
    assert not nic_report(controller, 1).guarded
    (problem,) = controller.last().problems
    assert "does not take the IPv6 guard of taps: Operation not permitted" in problem
    agent.stop()
    agent.start()
    wait_until(lambda: nic_report(controller, 1).guarded, timeout_s=20, what="tap1 is guarded")
    assert not controller.last().problems


def test_what_its_guests_use_and_what_acls_log_reaches_the_controller(
    host: NamespaceHost, controller: AgentController, agent: AgentProcess
) -> None:
    for link in ("eth1", "eth2", "tap1"):
        host.add_link(link)
    controller.start()
    controller.assign(replace(ASSIGNMENT, nics=(replace(nic(1), learn_addresses=True),)))
    agent.start()
    wait_until(lambda: nic_report(controller, 1).plugged, timeout_s=20, what="tap1 is plugged")
    with host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as guest:
        guest.bind(("x-tap1", 0))

        def is_heard() -> bool:
            guest.send(arp("192.0.2.7"))
            return [one.address for one in nic_report(controller, 1).learned_addresses] == ["192.0.2.7"]

        wait_until(is_heard, timeout_s=10, what="what the guest uses is reported", poll_s=0.2)
    (host.directory / "acl.log").write_text(line("a-1"))
    wait_until(lambda: controller.logs, timeout_s=10, what="the log is told")
    assert controller.logs[0].logs[0].acl_name == "a-1"
    agent.stop(signal.SIGKILL)
    controller.reports.clear()
    agent.start()
    wait_until(lambda: nic_report(controller, 1).plugged, timeout_s=20, what="the new agent reports")
    assert [one.address for one in nic_report(controller, 1).learned_addresses] == ["192.0.2.7"]


def test_sigterm_ends_it_at_once(host: NamespaceHost, agent: AgentProcess) -> None:
    agent.start()
    wait_until(lambda: "host agent runs" in agent.log.read_text(), timeout_s=10, what="it runs")
    assert agent.stop() == 0


@contextmanager
def running(host: NamespaceHost, *command: str, log: Path) -> Iterator[None]:
    """Run a program on `host` for the block."""
    process = host.popen(*command, log=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_the_connection_of_ovn_controller_is_reported(
    host: NamespaceHost, controller: AgentController, agent: AgentProcess, tmp_path: Path
) -> None:
    for link in ("eth1", "eth2"):
        host.add_link(link)
    controller.start()
    with ovsdb_server(tmp_path, "sb") as southbound:
        southbound.ctl("ovn-sbctl", "init")  # ovn-controller 23.03 crashes on an empty database
        chassis = replace(ASSIGNMENT.chassis, ovn_remote=southbound.remote)
        assignment = replace(ASSIGNMENT, chassis=chassis)
        controller.assign(assignment)
        agent.start()
        wait_until(lambda: is_as(host, assignment), timeout_s=20, what="as assigned")
        assert not controller.last().ovn_controller_connected
        log = tmp_path / "ovn-controller.log"
        with running(host, "ovn-controller", host.database.remote, log=log):
            wait_until(lambda: controller.last().ovn_controller_connected, timeout_s=20, what="connected")
        wait_until(lambda: not controller.last().ovn_controller_connected, timeout_s=20, what="gone")
