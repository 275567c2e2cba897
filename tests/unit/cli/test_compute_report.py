"""What a host's compute agent said, in lines for people."""

from __future__ import annotations

from netctl.cli.compute_report import describe_compute
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2, infra_pb2


def test_silence_is_said() -> None:
    assert describe_compute(infra_pb2.GetComputeReportResponse()) == [
        ("compute agent", "has said nothing since the controller started")
    ]


def test_what_it_carries_and_what_is_not_ours() -> None:
    report = pb.ComputeReport(
        agent_version="0.1.0",
        libvirt_connected=True,
        capacity=pb.HostCapacity(
            memory_mib=8192,
            reserved_memory_mib=2048,
            store_id="s1",
            store_free_bytes=3 << 30,
            store_total_bytes=4 << 30,
            libvirt_version="9.0.0",
            qemu_version="7.2.0",
            domain_type="qemu",
        ),
        vms=[
            pb.VmReport(vm_id="a", run_state=compute_pb2.VM_RUN_STATE_RUNNING),
            pb.VmReport(vm_id="b", run_state=compute_pb2.VM_RUN_STATE_ABSENT, problem="no room"),
        ],
        unknown_domains=[pb.UnknownDomain(name="old", running=True), pb.UnknownDomain(uid="u-1")],
        problems=["swtpm is missing"],
    )
    assert describe_compute(infra_pb2.GetComputeReportResponse(connected=True, report=report)) == [
        ("compute agent", "0.1.0, connected"),
        ("libvirtd", "answers  libvirt 9.0.0, QEMU 7.2.0 (qemu)"),
        ("memory", "6144 MiB for machines, 2048 MiB for the host itself"),
        ("store", "3.0 of 4.0 GiB free  s1"),
        ("machines", "1 of 2 in memory"),
        ("", "  vms/b: no room"),
        ("not ours", "domain old (running: its memory is not counted); netctl never touches it"),
        ("not ours", "domain u-1 (not running); netctl never touches it"),
        ("problem", "swtpm is missing"),
    ]
