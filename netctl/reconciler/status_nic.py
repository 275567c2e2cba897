"""Gate 3 for NICs and mirrors. Pure: intents, reports and what hosts were told -> verdict."""

from __future__ import annotations

from netctl.compiler.assignment_mirrors import destinations_of, mirrored_to, mirrors_of
from netctl.model.keys import NicId
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic, NicKind
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, NicReport, Phase
from netctl.reconciler.assignments import NEVER
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import World, host_down, named


def nic_verdict(nic: Nic, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether a NIC is connected to its network."""
    vm = snapshot.vm(nic.vm) if nic.vm else None
    if vm is not None and not (vm.is_on and vm.is_placed):
        return Phase.PENDING, "VM_OFF", f"vms/{vm.id} is not on: its host plugs the NIC when it starts"
    if not nic.host:
        return Phase.PENDING, "NOT_ATTACHED", "the NIC floats; set its host to plug it"
    down = host_down(nic.host, world) or _no_uplink(nic, snapshot)
    if down is not None:
        return down
    host = snapshot.host(nic.host)
    if nic.kind is NicKind.SPAN_DESTINATION and (host is None or nic.id not in mirrored_to(snapshot, host)):
        return Phase.PENDING, "NOT_MIRRORED", f"no traffic mirror copies anything to it on host {nic.host}"
    heard = world.heard(nic.host)
    seen = heard.nics.get(nic.meta.uid)
    told = world.told(nic.host, nic.id)
    if told == NEVER and nic.has_port:
        return Phase.PENDING, "WAITING_FOR_NORTHD", "it moves to OVN as soon as ovn-northd has its port"
    if heard.report is None or seen is None or (not nic.has_port and heard.report.assignment_revision < told):
        return _waiting_for_agent(nic, heard.report)
    if not (nic.has_port or nic.connected):
        return Phase.PROGRAMMED, "DISCONNECTED", "connected is false: its tap is plugged nowhere"
    if not seen.tap_present:
        return (
            Phase.FAILED,
            "TAP_MISSING",
            f"host {nic.host} has no interface {nic.tap_name}: start the guest with it",
        )
    return _port(nic, heard.report, seen, world) if nic.has_port else _plugged(nic, heard.report, seen)


def _plugged(nic: Nic, report: HostReport, seen: NicReport) -> Verdict:
    return PROGRAMMED if seen.plugged else _waiting_for_agent(nic, report)


def _waiting_for_agent(nic: Nic, report: HostReport | None) -> Verdict:
    problems = f": {'; '.join(report.problems)}" if report is not None and report.problems else ""
    return (
        Phase.PENDING,
        "WAITING_FOR_AGENT",
        f"the agent of host {nic.host} has not applied this revision yet{problems}",
    )


def _port(nic: Nic, report: HostReport, seen: NicReport, world: World) -> Verdict:
    if not seen.plugged or not seen.ovn_installed:
        return (
            Phase.PENDING,
            "WAITING_FOR_OVN",
            f"ovn-controller on {nic.host} has not installed the flows yet",
        )
    # A NIC's first flows are what ovn-installed speaks of; for a later revision only nb_cfg tells.
    changed_since = nic.meta.update_time_s != nic.meta.create_time_s
    if changed_since and report.nb_cfg < world.required_cfg(nic.meta.revision):
        return (
            Phase.PENDING,
            "WAITING_FOR_FLOWS",
            f"host {nic.host} has not installed this revision's flows yet",
        )
    return PROGRAMMED


def _no_uplink(nic: Nic, snapshot: Snapshot) -> Verdict | None:
    subnet, host = snapshot.subnet(nic.subnet), snapshot.host(nic.host)
    if subnet is None or host is None or not subnet.has_vlan:
        return None
    if any(uplink.virtual_switch in subnet.virtual_switches for uplink in host.uplinks):
        return None
    return (
        Phase.FAILED,
        "NO_UPLINK",
        f"host {nic.host} has no uplink to virtual switch {', '.join(subnet.virtual_switches)} of subnet"
        f" {subnet.id}:"
        " add one to the host's uplinks or move the NIC",
    )


def mirror_verdict(mirror: TrafficMirror, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether copies are made."""
    if mirror.disabled:
        return Phase.PROGRAMMED, "DISABLED", "nothing is copied: disabled is set"
    down = host_down(mirror.host, world)
    host = snapshot.host(mirror.host)
    if down is not None or host is None:
        return down or PROGRAMMED
    if all(found.id != mirror.id for found, _ in mirrors_of(snapshot, host)):
        return Phase.PENDING, "NO_SOURCE", f"none of its sources is on host {mirror.host}: nothing is copied"
    destinations = list(destinations_of(snapshot, host, mirror))
    if not destinations:
        return (
            Phase.PENDING,
            "NO_DESTINATION",
            f"none of its destinations is on host {mirror.host}: nothing is copied",
        )
    for nic in destinations:
        verdict = nic_verdict(nic, snapshot, world)
        if verdict[0] is not Phase.PROGRAMMED:
            return verdict[0], verdict[1], f"nics/{nic.id}: {verdict[2]}"
    away = [
        source.nic for source in mirror.sources if source.nic and _is_elsewhere(snapshot, source.nic, mirror)
    ]
    if away:
        return (
            Phase.PROGRAMMED,
            "SOURCE_ELSEWHERE",
            f"not on host {mirror.host}, so not copied: {named(away)}",
        )
    return PROGRAMMED


def _is_elsewhere(snapshot: Snapshot, id: NicId, mirror: TrafficMirror) -> bool:
    nic = snapshot.nic(id)
    return nic is None or nic.host != mirror.host
