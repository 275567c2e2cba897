"""A whole controller keeps secrets and images: across kill -9, in no file in plain, with its key or not at all."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc

from netctl.loop import wait_until
from netctl.v1 import agent_compute_pb2 as agent
from netctl.v1 import compute_pb2 as compute
from netctl.v1 import infra_pb2 as infra
from netctl.v1.agent_compute_pb2_grpc import ComputeAgentServiceStub
from netctl.v1.compute_pb2_grpc import ImageServiceStub, VmServiceStub
from netctl.v1.infra_pb2_grpc import ClusterServiceStub, HostServiceStub
from tests.functional.controller.test_process import Process, controller
from tests.servers import ovsdb_server

SESAME = "open-sesame-4711"
CAPACITY = agent.HostCapacity(
    cpus=4,
    memory_mib=4096,
    store_id="s1",
    store_free_bytes=1 << 40,
    arch="x86_64",
    cpu_vendor="Intel",
    cpu_models=[agent.CpuModel(name="qemu64", usable=True)],
    vtpm=True,
)


def furnish(process: Process) -> None:
    """Make a host, a machine with secrets that is ON, and an image of the import folder."""
    with grpc.insecure_channel(process.address) as channel:
        cluster = infra.Cluster(name="clusters/c1")
        ClusterServiceStub(channel).CreateCluster(infra.CreateClusterRequest(cluster=cluster), timeout=10)
        host = infra.Host(name="hosts/h1", cluster="clusters/c1", tunnel_address="192.0.2.1/24")
        HostServiceStub(channel).CreateHost(infra.CreateHostRequest(host=host), timeout=10)
        vm = compute.Vm(
            name="vms/web-1",
            cluster="clusters/c1",
            memory_mib=512,
            vtpm=True,
            power_state=compute.POWER_STATE_ON,
            customization=compute.GuestCustomization(user_data=SESAME),
        )
        VmServiceStub(channel).CreateVm(compute.CreateVmRequest(vm=vm), timeout=10)
        image = compute.Image(name="images/debian", source_uri="file:///debian.raw")
        ImageServiceStub(channel).CreateImage(compute.CreateImageRequest(image=image), timeout=10)


def secrets_of(process: Process) -> tuple[str, str]:
    """Be the host's compute agent until it is told of the machine; return what is secret."""
    ended = threading.Event()

    def reports() -> Iterator[agent.ComputeAgentServiceConnectRequest]:
        report = agent.ComputeReport(host_id="h1", capacity=CAPACITY, libvirt_connected=True)
        yield agent.ComputeAgentServiceConnectRequest(report=report)
        ended.wait(20)

    with grpc.insecure_channel(process.address) as channel:
        call = ComputeAgentServiceStub(channel).Connect(reports(), timeout=20, wait_for_ready=True)
        try:
            vms = next(answer.assignment.vms for answer in call if answer.assignment.vms)
            return vms[0].customization.user_data, vms[0].vtpm_secret
        finally:
            ended.set()
            call.cancel()


def is_fetched(process: Process) -> bool:
    with grpc.insecure_channel(process.address) as channel:
        request = compute.GetImageRequest(name="images/debian")
        return ImageServiceStub(channel).GetImage(request, timeout=10).image.stored_bytes > 0


def test_secrets_and_images_survive_and_stay_closed(tmp_path: Path) -> None:
    folder, state = tmp_path / "import", tmp_path / "state"
    folder.mkdir()
    (folder / "debian.raw").write_bytes(bytes(1 << 20))
    with ovsdb_server(tmp_path, "nb") as nb:
        with controller(tmp_path, nb.remote, "--import-dir", str(folder)) as process:
            process.status()
            furnish(process)
            first = secrets_of(process)
            wait_until(lambda: is_fetched(process), timeout_s=10, what="the image is fetched")
            process.stop(signal.SIGKILL)
        assert first[0] == SESAME
        assert len(first[1]) == 44
        (state / "images" / "0b5e.coming").write_bytes(b"left behind")
        logged = process.log.read_text()
        with controller(tmp_path, nb.remote) as process:
            assert secrets_of(process) == first
            assert is_fetched(process)
            wait_until(lambda: len(list((state / "images").iterdir())) == 1, timeout_s=10, what="a sweep")
            process.stop()
        logged += process.log.read_text()
        files = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
        assert b"sealed1:" in files
        assert "compute agent connected" in logged
        for secret in first:
            assert secret.encode() not in files
            assert secret not in logged
        key = state / "secrets.key"
        assert key.stat().st_mode & 0o777 == 0o600
        key.unlink()
        with controller(tmp_path, nb.remote) as process:
            assert process.popen.wait(timeout=20) == 1
            told = [
                line for line in process.log.read_text().splitlines() if line.startswith("netctl-controller")
            ]
    assert len(told) == 1  # the northbound's thread, which had begun, may say something beside it
    assert told[0].endswith("restore the key file of this state directory")
