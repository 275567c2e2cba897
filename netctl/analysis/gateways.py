"""The gateways of a VPC: who may be one, who lives, who is one now, and why that one. Pure.

OVN's own rule (ovn-architecture(7)): of the hosts of an HA_Chassis_Group the one with the highest priority whose
tunnels BFD hears. What BFD hears is in the other hosts' reports; where nobody watches a host by BFD its own report
must do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netctl.compiler import priority
from netctl.compiler.exits import Exit, exits_of
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.keys import HostId, Kind, resource_name
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport
from netctl.model.vpc import Vpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a host's agent said last, and whether it is connected."""

    report: HostReport | None = None
    connected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the network says of itself: hosts' reports, and who holds which gateway port by the southbound database.

    `problem`: why the southbound database could not be asked, or "".
    """

    hosts: Mapping[HostId, Heard] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayHost:
    """A host that may be the gateway; `trouble` says why it is not alive, or ""."""

    host: HostId
    priority: int
    trouble: str

    @property
    def alive(self) -> bool:
        """Could it be the gateway now?"""
        return not self.trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEntry:
    """A connection's gateway; `active_host` "" when none is, or nobody knows."""

    exit: Exit
    hosts: tuple[GatewayHost, ...]
    active_host: str
    reason: str


def gateway_binding(exit: Exit) -> str:
    """Return the southbound's port whose chassis is the gateway (ovn-northd calls it so)."""
    return f"cr-{exit.port_name}"


def list_gateways(
    snapshot: Snapshot, vpc: Vpc, seen: Seen, observed: Observed = NOTHING_OBSERVED
) -> list[GatewayEntry]:
    """Return the gateways, in the order of the connections."""
    return [_describe(snapshot, exit, seen, observed) for exit in exits_of(snapshot, vpc)]


def find_trouble(snapshot: Snapshot, host: HostId, seen: Seen) -> str:
    """Return why a host cannot be a gateway now, "" when it can."""
    known = snapshot.host(host)
    if known is None:
        return f"{resource_name((Kind.HOST, host))} does not exist"
    watching = list(_bfd_of(known.tunnel_ip, host, seen))
    if any(watching):
        return ""
    if watching:
        return "no host hears it by BFD"
    heard = seen.hosts.get(host, Heard())
    if not heard.connected or heard.report is None:
        return "its agent is not connected"
    if not heard.report.ovn_controller_connected:
        return "its ovn-controller is not connected to the southbound database"
    return ""


def _bfd_of(tunnel_ip: str, host: HostId, seen: Seen) -> Iterator[bool]:
    """Yield for each other host that watches this one by BFD whether it hears it."""
    for other, heard in seen.hosts.items():
        if other != host and heard.connected and heard.report is not None:
            yield from (
                tunnel.bfd_up
                for tunnel in heard.report.tunnels
                if tunnel.bfd and tunnel.remote_ip == tunnel_ip
            )


def _describe(snapshot: Snapshot, exit: Exit, seen: Seen, observed: Observed) -> GatewayEntry:
    hosts = tuple(
        GatewayHost(
            host=host, priority=priority.gateway(position), trouble=find_trouble(snapshot, host, seen)
        )
        for position, host in enumerate(observed.preferred(exit.connection.gateways))
    )
    active = seen.holders.get(gateway_binding(exit), "")
    reason = _why(exit.connection.gateways, hosts, active, seen.problem)
    return GatewayEntry(exit=exit, hosts=hosts, active_host=active, reason=reason)


def _why(asked: tuple[HostId, ...], hosts: tuple[GatewayHost, ...], active: str, problem: str) -> str:
    """Say why `active` is the gateway: `asked` is the order asked for, `hosts` the one in force."""
    if not hosts:
        return "needs none: packets cross to the transit VPC on the host where they are"
    if problem:
        return f"unknown: {problem}"
    if not active:
        alive = [resource_name((Kind.HOST, host.host)) for host in hosts if host.alive]
        return f"{alive[0]} has not taken it yet" if alive else "none of the hosts is alive"
    order = [str(host.host) for host in hosts]
    if active not in order:
        return "is not to be the gateway any more; OVN has not moved it yet"
    place = order.index(active)
    before = {*order[:place], *(host for host in asked if asked.index(host) < asked.index(HostId(active)))}
    told = [_why_not(host, hosts.index(host) < place) for host in hosts if host.host in before]
    return "; ".join(told) or ("the most preferred" if len(hosts) > 1 else "the only host")


def _why_not(host: GatewayHost, is_before: bool) -> str:
    """Say why a preferred host is not the gateway; `is_before`: OVN too is to prefer it to the one that is."""
    name = resource_name((Kind.HOST, host.host))
    if host.trouble:
        return f"{name} is preferred, and {host.trouble}"
    if is_before:
        return f"{name} is preferred, and alive: OVN has not moved back yet"
    return f"{name} failed before and stays behind until the others fail"
