"""What `netctl describe` tells of virtual machines, templates, affinity policies and migrations: lines, and data."""

from __future__ import annotations

from typing import Any

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.kinds import BY_COLLECTION
from netctl.cli.messages import render_json
from netctl.cli.show import quote
from netctl.cli.tables import phase_of
from netctl.cli.tables_compute import cpus, size, stage, word
from netctl.v1 import agent_compute_pb2, infra_pb2
from netctl.v1 import compute_pb2 as pb

Told = tuple[list[tuple[str, str]], dict[str, Any]]


def describe_vm(client: Client, vm: pb.Vm) -> Told:
    """Return what a machine does on its host, its console, disks and NICs."""
    seen, connected = _seen(client, vm)
    console = client.call(
        "VmService/GetVmConsole", pb.GetVmConsoleRequest(name=vm.name), pb.GetVmConsoleResponse
    ).address
    nics = list(api.list_all(client, BY_COLLECTION["nics"], f"vm = {quote(vm.name)}"))
    lines = [("runs", word(vm, "run_state") or "nowhere yet")]
    if vm.host and not connected:
        lines.append(("host", f"{vm.host}: its compute agent is not connected, so this may be old"))
    lines += [("console", console)] if console else []
    if seen is not None:
        progress = f" ({seen.progress_percent} %)" if seen.progress_percent else ""
        lines += [("problem", f"{seen.reason}: {seen.problem}{progress}")] if seen.problem else []
        lines += [("waits for off and on", ", ".join(seen.pending_restart))] if seen.pending_restart else []
    lines.append(("cpus", f"{cpus(vm)}  {vm.effective_cpu_model}".rstrip()))
    lines += [(f"disk {number}", _disk(disk, seen)) for number, disk in enumerate(vm.disks)]
    lines += [("nic", _nic(nic)) for nic in nics]
    data: dict[str, Any] = {"console": console, "nics": [render_json(nic) for nic in nics]}
    if seen is not None:
        data["report"] = render_json(seen)
    return lines, data


def _seen(client: Client, vm: pb.Vm) -> tuple[agent_compute_pb2.VmReport | None, bool]:
    """Return what its host said last of a machine, and whether that host's agent is connected."""
    if not vm.host:
        return None, False
    request = infra_pb2.GetComputeReportRequest(name=vm.host)
    heard = client.call("HostService/GetComputeReport", request, infra_pb2.GetComputeReportResponse)
    found = [one for one in heard.report.vms if one.uid == vm.uid]
    return (found[0] if found else None), heard.connected


def _disk(disk: pb.Disk, seen: agent_compute_pb2.VmReport | None) -> str:
    """Return a disk on one line: `disk scsi 0, 20 GiB, of images/debian`."""
    count = seen.disk_bytes.get(disk.uid, 0) if seen is not None else 0
    parts = [" ".join((word(disk, "kind") or "disk", word(disk, "bus"), str(disk.index)))]
    parts += [size(count or disk.size_bytes)] if count or disk.size_bytes else []
    parts += [f"of {disk.image}"] if disk.image else []
    parts += [f"copy of {disk.source_vm} disk {disk.source_index}"] if disk.source_vm else []
    empty = word(disk, "kind") == "cdrom" and not disk.image
    return ", ".join([*parts, *(["empty"] if empty else [])])


def _nic(nic: Any) -> str:
    addresses = [text for text in (nic.mac_address, nic.ipv4_address, nic.ipv6_address) if text]
    return "  ".join([nic.name, nic.subnet, *addresses, phase_of(nic)])


def describe_template(client: Client, template: pb.VmTemplate) -> Told:
    """Return the versions of a template, and what a machine of each is like."""
    lines = []
    for version in template.versions:
        active = "  active" if version.number == template.active_version else ""
        parts = [f"{cpus(version.vm)} CPUs", size(version.vm.memory_mib << 20)]
        parts += [f"{len(version.vm.disks)} disks", f"{len(version.nics)} NICs"]
        parts += [version.description] if version.description else []
        lines.append((f"version {version.number}", ", ".join(parts) + active))
        lines += [("", name) for name in version.images if name]
    return lines or [("", "none: `netctl template add-version` makes one of a virtual machine")], {}


def describe_affinity(client: Client, policy: pb.AffinityPolicy) -> Told:
    """Return who is as the policy says, and who is not."""
    if policy.disabled:
        return [("", "disabled: it has no effect")], {}
    lines = [("as it says", str(policy.compliant_vms))]
    return [*lines, *(("not so", name) for name in policy.non_compliant_vms)], {}


def describe_migration(client: Client, migration: pb.VmMigration) -> Told:
    """Return the stages of a migration with their times, and what was measured."""
    lines = [("stage", stage(migration))]
    first = migration.steps[0].time.ToNanoseconds() if migration.steps else 0
    for step in migration.steps:
        after_s = (step.time.ToNanoseconds() - first) / 1e9
        lines.append((word(step, "stage"), f"+{after_s:.3f} s  {step.message}".rstrip()))
    return [*lines, *_evidence(migration.evidence)], {}


def _evidence(seen: pb.MigrationEvidence) -> list[tuple[str, str]]:
    told = (
        (seen.iterations, "iterations", str(seen.iterations)),
        (seen.memory_bytes, "memory", size(seen.memory_bytes)),
        (seen.transferred_bytes, "transferred", size(seen.transferred_bytes)),
        (seen.remaining_bytes, "remaining", size(seen.remaining_bytes)),
        (seen.throughput_bps, "throughput", f"{size(seen.throughput_bps)}/s"),
        (seen.dirty_rate_bps, "dirtied", f"{size(seen.dirty_rate_bps)}/s"),
        (seen.throttle_percent, "guest slowed by", f"{seen.throttle_percent} %"),
        (seen.copy_ms, "copied in", f"{seen.copy_ms} ms"),
        (seen.pause_ms, "pause", f"{seen.pause_ms} ms"),
        (seen.network_gap_ms, "network gap", f"{seen.network_gap_ms} ms, announced in {seen.announce_ms} ms"),
        (seen.round_trip_us, "round trip", f"{seen.round_trip_us / 1000:.1f} ms"),
    )
    return [(label, text) for count, label, text in told if count]
