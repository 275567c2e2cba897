"""Gate 3 for hosts and virtual switches. Pure: intents, reports and turns -> verdict."""

from __future__ import annotations

from collections.abc import Collection

from netctl.compiler.assignment_uplinks import bond_name, uplinks_of
from netctl.model.infra import Host, Rollout, VirtualSwitch
from netctl.model.keys import HostId
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, Phase
from netctl.reconciler.rollout import Turns
from netctl.reconciler.status_vm import compute_verdict
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import NAMED, World, host_down, named

_NOT_SPOKEN = "configured"  # LACP as ovs-appctl lacp/show says it: set here, not negotiated


def host_verdict(host: Host, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether a host is what it is to be: for its network, then for its machines."""
    network = _network_verdict(host, snapshot, world)
    if network[0] is Phase.FAILED:
        return network
    compute = compute_verdict(host, snapshot, world)
    if compute is not None and (compute[0] is Phase.FAILED or network[0] is Phase.PROGRAMMED):
        return compute
    return network


def _network_verdict(host: Host, snapshot: Snapshot, world: World) -> Verdict:
    down = host_down(host.id, world)
    if down is not None:
        return down
    report = world.heard(host.id).report
    if report is None or report.assignment_revision < host.meta.revision:
        return Phase.PENDING, "WAITING_FOR_AGENT", "the agent has not applied this revision yet"
    turns = [(switch, world.turns(snapshot, switch.id)) for _, switch in uplinks_of(snapshot, host)]
    undone = [switch for switch, found in turns if host.id in found.rolled_back]
    if undone:
        return Phase.FAILED, "ROLLED_BACK", _undone(host.id, undone[0], ())
    if report.problems:
        return Phase.FAILED, "HOST_PROBLEM", "; ".join(report.problems)
    for uplink in host.uplinks:
        switch = snapshot.virtual_switch(uplink.virtual_switch)
        if switch is not None and not _bridge_up(report, switch.physnet):
            return (
                Phase.FAILED,
                "UPLINK_DOWN",
                f"none of {', '.join(uplink.interfaces)} ({switch.bridge}) has carrier",
            )
    waiting = [switch.id for switch, found in turns if host.id in found.held]
    if waiting:
        return (
            Phase.PENDING,
            "WAITING_FOR_TURN",
            f"keeps its settings of virtual switch {named(waiting)} until it is its turn to change",
        )
    return PROGRAMMED


def _bridge_up(report: HostReport, physnet: str) -> bool:
    return any(bridge.physnet == physnet and bridge.up for bridge in report.bridges)


def virtual_switch_verdict(switch: VirtualSwitch, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether all hosts have a virtual switch as it is to be, and whether its bonds work."""
    turns = world.turns(snapshot, switch.id)
    if turns.rolled_back:
        others = [host for host in turns.pending if host not in turns.rolled_back]
        return Phase.FAILED, "ROLLED_BACK", _undone(turns.rolled_back[0], switch, others)
    coming = [host for host in turns.pending if host not in turns.away]
    if coming and (turns.turn or turns.held or switch.rollout is Rollout.QUICK):
        return _coming(switch, turns, coming)
    hosts = [host.id for host in snapshot.hosts_of_virtual_switch(switch.id)]
    reports = {host: world.heard(host).report for host in hosts}
    without = [
        host for host, report in reports.items() if report is None or not _bridge_up(report, switch.physnet)
    ]
    if without:
        return (
            Phase.PENDING,
            "WAITING_FOR_HOSTS",
            f"{switch.bridge} is not up on {len(without)} host(s): {named(without)}",
        )
    if turns.pending:
        return (
            Phase.PENDING,
            "WAITING_FOR_HOSTS",
            f"{len(turns.pending)} host(s) do not have the last change: {named(turns.pending)}",
        )
    return _bonds(switch, [report for report in reports.values() if report is not None])


def _coming(switch: VirtualSwitch, turns: Turns, coming: list[HostId]) -> Verdict:
    """Say who changes now, who waits for whom."""
    if switch.rollout is Rollout.QUICK:
        return (
            Phase.PENDING,
            "ROLLING_OUT",
            f"{named(coming)} have not confirmed the change of {switch.bridge} yet",
        )
    waiting = [host for host in coming if host != turns.turn]
    after = f"; then {', '.join(waiting[:NAMED])}" if waiting else ""
    away = f"; {named(turns.away)} when connected" if turns.away else ""
    if turns.turn:
        return Phase.PENDING, "ROLLING_OUT", f"{switch.bridge} of host {turns.turn} changes now{after}{away}"
    if turns.blocked:
        return (
            Phase.PENDING,
            "ROLLOUT_WAITS",
            f"host {named(turns.blocked)} has the change and does not work, or went away with it: its problems first"
            f"{after}{away}",
        )
    return Phase.PENDING, "ROLLOUT_WAITS", f"until it is certain that no host is changing{after}{away}"


def _undone(host: HostId, switch: VirtualSwitch, others: Collection[HostId]) -> str:
    waiting = f"; {len(others)} other host(s) wait: {named(others)}" if others else ""
    return (
        f"host {host} did not reach the controller with the new settings of {switch.bridge} and has its old ones back"
        f"{waiting}. Change virtual switch {switch.id} or the host's uplinks: it is tried again then"
    )


def _bonds(switch: VirtualSwitch, reports: list[HostReport]) -> Verdict:
    """Say what is wrong with bonds that carry traffic all the same."""
    silent = [
        report.host
        for report in reports
        if any(bond.bond == bond_name(switch) and bond.lacp_status == _NOT_SPOKEN for bond in report.bonds)
    ]
    if silent:
        return (
            Phase.PROGRAMMED,
            "LACP_NOT_NEGOTIATED",
            f"the switch that {switch.bridge} of {named(silent)} is connected to does not speak LACP: set it up there,"
            f" or give virtual switch {switch.id} another bond_mode",
        )
    return PROGRAMMED
