"""Gate 3: is an intent in the network? Pure: snapshot, what the passes did, what hosts report -> Status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import HostId, Key
from netctl.model.nic import Nic
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, Phase, Status
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from netctl.reconciler.poison import Poison
from netctl.reconciler.reports import Heard
from netctl.reconciler.status_security import security_policy_verdict
from netctl.reconciler.status_vpc import (
    PROGRAMMED,
    Verdict,
    floating_ip_verdict,
    policy_verdict,
    route_verdict,
    subnet_verdict,
    vpc_verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What status depends on besides the intents.

    `northbound_revision`: the intents that the northbound database equals, poison aside. `required_cfg`: the nb_cfg at
    which a revision's flows are installed. `behind`: the connected hosts that have not installed an nb_cfg. `held`: why
    passes do not run, or "". `starting`: hosts get time to connect. `observed`: what the rows are compiled with.
    """

    northbound_revision: int
    required_cfg: Callable[[int], int]
    sb_cfg: int
    heard: Callable[[HostId], Heard]
    behind: Callable[[int], Iterable[HostId]] = lambda nb_cfg: ()
    held: str = ""
    poison: Mapping[Key, Poison] = field(default_factory=dict)
    starting: bool = False
    observed: Observed = NOTHING_OBSERVED


def status_of(key: Key, snapshot: Snapshot, world: World) -> Status | None:
    """Return the status of an intent; None when it does not exist."""
    intent = snapshot.get(key)
    if intent is None:
        return None
    phase, reason, message = _verdict(key, intent, snapshot, world)
    return Status(phase=phase, reason=reason, message=message, revision=intent.meta.revision)


def _verdict(key: Key, intent: Intent, snapshot: Snapshot, world: World) -> Verdict:
    if isinstance(intent, (Cluster, AddressReservation)):
        return PROGRAMMED
    if isinstance(intent, VirtualSwitch):
        return _virtual_switch(intent, snapshot, world)
    if isinstance(intent, Host):
        return _host(intent, snapshot, world)
    poison = world.poison.get(key)
    if poison is not None:
        return Phase.FAILED, "REJECTED_BY_OVN", f"{poison.message}; its rows are left as they were"
    if world.northbound_revision < intent.meta.revision:
        return Phase.PENDING, "WAITING_FOR_NORTHBOUND", world.held or "the next pass writes it"
    if isinstance(intent, Nic):
        return _nic(intent, snapshot, world)
    if world.sb_cfg < world.required_cfg(intent.meta.revision):
        return Phase.PENDING, "WAITING_FOR_NORTHD", "ovn-northd has not worked it off yet; is it running?"
    return _routed(intent, snapshot, world)


def _routed(intent: Intent, snapshot: Snapshot, world: World) -> Verdict:
    match intent:
        case Subnet():
            return subnet_verdict(intent, world.observed)
        case Vpc():
            return vpc_verdict(snapshot, intent, world.observed, world.heard)
        case FloatingIp():
            return floating_ip_verdict(snapshot, intent, world.observed)
        case Route():
            return route_verdict(snapshot, intent, world.observed)
        case RoutingPolicy():
            return policy_verdict(intent, world.observed)
        case SecurityPolicy():
            behind = world.behind(world.required_cfg(intent.meta.revision))
            return security_policy_verdict(snapshot, intent, world.observed, behind)
    return PROGRAMMED


def _host_down(host: HostId, world: World) -> Verdict | None:
    if world.heard(host).connected:
        return None
    if world.starting:
        return Phase.PENDING, "WAITING_FOR_HOST", f"the agent of host {host} has not connected yet"
    return (
        Phase.FAILED,
        "HOST_DOWN",
        f"the agent of host {host} is not connected: start netctl-host-agent there, or check its network",
    )


def _host(host: Host, snapshot: Snapshot, world: World) -> Verdict:
    down = _host_down(host.id, world)
    if down is not None:
        return down
    report = world.heard(host.id).report
    if report is None or report.assignment_revision < host.meta.revision:
        return Phase.PENDING, "WAITING_FOR_AGENT", "the agent has not applied this revision yet"
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
    return PROGRAMMED


def _bridge_up(report: HostReport, physnet: str) -> bool:
    return any(bridge.physnet == physnet and bridge.up for bridge in report.bridges)


def _virtual_switch(switch: VirtualSwitch, snapshot: Snapshot, world: World) -> Verdict:
    without: list[str] = []
    for host in snapshot.hosts_of_virtual_switch(switch.id):
        heard = world.heard(host.id)
        if heard.report is None or not _bridge_up(heard.report, switch.physnet):
            without.append(host.id)
    if not without:
        return PROGRAMMED
    names = ", ".join(sorted(without)[:10])
    return Phase.PENDING, "WAITING_FOR_HOSTS", f"{switch.bridge} is not up on {len(without)} host(s): {names}"


def _nic(nic: Nic, snapshot: Snapshot, world: World) -> Verdict:
    if not nic.host:
        return Phase.PENDING, "NOT_ATTACHED", "the NIC floats; set its host to plug it"
    down = _host_down(nic.host, world)
    if down is not None:
        return down
    no_uplink = _no_uplink(nic, snapshot)
    if no_uplink is not None:
        return no_uplink
    heard = world.heard(nic.host)
    seen = heard.nics.get(nic.meta.uid)
    if heard.report is None or seen is None:
        return (
            Phase.PENDING,
            "WAITING_FOR_AGENT",
            f"the agent of host {nic.host} has not applied this revision yet",
        )
    if not seen.tap_present:
        return (
            Phase.FAILED,
            "TAP_MISSING",
            f"host {nic.host} has no interface {nic.tap_name}: start the guest with it",
        )
    if not seen.plugged or not seen.ovn_installed:
        return (
            Phase.PENDING,
            "WAITING_FOR_OVN",
            f"ovn-controller on {nic.host} has not installed the flows yet",
        )
    # A NIC's first flows are what ovn-installed speaks of; for a later revision only nb_cfg tells.
    changed_since = nic.meta.update_time_s != nic.meta.create_time_s
    if changed_since and heard.report.nb_cfg < world.required_cfg(nic.meta.revision):
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
