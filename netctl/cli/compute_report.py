"""What a host's compute agent said last, as lines for `netctl describe host`."""

from __future__ import annotations

from typing import Any

from netctl.cli.client import Client
from netctl.cli.messages import render_json
from netctl.v1 import agent_compute_pb2, compute_pb2, infra_pb2

Lines = list[tuple[str, str]]
_IN_MEMORY = (
    compute_pb2.VM_RUN_STATE_RUNNING,
    compute_pb2.VM_RUN_STATE_PAUSED,
    compute_pb2.VM_RUN_STATE_SHUTTING_DOWN,
    compute_pb2.VM_RUN_STATE_INCOMING,
)


def describe_machines(client: Client, host: infra_pb2.Host) -> tuple[Lines, dict[str, Any]]:
    """Ask the controller what a host's compute agent said last; return it as lines, and as data."""
    request = infra_pb2.GetComputeReportRequest(name=host.name)
    heard = client.call("HostService/GetComputeReport", request, infra_pb2.GetComputeReportResponse)
    return describe_compute(heard), render_json(heard)


def describe_compute(heard: infra_pb2.GetComputeReportResponse) -> Lines:
    """Return the lines: agent, libvirt, memory, store, machines, domains that are not ours, problems."""
    if not heard.HasField("report"):
        return [("compute agent", "has said nothing since the controller started")]
    report, capacity = heard.report, heard.report.capacity
    lines: Lines = [
        ("compute agent", f"{report.agent_version}, {'connected' if heard.connected else 'gone'}")
    ]
    answers = "answers" if report.libvirt_connected else "does not answer"
    versions = f"libvirt {capacity.libvirt_version}, QEMU {capacity.qemu_version} ({capacity.domain_type})"
    lines.append(("libvirtd", f"{answers}  {versions}"))
    usable = max(0, capacity.memory_mib - capacity.reserved_memory_mib)
    lines.append(
        ("memory", f"{usable} MiB for machines, {capacity.reserved_memory_mib} MiB for the host itself")
    )
    gib = 1 << 30
    free, total = capacity.store_free_bytes / gib, capacity.store_total_bytes / gib
    lines.append(("store", f"{free:.1f} of {total:.1f} GiB free  {capacity.store_id}"))
    running = sum(vm.run_state in _IN_MEMORY for vm in report.vms)
    lines.append(("machines", f"{running} of {len(report.vms)} in memory"))
    lines += [("", f"  vms/{vm.vm_id}: {vm.problem}") for vm in report.vms if vm.problem]
    lines += [("not ours", _unknown(domain)) for domain in report.unknown_domains]
    lines += [("problem", problem) for problem in report.problems]
    return lines


def _unknown(domain: agent_compute_pb2.UnknownDomain) -> str:
    """Return a domain that netctl does not know, and what that means."""
    what = "running: its memory is not counted" if domain.running else "not running"
    return f"domain {domain.name or domain.uid} ({what}); netctl never touches it"
