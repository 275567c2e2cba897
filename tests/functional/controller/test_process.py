"""netctl-controller as a process: what it serves, what it refuses, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from netctl.loop import wait_until
from netctl.v1 import infra_pb2, network_pb2, operations_pb2
from netctl.v1.infra_pb2_grpc import ClusterServiceStub
from netctl.v1.network_pb2_grpc import SubnetServiceStub
from netctl.v1.operations_pb2_grpc import ControllerServiceStub
from tests.servers import SCHEMAS, OvsdbServer, northd, ovsdb_server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A controller in `directory`; `stop` ends it."""

    def __init__(self, directory: Path, northbound: str, *arguments: str) -> None:
        self.address = f"unix:{directory}/netctl.sock"
        self.log = directory / "controller.log"
        command = [sys.executable, "-m", "netctl.controller", "--state-dir", str(directory / "state")]
        command += ["--northbound", northbound, "--listen", self.address, *arguments]
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(command, stderr=log)

    def status(self) -> operations_pb2.GetControllerResponse:
        """Return what it says of itself."""
        with grpc.insecure_channel(self.address) as channel:
            stub = ControllerServiceStub(channel)
            return stub.GetController(operations_pb2.GetControllerRequest(), timeout=10, wait_for_ready=True)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it; return its exit status."""
        self.popen.send_signal(signum)
        return self.popen.wait(timeout=20)


@contextmanager
def controller(directory: Path, northbound: str, *arguments: str) -> Iterator[Process]:
    process = Process(directory, northbound, *arguments)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.stop(signal.SIGKILL)


@pytest.fixture
def nb(tmp_path: Path) -> Iterator[OvsdbServer]:
    with ExitStack() as stack:
        server = stack.enter_context(ovsdb_server(tmp_path, "nb"))
        southbound = stack.enter_context(ovsdb_server(tmp_path, "sb"))
        stack.enter_context(northd(tmp_path, server, southbound))
        yield server


def create(process: Process) -> None:
    with grpc.insecure_channel(process.address) as channel:
        cluster = infra_pb2.Cluster(name="clusters/c1")
        ClusterServiceStub(channel).CreateCluster(infra_pb2.CreateClusterRequest(cluster=cluster), timeout=10)
        subnet = network_pb2.Subnet(
            name="subnets/o1", kind=network_pb2.SUBNET_KIND_OVERLAY, clusters=("clusters/c1",)
        )
        SubnetServiceStub(channel).CreateSubnet(network_pb2.CreateSubnetRequest(subnet=subnet), timeout=10)


def test_it_serves_health_and_metrics_and_ends_when_told(tmp_path: Path, nb: OvsdbServer) -> None:
    port = free_port()
    with controller(tmp_path, nb.remote, "--metrics-listen", f"127.0.0.1:{port}") as process:
        wait_until(lambda: process.status().ready, timeout_s=20, what="the controller is ready")
        create(process)
        wait_until(
            lambda: process.status().northbound_revision == 2, timeout_s=10, what="the subnet is in OVN"
        )
        with grpc.insecure_channel(process.address) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert float(values["netctl_store_revision"]) == float(values["netctl_northbound_revision"]) == 2
        assert float(values["netctl_northbound_facts_changed_total"]) == 1
        assert float(values["netctl_admission_queue"]) == 0
        for name in (
            "learned_addresses",
            "policy_log_entries_total",
            "policy_log_lost_total",
            "syslog_lost_total",
        ):
            assert float(values[f"netctl_{name}"]) == 0
        assert float(values['netctl_passes_total{result="ok"}']) >= 1
        assert process.stop() == 0
        assert not Path(process.address.removeprefix("unix:")).exists()


def test_a_restart_finds_everything_and_writes_nothing(tmp_path: Path, nb: OvsdbServer) -> None:
    with controller(tmp_path, nb.remote) as process:
        wait_until(lambda: process.status().ready, timeout_s=20, what="the controller is ready")
        create(process)
        wait_until(
            lambda: process.status().northbound_revision == 2, timeout_s=10, what="the subnet is in OVN"
        )
        process.stop(signal.SIGKILL)
    before = nb.ctl("ovn-nbctl", "--bare", "--columns=nb_cfg", "list", "NB_Global")
    with controller(tmp_path, nb.remote) as process:
        wait_until(lambda: process.status().ready, timeout_s=20, what="the controller is ready again")
        assert process.status().northbound_revision == 2
    assert nb.ctl("ovn-nbctl", "--bare", "--columns=nb_cfg", "list", "NB_Global") == before


def test_a_second_controller_on_the_same_store_is_refused_in_one_line(
    tmp_path: Path, nb: OvsdbServer
) -> None:
    with controller(tmp_path, nb.remote) as first:
        wait_until(lambda: first.status().ready, timeout_s=20, what="the controller is ready")
        with controller(tmp_path, nb.remote, "--listen", f"unix:{tmp_path}/other.sock") as second:
            assert second.popen.wait(timeout=20) == 1
            lines = second.log.read_text().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("netctl-controller: ")
        assert first.status().ready


def test_an_address_that_cannot_be_had_is_one_line(tmp_path: Path, nb: OvsdbServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with controller(tmp_path, nb.remote, "--listen", address) as process:
            assert process.popen.wait(timeout=20) == 1
            assert address in process.log.read_text().splitlines()[-1]


def test_an_old_ovn_is_refused_with_what_to_install(tmp_path: Path) -> None:
    schema = json.loads(SCHEMAS["nb"].read_text())
    schema["version"] = "5.32.1"
    old = tmp_path / "old.ovsschema"
    old.write_text(json.dumps(schema))
    server = OvsdbServer(tmp_path, "nb")
    server.create(old)
    try:
        server.start()
        with controller(tmp_path, server.remote) as process:
            problems = wait_until(
                lambda: [text for text in process.status().problems if "schema" in text],
                timeout_s=20,
                what="the old schema is named",
            )
            assert "5.32.1" in problems[0]
            assert "OVN 22.03" in problems[0]
            assert not process.status().ready
            create(process)  # intents are taken; nothing is written
            assert server.ctl("ovn-nbctl", "--bare", "--columns=nb_cfg", "list", "NB_Global").split() in (
                [],
                ["0"],
            )
            assert server.ctl("ovn-nbctl", "ls-list") == ""
    finally:
        server.stop()
